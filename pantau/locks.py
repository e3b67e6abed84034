"""The advisory locks of the database: which there are, and the order in which a transaction may take them.

Promise: two transactions that take locks in this order can not wait for each other; one that would take them in
another order is refused before it waits.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Any, Protocol

import psycopg
from psycopg.rows import tuple_row


class Lock(IntEnum):
    """What is locked, in the order of taking. Those of one kind that differ by a key are taken one at a time."""

    # held by a session, past its transactions
    RUNNER = 1  # who runs DAGs: dags/run_dags.py and `pantau up`
    LATENESS = 2  # who tells of late feeds
    REBUILD = 3  # who opens a rebuild, and by its number who works on it
    DBT = 4  # who runs dbt on this database
    # held by a transaction, to its end
    SETUP = 5  # who brings tables and registers up to date
    PAGES = 6  # who writes the audit pages
    RELEASE = 7  # who freezes, approves, withdraws or publishes
    DELIVERY = 8  # who lands a feed's part and period
    READING = 9  # who reads a delivery
    CHECK = 10  # who records a check of one reading or build
    VIEWS = 11  # who makes the views of schema `checks`
    LEDGER = 12  # who appends: last, and as late as can be


Held = tuple[Lock, tuple[object, ...]]


class Holder(Protocol):
    """A connection that knows which locks its transaction holds."""

    held: list[Held]

    def execute(self, query: Any, params: Any = None) -> Any:
        """Run a statement."""


def number(lock: Lock, *key: object) -> int:
    """The lock's number in the database: the same for every process, another for every key."""
    text = "/".join(["pantau", lock.name, *map(str, key)])
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


def take(connection: Holder, lock: Lock, *key: object) -> None:
    """Wait for the lock and hold it until the transaction ends.

    Raises:
        RuntimeError: the transaction holds a lock that comes after this one (our error: it could wait for ever).
    """
    asked = (lock, key)
    if asked in connection.held:
        return
    if late := [held for held in connection.held if held[0] >= lock]:
        raise RuntimeError(f"the lock {lock.name} is taken before {late[0][0].name}, never after it")
    connection.execute("select pg_advisory_xact_lock(%s)", [number(lock, *key)])
    connection.held.append(asked)


def hold(connection: psycopg.Connection[Any], lock: Lock, *key: object, wait: bool) -> bool:
    """Hold the lock until the session ends or lets it go; without `wait` only where it is free.

    Returns:
        Whether it is held now.
    """
    call = "pg_advisory_lock(%s) is not null" if wait else "pg_try_advisory_lock(%s)"
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(f"select {call}", [number(lock, *key)]).fetchone()
    return row == (True,)


def let_go(connection: psycopg.Connection[Any], lock: Lock, *key: object) -> None:
    """Let a session's lock go before the session ends."""
    connection.execute("select pg_advisory_unlock(%s)", [number(lock, *key)])
