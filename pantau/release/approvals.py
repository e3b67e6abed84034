"""approvals: which approval of a release stands, who may give it, and how one is taken back before it is published.

Promises: who decided about a delivery in a way that changed what a release rests on does not approve it, unless alone
and saying why; nothing is deleted. A withdrawal is an entry of its own beside the approval; the view `ops.approval`
shows what stands, so nothing that asks for an approval can count one that was withdrawn.
"""

from collections.abc import Iterable
from typing import Any

from pantau import checks, ledger, locks, warehouse
from pantau.database import Connection, Role, connect, decider
from pantau.errors import BlockedError, PantauError
from pantau.locks import Lock


def standing(connection: Connection, releases: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By release: the approval that stands, if one does."""
    rows = connection.execute(
        "select * from ops.approval where release_id = any(%s)", [list(releases)]
    ).fetchall()
    return {row["release_id"]: row for row in rows}


def decided(connection: Connection, release: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Who has rejected or reinstated deliveries in a way that changed what a release rests on, since what was published
    before it: by name, the entries of the ledger.

    Of the inputs of its own months, as they would be had that person not decided: a decision that others make without
    effect (a newer delivery came, another person rejected it too) excludes nobody.
    """
    build = connection.execute("select * from ops.build where id = %s", [release["build_id"]]).fetchone()
    assert build is not None
    first, last, cutoff = build["first_period"], build["last_period"], build["cutoff"]
    rows = connection.execute(
        "select l.* from ops.ledger l where kind in ('rejection', 'reinstatement') and no <= %s and no > coalesce(("
        " select b.cutoff from ops.publication p join ops.candidate c on c.id = p.release_id"
        " join ops.build b on b.id = c.build_id where c.period = %s and c.version < %s"
        " order by p.ledger_no desc limit 1), 0) order by no",
        [cutoff, release["period"], release["version"]],
    ).fetchall()

    def own(but: list[int]) -> set[warehouse.Input]:
        inputs, _ = warehouse.manifest(
            connection, first, last, cutoff=cutoff, without=build["without"], but=but
        )
        return {i for i in inputs if first <= i.period <= last}

    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by.setdefault(row["what"]["by"].casefold(), []).append(row)
    return {who: its for who, its in by.items() if own([]) != own([row["no"] for row in its])}


def check_four_eyes(connection: Connection, release: dict[str, Any], approver: str, alone: str) -> list[int]:
    """The entries by which the approver has decided what the release rests on: none, or he says why he is alone.

    Raises:
        PantauError: he has, and says nothing.
    """
    entries = decided(connection, release).get(approver.casefold(), [])
    if entries and not alone.strip():
        told = ", ".join(
            f"{e['kind']} of delivery {e['what']['delivery']} (entry {e['no']})" for e in entries
        )
        raise PantauError(
            f"{approver} has decided what this release rests on, and does not approve it too: {told}.",
            where={"period": release["period"], "version": release["version"]},
            next_step="Let somebody else approve it; or, where there is nobody, "
            f"`pantau approve {release['period']} --alone --why …`, which the audit pages show.",
        )
    return [entry["no"] for entry in entries]


def open_warnings(
    connection: Connection, build: int, acknowledged: Iterable[str], period: str, version: int
) -> list[str]:
    """The warnings that stand against a build and are not among those acknowledged.

    Raises:
        BlockedError: a critical finding stands against it, also one that came after it was frozen (a delivery of the
            month before was restated, and this month's compared with that anew; or a rule is new).
    """
    gate = checks.gate(connection, build)
    if gate.blocked:
        told = ", ".join(f"{f.rule} ({f.rows:,} rows)" for f in gate.critical)
        raise BlockedError(
            f"Since the candidate was made, {len(gate.critical)} critical finding(s) came against it: {told}.",
            where={"period": period, "version": version, "build": build},
            next_step="`pantau findings` shows the rows. Ask the owner to send it again, or reject the delivery "
            "(`pantau delivery reject ID --why …`); then close again.",
        )
    return sorted({f.rule for f in gate.warnings} - set(acknowledged))


def renew(connection: Connection, release: dict[str, Any], approval: dict[str, Any], by: str) -> None:
    """Take back an approval that does not acknowledge what came after it, so that this person's takes its place."""
    _take_back(connection, release, approval, by, "warnings came after it; approved anew with them")


def withdraw(first: str, last: str, by: str, why: str) -> list[str]:
    """Take back the approvals of these periods that are not published; they may be approved anew.

    Returns:
        Of each what was taken back, such as `2026-10 v1, approved by sri`.

    Raises:
        PantauError: no reason is given, no approval waits, or it is published already.
    """
    if not why.strip():
        raise PantauError("A withdrawal is a decision that the ledger keeps.", next_step="Say `--why`.")
    with connect(Role.APPROVER) as connection:
        by = decider(connection, by)
        locks.take(connection, Lock.RELEASE)  # who publishes at the same time does so before, or not at all
        rows = connection.execute(
            "select * from ops.release where period between %s and %s and not superseded order by id",
            [first, last],
        ).fetchall()
        found = standing(connection, [row["id"] for row in rows])
        published = connection.execute(
            "select release_id from ops.publication where release_id = any(%s)", [list(found)]
        ).fetchall()
        gone = {row["release_id"] for row in published}
        taken = [row for row in rows if row["id"] in found and row["id"] not in gone]
        if not taken:
            raise PantauError(
                "No approval waits for its publication"
                + (": it is published, and stays so." if gone else "."),
                where={"period": first if first == last else f"{first}..{last}"},
                next_step="Reject the delivery that is wrong (`pantau delivery reject ID --why …`), then close again."
                if gone
                else "`pantau approve` shows what waits.",
            )
        for row in taken:
            _take_back(connection, row, found[row["id"]], by, why)
    return [f"{r['period']} v{r['version']}, approved by {found[r['id']]['approver']}" for r in taken]


def _take_back(
    connection: Connection, release: dict[str, Any], approval: dict[str, Any], by: str, why: str
) -> None:
    what = {
        "release": release["id"],
        **{name: release[name] for name in ("period", "version", "release_hash", "page_hash")},
        "approval": approval["ledger_no"], "approver": approval["approver"], "by": by, "why": why,
    }  # fmt: skip
    number = ledger.append(connection, "approval_withdrawn", what)
    connection.execute(
        "insert into ops.withdrawal values (%s, %s, %s, %s)", [approval["ledger_no"], by, why, number]
    )
