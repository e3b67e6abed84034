"""Bad input: every fault that the simulator can serve is caught by the rule that names it, good rows stand,
and the message says what, where and what to do."""

import json
from collections.abc import Iterator

import pytest
from python_calamine import load_workbook

from pantau import catalogue, ledger
from pantau.demo import Simulator
from pantau.errors import PantauError, TransientError
from pantau.fetch import http
from pantau.landing import path_of
from simulator.faults import FAULTS
from tests.administrator import connect
from tests.conftest import own_database
from tests.integration.conftest import (
    ANGGARAN,
    BTS,
    CAKUPAN,
    DESA_3T,
    DESA_4G,
    KEWAJIBAN,
    Stage,
    bring_registers,
)

# fault → where it is caught: "land" (an error, nothing landed), "heals" (such an error, tried again by itself),
# "read" (an error, nothing read), "row:<rule>" (quarantine), or the id of the check
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
    (CAKUPAN, "broken_header"): "read: header is not the one agreed",
    (BTS, "broken_header"): "read: header is not the one agreed",
    (KEWAJIBAN, "broken_header"): "read: header is not the one agreed",
    (
        BTS,
        "unit_changed",
    ): "read: missing 'Koordinat / Lintang / derajat', 'Koordinat / Bujur / derajat'; unknown",
    (BTS, "sheet_missing"): "read: has no sheet 'BTS'",
    (CAKUPAN, "unknown_region"): "row: region_unknown",
    (BTS, "unknown_region"): "row: region_unknown",
    (KEWAJIBAN, "unknown_region"): "row: region_unknown",
    (CAKUPAN, "duplicate_key"): "row: key_repeated",
    (BTS, "duplicate_key"): "row: key_repeated",
    (KEWAJIBAN, "duplicate_key"): "row: key_repeated",
    (CAKUPAN, "formula_cell"): "row: region_name",
    (CAKUPAN, "script_cell"): "row: region_name",
    (BTS, "formula_cell"): "row: region_name",
    (BTS, "script_cell"): "row: region_name",
    (KEWAJIBAN, "formula_cell"): "row: region_name",
    (KEWAJIBAN, "script_cell"): "row: region_name",
    (CAKUPAN, "too_many_refused"): "check: every.too_many_refused",
    (BTS, "too_many_refused"): "check: every.too_many_refused",
    (KEWAJIBAN, "too_many_refused"): "check: every.too_many_refused",
    (CAKUPAN, "wrong_encoding"): "land: The page is no JSON",
    (KEWAJIBAN, "wrong_encoding"): "land: The page is no JSON",
    (CAKUPAN, "truncated"): "land: The page is no JSON",
    (KEWAJIBAN, "truncated"): "land: The page is no JSON",
    (BTS, "truncated"): "read: no spreadsheet that can be read: it is damaged",
    (CAKUPAN, "lost_claims"): "check: operator__cakupan.village_count",
    (BTS, "total_mismatch"): "check: every.total_mismatch",
    (CAKUPAN, "unchanged"): "check: every.unchanged",
    (BTS, "unchanged"): "check: every.unchanged",
    (KEWAJIBAN, "unchanged"): "check: every.unchanged",
    (CAKUPAN, "html_200"): "land: sent a web page instead of the file",
    (KEWAJIBAN, "html_200"): "land: sent a web page instead of the file",
    (CAKUPAN, "short_body"): "heals: before the file was whole",
    (KEWAJIBAN, "short_body"): "heals: before the file was whole",
    (BTS, "short_body"): "heals: The SFTP connection failed",
    (CAKUPAN, "server_error"): "heals: answered 503",
    (KEWAJIBAN, "server_error"): "heals: answered 503",
    (CAKUPAN, "page_error"): "heals: answered 500",
    (KEWAJIBAN, "page_error"): "heals: answered 500",
    (CAKUPAN, "wrong_total"): r"heals: items came where [\d,]+ are stated",
    (KEWAJIBAN, "wrong_total"): r"heals: items came where [\d,]+ are stated",
    (CAKUPAN, "too_many_requests"): "heals: is busy and asks for 1 s more, after 2 s",
    (KEWAJIBAN, "too_many_requests"): "heals: is busy and asks for 1 s more, after 2 s",
    (CAKUPAN, "hang"): "heals: before the file was whole",
    (KEWAJIBAN, "hang"): "heals: before the file was whole",
    (CAKUPAN, "token_refused"): "land: refuses the client id or secret",
    (BTS, "wrong_host_key"): "land: another host key",
    (ANGGARAN, "server_error"): "heals: The SFTP connection failed",
    (BTS, "server_error"): "heals: The SFTP connection failed",
}
# a name that is a formula or a script is no fault of an account's row: it is kept, as text, and inert
KEPT = {(ANGGARAN, "formula_cell"), (ANGGARAN, "script_cell"), (ANGGARAN, "wrong_encoding")}
# what the transport gets over by itself: the month is read as if nothing had been
OVERCOME = {(CAKUPAN, "restated_while_paging"), (CAKUPAN, "token_expires")}
# nothing for the checks to find: tested where they belong
ELSEWHERE = {"duplicate", "missing", "slow"}
PERIODS = {DESA_4G: "2026-07", ANGGARAN: "2026-07", DESA_3T: "2026-01", CAKUPAN: "2026-08", BTS: "2026-07",
           KEWAJIBAN: "2026-07"}  # fmt: skip
BEFORE = {DESA_4G: "2026-06", ANGGARAN: "2026-06", DESA_3T: "2025-01", CAKUPAN: "2026-07", BTS: "2026-06",
          KEWAJIBAN: "2026-06"}  # fmt: skip
PARTS = {CAKUPAN: "indosat"}
PLACES = {  # of an error while reading, beside feed, period and delivery
    (BTS, "sheet_missing"): ("file", "sheet"), (BTS, "truncated"): ("file", "sheet"),
}  # fmt: skip


def test_every_fault_is_accounted_for() -> None:
    every = {(feed, name) for name, fault in FAULTS.items() for feed in fault.feeds}
    assert every == set(CAUGHT) | KEPT | OVERCOME | {known for known in every if known[1] in ELSEWHERE}


@pytest.fixture(scope="module")
def month(postgres: str, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One product for all faults of this file, in which the month before of every feed was delivered well."""
    with own_database(postgres, tmp_path_factory.mktemp("month")):
        stage = Stage(simulator)
        stage.at("2026-09-20")
        bring_registers()
        for feed, period in BEFORE.items():
            stage.deliver(feed, period, PARTS.get(feed, ""))
        yield stage


@pytest.fixture
def faulty(month: Stage, request: pytest.FixtureRequest) -> Iterator[tuple[Stage, str, str]]:
    """The month itself with the fault."""
    feed, fault = request.param
    month.at("2026-09-20")
    month.fault(feed, PERIODS[feed], fault, PARTS.get(feed, ""))
    yield month, feed, fault
    month.fault(feed, PERIODS[feed], None, PARTS.get(feed, ""))


def count(table: str) -> int:
    """Rows of a platform table."""
    with connect() as connection:
        row = connection.execute(f"select count(*) as n from {table}").fetchone()
        assert row is not None
        return row["n"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is busy or silent is waited for two seconds."""
    monkeypatch.setattr(http, "PATIENCE", 2)
    monkeypatch.setattr(http, "_TIMEOUT", 2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("faulty", "caught"), [(k, v) for k, v in CAUGHT.items()], indirect=["faulty"])
def test_the_fault_is_caught_by_the_rule_that_names_it(faulty: tuple[Stage, str, str], caught: str) -> None:
    stage, feed, fault = faulty
    period, part = PERIODS[feed], PARTS.get(feed, "")
    kind, _, what = caught.partition(": ")
    before = {t: count(t) for t in ("ops.delivery", "ops.reading")}
    if kind in ("land", "heals"):
        with pytest.raises(PantauError, match=what) as error:
            stage.pull(feed, period, part)
        assert isinstance(error.value, TransientError) == (kind == "heals")
        _names(str(error.value), feed, period, part)
        assert count("ops.delivery") == before["ops.delivery"]
        if fault == "server_error":
            assert stage.deliver(feed, period, part)  # the next request is served
        return
    if kind == "read":
        with pytest.raises(PantauError, match=what) as error:
            stage.deliver(feed, period, part)
        places = PLACES.get((feed, fault), ("file", "row"))
        _names(str(error.value), feed, period, part, "delivery", *places)
        assert count("ops.reading") == before["ops.reading"]
        return
    reading, outcome = stage.deliver(feed, period, part)
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
    stage, feed, _ = faulty
    reading, outcome = stage.deliver(feed, PERIODS[feed])
    with connect() as connection:
        sealed = connection.execute("select * from ops.reading where id = %s", [reading]).fetchone()
    assert sealed is not None
    assert sealed["accepted"] + sealed["set_aside"] == sealed["rows"] > 30
    assert not outcome.blocked


@pytest.mark.parametrize("faulty", sorted(OVERCOME), indirect=True)
def test_what_a_transport_gets_over_leaves_no_trace(faulty: tuple[Stage, str, str]) -> None:
    stage, feed, _ = faulty
    period, part = PERIODS[feed], PARTS.get(feed, "")
    delivery = stage.pull(feed, period, part)
    with connect() as connection:
        found = connection.execute(
            "select f.name, f.sha256 from ops.delivery_file f where delivery_id = %s order by no", [delivery]
        ).fetchall()
    pages = [json.loads(path_of(file["sha256"]).read_bytes()) for file in found]
    assert [file["name"] for file in found] == [f"page-{n:04d}.json" for n in range(1, len(pages) + 1)]
    assert len(pages) > 2
    assert {page["jumlah"] for page in pages} == {sum(len(page["data"]) for page in pages)}
    assert [bool(page["berikut"]) for page in pages] == [*[True] * (len(pages) - 1), False]


def test_names_all_lead_to_their_village_or_to_quarantine(month: Stage) -> None:
    """Of the operator that knows villages by name alone: just the villages that it means, and no guess."""
    lines = (month.simulator._state / "truth.jsonl").read_text().splitlines()
    events = [e for e in map(json.loads, lines) if e.get("part") == "xlsmart" and e["period"] <= "2026-08"]
    claimed: set[str] = set()
    for event in sorted((e for e in events if e["kind"] == "claims"), key=lambda e: e["period"]):
        claimed = (claimed | set(event["begun"])) - set(event["ended"])
    wrong = {
        e["row"]: e["kode"]
        for e in events
        if e["kind"] == "mess" and e["period"] == "2026-08" and e["refused"]
    }
    reading, _ = month.deliver(CAKUPAN, "2026-08", "xlsmart")
    month.fault(CAKUPAN, "2026-08", "unknown_region", "xlsmart")
    spoilt, _ = month.deliver(CAKUPAN, "2026-08", "xlsmart")
    month.fault(CAKUPAN, "2026-08", None, "xlsmart")
    with connect() as connection:
        kept = connection.execute(
            "select wilayah_kode, kode_desa from raw.operator__cakupan where reading_id = %s", [reading]
        ).fetchall()
        refused = connection.execute(
            "select source_row from ops.quarantine where reading_id = %s", [reading]
        ).fetchall()
        unknown = connection.execute(
            'select rule, "column", message from ops.quarantine'
            " where reading_id = %s and value = 'Tidak Terdaftar'",
            [spoilt],
        ).fetchall()
    assert {row["source_row"] for row in refused} == set(wrong)
    assert {row["wilayah_kode"] for row in kept} == claimed - set(wrong.values())
    assert {row["kode_desa"] for row in kept} == {None}
    assert [(row["rule"], row["column"]) for row in unknown] == [("region_unknown", "nama_desa")]
    assert "is no desa or kelurahan of" in unknown[0]["message"]


def test_a_refused_row_of_a_sheet_is_found_at_its_number(month: Stage) -> None:
    month.at("2026-09-20")
    reading, _ = month.deliver(BTS, "2026-08")
    with connect() as connection:
        rows = connection.execute(
            "select x.sheet, f.sha256, q.value, x.first_file_row + q.source_row - x.first_source_row as file_row"
            " from ops.quarantine q join ops.reading r on r.id = q.reading_id"
            " join ops.reading_file x on x.reading_id = q.reading_id"
            " join ops.delivery_file f on f.delivery_id = r.delivery_id and f.no = x.file_no"
            " where q.reading_id = %s",
            [reading],
        ).fetchall()
        unsound = connection.execute(
            "select * from ops.control_total where reading_id = %s and delivered is distinct from computed",
            [reading],
        ).fetchall()
    assert rows
    assert not unsound
    for row in rows:
        sheet = load_workbook(path_of(row["sha256"])).get_sheet_by_name(row["sheet"])
        assert row["value"] in sheet.to_python(skip_empty_area=False)[row["file_row"] - 1]


def test_the_same_bytes_again_are_a_duplicate(stage: Stage) -> None:
    first, _ = stage.deliver(DESA_3T, "2026-01")
    with connect() as connection:
        head = ledger.head(connection)
    stage.fault(DESA_3T, "2026-01", "duplicate")
    assert stage.deliver(DESA_3T, "2026-01")[0] == first
    stage.fault(DESA_3T, "2026-01", None)
    with connect() as connection:
        assert ledger.head(connection) == head
        asked = connection.execute("select times from ops.poll where feed = %s", [DESA_3T]).fetchall()
    assert asked == [{"times": 1}]


def test_what_is_not_there_yet_is_no_error(stage: Stage) -> None:
    for feed in (DESA_4G, ANGGARAN, BTS, KEWAJIBAN):
        assert stage.pull(feed, "2026-08") is None
    assert stage.pull(CAKUPAN, "2026-08", "telkomsel") is None


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
