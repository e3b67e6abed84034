"""BAKTI's table of sites as a workbook: titles, a header of two levels with merged cells, a row of units.

Promise: the same table makes the same cells and the same order of bytes; no time of the machine is in it. (They
are deflated by the machine's own zlib.)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any

import xlsxwriter

SHEET = "BTS"
FIRST_ROW = 7  # of the data, as a spreadsheet counts
LEVELS = 3  # the last of them is the row of units


def write(table: Sequence[Sequence[Any]], titles: Sequence[str], sheet: str = SHEET) -> bytes:
    """A workbook of one sheet. Headers in the table's first row are levels joined by " / "."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"author": "BAKTI (SIMULASI)", "created": datetime(2025, 1, 1)})
    page = book.add_worksheet(sheet)
    bold = book.add_format({"bold": True})
    head = book.add_format({"bold": True, "align": "center", "border": 1})
    day = book.add_format({"num_format": "d mmm yyyy"})
    for number, title in enumerate(titles):
        page.write_string(number, 0, title, bold)
    page.set_column(1, len(table[0]) - 1, 16)
    page.freeze_panes(FIRST_ROW - 1, 2)
    _write_header([name.split(" / ") for name in table[0]], page, head)
    for at, row in enumerate(table[1:], FIRST_ROW - 1):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                page.write_string(at, column, cell)
            elif isinstance(cell, date):
                page.write_datetime(at, column, datetime(cell.year, cell.month, cell.day), day)
            elif cell is not None:
                page.write_number(at, column, cell)
    book.close()
    return out.getvalue()


def _write_header(names: list[list[str]], page: Any, form: Any) -> None:
    """The levels of each column from the top; a level that neighbours share is one merged cell."""
    top = FIRST_ROW - 1 - LEVELS
    column = 0
    for (first, deep), columns in groupby(names, key=lambda levels: (levels[0], len(levels) > 1)):
        width = len(list(columns))
        if deep and width > 1:
            page.merge_range(top, column, top, column + width - 1, first, form)
        for at in range(column, column + width):
            if not deep or width == 1:
                page.write_string(top, at, first, form)
            for level, name in enumerate(names[at][1:], 1):
                page.write_string(top + level, at, name, form)
        column += width
