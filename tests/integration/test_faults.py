"""Bad input: every fault that the simulator can serve is caught by the rule that names it, good rows stand,
and the message says what, where and what to do."""

from collections.abc import Iterator

import pytest

from pantau import catalogue
from pantau.database import connect
from pantau.errors import PantauError, TransientError
from simulator.faults import FAULTS
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, Stage

# fault → where it is caught: "land" (an error, nothing landed), "read" (an error, nothing read),
# "row:<rule>" (quarantine), or the id of the check
CAUGHT = {
    (DESA_4G, "broken_header"): "read: header is not the one agreed",
    (DESA_3T, "broken_header"): "read: header is not the one agreed",
    (ANGGARAN, "broken_header"): "read: header is not the one agreed",
    (DESA_4G, "unknown_region"): "row: region_unknown",
    (DESA_3T, "unknown_region"): "row: region_unknown",
    (DESA_4G, "duplicate_key"): "row: key_repeated",
    (DESA_3T, "duplicate_key"): "row: key_repeated",
    (DESA_4G, "formula_cell"): "row: region_name",
    (DESA_4G, "script_cell"): "row: region_name",
    (DESA_3T, "formula_cell"): "row: region_name",
    (DESA_3T, "script_cell"): "row: region_name",
    (DESA_4G, "too_many_refused"): "check: every.too_many_refused",
    (DESA_3T, "too_many_refused"): "check: every.too_many_refused",
    (ANGGARAN, "too_many_refused"): "check: every.too_many_refused",
    (DESA_4G, "wrong_encoding"): "read: not utf-8",
    (DESA_3T, "wrong_encoding"): "read: not utf-8",
    (DESA_4G, "truncated"): "check: komdigi__desa_4g.lost_villages",
    (DESA_3T, "truncated"): "check: komdigi__desa_3t.village_count",
    (ANGGARAN, "truncated"): "check: kemenkeu__anggaran_tik.total_missing",
    (DESA_4G, "lost_villages"): "check: komdigi__desa_4g.lost_villages",
    (DESA_4G, "mass_outage"): "check: komdigi__desa_4g.mass_outage",
    (DESA_4G, "future_date"): "check: komdigi__desa_4g.future_date",
    (DESA_4G, "no_date"): "check: komdigi__desa_4g.no_date",
    (ANGGARAN, "negative_amount"): "row: minimum",
    (ANGGARAN, "jump_tenfold"): "check: kemenkeu__anggaran_tik.jump_tenfold",
    (ANGGARAN, "cumulative_falls"): "check: kemenkeu__anggaran_tik.cumulative_falls",
    (ANGGARAN, "over_budget"): "row: at_most",
    (ANGGARAN, "versions_disagree"): "check: kemenkeu__anggaran_tik.versions_disagree",
    (ANGGARAN, "total_mismatch"): "check: every.total_mismatch",
    (ANGGARAN, "national_total"): "check: kemenkeu__anggaran_tik.budget_changed",
    (DESA_3T, "national_total"): "check: komdigi__desa_3t.village_count",
    (DESA_4G, "unchanged"): "check: every.unchanged",
    (DESA_3T, "unchanged"): "check: every.unchanged",
    (ANGGARAN, "unchanged"): "check: every.unchanged",
    (DESA_4G, "html_200"): "land: sent a web page instead of the file",
    (DESA_3T, "html_200"): "land: sent a web page instead of the file",
    (DESA_4G, "short_body"): "heals: before the file was whole",
    (DESA_3T, "short_body"): "heals: before the file was whole",
    (ANGGARAN, "short_body"): "heals: The SFTP connection failed",
    (DESA_4G, "server_error"): "heals: answered 503",
    (DESA_3T, "server_error"): "heals: answered 503",
    (ANGGARAN, "wrong_host_key"): "land: another host key",
}
# a name that is a formula or a script is no fault of an account's row: it is kept, as text, and inert
KEPT = {(ANGGARAN, "formula_cell"), (ANGGARAN, "script_cell"), (ANGGARAN, "wrong_encoding")}
# nothing for the checks to find: tested where they belong
ELSEWHERE = {"duplicate", "missing", "slow"}
PERIODS = {DESA_4G: "2026-07", ANGGARAN: "2026-07", DESA_3T: "2026-01"}
BEFORE = {DESA_4G: "2026-06", ANGGARAN: "2026-06", DESA_3T: "2025-01"}


def test_every_fault_is_accounted_for() -> None:
    every = {(feed, name) for name, fault in FAULTS.items() for feed in fault.feeds}
    known = set(CAUGHT) | KEPT | {(feed, name) for feed, name in every if name in ELSEWHERE}
    known |= {(ANGGARAN, "server_error")}
    assert every == known


@pytest.fixture
def faulty(stage: Stage, request: pytest.FixtureRequest) -> Iterator[tuple[Stage, str, str]]:
    """The month before delivered well, the month itself with the fault."""
    feed, fault = request.param
    stage.deliver(feed, BEFORE[feed])
    stage.fault(feed, PERIODS[feed], fault)
    yield stage, feed, PERIODS[feed]
    stage.fault(feed, PERIODS[feed], None)


def count(table: str) -> int:
    """Rows of a platform table."""
    with connect() as connection:
        row = connection.execute(f"select count(*) as n from {table}").fetchone()
        assert row is not None
        return row["n"]


@pytest.mark.parametrize(("faulty", "caught"), [(k, v) for k, v in CAUGHT.items()], indirect=["faulty"])
def test_the_fault_is_caught_by_the_rule_that_names_it(faulty: tuple[Stage, str, str], caught: str) -> None:
    stage, feed, period = faulty
    kind, _, what = caught.partition(": ")
    before = {t: count(t) for t in ("ops.delivery", "ops.reading")}
    if kind in ("land", "heals"):
        with pytest.raises(PantauError, match=what) as error:
            stage.pull(feed, period)
        assert isinstance(error.value, TransientError) == (kind == "heals")
        _names(str(error.value), feed, period)
        assert count("ops.delivery") == before["ops.delivery"]
        if what == "answered 503":
            assert stage.deliver(feed, period)  # the next request is served
        return
    if kind == "read":
        with pytest.raises(PantauError, match=what) as error:
            stage.deliver(feed, period)
        _names(str(error.value), feed, period, "delivery", "file", "row")
        assert count("ops.reading") == before["ops.reading"]
        return
    reading, outcome = stage.deliver(feed, period)
    with connect() as connection:
        sealed = connection.execute("select * from ops.reading where id = %s", [reading]).fetchone()
        assert sealed is not None
        assert sealed["rows"] == sealed["accepted"] + sealed["refused"] + sealed["set_aside"]
        if kind == "row":
            rows = connection.execute(
                "select * from ops.quarantine where reading_id = %s and rule = %s", [reading, what]
            ).fetchall()
            assert rows, f"{feed} has no row refused by {what}"
            assert all(r["raw"] and r["message"] and r["value"] is not None for r in rows)
            stood = connection.execute(
                f"select count(*) as n from raw.{feed} where reading_id = %s", [reading]
            ).fetchone()
            assert stood is not None
            assert stood["n"] == sealed["accepted"] > sealed["refused"]
        else:
            assert what in {f.rule for f in outcome.findings}, [f.rule for f in outcome.findings]


def _names(message: str, *words: str) -> None:
    for word in (*words, "next:"):
        assert word in message, message


@pytest.mark.parametrize("faulty", sorted(KEPT), indirect=True)
def test_text_that_is_no_fault_of_the_row_is_kept_as_text(faulty: tuple[Stage, str, str]) -> None:
    stage, feed, period = faulty
    reading, _ = stage.deliver(feed, period)
    with connect() as connection:
        rows = connection.execute(
            f"select uraian from raw.{feed} where reading_id = %s", [reading]
        ).fetchall()
    assert len(rows) == count("raw.kemenkeu__anggaran_tik") // 2


def test_the_same_bytes_again_are_a_duplicate(stage: Stage) -> None:
    first, _ = stage.deliver(DESA_3T, "2026-01")
    stage.fault(DESA_3T, "2026-01", "duplicate")
    assert stage.deliver(DESA_3T, "2026-01")[0] == first
    stage.fault(DESA_3T, "2026-01", None)
    with connect() as connection:
        kinds = connection.execute("select kind from ops.ledger order by no desc limit 1").fetchone()
    assert kinds == {"kind": "duplicate"}


def test_what_is_not_there_yet_is_no_error(stage: Stage) -> None:
    for feed in (DESA_4G, ANGGARAN, DESA_3T):
        assert stage.pull(feed, "2027-01") is None


def test_no_register_is_told_and_heals(database: str, simulator: object) -> None:
    from tests.integration.conftest import Simulator, bring_registers

    assert isinstance(simulator, Simulator)
    stage = Stage(simulator)
    stage.at("2026-08-20")
    with pytest.raises(PantauError, match="No register of regions is in force") as error:
        stage.deliver(DESA_3T, "2026-01")
    assert "inbox/kemendagri__wilayah" in str(error.value)
    bring_registers()
    assert stage.deliver(DESA_3T, "2026-01")


def test_a_message_never_shows_a_password(stage: Stage) -> None:
    stage.fault(ANGGARAN, "2026-07", "short_body")
    with pytest.raises(PantauError) as error:
        stage.pull(ANGGARAN, "2026-07")
    stage.fault(ANGGARAN, "2026-07", None)
    assert stage.simulator.at["sftp"]["password"] not in str(error.value)
    assert catalogue.feed(ANGGARAN).transport.connection
