"""What the operators say that they cover: claims drawn from the truth of coverage, each operator on its own.

All claims together are about what the ministry says, with discrepancies both ways: an operator's map runs ahead
of the ministry or behind it, some villages are claimed by none. Promise: it hangs on seed and register alone, and
a programme of some provinces is that part of the whole one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from zlib import crc32

from simulator import mess
from simulator.programme import NEVER, PERIODS, Programme, pick, stream

CAKUPAN = "operator__cakupan"
PARTS = ("telkomsel", "indosat", "xlsmart")
CLAIMED = PERIODS[PERIODS.index("2026-07") :]
# How likely each operator claims a village: near and long covered, 3T and long covered, of the programme.
_LIKELY = ((0.845, 0.527, 0.462), (0.750, 0.205, 0.200), (0.660, 0.125, 0.130))
_SILENT = (0.0115, 0.0115, 0.041)  # claimed by none, though covered
_AHEAD = 0.225  # of the programme's villages: claimed before the ministry says so, or without
# The one restatement: telkomsel takes claims of August back, and adds some that were booked in September.
RESTATED_CLAIMS = ("telkomsel", "2026-08", "B")
WITHDRAWN, ADDED = 60, 20

HEADERS = {
    "telkomsel": ["kode_desa", "nama_desa", "teknologi", "terlayani_pct"],
    "indosat": ["kode_desa", "nama_desa", "teknologi", "terlayani_pct"],
    "xlsmart": ["provinsi", "kabupaten", "kecamatan", "nama_desa", "teknologi", "terlayani_pct"],
}
# Items that are not as they should be, for the whole country.
MESS: dict[str, dict[str, dict[str, int]]] = {
    "telkomsel": {
        "2026-07": {"unknown_region": 3, "duplicate_key": 2},
        "2026-08": {"unknown_region": 2, "pct_above_100": 3},
        "2026-09": {"unknown_region": 4, "pct_above_100": 2, "wrong_name": 2, "duplicate_key": 2},
        "2026-10": {"unknown_region": 2, "pct_above_100": 3},
        "2026-11": {"duplicate_key": 2},
        "2026-12": {"unknown_region": 2},
    },
    "indosat": {
        "2026-07": {"unknown_region": 2},
        "2026-08": {"pct_above_100": 2, "duplicate_key": 1},
        "2026-09": {"unknown_region": 2, "pct_above_100": 1},
        "2026-10": {"unknown_region": 3, "duplicate_key": 1},
        "2026-12": {"pct_above_100": 1},
    },
    "xlsmart": {
        "2026-07": {"wrong_name": 4, "ambiguous_name": 2},
        "2026-08": {"wrong_name": 3, "no_district": 2, "pct_above_100": 1},
        "2026-09": {"wrong_name": 5, "ambiguous_name": 2, "no_district": 2, "duplicate_key": 1},
        "2026-10": {"wrong_name": 4, "ambiguous_name": 2, "no_district": 1, "pct_above_100": 2},
        "2026-11": {"wrong_name": 2, "duplicate_key": 1},
        "2026-12": {"wrong_name": 3, "no_district": 1},
    },
}


class Claims:
    """Every operator's claims, by the index of the programme's villages and the number of the month."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        # Two of one name in one district: who knows villages by name alone does not list them.
        self._twins = self._same_names(8)
        self._twice_in_regency = set(self._same_names(5))
        self._draw()
        for index in self._twins:
            self.begin["xlsmart"][index] = NEVER
        self._names: dict[str, tuple[str, str, str]] = {}
        # The villages that an operator claims in a delivery (part, period, letter), but for its mess, by code.
        self.listed: Callable[..., list[int]] = lru_cache(maxsize=2)(self._listed)
        self.mess: list[dict[str, Any]] = []
        self._edits: dict[tuple[str, str], dict[int, list[Any]]] = {}
        self._again: dict[tuple[str, str], list[int]] = {}
        for part, months in MESS.items():
            for period in months:
                self._make_mess(part, period)

    def _same_names(self, length: int) -> list[int]:
        """The villages that share their name with another under the region of so many characters."""
        villages = self._programme.villages
        keys = [f"{village.kode[:length]} {mess.normal(village.nama)}" for village in villages]
        counts = Counter(keys)
        return [i for i, key in enumerate(keys) if counts[key] > 1]

    # -- drawing ---------------------------------------------------------------------------------------

    def _draw(self) -> None:
        country, seed = self._programme.country, self._programme.seed
        draw = stream(seed, "claims").random
        begin: list[list[int]] = [[], [], []]
        tenths: list[list[int]] = [[], [], []]  # of a percent of the village's inhabited area
        ended: list[dict[int, int]] = [{}, {}, {}]
        for index, (since, remote) in enumerate(zip(country.since, country.remote, strict=True)):
            group = 2 if since else int(index in country.in_3t)
            likely, silent, ahead, who = _LIKELY[group], draw() < _SILENT[group], draw(), draw()
            claims = [draw() < likely[0], draw() < likely[1], draw() < likely[2]]
            if not any(claims):
                claims[0 if who < 0.6 else 1 if who < 0.8 else 2] = True
            for n in (0, 1, 2):
                extra, much = draw(), draw()
                month = NEVER
                if claims[n] and not silent:
                    month = self._begins(since, ahead, extra) if since else 0
                begin[n].append(month)
                full = much < 0.6 - 0.5 * remote
                tenths[n].append(1000 if full else max(30, 1000 - int(850 * much * remote)))
                if month == 0 == since and extra < 0.004:
                    ended[n][index] = 20 + int(extra / 0.004 * 5)
        kept = country.kept
        self.begin = {part: [begin[n][i] for i in kept] for n, part in enumerate(PARTS)}
        self._tenths = {part: [tenths[n][i] for i in kept] for n, part in enumerate(PARTS)}
        position = {i: n for n, i in enumerate(kept)}
        self.ended = {
            part: {position[i]: month for i, month in ended[n].items() if i in position}
            for n, part in enumerate(PARTS)
        }
        self._restate(begin[PARTS.index(RESTATED_CLAIMS[0])], position)

    @staticmethod
    def _begins(since: int, ahead: float, extra: float) -> int:
        """The month in which an operator begins to claim a village of the programme."""
        if ahead < _AHEAD:
            return 0
        if since == NEVER:
            return NEVER
        lag = (ahead - _AHEAD) / (1 - _AHEAD)
        first = -2 if lag < 0.06 else 0 if lag < 0.52 else 1 if lag < 0.82 else 2
        return since + first + (0 if extra < 0.6 else 1 + int((extra - 0.6) * 10))

    def _restate(self, begin: list[int], position: dict[int, int]) -> None:
        month, country = PERIODS.index(RESTATED_CLAIMS[1]) + 1, self._programme.country
        rng = stream(self._programme.seed, "claims/restated")
        chosen = []
        for begun, count in ((month, WITHDRAWN), (month + 1, ADDED)):
            among = [i for i, b in enumerate(begin) if b == begun]
            picked = pick(rng, among, country.scaled(count) or 1)
            chosen.append({position[i] for i in picked if i in position})
        self.withdrawn, self.added = chosen

    # -- asking ----------------------------------------------------------------------------------------

    def _listed(self, part: str, period: str, letter: str = "A") -> list[int]:
        month = PERIODS.index(period) + 1
        ended = {i for i, end in self.ended[part].items() if end <= month}
        claimed = [i for i, begun in enumerate(self.begin[part]) if begun <= month and i not in ended]
        if (part, period, letter) == RESTATED_CLAIMS:
            claimed = sorted(set(claimed) - self.withdrawn | self.added)
        return claimed

    def rows(self, part: str, period: str, letter: str) -> Iterator[list[Any]]:
        """A delivery's items as rows, first their keys."""
        edits, again = self._edits.get((part, period), {}), self._again.get((part, period), [])
        cells = self._by_name if part == "xlsmart" else self._by_code
        yield HEADERS[part]
        for index in self._standing(part, period, letter):
            yield edits.get(index) or cells(part, index)
        for index in again:
            yield cells(part, index)

    def _standing(self, part: str, period: str, letter: str) -> list[int]:
        """`listed`, and the villages that stand in the list by a slip alone."""
        claimed = self.listed(part, period, letter)
        more = [i for i in self._edits.get((part, period), {}) if not _holds(claimed, i)]
        return sorted([*claimed, *more]) if more else claimed

    def _by_code(self, part: str, index: int) -> list[Any]:
        village = self._programme.villages[index]
        kode = village.kode if part == "indosat" else village.kode.replace(".", "")
        return [kode, village.nama, "4G", self._tenths[part][index] / 10]

    def _by_name(self, part: str, index: int) -> list[Any]:
        """As a system writes that knows no codes: capitals, "KAB.", and now and then other punctuation."""
        village = self._programme.villages[index]
        district = village.kode[:8]
        if district not in self._names:
            province, regency = (self._programme.names[district[:length]] for length in (2, 5))
            kind, _, rest = regency.partition(" ")
            written = {"Kabupaten": "Kab. ", "Kota": "Kota "}[kind] + rest
            if crc32(district[:5].encode()) % 10 > 1:
                written = written.upper()
            self._names[district] = (province.upper(), written, self._programme.names[district])
        name, slip = village.nama, crc32(village.kode.encode()) % 100
        if slip < 25:
            name = name.upper()
        elif slip < 32:
            name = name.replace(" ", "-")
        elif slip < 36:
            name = re.sub(r"\W", "", name)
        share = f"{self._tenths[part][index] // 10},{self._tenths[part][index] % 10}"
        return [*self._names[district], name, "4G", share]

    # -- the mess --------------------------------------------------------------------------------------

    def _make_mess(self, part: str, period: str) -> None:
        programme = self._programme
        rng = stream(programme.seed, f"mess/{part}/{period}")
        claimed = self.listed(part, period)
        told_twice = self.withdrawn | self.added if (part, period) == RESTATED_CLAIMS[:2] else set()
        edits: dict[int, list[Any]] = {}
        again: list[int] = []
        problems: dict[int, str] = {}
        counts = mess.planned(
            MESS[part][period], len(programme.villages), len(claimed), PERIODS.index(period)
        )
        for problem, count in counts:
            if not count:
                continue
            among = self._twins if problem == "ambiguous_name" else claimed
            free = [i for i in among if i not in problems and i not in told_twice]
            if problem == "no_district":
                free = [i for i in free if i in self._twice_in_regency]
            for index in pick(rng, free, count):
                problems[index] = problem
                if problem == "duplicate_key":
                    again.append(index)
                else:
                    edits[index] = self._slip(problem, part, index, rng.random())
        self._edits[part, period], self._again[part, period] = edits, again
        for letter in ("A", "B") if (part, period) == RESTATED_CLAIMS[:2] else ("A",):
            self._record(part, period, letter, problems)

    def _slip(self, problem: str, part: str, index: int, drawn: float) -> list[Any]:
        cells = (self._by_name if part == "xlsmart" else self._by_code)(part, index)
        name = HEADERS[part].index("nama_desa")
        if problem == "unknown_region":
            kode = mess.unknown(self._programme.villages[index].kode)
            cells[0] = kode if part == "indosat" else kode.replace(".", "")
        elif problem == "pct_above_100":
            above = 1001 + int(drawn * 300)
            cells[-1] = f"{above // 10},{above % 10}" if part == "xlsmart" else above / 10
        elif problem == "wrong_name":
            cells[name] = mess.misspelt(cells[name])
        elif problem == "no_district":
            cells[2] = ""
        return cells

    def _record(self, part: str, period: str, letter: str, problems: dict[int, str]) -> None:
        standing, again = self._standing(part, period, letter), self._again[part, period]
        for index, problem in problems.items():
            rows = [bisect_left(standing, index) + 1]
            if index in again:
                rows.append(len(standing) + again.index(index) + 1)
            cells = self._edits[part, period].get(index)
            written = cells or (self._by_name if part == "xlsmart" else self._by_code)(part, index)
            kode = self._programme.villages[index].kode
            where = (CAKUPAN, part, period, letter)
            self.mess += [mess.event(where, problem, row, kode, written) for row in rows]


def _holds(ascending: list[int], number: int) -> bool:
    at = bisect_left(ascending, number)
    return at < len(ascending) and ascending[at] == number
