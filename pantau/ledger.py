"""The ledger: an append-only, hash-chained record of everything that happened, numbered in commit order."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import rfc8785
from psycopg.types.json import Jsonb

from pantau import locks
from pantau.database import Connection
from pantau.locks import Lock
from pantau.periods import JAKARTA

_GENESIS = "0" * 64


def append(connection: Connection, kind: str, what: dict[str, Any]) -> int:
    """Append one entry and return its number, the platform's only order.

    The hash is SHA-256 over the previous hash, a newline and the entry as RFC 8785 JSON, with the database's moment in
    UTC and the product's in Jakarta. The lock is held until the caller's transaction ends, so append as late
    in it as can be.
    """
    locks.take(connection, Lock.LEDGER)  # one writer at a time, so that numbers come in commit order
    row = connection.execute(
        "select clock_timestamp() as written, coalesce(set_to, clock_timestamp()) as product,"
        " l.no, l.hash, f.hash as first from ops.clock"
        " left join (select no, hash from ops.ledger order by no desc limit 1) l on true"
        " left join ops.ledger f on f.no = 1"
    ).fetchone()
    assert row is not None
    number, previous = (row["no"] or 0) + 1, row["hash"] or _GENESIS
    digest = entry_hash(previous, content(number, kind, what, row["written"], row["product"]))
    connection.execute(
        "insert into ops.ledger (no, kind, what, db_at, product_at, prev_hash, hash)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [number, kind, Jsonb(what), row["written"], row["product"], previous, digest],
    )
    connection.appended.append((row["first"] or digest, number, digest))
    return number


def new_id(connection: Connection, table: str) -> int:
    """The next id of a table of schema `ops`: taken first, so that the entry can name the row that it vouches for."""
    row = connection.execute(
        "select nextval(pg_get_serial_sequence(%s, 'id')) as id", [f"ops.{table}"]
    ).fetchone()
    assert row is not None
    return int(row["id"])


def entry_hash(previous: str, entry: bytes) -> str:
    """SHA-256 over the hash of the entry before, a newline and the entry."""
    return sha256(previous.encode() + b"\n" + entry).hexdigest()


def content(number: int, kind: str, what: dict[str, Any], written: datetime, product: datetime) -> bytes:
    """An entry as it is hashed."""
    entry: dict[str, Any] = {
        "no": number, "kind": kind, "what": what,
        "db_at": written.astimezone(UTC).isoformat(), "product_at": product.astimezone(JAKARTA).isoformat(),
    }  # fmt: skip
    return rfc8785.dumps(entry)


def entries(connection: Connection) -> list[dict[str, Any]]:
    """Every entry, the oldest first; `holds`: it is the one that was written, and follows on the one before.

    After a gap the first does not hold; those that follow on it do.
    """
    found, before, number = [], _GENESIS, 0
    for row in connection.execute("select * from ops.ledger order by no").fetchall():
        try:
            written = content(row["no"], row["kind"], row["what"], row["db_at"], row["product_at"])
        except rfc8785.CanonicalizationError:  # nothing that we write: somebody changed it
            written = b""
        digest = entry_hash(before, written)
        found.append(
            row | {"holds": (row["no"], row["prev_hash"], row["hash"]) == (number + 1, before, digest)}
        )
        before, number = row["hash"], row["no"]
    return found


def head(connection: Connection) -> int:
    """The number of the newest entry (0 before the first)."""
    row = connection.execute("select coalesce(max(no), 0) as no from ops.ledger").fetchone()
    assert row is not None
    return int(row["no"])
