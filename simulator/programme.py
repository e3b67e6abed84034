"""What is true: the villages, the 3T lists, and the month in which each village gets 4G.

Everything the institutions say is made from this. Promise: it hangs on the seed and the register alone, and a
programme of some provinces is exactly that part of the whole one.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

PERIODS = tuple(f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13))
BASELINE = "2024-12"
# The published baseline, on the 83,762 villages of the 2025 register.
VILLAGES, IN_3T, WITHOUT_3T, WITHOUT_OTHER = 83_762, 20_341, 9_113, 3_435
LEFT_3T, JOINED_3T = 36, 24  # the changes of the list of 2026
DARK_A_MONTH = 45  # villages that go dark in a month, at most
# Months that are restated in October 2026, and how many villages are withdrawn and added then.
RESTATED = {"2026-08": (96, 23), "2026-09": (41, 12)}
NEVER = 99


def stream(seed: int, what: str) -> random.Random:
    """A stream of random numbers for one purpose, so that no purpose disturbs another. Use .random() alone:
    it is the one method whose numbers no version of Python may change."""
    return random.Random(f"{seed}/{what}")


def pick(rng: random.Random, among: Sequence[int], count: int) -> list[int]:
    """`count` different members (fewer where there are fewer), in ascending order."""
    chosen: set[int] = set()
    while len(chosen) < min(count, len(among)):
        chosen.add(among[int(rng.random() * len(among))])
    return sorted(chosen)


def shares(total: int, weights: dict[str, float], caps: dict[str, int]) -> dict[str, int]:
    """Whole numbers that add up to the total (or to all caps), near the weights, none above its cap."""
    total = min(total, sum(cap for key, cap in caps.items() if weights[key] > 0))
    exact: dict[str, float] = {key: 0.0 for key in weights}
    free = {key for key in weights if weights[key] > 0}
    left = float(total)
    while free and left > 1e-9:
        scale = left / sum(weights[key] for key in sorted(free))
        full = {key for key in free if weights[key] * scale >= caps[key]}
        for key in full or free:
            exact[key] = float(caps[key]) if full else weights[key] * scale
        left = total - sum(exact[key] for key in sorted(exact)) if full else 0.0
        free -= full or free
    result = {key: int(exact[key] + 1e-9) for key in weights}
    by_rest = sorted(weights, key=lambda key: (result[key] - exact[key], key))
    for key in [k for k in by_rest if result[k] < caps[k] and weights[k] > 0][: total - sum(result.values())]:
        result[key] += 1
    return result


@dataclass(frozen=True)
class Village:
    """A village of the register and its place."""

    kode: str
    nama: str

    @property
    def province(self) -> str:
        """The first block of the code."""
        return self.kode[:2]


def read_register(path: Path) -> dict[str, str]:
    """Code -> name of all regions of a register file (`kode,nama`, gzip or plain)."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return {row["kode"]: row["nama"] for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Country:
    """What is drawn for the whole country, by the index of its villages, and which of them a programme has."""

    villages: list[Village]
    since: list[int]  # as Programme.since
    remote: list[float]  # 0 near, 1 far
    in_3t: set[int]  # on the list of 2025
    kept: list[int]

    def scaled(self, number: int) -> int:
        """A number that is true of the register of 2025, for this register."""
        return round(number * len(self.villages) / VILLAGES)


class Programme:
    """The truth for one seed, register and choice of provinces. Villages are named by their index."""

    def __init__(self, seed: int, register: Path, provinces: Iterable[str] = ()) -> None:
        self.seed = seed
        self.register_sha256 = sha256(register.read_bytes()).hexdigest()
        regions = read_register(register)
        every = [Village(kode, nama) for kode, nama in sorted(regions.items()) if len(kode) == 13]
        self.names = {kode: nama for kode, nama in regions.items() if len(kode) < 13}
        known = {village.province for village in every}
        self.provinces = tuple(sorted(set(provinces))) or tuple(sorted(known))
        if not every or not set(self.provinces) <= known:
            missing = sorted(set(self.provinces) - known) or "villages"
            raise ValueError(f"the register {register.name} has no {missing}; give province codes like 91,92")
        # All draws are made for the whole country and cut afterwards.
        self._all = every
        self._draw()
        self._cut(set(self.provinces))

    # -- drawing ---------------------------------------------------------------------------------------

    def _draw(self) -> None:
        table = {row["kode"]: row for row in csv.DictReader(open_table("provinces.csv"))}
        by_province: dict[str, list[int]] = defaultdict(list)
        for index, village in enumerate(self._all):
            by_province[village.province].append(index)
        size = {province: len(members) for province, members in by_province.items()}

        def scaled(number: int) -> int:
            return round(number * len(self._all) / VILLAGES)

        def column(name: str, of: dict[str, int]) -> dict[str, float]:
            return {p: float(table.get(p, table["53"])[name]) * of[p] for p in of}

        remote = self._remoteness()
        quota = shares(scaled(IN_3T), column("share_3t", size), size)
        first: set[int] = set()
        for province, members in by_province.items():
            first |= set(sorted(members, key=lambda i: -remote[i])[: quota[province]])

        rng = stream(self.seed, "without")
        rank = [remote[i] * 0.5 + rng.random() * 0.5 for i in range(len(self._all))]
        without: dict[str, list[int]] = {province: [] for province in by_province}
        for name, total, inside in (
            ("without_3t", WITHOUT_3T, True),
            ("without_other", WITHOUT_OTHER, False),
        ):
            groups = {p: [i for i in m if (i in first) is inside] for p, m in by_province.items()}
            sizes = {p: len(group) for p, group in groups.items()}
            chosen = shares(scaled(total), column(name, sizes), sizes)
            for province, group in groups.items():
                without[province] += sorted(group, key=lambda i: -rank[i])[: chosen[province]]

        since = [0] * len(self._all)
        for province, members in sorted(without.items()):
            pace = float(table.get(province, table["53"])["pace"])
            for index, month in self._progress(province, pace, members, remote, first):
                since[index] = month
        self._remote, self._first, self._since = remote, first, since

    def _remoteness(self) -> list[float]:
        """0 (near) to 1 (far): drawn for regency, district and village, so that far villages lie together."""
        rng = stream(self.seed, "remoteness")
        of: dict[str, float] = {}
        result = []
        for village in self._all:
            for code in (village.kode[:5], village.kode[:8]):
                if code not in of:
                    of[code] = rng.random()
            score = 0.45 * of[village.kode[:5]] + 0.35 * of[village.kode[:8]] + 0.2 * rng.random()
            if village.kode[3] == "7":  # a city
                score *= 0.15
            elif village.kode[9] == "1":  # a kelurahan
                score *= 0.7
            result.append(score)
        return result

    def _progress(
        self, province: str, pace: float, members: list[int], remote: list[float], first: set[int]
    ) -> list[tuple[int, int]]:
        """Each member's month (1 = January 2025 … 24, or NEVER): near villages first, a slow start."""
        rng = stream(self.seed, f"progress/{province}")
        order = sorted(members, key=lambda i: (remote[i] * 0.5 + rng.random() * 0.5 + 0.1 * (i in first), i))
        done, month_end = 0.0, [0.0]
        for month in range(1, 25):
            before, after = (month - 1) / 24, month / 24
            step = 0.6 / 24 + 0.4 * ((3 - 2 * after) * after**2 - (3 - 2 * before) * before**2)
            done += step * (0.8 + 0.4 * rng.random()) * pace
            month_end.append(done)
        result = []
        for position, index in enumerate(order):
            share = (position + 0.5) / len(order)
            month = next((m for m in range(1, 25) if month_end[m] >= share), NEVER)
            result.append((index, month))
        return result

    # -- cutting ---------------------------------------------------------------------------------------

    def _cut(self, provinces: set[str]) -> None:
        kept = [i for i, village in enumerate(self._all) if village.province in provinces]
        self.villages = [self._all[i] for i in kept]
        self.since = [self._since[i] for i in kept]  # month number; 0 = before the programme
        self.index = {village.kode: i for i, village in enumerate(self.villages)}
        whole = set(range(len(self._all)))
        changes = stream(self.seed, "3t/2026")
        left = set(pick(changes, sorted(self._first), round(LEFT_3T * len(self._all) / VILLAGES)))
        joined = set(pick(changes, sorted(whole - self._first), round(JOINED_3T * len(self._all) / VILLAGES)))
        second = (self._first - left) | joined
        self.in_3t = {
            2025: frozenset(n for n, i in enumerate(kept) if i in self._first),
            2026: frozenset(n for n, i in enumerate(kept) if i in second),
        }
        days = stream(self.seed, "on-air")
        drawn = [(days.random(), days.random()) for _ in self._all]
        self.on_air = [self._date(self._since[i], *drawn[i]) for i in kept]  # as first stated, dd/mm/yyyy
        self._restate(kept)
        self._darken(kept)
        self.country = Country(self._all, self._since, self._remote, self._first, kept)
        del self._all, self._remote, self._first, self._since

    @staticmethod
    def _date(month: int, a: float, b: float) -> str:
        day = 1 + int(a * 28)
        if month == 0:
            months = int(b * 114)  # from 2015 to mid 2024
            return f"{day:02d}/{months % 12 + 1:02d}/{2015 + months // 12}"
        if month == NEVER:
            return "-"
        return f"{day:02d}/{(month - 1) % 12 + 1:02d}/{2025 + (month - 1) // 12}"

    def _restate(self, kept: list[int]) -> None:
        """August and September 2026 as verified in October: some villages came on air only a month later,
        and some of the next month's already then. What the next month says of coverage is right either way."""
        self.withdrawn: dict[str, set[int]] = {}
        self.added: dict[str, set[int]] = {}
        self.verified: dict[str, dict[int, str]] = {}  # village -> its day on air, as verified
        already: set[int] = set()
        for period, counts in RESTATED.items():
            month = PERIODS.index(period) + 1
            rng = stream(self.seed, "restated" if not already else f"restated/{period}")
            chosen = []
            for since, count in zip((month, month + 1), counts, strict=True):
                among = [i for i, s in enumerate(self._since) if s == since and i not in already]
                wanted = round(count * len(self._since) / VILLAGES) or 1
                picked = set(pick(rng, among, wanted))
                already |= picked
                chosen.append({n for n, i in enumerate(kept) if i in picked})
            self.withdrawn[period], self.added[period] = chosen
            year, number = period.split("-")
            later = {i: f"{1 + i % 9:02d}/{int(number) + 1:02d}/{year}" for i in chosen[0]}
            self.verified[period] = later | {i: f"{25 + i % 6:02d}/{number}/{year}" for i in chosen[1]}

    def _darken(self, kept: list[int]) -> None:
        """Some covered villages are dark for one to three months; `dark[month]` holds them."""
        position = {i: n for n, i in enumerate(kept)}
        self.dark: list[set[int]] = [set() for _ in range(26)]
        taken: set[int] = set()
        for month in range(2, 25):
            rng = stream(self.seed, f"dark/{month}")
            most = round(rng.random() * DARK_A_MONTH * len(self._since) / VILLAGES)
            lit = [i for i, s in enumerate(self._since) if s < month - 1 and i not in taken]
            for i in pick(rng, lit, most):
                taken.add(i)
                for later in range(month, min(month + 1 + int(rng.random() * 3), 25)):
                    if i in position:
                        self.dark[later].add(position[i])

    # -- asking ----------------------------------------------------------------------------------------

    def covered(self, period: str) -> list[bool]:
        """Whether each village is covered at the end of that month, as first stated."""
        month = 0 if period == BASELINE else PERIODS.index(period) + 1
        dark = self.dark[month]
        return [since <= month and i not in dark for i, since in enumerate(self.since)]


def open_table(name: str) -> list[str]:
    """The lines of a table that lies beside this module."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
