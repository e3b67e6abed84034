"""approvals: which approval of a release stands, and how one is taken back before it is published.

Promise: nothing is deleted. A withdrawal is an entry of its own beside the approval; the view `ops.approval` shows
what stands, so nothing that asks for an approval can count one that was withdrawn.
"""

from collections.abc import Iterable
from typing import Any

from pantau import ledger, locks
from pantau.database import Connection, connect
from pantau.errors import PantauError
from pantau.locks import Lock


def standing(connection: Connection, releases: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By release: the approval that stands, if one does."""
    rows = connection.execute(
        "select * from ops.approval where release_id = any(%s)", [list(releases)]
    ).fetchall()
    return {row["release_id"]: row for row in rows}


def withdraw(first: str, last: str, by: str, why: str) -> list[str]:
    """Take back the approvals of these periods that are not published; they may be approved anew.

    Returns:
        Of each what was taken back, such as `2026-10 v1, approved by sri`.

    Raises:
        PantauError: no reason is given, no approval waits, or it is published already.
    """
    if not why:
        raise PantauError("A withdrawal is a decision that the ledger keeps.", next_step="Say `--why`.")
    with connect() as connection:
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
