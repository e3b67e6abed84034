"""The ICT budget: three versions of one year's pagu and what is realised month by month.

Amounts are whole sen (1/100 rupiah), never floats, from the draw to the text. Each version's total is the
published one, in both years; accounts, names and the split are invented.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.programme import stream

HEADER = (
    "Kelompok",
    "Kode Akun",
    "Uraian",
    "Versi",
    "Pagu (Rp)",
    "Realisasi s.d. bulan ini (Rp)",
    "Alasan koreksi",
)
VERSIONS = ("RAPBN", "APBN", "PERUBAHAN")
_BILLION = 10**11  # sen
# version -> group -> pagu of the year
TOTALS = {
    "RAPBN": {"K/L": 19_900 * _BILLION, "TKDD": 10_600 * _BILLION},  # Rp30.5T
    "APBN": {"K/L": 19_250 * _BILLION, "TKDD": 10_350 * _BILLION},  # Rp29.6T
    "PERUBAHAN": {"K/L": 17_400 * _BILLION, "TKDD": 9_500 * _BILLION},  # Rp26.9T
}
# group, account, name, weight in its group, how early it spends (1 = as the whole)
ACCOUNTS = (
    ("K/L", "521211", "Belanja bahan", 4, 1.10),
    ("K/L", "521219", "Belanja barang non-operasional lainnya", 7, 1.05),
    ("K/L", "522119", "Belanja langganan daya dan jasa – bandwidth satelit", 20, 1.20),
    ("K/L", "522141", "Belanja sewa – kapasitas jaringan", 16, 1.15),
    ("K/L", "522191", "Belanja jasa lainnya", 8, 1.00),
    ("K/L", "523121", "Belanja pemeliharaan peralatan dan mesin", 6, 1.00),
    ("K/L", "532111", "Belanja modal peralatan dan mesin", 22, 0.85),
    ("K/L", "534131", "Belanja modal jaringan – menara BTS dan transmisi", 17, 0.80),
    ("TKDD", "631211", "DAK fisik – sarana TIK pendidikan", 28, 0.90),
    ("TKDD", "631212", "DAK fisik – sarana TIK kesehatan", 18, 0.88),
    ("TKDD", "632111", "DAK nonfisik – layanan digital daerah", 14, 1.00),
    ("TKDD", "661111", "Dana desa – konektivitas dan pelatihan digital", 40, 1.10),
)
# Share of the year realised by the end of each month, in 1/10,000: a slow start and a rush in December.
_SEASON = (180, 560, 1120, 1830, 2640, 3530, 4430, 5380, 6470, 7560, 8360, 9650)
# The one correction: a payment booked under the wrong account is taken back, with its reason.
CORRECTION = (
    "2026-05",
    "522191",
    "Koreksi SPM 00412 Maret 2026: salah pembebanan akun, dikembalikan ke kas negara",
)
MOST = 9_940  # no account realises more than this share of its smallest pagu, in 1/10,000


@dataclass(frozen=True)
class Amount:
    """One line of a month's budget: amounts in sen, `realised` since January."""

    group: str
    account: str
    name: str
    version: str
    pagu: int
    realised: int
    reason: str = "-"


def rupiah(sen: int) -> str:
    """`123456789` -> `1.234.567,89`."""
    whole, cents = divmod(abs(sen), 100)
    return f"{'-' if sen < 0 else ''}{whole:,}".replace(",", ".") + f",{cents:02d}"


def plain(sen: int) -> str:
    """`123456789` -> `1234567.89`, for the truth."""
    return f"{'-' if sen < 0 else ''}{abs(sen) // 100}.{abs(sen) % 100:02d}"


def sen(text: str) -> int:
    """The opposite of `rupiah`."""
    return int(text.replace(".", "").replace(",", ""))


def _split(total: int, weights: list[int]) -> list[int]:
    """Parts in whole thousands of rupiah that add up to the total exactly."""
    unit = 100_000
    parts = [total * weight // sum(weights) // unit * unit for weight in weights]
    parts[-1] += total - sum(parts)
    return parts


class Budget:
    """The budgets of 2025 and 2026 for one seed."""

    def __init__(self, seed: int) -> None:
        self._pagu: dict[tuple[int, str, str], int] = {}  # year, version, account
        self._realised: dict[tuple[str, str], int] = {}  # period, account
        for year in (2025, 2026):
            self._draw_pagu(seed, year)
            self._draw_realised(seed, year)

    def _draw_pagu(self, seed: int, year: int) -> None:
        # The change cuts every account, so that each version's pagu holds what is realised.
        rng = stream(seed, f"pagu/{year}")
        for group in ("K/L", "TKDD"):
            mine = [account for account in ACCOUNTS if account[0] == group]
            below = [0] * len(mine)
            for version, base in (("PERUBAHAN", ""), ("APBN", "PERUBAHAN"), ("RAPBN", "APBN")):
                more = TOTALS[version][group] - (TOTALS[base][group] if base else 0)
                weights = [account[3] * (80 + int(rng.random() * 40)) for account in mine]
                below = [a + b for a, b in zip(below, _split(more, weights), strict=True)]
                for account, pagu in zip(mine, below, strict=True):
                    self._pagu[year, version, account[1]] = pagu

    def _draw_realised(self, seed: int, year: int) -> None:
        rng = stream(seed, f"realised/{year}")
        for _, account, _, _, early in ACCOUNTS:
            pagu = self._pagu[year, "PERUBAHAN", account]
            before = 0
            for month, season in enumerate(_SEASON, start=1):
                # early spenders are ahead in the middle of the year and meet the others in December
                bend = 1 + (early - 1) * (12 - month) / 11
                share = min(int(season * bend * (0.985 + 0.03 * rng.random()) * 1000), MOST * 1000)
                value = max(pagu * share // 10_000_000 + int(rng.random() * 100), before)
                period = f"{year}-{month:02d}"
                if (period, account) == CORRECTION[:2]:
                    value = before * 955 // 1000
                self._realised[period, account] = before = value

    def month(self, period: str) -> list[Amount]:
        """All accounts and versions of a month, without the totals."""
        year = int(period[:4])
        return [
            Amount(
                group,
                account,
                name,
                version,
                self._pagu[year, version, account],
                self._realised[period, account],
                CORRECTION[2] if (period, account) == CORRECTION[:2] else "-",
            )
            for version in VERSIONS
            for group, account, name, _, _ in ACCOUNTS
        ]

    def table(self, period: str) -> list[list[str]]:
        """A month as delivered: header, lines and a JUMLAH for each version."""
        rows = [
            [a.group, a.account, a.name, a.version, rupiah(a.pagu), rupiah(a.realised), a.reason]
            for a in self.month(period)
        ]
        return [list(HEADER), *with_totals(rows)]


def with_totals(rows: Iterable[list[str]]) -> list[list[str]]:
    """The lines with a fresh JUMLAH after the last line of each version."""
    lines = [row for row in rows if row[0] != "JUMLAH"]
    result = []
    for version in VERSIONS:
        mine = [row for row in lines if row[3] == version]
        pagu, realised = (rupiah(sum(sen(row[column]) for row in mine)) for column in (4, 5))
        result += [*mine, ["JUMLAH", "", "", version, pagu, realised, "-"]]
    return result
