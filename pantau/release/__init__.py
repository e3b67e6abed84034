"""release: freezes a build's figures, waits for a person's approval of exactly these, and flips the pointer.

Promises: figures are frozen once and verified by their hash before they are published; publishing is one
transaction; a build that comes to the published hash makes no release.
"""

from typing import Any

from psycopg.types.json import Jsonb

from pantau import checks, ledger, warehouse
from pantau.database import Connection, connect
from pantau.errors import PantauError
from pantau.progress import step
from pantau.release.freeze import figures_of_release, hash_of_build, hashes_of_releases, make_candidates

__all__ = [
    "approve", "candidates", "figures_of_release", "hash_of_build", "hashes_of_releases", "make_candidates", "publish",
    "still_stands", "verify_published",
]  # fmt: skip


def candidates(connection: Connection, first: str, last: str) -> list[dict[str, Any]]:
    """The releases of these periods that stand and are not published."""
    return connection.execute(
        "select * from ops.release where period between %s and %s and not superseded"
        " and id not in (select release_id from ops.publication) order by period",
        [first, last],
    ).fetchall()


def still_stands(connection: Connection, shown: dict[str, Any]) -> dict[str, Any]:
    """The candidate that was shown to a person, locked; the figures, page and data must still be those.

    Args:
        shown: its id, period, version, release_hash and page_hash.

    Raises:
        PantauError: it was superseded, is another one, or newer data has come since it was made.
    """
    row = connection.execute("select * from ops.release where id = %s for update", [shown["id"]]).fetchone()
    where = {"period": shown["period"], "version": shown["version"]}
    hashes = ("release_hash", "page_hash")
    if not row or row["superseded"] or any(row[name] != shown[name] for name in hashes):
        raise PantauError(
            "The candidate is no longer the one that was shown: newer data came.",
            where=where,
            next_step=f"Look at the new candidate and approve that: `pantau approve {shown['period']}`.",
        )
    if newer := _newer_inputs(connection, row["build_id"]):
        raise PantauError(
            f"Newer data came since the candidate was made: {', '.join(newer)}.",
            where=where,
            next_step=f"Close it again (`pantau close {shown['period']}`, or the DAG close_month), and approve "
            "the new candidate.",
        )
    return row


def _newer_inputs(connection: Connection, build_id: int) -> list[str]:
    """The build's own inputs that are not what they were at its cut-off: feeds with part and period."""
    build = connection.execute("select * from ops.build where id = %s", [build_id]).fetchone()
    assert build is not None
    first, last = build["first_period"], build["last_period"]

    def own(cutoff: int) -> set[warehouse.Input]:
        inputs, _ = warehouse.manifest(connection, first, last, cutoff=cutoff)
        return {i for i in inputs if first <= i.period <= last}

    changed = own(build["cutoff"]) ^ own(ledger.head(connection))
    return sorted({" ".join(filter(None, (i.feed, i.part, i.period))) for i in changed})


def approve(
    releases: list[dict[str, Any]], approver: str, acknowledged: list[str], said: dict[str, Any] | None = None
) -> list[str]:
    """Write down that a person approves exactly these figures and pages, by their hashes.

    Args:
        releases: candidates as they were shown to the person.
        acknowledged: ids of the warnings that the person has seen and lets stand.
        said: what else the ledger is to keep of the answer.

    Returns:
        Of each, whose approval stands: this person's, or that of one who was faster.

    Raises:
        PantauError: a candidate has changed since, or a warning is not acknowledged.
    """
    approvers = []
    with connect() as connection:
        for shown in releases:
            row = still_stands(connection, shown)
            known = connection.execute(
                "select approver from ops.approval where release_id = %s", [row["id"]]
            ).fetchone()
            if known:
                approvers.append(str(known["approver"]))
                continue
            warnings = {f.rule for f in checks.gate(connection, row["build_id"]).warnings}
            if left := sorted(warnings - set(acknowledged)):
                raise PantauError(
                    f"{len(left)} warning(s) are not acknowledged: {', '.join(left)}.",
                    where={"period": row["period"], "version": row["version"]},
                    next_step="Read them (`pantau findings`), then approve with `--acknowledge`.",
                )
            what = {"period": row["period"], "version": row["version"], "release_hash": row["release_hash"],
                    "page_hash": row["page_hash"], "approver": approver, "acknowledged": sorted(warnings),
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
        PantauError: frozen figures do not come to the approved hash, or another release was published meanwhile.
    """
    if not releases:
        return True
    with connect() as connection, step("publish", f"{len(releases)} release(s)") as done:
        connection.execute(  # two may publish the same at once: the second then finds it done
            "select from ops.release where id = any(%s) order by id for update", [releases]
        )
        rows = connection.execute(
            "select r.*, a.release_hash as approved_hash, a.page_hash as approved_page,"
            " p.release_id is not null as published from ops.release r left join ops.approval a on a.release_id = r.id"
            " left join ops.publication p on p.release_id = r.id where r.id = any(%s) order by r.period",
            [releases],
        ).fetchall()
        if any(row["approved_hash"] is None for row in rows):
            done.note = "waits for approval: `pantau approve`"
            return False
        for row in rows:
            if not row["published"]:
                _publish(connection, row)
        done.note = ", ".join(
            f"{r['period']} v{r['version']}" for r in (rows if len(rows) < 4 else [rows[0], rows[-1]])
        )
        return True


def _publish(connection: Connection, row: dict[str, Any]) -> None:
    where = {"period": row["period"], "version": row["version"]}
    found = (hashes_of_releases(connection, [row["id"]])[row["id"]], row["page_hash"])
    if found != (row["approved_hash"], row["approved_page"]) or found[0] != row["release_hash"]:
        raise PantauError(
            "The frozen figures do not come to the hash that was approved.",
            where=where,
            next_step="Somebody changed frozen rows: see docs/runbooks/tampering.md. Nothing was published.",
        )
    flipped = connection.execute(
        "insert into ops.published as p values (%(period)s, %(id)s) on conflict (period) do update"
        " set release_id = excluded.release_id where p.release_id = (select id from ops.release where"
        " period = %(period)s and version = %(version)s - 1 and not superseded) returning release_id",
        row,
    ).fetchone()
    if not flipped:
        raise PantauError(
            "Another release of this period was published meanwhile.",
            where=where,
            next_step=f"Close the period again: `pantau close {row['period']}`.",
        )
    number = ledger.append(connection, "publication", {**where, "release_hash": row["release_hash"]})
    connection.execute("insert into ops.publication values (%s, %s)", [row["id"], number])


def verify_published(connection: Connection) -> list[dict[str, Any]]:
    """Every published release whose frozen figures still come to its hash; raises where one does not."""
    rows = connection.execute("select * from public.published_release order by period").fetchall()
    found = hashes_of_releases(connection, [row["id"] for row in rows])
    for row in rows:
        if found[row["id"]] != row["release_hash"]:
            raise PantauError(
                "Published figures do not come to their hash.",
                where={"period": row["period"], "version": row["version"]},
                next_step="See docs/runbooks/tampering.md.",
            )
    return rows
