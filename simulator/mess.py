"""How rows go wrong on their way: the slips of typists and programs, and the record of them for the truth.

Promise: a row that is not as the truth has it is named by one event. The tables of what goes wrong stand with
each feed; README.md tells them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from simulator.programme import VILLAGES

# What a contract must refuse; the other problems resolve.
REFUSED = {
    "unknown_region",
    "wrong_status",
    "wrong_name",
    "wrong_operator",
    "ambiguous_name",
    "no_district",
    "pct_above_100",
    "duplicate_key",
    "old_code_other_name",
}

_PUNCTUATION = re.compile(r"[\W_]").sub


def normal(name: str) -> str:
    """A name without case and punctuation."""
    return _PUNCTUATION("", name.casefold())


def misspelt(name: str) -> str:
    """The name with two neighbouring letters swapped, as typists do."""
    for at in range(1, len(name) - 1):
        swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        if normal(swapped) != normal(name):
            return swapped
    return name + "h"


def unknown(kode: str) -> str:
    """A village's code, with or without dots, that no register has: no village's number begins with 9."""
    at = 9 if "." in kode else 6
    return f"{kode[:at]}9{kode[at + 1 :]}"


def planned(counts: dict[str, int], villages: int, rows: int, month: int) -> list[tuple[str, int]]:
    """How many rows of each kind go wrong in one month's file: the share of a programme of `villages`, but at
    most one in 200, so that no contract refuses the file; kinds take turns where not all find room."""
    turn = month % len(counts) if counts else 0
    left, result = rows // 200, []
    for kind in [*counts][turn:] + [*counts][:turn]:
        count = min(-(-counts[kind] * villages // VILLAGES), left)
        left -= count
        result.append((kind, count))
    return result


def event(
    where: tuple[str, str, str, str], problem: str, row: int, kode: str, written: Sequence[Any], **more: str
) -> dict[str, Any]:
    """The truth's event of a row that is not as the truth has it. `where`: feed, part, period, delivery."""
    feed, part, period, letter = where
    return {
        "kind": "mess",
        "feed": feed,
        "part": part,
        "period": period,
        "delivery": letter,
        "problem": problem,
        "row": row,
        "kode": kode,
        "written": list(written),
        "refused": problem in REFUSED,
        **more,
    }
