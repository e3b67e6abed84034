"""The product's clock: the machine's, unless it was set (the demo, tests). A set clock stands still and
never goes back; every delivery that arrives under one is marked as simulated."""

from datetime import datetime

from pantau import ledger, periods
from pantau.database import Connection
from pantau.errors import PantauError
from pantau.periods import JAKARTA


def now(connection: Connection) -> datetime:
    """The product's present moment, in Jakarta."""
    row = connection.execute("select coalesce(set_to, clock_timestamp()) as moment from ops.clock").fetchone()
    assert row is not None
    return row["moment"].astimezone(JAKARTA)


def check_begun(connection: Connection, period: str, **where: object) -> None:
    """Raise PantauError, which says `where`, while a month lies in the future."""
    if (moment := now(connection)) < periods.start(period):
        raise PantauError(
            f"{period} has not begun: it is {moment:%Y-%m-%d} by the product's clock.",
            where=where,
            next_step=f"Pull it from {periods.start(period):%Y-%m-%d} on, or name the month that is meant.",
        )


def check_ended(connection: Connection, period: str) -> None:
    """Raise PantauError while a month is not over."""
    if (moment := now(connection)) < periods.end(period):
        raise PantauError(
            f"{period} has not ended: it is {moment:%Y-%m-%d} by the product's clock.",
            next_step=f"Close it from {periods.end(period):%Y-%m-%d} on, or name the month that is meant.",
        )


def is_set(connection: Connection) -> bool:
    """Whether the clock is set rather than the machine's."""
    row = connection.execute("select set_to is not null as yes from ops.clock").fetchone()
    return bool(row and row["yes"])


def set_to(connection: Connection, moment: datetime) -> None:
    """Set the clock, by an entry of the ledger. Raises PantauError where that would turn it back."""
    row = connection.execute("select set_to from ops.clock").fetchone()
    if row and row["set_to"] and moment < row["set_to"]:
        raise PantauError(
            f"The product's clock stands at {row['set_to']:%Y-%m-%d %H:%M} and does not go back.",
            next_step="`make reset` begins anew.",
        )
    if row and row["set_to"] == moment:
        return
    number = ledger.append(connection, "clock", {"set_to": moment.astimezone(JAKARTA).isoformat()})
    connection.execute("insert into ops.clock_setting values (%s, %s)", [number, moment])
