"""A delivery's files as one table of text cells, each row with its place and its own raw text."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pantau.catalogue import Feed
from pantau.errors import PantauError

FIRST_ROW = 2  # the row of a file, as a spreadsheet counts, at which data begin: the header is row 1
_LARGEST = 2_000_000_000  # bytes of one unpacked file; beyond it something is wrong


@dataclass(frozen=True)
class Table:
    """The rows of a delivery.

    Attributes:
        rows: source_row (from 1, through all files), file, file_row, then one text column per header.
            Rows whose number of cells is wrong have null cells.
        ragged: source_row → number of cells, of rows that have too many or too few.
        ranges: of each file its name, first and last source_row.
        raw: source_row → the row's text as delivered.
    """

    rows: pl.DataFrame
    ragged: dict[int, int]
    ranges: list[tuple[str, int, int]]
    raw: "Raw"


class Raw:
    """The delivered text of a row, found when it is asked for (only refused rows are)."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = []
        self._spans: list[list[tuple[int, int]]] = []
        self._firsts: list[int] = []

    def add(self, first: int, lines: list[str], spans: list[tuple[int, int]]) -> None:
        """Add a file whose first row is `first`: its lines, and of each row its first and last line."""
        self._firsts.append(first)
        self._lines.append(lines)
        self._spans.append(spans)

    def __getitem__(self, source_row: int) -> str:
        file = max(i for i, first in enumerate(self._firsts) if first <= source_row)
        begin, end = self._spans[file][source_row - self._firsts[file]]
        return "".join(self._lines[file][begin:end]).rstrip("\r\n")


def read(feed: Feed, files: list[tuple[str, Path]], where: dict[str, Any]) -> Table:
    """Read the files as the feed's format says.

    Raises:
        PantauError: the bytes are not in the stated encoding, or the header is not the contract's.
    """
    headers = [column.header for column in feed.columns if column.header]
    frames, ragged, ranges, raw, first = [], {}, [], Raw(), 1
    for name, path in files:
        text = _decode(feed, _unpack(name, path, where), {**where, "file": name})
        lines = (
            text.splitlines(keepends=True) if '"' not in text else io.StringIO(text, newline="").readlines()
        )
        reader = csv.reader(iter(lines), delimiter=feed.format.delimiter, strict=True)
        order = _header(feed, headers, next(reader, []), {**where, "file": name, "row": 1})
        records: list[list[Any]] = []
        spans, begin = [], reader.line_num
        for cells in _rows(reader, {**where, "file": name}):
            if not any(cells) and len(cells) <= 1:  # a blank line is no row; it ends most files
                begin = reader.line_num
                continue
            if len(cells) != len(order):
                ragged[first + len(records)] = len(cells)
                cells = [None] * len(order)
            records.append(cells)
            spans.append((begin, reader.line_num))
            begin = reader.line_num
        raw.add(first, lines, spans)
        columns: Iterable[tuple[Any, ...]] = zip(*records, strict=True) if records else [()] * len(order)
        frame = pl.DataFrame(
            [pl.Series(header, values, pl.String) for header, values in zip(order, columns, strict=True)]
        ).select(headers)
        rows = len(records)
        frames.append(
            frame.insert_column(0, pl.Series("source_row", range(first, first + rows), pl.Int64))
            .insert_column(1, pl.Series("file", [name] * rows, pl.String))
            .insert_column(2, pl.Series("file_row", range(FIRST_ROW, FIRST_ROW + rows), pl.Int64))
        )
        ranges.append((name, first, first + rows - 1))
        first += rows
    return Table(pl.concat(frames), ragged, ranges, raw)


def _rows(reader: Any, where: dict[str, Any]) -> Iterator[list[Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise PantauError(
            f"The file's quotation marks do not match ({error}), so its rows cannot be told apart.",
            where={**where, "row": reader.line_num},
            next_step="Ask the owner to send it again, written by a program that quotes its cells.",
        ) from error


def _unpack(name: str, path: Path, where: dict[str, Any]) -> bytes:
    if not name.endswith(".gz"):
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PantauError(
            f"The file is no whole gzip file ({error}).",
            where={**where, "file": name},
            next_step="Ask the owner to send it again.",
        ) from error
    if len(content) > _LARGEST:
        raise PantauError("The file unpacks to more than 2 GB.", where={**where, "file": name})
    return content


def _decode(feed: Feed, content: bytes, where: dict[str, Any]) -> str:
    try:
        return content.decode(feed.format.encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PantauError(
            f"The file is not {feed.format.encoding}: byte 0x{content[error.start]:02X} has no meaning there.",
            where={**where, "row": line},
            next_step="Ask the owner in what encoding it was written; `format.encoding` of the feed states it.",
        ) from error


def _header(feed: Feed, expected: list[str], found: list[str], where: dict[str, Any]) -> list[str]:
    found = [cell.strip() for cell in found]
    if sorted(found) == sorted(expected):
        return found
    missing = [h for h in expected if h not in found]
    unknown = [h for h in found if h not in expected]
    raise PantauError(
        "The header is not the one agreed: "
        + "; ".join(
            f"{word} {', '.join(repr(x[:60]) for x in names[:8])}"
            for word, names in (("missing", missing), ("unknown", unknown), ("repeated", found))
            if names and (word != "repeated" or not (missing or unknown))
        )
        + ".",
        where=where,
        next_step=f"Ask {feed.owner} to send the file with the agreed header, then run the feed again; to go "
        f"on with an older delivery: `pantau delivery reject {where['delivery']} --why …`. If the change is "
        f"wanted, change feeds/{feed.name}.yml.",
    )
