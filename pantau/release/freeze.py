"""freeze: a build's figures and page become the candidates of its periods, each once and under its hashes.

Promise: nothing is frozen against a critical finding, and a build that comes to the published hash makes no release.
"""

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from pantau import checks, ledger, locks, periods, seal, warehouse
from pantau.database import Connection, Role, connect
from pantau.errors import BlockedError, PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.release import page
from pantau.release.figures import Closing, keyed
from pantau.release.restatements import Text, explanation, reissued

_COLUMNS = ["indicator_id", "indicator_version", "place", "breakdown", "numerator", "denominator", "value"]


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
    with connect(Role.PUBLISHER) as connection:
        build = connection.execute("select * from ops.build where id = %s", [build_id]).fetchone()
        assert build is not None
        locks.take(
            connection, Lock.RELEASE
        )  # versions are given, and what waits is superseded, by one at a time
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
        with step("freeze", f"build {build_id}") as done:
            months = list(periods.span(build["first_period"], build["last_period"]))
            frozen = [f for month in months if (f := _frozen(connection, build, month, gate))]
            seals = warehouse.seal_rows(connection, build_id) if frozen else {}
            # From here on the ledger is locked: what takes long has been done.
            for month in months:
                _supersede(connection, build_id, month)
            made = [_write(connection, build_id, f) for f in frozen]
            _end(
                connection, build_id, "candidate" if made else "unchanged", {"releases": made, "seals": seals}
            )
            done.note = f"{len(made)} candidate(s)" if made else "equals what is published"
        return made


def _end(connection: Connection, build: int, outcome: str, what: dict[str, Any]) -> None:
    what = {
        "build": build, "outcome": outcome,
        "sql": {"scheme": seal.SQL, "sha256": seal.sql_of_build(connection, build)},
        **what,
    }  # fmt: skip
    number = ledger.append(connection, "build_outcome", what)
    connection.execute("insert into ops.build_end values (%s, %s, %s)", [number, build, outcome])


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


@dataclass(frozen=True)
class _Frozen:
    """What a candidate will be: everything about it but its place in the ledger."""

    period: str
    version: int
    reason: str
    explanation: Text
    release_hash: str
    context: dict[str, Any]
    figures: list[dict[str, Any]]


def _frozen(connection: Connection, build: dict[str, Any], period: str, gate: checks.Gate) -> _Frozen | None:
    """The candidate that a build makes of a period; None where it comes to what is published."""
    figures = figures_of_build(connection, build["id"], period)
    if not figures:
        raise PantauError(
            f"{period} has no figures: nothing was delivered that an indicator needs.",
            where={"build": build["id"]},
            next_step="`pantau feeds` shows what has come. A month without figures is never published.",
        )
    release_hash = seal.figures_of_build(connection, build["id"], period)
    published = connection.execute(
        "select r.* from ops.published p join ops.release r on r.id = p.release_id where p.period = %s",
        [period],
    ).fetchone()
    if published is None:
        reason = "opening" if build["purpose"] == "opening" else "first"
    elif published["release_hash"] != release_hash:
        reason = "restatement"
    elif months := _requoted(connection, build, published):
        reason = "reissue"
    else:
        return None
    why = (
        reissued(months) if reason == "reissue" else explanation(connection, build, period, reason, published)
    )
    version = published["version"] + 1 if published else 1
    closing = Closing(connection, build, period, version, keyed(figures))
    context = page.context(closing, reason, why, published, gate)
    return _Frozen(period, version, reason, why, release_hash, context, figures)


def _write(connection: Connection, build: int, frozen: _Frozen) -> int:
    """Write a candidate down, under its hashes; returns its id."""
    release, page_hash = ledger.new_id(connection, "candidate"), seal.page(frozen.context)
    number = ledger.append(
        connection,
        "candidate",
        {
            "release": release, "period": frozen.period, "version": frozen.version, "build": build,
            "reason": frozen.reason, "schemes": [seal.FIGURES, seal.PAGE], "release_hash": frozen.release_hash,
            "page_hash": page_hash, "figures": len(frozen.figures),
        },
    )  # fmt: skip
    connection.execute(
        "insert into ops.candidate (id, period, version, build_id, reason, explanation, release_hash, page_hash,"
        " context, ledger_no) overriding system value values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            release, frozen.period, frozen.version, build, frozen.reason, Jsonb(frozen.explanation),
            frozen.release_hash, page_hash, Jsonb(frozen.context), number,
        ],
    )  # fmt: skip
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy ops.figure (release_id, period, indicator_id, indicator_version, place, breakdown,"
            " numerator, denominator, value) from stdin"
        ) as copy,
    ):
        for figure in frozen.figures:
            copy.write_row((release, frozen.period, *(figure[column] for column in _COLUMNS)))
    return release


def _supersede(connection: Connection, build: int, period: str) -> None:
    """A candidate of the period that waits was made from older data: it will never be published."""
    waiting = connection.execute(
        "select id, version from ops.release where period = %s and not superseded"
        " and id not in (select release_id from ops.publication) order by id",
        [period],
    ).fetchall()
    for row in waiting:
        what = {"release": row["id"], "period": period, "version": row["version"], "by_build": build}
        number = ledger.append(connection, "superseded", what)
        connection.execute("insert into ops.supersession values (%s, %s)", [row["id"], number])


def _requoted(connection: Connection, build: dict[str, Any], published: dict[str, Any]) -> list[str]:
    """The earlier months whose figures the published page of a period quotes as they no longer are, where it is the
    newest page: older pages stand as they are."""
    newest = connection.execute("select max(period) as period from ops.published").fetchone()
    assert newest is not None
    if published["reason"] == "opening" or newest["period"] != published["period"]:
        return []
    before = connection.execute(
        "select cutoff from ops.build where id = %s", [published["build_id"]]
    ).fetchone()
    assert before is not None
    return warehouse.requoted(connection, published["period"], before["cutoff"], build["cutoff"])
