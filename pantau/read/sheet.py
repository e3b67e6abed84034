"""One sheet of a spreadsheet (xlsx): its header rows become one header per column, its rows keep their numbers.

A spreadsheet is a zip of XML from outside: what calamine is given has been unpacked within limits first, and
holds no document type. A number, a date and an error stand here as the text that the contract reads.
"""

import io
import re
import zipfile
import zlib
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from python_calamine import CalamineError, CalamineSheet, load_workbook

from pantau.catalogue import Column, Feed, Xlsx
from pantau.errors import PantauError
from pantau.read import months
from pantau.read.table import FileRows, check_header, headers

_ENTRIES = 1_000  # files in the zip
_UNPACKED, _SMALL, _RATIO = 500_000_000, 10_000_000, 200  # bytes in all; up to which no ratio is a bomb
_CELLS = 10_000_000  # of the rectangle from A1 to the last cell: calamine fills it
_ERRORS = {
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!", "#CALC!",
    "#FIELD!", "#BLOCKED!", "#UNKNOWN!", "#CONNECT!", "#BUSY!", "#PYTHON!", "#EXTERNAL!",
}  # fmt: skip
_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,7})["']""")
_ERROR_CELL = re.compile(rb"""(<(?:\w+:)?c\b[^>]*?\bt\s*=\s*["'])e(["'])""")


def read(feed: Feed, path: Path, where: dict[str, Any]) -> FileRows:
    """The rows of the feed's sheet that lie below its header.

    Raises:
        PantauError: the file is no whole spreadsheet, is larger than it may be, has no such sheet, or the
            header is not the contract's.
    """
    form = feed.format
    assert isinstance(form, Xlsx)
    where = {**where, "sheet": form.sheet}
    found = _open(feed, path, where)
    rows = found.to_python(skip_empty_area=False)
    begins = form.header_row + form.header_rows
    header = _header(rows, found.merged_cell_ranges or [], form)
    check_header(feed, [h for h in header if h], {**where, "row": form.header_row})
    placed = [(place, row) for place, row in enumerate(rows, 1) if place >= begins and not _blank(row)]
    columns = {column.header: column for column in feed.columns if column.header}
    cells, broken = [], []
    for no, title in enumerate(header):
        if title:
            texts = [_text(row[no], form, columns[title]) for _, row in placed]
            cells.append(pl.Series(title, texts, pl.String))
            name, rule, message = columns[title].name, "type", "is an error of the spreadsheet"
        else:
            texts = [_text(row[no], form) for _, row in placed]
            name, rule, message = (
                "",
                "cell_count",
                f"column {_letters(no)} has no header, and a cell in this row",
            )
        broken += [
            (place, name, text, rule, message)
            for (place, _), text in zip(placed, texts, strict=True)
            if (text in _ERRORS if title else text.strip())
        ]
    return FileRows(
        pl.DataFrame(cells).select(headers(feed)),
        [place for place, _ in placed],
        begins,
        broken,
        lambda row: " | ".join(_text(cell, form) for cell in placed[row][1]).rstrip(" |"),
        form.sheet,
    )


def _open(feed: Feed, path: Path, where: dict[str, Any]) -> CalamineSheet:
    assert isinstance(feed.format, Xlsx)
    content, too_large = _unpacked(feed, path, where)
    try:
        book = load_workbook(content)
        if feed.format.sheet not in book.sheet_names:
            raise PantauError(
                f"The spreadsheet has no sheet '{feed.format.sheet}'; it has "
                f"{', '.join(repr(n[:60]) for n in book.sheet_names[:8]) or 'none'}.",
                where=where,
                next_step=f"Ask {feed.owner} to send the file with the agreed sheet, then run the feed again. If "
                f"the change is wanted, change feeds/{feed.name}.yml.",
            )
        return book.get_sheet_by_name(feed.format.sheet)
    except CalamineError as error:
        if too_large:
            raise _refused(feed, f"its sheet spans more than {_CELLS:,} cells", where) from error
        raise _refused(feed, f"it is damaged ({error})", where) from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":  # a panic of the library is no Exception
            raise
        raise _refused(feed, "it cannot be read", where) from error


def _unpacked(feed: Feed, path: Path, where: dict[str, Any]) -> tuple[io.BytesIO, bool]:
    """The spreadsheet's XML parts, unpacked, and whether a sheet was left out because it spans too many cells.

    Sizes that a zip states may lie; what is read of it here may not be longer than that.
    """
    if path.stat().st_size > _UNPACKED:
        raise _refused(feed, f"it has more than {_UNPACKED:,} bytes", where)
    delivered, out, too_large = io.BytesIO(path.read_bytes()), io.BytesIO(), False
    length = len(delivered.getbuffer())
    try:
        with zipfile.ZipFile(delivered) as packed, zipfile.ZipFile(out, "w") as plain:
            entries = packed.infolist()
            size = sum(entry.file_size for entry in entries)
            if len(entries) > _ENTRIES or len({entry.filename for entry in entries}) < len(entries):
                raise _refused(feed, f"it has {len(entries):,} parts, or one of them twice", where)
            if size > _UNPACKED or (size > _SMALL and size > _RATIO * length):
                raise _refused(feed, f"it unpacks from {length:,} to {size:,} bytes", where)
            for entry in entries:
                if not entry.filename.endswith((".xml", ".rels")):
                    continue
                content = packed.read(entry)
                if b"<!DOCTYPE" in content or content.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise _refused(feed, f"its part {entry.filename} has a document type", where)
                if entry.filename.startswith("xl/worksheets/"):
                    if _spans(content) > _CELLS:
                        too_large = True
                        continue
                    content = _ERROR_CELL.sub(
                        rb"\1str\2", content
                    )  # calamine reads an error as an empty cell
                plain.writestr(entry.filename, content)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError) as error:
        raise _refused(feed, f"it is damaged ({error})", where) from error
    out.seek(0)
    return out, too_large


def _spans(content: bytes) -> int:
    """How many cells lie between A1 and a sheet's last cell, at most."""
    places = _PLACE.findall(content)
    last_row = max((int(row) for row in {row for _, row in places}), default=0)
    named = max((_number(letters.upper()) for letters in {letters for letters, _ in places}), default=0)
    most = max(
        row.count(b"<c") + row.count(b":c") for row in content.split(b"<row")
    )  # cells may name no place
    return max(last_row, 1) * max(named, most)


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _letters(no: int) -> str:
    """A column as a spreadsheet names it; 0 is A."""
    return (_letters(no // 26 - 1) if no >= 26 else "") + chr(65 + no % 26)


def _header(
    rows: list[list[Any]], merges: list[tuple[tuple[int, int], tuple[int, int]]], form: Xlsx
) -> list[str]:
    """The header of each column: its levels from top to bottom; empty where none of them says anything."""
    first = form.header_row - 1
    levels = [list(row) for row in rows[first : first + form.header_rows]]
    for (top, left), (_, right) in merges:  # a merged cell's value stands in its top left corner alone
        if 0 <= top - first < len(levels) and left < len(levels[0]):
            level = levels[top - first]
            level[left : right + 1] = [level[left]] * (min(right + 1, len(level)) - left)
    words = [[" ".join(_text(cell, form).split()) for cell in level] for level in levels]
    return [" / ".join(word for word in column if word) for column in zip(*words, strict=True)]


def _blank(row: list[Any]) -> bool:
    return all(isinstance(cell, str) and not cell.strip() for cell in row)


def _text(cell: Any, form: Xlsx, column: Column | None = None) -> str:
    """A cell as the text that the contract reads: a number with the format's decimal mark, a date as its column
    has dates."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        if float(cell).is_integer():
            return str(int(cell))
        return format(Decimal(repr(cell)), "f").replace(".", form.decimal)
    whole_day = isinstance(cell, date) and (not isinstance(cell, datetime) or cell.time() == time.min)
    if whole_day and column and column.type == "date":
        return months.written(cell, column.date_format)
    return str(cell)


def _refused(feed: Feed, why: str, where: dict[str, Any]) -> PantauError:
    return PantauError(
        f"The file is no spreadsheet that can be read: {why}.",
        where=where,
        next_step=f"Ask {feed.owner} to send it again as a plain xlsx without a password, then run the feed again; "
        f"to go on with an older delivery: `pantau delivery reject {where['delivery']} --why …`.",
    )
