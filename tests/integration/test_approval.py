"""Approval in Airflow: an answer counts once, for exactly what was shown, and stands in the ledger.

The steps of dags/approve_release.py, without a scheduler; test_up.py answers under a real one.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from typer.testing import CliRunner

from pantau import cli, release
from pantau.errors import PantauError
from pantau.release import approvals, asking
from tests.administrator import connect
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, WILAYAH
from tests.integration.standin import Marts, at, deliver

PERIOD, RULE = "2026-07", "marts.something"

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A candidate with a warning, as the run that asks for it is told of it."""
    at("2026-08-20")
    for feed, period in ((WILAYAH, "2025-01"), (DESA_3T, "2026-01"), (DESA_4G, PERIOD)):
        deliver(feed, period)
    (asked,) = asking.questions(Marts(monkeypatch, {PERIOD: RULE}).close(PERIOD), ask=True)
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
        "| K2 Left | 6 villages | – | -24 |", "lets 1 warning(s) stand", RULE, "(3 rows)",
        waiting[0]["release_hash"], waiting[0]["page_hash"], f"http://localhost:8090/{PERIOD}/v1/index.html",
    ):  # fmt: skip
        assert text in asked["body"], text


def test_the_form_says_what_is_forecast_to_miss_and_which_way_it_went() -> None:
    target = {"value": "100", "deadline": "2026-12-31", "on_track": True}
    shown = {"unit": {"en": "villages"}, "kind": "count", "decimals": 0, "value": "6000", "target": target}
    indicators = [
        {"id": name, "name": {"en": name}, "change": {"value": change}, **shown}
        for name, change in (("K7", "1284"), ("K8", "0"), ("K9", "-1268"))
    ]
    forecast = [{"indicator": "K7", "probability": "0.49"}, {"indicator": "K8", "probability": "0.50"}]
    _, _, *rows, _ = asking._figures({"indicators": indicators, "forecast": forecast}, {})
    assert [row.split(" | ")[3:] for row in rows] == [
        ["+1,284", "100 by 2026-12-31, on track, **likely to miss** |"],
        ["0", "100 by 2026-12-31, on track |"],
        ["-1,268", "100 by 2026-12-31, on track |"],
    ]


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


def test_a_superseded_candidate_is_refused(
    waiting: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(DESA_4G, PERIOD)
    Marts(monkeypatch).close(PERIOD)
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


def test_an_approval_can_be_withdrawn_and_given_anew(waiting: list[dict[str, Any]]) -> None:
    mine = waiting[0]["id"]
    release.approve(waiting, "sri", [RULE])
    with pytest.raises(PantauError, match="decision that the ledger keeps"):
        approvals.withdraw(PERIOD, PERIOD, "sri", "")
    assert approvals.withdraw(PERIOD, PERIOD, "sri", "the wrong month") == [f"{PERIOD} v1, approved by sri"]
    (withdrawn,) = kept("approval_withdrawn")
    assert (withdrawn["by"], withdrawn["why"], withdrawn["approver"]) == ("sri", "the wrong month", "sri")
    assert withdrawn["release_hash"] == waiting[0]["release_hash"]
    with connect() as connection:
        assert approvals.standing(connection, [mine]) == {}
    assert not release.publish([mine])
    assert asking.question(waiting, [RULE]) is not None  # the run that asked, cleared, asks again
    with pytest.raises(PantauError, match="No approval waits"):
        approvals.withdraw(PERIOD, PERIOD, "sri", "again")

    assert release.approve(waiting, "budi", [RULE]) == ["budi"]
    with connect() as connection:
        assert approvals.standing(connection, [mine])[mine]["approver"] == "budi"
    assert release.publish([mine])
    with pytest.raises(PantauError, match="it is published, and stays so"):
        approvals.withdraw(PERIOD, PERIOD, "sri", "too late")
    assert [what["approver"] for what in kept("approval")] == ["sri", "budi"]


def test_withdrawn_or_published_but_never_both(waiting: list[dict[str, Any]]) -> None:
    mine = waiting[0]["id"]

    def take_back(_: int) -> bool:
        try:
            return bool(approvals.withdraw(PERIOD, PERIOD, "sri", "x"))
        except PantauError:
            return False

    release.approve(waiting, "sri", [RULE])
    with ThreadPoolExecutor(4) as pool:
        gone, out = pool.map(take_back, range(2)), pool.map(lambda _: release.publish([mine]), range(2))
        withdrawn, published = any(gone), any(out)
    assert withdrawn != published
    assert len(kept("publication")) == published
    assert len(kept("approval_withdrawn")) == withdrawn


def test_what_was_given_and_withdrawn_is_not_altered(waiting: list[dict[str, Any]]) -> None:
    release.approve(waiting, "sri", [RULE])
    approvals.withdraw(PERIOD, PERIOD, "sri", "x")
    for table in ("approval_given", "withdrawal"):
        for statement in (f"delete from ops.{table}", f"truncate ops.{table} cascade"):
            with pytest.raises(Exception, match="append-only"), connect() as connection:
                connection.execute(statement)


def test_on_the_command_line_the_slower_one_is_told_whose_approval_stands(
    waiting: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    release.approve(waiting, "sri", [RULE])
    monkeypatch.setattr("pantau.cli.months.ready", nullcontext)
    monkeypatch.setattr("pantau.runner.scheduler_runs", lambda: True)  # which publishes it
    told = CliRunner().invoke(cli.app, ["approve", PERIOD, "--acknowledge", "--by", "budi"]).output
    assert f"{PERIOD} v1: sri was faster, and that approval stands, not budi's." in told
    told = (
        CliRunner()
        .invoke(cli.app, ["approve", PERIOD, "--withdraw", "--by", "sri", "--why", "looked again"])
        .output
    )
    assert f"Withdrawn: {PERIOD} v1, approved by sri." in told
    told = CliRunner().invoke(cli.app, ["approve", PERIOD, "--acknowledge", "--by", "budi"]).output
    assert "faster" not in told
    assert [what["approver"] for what in kept("approval")] == ["sri", "budi"]


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
