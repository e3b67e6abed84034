"""What the entries' hashes speak for: rows of readings and builds, figures, pages, SQL, evidence, registers, files.

Promise: each hash is taken anew from what is there now; a hash of a scheme that this code does not know is a failure by
that scheme's name.
"""

from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

from psycopg import sql

from pantau import seal
from pantau.checks.rules import digest
from pantau.database import Connection
from pantau.errors import PantauError
from pantau.landing import path_of
from pantau.read import raw
from pantau.settings import settings
from pantau.verify.failure import Entry, Failure
from pantau.warehouse import rows_of_builds


def failures(connection: Connection, entries: list[Entry], *, since: int) -> Iterator[Failure]:
    """What does not come to the hash that an entry after `since` gives it; facts that somebody deleted by command are
    to be gone."""
    deleted = {e["what"].get("build"): e for e in entries if e["kind"] == "deletion"}
    for entry in entries:
        if entry["kind"] == "build_outcome" and (gone := deleted.get(entry["what"].get("build"))):
            entry = _without(entry, gone)
        if entry["no"] > since and (check := _CHECKS.get(entry["kind"])):
            try:
                yield from check(connection, entry)
            except PantauError as error:  # a scheme that is not known
                yield _failure(entry, f"{entry['kind']}/entry {entry['no']}", error.what, "unknown scheme")
            except (
                KeyError,
                TypeError,
                ValueError,
                AttributeError,
            ) as error:  # the chain says so too
                told = f"its entry cannot be read ({type(error).__name__})"
                yield _failure(entry, f"{entry['kind']}/entry {entry['no']}", told, "unreadable entry")


def _without(entry: Entry, deletion: Entry) -> Entry:
    """An outcome of a build some of whose rows were deleted: those tables are sealed with no rows."""
    none = seal.Rows([]).entry()
    seals = {
        name: {**sealed, "rows": 0, "sha256": none["sha256"]} if name in deletion["what"]["rows"] else sealed
        for name, sealed in entry["what"].get("seals", {}).items()
    }
    return {**entry, "what": {**entry["what"], "seals": seals}}


# Rows of `ops` that stand under another row of it: the column that names that, its table, and the tables of such rows.
_UNDER = (
    ("delivery_id", "delivery", ("delivery_file",)),
    ("reading_id", "reading", ("reading_file", "quarantine", "set_aside", "control_total")),
    ("check_run_id", "check_run", ("check_result", "finding")),
    ("finding_id", "finding", ("finding_row",)),
    ("release_id", "candidate", ("figure",)),
    ("build_id", "build", ("build_input", "build_sql")),
)


def strangers(connection: Connection) -> Iterator[Failure]:
    """Rows of readings, builds and others that do not exist, and texts of rules that no check ran: no entry speaks for
    them."""
    raws = connection.execute(
        "select tablename from pg_tables where schemaname = 'raw' order by 1"
    ).fetchall()
    for column, thing, tables in (
        *((column, thing, [("ops", name) for name in names]) for column, thing, names in _UNDER),
        ("reading_id", "reading", [("raw", row["tablename"]) for row in raws]),
        ("build_id", "build", rows_of_builds(connection)),
    ):
        for table in tables:
            # Those that exist are asked for afterwards: one that begins meanwhile is no stranger.
            query = sql.SQL(
                "select s.id from (select distinct {key} as id from {table}) s"
                " where not exists (select from {owner} o where o.id = s.id) order by 1"
            ).format(
                key=sql.Identifier(column),
                table=sql.Identifier(*table),
                owner=sql.Identifier("ops", thing),
            )
            for row in connection.execute(query).fetchall():
                yield Failure(
                    f"{'.'.join(table)}/{thing} {row['id']}",
                    f"rows of a {thing} that does not exist",
                    {"table": ".".join(table)},
                    ("stranger",),
                )
    texts = connection.execute(
        "select t.sha256 from ops.rule_text t where not exists (select from ops.ledger l,"
        " jsonb_each_text(l.what -> 'rules') r where l.kind = 'check' and r.value = t.sha256) order by 1"
    ).fetchall()
    for row in texts:
        yield Failure(
            f"ops.rule_text/{row['sha256']}", "the text of a rule that no check ran", {"table": "ops.rule_text"},
            ("stranger",),
        )  # fmt: skip


# ------------------------------------------------------------------ by kind of entry


def _reading(connection: Connection, entry: Entry) -> Iterator[Failure]:
    reading = entry["what"]["reading"]
    for name, sealed in entry["what"]["seals"].items():
        table = tuple(name.split(".", 1))
        assert len(table) == 2
        yield from _rows(connection, entry, f"{name}/reading {reading}", table, ("reading_id", reading), sealed,
                         raw.order_of(table))  # fmt: skip


def _build_outcome(connection: Connection, entry: Entry) -> Iterator[Failure]:
    build, newest = entry["what"]["build"], connection.execute(
        "select ledger_no from ops.build_outcome where build_id = %s", [entry["what"]["build"]]
    ).fetchone()  # fmt: skip
    if newest and newest["ledger_no"] != entry["no"]:
        return  # it was blocked, and ended again
    seal.check_scheme(entry["what"]["sql"]["scheme"])
    if seal.sql_of_build(connection, build) != entry["what"]["sql"]["sha256"]:
        yield _failure(
            entry, f"ops.build_sql/build {build}", "the SQL is not the one that the build ran", "changed"
        )
    for name, sealed in entry["what"].get("seals", {}).items():
        table = tuple(name.split(".", 1))
        assert len(table) == 2
        yield from _rows(
            connection, entry, f"{name}/build {build}", table, ("build_id", build), sealed, sealed["columns"]
        )


def _rows(
    connection: Connection,
    entry: Entry,
    what: str,
    table: tuple[str, str],
    key: tuple[str, int],
    sealed: dict[str, Any],
    order: list[str],
) -> Iterator[Failure]:
    seal.check_scheme(sealed["scheme"])
    lost = set(sealed["columns"]) - set(seal.columns_of(connection, table))
    if lost:
        yield _failure(entry, what, f"the table has lost {', '.join(sorted(lost))}", "lost columns")
        return
    now = seal.rows(connection, table, key, sealed["columns"], order)
    if now != sealed:
        told = (
            f"{now['rows']:,} rows are there, {sealed['rows']:,} were sealed"
            if now["rows"] != sealed["rows"]
            else f"the {now['rows']:,} rows are not those that were sealed"
        )
        yield _failure(entry, what, told, now["sha256"])


def _build(connection: Connection, entry: Entry) -> Iterator[Failure]:
    build, sealed = entry["what"]["build"], entry["what"]["manifest"]
    if entry["what"]["purpose"] == "rebuild":
        return
    seal.check_scheme(sealed["scheme"])
    if (now := seal.manifest(connection, build)) != sealed["sha256"]:
        yield _failure(
            entry, f"ops.build_input/build {build}", "the manifest is not the one that was chosen", now
        )


def _candidate(connection: Connection, entry: Entry) -> Iterator[Failure]:
    said = entry["what"]
    for scheme in said["schemes"]:
        seal.check_scheme(scheme)
    figures = seal.figures_of_releases(connection, [said["release"]]).get(said["release"], "")
    name = f"{said['period']} v{said['version']}"
    if figures != said["release_hash"]:
        yield _failure(entry, f"ops.figure/{name}", "the figures do not come to the release's hash", figures)
    row = connection.execute(
        "select context, explanation from ops.candidate where id = %s", [said["release"]]
    ).fetchone()
    page = seal.page(row["context"]) if row else ""
    if page != said["page_hash"]:
        yield _failure(
            entry, f"ops.candidate/{name}", "the page's context does not come to the page's hash", page
        )
    elif row and row["explanation"] != row["context"]["explanation"]:
        yield _failure(
            entry, f"ops.candidate/{name}", "the explanation is not the page's", str(row["explanation"])
        )


def _register(connection: Connection, entry: Entry) -> Iterator[Failure]:
    said = entry["what"]
    seal.check_scheme(said["scheme"])
    row = connection.execute(
        "select rows from ops.register_version where id = %s", [said["register"]]
    ).fetchone()
    now = seal.register(row["rows"]) if row else ""
    if now != said["sha256"]:
        yield _failure(
            entry, f"ops.register_version/{said['name']} {said['register']}", "its rows were changed", now
        )


def _check(connection: Connection, entry: Entry) -> Iterator[Failure]:
    run = entry["what"]["run"]
    yield from _rules(connection, entry, run)
    failed = {each["rule"]: each["evidence_sha256"] for each in entry["what"]["failed"]}
    if not failed:
        return
    rows = connection.execute(
        "select f.rule_id, encode(sha256(convert_to(coalesce(string_agg(r.evidence::text, E'\\n' order by r.no), ''),"
        " 'UTF8')), 'hex') as sha256 from ops.finding f left join ops.finding_row r on r.finding_id = f.id"
        " where f.check_run_id = %s group by f.rule_id",
        [run],
    )
    now = {row["rule_id"]: row["sha256"] for row in rows}
    for rule, sha256 in failed.items():
        if now.get(rule) != sha256:
            yield _failure(
                entry, f"ops.finding_row/{rule}, run {run}", "the evidence is not what was found",
                now.get(rule, "missing"),
            )  # fmt: skip


def _rules(connection: Connection, entry: Entry, run: int) -> Iterator[Failure]:
    """The kept text of each rule under its hash, and what results and findings say of it."""
    rows = connection.execute(
        "select r.rule_id, r.rule_sha256, t.record, r.severity is distinct from t.record ->> 'severity'"
        " or (f.id is not null and f.rule is distinct from t.record) as differs from ops.check_result r"
        " left join ops.rule_text t on t.sha256 = r.rule_sha256"
        " left join ops.finding f on (f.check_run_id, f.rule_id) = (r.check_run_id, r.rule_id)"
        " where r.check_run_id = %s",
        [run],
    )
    for row in rows:
        if row["record"] is None or digest(row["record"]) != row["rule_sha256"]:
            yield _failure(
                entry,
                f"ops.rule_text/{row['rule_id']}",
                "the rule's text is not the one that judged",
                "changed",
            )
        elif row["differs"]:
            told = "its severity or its finding's text is not the rule's"
            yield _failure(entry, f"ops.check_result/{row['rule_id']}, run {run}", told, "changed")


def _delivery(connection: Connection, entry: Entry) -> Iterator[Failure]:
    for file in entry["what"]["files"]:
        yield from _file(
            entry, path_of(file["sha256"]), file["sha256"], f"landed/{file['sha256']}", {"file": file["name"]},
            "`pantau pull` of the same content puts it back; else restore it from a backup.",
        )  # fmt: skip


def _report(connection: Connection, entry: Entry) -> Iterator[Failure]:
    path = entry["what"]["path"]
    yield from _file(
        entry, settings.out / path, entry["what"]["sha256"], f"report/{path}", {}, "restore it from a backup."
    )


def _file(
    entry: Entry, path: Path, sha256: str, what: str, where: dict[str, object], healed: str
) -> Iterator[Failure]:
    try:
        with open(path, "rb") as file:
            now = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        yield _failure(
            entry,
            what,
            f"the file cannot be read ({error.strerror}): {healed}",
            "missing",
            **where,
            path=path,
        )
        return
    if now != sha256:
        yield _failure(
            entry, what, f"the file's bytes are not those that were kept: {healed}", now, **where, path=path
        )


def _failure(entry: Entry, what: str, told: str, found: str, **where: object) -> Failure:
    said = entry["what"] if isinstance(entry["what"], dict) else {}
    subject = {
        name: said[name] for name in ("feed", "part", "period", "version", "delivery") if said.get(name)
    }
    return Failure(what, told, {**subject, **where, "ledger entry": entry["no"]}, (found,))


_CHECKS: dict[str, Callable[[Connection, Entry], Iterator[Failure]]] = {
    "reading": _reading, "build_outcome": _build_outcome, "build": _build, "candidate": _candidate,
    "register": _register, "check": _check, "delivery": _delivery, "report": _report,
}  # fmt: skip
