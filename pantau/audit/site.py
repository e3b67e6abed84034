"""The audit pages: everything that is recorded, as static pages in out/audit/ that need no server and no network.

Promise: the folder is put in place whole, from one snapshot of the database; what was written of a frozen release is
written once.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from pantau import catalogue
from pantau.audit import deliveries, findings, overview, releases
from pantau.audit.paper import Paper
from pantau.audit.records import Records
from pantau.audit.tree import Tree
from pantau.database import connect
from pantau.progress import step
from pantau.settings import settings

_LOCK = 0x41554449  # one writer at a time
_paper = cache(Paper)  # one for a process


def folder() -> Path:
    """Where the pages lie."""
    return settings.out / "audit"


def write(*, everything: bool = False) -> Path:
    """Write the pages, and return the first one's path.

    Args:
        everything: write every page anew, also those of frozen releases.
    """
    with connect() as lock, step("audit", "pages") as done:
        lock.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        with connect() as connection, Tree(folder(), everything=everything) as tree:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            _write(tree, Records(connection))
        where = folder().relative_to(settings.out.parent) / "index.html"
        done.note = f"{tree.written:,} written, {tree.kept:,} as before: {where}"
    return folder() / "index.html"


def _write(tree: Tree, records: Records) -> None:
    paper = _paper()
    paper.moment = records.now
    paper.write_assets(tree.copy)
    tree.write("assets/search.js", _search(records))
    for release in records.releases.values():
        if not release["superseded"]:
            releases.write(tree, paper, records, release)
    findings.write(tree, paper, records)
    deliveries.write(tree, paper, records)
    overview.write_rules(tree, paper, records)
    overview.write_ledger(tree, paper, records)
    for period in records.periods:
        overview.write_period(tree, paper, records, period)
    overview.write_index(tree, paper, records)


def _search(records: Records) -> str:
    """What the search box knows: how ids lead to pages, names of regions, hashes of deliveries, findings."""
    newest = next(reversed(records.periods), None)
    build = records.standing_build(newest) if newest else None
    names = records.names(build, newest) if build and newest else {}
    known: dict[str, Any] = {
        "releases": [
            [r["period"], r["version"], int(r["published"]), r["release_hash"],
             sorted({f["indicator_id"] for f in records.nation.get(r["id"], [])})]
            for r in records.releases.values() if not r["superseded"]
        ],
        "breakdowns": records.breakdowns,
        "places": {code: name for code, name in names.items() if len(code) <= 5},
        "deliveries": [
            [d["id"], f"{_title(d['feed'], d['part'])}, {d['period']}",
             [d["content_hash"], *(f["sha256"] for f in records.files[d["id"]])]]
            for d in records.deliveries.values()
        ],
        "findings": [[f["id"], f["rule_id"], f["rows"]] for f in records.findings.values()],
        "entries": len(records.entries), "entries_a_page": overview.ENTRIES_A_PAGE,
    }  # fmt: skip
    text = json.dumps(known, ensure_ascii=True, separators=(",", ":"))
    return f"const PANTAU = {text};\n"


def _title(feed: str, part: str) -> str:
    known = catalogue.load().get(feed)
    return known.title_of(part).id if known else feed
