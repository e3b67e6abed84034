"""land and its promises: bytes unchanged, duplicates recorded, reversals new, rejections respected."""

from pathlib import Path

import pytest

from pantau import catalogue, landing
from pantau.database import connect
from pantau.fetch import Fetched, File, Order
from tests.integration.conftest import CAKUPAN, Stage

FEED = "kemendagri__wilayah"


def bring(
    tmp_path: Path,
    text: str,
    period: str = "2025-01",
    name: str = "a.csv",
    content: str = "",
    validator: str = "",
) -> tuple[int | None, bool]:
    """Land a file with this text."""
    path = tmp_path / name
    path.write_text(text)
    got = Fetched("test", [File(name, path)], content_hash=content, validator=validator)
    return landing.land(catalogue.feed(FEED), "", period, got)


def kinds() -> list[str]:
    """The ledger's kinds in order, without those of the set-up."""
    with connect() as connection:
        rows = connection.execute("select kind from ops.ledger where kind <> 'register' order by no")
        return [row["kind"] for row in rows]


@pytest.mark.usefixtures("database")
def test_bytes_are_kept_unchanged_under_their_hash(tmp_path: Path) -> None:
    bring(tmp_path, "kode,nama\r\n11,Aceh\r\n")
    with connect() as connection:
        file = connection.execute("select * from ops.delivery_file").fetchone()
    assert file is not None
    assert landing.path_of(file["sha256"]).read_bytes() == b"kode,nama\r\n11,Aceh\r\n"
    assert landing.path_of(file["sha256"]).stat().st_mode & 0o222 == 0


@pytest.mark.usefixtures("database")
def test_the_same_again_is_a_recorded_duplicate_even_under_another_name(tmp_path: Path) -> None:
    first = bring(tmp_path, "x")
    assert bring(tmp_path, "x", name="b.csv") == (first[0], True)
    assert kinds() == ["delivery", "duplicate"]


@pytest.mark.usefixtures("database")
def test_a_reversal_is_a_new_delivery(tmp_path: Path) -> None:
    a = bring(tmp_path, "a")[0]
    b = bring(tmp_path, "b")[0]
    again, duplicate = bring(tmp_path, "a")
    assert len({a, b, again}) == 3
    assert not duplicate


@pytest.mark.usefixtures("database")
def test_a_rejected_delivery_that_its_source_still_serves_does_not_come_back(tmp_path: Path) -> None:
    good = bring(tmp_path, "good")[0]
    bad = bring(tmp_path, "bad")[0]
    assert bad is not None
    landing.decide(bad, "rejection", "tester", "wrong month")
    assert bring(tmp_path, "bad") == (good, True)
    with connect() as connection:
        newest = landing.newest_delivery(connection, FEED, "", "2025-01")
        assert newest is not None
        assert newest["id"] == good
    landing.decide(bad, "reinstatement", "tester", "it was right")
    with connect() as connection:
        newest = landing.newest_delivery(connection, FEED, "", "2025-01")
        assert newest is not None
        assert newest["id"] == bad


@pytest.mark.usefixtures("database")
def test_the_ledger_refuses_change(tmp_path: Path) -> None:
    bring(tmp_path, "x")
    for statement in (
        "update ops.ledger set kind = 'x'",
        "delete from ops.ledger",
        "truncate ops.ledger cascade",
    ):
        with pytest.raises(Exception, match="append-only"), connect() as connection:
            connection.execute(statement)


@pytest.mark.usefixtures("database")
def test_content_is_what_the_transport_says_it_is(tmp_path: Path) -> None:
    first, _ = bring(tmp_path, '{"page": 1}', content="items")
    assert bring(tmp_path, '{"page": 2}', content="items") == (first, True)
    assert bring(tmp_path, '{"page": 2}', content="other")[0] != first
    with connect() as connection:
        hashes = connection.execute("select content_hash from ops.delivery order by id").fetchall()
    assert [row["content_hash"] for row in hashes] == ["items", "other"]


@pytest.mark.usefixtures("database")
def test_the_owner_is_asked_by_the_newest_delivery_that_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[Order] = []

    def fetch(order: Order) -> Fetched:
        orders.append(order)
        return Fetched("test", [], unchanged=True)

    monkeypatch.setattr(landing, "fetch", fetch)
    first, _ = bring(tmp_path, "a", validator='"a"')
    second, _ = bring(tmp_path, "b", validator='"b"')
    assert first is not None
    assert second is not None
    assert landing.pull(FEED, "2025-01") == second
    landing.decide(second, "rejection", "tester", "wrong month")
    assert landing.pull(FEED, "2025-01") == first
    landing.decide(first, "rejection", "tester", "wrong too")
    assert (
        landing.pull(FEED, "2025-01") is None
    )  # told "unchanged" though it was asked by nothing: no delivery
    assert [order.held.validator for order in orders] == ['"b"', '"a"', ""]
    assert kinds() == ["delivery", "delivery", "duplicate", "rejection", "duplicate", "rejection"]


def test_each_part_comes_is_read_and_heals_alone(stage: Stage) -> None:
    stage.at("2026-12-20")
    stage.deliver(CAKUPAN, "2026-07", "indosat")
    due = landing.due_periods(CAKUPAN)
    assert {d["part"] for d in due if d["period"] == "2026-11"} == {"telkomsel", "indosat", "xlsmart"}
    assert {d["part"] for d in due if d["period"] == "2026-07"} == {"telkomsel", "xlsmart"}
    again = stage.pull(CAKUPAN, "2026-07", "indosat")
    with connect() as connection:
        found = connection.execute(
            "select id, part, validator from ops.delivery where feed = %s", [CAKUPAN]
        ).fetchall()
        last = connection.execute("select what from ops.ledger order by no desc limit 1").fetchone()
    assert [(row["id"], row["part"]) for row in found] == [(again, "indosat")]
    assert found[0]["validator"]
    assert last is not None
    assert last["what"]["part"] == "indosat"
