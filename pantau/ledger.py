"""The ledger: an append-only, hash-chained record of everything that happened, numbered in commit order."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import rfc8785
from psycopg.types.json import Jsonb

from pantau import clock
from pantau.database import Connection
from pantau.periods import JAKARTA

_LOCK = 0x50414E54  # one writer at a time, so that numbers come in commit order
_GENESIS = "0" * 64


def append(connection: Connection, kind: str, what: dict[str, Any]) -> int:
    """Append one entry and return its number, the platform's only order.

    The hash is SHA-256 over the previous hash, a newline and the entry as RFC 8785 JSON, with the database's moment in
    UTC and the product's in Jakarta. The lock is held until the caller's transaction ends, so append as late
    in it as can be.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
    last = connection.execute("select no, hash from ops.ledger order by no desc limit 1").fetchone()
    number, previous = (last["no"] + 1, last["hash"]) if last else (1, _GENESIS)
    row = connection.execute("select clock_timestamp() as moment").fetchone()
    assert row is not None
    written, product = row["moment"], clock.now(connection)
    digest = sha256(previous.encode() + b"\n" + content(number, kind, what, written, product)).hexdigest()
    connection.execute(
        "insert into ops.ledger (no, kind, what, db_at, product_at, prev_hash, hash)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [number, kind, Jsonb(what), written, product, previous, digest],
    )
    return number


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
        digest = sha256(before.encode() + b"\n" + written).hexdigest()
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
