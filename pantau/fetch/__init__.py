"""fetch: brings a feed's files for one period from its owner to a folder of ours, over its transport.

Promises whole files or an error that says what came instead; never half a file, never an error page.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pantau.catalogue import Feed
from pantau.errors import PantauError
from pantau.settings import settings


@dataclass(frozen=True)
class File:
    """A fetched file: the sender's name for it and where it lies now."""

    name: str
    path: Path


@dataclass(frozen=True)
class Fetched:
    """What the owner serves for a period. `unchanged`: the owner states the hash that we hold already."""

    sender: str
    files: list[File]
    unchanged: bool = False


def place(feed: Feed, period: str, **more: object) -> dict[str, object]:
    """The beginning of every error's `where`."""
    return {"feed": feed.name, "period": period, **more}


def fetch(feed: Feed, period: str, connection: str, spool: Path, held: str | None) -> Fetched | None:
    """Fetch the files of one period into `spool`.

    Args:
        connection: the address with credentials, as URI (an Airflow connection).
        held: SHA-256 of the single file of the newest delivery, so that an owner who states hashes need not
            send it again.

    Returns:
        None where the owner has nothing for that period yet.

    Raises:
        TransientError: the transport failed in a way that may heal (5xx, 429, cut connection).
        PantauError: what came is not what was promised (error page, wrong host key, wrong hash).
    """
    from pantau.fetch import http, sftp  # each loads its own library

    transports: dict[str, Callable[..., Fetched | None]] = {
        "ckan": http.ckan,
        "http": http.file,
        "sftp": sftp.file,
        "inbox": inbox,
    }
    if feed.transport.connection and not connection:
        raise PantauError(
            f"The connection '{feed.transport.connection}' is not known.",
            where=place(feed, period),
            next_step=f"Add it in Airflow, or set AIRFLOW_CONN_{feed.transport.connection.upper()}.",
        )
    return transports[feed.transport.kind](feed, period, connection, spool, held)


def fill(pattern: str, period: str) -> str:
    """A name or path with its `{period}`, `{year}`, `{month}` filled in."""
    return pattern.format(period=period, year=period[:4], month=period[5:])


def inbox_periods(feed: Feed) -> list[str]:
    """The periods for which people have brought files of this feed."""
    folder = settings.inbox / feed.name
    return sorted(p.name for p in folder.glob("[0-9]*-[0-9]*") if p.is_dir() and any(p.iterdir()))


def inbox(feed: Feed, period: str, connection: str, spool: Path, held: str | None) -> Fetched | None:
    """Copy the files of `inbox/<feed>/<period>/`; they stay where people put them."""
    folder = settings.inbox / feed.name / period
    found = sorted(p for p in folder.glob("*") if p.is_file() and not p.name.startswith("."))
    if not found:
        return None
    return Fetched("inbox", [File(p.name, Path(shutil.copyfile(p, spool / p.name))) for p in found])
