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


def read(feed: Feed, content: bytes, where: dict[str, Any]) -> FileRows:
    """The records of a file. Rows whose number of cells is wrong have null cells and are broken.

    Raises:
        PantauError: the bytes are not in the stated encoding, quotation marks do not match, or the header is
            not the contract's.
    """
    assert isinstance(feed.format, Csv)
    text = _decode(feed.format.encoding, content, where)
    lines = text.splitlines(keepends=True) if '"' not in text else io.StringIO(text, newline="").readlines()
    reader = csv.reader(iter(lines), delimiter=feed.format.delimiter, strict=True)
    order = [cell.strip() for cell in next(_records(reader, where), [])]
    check_header(feed, order, {**where, "row": 1})
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
            message = f"the row's cells are not {len(order)}"
            broken.append((place, "", str(len(cells)), "cell_count", message))
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
