"""Dates with Indonesian month names: `%B` in a column's `date_format` is the month's name, written as people do."""

from datetime import date

import polars as pl
from babel.dates import get_month_names

_NAMES = get_month_names("wide", locale="id")
_ALSO = {
    "agt": 8,
    "ags": 8,
    "agust": 8,
    "sept": 9,
    "peb": 2,
    "pebruari": 2,
    "nop": 11,
    "nopember": 11,
}  # fmt: skip — common beside those that Babel knows
_NUMBERS = {
    **{
        name.lower(): f"{number:02d}"
        for width in ("wide", "abbreviated")
        for number, name in get_month_names(width, locale="id").items()
    },
    **{name: f"{number:02d}" for name, number in _ALSO.items()},
}
_WORD = r"(\p{L}+)\.?"


def to_date(text: pl.Expr, date_format: str) -> pl.Expr:
    """Text as a date; null where it is not written so. A year has all of its digits."""
    if "%B" in date_format:
        word = text.str.extract(_WORD).str.to_lowercase()
        number = word.replace_strict(_NUMBERS, default=None, return_dtype=pl.String)
        text = pl.when(number.is_not_null()).then(
            text.str.replace(_WORD, "\u0000").str.replace("\u0000", number)
        )
        date_format = date_format.replace("%B", "%m")
    found = text.str.to_date(date_format, strict=False)
    return pl.when(found.dt.year() >= 1000).then(found)


def written(day: date, date_format: str) -> str:
    """A date as `date_format` has it."""
    return day.strftime(date_format.replace("%B", _NAMES[day.month]))
