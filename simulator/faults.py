"""The faults that can be asked for: one table, each with the feeds it makes sense for and what it does.

Those with `change` alter what is delivered, those with `cut` its bytes (of a list served in pages: each page);
the others alter how it is sent: the protocols do them.
Promise: a fault changes what its sentence says and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from simulator import mess, workbook
from simulator.claims import CAKUPAN
from simulator.deliveries import ANGGARAN, DESA_3T, DESA_4G, FEED_PERIODS, PAGED, Table
from simulator.money import VERSIONS, rupiah, sen, with_totals
from simulator.obligations import KEWAJIBAN
from simulator.programme import pick
from simulator.sites import BTS, with_subtotals

Cell = str | int | float
Touched = list[dict[str, Cell]]
VILLAGES = (DESA_4G, DESA_3T)
HTTP = (DESA_4G, DESA_3T, *PAGED)
SFTP = (ANGGARAN, BTS)
ALL = tuple(FEED_PERIODS)
PAGU, REALISED = 4, 5  # columns of the budget
# The columns with the code and the name of the village (of the account); who sends no codes is known by names.
KODE = {ANGGARAN: "Kode Akun", BTS: "Lokasi / Kode desa"}
NAMA = {ANGGARAN: "Uraian", BTS: "Lokasi / Desa"}


@dataclass
class Work:
    """A delivery under the hands of a fault: its table (header first), its sheet, and what was touched."""

    feed: str
    table: Table
    rng: random.Random
    before: Table | None  # the month before, of the same year for the budget
    sheet: str = workbook.SHEET
    touched: Touched = field(default_factory=list)

    @property
    def name(self) -> int:
        """The column of the name."""
        return int(self.table[0].index(NAMA.get(self.feed, "nama_desa")))

    @property
    def kode(self) -> int:
        """The column of the code; of the name, where no codes are sent."""
        header = KODE.get(self.feed, "kode_desa")
        return int(self.table[0].index(header)) if header in self.table[0] else self.name

    def touch(self, row: int, column: int, was: Any) -> None:
        """Notes a changed cell; `row` counts the file's data rows from 1."""
        self.touched.append(
            {
                "row": row,
                "kode": _shown(self.table[row][self.kode]),
                "column": self.table[0][column],
                "was": _shown(was),
                "value": _shown(self.table[row][column]),
            }
        )

    def put(self, row: int, column: int, value: Cell) -> None:
        """Writes a cell and notes it."""
        was, self.table[row][column] = self.table[row][column], value
        self.touch(row, column, was)

    def rename(self, column: int, name: str) -> None:
        """Writes another header and notes it, as row 0."""
        was, self.table[0][column] = self.table[0][column], name
        self.touched.append({"row": 0, "column": was, "was": was, "value": name})

    def some(self, count: int, among: Callable[[list[Any]], bool] = lambda row: True) -> list[int]:
        """The numbers of `count` data rows that fit."""
        fitting = [n for n, row in enumerate(self.table) if n and self._is_data(row) and among(row)]
        return pick(self.rng, fitting, count)

    def _is_data(self, row: list[Any]) -> bool:
        return isinstance(row[0], int) if self.feed == BTS else row[0] != "JUMLAH"

    def total(self) -> None:
        """Makes the totals again, as the institution's own program would."""
        if self.feed == ANGGARAN:
            self.table[1:] = with_totals(self.table[1:])
        elif self.feed == BTS:
            self.table[1:] = with_subtotals(self.table[1:])


def _shown(cell: Any) -> Cell:
    """A cell in the answer to an order: JSON knows no days."""
    if cell is None:
        return ""
    shown: Cell = cell.isoformat() if isinstance(cell, date) else cell
    return shown


@dataclass(frozen=True)
class Fault:
    """`change` works on the table, `cut` on the bytes; neither: the protocols do it."""

    feeds: tuple[str, ...]
    what: str
    change: Callable[[Work], None] | None = None
    cut: Callable[[bytes], bytes] | None = None
    needs_before: bool = False


def _lit(row: list[Any]) -> bool:
    return len(row) > 2 and row[2] in ("Ya", "3T")


def _rows(work: Work, count: int = 1) -> list[int]:
    """Rows that matter: of villages that are covered, or listed."""
    return work.some(count, _lit) if work.feed in VILLAGES else work.some(count)


def _broken_header(work: Work) -> None:
    was, name = {
        DESA_4G: ("status_4g", "status"),
        DESA_3T: ("kategori", "kelas"),
        ANGGARAN: ("Pagu (Rp)", "Pagu"),
        CAKUPAN: ("terlayani_pct", "terlayani"),
        BTS: ("Lokasi / Kode desa", "Lokasi / Kode"),
        KEWAJIBAN: ("tenggat", "jatuh_tempo"),
    }[work.feed]
    work.rename(work.table[0].index(was), name)


def _unit_changed(work: Work) -> None:
    for column, name in enumerate(work.table[0]):
        if name.endswith(" / derajat"):
            work.rename(column, name.replace("derajat", "menit"))


def _sheet_missing(work: Work) -> None:
    work.sheet = "Lembar1"


def _unknown_region(work: Work) -> None:
    by_name = work.kode == work.name
    for row in work.some(1, _lit if work.feed in VILLAGES else lambda row: isinstance(row[work.kode], str)):
        kode = work.table[row][work.kode]
        work.put(row, work.kode, "Tidak Terdaftar" if by_name else mess.unknown(kode))
        work.touched[-1]["kode"] = kode


def _village_cell(text: str) -> Callable[[Work], None]:
    def change(work: Work) -> None:
        for row in _rows(work):
            work.put(row, work.name, text)

    return change


def _duplicate_key(work: Work) -> None:
    for row in _rows(work):
        again = row + 1 if work.feed == BTS else len(work.table)
        work.table.insert(again, [*work.table[row]])
        for number in (row, again):
            work.touch(number, 0, work.table[row][0])
    work.total()


def _too_many_refused(work: Work) -> None:
    value = "52X" if work.feed == ANGGARAN else "N/A"
    told = {ANGGARAN: "Kode Akun", CAKUPAN: "teknologi", BTS: "Status", KEWAJIBAN: "operator"}
    column = work.table[0].index(told[work.feed]) if work.feed in told else 2
    for row in work.some(max(1, len(work.table) // 20)):
        work.put(row, column, value)


def _negative_amount(work: Work) -> None:
    for row in work.some(1, lambda row: row[3] == "APBN"):
        work.put(row, REALISED, "-" + work.table[row][REALISED])
    work.total()


def _jump_tenfold(work: Work) -> None:
    for row in work.some(len(work.table)):
        for column in (PAGU, REALISED):
            work.put(row, column, rupiah(sen(work.table[row][column]) * 10))
    work.total()


def _for_account(work: Work, column: int, value: Callable[[list[str]], int]) -> None:
    """One account's amount, the same in all its versions."""
    (first,) = work.some(1)
    account = work.table[first][1]
    for row in work.some(len(work.table), lambda row: row[1] == account):
        work.put(row, column, rupiah(value(work.table[row])))
    work.total()


def _cumulative_falls(work: Work) -> None:
    before = {(row[1], row[3]): sen(row[REALISED]) for row in (work.before or [])[1:]}
    _for_account(work, REALISED, lambda row: before[row[1], row[3]] * 9 // 10)
    for row in work.table[1:]:
        row[6] = "-"


def _over_budget(work: Work) -> None:
    highest = {row[1]: max(sen(r[PAGU]) for r in work.table[1:] if r[1] == row[1]) for row in work.table[1:]}
    _for_account(work, REALISED, lambda row: highest[row[1]] * 103 // 100)


def _versions_disagree(work: Work) -> None:
    for row in work.some(1, lambda row: row[3] == "APBN"):
        work.put(row, REALISED, rupiah(sen(work.table[row][REALISED]) - 100_000_000_00))
    work.total()


def _total_mismatch(work: Work) -> None:
    if work.feed == BTS:
        row = next(n for n, cells in enumerate(work.table) if cells[0] in ("Subtotal", "JUMLAH"))
        work.put(row, 1, work.table[row][1] + 1)
        return
    row = next(n for n, cells in enumerate(work.table) if cells[0] == "JUMLAH" and cells[3] == VERSIONS[1])
    work.put(row, REALISED, rupiah(sen(work.table[row][REALISED]) + 1_000_000_00))


def _national_total(work: Work) -> None:
    if work.feed == DESA_3T:
        _drop(work, max(1, len(work.table) // 60))
        return
    for row in work.some(1, lambda row: row[3] == "APBN"):
        work.put(row, PAGU, rupiah(sen(work.table[row][PAGU]) + 1_500_000_000_000_00))
    work.total()


def _drop(work: Work, count: int) -> None:
    gone = work.some(count)
    work.touched += [{"row": row, "kode": work.table[row][0]} for row in gone]
    lost = set(gone)
    work.table[:] = [cells for n, cells in enumerate(work.table) if n not in lost]


def _mass_outage(work: Work) -> None:
    lit = sum(_lit(row) for row in work.table)
    for row in work.some(lit // 10, _lit):
        work.table[row][3] = "-"
        work.put(row, 2, "Tidak")


def _future_date(work: Work) -> None:
    for row in work.some(1, _lit):
        work.put(row, 3, "17/08/2029")


def _no_date(work: Work) -> None:
    for row in work.some(1, _lit):
        work.put(row, 3, "-")


def _cut_short(data: bytes) -> bytes:
    return data[: len(data) * 3 // 5 - 7]


def _wrong_encoding(data: bytes) -> bytes:
    if " – ".encode("cp1252") in data:
        return data.decode("cp1252").encode("utf-8")
    # a curly apostrophe as cp1252 writes it, where UTF-8 is due: at the end of a name
    name = b'"nama_desa": "'
    at = data.index(name) + len(name) if name in data else data.index(b",", data.index(b"\n") + 20)
    return data[:at] + b"\x92" + data[at:]


FAULTS: dict[str, Fault] = {
    "broken_header": Fault(ALL, "one column (or key) has another name", _broken_header),
    "unit_changed": Fault((BTS,), "the row of units says minutes, not degrees", _unit_changed),
    "sheet_missing": Fault((BTS,), "the workbook's only sheet has another name", _sheet_missing),
    "unknown_region": Fault(
        (DESA_4G, DESA_3T, CAKUPAN, BTS, KEWAJIBAN),
        "one village has a code (a name, where no codes are sent) that no register has",
        _unknown_region,
    ),
    "duplicate_key": Fault(
        (DESA_4G, DESA_3T, CAKUPAN, BTS, KEWAJIBAN), "one row stands in the file twice", _duplicate_key
    ),
    "formula_cell": Fault(ALL, "a name is a spreadsheet formula", _village_cell("=cmd|' /C calc'!A0")),
    "script_cell": Fault(ALL, "a name is a script element", _village_cell("<script>alert(1)</script>")),
    "too_many_refused": Fault(ALL, "one row in twenty is not as the contract says", _too_many_refused),
    "wrong_encoding": Fault(
        tuple(feed for feed in ALL if feed != BTS),
        "UTF-8 where cp1252 is due, or the reverse",
        cut=_wrong_encoding,
    ),
    "truncated": Fault(ALL, "the file (the page) ends in its middle; size and hash agree", cut=_cut_short),
    "lost_villages": Fault((DESA_4G,), "2% of the rows are missing", lambda w: _drop(w, len(w.table) // 50)),
    "lost_claims": Fault((CAKUPAN,), "20% of the claims are missing", lambda w: _drop(w, len(w.table) // 5)),
    "mass_outage": Fault((DESA_4G,), "10% of the covered villages are dark", _mass_outage),
    "future_date": Fault((DESA_4G,), "one village is on air from a day in 2029", _future_date),
    "no_date": Fault((DESA_4G,), "one covered village has no day of going on air", _no_date),
    "negative_amount": Fault((ANGGARAN,), "one account's realisation in APBN is negative", _negative_amount),
    "jump_tenfold": Fault((ANGGARAN,), "all amounts are ten times as high: another unit", _jump_tenfold),
    "cumulative_falls": Fault(
        (ANGGARAN,),
        "one account's realisation is below last month's, without a reason",
        _cumulative_falls,
        needs_before=True,
    ),
    "over_budget": Fault((ANGGARAN,), "one account realises more than its pagu", _over_budget),
    "versions_disagree": Fault((ANGGARAN,), "a realisation differs between versions", _versions_disagree),
    "total_mismatch": Fault(SFTP, "a JUMLAH (a Subtotal) is not the sum of its rows", _total_mismatch),
    "national_total": Fault(
        (ANGGARAN, DESA_3T), "rows and JUMLAH agree, but not with the published total", _national_total
    ),
    "unchanged": Fault(ALL, "the content of the month (the list: the year) before", needs_before=True),
    "duplicate": Fault(ALL, "the same content again, with a new time"),
    "missing": Fault(ALL, "nothing is there"),
    "html_200": Fault(HTTP, "an error page with status 200"),
    "server_error": Fault(ALL, "the first request fails (503), the next do not"),
    "short_body": Fault(ALL, "fewer bytes are sent than were announced"),
    "slow": Fault(ALL, "the answer takes seconds (`seconds`, 3 unless given)"),
    "hang": Fault(PAGED, "no answer ever comes"),
    "too_many_requests": Fault(PAGED, "every request is one too many (429, Retry-After: 1)"),
    "page_error": Fault(PAGED, "the last page fails (500), however often it is asked for"),
    "wrong_total": Fault(PAGED, "every page states seven items more than there are"),
    "restated_while_paging": Fault(
        (CAKUPAN,),
        "when the second page is asked for, the list is another: 1% of the claims are gone (410 once)",
        lambda w: _drop(w, max(1, len(w.table) // 100)),
    ),
    "token_refused": Fault((CAKUPAN,), "client id and secret are not accepted"),
    "token_expires": Fault((CAKUPAN,), "each token serves one request"),
    "wrong_host_key": Fault(SFTP, "the SFTP server shows another host key"),
}


def apply(name: str, feed: str, table: Table, before: Table | None, rng: random.Random) -> Work:
    """The delivery with a fault of kind `change` in it. `before`: that of the month before."""
    work = Work(feed, [[*row] for row in table], rng, before)  # the rows may be kept elsewhere
    change = FAULTS[name].change
    assert change is not None
    change(work)
    return work
