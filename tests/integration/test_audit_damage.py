"""Audit pages of a database and a folder that somebody has altered: they are written, and they say so."""

import hashlib
import re
from html import unescape
from pathlib import Path

import psycopg
import pytest

from pantau import ledger
from pantau.audit import site, trace
from pantau.landing import path_of
from pantau.read import read
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.test_landing import bring

TEXT = "kode,nama\n11,Aceh\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()

pytestmark = pytest.mark.usefixtures("database")


def shown(page: str) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", (site.folder() / page).read_text())).split())


@pytest.fixture
def delivery(tmp_path: Path) -> int:
    """A delivery that was read, on pages that are written."""
    made, _ = bring(tmp_path, TEXT)
    read(made)
    bring(tmp_path, "kode,nama\n12,Sumatera Utara\n", period="2025-02")
    site.write()
    assert made is not None
    assert f"files/{DIGEST}/a.csv" in (site.folder() / f"deliveries/{made}.html").read_text()
    return made


@pytest.mark.parametrize("damage", ["altered", "cut", "missing"])
def test_bytes_that_are_not_those_are_told_and_not_passed_on(delivery: int, damage: str) -> None:
    path = path_of(DIGEST)
    path.chmod(0o644)
    path.write_text({"altered": TEXT.replace("11", "12"), "cut": TEXT[:9], "missing": ""}[damage])
    if damage == "missing":
        path.unlink()
    site.write()
    page = shown(f"deliveries/{delivery}.html")
    found = "TIDAK ADA lagi" if damage == "missing" else hashlib.sha256(path.read_bytes()).hexdigest()
    assert found in page
    assert "byte" in page
    # The pages have a copy of their own, which is what came.
    assert (site.folder() / "files" / DIGEST / "a.csv").read_text() == TEXT
    (site.folder() / "files" / DIGEST / "a.csv").unlink()
    site.write()  # without it there is none to lead to
    assert not (site.folder() / "files" / DIGEST / "a.csv").exists()
    assert f"files/{DIGEST}" not in (site.folder() / f"deliveries/{delivery}.html").read_text()
    assert "NOT THESE BYTES" in trace._damage(DIGEST)
    assert "Byte 1 berkas TIDAK COCOK" in shown("deliveries/index.html")

    assert trace._damage(hashlib.sha256(b"kode,nama\n12,Sumatera Utara\n").hexdigest()) == ""
    path.write_text(TEXT)  # healed, later than it came: so it is hashed
    site.write()
    assert (site.folder() / "files" / DIGEST / "a.csv").read_text() == TEXT
    assert "TIDAK COCOK" not in shown("deliveries/index.html") + shown(f"deliveries/{delivery}.html")


def test_a_ledger_with_a_missing_entry_says_which_and_leads_nobody_astray(delivery: int) -> None:
    with connect() as connection:
        entries = ledger.entries(connection)
        while entries[-1]["kind"] == "pages":  # of the very pages that stand
            entries.pop()
        gone = next(e["no"] for e in entries if e["kind"] == "reading")
        connection.execute("set session_replication_role = replica")
        connection.execute("delete from ops.ledger where no = %s", [gone])
        left = ledger.entries(connection)
    assert [e["no"] for e in left if not e["holds"]] == [gone + 1]
    site.write(everything=True)
    text = (site.folder() / "ledger/1.html").read_text()
    rows = dict(re.findall(r'<tr id="(\d+)".*?</th>(.*?)</tr>', text, re.S))
    assert list(rows) == [str(e["no"]) for e in entries]
    for entry in entries:
        assert (entry["hash"] in rows[str(entry["no"])]) == (entry["no"] != gone)
    assert "Entri ini TIDAK ADA" in rows[str(gone)]
    assert f"PUTUS pada entri {gone}" in shown("ledger/index.html")
    page = shown(f"deliveries/{delivery}.html")
    assert f"#{gone} waktu TIDAK ADA" in page  # of the reading; not the moment of the entry after it


def test_pages_whose_verification_breaks_off_are_not_put_in_place(
    delivery: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.read_bytes() for p in site.folder().rglob("*.html")}
    bring(settings.var.parent, "kode,nama\n13,Sumatera Barat\n", period="2025-03")

    def broken(*_: object, **__: object) -> None:
        raise psycopg.errors.DiskFull("no space left")

    monkeypatch.setattr(site.verify, "look", broken)  # it looks in a thread of its own
    with pytest.raises(psycopg.errors.DiskFull):
        site.write()
    assert {p: p.read_bytes() for p in site.folder().rglob("*.html")} == before
    assert not list(settings.out.glob(".audit*"))
