"""BAKTI's base stations: where they stand, how their state moves through time, and the month's table of them.

A site of the programme goes on air on the day its village is covered. Promise: it hangs on seed and register
alone, and a programme of some provinces is that part of the whole one. The table becomes a workbook in
`workbook.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any
from zlib import crc32

from simulator import mess
from simulator.programme import NEVER, PERIODS, Programme, open_table, pick, stream

BTS = "bakti__bts"
ON_AIR_BEFORE, STARTED, PLANNED = (
    4_990,
    468,
    160,
)  # 5,618: on air at the end of 2024, since then, after October
_BY_OCTOBER = PERIODS.index("2026-10") + 1
# The one fall: on air in August, off in September without a word, most of them back in October.
FALL, FALLEN, STAY_OFF = "2026-09", 60, 12

HEADER = [
    "No",
    "ID site",
    "Lokasi / Provinsi",
    "Lokasi / Kabupaten",
    "Lokasi / Kode desa",
    "Lokasi / Desa",
    "Koordinat / Lintang / derajat",
    "Koordinat / Bujur / derajat",
    "Teknologi",
    "Status",
    "Tanggal / Rencana",
    "Tanggal / On air",
    "Tanggal / BAST",
    "Nomor BAST",
    "Paket",
]
WORDS = {"rencana": "Rencana", "bangun": "Pembangunan", "on_air": "On Air", "bast": "BAST", "off": "Off"}
MONTHS = (
    "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember".split()  # noqa: SIM905
)
# Rows that are not as they should be, for the whole country.
MESS: dict[str, dict[str, int]] = {
    "2025-02": {"wrong_name": 1},
    "2025-05": {"duplicate_key": 1},
    "2025-09": {"unknown_region": 1},
    "2026-01": {"wrong_name": 2},
    "2026-05": {"duplicate_key": 1},
    "2026-08": {"wrong_name": 2},
    "2026-09": {"wrong_name": 1, "duplicate_key": 1, "unknown_region": 1},
    "2026-10": {"wrong_name": 2, "duplicate_key": 1},
    "2026-12": {"duplicate_key": 1},
}
_PACKAGES = {
    "1": 1,
    "2": 1,
    "3": 1,
    "5": 2,
    "6": 2,
    "7": 3,
    "8": 4,
}  # by the province's first digit; Papua: 5


@dataclass(frozen=True)
class Site:
    """A base station. `village`: its index in the programme; days in the future are not told yet."""

    name: str
    village: int
    technology: str
    latitude: float
    longitude: float
    planned: date
    begun: date
    on_air: date
    handed_over: date
    off: frozenset[str]  # months

    def status(self, period: str) -> str:
        """Its state at the end of a month, as the truth names it."""
        if period in self.off:
            return "off"
        end = month_end(period)
        for name, day in (("bast", self.handed_over), ("on_air", self.on_air), ("bangun", self.begun)):
            if day <= end:
                return name
        return "rencana"


class Sites:
    """The sites of one programme, in the order of their villages."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self.sites = list(self._draw())
        of = [programme.villages[site.village].province for site in self.sites]
        first = sorted(set(of))
        self._provinces_before = [first.index(province) for province in of]
        self.mess: list[dict[str, Any]] = []
        self._edits: dict[str, dict[int, list[Any]]] = {}
        self._again: dict[str, list[int]] = {}
        for period in MESS:
            self._make_mess(period)

    # -- drawing ---------------------------------------------------------------------------------------

    def _chosen(self) -> list[int]:
        """The villages that have a site, by their index in the country."""
        country, seed = self._programme.country, self._programme.seed
        rng = stream(seed, "sites")
        listed = sorted(country.in_3t)
        rank = {i: country.remote[i] * 0.5 + rng.random() * 0.5 for i in listed}
        groups = (
            (ON_AIR_BEFORE, [i for i in listed if country.since[i] == 0]),
            (STARTED, [i for i in listed if 0 < country.since[i] <= _BY_OCTOBER]),
            (PLANNED, [i for i in listed if country.since[i] > _BY_OCTOBER]),
        )
        result: list[int] = []
        for count, members in groups:
            result += sorted(members, key=lambda i: (-rank[i], i))[: country.scaled(count)]
        return sorted(result)

    def _draw(self) -> Iterator[Site]:
        country = self._programme.country
        chosen = self._chosen()
        position = {i: n for n, i in enumerate(country.kept)}
        middle = {
            line.split(",")[0]: tuple(map(float, line.split(",")[-2:]))
            for line in open_table("provinces.csv")[1:]
        }
        rng = stream(self._programme.seed, "sites/days")
        drawn = [[rng.random() for _ in range(8)] for _ in chosen]
        days = [_days(country.since[i], d) for i, d in zip(chosen, drawn, strict=True)]
        off = self._fall(days)
        for number, (index, d) in enumerate(zip(chosen, drawn, strict=True)):
            if index not in position:
                continue
            village = country.villages[index]
            told, late = self._programme.on_air[position[index]], timedelta(0)
            if 0 < country.since[index] < NEVER:  # on air with its village, to the day
                late = date(*map(int, reversed(told.split("/")))) - days[number][2]
            planned, begun, on_air, handed_over = (day + late for day in days[number])
            latitude, longitude = middle.get(village.province, middle["53"])
            near = [
                crc32(village.kode[:n].encode()) / 2**32 - 0.5 for n in (5, 8)
            ]  # of its regency, district
            yield Site(
                f"BTS-{number + 1:05d}",
                position[index],
                "2G" if country.since[index] == 0 and d[4] < 0.07 else "4G",
                round(latitude + near[0] + 0.2 * near[1] + 0.05 * d[5], 6),
                round(longitude + 1.4 * near[0] - 0.2 * near[1] + 0.05 * d[6], 6),
                planned,
                begun,
                on_air,
                handed_over,
                off.get(number, frozenset()),
            )

    def _fall(self, days: list[tuple[date, date, date, date]]) -> dict[int, frozenset[str]]:
        """Site number -> the months in which it is off, of those that were on air and not handed over."""
        rng = stream(self._programme.seed, "sites/fall")
        at = PERIODS.index(FALL)
        begin = month_end(PERIODS[at - 2])
        among = [n for n, (_, _, on, over) in enumerate(days) if on <= begin and over.year > 2026]
        fallen = pick(rng, among, self._programme.country.scaled(FALLEN) or 1)
        stay = set(pick(rng, fallen, self._programme.country.scaled(STAY_OFF)))
        return {n: frozenset(PERIODS[at:] if n in stay else PERIODS[at : at + 1]) for n in fallen}

    # -- the month's table -----------------------------------------------------------------------------

    def table(self, period: str) -> list[list[Any]]:
        """A month as delivered, under its header: sites, subtotals, JUMLAH and footers. Cells are text, numbers
        and days; None is an empty cell."""
        edits, again = self._edits.get(period, {}), self._again.get(period, [])
        rows: list[list[Any]] = []
        for number in range(len(self.sites)):
            rows.append(edits.get(number) or self._cells(number, period))
            if number in again:
                rows.append(self._cells(number, period))
        return [HEADER, *with_subtotals(rows)]

    def _cells(self, number: int, period: str) -> list[Any]:
        site = self.sites[number]
        village = self._programme.villages[site.village]
        end, names = month_end(period), self._programme.names
        slip = crc32(site.name.encode()) % 100  # how whoever wrote the row writes
        on_air = site.on_air if site.on_air <= end else None
        handed_over = site.handed_over if site.handed_over <= end else None
        return [
            number + 1,
            site.name,
            names[village.province],
            names[village.kode[:5]],
            float(village.kode.replace(".", "")) if slip < 15 else village.kode,
            village.nama,
            *(
                place if 40 < slip < 60 else f"{place:.6f}".replace(".", ",")
                for place in (site.latitude, site.longitude)
            ),
            site.technology,
            WORDS[site.status(period)],
            *(
                "-" if day is None else day if 10 < slip < 22 else indonesian(day)
                for day in (site.planned, on_air, handed_over)
            ),
            f"BA-{site.name[4:]}/BAKTI/{handed_over.year}" if handed_over else "-",
            f"Paket {_PACKAGES.get(village.province[0], 5)}",
        ]

    # -- the mess --------------------------------------------------------------------------------------

    def _make_mess(self, period: str) -> None:
        rng = stream(self._programme.seed, f"mess/bts/{period}")
        size, month = len(self._programme.villages), PERIODS.index(period)
        edits: dict[int, list[Any]] = {}
        again: list[int] = []
        problems: dict[int, str] = {}
        for problem, count in mess.planned(MESS[period], size, len(self.sites), month):
            free = [n for n in range(len(self.sites)) if n not in problems]
            for number in pick(rng, free, count):
                problems[number] = problem
                if problem == "duplicate_key":
                    again.append(number)
                    continue
                cells = self._cells(number, period)
                kode = self._programme.villages[self.sites[number].village].kode
                if problem == "unknown_region":
                    cells[4] = mess.unknown(kode)
                else:
                    cells[5] = mess.misspelt(cells[5])
                edits[number] = cells
        self._edits[period], self._again[period] = edits, again
        for number, problem in sorted(problems.items()):
            site = self.sites[number]
            cells = edits.get(number) or self._cells(number, period)
            written = [cell.isoformat() if isinstance(cell, date) else cell for cell in cells]
            kode = self._programme.villages[site.village].kode
            # before it in the file: the sites before, the subtotals of the provinces before, and duplicates
            row = number + 1 + self._provinces_before[number] + sum(n < number for n in again)
            for at in (row, row + 1) if number in again else (row,):
                where = (BTS, "", period, "A")
                self.mess.append(mess.event(where, problem, at, kode, written, site=site.name))


def with_subtotals(rows: list[list[Any]]) -> list[list[Any]]:
    """The sites' rows with a fresh subtotal after each province, JUMLAH and the footers at the end."""
    sites = [row for row in rows if isinstance(row[0], int)]
    result: list[list[Any]] = []
    for n, row in enumerate(sites):
        result.append(row)
        if n + 1 == len(sites) or sites[n + 1][2] != row[2]:
            count = sum(other[2] == row[2] for other in sites)
            result.append(["Subtotal", count, row[2], *[None] * 12])
    return [
        *result,
        ["JUMLAH", len(sites), *[None] * 13],
        ["Catatan: data simulasi; koordinat tidak menunjuk lokasi sebenarnya.", *[None] * 14],
        ["Sumber: BAKTI (SIMULASI)", *[None] * 14],
    ]


def indonesian(day: date) -> str:
    """`5 Agustus 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _days(since: int, d: list[float]) -> tuple[date, date, date, date]:
    """Planned, begun, on air, handed over; within the programme's months about the middle of the month."""
    if since == 0:
        on_air = date(2021, 6, 1) + timedelta(int(d[0] * 1290))  # to 12 December 2024
    elif since == NEVER:
        on_air = date(2027, 1, 10) + timedelta(int(d[0] * 340))
    else:
        on_air = date(2025 + (since - 1) // 12, (since - 1) % 12 + 1, 15)
    planned = on_air + timedelta(int(d[1] * 210) - 180)
    begun = min(planned, on_air) - timedelta(60 + int(d[2] * 150))
    wait = 60 + int(d[3] * 150) if d[7] < 0.86 else 400 + int(d[3] * 2600)  # some wait for years
    return planned, begun, on_air, on_air + timedelta(wait)


@cache
def month_end(period: str) -> date:
    """The last day of a month."""
    year, month = int(period[:4]), int(period[5:])
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(1)
