"""Calendar months as text, `2026-10`, in Jakarta's time: the one place that counts with them."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pantau.errors import PantauError

JAKARTA = ZoneInfo("Asia/Jakarta")
_PATTERN = re.compile(r"2[01][0-9]{2}-(0[1-9]|1[0-2])")


def check(period: str) -> str:
    """Return `period` if it is a month such as `2026-10`. Raises PantauError otherwise."""
    if not _PATTERN.fullmatch(period):
        raise PantauError(f"'{period}' is not a month.", next_step="Write the month as 2026-10.")
    return period


def shift(period: str, months: int) -> str:
    """The month `months` after (or, negative, before) `period`."""
    count = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def span(first: str, last: str) -> Iterator[str]:
    """Every month from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = shift(first, 1)


def start(period: str) -> datetime:
    """The month's first instant, in Jakarta."""
    return datetime(int(period[:4]), int(period[5:]), 1, tzinfo=JAKARTA)


def end(period: str) -> datetime:
    """The first instant after the month, in Jakarta."""
    return start(shift(period, 1))


def last_day(period: str) -> date:
    """The month's last calendar day."""
    return (end(period) - timedelta(days=1)).date()


def due(period: str, day: int) -> date:
    """Day `day` of the month that follows `period` (its last day where it is shorter)."""
    following = shift(period, 1)
    return min(date(int(following[:4]), int(following[5:]), 1) + timedelta(days=day - 1), last_day(following))


def day_end(day: date) -> datetime:
    """The first instant after `day`, in Jakarta."""
    return datetime.combine(day + timedelta(days=1), time(), JAKARTA)


def of(moment: datetime) -> str:
    """The month in which `moment` falls, in Jakarta."""
    return moment.astimezone(JAKARTA).strftime("%Y-%m")
