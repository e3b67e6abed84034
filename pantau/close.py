"""What to close: which period is ready and has no release yet, or whose own inputs are no longer what its last
build saw. Nothing else asks for a close, so a close can never be lost or run for nothing."""

from collections.abc import Iterable
from typing import Any

from pantau import catalogue, clock, ledger, periods, warehouse
from pantau.database import Connection, connect
from pantau.errors import PantauError


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
    if left_out and not (by and why):
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
            found = _oldest_due(connection)
            if found is None:
                return None
            period, purpose = found, "close"
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


def _oldest_due(connection: Connection) -> str | None:
    now, head = clock.now(connection), ledger.head(connection)
    monthly = [f for f in catalogue.load().values() if f.takes == "own_month" and f.without == "wait"]
    if not monthly or not head:
        return None
    begin = min(feed.starts for feed in monthly)
    for period in periods.span(begin, periods.shift(periods.of(now), -1)):
        inputs, missing = warehouse.manifest(connection, period, period, cutoff=head)
        ready = all(m.ready for m in missing)
        if ready and _own(inputs, period) != _last_seen(connection, period):
            return period
    return None


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
