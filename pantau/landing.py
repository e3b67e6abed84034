"""land: keeps delivered bytes unchanged under their SHA-256 and writes the delivery down.

Promises: no byte is read before it is landed; the same content again is a recorded duplicate, no second
delivery; a set clock marks the delivery as simulated.
"""

import hashlib
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from pantau import catalogue, clock, ledger, periods
from pantau.catalogue import Feed
from pantau.database import Connection, connect
from pantau.errors import PantauError
from pantau.fetch import Fetched, Held, Order, fetch, inbox
from pantau.progress import log, step
from pantau.settings import settings


def due_periods(feed_name: str, *, everything: bool = False) -> list[dict[str, str]]:
    """The parts and periods that a run of the feed pulls now: a feed heals itself.

    Those that have begun (lists) or ended (months) and are missing, unread or inside the feed's window of
    restatements; all of them with `everything`. Of an inbox all that lies in it: what is no month,
    `pull` refuses.
    """
    feed = catalogue.feed(feed_name)
    with connect() as connection:
        now = clock.now(connection)
        rows = connection.execute(
            "select distinct part, period from ops.delivery d where feed = %s"
            " and not exists (select from ops.rejected(%s) r where r = d.id)"
            " and exists (select from ops.reading r join ops.check_run c on c.reading_id = r.id"
            " where r.delivery_id = d.id)",
            [feed.name, ledger.head(connection)],
        ).fetchall()
    done = {(row["part"], row["period"]) for row in rows}
    begun = periods.start if feed.takes == "newest_effective" else periods.end
    if feed.transport.kind == "inbox":
        known, everything = inbox.lying(feed), True
        if not known:
            log.info("%s", f"nothing lies in {settings.inbox / feed.name}")
    else:
        known = [p for p in feed.periods_until(periods.of(now)) if begun(p) <= now]
    window = periods.shift(periods.of(now), -feed.restates_for_months)
    return [
        {"part": part, "period": period}
        for period in known
        for part in feed.parts
        if everything or period >= window or (part, period) not in done
    ]


def pull(feed_name: str, period: str, part: str = "", *, connection_uri: str = "") -> int | None:
    """fetch → land for one part and period.

    Returns:
        The id of the newest delivery that is not rejected, new or not; None where there is none yet.
    """
    feed = catalogue.feed(feed_name)
    with connect() as connection:
        if feed.transport.kind == "inbox":
            inbox.check(feed, period, clock.now(connection))
        newest = newest_delivery(connection, feed.name, part, period)
        files = connection.execute(
            "select sha256 from ops.delivery_file where delivery_id = %s",
            [newest and newest["id"]],
        ).fetchall()
    held = Held(files[0]["sha256"] if len(files) == 1 else "", newest["validator"] if newest else "")
    settings.landing.mkdir(parents=True, exist_ok=True)
    with (
        step("pull", f"{feed.name} {period} {part}".rstrip()) as done,
        tempfile.TemporaryDirectory(dir=settings.landing, prefix="incoming-") as spool,
    ):
        got = fetch(Order(feed, part, period, connection_uri, Path(spool), held))
        if got is None:
            done.note = "nothing there yet"
            return newest["id"] if newest else None
        delivery, duplicate = land(feed, part, period, got)
        done.note = f"delivery {delivery}" + (", the same again" if duplicate else "")
        return delivery


def land(feed: Feed, part: str, period: str, got: Fetched) -> tuple[int | None, bool]:
    """Keep the bytes, then write the delivery down.

    Returns:
        The id of the newest delivery not rejected (None where the only ones are), and whether this content
        was a duplicate.
    """
    files = [(file.name, *_keep(file.path)) for file in sorted(got.files, key=lambda f: f.name)]
    digests = [digest for _, digest, _ in files]
    content = got.content_hash or (
        digests[0] if len(files) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
    with connect() as connection:
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [feed.name + part + period]
        )
        valid = newest_delivery(connection, feed.name, part, period)
        if got.unchanged and not valid:  # it was rejected after the owner was asked
            return None, True
        same = valid if got.unchanged else _same(connection, feed.name, part, period, content, valid)
        if same:
            what = {"delivery": same["id"], "feed": feed.name, "part": part, "period": period}
            ledger.append(connection, "duplicate", {**what, "content_hash": same["content_hash"]})
            return valid["id"] if valid else None, True
        moment, simulated = clock.now(connection), clock.is_set(connection)
        number = ledger.append(
            connection,
            "delivery",
            {
                "feed": feed.name, "part": part, "period": period, "sender": got.sender, "simulated": simulated,
                "content_hash": content,
                "files": [{"name": n, "sha256": d, "bytes": b} for n, d, b in files],
            },
        )  # fmt: skip
        row = connection.execute(
            "insert into ops.delivery (feed, part, period, content_hash, sender, received_at, known_at,"
            " simulated, ledger_no, validator) values (%s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s)"
            " returning id",
            [feed.name, part, period, content, got.sender, moment, simulated, number, got.validator],
        ).fetchone()
        assert row is not None
        for no, (name, digest, size) in enumerate(files):
            connection.execute(
                "insert into ops.delivery_file values (%s, %s, %s, %s, %s)",
                [row["id"], no, name, digest, size],
            )
        return row["id"], False


def _same(
    connection: Connection, feed: str, part: str, period: str, content: str, valid: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The delivery that this content repeats: the newest not rejected, or the newest of all, which its source
    may still serve after we rejected it. An older one is a reversal, and no repetition."""
    newest = connection.execute(
        "select id, content_hash from ops.delivery where (feed, part, period) = (%s, %s, %s)"
        " order by ledger_no desc limit 1",
        [feed, part, period],
    ).fetchone()
    return next((d for d in (valid, newest) if d and d["content_hash"] == content), None)


def newest_delivery(
    connection: Connection, feed: str, part: str, period: str, cutoff: int | None = None
) -> dict[str, Any] | None:
    """The newest delivery not rejected, as of entry `cutoff` of the ledger (as of now without one)."""
    cutoff = ledger.head(connection) if cutoff is None else cutoff
    return connection.execute(
        "select * from ops.delivery d where (feed, part, period) = (%s, %s, %s) and ledger_no <= %s"
        " and not exists (select from ops.rejected(%s) r where r = d.id) order by ledger_no desc limit 1",
        [feed, part, period, cutoff, cutoff],
    ).fetchone()


def path_of(digest: str) -> Path:
    """Where the bytes with this SHA-256 are kept."""
    return settings.landing / digest[:2] / digest


def _keep(source: Path) -> tuple[str, int]:
    """Move a fetched file under its SHA-256 unless it is there; returns the hash and its size."""
    with open(source, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = path_of(digest)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(source, "rb") as file:
            os.fsync(file.fileno())
        source.chmod(0o400)
        source.rename(target)
    return digest, target.stat().st_size


def sweep() -> None:
    """Delete what killed pulls have left. For a moment at which nobody pulls."""
    for spool in settings.landing.glob("incoming-*"):
        shutil.rmtree(spool, ignore_errors=True)


def decide(delivery: int, kind: str, by: str, why: str) -> int:
    """Reject a delivery, or reinstate it. It is never deleted; builds after this leave it out.

    Args:
        kind: `rejection` or `reinstatement`.

    Raises:
        PantauError: there is no such delivery, or no reason is given.
    """
    if not why.strip():
        raise PantauError(
            f"A {kind} needs a reason, which the ledger keeps.",
            where={"delivery": delivery},
            next_step="Say it by `--why`.",
        )
    with connect() as connection:
        found = connection.execute("select * from ops.delivery where id = %s", [delivery]).fetchone()
        if not found:
            raise no_delivery(delivery)
        place = {name: found[name] for name in ("feed", "part", "period")}
        what = {"delivery": delivery, **place, "by": by, "why": why}
        return ledger.append(connection, kind, what)


def no_delivery(delivery: int) -> PantauError:
    """What to tell who names one that never came."""
    return PantauError(f"There is no delivery {delivery}.", next_step="`pantau delivery list` shows them.")


def late_days(feed: Feed, period: str, known_at: datetime) -> int | None:
    """Days after the due day on which something became known; None where nothing is due."""
    if feed.due_day is None:
        return None
    return max(0, (known_at.astimezone(periods.JAKARTA).date() - periods.due(period, feed.due_day)).days)
