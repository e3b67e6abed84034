"""release: freezes a build's figures, waits for a person's approval of exactly these, and flips the pointer.

Promises: figures are frozen once and verified by their hash before they are published; publishing is one
transaction; a build that comes to the published hash makes no release.
"""

import hashlib
from typing import Any

import rfc8785
from psycopg.types.json import Jsonb

from pantau import checks, ledger, periods
from pantau.database import Connection, connect
from pantau.errors import BlockedError, PantauError
from pantau.progress import step
from pantau.release import page

_COLUMNS = ["indicator_id", "indicator_version", "place", "breakdown", "numerator", "denominator", "value"]


def hash_of(figures: list[dict[str, Any]]) -> str:
    """SHA-256 over one line per figure: period, indicator, version, place, breakdown, numerator, denominator,
    value, joined by `|`; the lines sorted as bytes and joined by newlines. Numbers are written as PostgreSQL
    keeps them, without trailing zeros; a value that does not exist as nothing."""
    lines = sorted(
        "|".join([f["period"], *("" if f[c] is None else _text(f[c]) for c in _COLUMNS)]).encode()
        for f in figures
    )
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def _text(value: Any) -> str:
    return format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)


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
    number = ledger.append(connection, "build_outcome", {"build": build, "outcome": outcome, **what})
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
    release_hash = hash_of(figures)
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
    explanation = page.explanation(connection, build, period, reason, published)
    context = page.context(connection, build, period, version, reason, explanation, published, figures, gate)
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
            Jsonb(explanation),
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


def candidates(connection: Connection, first: str, last: str) -> list[dict[str, Any]]:
    """The releases of these periods that stand and are not published."""
    return connection.execute(
        "select * from ops.release where period between %s and %s and not superseded"
        " and id not in (select release_id from ops.publication) order by period",
        [first, last],
    ).fetchall()


def approve(releases: list[dict[str, Any]], approver: str, acknowledged: list[str]) -> None:
    """Write down that a person approves exactly these figures and pages, by their hashes.

    Args:
        releases: candidates as they were shown to the person.
        acknowledged: ids of the warnings that the person has seen and lets stand.

    Raises:
        PantauError: a candidate has changed since, or a warning is not acknowledged.
    """
    with connect() as connection:
        for shown in releases:
            row = connection.execute(
                "select * from ops.release where id = %s for update", [shown["id"]]
            ).fetchone()
            if not row or row["superseded"] or row["release_hash"] != shown["release_hash"]:
                raise PantauError(
                    "The candidate is no longer the one that was shown: newer data came.",
                    where={"period": shown["period"], "version": shown["version"]},
                    next_step=f"Look at the new candidate and approve that: `pantau approve {shown['period']}`.",
                )
            if connection.execute("select from ops.approval where release_id = %s", [row["id"]]).fetchone():
                continue
            warnings = {f.rule for f in checks.gate(connection, row["build_id"]).warnings}
            if left := sorted(warnings - set(acknowledged)):
                raise PantauError(
                    f"{len(left)} warning(s) are not acknowledged: {', '.join(left)}.",
                    where={"period": row["period"], "version": row["version"]},
                    next_step="Read them (`pantau findings`), then approve with `--acknowledge`.",
                )
            what = {"period": row["period"], "version": row["version"], "release_hash": row["release_hash"],
                    "page_hash": row["page_hash"], "approver": approver, "acknowledged": sorted(warnings)}  # fmt: skip
            number = ledger.append(connection, "approval", what)
            connection.execute(
                "insert into ops.approval values (%s, %s, %s, %s, %s, %s) on conflict (release_id) do nothing",
                [row["id"], row["release_hash"], row["page_hash"], approver, Jsonb(sorted(warnings)), number],
            )


def publish(releases: list[int]) -> bool:
    """Flip the pointers of these releases in one transaction, if each is approved.

    Returns:
        Whether they are published now; False while an approval is missing.

    Raises:
        PantauError: frozen figures do not come to the approved hash, or another release was published meanwhile.
    """
    if not releases:
        return True
    with connect() as connection, step("publish", f"{len(releases)} release(s)") as done:
        rows = connection.execute(
            "select r.*, a.release_hash as approved_hash, a.page_hash as approved_page,"
            " p.release_id is not null as published from ops.release r left join ops.approval a on a.release_id = r.id"
            " left join ops.publication p on p.release_id = r.id where r.id = any(%s) order by r.period",
            [releases],
        ).fetchall()
        if any(row["approved_hash"] is None for row in rows):
            done.note = "waits for approval: `pantau approve`"
            return False
        for row in rows:
            if not row["published"]:
                _publish(connection, row)
        done.note = ", ".join(
            f"{r['period']} v{r['version']}" for r in (rows if len(rows) < 4 else [rows[0], rows[-1]])
        )
        return True


def _publish(connection: Connection, row: dict[str, Any]) -> None:
    where = {"period": row["period"], "version": row["version"]}
    found = (hash_of(figures_of_release(connection, row["id"])), row["page_hash"])
    if found != (row["approved_hash"], row["approved_page"]) or found[0] != row["release_hash"]:
        raise PantauError(
            "The frozen figures do not come to the hash that was approved.",
            where=where,
            next_step="Somebody changed frozen rows: see docs/runbooks/tampering.md. Nothing was published.",
        )
    flipped = connection.execute(
        "insert into ops.published as p values (%(period)s, %(id)s) on conflict (period) do update"
        " set release_id = excluded.release_id where p.release_id = (select id from ops.release where"
        " period = %(period)s and version = %(version)s - 1 and not superseded) returning release_id",
        row,
    ).fetchone()
    if not flipped:
        raise PantauError(
            "Another release of this period was published meanwhile.",
            where=where,
            next_step=f"Close the period again: `pantau close {row['period']}`.",
        )
    number = ledger.append(connection, "publication", {**where, "release_hash": row["release_hash"]})
    connection.execute("insert into ops.publication values (%s, %s)", [row["id"], number])


def verify_published(connection: Connection) -> list[dict[str, Any]]:
    """Every published release whose frozen figures still come to its hash; raises where one does not."""
    rows = connection.execute("select * from public.published_release order by period").fetchall()
    for row in rows:
        if hash_of(figures_of_release(connection, row["id"])) != row["release_hash"]:
            raise PantauError(
                "Published figures do not come to their hash.",
                where={"period": row["period"], "version": row["version"]},
                next_step="See docs/runbooks/tampering.md.",
            )
    return rows
