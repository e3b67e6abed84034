"""freeze: a build's figures and page become the candidates of its periods, each once and under its hashes.

Promise: nothing is frozen against a critical finding, and a build that comes to the published hash makes no release.
"""

import hashlib
from typing import Any

import rfc8785
from psycopg.types.json import Jsonb

from pantau import checks, ledger, periods, warehouse
from pantau.database import Connection, connect
from pantau.errors import BlockedError
from pantau.progress import step
from pantau.release import page
from pantau.release.figures import Closing, keyed
from pantau.release.restatements import explanation

_COLUMNS = ["indicator_id", "indicator_version", "place", "breakdown", "numerator", "denominator", "value"]
_LINE = (
    "concat_ws('|', period, indicator_id, indicator_version, place, breakdown, trim_scale(numerator),"
    " trim_scale(denominator), coalesce(trim_scale(value)::text, ''))"
)
_HASH = "encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' order by line collate \"C\"), ''), 'UTF8')), 'hex')"


def hashes_of_releases(connection: Connection, releases: list[int]) -> dict[int, str]:
    """By release, the hash that its frozen figures come to now.

    SHA-256 over one line per figure: period, indicator, version, place, breakdown, numerator, denominator, value,
    joined by `|`; the lines sorted as bytes and joined by newlines. Numbers without trailing zeros; a value that does
    not exist as nothing.
    """
    rows = connection.execute(
        f"select r.id, {_HASH} as hash from ops.release r left join lateral"  # noqa: S608  texts of our own
        f" (select {_LINE} as line from ops.figure where release_id = r.id) lines on true where r.id = any(%s)"
        " group by r.id",
        [releases],
    )
    return {row["id"]: row["hash"] for row in rows}


def hash_of_build(connection: Connection, build: int, period: str) -> str:
    """The same of a build's figures for one period."""
    row = connection.execute(
        f"select {_HASH} as hash from"  # noqa: S608
        f" (select {_LINE} as line from marts.rpt_figure where build_id = %s and period = %s) lines",
        [build, period],
    ).fetchone()
    assert row is not None
    return str(row["hash"])


def figures_of_build(connection: Connection, build: int, period: str) -> list[dict[str, Any]]:
    """A build's figures for one period, as the mart holds them."""
    return connection.execute(
        "select period, indicator_id, indicator_version, place, breakdown, numerator, denominator, value"
        " from marts.rpt_figure where build_id = %s and period = %s"
        ' order by indicator_id, place collate "C", breakdown collate "C"',
        [build, period],
    ).fetchall()


def figures_of_release(connection: Connection, release: int) -> list[dict[str, Any]]:
    """A release's frozen figures."""
    return connection.execute(
        "select period, indicator_id, indicator_version, place, breakdown, numerator, denominator, value"
        " from ops.figure where release_id = %s",
        [release],
    ).fetchall()


def make_candidates(build_id: int) -> list[int]:
    """Freeze a build's figures, period by period, as candidates.

    Returns:
        The ids of the build's releases that stand; none where every period came to its published hash.

    Raises:
        BlockedError: a critical finding stands against the build.
    """
    with connect() as connection:
        build = connection.execute("select * from ops.build where id = %s", [build_id]).fetchone()
        assert build is not None
        connection.execute("select pg_advisory_xact_lock(20200817)")  # versions are given by one at a time
        ended = connection.execute(
            "select outcome from ops.build_outcome where build_id = %s", [build_id]
        ).fetchone()
        if ended and ended["outcome"] != "blocked":
            return _standing(connection, build_id)
        gate = checks.gate(connection, build_id)
        if gate.blocked:
            if not ended:
                _end(connection, build_id, "blocked", {"critical": [f.rule for f in gate.critical]})
                connection.commit()
            raise _blocked(build, gate.critical)
        if ended:
            connection.execute("delete from ops.build_outcome where build_id = %s", [build_id])
        with step("freeze", f"build {build_id}") as done:
            made = [
                release
                for period in periods.span(build["first_period"], build["last_period"])
                if (release := _candidate(connection, build, period, gate))
            ]
            _end(connection, build_id, "candidate" if made else "unchanged", {"releases": made})
            done.note = f"{len(made)} candidate(s)" if made else "equals what is published"
        return made


def _end(connection: Connection, build: int, outcome: str, what: dict[str, Any]) -> None:
    what = {"build": build, "outcome": outcome, "sql_sha256": warehouse.sql_hash(connection, build), **what}
    number = ledger.append(connection, "build_outcome", what)
    connection.execute("insert into ops.build_outcome values (%s, %s, %s)", [build, outcome, number])


def _standing(connection: Connection, build: int) -> list[int]:
    rows = connection.execute(
        "select id from ops.release where build_id = %s and not superseded order by period", [build]
    ).fetchall()
    return [row["id"] for row in rows]


def _blocked(build: dict[str, Any], critical: list[checks.Finding]) -> BlockedError:
    told = "\n  ".join(
        f"{f.rule} ({f.rows:,} rows{f', {f.feed} {f.period}' if f.feed else ''}): {f.sentence['en']}"
        for f in critical[:8]
    )
    return BlockedError(
        f"The gate refuses the release: {len(critical)} critical finding(s).\n  {told}",
        where={"period": f"{build['first_period']}..{build['last_period']}", "build": build["id"]},
        next_step="`pantau findings` shows the rows. Ask the owner to send it again, or reject the delivery "
        "(`pantau delivery reject ID --why …`); then close again.",
    )


def _candidate(connection: Connection, build: dict[str, Any], period: str, gate: checks.Gate) -> int | None:
    figures = figures_of_build(connection, build["id"], period)
    release_hash = hash_of_build(connection, build["id"], period)
    published = connection.execute(
        "select r.* from ops.published p join ops.release r on r.id = p.release_id where p.period = %s",
        [period],
    ).fetchone()
    connection.execute(  # a candidate that waits was made from older data
        "update ops.release set superseded = true where period = %s and not superseded and id not in"
        " (select release_id from ops.publication)",
        [period],
    )
    if published and published["release_hash"] == release_hash:
        return None
    version = published["version"] + 1 if published else 1
    first = "opening" if build["purpose"] == "opening" else "first"
    reason = "restatement" if published else first
    why = explanation(connection, build, period, reason, published)
    closing = Closing(connection, build, period, version, keyed(figures))
    context = page.context(closing, reason, why, published, gate)
    page_hash = hashlib.sha256(rfc8785.dumps(context)).hexdigest()
    number = ledger.append(
        connection,
        "candidate",
        {
            "period": period, "version": version, "build": build["id"], "reason": reason,
            "release_hash": release_hash, "page_hash": page_hash, "figures": len(figures),
        },
    )  # fmt: skip
    row = connection.execute(
        "insert into ops.release (period, version, build_id, reason, explanation, release_hash, page_hash, context,"
        " ledger_no) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning id",
        [
            period,
            version,
            build["id"],
            reason,
            Jsonb(why),
            release_hash,
            page_hash,
            Jsonb(context),
            number,
        ],
    ).fetchone()
    assert row is not None
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy ops.figure (release_id, period, indicator_id, indicator_version, place, breakdown,"
            " numerator, denominator, value) from stdin"
        ) as copy,
    ):
        for f in figures:
            copy.write_row((row["id"], period, *(f[c] for c in _COLUMNS)))
    return int(row["id"])
