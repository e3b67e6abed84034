"""The first page of a release, and of what its pages are made.

Promise: what is frozen is written once; this page alone, which tells what has happened to the release since, is
written anew each time.
"""

from pathlib import Path
from typing import Any

from pantau.audit import indicators, rowpages
from pantau.audit.overview import ENTRIES_A_PAGE, headlines, state_of
from pantau.audit.paper import Paper, entry_link, release_page, stamp
from pantau.audit.records import SEVERITIES, Records, Row
from pantau.audit.tree import Tree
from pantau.settings import settings


def write(tree: Tree, paper: Paper, records: Records, this: Row) -> None:
    """The pages of one release."""
    build = records.builds[this["build_id"]]
    versions = [r for r in records.versions[this["period"]] if r["publication_no"] or r["id"] == this["id"]]
    folder = f"{this['period']}/v{this['version']}"
    shown = [h["definition"]["indicator_id"] for h in headlines(records, this)]

    def write_rows() -> None:
        for path, page in rowpages.write(records, paper, this, build, shown):
            tree.write(path, page)

    def write_indicators() -> None:
        for path, page in indicators.write(records, paper, this, build, versions):
            tree.write(path, page)

    frozen = (this["id"], this["release_hash"], this["page_hash"], build["id"], build["ledger_no"])
    since = (
        [(r["id"], state_of(r)) for r in versions],
        _rejected(records, this),
        records.reports.get(this["id"]),
    )
    tree.once(f"{folder}/rows", stamp(frozen), write_rows)
    tree.once(folder, stamp(frozen, since), write_indicators)
    _first_page(tree, paper, records, this, build, versions)


def _rejected(records: Records, this: Row) -> list[int]:
    """The deliveries behind a release that are rejected by now."""
    readings = [i["reading_id"] for i in records.inputs.get((this["build_id"], this["period"]), [])]
    return sorted(
        d for r in readings if records.deliveries[d := records.readings[r]["delivery_id"]]["rejected"]
    )


def _first_page(
    tree: Tree, paper: Paper, records: Records, this: Row, build: Row, versions: list[Row]
) -> None:
    path = release_page(this["period"], this["version"])
    before = next((r for r in versions if r["version"] == this["version"] - 1), None)
    old = {_key(f): f for f in records.nation.get(before["id"], [])} if before else {}
    results = records.results(build, this["period"])
    tree.write(
        path,
        paper.render(
            "release.html.j2", path,
            this=this, state=state_of(this), build=build, before=before, versions=versions,
            after=next((r for r in versions if r["version"] > this["version"]), None),
            restated=restated_since(records, this, build),
            holds=records.hashes[this["id"]] == this["release_hash"],
            count=records.figure_counts.get(this["id"], 0),
            headlines=[{**h, "old": old.get(_key(h["figure"]))} for h in headlines(records, this)],
            inputs=[indicators.input_of(records, i) for i in records.inputs.get((build["id"], this["period"]), [])],
            reports=_reports(tree, records, this),
            failed=sorted(
                (r for r in results if not r["passed"]),
                key=lambda r: (SEVERITIES.index(r["severity"]), r["rule_id"]),
            ),
            passed=sum(1 for r in results if r["passed"] and r["applicable"]),
            idle=sum(1 for r in results if not r["applicable"]),
            deletion=records.deletions.get(build["id"]),
            at=records.entry,
            link_to=lambda number: entry_link(number, ENTRIES_A_PAGE),
            simulated=build["simulated"],
        ),
    )  # fmt: skip


def restated_since(records: Records, this: Row, build: Row) -> list[tuple[Row, Row]]:
    """The earlier months that the page of a release quotes as they no longer are: of each the release that was
    published at the build's cut-off, and the one that is now."""
    if this["reason"] == "opening":
        return []
    found = []
    for month in sorted(month for month in records.versions if month < this["period"]):
        published = [r for r in records.versions[month] if r["publication_no"]]
        then = [r for r in published if r["publication_no"] <= build["cutoff"]]
        if then and then[-1]["release_hash"] != published[-1]["release_hash"]:
            found.append((then[-1], published[-1]))
    return found


def _key(figure: Row) -> tuple[str, str]:
    return figure["indicator_id"], figure["breakdown"]


def _reports(tree: Tree, records: Records, this: Row) -> list[dict[str, Any]]:
    """The PDF files of a release, laid beside the pages where they are on this machine."""
    shown = []
    for report in records.reports.get(this["id"], []):
        source, name = settings.out / report["path"], Path(report["path"]).name
        target = f"files/{report['sha256']}/{this['period']}-v{this['version']}-{name}"
        is_there = tree.keep(target, source, report["sha256"])
        shown.append({**report, "file": name, "target": target if is_there else None})
    return shown
