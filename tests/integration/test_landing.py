"""land and its promises: bytes unchanged, duplicates recorded, reversals new, rejections respected."""

from pathlib import Path

import pytest

from pantau import catalogue, landing
from pantau.database import connect
from pantau.fetch import Fetched, File

FEED = "kemendagri__wilayah"


def bring(tmp_path: Path, text: str, period: str = "2025-01", name: str = "a.csv") -> tuple[int | None, bool]:
    """Land a file with this text."""
    path = tmp_path / name
    path.write_text(text)
    return landing.land(catalogue.feed(FEED), "", period, Fetched("test", [File(name, path)]))


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
