"""What every format comes to: a delivery's rows as text cells, each with its place and its own raw text."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pantau.catalogue import Feed
from pantau.errors import PantauError

NUL = "␀"  # stands for the character NUL where a delivered text is shown: PostgreSQL holds none
BROKEN = {"column": pl.String, "value": pl.String, "rule": pl.String, "message": pl.String}


@dataclass(frozen=True)
class FileRows:
    """The rows of one file (of its sheet), as its format reads them.

    Attributes:
        cells: one text column per header of the contract.
        places: of each row, its number in the file, ascending; blank rows between them count and are no rows.
        begins: the number that the first row has, or would have.
        broken: rows that no contract can be applied to: place, column, value, rule, message.
        text_of: the text of the n-th row as delivered, from 0.
    """

    cells: pl.DataFrame
    places: Sequence[int]
    begins: int
    broken: list[tuple[int, str, str, str, str]]
    text_of: Callable[[int], str]
    sheet: str = ""


@dataclass(frozen=True)
class Range:
    """Which source rows lie in which file, and the number that the first of them has there."""

    file: str
    sheet: str
    first: int
    last: int
    first_file_row: int


class Raw:
    """The delivered text of a row, found when it is asked for (few rows are)."""

    def __init__(self, ranges: list[Range], files: list[FileRows]) -> None:
        self._firsts, self._ranges, self._files = [r.first for r in ranges], ranges, files

    def __getitem__(self, source_row: int) -> str:
        no = bisect_right(self._firsts, source_row) - 1
        place = self._ranges[no].first_file_row + source_row - self._ranges[no].first
        return self._files[no].text_of(bisect_left(self._files[no].places, place)).replace("\0", NUL)


@dataclass(frozen=True)
class Table:
    """The rows of a delivery.

    Attributes:
        rows: source_row (from 1, through all files; the numbers of blank rows are left out), then one text
            column per header.
        broken: source_row and what makes the row one that the contract cannot be applied to, as in FileRows.
        ranges: of each file its place among the source rows.
        raw: source_row → the row's text as delivered.
    """

    rows: pl.DataFrame
    broken: pl.DataFrame
    ranges: list[Range]
    raw: Raw


def join(files: list[tuple[str, FileRows]]) -> Table:
    """The files of a delivery, one after the other."""
    frames, broken, ranges, first = [], [], list[Range](), 1
    for name, file in files:
        begins = file.places[0] if file.places else file.begins
        shift = first - begins
        last = file.places[-1] + shift if file.places else first - 1
        numbers = pl.Series("source_row", file.places, pl.Int64) + shift
        frames.append(file.cells.insert_column(0, numbers))
        broken += [(place + shift, *why) for place, *why in file.broken]
        ranges.append(Range(name, file.sheet, first, last, begins))
        first = last + 1
    return Table(
        pl.concat(frames),
        pl.DataFrame(broken, schema={"source_row": pl.Int64, **BROKEN}, orient="row"),
        ranges,
        Raw(ranges, [file for _, file in files]),
    )


def headers(feed: Feed) -> list[str]:
    """The headers that the contract has."""
    return [column.header for column in feed.columns if column.header]


def check_header(feed: Feed, found: list[str], where: dict[str, Any]) -> None:
    """Raise PantauError where the headers are not exactly those of the contract, in any order."""
    expected = headers(feed)
    if sorted(found) != sorted(expected):
        missing = [h for h in expected if h not in found]
        unknown = [h for h in found if h not in expected]
        repeated = [] if missing or unknown else found
        raise wrong_header(feed, missing, unknown, where, repeated=repeated)


def wrong_header(
    feed: Feed, missing: list[str], unknown: list[str], where: dict[str, Any], *, repeated: Sequence[str] = ()
) -> PantauError:
    """The error that the columns of a file are not those agreed."""
    return PantauError(
        "The header is not the one agreed: "
        + "; ".join(
            f"{word} {', '.join(repr(x[:60]) for x in names[:8])}"
            for word, names in (("missing", missing), ("unknown", unknown), ("repeated", repeated))
            if names
        )
        + ".",
        where=where,
        next_step=f"Ask {feed.owner} to send the file with the agreed header, then run the feed again; to go "
        f"on with an older delivery: `pantau delivery reject {where['delivery']} --why …`. If the change is "
        f"wanted, change feeds/{feed.name}.yml.",
    )
