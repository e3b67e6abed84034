"""The gate before a release: critical findings block, warnings need an acknowledgement, the rest is shown.

It looks at what stands behind the build: the check runs of its own periods' readings, and the build's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pantau.database import Connection
from pantau.errors import PantauError


@dataclass(frozen=True)
class Finding:
    """One failed rule of one check run, with the rule as it stood then."""

    finding_id: int
    rule: str
    version: int
    severity: str
    sentence: dict[str, str]  # what must hold; id, en
    fixer: str
    reference: str
    action: dict[str, str] | None
    rows: int
    border: str
    feed: str | None
    part: str | None  # of the delivery, as the period; None for a build's finding
    period: str | None
    reading_id: int | None
    build_id: int | None


@dataclass(frozen=True)
class Gate:
    """What stands between a build and its release."""

    critical: list[Finding]
    warnings: list[Finding]
    infos: list[Finding]
    rules: int  # applicable, over all check runs
    passed: int
    not_applicable: int  # there was nothing to compare with

    @property
    def blocked(self) -> bool:
        """Whether nothing may be released: a critical rule fails."""
        return bool(self.critical)

    @property
    def needs_acknowledgement(self) -> bool:
        """Whether whoever approves has to acknowledge warnings."""
        return bool(self.warnings)


def gate(connection: Connection, build_id: int, borders: Sequence[str] = ("raw", "across", "marts")) -> Gate:
    """The gate of a build, over the newest check run of each thing that must have been checked.

    Args:
        borders: those to look at; `("raw", "across")` before dbt.

    Raises:
        PantauError: something of it has not been checked, and what is not checked does not pass.
    """
    runs = _newest_runs(connection, build_id, borders)
    findings = findings_of(connection, runs)
    row = connection.execute(
        "select count(*) filter (where applicable) as rules,"
        " count(*) filter (where applicable and passed) as passed,"
        " count(*) filter (where not applicable) as not_applicable"
        " from ops.check_result where check_run_id = any(%s)",
        [runs],
    ).fetchone()
    assert row is not None
    kinds = {kind: [f for f in findings if f.severity == kind] for kind in ("critical", "warning", "info")}
    return Gate(kinds["critical"], kinds["warning"], kinds["info"], **row)


def _newest_runs(connection: Connection, build_id: int, borders: Sequence[str]) -> list[int]:
    runs: list[int] = []
    if "raw" in borders:
        rows = connection.execute(
            "select distinct on (i.feed, i.source_period, i.reading_id)"
            " i.feed, i.part, i.source_period, i.reading_id, c.id"
            " from ops.build b join ops.build_input i on i.build_id = b.id"
            " and i.period between b.first_period and b.last_period"
            " left join ops.check_run c on c.reading_id = i.reading_id and c.border = 'raw'"
            " where b.id = %s order by i.feed, i.source_period, i.reading_id, c.id desc",
            [build_id],
        ).fetchall()
        for row in rows:
            if row["id"] is None:
                raise PantauError(
                    "A reading of the build has not been checked.",
                    where={
                        "feed": row["feed"],
                        "part": row["part"],
                        "period": row["source_period"],
                        "reading": row["reading_id"],
                    },
                    next_step="Run the feed's DAG again: it checks what it has read.",
                )
            runs.append(row["id"])
    for border in borders:
        if border == "raw":
            continue
        newest = connection.execute(
            "select max(id) as id from ops.check_run where build_id = %s and border = %s", [build_id, border]
        ).fetchone()
        if newest is None or newest["id"] is None:
            raise PantauError(
                "The build has not been checked.",
                where={"build": build_id, "border": border},
                next_step="Run the close again.",
            )
        runs.append(newest["id"])
    return runs


def findings_of(connection: Connection, runs: list[int]) -> list[Finding]:
    """The findings of check runs, the worst first, then by feed, period and rule."""
    rows = connection.execute(
        "select f.id, f.rule, f.rows, c.border, c.feed, d.part, d.period, c.reading_id, c.build_id"
        " from ops.finding f join ops.check_run c on c.id = f.check_run_id"
        " left join ops.reading r on r.id = c.reading_id left join ops.delivery d on d.id = r.delivery_id"
        " where f.check_run_id = any(%s)"
        " order by array_position(array['critical', 'warning', 'info'], f.rule ->> 'severity'),"
        " c.feed nulls last, d.part, d.period, f.rule_id",
        [runs],
    )
    return [_finding(row) for row in rows]


def _finding(row: dict[str, Any]) -> Finding:
    rule = row["rule"]
    return Finding(
        finding_id=row["id"], rule=rule["id"], version=rule["version"], severity=rule["severity"],
        sentence=rule["sentence"], fixer=rule["fixer"], reference=rule["reference"],
        action=rule.get("action"), rows=row["rows"],
        border=row["border"], feed=row["feed"], part=row["part"], period=row["period"],
        reading_id=row["reading_id"], build_id=row["build_id"],
    )  # fmt: skip
