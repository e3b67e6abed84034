"""land: keeps delivered bytes unchanged under their SHA-256 and writes the delivery down.

Promises: no byte is read before it is landed, nor where it is not what was landed; the same content again is no second
delivery and no entry of the ledger, but mends what was damaged; a set clock marks the delivery as simulated.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pantau import catalogue, clock, ledger, locks, periods
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect, decider
from pantau.errors import PantauError
from pantau.fetch import Fetched, Held, Order, fetch, inbox
from pantau.locks import Lock
from pantau.progress import log, step
from pantau.settings import settings


def due_periods(feed_name: str, *, everything: bool = False) -> list[dict[str, str]]:
    """The parts and periods that a run of the feed pulls now: a feed heals itself.

    Those that have begun (lists) or ended (months) and are missing, unread or inside the feed's window of
    restatements; all of them with `everything`. Of an inbox all that lies in it: what is no month,
    `pull` refuses.
    """
    feed = catalogue.feed(feed_name)
    with connect(Role.LOADER) as connection:
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

    Raises:
        PantauError: there is no such month, or it has not begun; what was fetched is not what was promised.
    """
    feed = catalogue.feed(feed_name)
    by_hand = feed.transport.kind == "inbox"  # the month is the name of a folder
    if not by_hand:
        periods.check(period, feed=feed.name, part=part)
    sweep()
    with connect(Role.LOADER) as connection:
        if by_hand:
            inbox.check(feed, period, clock.now(connection))
        else:
            clock.check_begun(connection, period, feed=feed.name, part=part)
        newest = newest_delivery(connection, feed.name, part, period)
        held = _held(connection, newest)
    with step("pull", f"{feed.name} {period} {part}".rstrip()) as done, _spool() as spool:
        got = fetch(Order(feed, part, period, connection_uri, spool, held))
        if got is None:
            done.note = "nothing there yet"
            return newest["id"] if newest else None
        delivery, duplicate = land(feed, part, period, got)
        done.note = f"delivery {delivery}" + (", the same again" if duplicate else "")
        return delivery


def _held(connection: Connection, newest: dict[str, Any] | None) -> Held:
    """What an owner need not send again; nothing where our bytes are damaged, for then it must.

    They are hashed in full each time: that costs less than to fetch them, and damage may keep a file's size.
    """
    if newest is None:
        return Held()
    files = connection.execute(
        "select sha256, bytes from ops.delivery_file where delivery_id = %s", [newest["id"]]
    ).fetchall()
    if not all(_is_whole(file["sha256"], file["bytes"]) for file in files):
        return Held()
    return Held(files[0]["sha256"] if len(files) == 1 else "", newest["validator"])


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
    with connect(Role.LOADER) as connection:
        locks.take(connection, Lock.DELIVERY, feed.name, part, period)
        valid = newest_delivery(connection, feed.name, part, period)
        if got.unchanged and not valid:  # it was rejected after the owner was asked
            return None, True
        same = valid if got.unchanged else _same(connection, feed.name, part, period, content, valid)
        if same:
            _note_poll(connection, feed.name, part, period, same["id"], again=1)
            return valid["id"] if valid else None, True
        delivery, simulated = ledger.new_id(connection, "delivery"), clock.is_set(connection)
        number = ledger.append(
            connection,
            "delivery",
            {
                "delivery": delivery, "feed": feed.name, "part": part, "period": period, "sender": got.sender,
                "simulated": simulated, "content_hash": content, "validator": got.validator,
                "files": [{"name": n, "sha256": d, "bytes": b} for n, d, b in files],
            },
        )  # fmt: skip
        connection.execute(
            "insert into ops.delivery (id, feed, part, period, content_hash, sender, received_at, known_at,"
            " simulated, ledger_no, validator) overriding system value"
            " select %s, %s, %s, %s, %s, %s, db_at, product_at, %s, no, %s from ops.ledger where no = %s",
            [delivery, feed.name, part, period, content, got.sender, simulated, got.validator, number],
        )
        for no, (name, digest, size) in enumerate(files):
            connection.execute(
                "insert into ops.delivery_file values (%s, %s, %s, %s, %s)",
                [delivery, no, name, digest, size],
            )
        _note_poll(connection, feed.name, part, period, delivery, again=0)
        return delivery, False


def _note_poll(
    connection: Connection, feed: str, part: str, period: str, delivery: int, *, again: int
) -> None:
    """When the owner was last asked, and how often the same content came again. No event, so not in the ledger."""
    connection.execute(
        "insert into ops.poll as p values (%s, %s, %s, %s, %s, %s) on conflict (feed, part, period) do update"
        " set delivery_id = excluded.delivery_id, asked_at = excluded.asked_at,"
        " times = excluded.times + case when p.delivery_id = excluded.delivery_id then p.times else 0 end",
        [feed, part, period, delivery, clock.now(connection), again],
    )


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


def verified(digest: str, where: dict[str, Any]) -> Path:
    """Where the bytes with this SHA-256 are kept, once it is sure that they are these.

    Args:
        where: what an error is to say of the file; its `feed` too.

    Raises:
        PantauError: the file is missing, or holds other bytes.
    """
    path, found = path_of(digest), found_at(digest)
    if found != digest:
        raise PantauError(
            "The landed bytes are not those that were delivered.",
            where={**where, "kept at": path, "expected SHA-256": digest, "found": found or "no file"},
            next_step=f"`pantau pull {where['feed']} --everything` puts them back where the owner still serves the "
            "same content; else copy the file from a backup. See docs/runbooks/tampering.md.",
        )
    return path


def found_at(digest: str) -> str:
    """The SHA-256 of the bytes that are kept under this one; empty where none are."""
    path = path_of(digest)
    return _hash(path) if path.exists() else ""


def is_untouched(digest: str, size: int, since: datetime) -> bool:
    """Whether bytes of that size are kept that nobody has written since: quick, and no proof."""
    path = path_of(digest)
    known = path.stat() if path.exists() else None
    return known is not None and known.st_size == size and known.st_mtime <= since.timestamp()


def _is_whole(digest: str, size: int) -> bool:
    path = path_of(digest)
    return path.exists() and path.stat().st_size == size and found_at(digest) == digest


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(source: Path) -> tuple[str, int]:
    """Move a fetched file under its SHA-256 unless it is there whole; returns the hash and its size.

    What lies there damaged is replaced.
    """
    digest, size = _hash(source), source.stat().st_size
    target = path_of(digest)
    if not _is_whole(digest, size):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o400)
        _sync(source)
        source.rename(target)
        _sync(target.parent)
        _sync(settings.landing)
    return digest, size


def _sync(path: Path) -> None:
    """Have a file, or a folder's names, on the disk before the database says so."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _spool() -> Iterator[Path]:
    """A folder for what one pull fetches, locked while the pull lives."""
    settings.landing.mkdir(parents=True, exist_ok=True)
    with _locked(settings.landing, fcntl.LOCK_SH):  # `sweep` sees no folder between its making and its lock
        spool = Path(tempfile.mkdtemp(dir=settings.landing, prefix="incoming-"))
        lock = os.open(spool, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield spool
    finally:
        shutil.rmtree(spool, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """A folder under a lock (`flock`); BlockingIOError where `how` says not to wait and somebody holds it."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def sweep() -> None:
    """Delete what killed pulls have left. A pull that lives, whosever, holds its folder's lock and keeps it."""
    if not settings.landing.exists():
        return
    with _locked(settings.landing, fcntl.LOCK_EX):
        for spool in settings.landing.glob("incoming-*"):
            with suppress(OSError), _locked(spool, fcntl.LOCK_EX | fcntl.LOCK_NB):
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
    with connect(Role.APPROVER) as connection:
        found = connection.execute("select * from ops.delivery where id = %s", [delivery]).fetchone()
        if not found:
            raise no_delivery(delivery)
        place = {name: found[name] for name in ("feed", "part", "period")}
        if kind == "reinstatement" and not _is_rejected(connection, delivery):
            raise PantauError(
                f"Delivery {delivery} is not rejected: there is nothing to take back.",
                where=place,
                next_step="`pantau delivery list` shows which are.",
            )
        what = {"delivery": delivery, **place, "by": decider(connection, by), "why": why}
        return ledger.append(connection, kind, what)


def _is_rejected(connection: Connection, delivery: int) -> bool:
    row = connection.execute(
        "select exists (select from ops.rejected(%s) r where r = %s) as yes",
        [ledger.head(connection), delivery],
    ).fetchone()
    return bool(row and row["yes"])


def no_delivery(delivery: int) -> PantauError:
    """What to tell who names one that never came."""
    return PantauError(f"There is no delivery {delivery}.", next_step="`pantau delivery list` shows them.")


def late_days(feed: Feed, period: str, known_at: datetime) -> int | None:
    """Days after the due day on which something became known; None where nothing is due."""
    if feed.due_day is None:
        return None
    return max(0, (known_at.astimezone(periods.JAKARTA).date() - periods.due(period, feed.due_day)).days)
