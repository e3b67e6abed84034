"""What the pages tell of: the platform's tables, read once and in one snapshot, and how their rows belong together.

Promise: nothing is worked out here that is not written there; all pages of one writing show the same moment.
"""

from collections import defaultdict
from datetime import datetime
from functools import cached_property
from typing import Any

from pantau import clock, seal
from pantau.audit.paper import bytes_path
from pantau.audit.rows import Fact, rows_by_region
from pantau.audit.trace import registers_of
from pantau.database import Connection
from pantau.landing import found_at, is_untouched
from pantau.read import REGISTER
from pantau.release.figures import NATION

Row = dict[str, Any]
SEVERITIES = ("critical", "warning", "info")


def absent(number: int) -> Row:
    """Stands for an entry of the ledger that is not there."""
    nothing: Row = {"what": {}, "db_at": None, "product_at": None, "prev_hash": "", "hash": ""}
    return {"no": number, "kind": "absent", "holds": False, **nothing}


class Records:
    """The tables of schema `ops`. The connection's transaction must be one snapshot."""

    def __init__(self, connection: Connection, entries: list[Row]) -> None:
        """All of it.

        Args:
            entries: the ledger's, from the same snapshot.
        """
        self.connection = connection
        self.now: datetime = clock.now(connection)
        self.failing: dict[str, dict[str, int]] = {}  # by period and rule; filled in by who asks
        self.gone: set[str] = (
            set()
        )  # SHA-256 of delivered bytes that are lost or changed; filled in by who looks
        self._counts: dict[tuple[int, str, str], dict[str, int]] = {}
        self._registers: dict[str, dict[str, list[Row]]] = {}
        self._names: dict[int | None, dict[str, str]] = {}
        self._labels: dict[int, dict[str, str]] = {}
        self.entries = list(entries)
        while self.entries and self.entries[-1]["kind"] == "pages":
            self.entries.pop()  # of these very pages: telling of it would change them, for ever
        self._numbered = {entry["no"]: entry for entry in self.entries}
        # Builds whose facts somebody let go, with the entry.
        self.deletions = {e["what"]["build"]: e for e in self.entries if e["kind"] == "deletion"}
        self.head: int = self.entries[-1]["no"] if self.entries else 0
        self.deliveries = self._keyed(
            "select d.*, d.id in (select ops.rejected(%s)) as rejected from ops.delivery d order by d.ledger_no",
            [self.head],
        )
        self.readings = self._keyed("select * from ops.reading order by ledger_no")
        self.builds = self._keyed(
            "select b.*, o.outcome from ops.build b left join ops.build_outcome o on o.build_id = b.id"
            " where b.purpose <> 'rebuild' order by b.id"
        )
        self.releases = self._keyed(
            "select r.*, a.approver, a.acknowledged, a.ledger_no as approval_no, p.ledger_no as publication_no,"
            " (select l.what ->> 'alone' from ops.ledger l where l.no = a.ledger_no) as alone,"
            " r.id in (select release_id from ops.published) as published from ops.release r"
            " left join ops.approval a on a.release_id = r.id left join ops.publication p on p.release_id = r.id"
            " order by r.period, r.version, r.id"
        )
        self.findings = self._keyed(
            "select f.*, c.border, c.feed, c.reading_id, c.build_id, c.ledger_no, d.id as delivery_id, d.part,"
            " d.period from ops.finding f join ops.check_run c on c.id = f.check_run_id"
            " left join ops.reading r on r.id = c.reading_id left join ops.delivery d on d.id = r.delivery_id"
            " order by f.id"
        )

    def _all(self, query: str, values: list[Any] | None = None) -> list[Row]:
        return self.connection.execute(query, values).fetchall()

    def _keyed(self, query: str, values: list[Any] | None = None) -> dict[int, Row]:
        return {row["id"]: row for row in self._all(query, values)}

    def entry(self, number: int) -> Row:
        """The ledger's entry with this number; where somebody removed it, one that says so."""
        return self._numbered.get(number) or absent(number)

    @cached_property
    def numbered(self) -> list[Row]:
        """An entry for each number up to the newest, also where it is not there."""
        return [self.entry(number) for number in range(1, self.head + 1)]

    # -------------------------------------------------------------- deliveries

    @cached_property
    def damaged(self) -> dict[str, str]:
        """Of delivered files whose landed bytes are not what came: SHA-256 → the one found, empty where they are gone.

        Hashed is what was written after it came. `pantau.landing.verified` trusts no file's time.
        """
        found = {}
        for number, files in self.files.items():
            came = self.deliveries[number]["received_at"]
            for file in files:
                digest = file["sha256"]
                if not is_untouched(digest, file["bytes"], came) and (now := found_at(digest)) != digest:
                    found[digest] = now
        return found

    @cached_property
    def files(self) -> dict[int, list[Row]]:
        """The files of each delivery."""
        found = defaultdict(list)
        for row in self._all("select * from ops.delivery_file order by delivery_id, no"):
            found[row["delivery_id"]].append(row)
        return dict(found)

    def files_shown(self, delivery: int) -> list[Row]:
        """The files of a delivery, each with where its bytes lie among the pages (None where these are gone), and what
        was found where they are kept, if that is not what came."""
        return [
            {
                **file,
                "target": None if file["sha256"] in self.gone else bytes_path(file["sha256"], file["name"]),
                "found": self.damaged.get(file["sha256"]),
            }
            for file in self.files[delivery]
        ]

    @cached_property
    def polls(self) -> dict[int, Row]:
        """Of each delivery that the owner's last answer repeated, or was: when that was, and how often."""
        return {row["delivery_id"]: row for row in self._all("select * from ops.poll")}

    @cached_property
    def readings_of(self) -> dict[int, list[Row]]:
        """The readings of each delivery, the oldest first."""
        found = defaultdict(list)
        for row in self.readings.values():
            found[row["delivery_id"]].append(row)
        return dict(found)

    @cached_property
    def arrived(self) -> dict[tuple[str, str, str], list[Row]]:
        """Deliveries by feed, part and period, the oldest first."""
        found = defaultdict(list)
        for row in self.deliveries.values():
            found[row["feed"], row["part"], row["period"]].append(row)
        return dict(found)

    def told_of(self, kind: str, key: str) -> dict[Any, list[Row]]:
        """The ledger's entries of a kind, by what they say under a key."""
        found = defaultdict(list)
        for entry in self.entries:
            if entry["kind"] == kind and entry["what"].get(key) is not None:
                found[entry["what"][key]].append(entry)
        return dict(found)

    @cached_property
    def is_simulated(self) -> bool:
        """Whether a simulated delivery is behind what the database holds, and so behind every page about all of it."""
        return any(delivery["simulated"] for delivery in self.deliveries.values())

    # -------------------------------------------------------------- builds and releases

    @cached_property
    def inputs(self) -> dict[tuple[int, str], list[Row]]:
        """The manifest of each build, for each period that it closes."""
        found = defaultdict(list)
        for row in self._all(
            "select i.* from ops.build_input i join ops.build b on b.id = i.build_id"
            " and i.period between b.first_period and b.last_period order by i.build_id, i.feed, i.part"
        ):
            found[row["build_id"], row["period"]].append(row)
        return dict(found)

    @cached_property
    def versions(self) -> dict[str, list[Row]]:
        """The releases of each period that stand, the oldest first."""
        found = defaultdict(list)
        for row in self.releases.values():
            if not row["superseded"]:
                found[row["period"]].append(row)
        return dict(found)

    @cached_property
    def periods(self) -> list[str]:
        """Every month with a release or a build, the oldest first."""
        return sorted({*self.versions, *(b["first_period"] for b in self.builds.values())})

    def last_build(self, period: str) -> Row | None:
        """The newest build of a period."""
        found = [b for b in self.builds.values() if b["first_period"] <= period <= b["last_period"]]
        return found[-1] if found else None

    def standing_build(self, period: str) -> Row | None:
        """The build of the release that is published, else the newest one."""
        published = [r for r in self.versions.get(period, []) if r["published"]]
        return self.builds[published[0]["build_id"]] if published else self.last_build(period)

    @cached_property
    def nation(self) -> dict[int, list[Row]]:
        """The nation's figures of each release."""
        found = defaultdict(list)
        for row in self._all(
            'select * from ops.figure where place = %s order by indicator_id, breakdown collate "C"', [NATION]
        ):
            found[row["release_id"]].append(row)
        return dict(found)

    @cached_property
    def hashes(self) -> dict[int, str]:
        """The hash that the frozen figures of each release come to now."""
        return seal.figures_of_releases(self.connection, list(self.releases))

    @cached_property
    def figure_counts(self) -> dict[int, int]:
        """How many figures each release has."""
        found = self._all("select release_id, count(*) as figures from ops.figure group by release_id")
        return {row["release_id"]: row["figures"] for row in found}

    @cached_property
    def breakdowns(self) -> dict[str, dict[str, list[str]]]:
        """The breakdowns of each indicator by the length of a place's code: 0 the nation, 2 a province, 5 a regency."""
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for row in self._all(
            "select distinct indicator_id, case place when %s then 0 else length(place) end as level, breakdown"
            " from ops.figure order by 1, 2, 3",
            [NATION],
        ):
            found[row["indicator_id"]][str(row["level"])].append(row["breakdown"])
        return {indicator: dict(levels) for indicator, levels in found.items()}

    def figures(self, release: int) -> list[Row]:
        """The frozen figures of a release."""
        return self._all("select * from ops.figure where release_id = %s", [release])

    def registers(self, build: Row) -> dict[str, list[Row]]:
        """The rows of each register as the build names them."""
        key = str(build["register_version_ids"])
        if key not in self._registers:
            self._registers[key] = registers_of(self.connection, build["id"])
        return self._registers[key]

    def sql(self, build: int) -> dict[str, str]:
        """The SQL of each model as the build ran it; nothing for a build that was made before it was kept."""
        return {
            row["model"]: row["sql"]
            for row in self._all("select model, sql from ops.build_sql where build_id = %s", [build])
        }

    @cached_property
    def reports(self) -> dict[int, list[Row]]:
        """The PDF files of each release."""
        found = defaultdict(list)
        for row in self._all("select * from ops.report order by name, language desc"):
            found[row["release_id"]].append(row)
        return dict(found)

    # -------------------------------------------------------------- regions

    def names(self, build: Row, period: str) -> dict[str, str]:
        """Names of the regions, by code, in the register that stands for a month of a build."""
        inputs = self.inputs.get((build["id"], period), [])
        reading = next((i["reading_id"] for i in inputs if i["feed"] == REGISTER), None)
        if reading not in self._names:
            found = self._all(
                "select kode, nama from raw.kemendagri__wilayah where reading_id = %s", [reading]
            )
            self._names[reading] = {row["kode"]: row["nama"] for row in found}
        return self._names[reading]

    def labels(self, feed: str, reading: int, shift: int) -> dict[str, str]:
        """The row of each region in the file of a register or list, as text; `shift` leads from source row to it."""
        if reading not in self._labels:
            found = rows_by_region(self.connection, feed, reading)
            self._labels[reading] = {region: str(number + shift) for region, number in found.items()}
        return self._labels[reading]

    def counts(self, build: Row, period: str, fact: Fact) -> dict[str, int]:
        """The pages of a fact's rows, with how many rows each stands for."""
        key = (build["id"], period, fact.table)
        if key not in self._counts:
            found = self._all(
                f"select {fact.page} as page, count(*) as n from facts.{fact.table}"  # noqa: S608  names of our own
                f" where build_id = %s and period = %s and {fact.counted} group by 1 order by 1",
                [build["id"], period],
            )
            self._counts[key] = {row["page"]: row["n"] for row in found}
        return self._counts[key]

    # -------------------------------------------------------------- checks

    @cached_property
    def evidence(self) -> dict[int, Row]:
        """Of each finding how many rows are kept, and their hash as the ledger has it."""
        found = self._all(
            "select finding_id as id, count(*) as rows, encode(sha256(convert_to("
            "string_agg(evidence::text, E'\\n' order by no), 'UTF8')), 'hex') as sha256"
            " from ops.finding_row group by finding_id"
        )
        return {row["id"]: row for row in found}

    @cached_property
    def _runs(self) -> dict[tuple[str, int], Row]:
        """The newest check run of each reading, and of each build at each border."""
        return {
            (row["border"], row["reading_id"] or row["build_id"]): row
            for row in self._all("select * from ops.check_run order by id")
        }

    @cached_property
    def _results(self) -> dict[int, list[Row]]:
        found = defaultdict(list)
        for row in self._all("select * from ops.check_result order by check_run_id, rule_id"):
            found[row["check_run_id"]].append(row)
        return dict(found)

    @cached_property
    def _findings_of(self) -> dict[tuple[int, str], Row]:
        return {(row["check_run_id"], row["rule_id"]): row for row in self.findings.values()}

    def results(self, build: Row, period: str) -> list[Row]:
        """What the checks behind a build say of a period: results, each with its border, feed and finding.

        The checks of a build that closes many months at once speak of all of them and are left out.
        """
        keys = [("raw", i["reading_id"]) for i in self.inputs.get((build["id"], period), [])]
        if build["first_period"] == build["last_period"]:
            keys += [("across", build["id"]), ("marts", build["id"])]
        runs = [self._runs[key] for key in dict.fromkeys(keys) if key in self._runs]
        return [
            {
                **result,
                "border": run["border"],
                "feed": run["feed"],
                "reading_id": run["reading_id"],
                "finding": self._findings_of.get((run["id"], result["rule_id"])),
            }
            for run in runs
            for result in self._results.get(run["id"], [])  # a run may have no rule to apply
        ]
