"""What each institution delivers, and when: the truth as files, with the mess of real months in them.

Promise: a file hangs on seed, register, part, period and delivery letter alone; `mess` names every row that is
not as the truth has it. The tables below are the mess of Komdigi's files; README.md tells them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from simulator import mess, workbook
from simulator.claims import CAKUPAN, CLAIMED, PARTS, RESTATED_CLAIMS, Claims
from simulator.money import Budget
from simulator.obligations import KEWAJIBAN, Obligations
from simulator.programme import PERIODS, VILLAGES, Programme, pick, read_register, stream
from simulator.sites import BTS, Sites, indonesian, month_end

WIB = timezone(timedelta(hours=7))
DESA_4G, DESA_3T, ANGGARAN = "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik"
FEED_PERIODS = {
    DESA_4G: PERIODS,
    DESA_3T: ("2025-01", "2026-01"),
    ANGGARAN: PERIODS,
    CAKUPAN: CLAIMED,
    BTS: PERIODS,
    KEWAJIBAN: PERIODS,
}
FEED_PARTS = {feed: PARTS if feed == CAKUPAN else ("",) for feed in FEED_PERIODS}
# Lists that are served page by page: the content is one JSON object a line.
PAGED = (CAKUPAN, KEWAJIBAN)
# encoding, delimiter, line end
FORMATS = {DESA_4G: ("utf-8", ",", "\n"), DESA_3T: ("utf-8", ",", "\n"), ANGGARAN: ("cp1252", ";", "\r\n")}
# day of the next month, and by how many days it sways; the 3T lists have days of their own
RHYTHM = {
    (DESA_4G, ""): (6, 3),
    (ANGGARAN, ""): (3, 3),
    (BTS, ""): (7, 2),
    (KEWAJIBAN, ""): (5, 2),
    (CAKUPAN, "telkomsel"): (4, 2),
    (CAKUPAN, "indosat"): (7, 2),
    (CAKUPAN, "xlsmart"): (8, 2),
}
HEADER_4G, HEADER_3T = b"kode_desa,nama_desa,status_4g,tanggal_on_air\n", b"kode_desa,nama_desa,kategori\n"

# Rows of desa_4g that are not as they should be, for the whole country. July to December 2025, and March, May
# and July 2026 are clean.
MESS: dict[str, dict[str, int]] = {
    "2025-01": {"old_code_2022": 40},
    "2025-02": {"old_code_2022": 25, "wrong_status": 2},
    "2025-03": {"unknown_region": 1},
    "2025-04": {"old_code_2020": 15, "wrong_name": 1},
    "2025-05": {"duplicate_key": 1},
    "2025-06": {"old_code_2022": 6, "old_code_2020": 4},
    "2026-01": {"old_code_2022": 12, "old_code_2020": 8},
    "2026-02": {"wrong_status": 3},
    "2026-04": {"old_code_other_name": 2},
    "2026-06": {"old_code_2022": 5, "wrong_name": 1},
    "2026-08": {"old_code_2022": 6},
    "2026-09": {
        "unknown_region": 2,
        "wrong_status": 4,
        "wrong_name": 3,
        "duplicate_key": 1,
        "old_code_2020": 7,
    },
    "2026-10": {"unknown_region": 1, "wrong_status": 2, "wrong_name": 1, "old_code_2022": 8},
    "2026-11": {"wrong_status": 1},
    "2026-12": {"old_code_2020": 3},
}
MESS_3T = {"2025-01": {"old_code_2022": 8}}
# The same content again, with a new time.
RESENT = (
    (DESA_4G, "", "2025-10", "2025-11-20"),
    (DESA_4G, "", "2026-03", "2026-04-21"),
    (ANGGARAN, "", "2026-07", "2026-09-02"),
    (DESA_4G, "", "2026-07", "2026-09-04"),
    (DESA_4G, "", "2026-08", "2026-09-14"),
    (CAKUPAN, "indosat", "2026-08", "2026-09-14"),
    (DESA_4G, "", "2026-06", "2026-09-18"),  # three months after it was first sent
    (ANGGARAN, "", "2026-09", "2026-10-14"),
    (DESA_4G, "", "2026-10", "2026-11-13"),
)
DRAFTED = "2026-09"  # its delivery B is a draft of 20 September, sent by mistake and taken back
RESTATES = {"2026-08": "B", "2026-09": "C"}  # month -> the delivery that restates it
# Months whose deliveries do not follow the rhythm.
OWN_DAYS = {
    (DESA_4G, "", "2026-08"): (("A", "2026-09-08"), ("B", "2026-10-20")),
    (DESA_4G, "", DRAFTED): (
        ("A", "2026-10-06"),
        ("B", "2026-10-08"),
        ("A", "2026-10-10"),
        ("C", "2026-10-20"),
    ),
    (ANGGARAN, "", "2026-09"): (("A", "2026-10-10"),),  # due on the 5th
    (CAKUPAN, *RESTATED_CLAIMS[:2]): (("A", "2026-09-04"), ("B", "2026-10-20")),
    (CAKUPAN, "indosat", "2026-09"): (("A", "2026-10-18"),),  # due on the 10th, and after the grace
}
_STATUS_SLIPS = ("Iya", "Ya*", "Sudah", "Y a")


Table = list[list[Any]]  # header first; cells are text but in a workbook


@dataclass(frozen=True)
class Sending:
    """One delivery: content `letter` of a feed, part and period, there from `at` on."""

    feed: str
    part: str
    period: str
    letter: str
    at: datetime


def _calendar() -> list[Sending]:
    """Every delivery, oldest first. Institutions publish at midnight, Jakarta time."""
    days: list[tuple[str, str, str, str, date]] = []
    for number, period in enumerate(PERIODS, start=1):
        following = date(2025 + number // 12, number % 12 + 1, 1)
        for (feed, part), (day, sway) in RHYTHM.items():
            if period in FEED_PERIODS[feed]:
                usual = (("A", following.replace(day=day + number % sway).isoformat()),)
                own = OWN_DAYS.get((feed, part, period), usual)
                days += [(feed, part, period, letter, date.fromisoformat(on)) for letter, on in own]
    days += [
        (DESA_3T, "", "2025-01", "A", date(2025, 1, 6)),
        (DESA_3T, "", "2026-01", "A", date(2026, 1, 12)),
    ]
    days += [(feed, part, period, "A", date.fromisoformat(on)) for feed, part, period, on in RESENT]
    every = [Sending(f, p, m, letter, datetime.combine(on, time(), WIB)) for f, p, m, letter, on in days]
    return sorted(every, key=lambda s: (s.at, s.feed, s.part, s.period))


CALENDAR = _calendar()


def newest(feed: str, part: str, period: str, now: datetime) -> Sending | None:
    """What lies at the institution for that feed, part and period at that time."""
    return max(
        (s for s in CALENDAR if (s.feed, s.part, s.period) == (feed, part, period) and s.at <= now),
        key=lambda s: s.at,
        default=None,
    )


def write_lines(rows: Iterable[Iterable[str]], feed: str) -> list[bytes]:
    """Rows as the feed's lines, each with its line end."""
    encoding, delimiter, end = FORMATS[feed]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue().encode(encoding).splitlines(keepends=True)


_encoded = json.JSONEncoder(ensure_ascii=False).encode


def write_items(table: Iterable[list[Any]]) -> bytes:
    """Rows as JSON objects, one a line."""
    rows = iter(table)
    keys, out = next(rows), io.BytesIO()
    for row in rows:
        out.write(_encoded(dict(zip(keys, row, strict=True))).encode())
        out.write(b"\n")
    return out.getvalue()


class Deliveries:
    """The contents of every delivery of one programme."""

    def __init__(self, programme: Programme, budget: Budget, old_register: Path, lineage: Path) -> None:
        self.programme, self.budget = programme, budget
        villages = programme.villages
        begin = [line[:-1] + b"," for line in write_lines(((v.kode, v.nama) for v in villages), DESA_4G)]
        self._3t_line = [text + b"3T\n" for text in begin]
        self._no = [text + b"Tidak,-\n" for text in begin]
        self._yes = [
            text + b"Ya," + on.encode() + b"\n" for text, on in zip(begin, programme.on_air, strict=True)
        ]
        self._find_old_codes(old_register, lineage)
        self.claims, self.sites = Claims(programme), Sites(programme)
        self.obligations = Obligations(programme)
        self.mess: list[dict[str, Any]] = []
        self._edits: dict[tuple[str, str], dict[int, list[str]]] = {}
        for period in MESS:
            self._edits[DESA_4G, period] = self._mess_4g(period)
        for period in MESS_3T:
            self._edits[DESA_3T, period] = self._mess_3t(period)
        self.mess += [*self.claims.mess, *self.sites.mess, *self.obligations.mess]
        self.content: Callable[[str, str, str, str], bytes] = lru_cache(maxsize=2)(self._content)
        self._workbook: Callable[[str], bytes] = lru_cache(maxsize=None)(self._write_workbook)

    def letters(self, feed: str, period: str, part: str = "") -> list[str]:
        """The different contents that are delivered for a period."""
        wanted = (feed, part, period)
        return sorted({s.letter for s in CALENDAR if (s.feed, s.part, s.period) == wanted})

    # -- old codes -------------------------------------------------------------------------------------

    def _find_old_codes(self, old_register: Path, lineage: Path) -> None:
        """Village index -> (old code, old name): from the register before where it names the village, else
        by the law alone (the codes before July 2022 stand in neither register)."""
        with open(lineage, encoding="utf-8", newline="") as file:
            pairs = {row["new_code"]: row["old_code"] for row in csv.DictReader(file)}
        before = read_register(old_register)
        self._old: dict[str, dict[int, tuple[str, str]]] = {
            "old_code_2022": {},
            "old_code_2020": {},
            "old_code_other_name": {},
        }
        for index, village in enumerate(self.programme.villages):
            if village.kode[:5] not in pairs:
                continue
            old = pairs[village.kode[:5]] + village.kode[5:]
            if village.province != "96":
                self._old["old_code_2020"][index] = (old, village.nama.upper())
            elif old in before:
                same = mess.normal(before[old]) == mess.normal(village.nama)
                self._old["old_code_2022" if same else "old_code_other_name"][index] = (old, before[old])

    # -- the mess --------------------------------------------------------------------------------------

    def _scaled(self, count: int) -> int:
        """A smaller programme has less mess, but never none of a kind."""
        return -(-count * len(self.programme.villages) // VILLAGES)

    def _mess_4g(self, period: str) -> dict[int, list[str]]:
        """Village index -> its cells as delivered; a duplicate has the key -1 - index. Records the mess."""
        rng = stream(self.programme.seed, f"mess/{period}")
        covered = self.programme.covered(period)
        told_twice = {i for letter in ("A", "B") for i in self.differs(period, letter)}
        lit = [i for i, c in enumerate(covered) if c]
        unlit = [i for i, c in enumerate(covered) if not c]
        edits: dict[int, list[str]] = {}
        for kind, count in MESS[period].items():
            among = self._old.get(kind, unlit if kind == "duplicate_key" else lit)
            free = [i for i in among if i not in edits and i not in told_twice]
            for index in pick(rng, free, self._scaled(count)):
                village = self.programme.villages[index]
                cells = [village.kode, village.nama]
                cells += ["Ya", self.programme.on_air[index]] if covered[index] else ["Tidak", "-"]
                if kind == "unknown_region":
                    cells[0] = mess.unknown(village.kode)
                elif kind == "wrong_status":
                    cells[2] = _STATUS_SLIPS[int(rng.random() * len(_STATUS_SLIPS))]
                elif kind == "wrong_name":
                    cells[1] = mess.misspelt(village.nama)
                elif kind != "duplicate_key":
                    cells[:2] = self._old[kind][index]
                edits[index] = cells
                rows = [index + 1]
                if kind == "duplicate_key":
                    edits[-1 - index] = cells
                    rows.append(len(covered) + sum(key < 0 for key in edits))
                self._record(DESA_4G, period, kind, rows, index, cells)
        return edits

    def _mess_3t(self, period: str) -> dict[int, list[str]]:
        listed = sorted(self.programme.in_3t[int(period[:4])])
        rng = stream(self.programme.seed, f"mess/3t/{period}")
        edits = {}
        for kind, count in MESS_3T[period].items():
            for index in pick(rng, [i for i in listed if i in self._old[kind]], count):
                edits[index] = [*self._old[kind][index], "3T"]
                self._record(DESA_3T, period, kind, [listed.index(index) + 1], index, edits[index])
        return edits

    def _record(
        self, feed: str, period: str, kind: str, rows: list[int], index: int, cells: list[str]
    ) -> None:
        kode = self.programme.villages[index].kode
        for letter in self.letters(feed, period):
            where = (feed, "", period, letter)
            self.mess += [mess.event(where, kind, row, kode, cells) for row in rows]

    # -- the files -------------------------------------------------------------------------------------

    def make_ahead(self, now: datetime) -> None:
        """Make the workbooks that lie ready at that time: each takes a second, which who asks for it would wait."""
        for period in FEED_PERIODS[BTS]:
            if newest(BTS, "", period, now):
                self._workbook(period)

    def _write_workbook(self, period: str) -> bytes:
        return self.written(BTS, period, self.sites.table(period))

    def differs(self, period: str, letter: str) -> dict[int, bool]:
        """Villages whose status in that delivery is not the one first stated, and which it is."""
        programme = self.programme
        if letter == RESTATES.get(period):
            told = dict.fromkeys(programme.withdrawn[period], False)
            told |= dict.fromkeys(programme.added[period], True)
            messy = self._edits.get((DESA_4G, period), {})
            return {i: status for i, status in told.items() if i not in messy}
        if (period, letter) == (DRAFTED, "B"):
            number = PERIODS.index(period) + 1
            late = (i for i, since in enumerate(programme.since) if since == number)
            return {i: False for i in late if programme.on_air[i][:2] > "20"}
        return {}

    def _days(self, period: str, letter: str) -> dict[int, str]:
        """Days on air that a file has as verified in October 2026. Later months keep September's as first stated."""
        days: dict[int, str] = {}
        if period > DRAFTED or letter == RESTATES.get(period):
            days |= self.programme.verified["2026-08"]
        if (period, letter) == ("2026-09", "C"):
            days |= self.programme.verified[period]
        return days

    def table(self, feed: str, part: str, period: str, letter: str) -> Table:
        """One delivery as rows under their header, as the faults work on it."""
        if feed == CAKUPAN:
            return list(self.claims.rows(part, period, letter))
        if feed == BTS:
            return self.sites.table(period)
        if feed == KEWAJIBAN:
            return self.obligations.table(period)
        encoding, delimiter, _ = FORMATS[feed]
        text = io.StringIO(self.content(feed, part, period, letter).decode(encoding), newline="")
        return list(csv.reader(text, delimiter=delimiter))

    def written(self, feed: str, period: str, table: Table, sheet: str = workbook.SHEET) -> bytes:
        """A table as the institution writes it."""
        if feed in PAGED:
            return write_items(table)
        if feed == BTS:
            titles = ("Laporan BTS BAKTI", f"Keadaan {indonesian(month_end(period))}")
            return workbook.write(table, titles, sheet)
        return b"".join(write_lines(table, feed))

    def _content(self, feed: str, part: str, period: str, letter: str) -> bytes:
        """The bytes of one delivery: its file, or its items one a line."""
        if feed == CAKUPAN:  # as it is made: there are many
            return write_items(self.claims.rows(part, period, letter))
        if feed == BTS:
            return self._workbook(period)
        if feed == KEWAJIBAN:
            return self.written(feed, period, self.table(feed, part, period, letter))
        if feed == ANGGARAN:
            return b"".join(write_lines(self.budget.table(period), feed))
        if feed == DESA_3T:
            lines = {i: self._3t_line[i] for i in sorted(self.programme.in_3t[int(period[:4])])}
            for index, cells in self._edits.get((feed, period), {}).items():
                lines[index] = write_lines([cells], feed)[0]
            return HEADER_3T + b"".join(lines.values())
        covered = self.programme.covered(period)
        for index, status in self.differs(period, letter).items():
            covered[index] = status
        rows = [yes if lit else no for yes, no, lit in zip(self._yes, self._no, covered, strict=True)]
        for index, on in self._days(period, letter).items():
            if covered[index]:
                rows[index] = self._no[index][: -len(b"Tidak,-\n")] + b"Ya," + on.encode() + b"\n"
        for index, cells in self._edits.get((feed, period), {}).items():
            if index < 0:
                rows.append(write_lines([cells], feed)[0])
            else:
                rows[index] = write_lines([cells], feed)[0]
        return HEADER_4G + b"".join(rows)
