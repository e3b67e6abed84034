"""The rows that stand behind a figure: of each fact, which ones count in it and which delivered rows made them.

Promise: what is listed comes from the build's own facts and manifest; nothing is computed here. The command line
(`pantau trace`) and the audit pages read the same lists.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from pantau.database import Connection
from pantau.read import REGISTER

DESA_4G, DESA_3T, OPERATORS = "komdigi__desa_4g", "komdigi__desa_3t", "operator__cakupan"


@dataclass(frozen=True)
class Fact:
    """A table of facts, as its rows are shown.

    Attributes:
        indicators: which count its rows.
        page, group: the columns by which the rows are spread over pages, and grouped on a page.
        key: the column that names a row.
        cells: what else is shown of it, by name: SQL that gives a text or null; a name in braces is a word.
        sources: the feeds whose rows made it, and the SQL of the row's number ({part}: of a feed in parts); empty,
            and last, where the region's code leads to the row.
        counted: which rows count at all.
        brief: opening history names only the rows of which this holds, and gives the others as ranges.
        region: the column with the code of the village, if there is one.
    """

    table: str
    indicators: tuple[str, ...]
    page: str
    group: str
    key: str
    cells: dict[str, str]
    sources: dict[str, str]
    counted: str = "true"
    brief: str = ""
    region: str = "kode"


_OF_PART = "operator_source_rows[array_position(operators, {part})]"
_CLAIM = (
    "case klaim when 'sepakat_ya' then {sepakat_ya} when 'operator_saja' then {operator_saja}"
    " when 'komdigi_saja' then {komdigi_saja} else {sepakat_tidak} end"
)
_RUPIAH = "replace(to_char({column}, 'FM999,999,999,999,999,999,990'), ',', '.')"
FACTS = (
    Fact(
        "fct_desa_4g", ("K1", "K2"), "provinsi_kode", "kabupaten_kode", "kode",
        {"tiga_t": "tiga_t", "terjangkau_4g": "case when terjangkau_4g then {yes} else {no} end"},
        {DESA_4G: "source_row", REGISTER: "", DESA_3T: ""},
        brief="not terjangkau_4g",
    ),
    Fact(
        "fct_klaim", ("R1",), "provinsi_kode", "kabupaten_kode", "kode",
        {"klaim": _CLAIM},
        {DESA_4G: "source_row", OPERATORS: _OF_PART, REGISTER: ""},
    ),
    Fact(
        "fct_bts", ("K3",), "provinsi_kode", "kabupaten_kode", "site_id",
        {
            "desa": "kode", "tiga_t": "tiga_t", "status": "status", "on_air_on": "on_air_on::text",
            "is_on_air": "case when is_on_air then {yes} else {no} end",
        },
        {"bakti__bts": "source_row", DESA_3T: ""},
    ),
    Fact(
        "fct_kewajiban", ("K15",), "operator", "provinsi_kode", "kode",
        {
            "due_on": "due_on::text", "built_on": "built_on::text", "bukti": "bukti",
            "is_built": "case when is_built then {yes} else {no} end",
        },
        {"komdigi__kewajiban": "source_row"},
        counted="is_due",
    ),
    Fact(
        "fct_anggaran_tik", ("K12",), "versi_anggaran", "kelompok_belanja", "kode_akun",
        {
            "uraian": "uraian",
            "realisasi_kumulatif_idr": _RUPIAH.replace("{column}", "realisasi_kumulatif_idr"),
            "pagu_idr": _RUPIAH.replace("{column}", "pagu_idr"),
        },
        {"kemenkeu__anggaran_tik": "source_row"},
        region="",
    ),
)  # fmt: skip


def fact_of(indicator: str) -> Fact | None:
    """The fact whose rows an indicator counts; None for an indicator that counts none of these."""
    return next((fact for fact in FACTS if indicator in fact.indicators), None)


@dataclass(frozen=True)
class Place:
    """Where a stretch of a delivery's rows lies: in which file, sheet, and from which row of it on."""

    file_no: int
    name: str
    sha256: str
    bytes: int
    sheet: str
    first: int
    last: int
    first_file_row: int


@dataclass(frozen=True)
class Source:
    """A reading that stands behind the rows: one feed, or one part of it."""

    feed: str
    part: str
    how: str
    source_period: str
    reading_id: int
    delivery_id: int
    places: list[Place]


CELL, LINE = "\x1f", "\x1e"  # what separates cells, and rows; no text that was delivered keeps them
_VILLAGE = re.compile(r"(?<!\d)(\d{2})\.?(\d{2})\.?(\d{2})\.?(\d{4})(?!\d)")


class Behind:
    """The rows of one fact in one build and period."""

    def __init__(self, connection: Connection, build: int, period: str, fact: Fact) -> None:
        self._connection, self._build, self._period, self.fact = connection, build, period, fact
        inputs = connection.execute(
            "select i.feed, i.part, i.how, i.source_period, i.reading_id, r.delivery_id from ops.build_input i"
            " join ops.reading r on r.id = i.reading_id where i.build_id = %s and i.period = %s and i.feed = any(%s)"
            " order by array_position(%s, i.feed), i.part",
            [build, period, list(fact.sources), list(fact.sources)],
        ).fetchall()
        sources = [Source(**row, places=places_of(connection, row["reading_id"])) for row in inputs]
        self.own = [s for s in sources if fact.sources[s.feed]]  # the fact knows the row
        self.lists = [s for s in sources if not fact.sources[s.feed]]  # the region leads to it

    def numbers(self, where: Sequence[tuple[str, str]] = ()) -> dict[int, list[int]]:
        """By reading, its rows behind what fulfils the conditions (columns and values), ascending."""
        found: dict[int, set[int]] = {source.reading_id: set() for source in (*self.own, *self.lists)}
        lists = [
            (found[s.reading_id], rows_by_region(self._connection, s.feed, s.reading_id)) for s in self.lists
        ]
        columns = [sql.SQL(self.fact.region or "null"), *(self._number(source) for source in self.own)]
        for region, *numbers in self._select(columns, where=where):
            for source, number in zip(self.own, numbers, strict=True):
                if number is not None:
                    found[source.reading_id].add(number)
            for its, by_region in lists:
                if region in by_region:
                    its.add(by_region[region])
        return {reading: sorted(numbers) for reading, numbers in found.items()}

    def lines(self, words: Mapping[str, str], *, only: str = "") -> list[tuple[str, str, str, str, str]]:
        """Page, group, key, region, and one text of the cells and of the row in the file of each of `own`, in the
        order of pages, groups and keys.

        Args:
            words: of the cells.
            only: the fact's `brief`, or "".
        """
        fact, said = self.fact, {name: sql.Literal(word) for name, word in words.items()}
        cells = [sql.SQL(cell).format(**said) for cell in fact.cells.values()]
        places = [_in_file(self._number(source), source) for source in self.own]
        text = sql.SQL("concat_ws({}, {})").format(
            sql.Literal(CELL),
            sql.SQL(", ").join(
                sql.SQL("translate(coalesce({}, '–'), {}, '')").format(cell, sql.Literal(CELL + LINE))
                for cell in [*cells, *places]
            ),
        )
        columns = [fact.page, fact.group, fact.key, fact.region or "null"]
        return self._select(
            [*(sql.SQL(c) for c in columns), text], only=only, by=(fact.page, fact.group, fact.key)
        )

    def stretches(self) -> list[tuple[str, str, int, int]]:
        """Of the rows that `brief` leaves out: page, group, and first and last of each stretch of source rows of the
        first of `own`."""
        fact, number = self.fact, self._number(self.own[0])
        inner = self._statement(
            [
                sql.SQL(fact.page + " as page"), sql.SQL('{} as "group"').format(sql.SQL(fact.group)),
                sql.SQL("{} as n").format(number),
                sql.SQL("{n} - row_number() over (partition by {page}, {group} order by {n}) as island").format(
                    n=number, page=sql.SQL(fact.page), group=sql.SQL(fact.group)
                ),
            ],
            only=f"not ({fact.brief})",
        )  # fmt: skip
        statement = sql.SQL(
            'select page, "group", min(n), max(n) from ({}) rows where n is not null'
            ' group by page, "group", island order by page collate "C", "group" collate "C", min(n)'
        ).format(inner)
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(statement).fetchall()

    def _number(self, source: Source) -> sql.Composable:
        return sql.SQL(self.fact.sources[source.feed]).format(part=sql.Literal(source.part))

    def _statement(
        self, columns: Sequence[sql.Composable], where: Sequence[tuple[str, str]] = (), only: str = ""
    ) -> sql.Composed:
        chosen: list[sql.Composable] = [sql.SQL(self.fact.counted), *([sql.SQL(only)] if only else [])]
        chosen += [sql.SQL("{} = {}").format(sql.Identifier(c), sql.Literal(v)) for c, v in where]
        return sql.SQL("select {} from {} where build_id = {} and period = {} and {}").format(
            sql.SQL(", ").join(columns),
            sql.Identifier("facts", self.fact.table),
            sql.Literal(self._build),
            sql.Literal(self._period),
            sql.SQL(" and ").join(chosen),
        )

    def _select(
        self,
        columns: Sequence[sql.Composable],
        *,
        where: Sequence[tuple[str, str]] = (),
        only: str = "",
        by: Sequence[str] = (),
    ) -> list[tuple[Any, ...]]:
        order = sql.SQL(", ").join(sql.SQL(f'{column} collate "C"') for column in by)
        statement = self._statement(columns, where, only) + (
            sql.SQL(" order by ") + order if by else sql.SQL("")
        )
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(statement).fetchall()


def _in_file(number: sql.Composable, source: Source) -> sql.Composed:
    """SQL of a row's number in its file, as text; of a delivery in several files, `file/row`."""
    firsts = sql.Literal([place.first for place in source.places])
    rows = sql.Literal([place.first_file_row for place in source.places])
    if len(source.places) == 1:
        return sql.SQL("({} + {})::text").format(
            number, sql.Literal(source.places[0].first_file_row - source.places[0].first)
        )
    bucket = sql.SQL("width_bucket({}, {}::bigint[])").format(number, firsts)
    return sql.SQL("{b} || '/' || {n} - ({firsts}::bigint[])[{b}] + ({rows}::bigint[])[{b}]").format(
        b=bucket, n=number, firsts=firsts, rows=rows
    )


def places_of(connection: Connection, reading: int) -> list[Place]:
    """Where the rows of a reading lie, in the order of its files."""
    rows = connection.execute(
        "select f.no as file_no, f.name, f.sha256, f.bytes, x.sheet, x.first_source_row as first,"
        " x.last_source_row as last, x.first_file_row from ops.reading_file x join ops.reading r"
        " on r.id = x.reading_id join ops.delivery_file f on f.delivery_id = r.delivery_id and f.no = x.file_no"
        " where x.reading_id = %s order by x.first_source_row, f.no",
        [reading],
    ).fetchall()
    return [Place(**row) for row in rows]


def in_file(places: Sequence[Place], source_row: Any) -> tuple[Place, int] | None:
    """The file of a source row and its number there; None for what is no row of it."""
    for place in places:
        if isinstance(source_row, int) and place.first <= source_row <= place.last:
            return place, place.first_file_row + source_row - place.first
    return None


def rows_by_region(connection: Connection, feed: str, reading: int) -> dict[str, int]:
    """The row of each region in a reading of a register or of a list of villages."""
    column = "kode" if feed == REGISTER else "wilayah_kode"
    statement = sql.SQL("select {}, source_row from {} where reading_id = {}").format(
        sql.Identifier(column), sql.Identifier("raw", feed), sql.Literal(reading)
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(statement).fetchall())


def refused_villages(connection: Connection, reading: int) -> dict[str, int]:
    """By the village's code as it was delivered, where its refused row stands among a reading's refusals, from 0."""
    found: dict[str, int] = {}
    refusals = connection.execute(
        "select raw from ops.quarantine where reading_id = %s order by source_row", [reading]
    ).fetchall()
    for number, row in enumerate(refusals):
        for parts in _VILLAGE.findall(row["raw"]):
            found.setdefault(".".join(parts), number)
    return found


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as stretches without a gap, first and last of each."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [(first, last) for first, last in found]
