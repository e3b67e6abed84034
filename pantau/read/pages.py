"""Pages of JSON: each item is a row, each of its keys a column; a row's number is the item's in its page."""

import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl

from pantau import items
from pantau.catalogue import Feed, Json
from pantau.errors import PantauError
from pantau.read.table import FileRows, headers, wrong_header

_SPACE = re.compile(r"[ \t\n\r]*")
_LONGEST = 40  # digits of a number written out; a longer one is no value of any column


def read(feed: Feed, content: bytes, where: dict[str, Any]) -> FileRows:
    """The items of a page as rows. An item with a nested value is broken.

    Raises:
        PantauError: the page is no JSON, has no list of objects where the format says, or has other keys than
            the contract.
    """
    form = feed.format
    assert isinstance(form, Json)
    try:
        found = items.find(items.parse(content), form.items)
        for number, item in enumerate(found, 1):
            if not isinstance(item, dict) or isinstance(item, items.Repeated):
                where = {**where, "row": number}
                what = "has a key twice" if isinstance(item, dict) else "is no object"
                raise items.NoItemsError(f"holds an item that {what}")
    except items.NoItemsError as error:
        raise PantauError(
            f"The page {error}.",
            where=where,
            next_step=f"Ask {feed.owner} whether the interface was changed; to go on with an older delivery: "
            f"`pantau delivery reject {where['delivery']} --why …`.",
        ) from error
    _check_keys(feed, found, form.ignore, where)
    names = {column.header: column.name for column in feed.columns if column.header}
    broken = [
        (number, names[key], json.dumps(value, default=str)[:200], "type", "is no single value")
        for number, item in enumerate(found, 1)
        for key, value in item.items()
        if isinstance(value, dict | list) and key in names
    ]
    cells = pl.DataFrame(
        [pl.Series(h, [_cell(item.get(h), form.decimal) for item in found], pl.String) for h in headers(feed)]
    )

    @cache
    def texts() -> list[str]:
        return _texts(content.decode("utf-8-sig"), form.items.split("."))

    return FileRows(cells, range(1, len(found) + 1), 1, broken, lambda row: texts()[row])


def _check_keys(feed: Feed, found: list[dict[str, Any]], ignore: list[str], where: dict[str, Any]) -> None:
    keys = set().union(*found)
    needed = {column.header for column in feed.columns if column.header and column.required}
    unknown, missing = keys - set(headers(feed)) - set(ignore), needed - keys if found else set()
    if unknown or missing:
        row = next((n for n, item in enumerate(found, 1) if unknown & item.keys()), 1)
        raise wrong_header(feed, sorted(missing), sorted(unknown), {**where, "row": row})


def _cell(value: Any, decimal: str) -> str | None:
    """A value as the text that the contract reads; a number with the format's decimal mark."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value).replace(".", decimal)
    return None


def plain(value: Decimal) -> str:
    """A number without exponent and without zeros that say nothing."""
    if abs(value.adjusted()) > _LONGEST:
        return str(value)
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def _texts(page: str, path: list[str]) -> list[str]:
    """Each item of the page, which is known to hold them, exactly as it is written there."""
    scan = json.JSONDecoder().raw_decode

    def skip(at: int) -> int:
        match = _SPACE.match(page, at)
        assert match is not None
        return match.end()

    at = skip(0)
    for wanted in path:
        at, key = skip(at + 1), None
        while key != wanted:
            if key is not None:
                at = skip(skip(scan(page, at)[1]) + 1)  # past the value and its comma
            key, at = scan(page, at)
            at = skip(skip(at) + 1)  # past the colon
    found, at = [], skip(at + 1)
    while page[at] != "]":
        end = scan(page, at)[1]
        found.append(page[at:end])
        at = skip(end)
        at = skip(at + 1) if page[at] == "," else at
    return found
