"""What the demo must come to, worked out apart: every indicator by counting the simulator's events and the
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
Figure = tuple[Decimal, Decimal, Any]  # numerator, denominator, value; a ratio over zero has none
Figures = dict[tuple[str, str, str], Figure]  # (indicator, place, breakdown) → figure

DESA_4G, DESA_3T, ANGGARAN = "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik"
WILAYAH = "kemendagri__wilayah"
BTS, KEWAJIBAN, CAKUPAN = "bakti__bts", "komdigi__kewajiban", "operator__cakupan"
PARTS = ("telkomsel", "indosat", "xlsmart")
OPERATORS = {
    "Telkomsel": "telkomsel", "XL Axiata": "xl", "Indosat": "indosat", "Tri": "tri", "Smartfren": "smartfren",
    "STI": "sti",
}  # fmt: skip
VERDICTS = {
    (True, True): "sepakat_ya", (True, False): "operator_saja", (False, True): "komdigi_saja",
    (False, False): "sepakat_tidak",
}  # fmt: skip
VILLAGE = 13  # characters of a village's code, `11.01.01.2001`


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Rounded half away from zero (no figure is below zero)."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


class Truth:
    """The events of `truth.jsonl`, and the villages of the register that the programme runs on."""

    def __init__(self, events: Path, register: Path) -> None:
        self.events: dict[str, list[Event]] = defaultdict(list)
        self._figures: dict[tuple[str, str], Figures] = {}
        self._arrivals: dict[str, dict[tuple[str, str, str], list[str]]] = {}
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

    def of(self, kind: str, period: str, letter: str, feed: str = DESA_4G, part: str = "") -> list[Event]:
        """The events of one kind that speak of one delivery."""
        wanted = (feed, part, period, letter)
        return [e for e in self.events[kind] if (e["feed"], e["part"], e["period"], e["delivery"]) == wanted]

    def arrivals(self, until: str) -> dict[tuple[str, str, str], list[str]]:
        """(feed, part, period) → the letters of what had arrived by then; the same again is left out."""
        if until not in self._arrivals:
            came: dict[tuple[str, str, str], list[str]] = defaultdict(list)
            for event in self.events["delivery"]:
                if datetime.fromisoformat(event["at"]) <= datetime.fromisoformat(until):
                    came[event["feed"], event["part"], event["period"]].append(event["delivery"])
            self._arrivals[until] = {key: [one for one, _ in groupby(all_)] for key, all_ in came.items()}
        return self._arrivals[until]

    def in_force(self, period: str, until: str) -> str:
        """The letter of the 4G delivery that stood for a month at a moment."""
        return self.arrivals(until)[DESA_4G, "", period][-1]

    def carried(self, feed: str, part: str, period: str, until: str) -> tuple[str, str] | None:
        """Month and letter of what stood for a month at a moment, of a feed that is carried forward."""
        came = self.arrivals(until)
        month = max((p for f, n, p in came if (f, n) == (feed, part) and p <= period), default=None)
        return (month, came[feed, part, month][-1]) if month else None

    def refused(self, period: str, letter: str, feed: str = DESA_4G, part: str = "") -> list[Event]:
        """The rows of a delivery that a contract must refuse, in the order of the file. Of a village that stands
        there twice in equal rows the first is kept (in the 4G status it is uncovered in both)."""
        rows, seen = [], set()
        for event in sorted(self.of("mess", period, letter, feed, part), key=lambda e: e["row"]):
            kept = event["problem"] == "duplicate_key" and event["kode"] not in seen
            seen.add(event["kode"])
            if event["refused"] and not kept:
                rows.append(event)
        return rows

    def lost(self, feed: str, part: str, period: str, letter: str) -> set[str]:
        """The villages of a delivery that have no row left, for it is refused."""
        return {
            e["kode"] for e in self.refused(period, letter, feed, part) if e["problem"] != "duplicate_key"
        }

    def covered(self, period: str, letter: str) -> dict[str, bool]:
        """Whether each village is covered at a month's end, as that delivery says where it is readable."""
        status = {v["kode"]: v["baseline_covered"] for v in self.events["village"]}
        status |= {e["kode"]: e["covered"] for e in self.events["coverage"] if e["period"] <= period}
        status |= {e["kode"]: e["covered"] for e in self.of("restated", period, letter)}
        return status | {e["kode"]: False for e in self.of("mess", period, letter) if e["refused"]}

    def figures(self, period: str, until: str) -> Figures:
        """Every figure of a month, as what had arrived by a moment makes it."""
        if (period, until) not in self._figures:
            covered = self.covered(period, self.in_force(period, until))
            self._figures[period, until] = (
                self._coverage(period, covered)
                | self._absorption(period)
                | self._sites(period, until)
                | self._obligations(period, until)
                | self._claims(period, until, covered)
            )
        return self._figures[period, until]

    def claimed(self, part: str, period: str, letter: str) -> set[str]:
        """The villages that an operator claims in a delivery, as far as it is readable."""
        villages: set[str] = set()
        for event in self.events["claims"]:
            if event["part"] == part and event["period"] <= period:
                villages = villages - set(event["ended"]) | set(event["begun"])
        for event in self.events["claims_restated"]:
            if (event["part"], event["period"], event["delivery"]) == (part, period, letter):
                villages = villages - set(event["withdrawn"]) | set(event["added"])
        return villages - self.lost(CAKUPAN, part, period, letter)

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

    def _sites(self, period: str, until: str) -> Figures:
        standing = self.carried(BTS, "", period, until)
        if standing is None:
            return {}
        month, letter = standing
        gone = self.lost(BTS, "", month, letter)
        status = {e["site"]: e["status"] for e in self.events["site_status"] if e["period"] <= month}
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for site in self.events["site"]:
            kode = site["kode"]
            if kode in gone:
                continue
            for place, breakdown in _groups(kode, kode in self.in_3t[period[:4]]):
                if place != kode[:5]:
                    sums[place, breakdown][0] += status[site["site"]] in ("on_air", "bast")
                    sums[place, breakdown][1] += 1
        return {("K3", *key): (Decimal(on), Decimal(all_), Decimal(on)) for key, (on, all_) in sums.items()}

    def _obligations(self, period: str, until: str) -> Figures:
        letters = self.arrivals(until).get((KEWAJIBAN, "", period))
        if not letters:
            return {}
        gone = self.lost(KEWAJIBAN, "", period, letters[-1])
        sums = {breakdown: [0, 0] for breakdown in ("", *OPERATORS.values())}
        for event in self.events["obligation"]:
            # days end with their month: what is due or built in it is so by its last day
            if event["kode"] not in gone and event["due"][:7] <= period:
                built = event["built"] is not None and max(event["built"][:7], event["proved"]) <= period
                for breakdown in ("", OPERATORS[event["operator"]]):
                    sums[breakdown][0] += built
                    sums[breakdown][1] += 1
        return {
            ("K15", "00", b): (
                Decimal(built), Decimal(due), rounded(Decimal(100 * built) / due, 1) if due else None
            )
            for b, (built, due) in sums.items()
        }  # fmt: skip

    def _claims(self, period: str, until: str, covered: dict[str, bool]) -> Figures:
        standing = {part: self.carried(CAKUPAN, part, period, until) for part in PARTS}
        if not any(standing.values()):
            return {}
        said = set().union(*(self.claimed(part, *stands) for part, stands in standing.items() if stands))
        villages: Counter[str] = Counter()
        judged: Counter[tuple[str, str]] = Counter()
        for kode in self.villages:
            for place in ("00", kode[:2], kode[:5]):
                villages[place] += 1
                judged[place, VERDICTS[kode in said, covered[kode]]] += 1
        return {
            ("R1", place, verdict): (
                Decimal(judged[place, verdict]),
                Decimal(count),
                Decimal(judged[place, verdict]),
            )
            for place, count in villages.items()
            for verdict in VERDICTS.values()
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
