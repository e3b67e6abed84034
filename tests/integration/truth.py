"""What the demo must come to, worked out apart: K1, K2 and K12 by counting the simulator's events and the
register. Imports nothing of the product and nothing of the simulator; simulator/README.md describes the events.
"""

import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Figure = tuple[Decimal, Decimal, Decimal]  # numerator, denominator, value
Figures = dict[tuple[str, str, str], Figure]  # (indicator, place, breakdown) → figure

DESA_4G, DESA_3T, ANGGARAN = "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik"
WILAYAH = "kemendagri__wilayah"
VILLAGE = 13  # characters of a village's code, `11.01.01.2001`


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Rounded half away from zero (no figure is below zero)."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


class Truth:
    """The events of `truth.jsonl`, and the villages of the register that the programme runs on."""

    def __init__(self, events: Path, register: Path) -> None:
        self.events: dict[str, list[Event]] = defaultdict(list)
        self._figures: dict[tuple[str, str], Figures] = {}
        with open(events, encoding="utf-8") as file:
            for line in file:
                event = json.loads(line)
                self.events[event["kind"]].append(event)
        with gzip.open(register, "rt", encoding="utf-8", newline="") as file:
            self.villages = [r["kode"] for r in csv.DictReader(file) if len(r["kode"]) == VILLAGE]
        self.in_3t = {
            year: {v["kode"] for v in self.events["village"] if v[f"in_3t_{year}"]}
            for year in ("2025", "2026")
        }

    def of(self, kind: str, period: str, letter: str, feed: str = DESA_4G) -> list[Event]:
        """The events of one kind that speak of one delivery."""
        wanted = (feed, period, letter)
        return [e for e in self.events[kind] if (e["feed"], e["period"], e["delivery"]) == wanted]

    def arrivals(self, until: str) -> dict[tuple[str, str], list[str]]:
        """(feed, period) → the letters of what had arrived by then; the same again is left out."""
        came: dict[tuple[str, str], list[str]] = defaultdict(list)
        for event in self.events["delivery"]:
            if datetime.fromisoformat(event["at"]) <= datetime.fromisoformat(until):
                came[event["feed"], event["period"]].append(event["delivery"])
        return {key: [letter for letter, _ in groupby(letters)] for key, letters in came.items()}

    def in_force(self, period: str, until: str) -> str:
        """The letter of the 4G delivery that stood for a month at a moment."""
        return self.arrivals(until)[DESA_4G, period][-1]

    def refused(self, period: str, letter: str) -> list[Event]:
        """The rows of a delivery that a contract must refuse, in the order of the file. Of a village that stands
        there twice in equal rows the first is kept; it is uncovered in both."""
        rows, seen = [], set()
        for event in sorted(self.of("mess", period, letter), key=lambda e: e["row"]):
            kept = event["problem"] == "duplicate_key" and event["kode"] not in seen
            seen.add(event["kode"])
            if event["refused"] and not kept:
                rows.append(event)
        return rows

    def covered(self, period: str, letter: str) -> dict[str, bool]:
        """Whether each village is covered at a month's end, as that delivery says where it is readable."""
        status = {v["kode"]: v["baseline_covered"] for v in self.events["village"]}
        status |= {e["kode"]: e["covered"] for e in self.events["coverage"] if e["period"] <= period}
        status |= {e["kode"]: e["covered"] for e in self.of("restated", period, letter)}
        return status | {e["kode"]: False for e in self.of("mess", period, letter) if e["refused"]}

    def figures(self, period: str, letter: str) -> Figures:
        """Every figure of a month, as the delivery with that letter makes it."""
        if (period, letter) not in self._figures:
            coverage = self._coverage(period, self.covered(period, letter))
            self._figures[period, letter] = coverage | self._absorption(period)
        return self._figures[period, letter]

    def changed(self, period: str, letter: str) -> Counter[tuple[str, str]]:
        """(place, breakdown) → villages covered more, in this delivery than as first stated."""
        more: Counter[tuple[str, str]] = Counter()
        for event in self.of("restated", period, letter):
            for key in _groups(event["kode"], event["kode"] in self.in_3t[period[:4]]):
                more[key] += 1 if event["covered"] else -1
        return more

    def _coverage(self, period: str, covered: dict[str, bool]) -> Figures:
        listed = self.in_3t[period[:4]]
        every = Counter((kode[:5], kode in listed) for kode in self.villages)
        lit = Counter((kode[:5], kode in listed) for kode in self.villages if covered[kode])
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for (regency, in_3t), count in every.items():
            for key in _groups(regency, in_3t):
                sums[key][0] += lit[regency, in_3t]
                sums[key][1] += count
        found: Figures = {}
        for (place, breakdown), (some, count) in sums.items():
            yes, total = Decimal(some), Decimal(count)
            found["K1", place, breakdown] = (yes, total, rounded(100 * yes / total, 1))
            found["K2", place, breakdown] = (total - yes, total, total - yes)
        return found

    def _absorption(self, period: str) -> Figures:
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        for event in self.events["budget"]:
            if event["period"] == period:
                group = event["group"].replace("/", "")
                for breakdown in (event["version"], f"{event['version']}:{group}"):
                    sums[breakdown][0] += Decimal(event["realised"])
                    sums[breakdown][1] += Decimal(event["pagu"])
        return {
            ("K12", "00", b): (done, all_, rounded(100 * done / all_, 1)) for b, (done, all_) in sums.items()
        }


def _groups(kode: str, in_3t: bool) -> list[tuple[str, str]]:
    """(place, breakdown) of every figure in which a village or regency counts."""
    return [(place, b) for place in ("00", kode[:2], kode[:5]) for b in ("", "3T" if in_3t else "non-3T")]


def release_hash(figures: Iterable[dict[str, Any]]) -> str:
    """The hash of a release, made anew as its documentation says it."""
    columns = (
        "period",
        "indicator_id",
        "indicator_version",
        "place",
        "breakdown",
        "numerator",
        "denominator",
    )
    lines = ["|".join(_text(figure[c]) for c in (*columns, "value")) for figure in figures]
    return hashlib.sha256("\n".join(sorted(lines, key=str.encode)).encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return "" if value is None else str(value)
