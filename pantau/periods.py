"""Calendar months as text, `2026-10`, from 2000 to 2199, in Jakarta's time: the one place that counts with them."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pantau.errors import PantauError

JAKARTA = ZoneInfo("Asia/Jakarta")
PATTERN = "2[01][0-9]{2}-(0[1-9]|1[0-2])"  # for PostgreSQL and JSON Schema as well


def check(period: str, **where: object) -> str:
    """Return `period` if it is a month such as `2026-10`. Raises PantauError, which says `where`, otherwise."""
    if not re.fullmatch(PATTERN, period):
        raise PantauError(
            f"'{period}' is not a month.",
            where=where,
            next_step="Write the month as 2026-10 (from 2000 to 2199).",
        )
    return period


def check_span(first: str, last: str) -> None:
    """Raise PantauError unless both are months and `last` is not before `first`."""
    if check(first) > check(last):
        raise PantauError(
            f"{first}..{last} ends before it begins.", next_step="Write the earlier month first."
        )


def shift(period: str, months: int) -> str:
    """The month `months` after (or, negative, before) `period`."""
    return _written(_count(period) + months)


def span(first: str, last: str) -> Iterator[str]:
    """Every month from `first` to `last`, both included."""
    return map(_written, range(_count(first), _count(last) + 1))


def _count(period: str) -> int:
    return int(period[:4]) * 12 + int(period[5:]) - 1


def _written(count: int) -> str:
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


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
