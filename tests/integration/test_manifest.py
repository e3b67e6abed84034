"""The manifest and what is due: which reading stands for what, as known when, and when a month may close."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from pantau import catalogue, landing, ledger, warehouse
from pantau.close import plan, waiting
from pantau.errors import PantauError
from pantau.report import preview
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, WILAYAH, begin_with
from tests.integration.standin import at, deliver, end_build

BTS, KEWAJIBAN, CAKUPAN = "bakti__bts", "komdigi__kewajiban", "operator__cakupan"

pytestmark = pytest.mark.usefixtures("database")


def head() -> int:
    """The ledger's newest entry."""
    with connect() as connection:
        return ledger.head(connection)


def manifest(first: str, last: str = "", cutoff: int = 0) -> dict[tuple[str, str], tuple[int, str, str]]:
    """(feed, period) → reading, source period, how."""
    with connect() as connection:
        inputs, _ = warehouse.manifest(
            connection, first, last or first, cutoff=cutoff or ledger.head(connection)
        )
    return {(i.feed, i.period): (i.reading_id, i.source_period, i.how) for i in inputs}


def missing(period: str) -> dict[str, bool]:
    """feed → whether the close may go on without it."""
    with connect() as connection:
        return {
            m.feed: m.ready
            for m in warehouse.manifest(connection, period, period, cutoff=ledger.head(connection))[1]
        }


def test_each_kind_of_feed_stands_as_its_description_says() -> None:
    at("2026-04-20")
    old, new = deliver(WILAYAH, "2022-11")[1], deliver(WILAYAH, "2026-03")[1]
    months = {p: deliver(ANGGARAN, p)[1] for p in ("2025-12", "2026-01", "2026-02", "2026-03")}
    january, march = deliver(DESA_4G, "2026-01")[1], deliver(DESA_4G, "2026-03")[1]
    assert manifest("2026-02", "2026-03") == {
        # every vintage for its own month, and the newest up to it for each month of the build
        (WILAYAH, "2022-11"): (old, "2022-11", "own"),
        (WILAYAH, "2026-02"): (old, "2022-11", "effective"),
        (WILAYAH, "2026-03"): (new, "2026-03", "own"),
        # every month of the year, from January
        **{(ANGGARAN, p): (months[p], p, "own") for p in ("2026-01", "2026-02", "2026-03")},
        # its own month alone
        (DESA_4G, "2026-03"): (march, "2026-03", "own"),
    }
    assert january not in {reading for reading, _, _ in manifest("2026-02", "2026-03").values()}


def test_the_newest_delivery_not_rejected_stands_as_known_at_the_cut_off() -> None:
    at("2026-04-20")
    first, cut = deliver(DESA_4G, "2026-03")[1], head()
    bad, second = deliver(DESA_4G, "2026-03")
    assert manifest("2026-03")[DESA_4G, "2026-03"][0] == second
    assert manifest("2026-03", cutoff=cut)[DESA_4G, "2026-03"][0] == first
    before = head()
    landing.decide(bad, "rejection", "tester", "wrong")
    assert manifest("2026-03")[DESA_4G, "2026-03"][0] == first
    assert manifest("2026-03", cutoff=before)[DESA_4G, "2026-03"][0] == second
    landing.decide(bad, "reinstatement", "tester", "right after all")
    assert manifest("2026-03")[DESA_4G, "2026-03"][0] == second


def test_a_newer_delivery_that_cannot_be_read_does_not_let_the_older_one_stand() -> None:
    at("2026-04-20")
    deliver(DESA_4G, "2026-03")
    deliver(DESA_4G, "2026-03", read=False)
    deliver(WILAYAH, "2025-01")
    deliver(WILAYAH, "2026-02", read=False)
    assert (DESA_4G, "2026-03") not in manifest("2026-03")
    assert (WILAYAH, "2026-03") not in manifest("2026-03")
    assert missing("2026-03")[DESA_4G] is False
    with pytest.raises(PantauError, match="cannot be read") as caught:
        warehouse.open_build("2026-03", "2026-03", "close")
    assert "--without" in str(caught.value)


def test_a_feed_that_may_be_omitted_is_waited_for_until_its_grace_ends() -> None:
    at("2026-04-15")  # due on the 5th, ten days of grace: the 15th is the last of them
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01"), deliver(DESA_4G, "2026-03")
    assert missing("2026-03")[ANGGARAN] is False
    at("2026-04-16")
    deliver(DESA_3T, "2026-01")
    irregular = {"kemendagri__penduduk": True, "kemenkes__puskesmas": True}  # nothing is due of them
    assert missing("2026-03") == {ANGGARAN: True, BTS: True, KEWAJIBAN: True, **irregular}


def test_nothing_is_expected_of_a_feed_before_it_starts() -> None:
    at("2026-10-20")
    deliver(WILAYAH, "2025-01"), deliver(CAKUPAN, "2026-05", part="indosat")
    assert catalogue.feed(CAKUPAN).starts == "2026-07"
    assert CAKUPAN not in missing("2026-06")
    assert missing("2026-07")[CAKUPAN] is True
    assert {feed for feed, _ in manifest("2026-05")} == {WILAYAH}  # not even where something has come


def test_nothing_closes_by_itself_before_a_person_has_named_the_first_month(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at("2025-04-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01")
    for period in ("2025-01", "2025-02", "2025-03"):
        deliver(DESA_4G, period), deliver(ANGGARAN, period)
    with caplog.at_level("INFO", "pantau.step"):
        assert plan() is None
    assert "close the opening history first (`pantau close 2025-01..2026-07 --opening`)" in caplog.text
    assert waiting() == []
    named = plan("2025-02")
    assert named is not None
    build = warehouse.open_build(**named)
    assert plan() == named  # cut off: the same again
    with connect() as connection:
        end_build(connection, build)
    due = plan()
    assert due is not None
    assert due["first"] == "2025-03"
    with connect() as connection:
        end_build(connection, warehouse.open_build(**due))
    assert plan() is None  # and never January


def test_only_a_month_that_is_over_and_for_which_a_feed_has_something_can_be_named() -> None:
    at("2026-10-20")
    with pytest.raises(
        PantauError, match=r"No feed has anything for 2016-10: the first month of any is 2025-01\."
    ):
        plan("2016-10")
    with pytest.raises(PantauError, match="No feed has anything for 2024-12"):
        plan("2024-12", "2026-07")
    with pytest.raises(PantauError, match="2026-10 has not ended: it is 2026-10-20") as error:
        plan("2026-10")
    assert "from 2026-11-01 on" in str(error.value)
    with pytest.raises(PantauError, match="2026-11 has not ended"):
        plan("2025-01", "2026-11")
    with pytest.raises(PantauError, match="ends before it begins"):
        plan("2026-02", "2026-01")
    for text in ("0000-01", "9999-12"):
        with pytest.raises(PantauError, match="is not a month"):
            plan(text)


def test_a_month_that_has_not_begun_is_not_pulled() -> None:
    at("2026-10-20")
    with pytest.raises(PantauError, match="2026-11 has not begun: it is 2026-10-20"):
        landing.pull(WILAYAH, "2026-11")
    assert landing.pull(WILAYAH, "2026-10") is None  # nothing lies in the inbox


def test_a_look_at_a_month_without_a_release_says_what_is_missing_and_what_to_run() -> None:
    at("2025-03-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01"), deliver(DESA_4G, "2025-01")

    def told() -> str:
        with pytest.raises(PantauError) as error:
            preview.newest("2025-01")
        return str(error.value)

    assert "it was never closed" in told()
    assert "`pantau close 2025-01`" in told()
    build = warehouse.open_build("2025-01", "2025-01", "close")
    assert "its last close was cut off" in told()
    with connect() as connection:
        end_build(connection, build, "blocked")
    assert "the gate refused" in told()
    assert "`pantau findings 2025-01`" in told()


def test_a_rebuild_of_nothing_says_so() -> None:
    at("2025-03-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01")
    before = head()
    deliver(DESA_4G, "2025-01")
    for period, cutoff in (("2025-02", None), ("2025-01", before)):
        with (
            pytest.raises(PantauError, match=f"nothing for {period} yet"),
            warehouse.rebuilding(period, cutoff=cutoff, without=[]),
        ):
            pass
    with warehouse.rebuilding("2025-01", cutoff=None, without=[]) as build:
        assert build


def test_a_rebuild_as_of_a_time_before_everything_says_so() -> None:
    from pantau.cli import months

    with pytest.raises(PantauError, match="Nothing was known yet at 2019-01-01"):
        months._as_of("2019-01-01", [], "2025-01")


def test_a_rebuild_by_other_code_is_told_as_that_and_not_as_tampered() -> None:
    from pantau.cli import months

    release = {"release_hash": "abc", "code_version": "0123456789ab"}
    other = months._other_hash("2025-01", "v1", release)
    assert "made by other code: 0123456789ab" in other.what
    assert "tampering" not in other.next_step
    same = months._other_hash("2025-01", "v1", release | {"code_version": warehouse.code_version()})
    assert "by the same code" in same.what
    assert "tampering" in same.next_step


def test_rebuilds_go_and_take_what_killed_ones_have_left_but_not_one_that_runs() -> None:
    at("2025-03-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01"), deliver(DESA_4G, "2025-01")

    def builds() -> list[int]:
        with connect() as connection:
            rows = connection.execute(
                "select id from ops.build where purpose = 'rebuild' order by id"
            ).fetchall()
            return [row["id"] for row in rows]

    warehouse.open_build("2025-01", "2025-01", "rebuild")  # its process was killed
    with warehouse.rebuilding("2025-01", cutoff=None, without=[]) as first:
        assert builds() == [first]
        with warehouse.rebuilding("2025-01", cutoff=None, without=[]) as second:
            assert builds() == [first, second]
        assert builds() == [first]
    assert builds() == []


def test_one_dbt_at_a_time_runs_on_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    class Slow:
        """Stands for dbt."""

        def invoke(self, _: list[str]) -> SimpleNamespace:
            nonlocal running, most
            running += 1
            most = max(most, running)
            time.sleep(0.3)
            running -= 1
            return SimpleNamespace(success=True, result=None, exception=None)

    monkeypatch.setattr("dbt.cli.main.dbtRunner", Slow)
    with ThreadPoolExecutor(3) as pool:
        assert [each.result() for each in [pool.submit(warehouse.dbt, "build") for _ in range(3)]] == [[]] * 3
    assert most == 1


def test_two_may_write_the_sources_of_dbt_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "dbt_project", tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(warehouse.write_sources) for _ in range(40)]:
            each.result()
    assert [path.name for path in (tmp_path / "models" / "staging").iterdir()] == ["_sources.yml"]


def test_a_month_is_due_once_and_again_when_its_own_inputs_change() -> None:
    begin_with("2025-01")
    at("2025-02-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01")
    assert plan() is None
    deliver(DESA_4G, "2025-01"), deliver(ANGGARAN, "2025-01")
    due = plan()
    assert due is not None
    assert (due["first"], due["last"], due["purpose"]) == ("2025-01", "2025-01", "close")
    build = warehouse.open_build(**due)
    assert plan() == due  # cut off: the same again
    assert warehouse.open_build(**due) == build
    with connect() as connection:
        end_build(connection, build)
    assert plan() is None
    deliver(DESA_3T, "2025-02")  # in force from February: January does not care
    assert plan() is None
    deliver(DESA_4G, "2025-01")
    assert plan() == due
    assert warehouse.open_build(**due) != build


def test_the_running_month_is_never_due() -> None:
    begin_with("2025-01")
    at("2025-01-31")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01")
    for feed in (DESA_4G, ANGGARAN, BTS, KEWAJIBAN):
        deliver(feed, "2025-01")
    assert plan() is None
    at("2025-02-01")
    deliver(DESA_3T, "2025-01")
    assert plan() is not None


def test_leaving_a_feed_out_is_a_decision_with_a_name_and_a_reason() -> None:
    at("2025-02-20")
    deliver(WILAYAH, "2025-01")
    with pytest.raises(PantauError, match="decision"):
        plan("2025-01", without=[DESA_4G])
    with pytest.raises(PantauError, match="no feed 'x'"):
        plan("2025-01", without=["x"], by="a", why="b")
    planned = plan("2025-01", without=[DESA_4G, DESA_3T], by="a", why="b")
    assert planned is not None
    build = warehouse.open_build(**planned)
    with connect() as connection:
        row = connection.execute("select without from ops.build where id = %s", [build]).fetchone()
    assert row == {"without": [DESA_3T, DESA_4G]}


def test_one_simulated_delivery_among_real_ones_marks_the_build() -> None:
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01"), deliver(DESA_4G, "2025-01")
    at("2025-03-20")  # what comes under a set clock is simulated
    deliver(DESA_4G, "2025-02")
    marks = {}
    for period in ("2025-01", "2025-02"):
        build = warehouse.open_build(period, period, "close")
        with connect() as connection:
            row = connection.execute("select simulated from ops.build where id = %s", [build]).fetchone()
            assert row is not None
            marks[period] = row["simulated"]
    assert marks == {"2025-01": False, "2025-02": True}


def test_a_feed_that_carries_forward_lends_its_last_month_of_the_year(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feeds = dict(catalogue.load())
    feeds[ANGGARAN] = feeds[ANGGARAN].model_copy(update={"without": "carry_forward"})
    monkeypatch.setattr(catalogue, "load", lambda: feeds)
    at("2026-04-20")
    december, january = deliver(ANGGARAN, "2025-12")[1], deliver(ANGGARAN, "2026-01")[1]
    found = manifest("2026-03")
    assert found[ANGGARAN, "2026-03"] == (january, "2026-01", "carried")
    assert found[ANGGARAN, "2026-02"] == (january, "2026-01", "carried")
    assert december not in {reading for reading, _, _ in found.values()}
    assert missing("2026-03")[ANGGARAN] is True
    assert (ANGGARAN, "2027-01") not in manifest("2027-01")  # last year's amounts say nothing about this one


def test_a_feed_left_out_by_decision_stays_out_until_it_sends_something_new() -> None:
    at("2025-02-20")
    deliver(WILAYAH, "2025-01"), deliver(DESA_3T, "2025-01"), deliver(DESA_4G, "2025-01")
    deliver(ANGGARAN, "2025-01")
    planned = plan("2025-01", without=[ANGGARAN], by="a", why="its amounts are doubted")
    assert planned is not None
    build = warehouse.open_build(**planned)
    with connect() as connection:
        assert ANGGARAN not in {i.feed for i in warehouse.inputs_of(connection, build)}
        end_build(connection, build)
    assert plan() is None
    deliver(ANGGARAN, "2025-01")
    due = plan()
    assert due is not None
    assert due["without"] == []
