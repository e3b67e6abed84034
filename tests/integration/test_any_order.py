"""Whatever the order of commands, also two at once: what is published is what was approved, what stands is true, and no
month is stuck. Drawn by hypothesis over the real functions and a real database, against a model of a few lines.

Builds are stand-ins here. `PANTAU_WITH_DBT=1` draws fewer, longer ones over delivered rows, the checks and dbt.
"""

import csv
import io
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note
from hypothesis import settings as drawn
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from pantau import checks, landing, release, verify, warehouse
from pantau.close import plan
from pantau.database import Connection
from pantau.errors import PantauError
from pantau.landing import decide
from pantau.read import read
from pantau.release import approvals
from tests.administrator import connect
from tests.conftest import own_database
from tests.integration import standin
from tests.integration.conftest import DESA_3T, DESA_4G, WILAYAH, Stage, bring_registers

MONTHS = ("2026-07", "2026-08", "2026-09")
PEOPLE = ("siti", "budi")
OF = (*MONTHS, "", "", "")  # a month; or that of the candidate
HAPPENS = (
    "nothing", "arrive", "arrive", "renew", "renew", "restate", "restate", "reject", "reject", "withdraw", "rebuild",
)  # fmt: skip
AT_ONCE = (
    ("close", "close"), ("close", "approve"), ("close", "approve"), ("close", "publish"), ("publish", "publish"),
    ("publish", "withdraw"), ("approve", "withdraw"), ("approve", "publish"),
)  # fmt: skip
# Where commands write down what they have decided.
DECIDED = (
    "ops.candidate",
    "ops.supersession",
    "ops.approval_given",
    "ops.withdrawal",
    "ops.publication",
    "ops.build_end",
)
WITH_DBT = bool(os.environ.get("PANTAU_WITH_DBT"))
Command = Callable[[], object]


class Publication(RuleBasedStateMachine):
    """Commands in any order. The model knows of each month which deliveries came, and which are rejected."""

    deliveries = Bundle("deliveries")
    shown = Bundle("shown")  # candidates as somebody has seen them, perhaps long ago
    postgres: str
    folders: "itertools.count[int]"
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._database = own_database(self.postgres, self.folder / str(next(self.folders)))
        self._database.__enter__()
        self.standing: dict[str, dict[int, bool]] = {month: {} for month in MONTHS}
        self._seen = 0  # the newest publication that was looked at, by its entry

    def teardown(self) -> None:
        """What is left settles; then every month that has a delivery is published as it is."""
        try:
            self._settle()
        finally:
            self._database.__exit__(None, None, None)
            self._patch.undo()

    # ------------------------------------------------------------ what it stands on

    @initialize(target=shown)
    def begin(self) -> Any:
        """Lists have come, the first month is published, and the others wait."""
        self._bring()
        for month in MONTHS:
            self._arrive(month)
        self._restate(MONTHS[0])
        for month in MONTHS[1:]:
            self._make(month)
        return multiple(*map(_waiting, MONTHS[1:]))

    def _bring(self) -> None:
        standin.at("2026-10-20")
        self.lists = sum(standin.deliver(*each)[0] for each in ((WILAYAH, "2025-01"), (DESA_3T, "2026-01")))
        self.marts = standin.Marts(self._patch)

    def _deliver(self, month: str) -> int:
        return standin.deliver(DESA_4G, month)[0]

    def _make(self, month: str) -> list[int]:
        return self.marts.close(month)

    def _rebuild(self, month: str) -> None:
        with warehouse.rebuilding(month, cutoff=None, without=()) as build:
            self.marts._fill(build)

    def _true(self, month: str) -> int | None:
        """What a month's figure has to be by the model; None where nothing stands for it."""
        newest = max((each for each, rejected in self.standing[month].items() if not rejected), default=None)
        return None if newest is None else self.lists + newest

    # ------------------------------------------------------------ commands

    def _arrive(self, month: str) -> int:
        delivery = self._deliver(month)
        self.standing[month][delivery] = False
        return delivery

    def _close(self, month: str) -> Command:
        return lambda: self._make(month)

    @staticmethod
    def _publish(of: list[dict[str, Any]]) -> Command:
        return lambda: release.publish([each["id"] for each in of])

    @staticmethod
    def _approve(of: list[dict[str, Any]], who: str) -> Command:
        return lambda: release.approve(of, who, _warnings(of))

    def _commands(self, of: list[dict[str, Any]], month: str, who: str) -> dict[str, Command]:
        return {
            "close": self._close(month),
            "approve": self._approve(of, who),
            "publish": self._publish(of),
            "withdraw": lambda: approvals.withdraw(month, month, who, "drawn"),
            "rebuild": lambda: self._rebuild(month),
        }

    @rule(target=deliveries, month=st.sampled_from(MONTHS))
    def arrive(self, month: str) -> tuple[str, int]:
        """A month's list is sent again."""
        return month, self._arrive(month)

    @rule(which=deliveries, who=st.sampled_from(PEOPLE))
    def reject(self, which: tuple[str, int], who: str) -> None:
        """Somebody rejects a delivery, perhaps a second time."""
        month, delivery = which
        decide(delivery, "rejection", who, "drawn")
        self.standing[month][delivery] = True

    @rule(which=deliveries, who=st.sampled_from(PEOPLE))
    def reinstate(self, which: tuple[str, int], who: str) -> None:
        """Somebody reinstates one, if it is rejected."""
        month, delivery = which
        if self.standing[month][delivery]:
            decide(delivery, "reinstatement", who, "drawn")
            self.standing[month][delivery] = False
        else:
            with pytest.raises(PantauError, match="nothing to take back"):
                decide(delivery, "reinstatement", who, "drawn")

    @rule(target=shown, month=st.sampled_from(MONTHS))
    def close(self, month: str) -> Any:
        """Close a month; what waits then is shown to somebody."""
        _told(self._close(month))
        waiting = _waiting(month)
        return waiting if waiting else multiple()

    @rule(of=shown, month=st.sampled_from(MONTHS), who=st.sampled_from(PEOPLE),
          what=st.sampled_from(["approve", "publish", "withdraw", "rebuild"]))  # fmt: skip
    def one(self, of: list[dict[str, Any]], month: str, who: str, what: str) -> None:
        """One command, about what was shown some time ago."""
        note(f"{what}: {_told(self._commands(of, month, who)[what])}")

    @rule(of=consumes(shown), who=st.sampled_from(PEOPLE), month=st.sampled_from(OF),
          what=st.sampled_from(HAPPENS), before=st.booleans())  # fmt: skip
    def meanwhile(self, of: list[dict[str, Any]], who: str, month: str, what: str, *, before: bool) -> None:
        """Approve and publish, where something happens in between, or just before."""
        month = month or of[0]["period"]
        happens: dict[str, Command] = {
            "nothing": lambda: None,
            "arrive": lambda: self._arrive(month),
            "renew": lambda: self._renew(month),
            "restate": lambda: self._restate(month),
            "reject": lambda: self._reject_newest(month, who),
            **self._commands(of, month, who),
        }
        steps = [("approve", self._approve(of, who)), (f"{what} {month}", happens[what])]
        steps = [*(reversed(steps) if before else steps), ("publish", self._publish(of))]
        note("; ".join(f"{name}: {_told(command)}" for name, command in steps))

    def _renew(self, month: str) -> None:
        self._arrive(month)
        _told(self._close(month))

    def _restate(self, month: str) -> None:
        self._renew(month)
        waiting = _waiting(month)
        _told(self._approve(waiting, "ani"))
        _told(self._publish(waiting))

    def _reject_newest(self, month: str, who: str) -> None:
        """Two lists come; somebody rejects the newer one, and would publish the other."""
        self._arrive(month)
        newest = self._arrive(month)
        decide(newest, "rejection", who, "drawn")
        self.standing[month][newest] = True
        _told(self._close(month))
        waiting = _waiting(month)
        _told(self._approve(waiting, who))
        _told(self._publish(waiting))

    @rule(of=st.tuples(shown, shown), who=st.tuples(*[st.sampled_from(PEOPLE)] * 2), month=st.sampled_from(OF),
          what=st.sampled_from(AT_ONCE), approved=st.booleans(), come=st.booleans())  # fmt: skip
    def two_at_once(self, of: Any, who: Any, month: str, what: Any, *, approved: bool, come: bool) -> None:
        """Two commands at once: as far as the product lets it, each has looked around before either writes."""
        month = month or of[0][0]["period"]
        if approved:
            for each in of:
                _told(self._approve(each, "ani"))
        if come:
            self._arrive(month)
        commands = [self._commands(o, month, w)[x] for o, w, x in zip(of, who, what, strict=True)]
        note(f"{what} {month}: {_together(commands)}")

    # ------------------------------------------------------------ what always holds

    @invariant()
    def what_is_published_was_approved_and_is_true_beside_the_others(self) -> None:
        """By plain SQL over the rows, and, as often as something was published, by `pantau verify`."""
        with connect() as connection:
            published = connection.execute(
                "select c.*, p.ledger_no as published_no from ops.publication p"
                " join ops.candidate c on c.id = p.release_id order by p.ledger_no"
            ).fetchall()
            news = [row for row in published if row["published_no"] > self._seen]
            for row in news:
                _check_approved(connection, row)
                _check_quotes(connection, row)
                self._seen = row["published_no"]
            versions: dict[str, list[int]] = {}
            for row in published:
                versions.setdefault(row["period"], []).append(row["version"])
            for month, its in versions.items():
                assert its == list(range(1, len(its) + 1)), month
            waiting = connection.execute(
                "select period, count(*) as n from ops.release where not superseded"
                " and id not in (select release_id from ops.publication) group by 1"
            ).fetchall()
            assert all(row["n"] == 1 for row in waiting), waiting
            late = connection.execute(
                "select a.release_id from ops.approval_given a join ops.supersession s on s.candidate_id = a.release_id"
                " where a.ledger_no > s.ledger_no"
            ).fetchall()
            assert not late, "what was superseded is approved"
            if news:
                assert verify.look(connection, since_last=False).failures == []

    def _settle(self) -> None:
        """As the hourly close and a careful person would go on, who has decided about nothing."""
        for _ in range(30):
            for month in MONTHS:
                if waiting := _waiting(month):
                    _told(self._approve(waiting, "ani"))
                    _told(self._publish(waiting))
            if (due := plan()) is None:
                break
            _told(self._close(due["first"]))
        else:
            raise AssertionError("something is due for ever")
        assert {month: self._published(month) for month in MONTHS if self._true(month) is not None} == {
            month: self._true(month) for month in MONTHS if self._true(month) is not None
        }
        self.what_is_published_was_approved_and_is_true_beside_the_others()

    @staticmethod
    def _published(month: str) -> int | None:
        with connect() as connection:
            row = connection.execute(
                "select value from public.published_figure where release_period = %s"
                " and (indicator_id, place, breakdown) = ('K2', '00', '')",
                [month],
            ).fetchone()
        return int(row["value"]) if row else None


class PublicationWithDbt(Publication):
    """The same over delivered rows of two provinces: read, checked, built by dbt, with the pages of the product."""

    stage: Stage

    def _bring(self) -> None:
        """Real lists; the month's coverage is what the simulator sends, with some villages covered otherwise."""
        self.stage.at("2026-10-20")
        bring_registers()
        self.stage.deliver(DESA_3T, "2026-01")
        self.left: dict[int, int] = {}
        with connect() as connection:
            self.sent = self._sent(connection)

    def _sent(self, connection: Connection) -> list[dict[str, str]]:
        delivery = self.stage.pull(DESA_4G, MONTHS[0])
        (file,) = connection.execute(
            "select sha256 from ops.delivery_file where delivery_id = %s", [delivery]
        ).fetchall()
        decide(delivery or 0, "rejection", "ani", "only its text is wanted")
        return list(csv.DictReader(io.StringIO(landing.path_of(file["sha256"]).read_text())))

    def _deliver(self, month: str) -> int:
        lines = [dict(line) for line in self.sent]
        otherwise = 1 + sum(map(len, self.standing.values()))
        for line in [line for line in lines if line["status_4g"] == "Tidak"][:otherwise]:
            line["status_4g"] = "Ya"
        text = io.StringIO()
        writer = csv.DictWriter(text, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
        delivery, _ = standin.deliver(DESA_4G, month, read=False, content=text.getvalue())
        reading = read(delivery)
        assert reading is not None
        checks.check_reading(reading)
        self.left[delivery] = sum(line["status_4g"] == "Tidak" for line in lines)
        return delivery

    def _make(self, month: str) -> list[int]:
        build = warehouse.open_build(month, month, "close")
        checks.check_across(build)
        warehouse.run_dbt(build)
        checks.check_marts(build)
        return release.make_candidates(build)

    def _rebuild(self, month: str) -> None:
        with warehouse.rebuilding(month, cutoff=None, without=()) as build:
            warehouse.run_dbt(build)

    def _true(self, month: str) -> int | None:
        newest = max((each for each, rejected in self.standing[month].items() if not rejected), default=None)
        return None if newest is None else self.left[newest]


def _warnings(of: list[dict[str, Any]]) -> list[str]:
    with connect() as connection:
        return [f.rule for each in of for f in checks.gate(connection, each["build_id"]).warnings]


def _waiting(month: str) -> list[dict[str, Any]]:
    with connect() as connection:
        return release.candidates(connection, month, month)


def _told(command: Command) -> str:
    """Run a command as a person would; an error of the product is an answer too, any other fails the test."""
    try:
        return str(command())
    except PantauError as error:
        return error.what


def _together(commands: list[Command]) -> list[str]:
    """Run commands until each waits, for the other or to write down what it decided, or is done; then let them go."""
    told, failed = [""] * len(commands), []

    def run(number: int) -> None:
        try:
            told[number] = _told(commands[number])
        except Exception as error:  # noqa: BLE001  raised again, where the test sees it
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(len(commands))]
    with connect() as gate:
        gate.execute(f"lock table {', '.join(DECIDED)} in share row exclusive mode")
        for thread in threads:
            thread.start()
        until = time.monotonic() + 5
        while time.monotonic() < until:
            waiting = gate.execute("select count(*) as n from pg_locks where not granted").fetchone()
            assert waiting is not None
            if waiting["n"] >= sum(thread.is_alive() for thread in threads):
                break
            time.sleep(0.01)
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "they wait for each other"
    if failed:
        raise failed[0]
    return told


def _check_approved(connection: Connection, row: dict[str, Any]) -> None:
    """There is an approval of exactly this, older than the publication, not withdrawn, given while the month's list was
    still the one that it rests on, by one who did not decide that."""
    given = connection.execute(
        "select * from ops.approval where release_id = %s and ledger_no < %s",
        [row["id"], row["published_no"]],
    ).fetchall()
    assert len(given) == 1, row["id"]
    assert (given[0]["release_hash"], given[0]["page_hash"]) == (row["release_hash"], row["page_hash"])
    superseded = connection.execute(
        "select from ops.supersession where candidate_id = %s", [row["id"]]
    ).fetchone()
    assert superseded is None, "a superseded candidate is published"
    cutoff, before = (
        _cutoff(connection, row["period"], version) for version in (row["version"], row["version"] - 1)
    )
    rests = _rests_on(connection, row["period"], cutoff)
    assert _rests_on(connection, row["period"], given[0]["ledger_no"]) == rests, "newer data had come"
    who = given[0]["approver"]
    assert _rests_on(connection, row["period"], cutoff, since=before, but=who) == rests, (
        f"{who} has decided it"
    )


def _cutoff(connection: Connection, month: str, version: int) -> int:
    """Up to which entry a published version's build looked; 0 where there is none."""
    (found,) = connection.execute(
        "select coalesce(max(b.cutoff), 0) as no from ops.candidate c join ops.build b on b.id = c.build_id"
        " join ops.publication p on p.release_id = c.id where c.period = %s and c.version = %s",
        [month, version],
    ).fetchall()
    return int(found["no"])


def _rests_on(connection: Connection, month: str, at: int, since: int = 0, but: str = "") -> int | None:
    """The newest of a month's lists that is not rejected, as of an entry; had a person decided nothing since."""
    entries = connection.execute(
        "select kind, what from ops.ledger where no <= %s and kind in ('rejection', 'reinstatement')"
        " and (no <= %s or what ->> 'by' <> %s) order by no",
        [at, since, but],
    ).fetchall()
    came = connection.execute(
        "select id from ops.delivery where (feed, period) = (%s, %s) and ledger_no <= %s order by ledger_no desc",
        [DESA_4G, month, at],
    ).fetchall()
    rejected = {entry["what"]["delivery"]: entry["kind"] == "rejection" for entry in entries}
    return next((each["id"] for each in came if not rejected.get(each["id"])), None)


def _check_quotes(connection: Connection, row: dict[str, Any]) -> None:
    """What a page says of earlier months was what readers saw of them when it was published."""
    for month, value in row["context"].get("quotes", {}).items():
        seen = connection.execute(
            "select f.value from ops.publication p join ops.candidate c on c.id = p.release_id"
            " join ops.figure f on f.release_id = c.id where c.period = %s and p.ledger_no < %s"
            " order by p.ledger_no desc limit 1",
            [month, row["published_no"]],
        ).fetchone()
        assert seen is not None
        assert str(seen["value"]) == value, (row["period"], row["version"], month)


def _run(machine: type[Publication], postgres: str, folder: Path, examples: int, steps: int) -> None:
    machine.postgres, machine.folder, machine.folders = postgres, folder, itertools.count()
    run_state_machine_as_test(
        machine,
        settings=drawn(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip


def test_whatever_the_order_what_is_published_was_approved_and_no_month_is_stuck(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _run(Publication, postgres, tmp_path_factory.mktemp("any"), 15, 12)


if WITH_DBT:  # ten minutes: by hand

    def test_with_dbt_too(
        postgres: str,
        simulator: Any,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        PublicationWithDbt.stage = Stage(simulator)
        _run(PublicationWithDbt, postgres, tmp_path_factory.mktemp("dbt"), 12, 12)
