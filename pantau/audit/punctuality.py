"""How punctual each feed and part was, month by month, and what stands for it now.

Promise: lateness is that of the first arrival against the catalogue's due day; of opening history, which came all at
once, none is told.
"""

from dataclasses import dataclass
from typing import Any

from pantau import catalogue, periods
from pantau.audit.records import Records, Row
from pantau.catalogue import Feed
from pantau.landing import late_days

MONTHS = 12


@dataclass(frozen=True)
class Month:
    """One month of a feed and part: `kind` is on_time, late, missing, waiting, opening, came, nothing or before."""

    period: str
    kind: str
    days: int = 0
    restated: bool = False


def month(records: Records, feed: Feed, part: str, period: str) -> Month:
    """How a feed and part came in for one month."""
    arrived = records.arrived.get((feed.name, part, period), [])
    restated = len(arrived) > 1
    if period < feed.starts:
        return Month(period, "before")
    if feed.due_day is None or period not in _scheduled(feed, period):
        return Month(period, "came" if arrived else "nothing", restated=restated)
    if arrived and _is_opening(records, period):
        return Month(period, "opening", restated=restated)
    if arrived:
        late = late_days(feed, period, arrived[0]["known_at"]) or 0
        return Month(period, "late" if late else "on_time", late, restated)
    ended = records.now >= periods.day_end(periods.due(period, feed.due_day))
    return Month(period, "missing" if ended else "waiting")


def _scheduled(feed: Feed, period: str) -> list[str]:
    return feed.periods_until(period)[-1:]


def _is_opening(records: Records, period: str) -> bool:
    releases = records.versions.get(period, [])
    return bool(releases) and releases[0]["reason"] == "opening"


def lines(records: Records, period: str) -> list[dict[str, Any]]:
    """Each feed and part that could be there for a month: a year of it, what stands, how much of it is good."""
    build = records.standing_build(period)
    standing = {
        (i["feed"], i["part"]): i for i in records.inputs.get((build["id"], period), [])
    } if build else {}  # fmt: skip
    year = [periods.shift(period, n) for n in range(1 - MONTHS, 1)]
    return [
        _line(
            records,
            feed,
            part,
            [month(records, feed, part, p) for p in year],
            standing.get((feed.name, part)),
        )
        for feed in catalogue.load().values()
        for part in feed.parts
        if feed.starts <= period
    ]


def _line(records: Records, feed: Feed, part: str, year: list[Month], standing: Row | None) -> dict[str, Any]:
    period = year[-1].period
    reading = records.readings[standing["reading_id"]] if standing else None
    arrived = records.arrived.get((feed.name, part, period), [])
    due = periods.due(period, feed.due_day) if feed.due_day and period in _scheduled(feed, period) else None
    return {
        "feed": feed,
        "part": part,
        "title": feed.title_of(part).id,
        "year": year,
        "now": year[-1],
        "how": standing["how"] if standing else "absent",
        "source_period": standing["source_period"] if standing else None,
        "reading": reading,
        "delivery": records.deliveries[reading["delivery_id"]] if reading else None,
        "first": arrived[0] if arrived else None,
        "arrived": arrived,
        "due": due,
        "is_due_over": due is not None and records.now >= periods.day_end(due),
    }
