"""The audit pages: everything that is recorded, as static pages in out/audit/ that need no server and no network.

Promise: the folder is put in place whole, from one snapshot of the database; what was written of a frozen release is
written once.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pantau import catalogue, ledger, locks, verify
from pantau.audit import deliveries, findings, overview, releases
from pantau.audit.paper import Paper
from pantau.audit.records import Records
from pantau.audit.tree import Tree
from pantau.database import Connection, Role, connect
from pantau.locks import Lock
from pantau.progress import step
from pantau.seal import PAGES
from pantau.settings import settings
from pantau.verify.site import folder

_paper = cache(Paper)  # one for a process


def write(*, everything: bool = False, whole: bool = False) -> tuple[Path, list[verify.Failure]]:
    """Write the pages.

    Args:
        everything: write every page anew, also those of frozen releases.
        whole: verify everything, and not only what came since the last verification.

    Returns:
        The first one's path, and what of the records and files does not hold: the first page tells of it.
    """
    with connect(Role.PUBLISHER) as lock, step("audit", "pages") as done:
        locks.take(lock, Lock.PAGES)
        with (
            _snapshot() as connection,
            _tree(lock, everything=everything) as tree,
            ThreadPoolExecutor(1) as beside,  # the database hashes while the pages are written
        ):
            entries = ledger.entries(connection)
            row = connection.execute("select pg_export_snapshot() as name").fetchone()
            assert row is not None
            looking = beside.submit(_look, row["name"], entries, whole)
            _write(tree, Records(connection, entries), lambda: looking.result().failures)
        found = looking.result()
        with connect(Role.PUBLISHER) as connection:
            verify.note(connection, found)
        where = folder().relative_to(settings.out.parent) / "index.html"
        done.note = f"{tree.written:,} written, {tree.kept:,} as before: {where}" + (
            f"; {len(found.failures)} thing(s) do not hold" if found.failures else ""
        )
    return folder() / "index.html", found.failures


@contextmanager
def _snapshot(name: str = "") -> Iterator[Connection]:
    """A connection that reads one snapshot of the database: that of this name, where one is given."""
    with connect(Role.PUBLISHER) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if name:
            connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(name)))
        yield connection


def _look(snapshot: str, entries: list[dict[str, Any]], whole: bool) -> verify.Verification:
    with _snapshot(snapshot) as connection:
        return verify.look(connection, since_last=not whole, entries=entries)


def _tree(lock: Connection, *, everything: bool) -> Tree:
    """The folder, whose list of hashes the ledger vouches for before it is put in place."""
    known = verify.lists_of_pages(lock)

    def seal(digest: str, files: int) -> None:
        if known[:1] == [digest]:
            return
        with connect(Role.PUBLISHER) as connection:
            ledger.append(connection, "pages", {"scheme": PAGES, "sha256": digest, "files": files})

    return Tree(folder(), everything=everything, is_known=lambda digest: digest in known, seal=seal)


def _write(tree: Tree, records: Records, failures: Callable[[], list[verify.Failure]]) -> None:
    paper = _paper()
    paper.moment = records.now
    paper.write_assets(tree.copy)
    tree.write("assets/search.js", _search(records))
    deliveries.keep_files(tree, records)
    for release in records.releases.values():
        if not release["superseded"]:
            releases.write(tree, paper, records, release)
    findings.write(tree, paper, records)
    deliveries.write(tree, paper, records)
    overview.write_rules(tree, paper, records)
    overview.write_ledger(tree, paper, records)
    for period in records.periods:
        overview.write_period(tree, paper, records, period)
    overview.write_index(tree, paper, records, failures())


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
        "entries": records.head, "entries_a_page": overview.ENTRIES_A_PAGE,
    }  # fmt: skip
    text = json.dumps(known, ensure_ascii=True, separators=(",", ":"))
    return f"const PANTAU = {text};\n"


def _title(feed: str, part: str) -> str:
    known = catalogue.load().get(feed)
    return known.title_of(part).id if known else feed
