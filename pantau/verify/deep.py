"""The landed bytes read anew, against the ledger's entries of what was read of them.

Promise: a reading of another contract than this code's is told as such and never as tampered; nothing is written.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pantau import catalogue, read
from pantau.database import Connection
from pantau.errors import PantauError
from pantau.verify.failure import Entry, Failure

_SAYS = ("rows", "accepted", "refused", "set_aside", "files", "seals")


def of_other_contracts(entries: Iterable[Entry]) -> list[Entry]:
    """The readings that this code's catalogue would make otherwise: not read anew."""
    return [e for e in entries if e["kind"] == "reading" and not _is_ours(e["what"])]


def _is_ours(said: dict[str, Any]) -> bool:
    feed = catalogue.load().get(said["feed"])
    return feed is not None and feed.contract_version == said["contract"]


def failures(connection: Connection, entries: Iterable[Entry]) -> Iterator[Failure]:
    """The readings whose landed bytes do not come to what their entries say."""
    for entry in entries:
        if entry["kind"] == "reading" and _is_ours(entry["what"]):
            yield from _reading(connection, entry)


def _reading(connection: Connection, entry: Entry) -> Iterator[Failure]:
    said = entry["what"]
    what = f"reading {said['reading']}, read anew"
    where = {name: said[name] for name in ("feed", "part", "period", "delivery") if said[name]}
    where["ledger entry"] = entry["no"]
    delivery = connection.execute("select * from ops.delivery where id = %s", [said["delivery"]]).fetchone()
    if delivery is None:
        yield Failure(what, "its delivery is gone", where, ("no delivery",))
        return
    try:
        now = read.anew(
            connection, catalogue.feed(said["feed"]), delivery, said["register_reading"], said["laws"]
        )
    except PantauError as error:
        yield Failure(what, error.what, where, (error.what,))
        return
    if differs := [name for name in _SAYS if now[name] != said[name]]:
        told = f"the landed bytes come to other {', '.join(differs)} than were read of them"
        yield Failure(what, told, where, (str({name: now[name] for name in differs}),))
