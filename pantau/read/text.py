"""Delimited text with a header: each record is a row, as a spreadsheet would count it."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from pantau.catalogue import Csv, Feed
from pantau.errors import PantauError
from pantau.read.table import FileRows, check_header, headers

_BEGINS = 2  # the header is row 1
_NUMBER, _COUNT, _LINE = " number", " count", " line"  # columns of our own: no header begins with a space


def read(feed: Feed, content: bytes, where: dict[str, Any]) -> FileRows:
    """The records of a file. Rows whose number of cells is wrong have null cells and are broken.

    Raises:
        PantauError: the bytes are not in the stated encoding, quotation marks do not match, or the header is
            not the contract's.
    """
    assert isinstance(feed.format, Csv)
    text, delimiter = _decode(feed.format.encoding, content, where), feed.format.delimiter
    lines = text.replace("\r\n", "\n").split("\n")
    quoted = _quoted(lines, delimiter)
    if quoted is None or any("\r" in line for line in lines):
        return _by_record(feed, delimiter, text, where)
    # Each line is a record, and those without quotation marks are cut at once, many times faster.
    return _by_line(feed, delimiter, lines, quoted, where)


def _quoted(lines: list[str], delimiter: str) -> dict[int, list[str]] | None:
    """The cells of each line that has quotation marks; None where a record is not one line."""
    try:
        return {
            number: next(csv.reader([line], delimiter=delimiter, strict=True))
            for number, line in enumerate(lines)
            if '"' in line
        }
    except csv.Error:
        return None


def _by_line(
    feed: Feed, delimiter: str, lines: list[str], quoted: dict[int, list[str]], where: dict[str, Any]
) -> FileRows:
    order = _order(feed, quoted.get(0) or (lines[0].split(delimiter) if lines[0] else []), where)
    rows = pl.DataFrame({_LINE: lines[1:]}, schema={_LINE: pl.String}).with_row_index(_NUMBER, offset=1)
    marked = pl.Series([number for number in quoted if number], dtype=rows.schema[_NUMBER])
    cut = (
        rows.filter((pl.col(_LINE) != "") & ~pl.col(_NUMBER).is_in(marked.implode()))
        .with_columns((pl.col(_LINE).str.count_matches(delimiter, literal=True) + 1).alias(_COUNT))
        .with_columns(pl.when(pl.col(_COUNT) == len(order)).then(_LINE))
        .with_columns(pl.col(_LINE).str.split_exact(delimiter, len(order) - 1).struct.rename_fields(order))
        .unnest(_LINE)
    )
    whole = [
        (number, *(cells if len(cells) == len(order) else [None] * len(order)), len(cells))
        for number, cells in quoted.items()
        if number and cells != [""]
    ]
    table = pl.concat([cut, pl.DataFrame(whole, schema=cut.schema, orient="row")]).sort(_NUMBER)
    places = (table[_NUMBER] - 1 + _BEGINS).to_list()
    wrong = table.filter(pl.col(_COUNT) != len(order)).select(pl.col(_NUMBER) - 1 + _BEGINS, _COUNT)
    return FileRows(
        table.select(headers(feed)),
        places,
        _BEGINS,
        [_broken(place, count, order) for place, count in wrong.iter_rows()],
        lambda row: lines[places[row] - 1],
    )


def _by_record(feed: Feed, delimiter: str, text: str, where: dict[str, Any]) -> FileRows:
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    order = _order(feed, next(_records(reader, where), []), where)
    records: list[list[Any]] = []
    places: list[int] = []
    spans: list[tuple[int, int]] = []
    broken: list[tuple[int, str, str, str, str]] = []
    begin = reader.line_num
    for place, cells in enumerate(_records(reader, where), _BEGINS):
        span, begin = (begin, reader.line_num), reader.line_num
        if not any(cells) and len(cells) <= 1:  # a blank line is no row; it ends most files
            continue
        if len(cells) != len(order):
            broken.append(_broken(place, len(cells), order))
            cells = [None] * len(order)
        records.append(cells)
        places.append(place)
        spans.append(span)
    columns: Iterable[tuple[Any, ...]] = zip(*records, strict=True) if records else [()] * len(order)
    table = pl.DataFrame(
        [pl.Series(header, values, pl.String) for header, values in zip(order, columns, strict=True)]
    ).select(headers(feed))

    def text_of(row: int) -> str:
        first, last = spans[row]
        return "".join(lines[first:last]).rstrip("\r\n")

    return FileRows(table, places, _BEGINS, broken, text_of)


def _order(feed: Feed, header: list[str], where: dict[str, Any]) -> list[str]:
    """The headers as they stand in the file. Raises PantauError where they are not the contract's."""
    order = [cell.strip() for cell in header]
    check_header(feed, order, {**where, "row": 1})
    return order


def _broken(place: int, count: int, order: list[str]) -> tuple[int, str, str, str, str]:
    return place, "", str(count), "cell_count", f"the row's cells are not {len(order)}"


def _records(reader: Any, where: dict[str, Any]) -> Iterator[list[Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise PantauError(
            f"The file's quotation marks do not match ({error}), so its rows cannot be told apart.",
            where={**where, "row": reader.line_num},
            next_step="Ask the owner to send it again, written by a program that quotes its cells.",
        ) from error


def _decode(encoding: str, content: bytes, where: dict[str, Any]) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PantauError(
            f"The file is not {encoding}: byte 0x{content[error.start]:02X} has no meaning there.",
            where={**where, "row": line},
            next_step="Ask the owner in what encoding it was written; `format.encoding` of the feed states it.",
        ) from error
