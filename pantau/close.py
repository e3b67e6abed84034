"""What to close: which period is ready and has no release yet, or whose own inputs are no longer what its last
build saw. Nothing else asks for a close, so a close can never be lost or run for nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pantau import catalogue, clock, ledger, periods, warehouse
from pantau.database import Connection, connect
from pantau.errors import PantauError
from pantau.progress import log


def plan(
    period: str = "", last: str = "", *, without: Iterable[str] = (), by: str = "", why: str = ""
) -> dict[str, Any] | None:
    """What the next run of `close_month` closes.

    Args:
        period: close this one; without it, the oldest that is due.
        last: close `period`..`last` as opening history, in one build.
        without: feeds that are left out by decision of `by`, because of `why`.

    Returns:
        The arguments of `warehouse.open_build`; None where nothing is due. What a person has approved, and the
        run that was to publish it was cut off, comes first.
    """
    left_out = sorted(without)
    for name in left_out:
        catalogue.feed(name)
    if left_out and not (by.strip() and why.strip()):
        raise PantauError(
            "Leaving a feed out is a decision that the ledger keeps.", next_step="Say `--by` and `--why`."
        )
    with connect() as connection:
        if period:
            periods.check(period)
            periods.check(last or period)
            if last and (published := _published_within(connection, period, last)):
                raise PantauError(
                    f"Opening history is for months without a release; {published} has one.",
                    next_step="Close the months that follow one by one.",
                )
            purpose = "opening" if last else "close"
        elif approved := _approved(connection):
            return approved
        else:
            waits: list[Wait] = []
            for each, lacks in _open(connection):
                if not lacks:
                    period, purpose = each, "close"
                    break
                waits += lacks
            else:
                for wait in waits:
                    log.info("%s", wait)
                return None
    return {
        "first": period, "last": last or period, "purpose": purpose, "without": left_out, "by": by, "why": why,
    }  # fmt: skip


def _published_within(connection: Connection, first: str, last: str) -> str | None:
    row = connection.execute(
        "select min(period) as period from ops.published where period between %s and %s", [first, last]
    ).fetchone()
    return row["period"] if row else None


def _approved(connection: Connection) -> dict[str, Any] | None:
    """The build, with the decision it was made under, whose approved releases wait to be published."""
    return connection.execute(
        "select b.first_period as first, b.last_period as last, b.purpose, b.without, l.what ->> 'by' as by,"
        " l.what ->> 'why' as why from ops.release r join ops.approval a on a.release_id = r.id"
        " join ops.build b on b.id = r.build_id join ops.ledger l on l.no = b.ledger_no"
        " where not r.superseded and r.id not in (select release_id from ops.publication)"
        " and not exists (select from ops.build n where n.id > b.id and n.purpose <> 'rebuild'"
        " and n.first_period = b.first_period and n.last_period = b.last_period)"  # newer data has come since
        " order by r.period limit 1"
    ).fetchone()


@dataclass(frozen=True)
class Wait:
    """What keeps an ended month from its close."""

    period: str
    feed: str
    part: str
    why: str
    due_on: date | None  # None where nothing was due for that month
    is_late: bool
    goes_on: date | None  # the first day on which the month closes without it; None where it waits

    def __str__(self) -> str:
        line = f"{self.period} waits for {f'{self.feed} {self.part}'.rstrip()}: {self.why}"
        line += f"; {'late since' if self.is_late else 'due on'} {self.due_on}" if self.due_on else ""
        return line + (f"; closes without it from {self.goes_on} on" if self.goes_on else "")


def waiting() -> list[Wait]:
    """For each ended month that would be closed if it were complete: what it waits for."""
    with connect() as connection:
        return [wait for _, lacks in _open(connection) for wait in lacks]


def _open(connection: Connection) -> Iterator[tuple[str, list[Wait]]]:
    """The ended months, the oldest first, whose own inputs are not those of their last build, with what they wait
    for; nothing, where they are due."""
    now, head = clock.now(connection), ledger.head(connection)
    monthly = [f for f in catalogue.load().values() if f.takes == "own_month" and f.without == "wait"]
    if not monthly or not head:
        return
    begin = min(feed.starts for feed in monthly)
    for period in periods.span(begin, periods.shift(periods.of(now), -1)):
        inputs, missing = warehouse.manifest(connection, period, period, cutoff=head)
        if _own(inputs, period) != _last_seen(connection, period):
            yield period, [_wait(period, m, now) for m in missing if not m.ready]


def _wait(period: str, missing: warehouse.Missing, now: datetime) -> Wait:
    feed = catalogue.feed(missing.feed)
    due_on = None
    if feed.due_day is not None and period in feed.periods_until(period):
        due_on = periods.due(period, feed.due_day)
    ends = None if feed.without == "wait" else warehouse.grace_ends_at(feed, period)
    why = missing.why.removeprefix(f"{period}: ")
    is_late = due_on is not None and now >= periods.day_end(due_on)
    return Wait(period, feed.name, missing.part, why, due_on, is_late, ends and ends.date())


def _own(inputs: list[warehouse.Input], period: str) -> set[warehouse.Input]:
    return {i for i in inputs if i.period == period}


def _last_seen(connection: Connection, period: str) -> set[warehouse.Input] | None:
    """The own inputs that were there for the last build that ended for this period; None where none did.

    As of its cut-off and not as it used them: a feed that was left out by decision stays out until it sends
    something new.
    """
    row = connection.execute(
        "select b.cutoff from ops.build b join ops.build_outcome o on o.build_id = b.id"
        " where %s between b.first_period and b.last_period and b.purpose <> 'rebuild' order by b.id desc limit 1",
        [period],
    ).fetchone()
    return (
        _own(warehouse.manifest(connection, period, period, cutoff=row["cutoff"])[0], period) if row else None
    )
