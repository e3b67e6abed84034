"""The regencies that four laws of 2022 gave new codes, held against registers that know them by name."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data" / "regions"


def read(path: Path) -> dict[str, str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return {row["kode"]: row["nama"] for row in csv.DictReader(file)}


def lineage() -> list[dict[str, str]]:
    with open(ROOT / "dbt_project/seeds/wilayah_lineage.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(name: str) -> str:
    """A regency's name without its kind and without case; a city stays told apart."""
    name = re.sub(r"^KAB(UPATEN)?\b\.?", "", name.upper())
    return re.sub(r"[^A-Z]", "", name)


def test_pairs_laws_and_dates() -> None:
    rows = lineage()
    assert list(rows[0]) == ["old_code", "new_code", "level", "event", "law", "effective_date", "source_note"]
    assert Counter((r["old_code"][:2], r["new_code"][:2], r["law"], r["effective_date"]) for r in rows) == {
        ("91", "93", "UU 14 Tahun 2022", "2022-07-25"): 4,
        ("91", "94", "UU 15 Tahun 2022", "2022-07-25"): 8,
        ("91", "95", "UU 16 Tahun 2022", "2022-07-25"): 8,
        ("92", "96", "UU 29 Tahun 2022", "2022-12-08"): 6,
    }
    assert {(r["level"], r["event"]) for r in rows} == {("regency", "recode")}
    assert len({r["old_code"] for r in rows}) == len({r["new_code"] for r in rows}) == 26


def test_against_the_shipped_registers() -> None:
    before, now = read(ROOT / "register/wilayah_2022.csv.gz"), read(ROOT / "register/wilayah_2025.csv.gz")
    for row in lineage():
        assert row["old_code"] not in now
        assert row["new_code"] in now
        if row["new_code"].startswith("96"):  # the vintage before has the other three provinces already
            assert plain(before[row["old_code"]]) == plain(now[row["new_code"]])


@pytest.mark.shared_data
def test_against_the_register_of_2020() -> None:
    """Every regency of old Papua and Papua Barat is found by name in 2025; those with another code are the
    pairs, and most names of their villages went with them."""
    before, now = read(SHARED / "wilayah_2020.csv.gz"), read(ROOT / "register/wilayah_2025.csv.gz")
    by_name = {plain(name): code for code, name in now.items() if len(code) == 5 and code[:2] >= "91"}
    old = {code: plain(name) for code, name in before.items() if len(code) == 5 and code[:2] in ("91", "92")}
    moved = {(code, by_name[name]) for code, name in old.items() if by_name[name] != code}
    assert len(old) == 42
    assert moved == {(row["old_code"], row["new_code"]) for row in lineage()}

    def villages(register: dict[str, str], regency: str) -> set[str]:
        return {plain(n) for c, n in register.items() if c.startswith(f"{regency}.") and len(c) == 13}

    for was, is_now in moved:
        names = villages(before, was)
        assert len(names & villages(now, is_now)) / len(names) > 0.8
