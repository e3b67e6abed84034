"""What to close: which period is ready and has no release yet, or whose own inputs are no longer what its last
build saw. Nothing else asks for a close, so a close can never be lost or run for nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pantau import catalogue, clock, ledger, periods, warehouse
from pantau.database import Connection, Role, connect
from pantau.errors import BlockedError, PantauError
from pantau.progress import log
from pantau.release import approvals

BEGIN = (
    "Nothing closes by itself yet: close the opening history first (`pantau close 2025-01..2026-07 --opening`), or "
    "name the first month (`pantau close 2026-10`)."
)


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

    Raises:
        PantauError: a month was named that is none, that is not over, or for which no feed has anything.
    """
    left_out = sorted(without)
    for name in left_out:
        catalogue.feed(name)
    if left_out and not (by.strip() and why.strip()):
        raise PantauError(
            "Leaving a feed out is a decision that the ledger keeps.", next_step="Say `--by` and `--why`."
        )
    with connect(Role.AUDITOR) as connection:
        if period:
            _check_named(connection, period, last or period)
            if last and (published := _published_within(connection, period, last)):
                raise PantauError(
                    f"Opening history is for months without a release; {published} has one.",
                    next_step="Close the months that follow one by one.",
                )
            purpose = "opening" if last else "close"
        elif approved := _approved(connection):
            return approved
        elif _begin(connection) is None:
            log.info("%s", BEGIN)
            return None
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


def _check_named(connection: Connection, first: str, last: str) -> None:
    periods.check_span(first, last)
    clock.check_ended(connection, last)
    begin = min(feed.starts for feed in catalogue.load().values() if feed.takes != "newest_effective")
    if first < begin:
        raise PantauError(
            f"No feed has anything for {first}: the first month of any is {begin}.",
            next_step="Name the month that is meant; a feed's first month is `starts` in its YAML.",
        )


def _begin(connection: Connection) -> str | None:
    """The earliest month that a person named; None before any. Months before it never close by themselves."""
    row = connection.execute(
        "select min(first_period) as period from ops.build where purpose <> 'rebuild'"
    ).fetchone()
    return row["period"] if row else None


def is_begun() -> bool:
    """Whether a person has named the months or the month to begin with; nothing closes by itself before."""
    with connect(Role.AUDITOR) as connection:
        return _begin(connection) is not None


def _published_within(connection: Connection, first: str, last: str) -> str | None:
    row = connection.execute(
        "select min(period) as period from ops.published where period between %s and %s", [first, last]
    ).fetchone()
    return row["period"] if row else None


def _approved(connection: Connection) -> dict[str, Any] | None:
    """The build, with the decision it was made under, whose approved releases wait to be published.

    One whose month lacks an input by now (its delivery was rejected) cannot be closed, and one against which something
    was found after its approval cannot be published: neither keeps another month waiting.
    """
    rows = connection.execute(
        "select distinct b.id, b.first_period as first, b.last_period as last, b.purpose, b.without,"
        " l.what ->> 'by' as by, l.what ->> 'why' as why from ops.release r"
        " join ops.approval a on a.release_id = r.id"
        " join ops.build b on b.id = r.build_id join ops.ledger l on l.no = b.ledger_no"
        " where not r.superseded and r.id not in (select release_id from ops.publication)"
        " and not exists (select from ops.build n where n.id > b.id and n.purpose <> 'rebuild'"
        " and n.first_period = b.first_period and n.last_period = b.last_period)"  # newer data has come since
        " order by b.first_period, b.id"
    ).fetchall()
    head = ledger.head(connection)
    for row in rows:
        build = row.pop("id")
        _, missing = warehouse.manifest(
            connection, row["first"], row["last"], cutoff=head, without=row["without"]
        )
        lacks = [m for m in missing if catalogue.feed(m.feed).without == "wait"]
        if lacks:
            log.info("build %s is approved, and its month is no longer complete: %s", build, lacks[0].why)
        elif came := _come_since(connection, build):
            log.info("build %s is approved, and not published: %s", build, came)
        else:
            return row
    return None


def _come_since(connection: Connection, build: int) -> str:
    """What was found against a build after its releases were approved, in words; nothing where that is nothing."""
    rows = connection.execute(
        "select r.period, r.version, a.acknowledged from ops.release r join ops.approval a on a.release_id = r.id"
        " where r.build_id = %s and not r.superseded order by r.period",
        [build],
    ).fetchall()
    try:
        left = [rule for row in rows for rule in approvals.open_warnings(connection, build, **row)]
    except BlockedError as error:
        return error.what
    again = f"`pantau approve {rows[0]['period']} --acknowledge`" if left else ""
    return f"{len(left)} warning(s) came after its approval; {again} lets them stand" if left else ""


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
    with connect(Role.AUDITOR) as connection:
        return [wait for _, lacks in _open(connection) for wait in lacks]


def _open(connection: Connection) -> Iterator[tuple[str, list[Wait]]]:
    """The ended months to be closed, the oldest first, with what they wait for; nothing, where they are due."""
    now, head = clock.now(connection), ledger.head(connection)
    monthly = [f for f in catalogue.load().values() if f.takes == "own_month" and f.without == "wait"]
    named = _begin(connection)
    if not monthly or not named:
        return
    begin = min(feed.starts for feed in monthly)
    last, news = _last_builds(connection), _news(connection)
    for period in periods.span(max(begin, named), periods.shift(periods.of(now), -1)):
        if _is_open(connection, period, last.get(period), news, head):
            _, missing = warehouse.manifest(connection, period, period, cutoff=head)
            yield period, [_wait(period, m, now) for m in missing if not m.ready]


def _is_open(
    connection: Connection, period: str, last: dict[str, Any] | None, news: list[dict[str, Any]], head: int
) -> bool:
    """Whether a month has no build that ended, or other own inputs than those that were there for its last one, or a
    page that quotes an earlier month as it no longer is.

    Of the inputs only those of feeds that an indicator in force by that build's registers needs; as they were at its
    cut-off and not as it used them: a feed that was left out by decision stays out until it sends something new.
    """
    if last is None:
        return True
    cutoff, needed = last["cutoff"], warehouse.needed_feeds(connection, last["register_version_ids"], period)
    if any(n["no"] > cutoff and n["feed"] in needed and n["period"] <= period for n in news):

        def own(at: int) -> set[warehouse.Input]:
            inputs, _ = warehouse.manifest(connection, period, period, cutoff=at)
            return {i for i in inputs if i.period == period and i.feed in needed}

        if own(head) != own(cutoff):
            return True
    return bool(last["shows"] and warehouse.requoted(connection, period, cutoff, head))


def _last_builds(connection: Connection) -> dict[str, dict[str, Any]]:
    """By month, the last build that ended for it, and `shows`: its page is, or may become, the newest one, so that it
    has to be true beside the others."""
    rows = connection.execute(
        "select b.first_period, b.last_period, b.purpose, b.cutoff, b.register_version_ids,"
        " b.purpose = 'close' and (b.first_period = (select max(period) from ops.published) or exists"
        "  (select from ops.release r where r.period = b.first_period and not r.superseded"
        "   and r.id not in (select release_id from ops.publication))) as shows"
        " from ops.build b join ops.build_outcome o on o.build_id = b.id where b.purpose <> 'rebuild' order by b.id"
    ).fetchall()
    return {month: row for row in rows for month in periods.span(row["first_period"], row["last_period"])}


def _news(connection: Connection) -> list[dict[str, Any]]:
    """The entries that may change what stands for a month: no, feed and period."""
    return connection.execute(
        "select no, what ->> 'feed' as feed, what ->> 'period' as period from ops.ledger"
        " where kind in ('delivery', 'reading', 'rejection', 'reinstatement')"
        " and no > (select coalesce(min(cutoff), 0) from ops.build)"
    ).fetchall()


def _wait(period: str, missing: warehouse.Missing, now: datetime) -> Wait:
    feed = catalogue.feed(missing.feed)
    due_on = None
    if feed.due_day is not None and period in feed.periods_until(period):
        due_on = periods.due(period, feed.due_day)
    ends = None if feed.without == "wait" else warehouse.grace_ends_at(feed, period)
    why = missing.why.removeprefix(f"{period}: ")
    is_late = due_on is not None and now >= periods.day_end(due_on)
    return Wait(period, feed.name, missing.part, why, due_on, is_late, ends and ends.date())
