"""fetch: brings a feed's files for one part and period from its owner to a folder of ours, over its transport.

Promises whole files or an error that says what came instead; never half a file, never an error page. The
connection's credentials go to its own host alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pantau.catalogue import Feed
from pantau.errors import PantauError


@dataclass(frozen=True)
class File:
    """A fetched file: the sender's name for it and where it lies now."""

    name: str
    path: Path


@dataclass(frozen=True)
class Fetched:
    """What the owner serves for a part and period.

    Attributes:
        unchanged: the owner states that it is what we hold already; no files then.
        content_hash: of what counts as content, where that is not simply the files' bytes.
        validator: what the owner's server said names this content; empty where it said nothing.
    """

    sender: str
    files: list[File]
    unchanged: bool = False
    content_hash: str = ""
    validator: str = ""


@dataclass(frozen=True)
class Held:
    """What we hold of the newest delivery not rejected, so that an owner need not send it again."""

    sha256: str = ""  # of its file, where it has just one
    validator: str = ""


@dataclass(frozen=True)
class Order:
    """What is to be fetched, and where to.

    Attributes:
        connection: the owner's address with credentials, as URI (an Airflow connection).
        spool: the folder that takes the files.
    """

    feed: Feed
    part: str
    period: str
    connection: str = field(repr=False)
    spool: Path
    held: Held = Held()

    def place(self, **more: object) -> dict[str, object]:
        """The `where` of an error about it."""
        return {"feed": self.feed.name, "part": self.part, "period": self.period, **more}

    def fill(self, pattern: str) -> str:
        """A name or path with its `{period}`, `{year}`, `{month}` and `{part}` filled in."""
        return pattern.format(period=self.period, year=self.period[:4], month=self.period[5:], part=self.part)

    @property
    def connection_id(self) -> str:
        """The connection's name."""
        return self.feed.connection_id(self.part)


def fetch(order: Order) -> Fetched | None:
    """Fetch the files of one part and period into the order's spool.

    Returns:
        None where the owner has nothing for it yet.

    Raises:
        TransientError: the transport failed in a way that may heal (5xx, 429, cut connection, a list that
            changed while it was read).
        PantauError: what came is not what was promised (error page, wrong host key, wrong hash).
    """
    from pantau.fetch import ckan, http, inbox, paged_api, sftp  # each loads its own library

    transports: dict[str, Callable[[Order], Fetched | None]] = {
        "ckan": ckan.file,
        "ckan_datastore": ckan.rows,
        "http": http.file,
        "paged_api": paged_api.pages,
        "sftp": sftp.file,
        "inbox": inbox.files,
    }
    if order.connection_id and not order.connection:
        raise PantauError(
            f"The connection '{order.connection_id}' is not known.",
            where=order.place(),
            next_step=f"Add it in Airflow, or set AIRFLOW_CONN_{order.connection_id.upper()}.",
        )
    return transports[order.feed.transport.kind](order)
