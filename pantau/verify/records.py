"""The rows of schema `ops` against the entries of the ledger that vouch for them, both ways: none changed, none
missing, none that no entry knows.

What an entry says decides; a row is never compared with another row.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pantau.database import Connection
from pantau.periods import JAKARTA
from pantau.verify.failure import Entry, Failure

Row = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """Rows that entries of one kind vouch for.

    Attributes:
        table: where they stand.
        kind: of the entries.
        query: every row as `ledger_no` and what the entry says of it.
        expected: those rows as an entry has them, without `ledger_no`.
        optional: whether an entry may have none.
    """

    table: str
    kind: str
    query: str
    expected: Callable[[Entry], list[Row]]
    optional: Callable[[Entry], bool] = lambda _: False


def _said(*names: str) -> Callable[[Entry], list[Row]]:
    return lambda entry: [{name: entry["what"].get(name) for name in names}]


def _delivery(entry: Entry) -> list[Row]:
    names = ("delivery", "feed", "part", "period", "sender", "simulated", "content_hash", "validator")
    return [
        {n: entry["what"].get(n) for n in names}
        | {"known_at": entry["product_at"], "received_at": entry["db_at"]}
    ]


def _files(entry: Entry) -> list[Row]:
    return [{"no": no, **file} for no, file in enumerate(entry["what"]["files"])]


def _ranges(entry: Entry) -> list[Row]:
    names = ("sheet", "first", "last", "first_file_row")
    return [
        {"file_no": no, **dict(zip(names, place, strict=True))}
        for no, place in enumerate(entry["what"]["files"])
    ]


def _run(entry: Entry) -> list[Row]:
    said = entry["what"]
    names = ("run", "border", "feed", "reading", "build", "rules_hash", "previous", "replaced")
    return [{name: said.get(name) for name in names} | {"rules": len(said["rules"])}]


def _results(entry: Entry) -> list[Row]:
    said = entry["what"]
    failed = {each["rule"]: each["rows"] for each in said["failed"]}
    return [
        {
            "rule": rule, "version": int(version), "sha256": sha256, "passed": rule not in failed,
            "rows": failed.get(rule, 0), "applicable": rule not in said["not_applicable"],
        }
        for text, sha256 in said["rules"].items()
        for rule, version in [text.rsplit("/", 1)]
    ]  # fmt: skip


def _findings(entry: Entry) -> list[Row]:
    return [{name: each[name] for name in ("rule", "severity", "rows")} for each in entry["what"]["failed"]]


def _clock(entry: Entry) -> list[Row]:
    return [{"set_to": datetime.fromisoformat(entry["what"]["set_to"])}]


KEPT = (
    Kept("ops.clock_setting", "clock", "select ledger_no, set_to from ops.clock_setting", _clock),
    Kept(
        "ops.register_version", "register",
        "select ledger_no, id as register, name, sha256, jsonb_array_length(rows) as rows from ops.register_version",
        _said("register", "name", "sha256", "rows"),
    ),
    Kept(
        "ops.delivery", "delivery",
        "select ledger_no, id as delivery, feed, part, period, sender, simulated, content_hash, validator, known_at,"
        " received_at from ops.delivery",
        _delivery,
    ),
    Kept(
        "ops.delivery_file", "delivery",
        "select d.ledger_no, f.no, f.name, f.sha256, f.bytes from ops.delivery_file f"
        " join ops.delivery d on d.id = f.delivery_id",
        _files,
    ),
    Kept(
        "ops.reading", "reading",
        "select ledger_no, id as reading, delivery_id as delivery, contract_version as contract,"
        " register_reading_id as register_reading, lineage_version_id as laws, rows, accepted, refused, set_aside"
        " from ops.reading",
        _said(
            "reading", "delivery", "contract", "register_reading", "laws", "rows", "accepted", "refused", "set_aside"
        ),
    ),
    Kept(
        "ops.reading_file", "reading",
        "select r.ledger_no, f.file_no, f.sheet, f.first_source_row as first, f.last_source_row as last,"
        " f.first_file_row from ops.reading_file f join ops.reading r on r.id = f.reading_id",
        _ranges,
    ),
    Kept(
        "ops.check_run", "check",
        "select ledger_no, id as run, border, feed, reading_id as reading, build_id as build, rules, rules_hash,"
        " previous_reading_id as previous, replaced_reading_id as replaced from ops.check_run",
        _run,
    ),
    Kept(
        "ops.check_result", "check",
        "select c.ledger_no, r.rule_id as rule, r.rule_version as version, r.rule_sha256 as sha256, r.passed,"
        " r.failing_rows as rows, r.applicable from ops.check_result r join ops.check_run c on c.id = r.check_run_id",
        _results,
    ),
    Kept(
        "ops.finding", "check",
        "select c.ledger_no, f.rule_id as rule, f.rule ->> 'severity' as severity, f.rows from ops.finding f"
        " join ops.check_run c on c.id = f.check_run_id",
        _findings,
    ),
    Kept(
        "ops.build", "build",
        "select ledger_no, id as build, purpose, first_period, last_period, cutoff, register_version_ids as registers,"
        " code_version as code, without, simulated from ops.build",
        _said("build", "purpose", "first_period", "last_period", "cutoff", "registers", "code", "without", "simulated"),
        optional=lambda entry: bool(entry["what"].get("purpose") == "rebuild"),  # compared and let go
    ),
    Kept(
        "ops.build_end", "build_outcome", "select ledger_no, build_id as build, outcome from ops.build_end",
        _said("build", "outcome"),
    ),
    Kept(
        "ops.candidate", "candidate",
        "select ledger_no, id as release, period, version, build_id as build, reason, release_hash, page_hash,"
        " (select count(*) from ops.figure where release_id = id) as figures from ops.candidate",
        _said("release", "period", "version", "build", "reason", "release_hash", "page_hash", "figures"),
    ),
    Kept(
        "ops.supersession", "superseded", "select ledger_no, candidate_id as release from ops.supersession",
        _said("release"),
    ),
    Kept(
        "ops.approval_given", "approval",
        "select ledger_no, release_id as release, release_hash, page_hash, approver, acknowledged"
        " from ops.approval_given",
        _said("release", "release_hash", "page_hash", "approver", "acknowledged"),
    ),
    Kept(
        "ops.withdrawal", "approval_withdrawn",
        "select ledger_no, approval_no as approval, withdrawn_by as by, why from ops.withdrawal",
        _said("approval", "by", "why"),
    ),
    Kept(
        "ops.publication", "publication", "select ledger_no, release_id as release from ops.publication",
        _said("release"),
    ),
    Kept(
        "ops.report", "report", "select ledger_no, release_id as release, name, language, path, sha256 from ops.report",
        _said("release", "name", "language", "path", "sha256"),
    ),
)  # fmt: skip


def failures(connection: Connection, entries: list[Entry]) -> Iterator[Failure]:
    """Rows that are not what their entries say. What was written after the last of `entries` is passed over, if the
    ledger has an entry for it by now."""
    head = entries[-1]["no"] if entries else 0
    for kept in KEPT:
        rows = defaultdict(list)
        for row in connection.execute(kept.query):
            rows[row.pop("ledger_no")].append(row)
        for number in _entries_since(connection, head, rows):
            del rows[number]
        for entry in entries:
            if entry["kind"] == kept.kind:
                there = rows.pop(entry["no"], [])
                if there or not kept.optional(entry):
                    yield from _compared(kept, entry, there)
        for number, extra in rows.items():
            yield Failure(
                f"{kept.table}/entry {number}",
                f"{len(extra)} row(s) that no entry of the ledger knows",
                {"table": kept.table, "ledger entry": number},
                tuple(sorted(map(_text, extra))),
            )


def _entries_since(connection: Connection, head: int, numbers: Iterable[int]) -> list[int]:
    if not (later := [number for number in numbers if number > head]):
        return []
    there = connection.execute("select no from ops.ledger where no = any(%s)", [later]).fetchall()
    return [row["no"] for row in there]


def _compared(kept: Kept, entry: Entry, there: list[Row]) -> Iterator[Failure]:
    try:
        expected = sorted(map(_text, kept.expected(entry)))
    except (KeyError, TypeError, ValueError):  # the entry itself was changed; the chain says so
        expected = []
    found = sorted(map(_text, there))
    if found == expected:
        return
    extra = [text for text in found if text not in expected]
    missing = [text for text in expected if text not in found]
    told = (
        f"{len(extra)} row(s) are not what the entry says"
        if len(missing) == len(extra)
        else f"{len(expected)} row(s) stand in the entry, {len(found)} are there"
    )
    yield Failure(
        f"{kept.table}/entry {entry['no']}",
        told + (f": {_difference(missing, extra)}" if missing or extra else ""),
        {"table": kept.table, "ledger entry": entry["no"], **_subject(entry)},
        tuple(extra) or ("missing",),
    )


def _difference(missing: list[str], extra: list[str]) -> str:
    """Of the first row that differs: the columns, as they are and as the entry has them."""
    was, now = (json.loads(texts[0]) if texts else {} for texts in (missing, extra))
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return "; ".join(
        f"{name} {json.dumps(now.get(name))[:60]}, in the entry {json.dumps(was.get(name))[:60]}"
        for name in changed[:4]
    )


def _subject(entry: Entry) -> Row:
    return {
        name: entry["what"][name] for name in ("feed", "part", "period", "version") if entry["what"].get(name)
    }


def _text(row: Row) -> str:
    return json.dumps(row, sort_keys=True, default=_moment)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(JAKARTA).isoformat()
    return str(value)
