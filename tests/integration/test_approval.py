"""Approval in Airflow: an answer counts once, for exactly what was shown, and stands in the ledger.

The steps of dags/approve_release.py, without a scheduler; test_up.py answers under a real one.
"""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pantau import ledger, release, warehouse
from pantau.database import connect
from pantau.errors import PantauError
from pantau.release import asking
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, WILAYAH
from tests.integration.test_manifest import at, deliver

PERIOD, RULE = "2026-07", "marts.something"
SENTENCE = {"id": "Harus benar", "en": "It must hold | <b>truly</b>"}

pytestmark = pytest.mark.usefixtures("database")


def checked(build: int | None = None, reading: int | None = None, warning: str = "") -> None:
    """A check run, with a warning or without."""
    with connect() as connection:
        for border in ["raw"] if reading else ["across", "marts"]:
            number = ledger.append(connection, "check", {"border": border})
            row = connection.execute(
                "insert into ops.check_run (border, reading_id, build_id, rules, rules_hash, ledger_no)"
                " values (%s, %s, %s, 1, 'x', %s) returning id",
                [border, reading, build, number],
            ).fetchone()
            assert row is not None
            if not (warning and border == "marts"):
                continue
            connection.execute(
                "insert into ops.check_result values (%s, %s, 1, 'warning', false, 3)", [row["id"], warning]
            )
            rule = {
                "id": warning,
                "version": 1,
                "severity": "warning",
                "sentence": SENTENCE,
                "fixer": "owner",
                "reference": "-",
            }
            connection.execute(
                "insert into ops.finding (check_run_id, rule_id, rule, rows) values (%s, %s, %s, 3)",
                [row["id"], warning, Jsonb(rule)],
            )


def candidate(warning: str = "") -> int:
    """A candidate for the period as a close would leave it: its id."""
    build = warehouse.open_build(PERIOD, PERIOD, "close")
    checked(build=build, warning=warning)
    indicator = {
        "id": "K2", "name": {"id": "Sisa", "en": "Left"}, "unit": {"id": "desa", "en": "villages"},
        "kind": "count", "value": "1405", "change": {"value": "-24"}, "target": None,
    }  # fmt: skip
    context = {"period": PERIOD, "simulated": True, "indicators": [indicator]}
    with connect() as connection:
        number = ledger.append(connection, "candidate", {"period": PERIOD})
        row = connection.execute(
            "insert into ops.release (period, version, build_id, reason, explanation, release_hash, page_hash,"
            " context, ledger_no) values (%s, 1, %s, 'first', %s, %s, %s, %s, %s) returning id",
            [
                PERIOD, build, Jsonb({"id": "Rilis pertama", "en": "First release"}), sha256(b"").hexdigest(),
                f"page of {build}", Jsonb(context), number,
            ],
        ).fetchone()  # fmt: skip
        assert row is not None
        return int(row["id"])


@pytest.fixture
def waiting() -> list[dict[str, Any]]:
    """A candidate with a warning, as the run that asks for it is told of it."""
    at("2026-08-20")
    for feed, period in ((WILAYAH, "2025-01"), (DESA_3T, "2026-01"), (DESA_4G, PERIOD)):
        checked(reading=deliver(feed, period)[1])
    (asked,) = asking.questions([candidate(RULE)], ask=True)
    assert asked["conf"]["warnings"] == [RULE]
    shown: list[dict[str, Any]] = asked["conf"]["releases"]
    return shown


def given(option: str, name: str = "sri", why: str = "") -> dict[str, Any]:
    """Airflow's record of an answer."""
    return {
        "chosen_options": [option], "params_input": {"why": why},
        "responded_by_user": {"id": "7", "name": name}, "responded_at": f"2026-08-20T03:00:00+00:00 {name}",
    }  # fmt: skip


def kept(kind: str) -> list[dict[str, Any]]:
    """What the ledger keeps of a kind."""
    with connect() as connection:
        rows = connection.execute("select what from ops.ledger where kind = %s order by no", [kind])
        return [row["what"] for row in rows]


def test_the_form_shows_figures_warnings_and_hashes(waiting: list[dict[str, Any]]) -> None:
    asked = asking.question(waiting, [RULE])
    assert asked is not None
    assert asked["subject"] == f"Publish {PERIOD} v1? (simulated data)"
    for text in (
        "| K2 Left | 1,405 villages | – | -24 |", "lets 1 warning(s) stand", RULE, "(3 rows)",
        waiting[0]["release_hash"], waiting[0]["page_hash"], f"http://localhost:8090/{PERIOD}/v1/index.html",
    ):  # fmt: skip
        assert text in asked["body"], text


def test_an_approval_is_kept_with_who_when_and_what_and_publishes(waiting: list[dict[str, Any]]) -> None:
    assert asking.answer(waiting, [RULE], given("Approve"), "run 1") == [waiting[0]["id"]]
    (approval,) = kept("approval")
    assert approval["approver"] == "sri"
    assert approval["answered_at"].startswith("2026-08-20T03:00")
    assert approval["asked_in"] == "run 1"
    assert approval["acknowledged"] == [RULE]
    assert [approval[name] for name in ("release_hash", "page_hash")] == [
        waiting[0][name] for name in ("release_hash", "page_hash")
    ]
    assert release.publish([waiting[0]["id"]])
    assert [what["period"] for what in kept("publication")] == [PERIOD]
    assert asking.question(waiting, [RULE]) is None  # a run that is cleared then has nothing to ask
    assert asking.questions([waiting[0]["id"]], ask=True) == []


def test_published_by_many_at_once_it_is_published_once(waiting: list[dict[str, Any]]) -> None:
    asking.answer(waiting, [RULE], given("Approve"), "run 1")
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda _: release.publish([waiting[0]["id"]]), range(6)))
    assert len(kept("publication")) == 1


def test_a_refusal_is_kept_once_and_publishes_nothing(waiting: list[dict[str, Any]]) -> None:
    for _ in range(2):  # the step again, with the same answer
        assert asking.answer(waiting, [RULE], given("Refuse", why="belum yakin"), "run 1") == []
    (refused,) = kept("approval_refused")
    assert (refused["refused_by"], refused["why"], refused["release_hash"]) == (
        "sri", "belum yakin", waiting[0]["release_hash"],
    )  # fmt: skip
    assert kept("approval") == []
    assert not release.publish([waiting[0]["id"]])
    assert asking.answer(waiting, [RULE], given("Approve", "budi"), "run 1") == [waiting[0]["id"]]


def test_nobody_is_asked_twice_nor_where_the_command_line_asks(waiting: list[dict[str, Any]]) -> None:
    mine = [waiting[0]["id"]]
    assert asking.questions(mine, ask=True) == asking.questions(mine, ask=True)
    assert asking.questions(mine, ask=False) == []
    assert asking.questions([], ask=True) == []


@pytest.mark.parametrize("hash_", ["release_hash", "page_hash"])
def test_an_answer_for_other_hashes_is_refused(waiting: list[dict[str, Any]], hash_: str) -> None:
    other = [{**waiting[0], hash_: "0" * 64}]
    with pytest.raises(PantauError, match="no longer the one that was shown"):
        asking.question(other, [RULE])
    with pytest.raises(PantauError, match="no longer the one that was shown"):
        asking.answer(other, [RULE], given("Approve"), "run 1")
    assert kept("approval") == []


def test_an_answer_after_newer_data_is_refused(waiting: list[dict[str, Any]]) -> None:
    deliver(ANGGARAN, "2026-01")  # another month's: the figures of the period do not hang on it alone
    deliver(DESA_4G, "2026-06")
    assert asking.question(waiting, [RULE]) is not None
    deliver(DESA_4G, PERIOD)
    with pytest.raises(
        PantauError, match=f"Newer data came since the candidate was made: {DESA_4G} {PERIOD}"
    ):
        asking.answer(waiting, [RULE], given("Approve"), "run 1")
    assert kept("approval") == []


def test_a_superseded_candidate_is_refused(waiting: list[dict[str, Any]]) -> None:
    with connect() as connection:
        connection.execute("update ops.release set superseded = true")
    with pytest.raises(PantauError, match="no longer the one that was shown"):
        asking.answer(waiting, [RULE], given("Approve"), "run 1")


def test_a_warning_that_was_not_shown_is_not_acknowledged(waiting: list[dict[str, Any]]) -> None:
    with pytest.raises(PantauError, match=f"not acknowledged: {RULE}"):
        asking.answer(waiting, [], given("Approve"), "run 1")
    assert kept("approval") == []


def test_a_form_that_would_show_other_warnings_is_not_used(waiting: list[dict[str, Any]]) -> None:
    for acknowledged in ([], [RULE, "another"]):
        with pytest.raises(PantauError, match=f"Other warnings stand against the candidate now: {RULE}"):
            asking.question(waiting, acknowledged)


def test_no_answer_by_nobody(waiting: list[dict[str, Any]]) -> None:
    with pytest.raises(PantauError, match="No person has answered"):
        asking.answer(waiting, [RULE], {**given("Approve"), "responded_by_user": None}, "run 1")


def test_of_two_at_once_one_wins(waiting: list[dict[str, Any]]) -> None:
    names = [f"person {n}" for n in range(6)]
    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(
            pool.map(lambda name: asking.answer(waiting, [RULE], given("Approve", name), name), names)
        )
    assert answers == [[waiting[0]["id"]]] * len(names)
    (approval,) = kept("approval")
    assert approval["approver"] in names
    with pytest.raises(PantauError, match=f"{approval['approver']} approved it before this refusal"):
        asking.answer(waiting, [RULE], given("Refuse", "late"), "run 9")
