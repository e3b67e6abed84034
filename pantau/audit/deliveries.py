"""The pages of deliveries: the bytes as they came, what was read of them, and what was refused and why.

Promise: what was delivered is shown as text; all refused rows are there, on further pages where they are many.
"""

from collections import defaultdict
from typing import Any

from psycopg import sql

from pantau import catalogue
from pantau.audit import punctuality
from pantau.audit.overview import ENTRIES_A_PAGE, state_of
from pantau.audit.paper import (
    ROWS_A_PAGE,
    Paper,
    bytes_path,
    delivery_page,
    entry_link,
    landed,
    pages_for,
    stamp,
)
from pantau.audit.records import Records, Row
from pantau.audit.rows import in_file, places_of
from pantau.audit.tree import Tree


def keep_files(tree: Tree, records: Records) -> None:
    """Lay the delivered bytes beside the pages; where they are not what was delivered, the pages say so."""
    for files in records.files.values():
        for file in files:
            if not tree.keep(
                bytes_path(file["sha256"], file["name"]), landed(file["sha256"]), file["sha256"]
            ):
                records.gone.add(file["sha256"])


def write(tree: Tree, paper: Paper, records: Records) -> None:
    """The list of all deliveries by feed, the pages of each, and the delivered bytes themselves."""
    decisions: dict[int, list[Row]] = defaultdict(list)
    for kind in ("rejection", "reinstatement"):
        for delivery, entries in records.told_of(kind, "delivery").items():
            decisions[delivery] += entries
    found = defaultdict(list)
    for finding in records.findings.values():
        if finding["delivery_id"]:
            found[finding["delivery_id"]].append(finding)
    used = _used(records)
    for delivery in records.deliveries.values():
        number = delivery["id"]
        told = {
            "readings": records.readings_of.get(number, []),
            "decisions": sorted(decisions.get(number, []), key=lambda e: e["no"]),
            "findings": found.get(number, []),
            "used": used.get(number, []),
        }
        mark = stamp(
            number, delivery["rejected"],
            [(name, [row.get("id", row.get("no")) for row in rows]) for name, rows in told.items() if name != "used"],
            sorted(records.gone & {file["sha256"] for file in records.files[number]}),
            [(r["id"], state_of(r)) for r in told["used"]],
            [records.damaged.get(file["sha256"]) for file in records.files[number]],
        )  # fmt: skip
        tree.once(
            f"deliveries/{number}", mark,
            lambda delivery=delivery, told=told: _delivery(tree, paper, records, delivery, told),  # type: ignore[misc]
        )  # fmt: skip
    tree.write(
        "deliveries/index.html",
        paper.render(
            "deliveries.html.j2", "deliveries/index.html",
            feeds=_by_feed(records), count=len(records.deliveries),
            damaged=len(records.damaged),
            times=sum(poll["times"] for poll in records.polls.values()),
            simulated=records.is_simulated,
        ),
    )  # fmt: skip


def _used(records: Records) -> dict[int, list[Row]]:
    """The releases that a delivery stands behind."""
    found = defaultdict(list)
    for release in records.releases.values():
        if not release["superseded"]:
            for line in records.inputs.get((release["build_id"], release["period"]), []):
                found[records.readings[line["reading_id"]]["delivery_id"]].append(release)
    return dict(found)


def _by_feed(records: Records) -> list[dict[str, Any]]:
    found = []
    for name, feed in catalogue.load().items():
        lines = [
            {
                "delivery": delivery,
                "ordinal": no,
                "reading": next(reversed(records.readings_of.get(delivery["id"], [])), None),
                "month": punctuality.month(records, feed, part, period),
                "part": feed.parts.get(part, part),
                "files": records.files[delivery["id"]],
                "poll": records.polls.get(delivery["id"]),
                "damaged": any(f["sha256"] in records.damaged for f in records.files[delivery["id"]]),
            }
            for (feed_name, part, period), deliveries in sorted(
                records.arrived.items(), key=lambda x: (x[0][2], x[0][1]), reverse=True
            )
            if feed_name == name
            for no, delivery in enumerate(deliveries, 1)
        ]
        if lines:
            found.append({"feed": feed, "lines": lines})
    return found


def _delivery(tree: Tree, paper: Paper, records: Records, delivery: Row, told: dict[str, list[Row]]) -> None:
    feed = catalogue.load().get(delivery["feed"])
    newest = told["readings"][-1] if told["readings"] else None
    refused, aside, controls = [], [], []
    if newest:
        refused, aside, controls = (
            records.connection.execute(
                sql.SQL("select * from ops.{} where reading_id = %s order by source_row").format(
                    sql.Identifier(table)
                ),
                [newest["id"]],
            ).fetchall()
            for table in ("quarantine", "set_aside", "control_total")
        )
    controls = [{**c, "holds": c["delivered"] == c["computed"]} for c in controls]
    places = places_of(records.connection, newest["id"]) if newest else []
    same = records.arrived[delivery["feed"], delivery["part"], delivery["period"]]
    pages = pages_for(len(refused))
    for number in range(1, pages + 1):
        path = delivery_page(delivery["id"], number)
        tree.write(
            path,
            paper.render(
                "delivery.html.j2", path,
                delivery=delivery, feed=feed, title=feed.title_of(delivery["part"]).id if feed else delivery["feed"],
                ordinal=1 + next(n for n, d in enumerate(same) if d["id"] == delivery["id"]), same=same,
                files=records.files_shown(delivery["id"]),
                newest=newest, places=places, place_of=in_file,
                refused=refused[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE], refused_values=len(refused),
                aside=aside, controls=controls, number=number, pages=pages,
                month=punctuality.month(records, feed, delivery["part"], delivery["period"]) if feed else None,
                used=[{"release": r, "state": state_of(r)} for r in told["used"]],
                readings=told["readings"], decisions=told["decisions"],
                findings=told["findings"], link_to=lambda n: entry_link(n, ENTRIES_A_PAGE),
                at=records.entry,
                simulated=delivery["simulated"],
            ),
        )  # fmt: skip
