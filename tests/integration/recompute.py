"""A figure again, from nothing but its trace and the bytes that the trace names. Imports nothing of the product.

As a script: `pantau trace K2.00@2026-10 | python -m tests.integration.recompute`
"""

import csv
import gzip
import io
import re
import sys
from decimal import Decimal
from pathlib import Path

from tests.integration.truth import ANGGARAN, DESA_4G, VILLAGE, WILAYAH, rounded


def told_feeds(way: str) -> dict[str, dict[str, str]]:
    """What a trace tells of each feed: its lines by their first words."""
    blocks = way.strip().split("\n\n")[1:]
    return {b.split()[0]: dict(re.findall(r"^  (\S+(?: \S+)*) {2,}(.+)$", b, re.MULTILINE)) for b in blocks}


def stated(way: str) -> tuple[Decimal, Decimal, Decimal]:
    """Numerator, denominator and value as a trace states them."""
    numerator, denominator = (_number(way, rf"{word} +(\S+)") for word in ("numerator", "denominator"))
    return numerator, denominator, _number(way, r"=  (\S+)")


def _number(way: str, pattern: str) -> Decimal:
    return Decimal(_match(pattern, way)[1].replace(",", ""))


def _match(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    assert match, f"no {pattern} in {text}"
    return match


def kept(folder: Path, told: dict[str, str]) -> bytes:
    """The bytes of a file that a trace names."""
    return (folder / told["kept at"]).read_bytes()


def recomputed(way: str, folder: Path) -> tuple[Decimal, Decimal, Decimal]:
    """The figure again; `folder` is the one that the trace's paths begin in."""
    name, place = _match(r"^(K\d+)\.([\d.]+)", way).groups()
    feeds = told_feeds(way)
    if name == "K12":
        rows = chosen(kept(folder, feeds[ANGGARAN]).decode("cp1252"), ";", feeds[ANGGARAN])
        done, budget = (sum((_amount(row[column]) for row in rows), Decimal(0)) for column in (5, 4))
        return done, budget, rounded(100 * done / budget, 1)
    register = gzip.decompress(kept(folder, feeds[WILAYAH])).decode()
    codes = [row[0] for row in csv.reader(io.StringIO(register)) if len(row[0]) == VILLAGE]
    every = Decimal(sum(place == "00" or code.startswith(place + ".") for code in codes))
    rows = chosen(kept(folder, feeds[DESA_4G]).decode(), ",", feeds[DESA_4G])
    lit = Decimal(sum(row[2] == "Ya" for row in rows))
    return (lit, every, rounded(100 * lit / every, 1)) if name == "K1" else (every - lit, every, every - lit)


def chosen(text: str, delimiter: str, told: dict[str, str]) -> list[list[str]]:
    """The rows of a file that a trace says stand behind the figure; the header is row 1."""
    count, ranges = _match(r"^([\d,]+) rows stand behind this figure: (.+)$", told["rows of it"]).groups()
    assert "--all-rows" not in ranges
    spans = [[int(n) for n in span.replace(",", "").split("..")] for span in ranges.split(", ")]
    wanted = {n for span in spans for n in range(span[0], span[-1] + 1)}
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [row for number, row in enumerate(lines, 1) if number in wanted]
    assert len(rows) == len(wanted) == int(count.replace(",", ""))
    return rows


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


if __name__ == "__main__":
    print(*recomputed(sys.stdin.read(), Path()))
