"""The pages of findings: every failed rule with all its rows, and where these stand in what was delivered.

Promise: all rows are there, however many; a long list goes on on further pages.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from pantau import catalogue
from pantau.audit import axis
from pantau.audit import figure as figures
from pantau.audit.overview import ENTRIES_A_PAGE, state_of
from pantau.audit.paper import ROWS_A_PAGE, Paper, entry_link, finding_page, pages_for, stamp
from pantau.audit.records import SEVERITIES, Records, Row
from pantau.audit.rows import Place, in_file, places_of
from pantau.audit.tree import Tree
from pantau.errors import PantauError

_FIRST = ("feed", "part", "period", "figure", "province", "operator", "wilayah_kode", "kode", "nama")


def write(tree: Tree, paper: Paper, records: Records) -> None:
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
            simulated=records.is_simulated,
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
    about, pages = _about(records, finding), pages_for(finding["rows"])
    checked = records.entries[finding["ledger_no"] - 1]
    hashes = {f["rule"]: f["evidence_sha256"] for f in checked["what"]["failed"]}
    origin = _Origins(records, finding)
    figures_at = _figure_links(records, finding)
    history = [{**f, **_about(records, f)} for f in same]
    series = [(f["months"], f["rows"], f["id"] == finding["id"]) for f in history]
    bars = axis.columns(series, paper.month, paper.number)
    for number in range(1, pages + 1):
        rows = records.connection.execute(
            "select no, evidence from ops.finding_row where finding_id = %s and no > %s order by no limit %s",
            [finding["id"], (number - 1) * ROWS_A_PAGE, ROWS_A_PAGE],
        ).fetchall()
        origins = origin.of([row["evidence"] for row in rows])
        path = finding_page(finding["id"], number)
        tree.write(
            path,
            paper.render(
                "finding.html.j2", path,
                finding=finding, rule=finding["rule"], about=about, number=number, pages=pages,
                columns=_columns(rows), rows=list(zip(rows, origins, strict=True)), has_origin=any(origins),
                figure_link=figures_at,
                evidence_hash=hashes.get(finding["rule_id"]), kept=records.evidence.get(finding["id"]),
                checked=checked, history=history,
                bars=bars,
                releases=[{"release": r, "state": state_of(r)} for r in releases],
                link_to=lambda n: entry_link(n, ENTRIES_A_PAGE),
                simulated=about["simulated"],
            ),
        )  # fmt: skip


def _figure_links(records: Records, finding: Row) -> Callable[[Any], str | None]:
    """The page of a figure that the evidence names, in the release that was made of the build."""
    releases = {
        r["period"]: r["version"]
        for r in records.releases.values()
        if r["build_id"] == finding["build_id"] and not r["superseded"]
    }

    def link(text: Any) -> str | None:
        try:
            named = figures.parse(str(text))
        except PantauError:
            return None
        version = releases.get(named["period"])
        tail = figures.anchor(named["place"], named["breakdown"])
        return f"{figures.page(named['period'], version, named['indicator'])}#{tail}" if version else None

    return link


class _Origins:
    """Where the failing rows of a finding stand in a delivery: by the number that the evidence gives, else by the key
    of the feed that the rule looks at."""

    def __init__(self, records: Records, finding: Row) -> None:
        self._records, self._finding = records, finding
        batch = finding["rule"]["batch"]
        self._feed = catalogue.load().get(finding["feed"] or batch.removesuffix("__build"))
        self._places = cache(partial(places_of, records.connection))

    def of(self, rows: list[dict[str, Any]]) -> list[tuple[Place, int] | None]:
        """File and row of each row of evidence; None where it speaks of no delivered row."""
        readings = [self._finding["reading_id"] or self._reading(row) for row in rows]
        wanted = defaultdict(set)
        for reading, row in zip(readings, rows, strict=True):
            if reading is not None and row.get("source_row") is None:
                wanted[reading].add(self._key(row))
        known = {reading: self._numbers(reading, keys) for reading, keys in wanted.items()}
        found = []
        for reading, row in zip(readings, rows, strict=True):
            number = row.get("source_row")
            if number is None and reading is not None:
                number = known[reading].get(self._key(row))
            found.append(in_file(self._places(reading), number) if reading is not None else None)
        return found

    def _key(self, row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(row.get(column)) for column in self._feed.key) if self._feed else ()

    def _reading(self, evidence: dict[str, Any]) -> int | None:
        """Of a build's finding: the reading in the manifest of the month that the row names."""
        build = self._records.builds.get(self._finding["build_id"])
        if build is None or self._feed is None:
            return None
        period = str(evidence.get("period", build["first_period"]))
        for line in self._records.inputs.get((build["id"], period), []):
            if (line["feed"], line["part"]) == (self._feed.name, evidence.get("part", "")):
                return int(line["reading_id"])
        return None

    def _numbers(self, reading: int, keys: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
        """The source rows of these keys in a reading."""
        if self._feed is None:
            return {}
        key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in self._feed.key)
        statement = sql.SQL(
            "select {key}, source_row from {table}"
            " where reading_id = {reading} and ({key}) in (select * from unnest({wanted}))"
        ).format(
            key=key,
            table=sql.Identifier("raw", self._feed.name),
            reading=sql.Literal(reading),
            wanted=sql.SQL(", ").join(
                sql.SQL("{}::text[]").format(sql.Literal(list(c))) for c in zip(*keys, strict=True)
            ),
        )
        with self._records.connection.cursor(row_factory=tuple_row) as cursor:
            return {tuple(row[:-1]): row[-1] for row in cursor.execute(statement)}


def _columns(rows: list[Row]) -> list[str]:
    """The evidence's columns, those that say where first."""
    found = dict.fromkeys(key for row in rows for key in row["evidence"])
    return sorted(
        found, key=lambda key: (_FIRST.index(key) if key in _FIRST else len(_FIRST), list(found).index(key))
    )
