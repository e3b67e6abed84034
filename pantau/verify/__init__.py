"""verify: what is there now against what the ledger vouches for, and the ledger against its witness.

Promises: nothing is compared but with the ledger's entries; a change that no step of Pantau has made is found and
named, with the verification that still held; a lawful one (a restore) is accepted by a person, and told ever after.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from pantau import ledger, tables, witness
from pantau.database import Connection, Role, connect, decider, may
from pantau.errors import PantauError
from pantau.progress import step
from pantau.settings import settings
from pantau.verify import contents, records, site
from pantau.verify import deep as deeply
from pantau.verify.failure import RUNBOOK, Acceptance, Entry, Failure, acceptances, is_accepted

__all__ = ["Failure", "Verification", "accept", "lists_of_pages", "look", "note", "run", "since_last"]

_SHOWN = 8


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        head: the ledger's newest entry that it looked at.
        since: the entry up to which contents had been verified before, and were not again; 0: all of them.
        failures: what does not hold and is not accepted.
        accepted: what a person has accepted, whether it still fails or not.
        deleted: the entries by which a person has deleted facts.
        last_held: the entry of the newest verification before that held and looked at as much, if any: one that took
            older contents for verified says nothing of them.
        read_anew: how many readings were made again from their landed bytes; None where none was to be.
        of_other_contracts: how many were not, since this code's catalogue reads otherwise.
        witnessed: how many heads of this ledger the witness holds.
        others_witnessed: of how many other ledgers it holds heads. A ledger made anew from its first entry on would
            leave its old one there.
        is_known: whether nothing has happened since a verification that saw as much and held.
    """

    head: int
    head_hash: str
    since: int
    failures: list[Failure]
    accepted: list[Acceptance]
    deleted: list[Entry]
    last_held: Entry | None
    read_anew: int | None
    of_other_contracts: int
    witnessed: int
    others_witnessed: int
    is_known: bool

    def held_before(self) -> str:
        """When it last held, in words."""
        if not self.last_held:
            return "no verification held before"
        through = self.last_held["what"]["through"]
        return f"last held on {self.last_held['product_at']:%Y-%m-%d %H:%M}, up to entry {through}"


def run(*, deep: bool = False) -> Verification:
    """Verify everything, in one snapshot; note it if it holds.

    Args:
        deep: read the landed bytes anew too.

    Raises nothing for what it finds: that stands in the result.
    """
    with (
        connect(Role.AUDITOR) as connection,
        step("verify", "everything") as done,
    ):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        found = look(connection, since_last=False, deep=deep)
        done.note = f"{found.head} entries, " + (
            f"{len(found.failures)} failure(s)" if found.failures else "all hold"
        )
        is_noted = not found.failures and may(
            connection, Role.PUBLISHER
        )  # an auditor of his own looks, no more
    if is_noted:
        with connect(Role.PUBLISHER) as connection:
            note(connection, found)
    return found


def since_last(connection: Connection) -> Verification:
    """Verify what came since the last verification, in the caller's transaction.

    Raises:
        PantauError: something does not hold; with what, where, and when it last held.
    """
    found = look(connection, since_last=True)
    if found.failures:
        told = "\n  ".join(f"{f.what}: {f.told}" for f in found.failures[:_SHOWN])
        raise PantauError(
            f"Verification fails ({len(found.failures)}); {found.held_before()}. Nothing was published.\n  {told}",
            where=found.failures[0].where,
            next_step=f"`pantau verify` shows all; {RUNBOOK} says what each means and what to do.",
        )
    return found


def note(connection: Connection, found: Verification) -> None:
    """Append that a verification held, unless the newest one says as much already."""
    if found.failures or found.is_known or not found.head:
        return
    what = {"through": found.head, "hash": found.head_hash, "since": found.since}
    ledger.append(connection, "verification", what)


def look(
    connection: Connection, *, since_last: bool, deep: bool = False, entries: list[Entry] | None = None
) -> Verification:
    """Verify everything, or of contents what came since the last verification; nothing is noted.

    Args:
        entries: the ledger's, where the caller has them from the same snapshot.
    """
    entries = ledger.entries(connection) if entries is None else entries
    accepted = acceptances(entries)
    held = next((e for e in reversed(entries) if e["kind"] == "verification"), None)
    since = int(held["what"]["through"]) if held and since_last else 0
    is_known = (
        held is not None
        and held["what"]["since"] <= since
        and all(e["kind"] in ("verification", "pages") for e in entries if e["no"] > held["what"]["through"])
    )
    others = witness.heads()
    heads = others.pop(entries[0]["hash"], {}) if entries else {}
    found = [
        *_chain(entries),
        *_witness(entries, heads, len(others)),
        *_objects(connection, entries),
        *records.failures(connection, entries),
        *contents.failures(connection, entries, since=since),
        *([] if since else contents.strangers(connection)),
        *([] if since else site.failures(lists_of_pages(connection))),
        *(deeply.failures(connection, entries) if deep else []),
    ]
    other = len(deeply.of_other_contracts(entries)) if deep else 0
    anew = len([e for e in entries if e["kind"] == "reading"]) - other if deep else None
    return Verification(
        head=entries[-1]["no"] if entries else 0,
        head_hash=entries[-1]["hash"] if entries else "",
        since=since,
        failures=[f for f in found if not is_accepted(f, accepted)],
        accepted=accepted,
        deleted=[e for e in entries if e["kind"] == "deletion"],
        last_held=held if since else _newest_whole(entries),
        read_anew=anew,
        of_other_contracts=other,
        witnessed=len(heads),
        others_witnessed=len(others),
        is_known=is_known,
    )


def _newest_whole(entries: list[Entry]) -> Entry | None:
    return next(
        (e for e in reversed(entries) if e["kind"] == "verification" and not e["what"]["since"]), None
    )


def _chain(entries: list[Entry]) -> list[Failure]:
    broken = [e for e in entries if not e["holds"]]
    if not broken:
        return []
    first = broken[0]
    told = f"{len(broken)} entries are not as they were written, or do not follow on the one before; the first is"
    return [
        Failure(
            "ops.ledger/chain", f"{told} entry {first['no']} ({first['kind']})", {"ledger entry": first["no"]},
            tuple(f"{e['no']} {e['hash']}" for e in broken),
        )
    ]  # fmt: skip


def _objects(connection: Connection, entries: list[Entry]) -> list[Failure]:
    found = [
        Failure(name, f"{how} since the set-up", {}, (how,))
        for name, how in tables.altered(connection).items()
    ]
    said = next((e["what"]["revision"] for e in reversed(entries) if e["kind"] == "objects"), None)
    has = tables.revision(connection)
    if said is not None and said != has:
        told = f"says {has}, the set-up left {said}: `pantau migrate` if it was cut off, else somebody changed it"
        found.append(Failure("public.alembic_version", told, {}, (has,)))
    return found


def _witness(entries: list[Entry], heads: dict[int, set[str]], others: int) -> list[Failure]:
    """Heads that the witness holds and the ledger does not have: its tail was cut, or its chain built anew."""
    if not heads and (entries or others):
        told = "the witness holds no head of this ledger" if entries else "the ledger is empty"
        told += f"; it holds heads of {others} other(s)" if others else ""
        why = "the ledger was made anew, or the witness was lost or is another one"
        return [
            Failure(
                "witness", f"{told}: {why}", {"file": settings.witness_file},
                (entries[0]["hash"] if entries else "empty",),
            )
        ]  # fmt: skip
    known = {e["no"]: e["hash"] for e in entries}
    lost = {n: hashes - {known.get(n)} for n, hashes in heads.items() if hashes - {known.get(n)}}
    if not lost:
        return []
    head = entries[-1]["no"]
    beyond = [n for n in lost if n > head]
    told = (
        f"the ledger ends at entry {head}, and the witness holds heads up to {max(beyond)}: it was cut, or restored"
        " from a backup"
        if beyond
        else f"entry {min(lost)} is not the one that the witness holds: its chain was made anew, or restored"
    )
    found = sorted(f"{n} {digest}" for n, hashes in lost.items() for digest in hashes)
    return [
        Failure("witness", told, {"file": settings.witness_file, "ledger entry": min(lost)}, tuple(found))
    ]


def accept(what: str, by: str, why: str) -> Failure:
    """Accept one failure that stands now, as it stands now; every verification tells of it from then on.

    Raises:
        PantauError: there is no such failure, or no reason is given.
    """
    if not why.strip():
        raise PantauError("Accepting is a decision that the ledger keeps.", next_step="Say why: `--why …`.")
    with connect(Role.APPROVER) as connection:
        failures = look(connection, since_last=False).failures
        failure = next((f for f in failures if f.what == what), None)
        if failure is None:
            names = ", ".join(f"'{f.what}'" for f in failures[:_SHOWN])
            raise PantauError(
                f"Nothing that fails is named '{what}'.", next_step=f"What fails now: {names or 'nothing'}."
            )
        said: dict[str, Any] = {
            "what": what, "told": failure.told, "found": list(failure.found),
            "by": decider(connection, by), "why": why.strip(),
        }  # fmt: skip
        ledger.append(connection, "acceptance", said)
    return failure


def lists_of_pages(connection: Connection) -> list[str]:
    """The hashes of the newest lists of the audit pages, the newest first: that of the pages that stand is one of them,
    for a list is written down before its pages are put in place, and either may be cut off."""
    rows = connection.execute(
        "select what ->> 'sha256' as sha256 from ops.ledger where kind = 'pages' order by no desc limit 5"
    ).fetchall()
    return [row["sha256"] for row in rows]
