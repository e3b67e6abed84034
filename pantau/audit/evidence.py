"""The pages of evidence: every finding with all its failing rows, every delivery with what was read and refused of it.

Promise: all rows are there, however many; a long list goes on on further pages. What was delivered is shown as text.
"""

from collections import defaultdict
from typing import Any

from pantau import catalogue
from pantau.audit import axis, punctuality
from pantau.audit.overview import ENTRIES_A_PAGE, state_of
from pantau.audit.paper import Paper, bytes_path, delivery_page, entry_link, finding_page, landed, stamp
from pantau.audit.records import SEVERITIES, Records, Row
from pantau.audit.rows import Place, places_of
from pantau.audit.tree import Tree

ROWS_A_PAGE = 1000
_FIRST = ("feed", "part", "period", "figure", "province", "operator", "wilayah_kode", "kode", "nama")


def _pages(count: int) -> int:
    return max(1, -(-count // ROWS_A_PAGE))


# ---------------------------------------------------------------- findings


def write_findings(tree: Tree, paper: Paper, records: Records) -> None:
    """The list of all findings, and the pages of each."""
    acknowledged = _acknowledged(records)
    series = defaultdict(list)
    for finding in records.findings.values():
        series[finding["rule_id"], finding["feed"], finding["part"]].append(finding)
    for finding in records.findings.values():
        same = series[finding["rule_id"], finding["feed"], finding["part"]]
        its = acknowledged.get(finding["id"], [])
        tree.once(
            f"findings/{finding['id']}",
            stamp(
                finding["id"], finding["rows"], [f["id"] for f in same], [(r["id"], state_of(r)) for r in its]
            ),
            lambda finding=finding, same=same, its=its: _finding(tree, paper, records, finding, same, its),  # type: ignore[misc]
        )
    listed = sorted(
        records.findings.values(),
        key=lambda f: (SEVERITIES.index(f["rule"]["severity"]), -f["id"]),
    )
    tree.write(
        "findings/index.html",
        paper.render(
            "findings.html.j2", "findings/index.html",
            findings=[{**f, **_about(records, f), "releases": acknowledged.get(f["id"], [])} for f in listed],
            simulated=any(d["simulated"] for d in records.deliveries.values()),
        ),
    )  # fmt: skip


def _acknowledged(records: Records) -> dict[int, list[Row]]:
    """The releases behind which a finding stands."""
    found = defaultdict(list)
    for release in records.releases.values():
        if not release["superseded"]:
            for result in records.results(records.builds[release["build_id"]], release["period"]):
                if result["finding"]:
                    found[result["finding"]["id"]].append(release)
    return dict(found)


def _about(records: Records, finding: Row) -> dict[str, Any]:
    """What a finding speaks of: a delivery, or a build and its months."""
    if finding["reading_id"]:
        reading = records.readings[finding["reading_id"]]
        delivery = records.deliveries[reading["delivery_id"]]
        feed = catalogue.load().get(finding["feed"])
        return {
            "title": feed.title_of(delivery["part"]).id if feed else finding["feed"],
            "months": delivery["period"], "delivery": delivery, "reading": reading,
            "simulated": delivery["simulated"],
        }  # fmt: skip
    build = records.builds.get(finding["build_id"])
    first, last = (build["first_period"], build["last_period"]) if build else ("", "")
    return {
        "title": "", "months": first if first == last else f"{first}..{last}", "delivery": None, "reading": None,
        "simulated": bool(build and build["simulated"]),
    }  # fmt: skip


def _finding(
    tree: Tree, paper: Paper, records: Records, finding: Row, same: list[Row], releases: list[Row]
) -> None:
    about, pages = _about(records, finding), _pages(finding["rows"])
    checked = records.entries[finding["ledger_no"] - 1]
    hashes = {f["rule"]: f["evidence_sha256"] for f in checked["what"]["failed"]}
    places = places_of(records.connection, finding["reading_id"]) if finding["reading_id"] else []
    history = [{**f, **_about(records, f)} for f in same]
    for number in range(1, pages + 1):
        rows = records.connection.execute(
            "select no, evidence from ops.finding_row where finding_id = %s and no > %s order by no limit %s",
            [finding["id"], (number - 1) * ROWS_A_PAGE, ROWS_A_PAGE],
        ).fetchall()
        path = finding_page(finding["id"], number)
        tree.write(
            path,
            paper.render(
                "finding.html.j2", path,
                finding=finding, rule=finding["rule"], about=about, number=number, pages=pages,
                columns=_columns(rows), rows=rows, places=places, place_of=_in_file,
                evidence_hash=hashes.get(finding["rule_id"]), checked=checked, history=history,
                bars=axis.columns([(f["months"], f["rows"], f["id"] == finding["id"]) for f in history], paper.month),
                releases=[{"release": r, "state": state_of(r)} for r in releases],
                link_to=lambda n: entry_link(n, ENTRIES_A_PAGE),
                simulated=about["simulated"],
            ),
        )  # fmt: skip


def _columns(rows: list[Row]) -> list[str]:
    """The evidence's columns, those that say where first."""
    found = dict.fromkeys(key for row in rows for key in row["evidence"])
    return sorted(
        found, key=lambda key: (_FIRST.index(key) if key in _FIRST else len(_FIRST), list(found).index(key))
    )


def _in_file(places: list[Place], source_row: Any) -> tuple[Place, int] | None:
    """The file of a source row and its number there."""
    for place in places:
        if isinstance(source_row, int) and place.first <= source_row <= place.last:
            return place, place.first_file_row + source_row - place.first
    return None


# ---------------------------------------------------------------- deliveries


def write_deliveries(tree: Tree, paper: Paper, records: Records) -> None:
    """The list of all deliveries by feed, the pages of each, and the delivered bytes themselves."""
    duplicates = records.told_of("duplicate", "delivery")
    decisions = defaultdict(list)
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
        for file in records.files[number]:
            tree.link(bytes_path(file["sha256"], file["name"]), landed(file["sha256"]))
        told = {
            "readings": records.readings_of.get(number, []),
            "duplicates": duplicates.get(number, []),
            "decisions": sorted(decisions.get(number, []), key=lambda e: e["no"]),
            "findings": found.get(number, []),
            "used": used.get(number, []),
        }
        mark = stamp(
            number, delivery["rejected"],
            [(name, [row.get("id", row.get("no")) for row in rows]) for name, rows in told.items() if name != "used"],
            [(r["id"], state_of(r)) for r in told["used"]],
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
            duplicates=sum(len(entries) for entries in duplicates.values()),
            simulated=any(d["simulated"] for d in records.deliveries.values()),
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
                "reading": (records.readings_of.get(delivery["id"]) or [None])[-1],
                "month": punctuality.month(records, feed, part, period),
                "part": feed.parts.get(part, part),
                "files": records.files[delivery["id"]],
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
                f"select * from ops.{table} where reading_id = %s order by source_row", [newest["id"]]
            ).fetchall()  # noqa: S608
            for table in ("quarantine", "set_aside", "control_total")
        )
    controls = [{**c, "holds": c["delivered"] == c["computed"]} for c in controls]
    places = places_of(records.connection, newest["id"]) if newest else []
    same = records.arrived[delivery["feed"], delivery["part"], delivery["period"]]
    pages = _pages(len(refused))
    for number in range(1, pages + 1):
        path = delivery_page(delivery["id"], number)
        tree.write(
            path,
            paper.render(
                "delivery.html.j2", path,
                delivery=delivery, feed=feed, title=feed.title_of(delivery["part"]).id if feed else delivery["feed"],
                ordinal=1 + next(n for n, d in enumerate(same) if d["id"] == delivery["id"]), same=same,
                files=[{**f, "target": bytes_path(f["sha256"], f["name"])} for f in records.files[delivery["id"]]],
                newest=newest, places=places, place_of=_in_file,
                refused=refused[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE], refused_values=len(refused),
                aside=aside, controls=controls, number=number, pages=pages,
                month=punctuality.month(records, feed, delivery["part"], delivery["period"]) if feed else None,
                used=[{"release": r, "state": state_of(r)} for r in told["used"]],
                readings=told["readings"], duplicates=told["duplicates"], decisions=told["decisions"],
                findings=told["findings"], link_to=lambda n: entry_link(n, ENTRIES_A_PAGE),
                at=lambda n: records.entries[n - 1],
                simulated=delivery["simulated"],
            ),
        )  # fmt: skip
