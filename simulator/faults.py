"""The faults that can be asked for: one table, each with the feeds it makes sense for and what it does.

Those with `change` alter the file that is delivered; the others alter how it is sent: the protocols do them.
Promise: a fault changes what its sentence says and nothing else.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.deliveries import ANGGARAN, DESA_3T, DESA_4G, FORMATS, write_lines
from simulator.money import VERSIONS, rupiah, sen, with_totals
from simulator.programme import pick

Table = list[list[str]]
VILLAGES = (DESA_4G, DESA_3T)
HTTP = (DESA_4G, DESA_3T)
ALL = (DESA_4G, DESA_3T, ANGGARAN)
PAGU, REALISED = 4, 5  # columns of the budget


@dataclass
class Work:
    """A delivery under the hands of a fault: its table (header first) and what was touched."""

    feed: str
    table: Table
    rng: random.Random
    before: Table | None  # the month before, of the same year for the budget
    touched: list[dict[str, str | int]] = field(default_factory=list)

    def touch(self, row: int, column: int, was: str) -> None:
        """Notes a changed cell; `row` counts the file's data rows from 1."""
        self.touched.append(
            {
                "row": row,
                "kode": self.table[row][0 if self.feed != ANGGARAN else 1],
                "column": self.table[0][column],
                "was": was,
                "value": self.table[row][column],
            }
        )

    def put(self, row: int, column: int, value: str) -> None:
        """Writes a cell and notes it."""
        was, self.table[row][column] = self.table[row][column], value
        self.touch(row, column, was)

    def some(self, count: int, among: Callable[[list[str]], bool] = lambda row: True) -> list[int]:
        """The numbers of `count` data rows that fit."""
        fitting = [n for n, row in enumerate(self.table) if n and row[0] != "JUMLAH" and among(row)]
        return pick(self.rng, fitting, count)

    def total(self) -> None:
        """Sums JUMLAH again, as the institution's own program would."""
        self.table[1:] = with_totals(self.table[1:])


@dataclass(frozen=True)
class Fault:
    """`change` works on the table, `cut` on the bytes; neither: the protocols do it."""

    feeds: tuple[str, ...]
    what: str
    change: Callable[[Work], None] | None = None
    cut: Callable[[bytes], bytes] | None = None
    needs_before: bool = False


def _lit(row: list[str]) -> bool:
    return len(row) > 2 and row[2] in ("Ya", "3T")


def _broken_header(work: Work) -> None:
    column = {DESA_4G: 2, DESA_3T: 2, ANGGARAN: PAGU}[work.feed]
    was = work.table[0][column]
    work.table[0][column] = {DESA_4G: "status", DESA_3T: "kelas", ANGGARAN: "Pagu"}[work.feed]
    work.touched.append({"row": 0, "column": was, "was": was, "value": work.table[0][column]})


def _unknown_region(work: Work) -> None:
    for row in work.some(1, _lit):
        kode = work.table[row][0]
        work.put(row, 0, f"{kode[:9]}9{kode[10:]}")
        work.touched[-1]["kode"] = kode


def _village_cell(text: str) -> Callable[[Work], None]:
    def change(work: Work) -> None:
        for row in work.some(1, _lit if work.feed in VILLAGES else lambda row: True):
            work.put(row, 1 if work.feed in VILLAGES else 2, text)

    return change


def _duplicate_key(work: Work) -> None:
    for row in work.some(1, _lit):
        work.table.append([*work.table[row]])
        for number in (row, len(work.table) - 1):
            work.touch(number, 0, work.table[row][0])


def _too_many_refused(work: Work) -> None:
    column, value = (1, "52X") if work.feed == ANGGARAN else (2, "N/A")
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
    # a curly apostrophe as cp1252 writes it, where UTF-8 is due
    at = data.index(b",", data.index(b"\n") + 20)
    return data[:at] + b"\x92" + data[at:]


FAULTS: dict[str, Fault] = {
    "broken_header": Fault(ALL, "one column has another name", _broken_header),
    "unknown_region": Fault(VILLAGES, "one village has a code that no register has", _unknown_region),
    "duplicate_key": Fault(VILLAGES, "one village stands in the file twice", _duplicate_key),
    "formula_cell": Fault(ALL, "a name is a spreadsheet formula", _village_cell("=cmd|' /C calc'!A0")),
    "script_cell": Fault(ALL, "a name is a script element", _village_cell("<script>alert(1)</script>")),
    "too_many_refused": Fault(ALL, "one row in twenty is not as the contract says", _too_many_refused),
    "wrong_encoding": Fault(ALL, "UTF-8 where cp1252 is due, or the reverse", cut=_wrong_encoding),
    "truncated": Fault(ALL, "the file ends in the middle of a row; size and hash agree", cut=_cut_short),
    "lost_villages": Fault((DESA_4G,), "2% of the rows are missing", lambda w: _drop(w, len(w.table) // 50)),
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
    "total_mismatch": Fault((ANGGARAN,), "a JUMLAH row is not the sum of its rows", _total_mismatch),
    "national_total": Fault(
        (ANGGARAN, DESA_3T), "rows and JUMLAH agree, but not with the published total", _national_total
    ),
    "unchanged": Fault(ALL, "the content of the month (the list: the year) before", needs_before=True),
    "duplicate": Fault(ALL, "the same bytes again, with a new time"),
    "missing": Fault(ALL, "nothing is there"),
    "html_200": Fault(HTTP, "an error page with status 200"),
    "server_error": Fault(ALL, "the first request fails (503), the next do not"),
    "short_body": Fault(ALL, "fewer bytes are sent than were announced"),
    "slow": Fault(ALL, "the answer takes seconds (`seconds`, 3 unless given)"),
    "wrong_host_key": Fault((ANGGARAN,), "the SFTP server shows another host key"),
}


def read_table(data: bytes, feed: str) -> Table:
    """A delivered file as cells, header first."""
    encoding, delimiter, _ = FORMATS[feed]
    return list(csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=delimiter))


def apply(
    name: str, feed: str, data: bytes, before: bytes | None, rng: random.Random
) -> tuple[bytes, list[dict[str, str | int]]]:
    """The file with the fault in it, and the rows it touched. `before`: the file of the month before."""
    fault = FAULTS[name]
    if name == "unchanged" and before is not None:
        return before, []
    if fault.cut:
        return fault.cut(data), []
    if fault.change is None:
        return data, []
    work = Work(feed, read_table(data, feed), rng, read_table(before, feed) if before else None)
    fault.change(work)
    return b"".join(write_lines(work.table, feed)), work.touched
