"""A figure again, from nothing but its trace and the bytes that the trace names. Imports nothing of the product.

As a script: `pantau trace K2.00@2026-10 | python -m tests.integration.recompute`
"""

import csv
import gzip
import io
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from tests.integration.truth import ANGGARAN, BTS, DESA_4G, KEWAJIBAN, VILLAGE, WILAYAH, rounded

Told = dict[str, list[str]]


def told_feeds(way: str) -> dict[str, Told]:
    """What a trace tells of each feed (and part): its lines by their first words, of every file."""
    found: dict[str, Told] = {}
    for block in way.strip().split("\n\n")[1:]:
        told = found.setdefault(block.split("  (")[0], {})
        for word, what in re.findall(r"^  (\S+(?: \S+)*) {2,}(.+)$", block, re.MULTILINE):
            told.setdefault(word, []).append(what)
    return found


def stated(way: str) -> tuple[Decimal, Decimal, Decimal]:
    """Numerator, denominator and value as a trace states them."""
    numerator, denominator = (_number(way, rf"{word} +(\S+)") for word in ("numerator", "denominator"))
    if _match(r"=  (\S)", way)[1] in "<>":  # a share that is not all, or not nothing, though it rounds to it
        return numerator, denominator, rounded(100 * numerator / denominator, 1)
    return numerator, denominator, _number(way, r"=  (\S+)")


def _number(way: str, pattern: str) -> Decimal:
    return Decimal(_match(pattern, way)[1].replace(",", ""))


def _match(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    assert match, f"no {pattern} in {text}"
    return match


def kept(folder: Path, told: Told) -> list[bytes]:
    """The bytes of the files that a trace names."""
    return [(folder / path).read_bytes() for path in told["kept at"]]


def recomputed(way: str, folder: Path) -> tuple[Decimal, Decimal, Decimal]:
    """The figure again; `folder` is the one that the trace's paths begin in."""
    name, place = _match(r"^([KR]\d+)\.([\d.]+)", way).groups()
    feeds = told_feeds(way)
    if name == "K12":
        rows = chosen(kept(folder, feeds[ANGGARAN])[0].decode("cp1252"), ";", feeds[ANGGARAN])
        done, budget = (sum((_amount(row[column]) for row in rows), Decimal(0)) for column in (5, 4))
        return done, budget, rounded(100 * done / budget, 1)
    if name == "K15":
        items = _items(folder, feeds[KEWAJIBAN])
        built = Decimal(sum("-" not in (item["tanggal_bangun"], item["bukti"]) for item in items))
        return built, Decimal(len(items)), rounded(100 * built / len(items), 1)
    if name == "K3":
        sites = _sites(folder, feeds[BTS])
        on_air = Decimal(sum(row[9] in ("On Air", "BAST") for row in sites))
        return on_air, Decimal(len(sites)), on_air
    register = gzip.decompress(kept(folder, feeds[WILAYAH])[0]).decode()
    codes = [row[0] for row in csv.reader(io.StringIO(register)) if len(row[0]) == VILLAGE]
    every = Decimal(sum(place == "00" or code.startswith(place + ".") for code in codes))
    rows = chosen(kept(folder, feeds[DESA_4G])[0].decode(), ",", feeds[DESA_4G])
    lit = Decimal(sum(row[2] == "Ya" for row in rows))
    if name == "R1":  # of the verdicts in which the ministry says yes
        return lit, every, lit
    return (lit, every, rounded(100 * lit / every, 1)) if name == "K1" else (every - lit, every, every - lit)


def chosen(text: str, delimiter: str, told: Told) -> list[list[str]]:
    """The rows of a file that a trace says stand behind the figure; the header is row 1."""
    wanted = _numbers(told["rows of it"][0])
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [row for number, row in enumerate(lines, 1) if number in wanted]
    assert len(rows) == len(wanted)
    return rows


def _numbers(line: str) -> set[int]:
    """The numbers of the rows that a trace names."""
    count, ranges = _match(r"^([\d,]+) rows stand behind this figure: (.*)$", line).groups()
    assert "--all-rows" not in ranges
    spans = [[int(n) for n in span.replace(",", "").split("..")] for span in ranges.split(", ") if span]
    wanted = {n for span in spans for n in range(span[0], span[-1] + 1)}
    assert len(wanted) == int(count.replace(",", ""))
    return wanted


def _items(folder: Path, told: Told) -> list[dict[str, str]]:
    """The items of all pages that a trace names."""
    items = []
    for content, line in zip(kept(folder, told), told["rows of it"], strict=True):
        page, wanted = json.loads(content)["result"]["records"], _numbers(line)
        items += [item for number, item in enumerate(page, 1) if number in wanted]
    return items


def _sites(folder: Path, told: Told) -> list[list[Any]]:
    """The rows of the sheet that a trace names, as a spreadsheet counts them."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(kept(folder, told)[0]))
    rows, wanted = (
        book.get_sheet_by_name("BTS").to_python(skip_empty_area=False),
        _numbers(told["rows of it"][0]),
    )
    return [[*row] for number, row in enumerate(rows, 1) if number in wanted]


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


if __name__ == "__main__":
    print(*recomputed(sys.stdin.read(), Path()))
