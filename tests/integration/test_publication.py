"""Publication is one locked, verified transition: what is superseded, altered, stale or empty is never published, and
no month can be wedged.
"""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pantau import ledger, locks, release, verify, warehouse, witness
from pantau.audit import releases
from pantau.audit.paper import Paper, release_page
from pantau.audit.records import Records
from pantau.audit.tree import Tree
from pantau.close import plan, waiting
from pantau.database import Connection
from pantau.errors import BlockedError, PantauError
from pantau.landing import decide
from pantau.locks import Lock
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_3T, DESA_4G, WILAYAH
from tests.integration.standin import Marts, at, checked, deliver

pytestmark = pytest.mark.usefixtures("database")
JULY, AUGUST, SEPTEMBER = "2026-07", "2026-08", "2026-09"
UNUSED = "kemenkes__puskesmas"


@pytest.fixture
def marts(monkeypatch: pytest.MonkeyPatch) -> Marts:
    """A programme whose lists have come, on 20 October 2026."""
    at("2026-10-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2026-01")
    return Marts(monkeypatch)


def approve(releases: list[int]) -> None:
    """As a person who has seen everything."""
    with connect() as connection:
        shown = [
            connection.execute("select * from ops.release where id = %s", [r]).fetchone() for r in releases
        ]
    release.approve([row for row in shown if row], "sri", [])


def publish(marts: Marts, *months: str) -> None:
    """Deliver where nothing is, close, approve and publish each month."""
    for month in months:
        if not rows("select from ops.delivery where feed = %s and period = %s", DESA_4G, month):
            deliver(DESA_4G, month)
        made = marts.close(month)
        approve(made)
        assert release.publish(made)


def rows(query: str, *values: Any) -> list[dict[str, Any]]:
    """What the database says."""
    with connect() as connection:
        return connection.execute(query, list(values)).fetchall()


def published() -> dict[str, int]:
    """By month, the version that readers see."""
    return {
        row["period"]: row["version"] for row in rows("select period, version from public.published_release")
    }


def standing(month: str) -> list[int]:
    """The versions of a month's candidates that wait."""
    with connect() as connection:
        return [row["version"] for row in release.candidates(connection, month, month)]


# ---------------------------------------------------------------- superseded candidates


def test_a_superseded_candidate_is_never_published_and_wedges_nothing(marts: Marts) -> None:
    deliver(DESA_4G, JULY)
    old = marts.close(JULY)
    approve(old)  # in Airflow the answer is written; its next task publishes later
    deliver(DESA_4G, JULY)
    new = marts.close(JULY)  # the hourly close comes between
    with pytest.raises(PantauError, match="superseded"):
        release.publish(old)
    assert published() == {}
    approve(new)
    assert release.publish(new)
    publish(marts, JULY)  # the same again makes nothing
    assert published() == {JULY: 1}


def test_freezing_and_publishing_wait_for_each_other(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(DESA_4G, JULY)
    old = marts.close(JULY)
    approve(old)
    deliver(DESA_4G, JULY)
    flip, inside = release._flip, threading.Event()

    def slow(connection: Connection, row: dict[str, Any]) -> None:
        flip(connection, row)
        inside.set()
        time.sleep(0.5)

    monkeypatch.setattr(release, "_flip", slow)
    publishing = threading.Thread(target=release.publish, args=(old,))
    publishing.start()
    assert inside.wait(10)
    new = marts.close(JULY)
    publishing.join()
    (row,) = rows("select superseded from ops.release where id = %s", old[0])
    assert not row["superseded"]
    assert rows("select version from ops.release where id = %s", new[0]) == [{"version": 2}]
    approve(new)
    monkeypatch.setattr(release, "_flip", flip)
    assert release.publish(new)
    assert published() == {JULY: 2}


def test_the_ledger_knows_what_was_superseded_and_by_what(marts: Marts) -> None:
    deliver(DESA_4G, JULY)
    (old,) = marts.close(JULY)
    deliver(DESA_4G, JULY)
    (new,) = marts.close(JULY)
    (entry,) = rows("select what from ops.ledger where kind = 'superseded'")
    (build,) = rows("select build_id as id from ops.release where id = %s", new)
    assert entry["what"] == {"release": old, "period": JULY, "version": 1, "by_build": build["id"]}


# ---------------------------------------------------------------- what is approved is what is frozen


def untriggered(connection: Connection, statement: str, *values: Any) -> None:
    """As somebody would who owns the tables."""
    connection.execute("set local session_replication_role = replica")
    connection.execute(statement, list(values))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "update ops.candidate set context = jsonb_set(context, '{indicators,0,value}', '\"99\"')",
            "page_hash",
        ),
        ("update ops.figure set numerator = numerator + 1", "release_hash"),
        ("update ops.candidate set release_hash = repeat('0', 64)", "release_hash"),
    ],
)
def test_what_was_altered_after_freezing_is_neither_approved_nor_rendered_nor_published(
    marts: Marts, statement: str, told: str
) -> None:
    deliver(DESA_4G, JULY)
    made = marts.close(JULY)
    approve(made)
    with connect() as connection:
        untriggered(connection, statement)
    with connect() as connection, pytest.raises(PantauError, match=f"not the one that was frozen: .*{told}"):
        release.frozen(connection, made[0])
    with pytest.raises(PantauError, match="Verification fails"):
        release.publish(made)
    assert published() == {}


def test_an_approval_counts_only_with_its_entry_and_its_warnings(marts: Marts) -> None:
    marts.warnings[JULY] = "marts.something"
    deliver(DESA_4G, JULY)
    made = marts.close(JULY)
    with connect() as connection:
        connection.execute(
            "insert into ops.approval select id, release_hash, page_hash, 'Menteri', '[]', 1 from ops.release"
        )
    with pytest.raises(PantauError, match=r"ops.approval_given/entry 1"):
        release.publish(made)
    assert published() == {}


def test_an_entry_without_the_warnings_does_not_count_either(marts: Marts) -> None:
    marts.warnings[JULY] = "marts.something"
    deliver(DESA_4G, JULY)
    made = marts.close(JULY)
    with connect() as connection:
        row = connection.execute("select * from ops.release").fetchone()
        assert row is not None
        hashes = {name: row[name] for name in ("release_hash", "page_hash")}
        what = {"release": row["id"], **hashes, "approver": "x", "acknowledged": []}
        number = ledger.append(connection, "approval", what)
        connection.execute(
            "insert into ops.approval values (%s, %s, %s, 'x', %s, %s)",
            [row["id"], row["release_hash"], row["page_hash"], Jsonb([]), number],
        )
    with pytest.raises(PantauError, match="were not acknowledged by it: marts"):
        release.publish(made)
    assert published() == {}


def test_a_critical_finding_that_comes_after_freezing_blocks_approval_and_publication(marts: Marts) -> None:
    for month in (JULY, AUGUST):
        deliver(DESA_4G, month)
    july, august = marts.close(JULY), marts.close(AUGUST)
    approve(july)
    for made in (july, august):  # as when the month before was restated, and they are compared with it anew
        (row,) = rows("select build_id from ops.release where id = %s", made[0])
        checked(build=row["build_id"], warning="marts.collapsed", severity="critical")
    with pytest.raises(BlockedError, match=r"1 critical finding\(s\) came against it: marts.collapsed"):
        approve(august)
    with pytest.raises(BlockedError, match="came against it"):
        release.publish(july)
    assert published() == {}
    deliver(DESA_4G, SEPTEMBER)  # and no other month is kept from its close
    due = plan()
    assert due is not None
    assert due["first"] == SEPTEMBER


def test_a_warning_that_comes_after_an_approval_wants_another_and_keeps_no_month_waiting(
    marts: Marts,
) -> None:
    for month in (JULY, AUGUST):
        deliver(DESA_4G, month)
    made = marts.close(JULY)
    approve(made)
    (row,) = rows("select * from ops.release where id = %s", made[0])
    checked(build=row["build_id"], warning="marts.late")
    with pytest.raises(PantauError, match=r"1 warning.* came after the approval.*: marts.late") as caught:
        release.publish(made)
    assert f"pantau approve {JULY} --acknowledge" in caught.value.next_step
    due = plan()
    assert due is not None
    assert due["first"] == AUGUST
    with pytest.raises(PantauError, match=r"are not acknowledged: marts\.late"):
        release.approve([row], "budi", [])
    assert release.approve([row], "budi", ["marts.late"]) == ["budi"]
    assert release.approve([row], "sri", ["marts.late"]) == ["budi"]  # that one stands now
    (taken,) = rows("select what from ops.ledger where kind = 'approval_withdrawn'")
    assert (taken["what"]["approver"], taken["what"]["by"]) == ("sri", "budi")
    due = plan()
    assert due is not None
    assert due["first"] == JULY
    assert release.publish(made)
    assert published() == {JULY: 1}
    with connect() as connection:
        assert verify.look(connection, since_last=False).failures == []


def test_without_a_witness_nothing_is_published(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(DESA_4G, JULY)
    made = marts.close(JULY)
    approve(made)
    monkeypatch.setattr(settings, "witness", settings.var)  # a folder
    with pytest.raises(PantauError, match="The witness cannot be written"):
        release.publish(made)
    assert published() == {}


def test_a_month_without_figures_is_refused(marts: Marts) -> None:
    deliver(DESA_4G, JULY)
    build = warehouse.open_build(JULY, JULY, "close")  # no model has filled its marts
    (row,) = rows("select * from ops.build where id = %s", build)
    with connect() as connection, pytest.raises(PantauError, match=f"{JULY} has no figures"):
        release.freeze._frozen(connection, row, JULY, None)  # type: ignore[arg-type]


# ---------------------------------------------------------------- pages quote other months


def test_a_page_that_quotes_what_is_no_longer_published_is_neither_approved_nor_published(
    marts: Marts,
) -> None:
    publish(marts, AUGUST)
    deliver(DESA_4G, SEPTEMBER)
    september = marts.close(SEPTEMBER)  # quotes August v1
    deliver(DESA_4G, AUGUST)
    august = marts.close(AUGUST)
    approve(september)
    approve(august)
    assert release.publish(august)
    with pytest.raises(PantauError, match=f"no longer true .*the release of {AUGUST}"):
        release.publish(september)
    deliver(UNUSED, "2022-01")
    due = plan()  # under a new cut-off
    assert due is not None
    assert due["first"] == SEPTEMBER
    again = marts.close(SEPTEMBER)
    assert again != september
    (row,) = rows("select context -> 'quotes' as quotes from ops.release where id = %s", again[0])
    (value,) = rows("select value::text from public.published_figure where release_period = %s", AUGUST)
    assert row["quotes"] == {AUGUST: value["value"]}
    approve(again)
    assert release.publish(again)
    assert plan() is None


def test_two_months_restated_at_once_are_never_published_one_against_the_other(marts: Marts) -> None:
    publish(marts, AUGUST, SEPTEMBER)
    deliver(DESA_4G, AUGUST), deliver(DESA_4G, SEPTEMBER)
    august, september = marts.close(AUGUST), marts.close(SEPTEMBER)
    approve(august)
    assert release.publish(august)
    with pytest.raises(PantauError, match=f"the release of {AUGUST} that its page quotes"):
        approve(september)
    assert (plan() or {})["first"] == SEPTEMBER
    publish(marts, SEPTEMBER)
    assert published() == {AUGUST: 2, SEPTEMBER: 2}


def test_of_published_months_the_newest_alone_is_made_again_when_an_earlier_one_was_restated(
    marts: Marts,
) -> None:
    publish(marts, JULY, AUGUST, SEPTEMBER)
    assert plan() is None
    deliver(DESA_4G, JULY)
    publish(marts, JULY)
    due = plan()
    assert due is not None
    assert due["first"] == SEPTEMBER
    (again,) = marts.close(SEPTEMBER)
    new, old = rows("select * from ops.release where period = %s order by version desc", SEPTEMBER)
    assert (new["id"], new["version"], new["reason"]) == (again, 2, "reissue")
    assert new["release_hash"] == old["release_hash"]
    assert new["page_hash"] != old["page_hash"]
    assert new["explanation"]["en"] == "An earlier month was restated: July 2026"
    assert not release.publish([again])  # it needs an approval of its own
    approve([again])
    assert release.publish([again])
    assert plan() is None
    assert published() == {JULY: 2, AUGUST: 1, SEPTEMBER: 2}


def test_an_older_page_that_quotes_a_restated_month_stands_and_is_marked_in_the_audit_pages(
    marts: Marts, tmp_path: Path
) -> None:
    publish(marts, JULY, AUGUST)
    at("2026-10-21")
    publish(marts, SEPTEMBER)
    deliver(DESA_4G, JULY)
    publish(marts, JULY)
    assert marked(tmp_path / "one") == {JULY: False, AUGUST: True, SEPTEMBER: True}
    publish(marts, SEPTEMBER)  # the newest is made again
    assert marked(tmp_path / "two") == {JULY: False, AUGUST: True, SEPTEMBER: False}


def marked(folder: Path) -> dict[str, bool]:
    """By month, whether the audit page of the release that stands says that it quotes what was restated since."""
    with connect() as connection, Tree(folder) as tree:
        records, paper = Records(connection, ledger.entries(connection)), Paper()
        paper.moment = records.now
        shown = [r for r in records.releases.values() if r["published"]]
        for each in shown:
            build, versions = records.builds[each["build_id"]], records.versions[each["period"]]
            releases._first_page(tree, paper, records, each, build, versions)
    return {
        r["period"]: "sejak itu dinyatakan ulang:"
        in (folder / release_page(r["period"], r["version"])).read_text()
        for r in shown
    }


def test_months_that_wait_together_are_published_one_after_the_other(marts: Marts) -> None:
    deliver(DESA_4G, JULY), deliver(DESA_4G, AUGUST)
    july, august = marts.close(JULY), marts.close(AUGUST)  # neither quotes the other: neither is published
    for made in (july, august):
        approve(made)
    assert release.publish(july)
    assert marts.close(AUGUST) == august  # as the run does that publishes it
    assert release.publish(august)
    assert plan() is None


def test_equal_figures_make_nothing_due(marts: Marts) -> None:
    publish(marts, JULY, AUGUST)
    delivery, _ = deliver(DESA_4G, JULY)
    publish(marts, JULY)
    publish(marts, AUGUST)  # the page again
    decide(delivery, "rejection", "budi", "an error")
    publish(marts, JULY)  # v3, with the figures of v1
    decide(delivery, "reinstatement", "budi", "no error")
    publish(marts, JULY)  # v4, with those of v2, which the page of August quotes
    assert published() == {JULY: 4, AUGUST: 2}
    assert plan() is None


# ---------------------------------------------------------------- what is due


def test_a_feed_that_no_indicator_needs_makes_no_month_due(marts: Marts) -> None:
    publish(marts, JULY, AUGUST)
    deliver(DESA_4G, SEPTEMBER)
    made = marts.close(SEPTEMBER)
    deliver(UNUSED, "2022-01")
    assert plan() is None
    approve(made)  # nor does it make a candidate stale
    assert release.publish(made)
    assert plan() is None


def test_an_approved_month_whose_delivery_was_rejected_stops_no_other(marts: Marts) -> None:
    delivery, _ = deliver(DESA_4G, JULY)
    made = marts.close(JULY)
    approve(made)
    decide(delivery, "rejection", "sri", "wrong")
    deliver(DESA_4G, AUGUST)
    due = plan()
    assert due is not None
    assert due["first"] == AUGUST
    publish(marts, AUGUST)
    assert JULY in {wait.period for wait in waiting()}


# ---------------------------------------------------------------- locks


def test_locks_are_taken_in_their_order_or_refused() -> None:
    with connect() as connection:
        locks.take(connection, Lock.RELEASE)
        locks.take(connection, Lock.RELEASE)
        ledger.append(connection, "x", {})
        with pytest.raises(RuntimeError, match="the lock READING is taken before LEDGER"):
            locks.take(connection, Lock.READING, 7)
        connection.rollback()
        locks.take(connection, Lock.READING, 7)
        with pytest.raises(RuntimeError, match="READING"):
            locks.take(connection, Lock.READING, 8)


def test_no_lock_is_taken_past_the_registry() -> None:
    files = [p for folder in ("pantau", "dags") for p in (settings.root / folder).rglob("*.py")]
    assert [
        p.name for p in files if "pg_advisory" in p.read_text() or "pg_try_advisory" in p.read_text()
    ] == ["locks.py"]


# ---------------------------------------------------------------- the witness


def test_the_witness_has_every_head_and_none_of_what_was_rolled_back() -> None:
    with connect() as connection:
        number = ledger.append(connection, "x", {})
        ledger.append(connection, "y", {})
        connection.rollback()
        ledger.append(connection, "z", {})
    entries = rows("select no, hash from ops.ledger order by no")
    noted = witness.heads()[entries[0]["hash"]]
    assert noted[number] == {entries[-1]["hash"]}
    assert verify.run().failures == []


# ---------------------------------------------------------------- old facts that somebody lets go


@pytest.fixture
def facts() -> None:
    """A table of facts, in which a test puts a row for each build."""
    with connect("-c role=pantau_transformer") as connection:
        connection.execute("create table facts.fct_standin (build_id bigint, kode text)")


def fill(build: int) -> None:
    """What dbt would do."""
    with connect("-c role=pantau_transformer") as connection:
        connection.execute("insert into facts.fct_standin values (%s, '93'), (%s, '96')", [build, build])


def test_facts_of_a_replaced_release_are_deleted_by_command_and_it_is_told_ever_after(
    marts: Marts, facts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = warehouse.open_build

    def opened(*arguments: Any, **named: Any) -> int:
        build = made(*arguments, **named)
        if not rows("select from facts.fct_standin where build_id = %s", build):
            fill(build)
        return build

    monkeypatch.setattr(warehouse, "open_build", opened)
    publish(marts, JULY)
    deliver(DESA_4G, JULY)
    publish(marts, JULY)
    old, new = (row["build_id"] for row in rows("select build_id from ops.candidate order by id"))
    for build, told in ((new, "2026-07 v2"), (99, "no such build")):
        with pytest.raises(PantauError, match=told):
            warehouse.forget(build, "sri", "the disk is full")
    with pytest.raises(PantauError, match="Say `--why`"):
        warehouse.forget(old, "sri", " ")
    assert warehouse.forget(old, "sri", "the disk is full") == {"facts.fct_standin": 2}
    with pytest.raises(PantauError, match="gone already"):
        warehouse.forget(old, "sri", "again")
    with connect() as connection:
        found = verify.look(connection, since_last=False)
    assert found.failures == []
    (entry,) = found.deleted
    assert (entry["what"]["build"], entry["what"]["by"], entry["what"]["why"]) == (
        old,
        "sri",
        "the disk is full",
    )
    fill(old)  # nobody puts others in their place
    with connect() as connection:
        (failure,) = verify.look(connection, since_last=False).failures
    assert failure.what == f"facts.fct_standin/build {old}"
