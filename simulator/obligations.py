"""What the operators are obliged to build: each village outside 3T areas that was without 4G has one obligor.

Due dates are invented (SIMULASI). A village counts as built on the day that it goes on air. Promise: it hangs on
seed and register alone, and a programme of some provinces is that part of the whole one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from simulator import mess
from simulator.programme import NEVER, PERIODS, Programme, pick, shares, stream

KEWAJIBAN = "komdigi__kewajiban"
# Operator -> villages, of 3,435; how often it is late; how often it never proves what it built.
OPERATORS = {
    "Telkomsel": (1_491, 0.14, 0.02),
    "XL Axiata": (861, 0.26, 0.05),
    "Indosat": (645, 0.22, 0.06),
    "Tri": (378, 0.34, 0.10),
    "Smartfren": (50, 0.45, 0.16),
    "STI": (10, 0.60, 0.25),
}
DUE = (
    date(2025, 6, 30),
    date(2025, 9, 30),
    date(2025, 12, 31),
    date(2026, 3, 31),
    date(2026, 6, 30),
    date(2026, 9, 30),
    date(2026, 12, 31),
)
HEADER = ["operator", "kode_desa", "nama_desa", "tenggat", "tanggal_bangun", "bukti"]
# Rows that are not as they should be, for the whole country.
MESS: dict[str, dict[str, int]] = {
    "2025-06": {"wrong_name": 1},
    "2025-11": {"duplicate_key": 1},
    "2026-03": {"unknown_region": 1},
    "2026-06": {"wrong_operator": 1},
    "2026-09": {"wrong_name": 2, "unknown_region": 1},
    "2026-10": {"wrong_name": 1, "wrong_operator": 1},
}


@dataclass(frozen=True)
class Obligation:
    """One village's obligation. `built` and `proved` (a month) may lie in the future; the month's list tells
    them from then on."""

    operator: str
    village: int
    due: date
    built: date | None
    proved: str
    document: str


class Obligations:
    """All obligations of one programme, by operator and village."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self.obligations = self._draw()
        self.mess: list[dict[str, Any]] = []
        self._edits: dict[str, dict[int, list[str]]] = {}
        self._again: dict[str, list[int]] = {}
        for period in MESS:
            self._make_mess(period)

    def _draw(self) -> list[Obligation]:
        country, seed = self._programme.country, self._programme.seed
        obliged = [i for i, since in enumerate(country.since) if since and i not in country.in_3t]
        rng = stream(seed, "obligations")
        order = sorted(obliged, key=lambda i: (rng.random(), i))
        counts = shares(
            len(order),
            {name: float(count) for name, (count, *_) in OPERATORS.items()},
            dict.fromkeys(OPERATORS, len(order)),
        )
        of = dict(zip(order, (name for name in OPERATORS for _ in range(counts[name])), strict=True))
        position = {i: n for n, i in enumerate(country.kept)}
        rng = stream(seed, "obligations/days")
        result = []
        for number, index in enumerate(obliged):
            slack, how, proven = rng.random(), rng.random(), rng.random()
            if index not in position:
                continue
            operator, village = of[index], position[index]
            built = None
            if country.since[index] != NEVER:
                built = date(*map(int, reversed(self._programme.on_air[village].split("/"))))
            _, late, never = OPERATORS[operator]
            due = DUE[_due(country.since[index], slack, how, late)]
            document = f"BA-{number + 1:04d}/{operator.split()[0].upper()}"
            proved = "9999-12"
            if built and proven >= never:  # within three months
                month = built.year * 12 + built.month - 1 + int((proven - never) / (1 - never) * 4)
                proved = f"{month // 12}-{month % 12 + 1:02d}"
            result.append(Obligation(operator, village, due, built, proved, document))
        first = list(OPERATORS)
        return sorted(result, key=lambda o: (first.index(o.operator), o.village))

    def table(self, period: str) -> list[list[Any]]:
        """A month's records as rows under their header."""
        edits = self._edits.get(period, {})
        rows = [edits.get(n) or self._cells(n, period) for n in range(len(self.obligations))]
        return [HEADER, *rows, *(self._cells(n, period) for n in self._again.get(period, []))]

    def _cells(self, number: int, period: str) -> list[str]:
        obligation = self.obligations[number]
        village = self._programme.villages[obligation.village]
        built, evidence = "-", "-"
        if obligation.built and obligation.built.isoformat()[:7] <= period:
            built = f"{obligation.built:%d/%m/%Y}"
        if obligation.proved <= period:
            evidence = obligation.document
        return [
            obligation.operator,
            village.kode,
            village.nama,
            f"{obligation.due:%d/%m/%Y}",
            built,
            evidence,
        ]

    def _make_mess(self, period: str) -> None:
        rng = stream(self._programme.seed, f"mess/obligations/{period}")
        size, month = len(self._programme.villages), PERIODS.index(period)
        edits: dict[int, list[str]] = {}
        again: list[int] = []
        for problem, count in mess.planned(MESS[period], size, len(self.obligations), month):
            free = [n for n in range(len(self.obligations)) if n not in edits and n not in again]
            for number in pick(rng, free, count):
                cells = self._cells(number, period)
                kode, rows = cells[1], [number + 1]
                if problem == "duplicate_key":
                    again.append(number)
                    rows.append(len(self.obligations) + len(again))
                elif problem == "unknown_region":
                    cells[1] = mess.unknown(kode)
                elif problem == "wrong_operator":
                    cells[0] = cells[0].split()[0].upper() + " Tbk"
                else:
                    cells[2] = mess.misspelt(cells[2])
                if problem != "duplicate_key":
                    edits[number] = cells
                where = (KEWAJIBAN, "", period, "A")
                self.mess += [mess.event(where, problem, row, kode, cells) for row in rows]
        self._edits[period], self._again[period] = edits, again


def _due(since: int, slack: float, how: float, late: float) -> int:
    """Which due date a village has that is covered since a month: most in time, some before it is built."""
    ideal = int(how * len(DUE)) if since == NEVER else max(0, -(-since // 3) - 2)
    if slack < late:
        return max(0, ideal - 1 - int(how * 3))
    return min(len(DUE) - 1, ideal + (how < 0.25))
