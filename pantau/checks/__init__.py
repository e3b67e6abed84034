"""The checks at both borders: rules judged, findings with ALL their rows as evidence, and the gate.

A check run is written whole or not at all, once for a reading or build, a set of rules, and what it was compared
with. The text of every rule is kept. A rule that cannot be run stops the step as our error; it never looks like
bad data, and never like good data either.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pantau import catalogue, ledger, locks
from pantau.checks import engine
from pantau.checks.engine import BrokenRuleError
from pantau.checks.gate import Finding, Gate, findings_of, gate
from pantau.checks.kept import keep, refuse_altered
from pantau.checks.rules import Border, Rule, lint_rules, load_rules, rules_hash
from pantau.checks.views import ensure_views
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.read import raw

__all__ = [
    "BrokenRuleError",
    "CheckOutcome",
    "Finding",
    "Gate",
    "check_across",
    "check_feed",
    "check_marts",
    "check_reading",
    "ensure_views",
    "gate",
    "lint_rules",
    "load_rules",
]


@dataclass(frozen=True)
class CheckOutcome:
    """What a check run found.

    Attributes:
        rules: how many were applicable: that they hold says something.
        not_applicable: rules that compare with what is not there: no month before, nothing that was replaced.
        skipped: rules that need a feed which the build's manifest lacks.
    """

    check_run_id: int
    border: Border
    rules: int
    findings: list[Finding]
    not_applicable: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    recorded: bool = False  # it had been run before, with the same rules

    @property
    def passed(self) -> int:
        """How many rules hold."""
        return self.rules - len(self.findings)

    @property
    def blocked(self) -> bool:
        """Whether a critical rule fails."""
        return any(finding.severity == "critical" for finding in self.findings)


@dataclass(frozen=True)
class _Compared:
    """The readings beside which a reading is judged: that of the month before, and the one it replaces."""

    previous: int | None = None
    replaced: int | None = None


@dataclass(frozen=True)
class _Subject:
    """What is checked: one reading, or one build at one border."""

    border: Border
    setting: str  # of the session: pantau.reading or pantau.build
    number: int
    known: int  # the ledger's head when the check began: it sees nothing that came later
    feed: str | None = None
    period: str | None = None
    part: str = ""
    compared: _Compared = _Compared()

    @property
    def name(self) -> str:
        return f"{self.feed} {self.period} {self.part}".rstrip() if self.feed else f"build {self.number}"

    @property
    def reading_id(self) -> int | None:
        return self.number if self.border == "raw" else None

    @property
    def build_id(self) -> int | None:
        return None if self.border == "raw" else self.number

    @property
    def role(self) -> Role:
        """Who checks: who loads what was read, who publishes what was built."""
        return Role.LOADER if self.border == "raw" else Role.PUBLISHER

    @property
    def options(self) -> str:
        # The library is given a view's bare name; so is our own text. The planner takes a build's rows for
        # very few, and would join village lists in nested loops for hours.
        return (
            f"-c {self.setting}={self.number} -c pantau.known={self.known} -c search_path=checks"
            " -c enable_nestloop=off"
        )


def check_reading(reading_id: int) -> CheckOutcome:
    """Check one sealed reading against its feed's rules and those that hold for every feed.

    Raises:
        BrokenRuleError: a rule cannot be run (our error; nothing is recorded).
    """

    def chosen(connection: Connection) -> tuple[_Subject, list[Rule], list[str]]:
        row = connection.execute(
            "select d.feed, d.part, d.period from ops.reading r join ops.delivery d on d.id = r.delivery_id"
            " where r.id = %s",
            [reading_id],
        ).fetchone()
        if row is None:
            raise PantauError(
                f"There is no reading {reading_id}.", next_step="`pantau delivery list` shows all."
            )
        known = ledger.head(connection)
        compared = _compared_with(connection, reading_id, known)
        subject = _Subject(
            "raw", "pantau.reading", reading_id, known, row["feed"], row["period"], row["part"], compared
        )
        return subject, _rules_of(row["feed"]), []

    return _check(chosen)


def check_feed(feed: str) -> list[CheckOutcome]:
    """Check the feed's readings that stand for their period and are not checked as they stand, the oldest first.

    One that was checked is not where the month before, or what it replaces, is another reading by now; nor, as
    long as no published release rests on it, where the rules are others.

    Raises:
        BrokenRuleError: as check_reading.
    """
    ensure_views()
    with connect(Role.LOADER) as connection:
        known, digest = ledger.head(connection), rules_hash(_rules_of(feed))
        rows = connection.execute(
            "select distinct on (d.part, d.period) r.id, d.part, d.period, c.rules_hash, c.previous_reading_id,"
            " c.replaced_reading_id,"
            " (select (l.what ->> 'known')::bigint from ops.ledger l where l.no = c.ledger_no) as known,"
            " exists (select from ops.published p"
            " join ops.release l on l.id = p.release_id join ops.build_input i on i.build_id = l.build_id"
            " where i.reading_id = r.id) as published"
            " from ops.delivery d join ops.reading r on r.delivery_id = d.id"
            " left join lateral (select * from ops.check_run c where c.reading_id = r.id"
            " order by c.id desc limit 1) c on true"
            " where d.feed = %s and not exists (select from ops.rejected(%s) x where x = d.id)"
            " order by d.part, d.period, d.ledger_no desc, r.ledger_no desc, c.id desc",
            [feed, known],
        ).fetchall()
        news = connection.execute(
            "select no, what ->> 'part' as part, what ->> 'period' as period from ops.ledger where what ->> 'feed' = %s"
            " and kind in ('delivery', 'reading', 'rejection', 'reinstatement')",
            [feed],
        ).fetchall()

        def is_checked(row: dict[str, Any]) -> bool:
            if row["rules_hash"] is None or (row["rules_hash"] != digest and not row["published"]):
                return False
            if not any(
                n["no"] > row["known"] and n["part"] == row["part"] and n["period"] <= row["period"]
                for n in news
            ):
                return True
            before = _Compared(row["previous_reading_id"], row["replaced_reading_id"])
            return before == _compared_with(connection, row["id"], known)

        unchecked = [row["id"] for row in rows if not is_checked(row)]
    if unchecked:
        raw.refresh(catalogue.feed(feed))  # from here on its table is queried
    return [check_reading(reading) for reading in unchecked]


def _rules_of(feed: str) -> list[Rule]:
    return [rule for rule in load_rules() if rule.border == "raw" and rule.subject in ("every", feed)]


def _compared_with(connection: Connection, reading_id: int, known: int) -> _Compared:
    """What the views of the reading lead to, as known at an entry of the ledger."""
    connection.execute(
        "select set_config('pantau.reading', %s, true), set_config('pantau.known', %s, true)",
        [str(reading_id), str(known)],
    )
    row = _one(
        connection,
        "select (select reading_id from checks.reading__previous) as previous,"
        " (select reading_id from checks.reading__replaced) as replaced",
        [],
    )
    return _Compared(row["previous"], row["replaced"])


def check_across(build_id: int) -> CheckOutcome:
    """Check, over the build's manifest, what needs several feeds.

    Raises:
        BrokenRuleError: a rule cannot be run (our error; nothing is recorded).
    """
    return _check(lambda connection: _of_build(connection, "across", build_id))


def check_marts(build_id: int) -> CheckOutcome:
    """Check the build's own rows of the marts.

    Raises:
        BrokenRuleError: a rule cannot be run (our error; nothing is recorded).
    """
    return _check(lambda connection: _of_build(connection, "marts", build_id))


def _of_build(
    connection: Connection, border: Border, build_id: int
) -> tuple[_Subject, list[Rule], list[str]]:
    rows = connection.execute(
        "select distinct i.feed from ops.build b left join ops.build_input i"
        " on i.build_id = b.id and i.period between b.first_period and b.last_period where b.id = %s",
        [build_id],
    ).fetchall()
    if not rows:
        raise PantauError(f"There is no build {build_id}.")
    feeds = {row["feed"] for row in rows}
    rules = [rule for rule in load_rules() if rule.border == border]
    skipped = [rule.id for rule in rules if not rule.feeds <= feeds]
    subject = _Subject(border, "pantau.build", build_id, ledger.head(connection))
    return subject, [r for r in rules if r.feeds <= feeds], skipped


def _check(chosen: Callable[[Connection], tuple[_Subject, list[Rule], list[str]]]) -> CheckOutcome:
    ensure_views()
    with connect(Role.AUDITOR) as connection:
        subject, rules, skipped = chosen(connection)
        refuse_altered(connection, rules)
        digest = rules_hash(rules)
        if outcome := _recorded(connection, subject, digest):
            return outcome
    with step("check", f"{subject.border} {subject.name}") as done:
        outcome = _run(subject, rules, skipped, digest)
        done.note = f"{outcome.passed} of {outcome.rules} rules hold" + (
            f"; {', '.join(f'{f.rule} ({f.rows:,})' for f in outcome.findings[:3])}"
            if outcome.findings
            else ""
        )
        if outcome.not_applicable:
            done.note += f"; {len(outcome.not_applicable)} not applicable"
        return outcome


def _run(subject: _Subject, rules: list[Rule], skipped: list[str], digest: str) -> CheckOutcome:
    with connect(subject.role, subject.options) as connection:
        idle = _not_applicable(connection, subject, rules)
        asked = [rule for rule in rules if rule.id not in idle]
        with ThreadPoolExecutor(1) as beside:  # the database does both at once
            taking = beside.submit(_take_evidence, connection, asked)
            verdicts = engine.judge(asked, subject.role, subject.options)
        _compare(connection, asked, verdicts, taking.result())
        # A new transaction: the ledger's head has to be read afresh, not from the evidence's snapshot.
        locks.take(connection, Lock.CHECK, subject.border, subject.number)
        if outcome := _recorded(connection, subject, digest):
            return outcome
        return _record(connection, subject, rules, idle, skipped, digest)


def _not_applicable(connection: Connection, subject: _Subject, rules: list[Rule]) -> set[str]:
    """The rules that would compare with what is not there: they are not asked, for they say nothing without it."""
    asked = frozenset().union(*(rule.compares_with for rule in rules))
    there = {name for name in ("previous", "replaced") if getattr(subject.compared, name)}
    if subject.border == "marts" and "previous" in asked:
        row = _one(connection, "select exists (select from checks.rpt_figure__previous) as there", [])
        there = {"previous"} if row["there"] else set()
    return {rule.id for rule in rules if rule.compares_with - there}


def _take_evidence(connection: Connection, rules: list[Rule]) -> dict[str, int]:
    """Put the failing rows of every rule into the session's table `evidence`: all of them, in one snapshot.

    Returns how many each rule has. Raises BrokenRuleError where a rule's text does not run.
    """
    connection.execute("create temp table evidence (rule_id text, no bigint, evidence jsonb)")
    connection.commit()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True  # temporary tables stay writable
    counts = {}
    for rule in rules:
        if rule.select:
            # jsonb has an order of its own, so the same rows always get the same numbers
            statement = sql.SQL(
                "insert into evidence select {}, row_number() over (order by row), row"
                " from (select to_jsonb(failing) as row from ({}) failing) rows"
            ).format(sql.Literal(rule.id), sql.SQL(rule.evidence_sql()))
            try:
                counts[rule.id] = connection.execute(statement).rowcount
            except engine.OF_THE_TEXT as error:
                raise BrokenRuleError(rule, str(error)) from error
    connection.commit()
    connection.read_only = connection.isolation_level = None
    return counts


def _compare(
    connection: Connection, rules: list[Rule], verdicts: dict[str, engine.Verdict], counts: dict[str, int]
) -> None:
    """Compare the evidence with what Great Expectations counted; where a rule has no rows, keep what it observed.

    Raises BrokenRuleError where the two counts differ.
    """
    for rule in rules:
        verdict = verdicts[rule.id]
        if rule.select and counts[rule.id] != verdict.rows:
            raise BrokenRuleError(
                rule,
                f"Great Expectations counts {verdict.rows} failing rows, the evidence holds {counts[rule.id]}",
            )
        if not rule.select and not verdict.passed:
            connection.execute("insert into evidence values (%s, 1, %s)", [rule.id, Jsonb(verdict.observed)])
    connection.commit()


def _record(
    connection: Connection,
    subject: _Subject,
    rules: list[Rule],
    idle: set[str],
    skipped: list[str],
    digest: str,
) -> CheckOutcome:
    """Write the check run, its rules, results, findings and evidence, and their entry in the ledger."""
    failed = {
        row["rule_id"]: row
        for row in connection.execute(
            "select rule_id, count(*) as rows, encode(sha256(convert_to("
            "string_agg(evidence::text, E'\\n' order by no), 'UTF8')), 'hex') as sha256"
            " from evidence group by rule_id"
        )
    }
    run = ledger.new_id(connection, "check_run")
    number = ledger.append(connection, "check", {
        "run": run, "border": subject.border, "feed": subject.feed,
        "reading": subject.reading_id, "build": subject.build_id, "known": subject.known,
        "previous": subject.compared.previous, "replaced": subject.compared.replaced,
        "rules": {f"{rule.id}/{rule.version}": rule.sha256() for rule in rules}, "rules_hash": digest,
        "skipped": skipped, "not_applicable": sorted(idle),
        "failed": [
            {"rule": rule.id, "version": rule.version, "severity": rule.severity,
             "rows": failed[rule.id]["rows"], "evidence_sha256": failed[rule.id]["sha256"]}
            for rule in rules if rule.id in failed
        ],
    })  # fmt: skip
    keep(connection, rules)
    connection.execute(
        "insert into ops.check_run (id, border, feed, reading_id, build_id, rules, rules_hash, ledger_no,"
        " previous_reading_id, replaced_reading_id) overriding system value"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [run, subject.border, subject.feed, subject.reading_id, subject.build_id, len(rules), digest, number,
         subject.compared.previous, subject.compared.replaced],
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.check_result"
            " (check_run_id, rule_id, rule_version, severity, passed, failing_rows, applicable, rule_sha256)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                [run, rule.id, rule.version, rule.severity, rule.id not in failed,
                 failed[rule.id]["rows"] if rule.id in failed else 0, rule.id not in idle, rule.sha256()]
                for rule in rules
            ],
        )  # fmt: skip
    for rule in rules:
        if rule.id in failed:
            finding = _one(
                connection,
                "insert into ops.finding (check_run_id, rule_id, rule, rows)"
                " values (%s, %s, %s, %s) returning id",
                [run, rule.id, Jsonb(rule.record()), failed[rule.id]["rows"]],
            )["id"]
            connection.execute(
                "insert into ops.finding_row (finding_id, no, evidence)"
                " select %s, no, evidence from evidence where rule_id = %s",
                [finding, rule.id],
            )
    found = findings_of(connection, [run])
    return CheckOutcome(run, subject.border, len(rules) - len(idle), found, sorted(idle), skipped)


def _recorded(connection: Connection, subject: _Subject, digest: str) -> CheckOutcome | None:
    """The newest run over the same reading or build, if it was one of the same rules and comparisons.

    The newest counts at the gate, so an older one that was like this one has to be made again.
    """
    row = connection.execute(
        "select r.*, l.what -> 'skipped' as skipped, l.what -> 'not_applicable' as not_applicable"
        " from ops.check_run r join ops.ledger l on l.no = r.ledger_no"
        " where r.border = %s and r.reading_id is not distinct from %s and r.build_id is not distinct from %s"
        " order by r.id desc limit 1",
        [subject.border, subject.reading_id, subject.build_id],
    ).fetchone()
    if row is None or row["rules_hash"] != digest:
        return None
    if _Compared(row["previous_reading_id"], row["replaced_reading_id"]) != subject.compared:
        return None
    found, idle = findings_of(connection, [row["id"]]), row["not_applicable"]
    rules = row["rules"] - len(idle)
    return CheckOutcome(row["id"], subject.border, rules, found, idle, row["skipped"], recorded=True)


def _one(connection: Connection, statement: str, values: list[Any]) -> dict[str, Any]:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row
