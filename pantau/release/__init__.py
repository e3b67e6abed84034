"""release: freezes a build's figures, waits for a person's approval of exactly these, and flips the pointer.

Promises: figures and page are frozen once, and verified against the ledger before a page is rendered and before it is
published; a superseded candidate is never published, whatever the order of steps; publishing is one transaction; a
build that comes to the published hash makes no release, unless its page quotes a month that was restated.
"""

from typing import Any

from psycopg.types.json import Jsonb

from pantau import ledger, locks, periods, seal, verify, warehouse, witness
from pantau.database import Connection, Role, connect, decider
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.release import approvals
from pantau.release.freeze import figures_of_release, make_candidates

__all__ = [
    "approve",
    "candidates",
    "figures_of_release",
    "frozen",
    "make_candidates",
    "publish",
    "still_stands",
]

_TAMPERED = "Somebody changed frozen rows: see docs/runbooks/tampering.md."


def candidates(connection: Connection, first: str, last: str) -> list[dict[str, Any]]:
    """The releases of these periods that stand and are not published."""
    return connection.execute(
        "select * from ops.release where period between %s and %s and not superseded"
        " and id not in (select release_id from ops.publication) order by period",
        [first, last],
    ).fetchall()


def frozen(connection: Connection, release: int) -> dict[str, Any]:
    """A release's row, after its figures and page were hashed again and compared with the ledger's entry.

    Raises:
        PantauError: one of them is not what was frozen.
    """
    row = connection.execute("select * from ops.release where id = %s", [release]).fetchone()
    if row is None:
        raise PantauError(
            f"There is no release {release}.", next_step="`pantau approve PERIOD` shows what waits."
        )
    now = {
        "release": release, "period": row["period"], "version": row["version"], "build": row["build_id"],
        "reason": row["reason"],
        "release_hash": seal.figures_of_releases(connection, [release])[release],
        "page_hash": seal.page(row["context"]),
    }  # fmt: skip
    entry = connection.execute(
        "select what from ops.ledger where no = %s and kind = 'candidate'", [row["ledger_no"]]
    ).fetchone()
    kept = entry["what"] if entry else {}
    for scheme in kept.get("schemes", []):
        seal.check_scheme(scheme)
    changed = [
        name for name, value in now.items() if kept.get(name) != value or row.get(name, value) != value
    ]
    if row["explanation"] != row["context"].get("explanation"):
        changed.append("explanation")
    if changed:
        raise PantauError(
            f"The release is not the one that was frozen: {', '.join(changed)}.",
            where={"period": row["period"], "version": row["version"], "ledger entry": row["ledger_no"]},
            next_step=_TAMPERED,
        )
    return row


def still_stands(connection: Connection, shown: dict[str, Any]) -> dict[str, Any]:
    """The candidate that was shown to a person; figures, page, data and what it quotes must still be those.

    Freezing and publishing wait for the caller's transaction.

    Args:
        shown: its id, period, version, release_hash and page_hash.

    Raises:
        PantauError: it was superseded, is another one, or newer data has come since it was made.
    """
    locks.take(connection, Lock.RELEASE)
    row = connection.execute("select * from ops.release where id = %s", [shown["id"]]).fetchone()
    where = {"period": shown["period"], "version": shown["version"]}
    hashes = ("release_hash", "page_hash")
    if not row or row["superseded"] or any(row[name] != shown[name] for name in hashes):
        raise PantauError(
            "The candidate is no longer the one that was shown: newer data came.",
            where=where,
            next_step=f"Look at the new candidate and approve that: `pantau approve {shown['period']}`.",
        )
    if newer := [*_newer_inputs(connection, row["build_id"]), *_requoted(connection, row)]:
        raise PantauError(
            f"Newer data came since the candidate was made: {', '.join(newer)}.",
            where=where,
            next_step=f"Close it again (`pantau close {shown['period']}`, or the DAG close_month), and approve "
            "the new candidate.",
        )
    return row


def _newer_inputs(connection: Connection, build_id: int) -> list[str]:
    """The build's own inputs that are not what they were at its cut-off: feeds with part and period. Of the feeds that
    an indicator needs which is in force by the build's registers; of others nothing makes a month due either."""
    build = connection.execute("select * from ops.build where id = %s", [build_id]).fetchone()
    assert build is not None
    first, last = build["first_period"], build["last_period"]

    registers = build["register_version_ids"]
    needed = {m: warehouse.needed_feeds(connection, registers, m) for m in periods.span(first, last)}

    def own(cutoff: int) -> set[warehouse.Input]:
        inputs, _ = warehouse.manifest(connection, first, last, cutoff=cutoff)
        return {i for i in inputs if i.feed in needed.get(i.period, ())}

    changed = own(build["cutoff"]) ^ own(ledger.head(connection))
    return sorted({" ".join(filter(None, (i.feed, i.part, i.period))) for i in changed})


def _requoted(connection: Connection, release: dict[str, Any]) -> list[str]:
    """The earlier months that its page quotes with figures that are no longer the published ones."""
    if release["reason"] == "opening":
        return []
    build = connection.execute("select cutoff from ops.build where id = %s", [release["build_id"]]).fetchone()
    assert build is not None
    months = warehouse.requoted(connection, release["period"], build["cutoff"], ledger.head(connection))
    return [f"the release of {month} that its page quotes" for month in months]


def approve(
    releases: list[dict[str, Any]],
    approver: str,
    acknowledged: list[str],
    said: dict[str, Any] | None = None,
    alone: str = "",
) -> list[str]:
    """Write down that a person approves exactly these figures and pages, by their hashes.

    Args:
        releases: candidates as they were shown to the person.
        acknowledged: ids of the warnings that the person has seen and lets stand.
        said: what else the ledger is to keep of the answer.
        alone: why a person approves alone what rests on his own decisions about deliveries.

    Returns:
        Of each, whose approval stands: this person's, or that of one who was faster.

    Raises:
        BlockedError: a critical finding has come against a candidate since it was made.
        PantauError: a candidate has changed since, a warning is not acknowledged, or it rests on a decision of the
            approver's own.
    """
    approvers = []
    with connect(Role.APPROVER) as connection:
        approver = decider(connection, approver)
        for shown in releases:
            row = still_stands(connection, shown)
            where = {"period": row["period"], "version": row["version"]}
            warnings = set(approvals.open_warnings(connection, row["build_id"], (), **where))
            known = approvals.standing(connection, [row["id"]]).get(row["id"])
            if known and warnings <= set(known["acknowledged"]):
                approvers.append(str(known["approver"]))
                continue
            frozen(connection, row["id"])
            if left := sorted(warnings - set(acknowledged)):
                raise PantauError(
                    f"{len(left)} warning(s) are not acknowledged: {', '.join(left)}.",
                    where=where,
                    next_step="Read them (`pantau findings`), then approve with `--acknowledge`.",
                )
            own = approvals.check_four_eyes(connection, row, approver, alone)
            if known:
                approvals.renew(connection, row, known, approver)
            what = {"release": row["id"], "period": row["period"], "version": row["version"],
                    "release_hash": row["release_hash"], "page_hash": row["page_hash"], "approver": approver,
                    "acknowledged": sorted(warnings), **({"alone": alone, "decided": own} if own else {}),
                    **(said or {})}  # fmt: skip
            number = ledger.append(connection, "approval", what)
            connection.execute(
                "insert into ops.approval values (%s, %s, %s, %s, %s, %s)",
                [row["id"], row["release_hash"], row["page_hash"], approver, Jsonb(sorted(warnings)), number],
            )
            approvers.append(approver)
    return approvers


def publish(releases: list[int]) -> bool:
    """Flip the pointers of these releases in one transaction, if each is approved.

    Returns:
        Whether they are published now; False while an approval is missing.

    Raises:
        PantauError: a release is superseded, quotes what is no longer published, or is not what was frozen and
            approved; or the ledger does not vouch for what has happened since the last verification.
    """
    if not releases:
        return True
    with connect(Role.PUBLISHER) as connection, step("publish", f"{len(releases)} release(s)") as done:
        locks.take(
            connection, Lock.RELEASE
        )  # two may publish the same at once: the second then finds it done
        rows = connection.execute(
            "select r.*, a.ledger_no as approval_no, p.release_id is not null as published from ops.release r"
            " left join ops.approval a on a.release_id = r.id"
            " left join ops.publication p on p.release_id = r.id where r.id = any(%s) order by r.period",
            [releases],
        ).fetchall()
        waiting = [row for row in rows if not row["published"]]
        for row in waiting:
            if row["superseded"]:
                raise PantauError(
                    "The candidate was superseded: newer data came before it was published.",
                    where={"period": row["period"], "version": row["version"]},
                    next_step=f"Look at the new candidate and approve that: `pantau approve {row['period']}`.",
                )
        if any(row["approval_no"] is None for row in waiting):
            done.note = "waits for approval: `pantau approve`"
            return False
        if waiting:
            witness.check_writable()
            verified = verify.since_last(connection)
            for row in waiting:
                _check(connection, row)
            verify.note(connection, verified)
        for row in waiting:
            _flip(connection, row)
        done.note = ", ".join(
            f"{r['period']} v{r['version']}" for r in (rows if len(rows) < 4 else [rows[0], rows[-1]])
        )
        return True


def _check(connection: Connection, row: dict[str, Any]) -> None:
    """Raise PantauError where the release may not become the published one of its period."""
    where = {"period": row["period"], "version": row["version"]}
    _check_approval(connection, frozen(connection, row["id"]), row["approval_no"])
    if quotes := _requoted(connection, row):
        raise PantauError(
            f"The page is no longer true beside what was published since it was made: {', '.join(quotes)}.",
            where=where,
            next_step=f"Close the period again (`pantau close {row['period']}`), and approve the new candidate.",
        )
    before = connection.execute(
        "select r.version from ops.published p join ops.candidate r on r.id = p.release_id where r.period = %s",
        [row["period"]],
    ).fetchone()
    if row["version"] != (before["version"] if before else 0) + 1:
        raise PantauError(
            "Another release of this period was published meanwhile.",
            where=where,
            next_step=f"Close the period again: `pantau close {row['period']}`.",
        )


def _flip(connection: Connection, row: dict[str, Any]) -> None:
    where = {"period": row["period"], "version": row["version"]}
    what = {"release": row["id"], **where, "release_hash": row["release_hash"], "page_hash": row["page_hash"]}
    number = ledger.append(connection, "publication", what)
    connection.execute("insert into ops.publication values (%s, %s)", [row["id"], number])


def _check_approval(connection: Connection, row: dict[str, Any], number: int) -> None:
    """An approval counts by its entry of the ledger: for these hashes, with every warning acknowledged."""
    entry = connection.execute(
        "select what from ops.ledger where no = %s and kind = 'approval'", [number]
    ).fetchone()
    said = entry["what"] if entry else {}
    stands = {"release": row["id"], "release_hash": row["release_hash"], "page_hash": row["page_hash"]}
    where = {"period": row["period"], "version": row["version"]}
    if any(said.get(name) != value for name, value in stands.items()):
        raise PantauError(
            "The approval is not the one that the ledger keeps.", where=where, next_step=_TAMPERED
        )
    approvals.check_four_eyes(connection, row, said["approver"], said.get("alone", ""))
    if left := approvals.open_warnings(connection, row["build_id"], said["acknowledged"], **where):
        raise PantauError(
            f"{len(left)} warning(s) came after the approval, or were not acknowledged by it: {', '.join(left)}.",
            where=where,
            next_step=f"Read them (`pantau findings`), then `pantau approve {row['period']} --acknowledge`.",
        )
