"""What is late, by the calendar alone: against an independent judgement of any feed, deliveries and moment."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau import catalogue, periods
from pantau.catalogue import Feed
from pantau.lateness import Late, late_of
from pantau.periods import JAKARTA

MONTHLY = catalogue.feed("komdigi__desa_4g")
PARTS = {"a": "A", "b": "B"}


def months(first: str = "2025-01", last: str = "2026-12") -> st.SearchStrategy[str]:
    """Any month of a range."""
    return st.sampled_from(list(periods.span(first, last)))


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    """A feed of any calendar, with one part or two."""
    takes = draw(st.sampled_from(["own_month", "newest_effective", "year_to_date"]))
    return MONTHLY.model_copy(
        update={
            "starts": draw(months("2025-01", "2025-12")),
            "cadence": draw(st.sampled_from(["monthly", "yearly"])),
            "due_day": draw(st.integers(1, 31)),
            "grace_days": draw(st.integers(0, 40)),
            "takes": takes,
            "without": draw(st.sampled_from(["wait", "carry_forward", "omit"])),
            "parts": draw(st.sampled_from([{"": ""}, PARTS])),
        }
    )


def moments() -> st.SearchStrategy[datetime]:
    """Any moment of two years, in any time zone; often close to Jakarta's midnight."""
    days = st.dates(date(2025, 1, 1), date(2027, 2, 1))
    near = st.builds(
        lambda day, seconds: datetime.combine(day, time(), JAKARTA) + timedelta(seconds=seconds),
        days,
        st.integers(-2, 2),
    )
    whenever = st.builds(lambda day, clock: datetime.combine(day, clock, UTC), days, st.times())
    return st.builds(
        lambda moment, hours: moment.astimezone(timezone(timedelta(hours=hours))),
        near | whenever,
        st.integers(-12, 14),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Deliveries as the database gives them, in the order in which they came."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(["", "a", "b"]), months(), st.booleans(), st.booleans(), moments())
        )
    )
    rows.sort(key=lambda row: row[4])
    return [
        {
            "id": no, "part": part, "period": period, "reading_id": 100 + no if read else None,
            "rejected": rejected, "why": "wrong" if rejected else None, "known_at": known_at,
        }
        for no, (part, period, read, rejected, known_at) in enumerate(rows, 1)
    ]  # fmt: skip


def judged(
    feed: Feed, rows: list[dict[str, Any]], part: str, period: str, now: datetime
) -> tuple[str, int | None] | None:
    """Cause and delivery of a lateness, worked out in another way: None where nothing is late."""
    year, month = int(period[:4]) + (period[5:] == "12"), int(period[5:]) % 12 + 1
    day = feed.due_day or 0
    while True:
        try:
            due = date(year, month, day)
            break
        except ValueError:
            day -= 1
    since = datetime(due.year, due.month, due.day, 17, tzinfo=UTC)  # midnight in Jakarta, seven hours ahead
    if now < since:
        return None
    mine = [row for row in rows if (row["part"], row["period"]) == (part, period)]
    good = [row for row in mine if not row["rejected"]]
    if not good:
        return ("rejected", mine[-1]["id"]) if mine else ("missing", None)
    if good[-1]["reading_id"]:
        return None
    came = (good[-1]["known_at"].astimezone(UTC) + timedelta(hours=7)).date()
    return (
        None if came >= (now.astimezone(UTC) + timedelta(hours=7)).date() else ("unreadable", good[-1]["id"])
    )


@given(feeds(), deliveries(), moments())
def test_late_is_what_the_calendar_and_the_deliveries_say(
    feed: Feed, rows: list[dict[str, Any]], now: datetime
) -> None:
    step = 12 if feed.cadence == "yearly" else 1
    expected = {}
    for part in feed.parts:
        for period in list(periods.span(feed.starts, "2027-12"))[::step]:
            if found := judged(feed, rows, part, period, now):
                expected[part, period] = found
    late = late_of(feed, rows, now)
    assert {(each.part, each.period): (each.cause, each.delivery) for each in late} == expected
    assert len(late) == len(expected)
    today = (now.astimezone(UTC) + timedelta(hours=7)).date()
    for each in late:
        assert each.days == (today - each.due_on).days >= 1
        assert each.due_on.strftime("%Y-%m") == periods.shift(each.period, 1)
    assert late_of(feed, rows, now.astimezone(UTC)) == late


@given(feeds(), deliveries(), moments())
def test_the_outcome_is_what_the_feed_says_of_its_absence(
    feed: Feed, rows: list[dict[str, Any]], now: datetime
) -> None:
    for each in late_of(feed, rows, now):
        readable = {
            row["period"]: row["reading_id"]
            for row in rows
            if row["part"] == each.part and not row["rejected"]
        }
        earlier = [p for p in readable if p < each.period]
        if feed.takes == "year_to_date":
            earlier = [p for p in earlier if p[:4] == each.period[:4]]
        if feed.takes == "newest_effective":
            newest = max((p for p in readable if p <= each.period), default="")
            source = newest if readable.get(newest) else ""
            wanted = "effective" if source else "waits" if feed.without == "wait" else "omitted"
        elif feed.without == "carry_forward":
            source = max((p for p in earlier if readable[p]), default="")
            wanted = "carried" if source else "omitted"
        else:
            source, wanted = "", "waits" if feed.without == "wait" else "omitted"
        assert (each.outcome, each.source_period) == (wanted, source)
        if wanted in {"waits", "effective"}:
            assert each.goes_on is None
        else:
            assert each.goes_on == each.due_on + timedelta(days=feed.grace_days + 1)


@pytest.mark.parametrize(
    ("utc", "days"), [("2026-11-10T16:59:59", None), ("2026-11-10T17:00:00", 1), ("2026-11-12T16:59:59", 2)]
)
def test_the_due_day_ends_at_midnight_in_jakarta(utc: str, days: int | None) -> None:
    feed = MONTHLY.model_copy(update={"starts": "2026-10"})
    late = late_of(feed, [], datetime.fromisoformat(utc).replace(tzinfo=UTC))
    assert [(each.period, each.due_on, each.days) for each in late] == (
        [("2026-10", date(2026, 11, 10), days)] if days else []
    )


def test_a_due_day_that_the_month_lacks_is_its_last() -> None:
    feed = MONTHLY.model_copy(update={"starts": "2026-01", "due_day": 31})
    late = late_of(feed, [], datetime(2026, 3, 1, tzinfo=JAKARTA))
    assert [(each.period, each.due_on, each.days) for each in late] == [("2026-01", date(2026, 2, 28), 1)]


def test_nothing_is_due_of_an_irregular_feed() -> None:
    assert late_of(catalogue.feed("kemendagri__wilayah"), [], datetime(2026, 11, 1, tzinfo=JAKARTA)) == []


def test_another_cause_is_another_lateness() -> None:
    kinds = [("missing", None), ("unreadable", 1), ("rejected", 1), ("rejected", 2)]
    made = [
        Late("f", "", "2026-10", date(2026, 11, 10), 1, cause, "waits", "", None, delivery)  # type: ignore[arg-type]
        for cause, delivery in kinds
    ]
    assert len({each.key for each in made}) == 4
    assert Late("f", "", "2026-10", date(2026, 11, 10), 9, "missing", "omitted", "", None).key == made[0].key
