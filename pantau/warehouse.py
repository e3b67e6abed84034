"""build: one run of the warehouse. The manifest is chosen once, before dbt; dbt then reads nothing else.

Promises: a build of the same manifest, registers and code gives the same figures; it writes and replaces only
its own rows; an older cut-off rebuilds what was known then.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql

from pantau import catalogue, clock, ledger, locks, periods, seal
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect, decider, environment
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.settings import settings

REGISTERS = ["indicator_register", "indicator_grain", "target_register", "wilayah_lineage"]
BUILD_SETTING = "current_setting('pantau.build')::bigint"  # as the macro build_id writes it


@dataclass(frozen=True)
class Input:
    """One line of a manifest: the reading that stands for a feed, part and period."""

    feed: str
    part: str
    period: str
    reading_id: int
    source_period: str
    how: str


@dataclass(frozen=True)
class Missing:
    """A feed that has nothing for a period: what a close does about it, and whether it may already."""

    feed: str
    part: str
    why: str
    ready: bool


def code_version() -> str:
    """Short hash of what turns readings into figures: the dbt project's models, macros and tests."""
    digest = hashlib.sha256()
    for path in sorted(settings.dbt_project.rglob("*")):
        if path.suffix in {".sql", ".yml"} and "target" not in path.parts and path.name != "_sources.yml":
            digest.update(path.relative_to(settings.dbt_project).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def manifest(
    connection: Connection,
    first: str,
    last: str,
    *,
    cutoff: int,
    without: Iterable[str] = (),
    but: Iterable[int] = (),
) -> tuple[list[Input], list[Missing]]:
    """Which reading stands for each feed, part and period, as known at entry `cutoff` of the ledger.

    `own_month`: the month's own, else (where the feed carries forward) the last one. `newest_effective`: each
    vintage for its own period, and the newest of them for each month of the build. `year_to_date`: every month
    of the year, from January.

    Args:
        but: entries of decisions about deliveries that are taken as not made.
    """
    inputs: dict[tuple[str, str, str], Input] = {}
    missing: list[Missing] = []
    moment = _moment(connection, cutoff)
    for feed in catalogue.load().values():
        if feed.name in without:
            continue
        for part in feed.parts:
            sealed = _sealed(connection, feed.name, part, last, cutoff, sorted(but))
            wanted = set(periods.span(f"{first[:4]}-01" if feed.takes == "year_to_date" else first, last))
            if feed.takes == "newest_effective":
                wanted |= {period for period, reading in sealed.items() if reading}
            wanted = {period for period in wanted if period >= feed.starts}
            for period in sorted(wanted):
                standing = standing_for(feed, part, period, sealed)
                if standing:
                    inputs[feed.name, part, period] = standing
                if period >= first and (standing is None or standing.how == "carried"):
                    missing.append(_missing(feed, part, period, sealed, moment))
    return list(inputs.values()), missing


def _missing(feed: Feed, part: str, period: str, sealed: dict[str, int | None], moment: datetime) -> Missing:
    until = grace_ends_at(feed, period)
    own = [p for p in sealed if p == period or (feed.takes == "newest_effective" and p <= period)]
    unread = bool(own) and sealed[max(own)] is None
    why = f"{period}: " + ("its newest delivery cannot be read" if unread else "no delivery")
    return Missing(feed.name, part, why, ready=feed.without != "wait" and (until is None or moment >= until))


def grace_ends_at(feed: Feed, period: str) -> datetime | None:
    """From when a close goes on without a feed that it need not wait for; None: at once, for nothing is due."""
    if feed.due_day is None:
        return None
    return periods.day_end(periods.due(period, feed.due_day) + timedelta(days=feed.grace_days))


def _sealed(
    connection: Connection, feed: str, part: str, last: str, cutoff: int, but: list[int]
) -> dict[str, int | None]:
    """By period up to `last`: the newest reading of the newest delivery not rejected; None where unread."""
    rows = connection.execute(
        "select distinct on (d.period) d.period, (select max(r.id) from ops.reading r"
        "   where r.delivery_id = d.id and r.ledger_no <= %(cutoff)s) as reading_id"
        " from ops.delivery d where d.feed = %(feed)s and d.part = %(part)s and d.period <= %(last)s"
        " and d.ledger_no <= %(cutoff)s"
        " and not exists (select from ops.rejected(%(cutoff)s, %(but)s) r where r = d.id)"
        " order by d.period, d.ledger_no desc",
        {"feed": feed, "part": part, "last": last, "cutoff": cutoff, "but": but},
    ).fetchall()
    return {row["period"]: row["reading_id"] for row in rows}


def standing_for(feed: Feed, part: str, period: str, sealed: dict[str, int | None]) -> Input | None:
    """What stands for a period: its own reading, else what the feed's description allows to stand in for it."""
    if reading := sealed.get(period):
        return Input(feed.name, part, period, reading, period, "own")
    if feed.takes == "newest_effective":
        newest = max((p for p in sealed if p <= period), default=period)  # even where it is not read
        reading, how = sealed.get(newest), "effective"
    elif feed.without == "carry_forward":
        readable = [p for p, r in sealed.items() if r and p < period]
        if feed.takes == "year_to_date":  # last year's amounts say nothing about this year
            readable = [p for p in readable if p[:4] == period[:4]]
        newest, how = max(readable, default=period), "carried"
        reading = sealed.get(newest)
    else:
        return None
    return Input(feed.name, part, period, reading, newest, how) if reading else None


def _moment(connection: Connection, cutoff: int) -> datetime:
    """The product's time as of an entry of the ledger; now, where it is the newest: time goes on without entries."""
    if cutoff and cutoff == ledger.head(connection):
        return clock.now(connection)
    row = connection.execute("select product_at from ops.ledger where no = %s", [cutoff]).fetchone()
    if row is None:
        raise PantauError("Nothing has been delivered yet.", next_step="Run the feeds: `pantau pull`.")
    return row["product_at"]


def register_versions(connection: Connection, cutoff: int) -> list[int]:
    """The newest version of each register at entry `cutoff` of the ledger."""
    rows = connection.execute(
        "select distinct on (name) id from ops.register_version where ledger_no <= %s order by name, ledger_no desc",
        [cutoff],
    ).fetchall()
    return sorted(row["id"] for row in rows)


def needed_feeds(connection: Connection, registers: Iterable[int], period: str) -> set[str]:
    """The feeds that the indicators in force in a month need, by the registers of a build."""
    row = connection.execute(
        "select rows from ops.register_version where id = any(%s) and name = 'indicator_register'",
        [list(registers)],
    ).fetchone()
    in_force = [
        d
        for d in (row["rows"] if row else [])
        if d["valid_from"] <= period and not (d["valid_to"] and d["valid_to"] <= period)
    ]
    return {feed for d in in_force for feed in d["needs_feeds"].split(";")}


def open_build(
    first: str,
    last: str,
    purpose: str,
    *,
    without: Iterable[str] = (),
    cutoff: int | None = None,
    by: str = "",
    why: str = "",
) -> int:
    """Choose the manifest and write the build down; one that was cut off with the same manifest is taken up.

    Raises:
        PantauError: an input that the period waits for is missing (and is not left out by decision).
    """
    without = sorted(without)
    with connect(Role.TRANSFORMER) as connection:
        cutoff = ledger.head(connection) if cutoff is None else cutoff
        inputs, missing = manifest(connection, first, last, cutoff=cutoff, without=without)
        if purpose == "rebuild" and not _has_own(inputs, first, last):
            raise PantauError(
                f"There was nothing for {first} yet: no feed had delivered it.",
                where={"as of": f"entry {cutoff} of the ledger"},
                next_step=f"`pantau delivery list --period {first}` shows what came, and when.",
            )
        wait = [m for m in missing if catalogue.feed(m.feed).without == "wait"]
        if wait and purpose != "rebuild":
            raise PantauError(
                "The month is not complete: "
                + "; ".join(f"{m.feed} {m.part} {m.why}" for m in wait[:6])
                + ".",
                where={"period": first if first == last else f"{first}..{last}"},
                next_step="Run the feed (`pantau pull FEED`), or leave it out by decision: `--without FEED --why …`.",
            )
        registers, code = register_versions(connection, cutoff), code_version()
        if purpose != "rebuild" and (
            same := _same_build(connection, first, last, inputs, registers, code, without, cutoff)
        ):
            return same
        row = connection.execute(
            "select coalesce(bool_or(simulated), false) as simulated from ops.delivery d"
            " join ops.reading r on r.delivery_id = d.id where r.id = any(%s)",
            [[i.reading_id for i in inputs]],
        ).fetchone()
        assert row is not None
        build = ledger.new_id(connection, "build")
        number = ledger.append(
            connection,
            "build",
            {
                "build": build, "purpose": purpose, "first_period": first, "last_period": last, "cutoff": cutoff,
                "registers": registers, "code": code, "without": without, "by": by, "why": why,
                "simulated": row["simulated"],
                "manifest": {"scheme": seal.MANIFEST, "sha256": seal.lines([*vars(i).values()] for i in inputs)},
            },
        )  # fmt: skip
        connection.execute(
            "insert into ops.build (id, purpose, first_period, last_period, cutoff, register_version_ids, code_version,"
            " without, simulated, ledger_no) overriding system value values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [build, purpose, first, last, cutoff, registers, code, without, row["simulated"], number],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.build_input values (%s, %s, %s, %s, %s, %s, %s)",
                [(build, i.feed, i.part, i.period, i.reading_id, i.source_period, i.how) for i in inputs],
            )
        return build


def _has_own(inputs: list[Input], first: str, last: str) -> bool:
    """Whether anything is there of these months themselves: lists that stand for every month are not."""
    return any(
        first <= i.period <= last and catalogue.feed(i.feed).takes != "newest_effective" for i in inputs
    )


def _same_build(
    connection: Connection,
    first: str,
    last: str,
    inputs: list[Input],
    registers: list[int],
    code: str,
    without: list[str],
    cutoff: int,
) -> int | None:
    newest = connection.execute(
        "select id, cutoff from ops.build where first_period = %s and last_period = %s and purpose <> 'rebuild'"
        " and register_version_ids = %s::integer[] and code_version = %s and without = %s::text[]"
        " order by id desc limit 1",
        [first, last, registers, code, without],
    ).fetchone()
    if (
        newest
        and set(inputs_of(connection, newest["id"])) == set(inputs)
        and not requoted(connection, first, newest["cutoff"], cutoff)
    ):
        return int(newest["id"])
    return None


def requoted(connection: Connection, period: str, since: int, until: int) -> list[str]:
    """The earlier months that a page of `period` quotes as of one entry of the ledger, and whose published figures are
    others as of a later one. A month that was not published yet is not quoted."""

    def quoted(cutoff: int) -> dict[str, str]:
        rows = connection.execute(
            "select distinct on (c.period) c.period, c.release_hash from ops.publication p"
            " join ops.candidate c on c.id = p.release_id where p.ledger_no <= %s and c.period < %s"
            " order by c.period, p.ledger_no desc",
            [cutoff, period],
        )
        return {row["period"]: row["release_hash"] for row in rows}

    now = quoted(until)
    return [month for month, release_hash in quoted(since).items() if now[month] != release_hash]


def inputs_of(connection: Connection, build: int) -> list[Input]:
    """The manifest of a build."""
    rows = connection.execute(
        "select feed, part, period, reading_id, source_period, how from ops.build_input where build_id = %s"
        " order by feed, part, period",
        [build],
    ).fetchall()
    return [Input(**row) for row in rows]


def outcome(build: int) -> str | None:
    """How a build ended: candidate, unchanged or blocked; None while it has not."""
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select outcome from ops.build_outcome where build_id = %s", [build]
        ).fetchone()
        return row["outcome"] if row else None


def run_dbt(build: int) -> None:
    """Run the models and their tests for one build, unless it has ended already."""
    if outcome(build):
        return
    with step("dbt", f"build {build}") as done:
        ran = dbt("build", "--exclude", "path:seeds", "--exclude-resource-type", "unit_test", build=build)
        done.note = f"{len(ran)} models and tests"
    _keep_sql(build, ran)


def _keep_sql(build: int, ran: list[Any]) -> None:
    """Keep what the models were: the build's number instead of the setting, and no name of the database, so that
    it reads and runs alike in a copy."""
    database = f'"{environment()["PGDATABASE"]}".'
    with connect(Role.TRANSFORMER) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.build_sql values (%s, %s, %s) on conflict do nothing",
            [
                (
                    build,
                    result.node.name,
                    result.node.compiled_code.replace(BUILD_SETTING, str(build))
                    .replace(database, "")
                    .strip(),
                )
                for result in ran
                if result.node.resource_type == "model"
            ],
        )


def dbt(*arguments: str, build: int | None = None) -> list[Any]:
    """Run dbt in this process and return its results, one for each model and test that ran.

    Raises:
        PantauError: a model or test failed; the message names it and what dbt says.
    """
    from dbt.cli.main import dbtRunner

    write_sources()
    target = settings.var / "dbt"
    where = [
        "--project-dir", settings.dbt_project, "--profiles-dir", settings.dbt_project,
        "--target-path", target, "--log-path", settings.var / "log", "--quiet", "--no-use-colors",
        "--no-version-check",
    ]  # fmt: skip
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    # Two would make the same tables, and write the same files of a target.
    with connect(Role.TRANSFORMER, autocommit=True) as lock:
        locks.hold(lock, Lock.DBT, wait=True)
        before = dict(os.environ)
        # Without nested loops: dbt_project.yml says why.
        options = "" if build is None else f"-c pantau.build={build} -c enable_nestloop=off"
        os.environ.update(environment(Role.TRANSFORMER, options))
        os.environ.update(DO_NOT_TRACK="1", DBT_SEND_ANONYMOUS_USAGE_STATS="false")
        try:
            result = dbtRunner().invoke([arguments[0], *map(str, where), *arguments[1:]])
        finally:  # what else logs in from this process is no transformer
            os.environ.clear()
            os.environ.update(before)
    root.setLevel(level)  # dbt leaves the root logger changed
    root.handlers[:] = handlers
    ran = list(getattr(result.result, "results", None) or [])
    bad = [r for r in ran if str(r.status) in {"error", "fail", "runtime error"}]
    if not result.success or bad:
        told = "; ".join(f"{r.node.name}: {' '.join(str(r.message).split())[:400]}" for r in bad[:3])
        raise PantauError(
            f"dbt {arguments[0]} failed: {told or result.exception}",
            where={"build": build},
            next_step="Our SQL is wrong, not the data: see docs/runbooks/dbt.md. Nothing was published.",
        )
    return ran


def write_sources() -> None:
    """Write dbt's sources from the catalogue (a generated file that git ignores), if they have changed."""
    tables = [
        {
            "name": feed.name,
            "description": feed.description.strip(),
            "columns": [
                {"name": c.name, "data_type": c.sql_type, "description": c.meaning} for c in feed.columns
            ],
        }
        for feed in catalogue.load().values()
    ]
    text = "# Generated from feeds/*.yml; do not edit.\n" + yaml.safe_dump(
        {"version": 2, "sources": [{"name": "raw", "schema": "raw", "tables": tables}]}, sort_keys=False
    )
    path: Path = settings.dbt_project / "models" / "staging" / "_sources.yml"
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two may write at once; a name that dbt does not take for a model's
        half, name = tempfile.mkstemp(dir=path.parent, prefix="_sources.", suffix=".new")
        with open(half, "w") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).rename(path)


@contextmanager
def rebuilding(period: str, *, cutoff: int | None, without: Iterable[str]) -> Iterator[int]:
    """A build of a month as of a cut-off, for the length of the block; it and its rows go afterwards.

    First those go that killed rebuilds have left: whose number nobody holds a lock on.
    """
    with connect(Role.TRANSFORMER, autocommit=True) as held:
        locks.hold(held, Lock.REBUILD, wait=True)  # clears and opens one at a time
        left = held.execute("select id from ops.build where purpose = 'rebuild' order by id").fetchall()
        for row in left:
            if locks.hold(held, Lock.REBUILD, row["id"], wait=False):
                drop_rows(row["id"])
        build = open_build(period, period, "rebuild", cutoff=cutoff, without=without)
        locks.hold(held, Lock.REBUILD, build, wait=True)
        locks.let_go(held, Lock.REBUILD)
        try:
            yield build
        finally:
            drop_rows(build)


def rows_of_builds(connection: Connection) -> list[tuple[str, str]]:
    """The tables, schema and name, in which builds keep their rows: facts, indicators, marts."""
    found = connection.execute(
        "select c.table_schema as schema, c.table_name as name from information_schema.columns c"
        " join pg_tables t on (t.schemaname, t.tablename) = (c.table_schema, c.table_name)"
        " where c.column_name = 'build_id' and c.table_schema in ('facts', 'indicators', 'marts') order by 1, 2"
    )
    return [(row["schema"], row["name"]) for row in found]


def seal_rows(connection: Connection, build: int) -> dict[str, Any]:
    """The seals over a build's rows, as they are now: by table."""
    seals = {}
    for table in rows_of_builds(connection):
        columns = list(seal.columns_of(connection, table))
        seals[".".join(table)] = seal.rows(connection, table, ("build_id", build), columns, columns)
    return seals


def drop_rows(build: int) -> None:
    """Delete a rebuild's rows and the build itself; its ledger entries stay."""
    with connect(Role.TRANSFORMER) as connection:
        for table in rows_of_builds(connection):
            connection.execute(
                sql.SQL("delete from {} where build_id = %s").format(sql.Identifier(*table)), [build]
            )
        connection.execute("select ops.drop_rebuild(%s)", [build])


def forget(build: int, by: str, why: str) -> dict[str, int]:
    """Delete the facts of a build that no standing release rests on; figures, pages and manifest stay, and the ledger
    keeps who let the facts go. With code and deliveries of then, a rebuild as of its release makes them again.

    Returns:
        The rows that went, by table.

    Raises:
        PantauError: no reason is given, there is no such build, it has not ended, a release that is published or waits
            rests on it, or its facts are gone already.
    """
    if not why.strip():
        raise PantauError("Deleting is a decision that the ledger keeps.", next_step="Say `--why`.")
    with connect(Role.TRANSFORMER) as connection:
        by = decider(connection, by)
        locks.take(connection, Lock.RELEASE)  # nothing is published from it meanwhile
        row = connection.execute(
            "select b.id, o.outcome, (select string_agg(r.period || ' v' || r.version, ', ' order by r.period)"
            "  from ops.release r where r.build_id = b.id and (r.id in (select release_id from ops.published)"
            "  or not r.superseded and r.id not in (select release_id from ops.publication))) as standing"
            " from ops.build b left join ops.build_outcome o on o.build_id = b.id"
            " where b.id = %s and b.purpose <> 'rebuild'",
            [build],
        ).fetchone()
        wrong = (
            "There is no such build."
            if row is None
            else "It has not ended."
            if row["outcome"] is None
            else f"What stands rests on it: {row['standing']}."
            if row["standing"]
            else "Its facts are gone already."
            if deletion_of(connection, build)
            else ""
        )
        if wrong:
            raise PantauError(
                f"The facts of build {build} are not deleted. {wrong}",
                next_step="Name a build whose releases were replaced; the audit page of a release names its build.",
            )
        gone = {}
        for table in rows_of_builds(connection):
            if table[0] == "facts":
                deleted = connection.execute(
                    sql.SQL("delete from {} where build_id = %s").format(sql.Identifier(*table)), [build]
                )
                gone[".".join(table)] = deleted.rowcount
        ledger.append(connection, "deletion", {"build": build, "rows": gone, "by": by, "why": why.strip()})
        return gone


def deletion_of(connection: Connection, build: int) -> dict[str, Any] | None:
    """The ledger's entry of the deletion of a build's facts, if they were."""
    return connection.execute(
        "select * from ops.ledger where kind = 'deletion' and (what ->> 'build')::bigint = %s order by no limit 1",
        [build],
    ).fetchone()
