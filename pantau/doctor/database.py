"""What a close needs of the database, and what earlier runs left undone in it."""

import time
from collections.abc import Iterator

from pantau import clock, ledger, upgrade
from pantau.database import Role, connect
from pantau.doctor.airflow import asked
from pantau.doctor.finding import Finding
from pantau.settings import settings


def server() -> Iterator[Finding]:
    """The server, and that our login may do nothing but by its roles."""
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select current_setting('server_version') as version, current_setting('server_version_num')::int as number,"
            " current_database() as name, session_user as login,"
            " r.rolsuper or r.rolinherit and pg_has_role(session_user, 'pantau_loader', 'USAGE') as too_much"
            " from pg_roles r where r.rolname = session_user"
        ).fetchone()
    assert row is not None
    told = f"PostgreSQL {row['version'].split()[0]}, database {row['name']}, login {row['login']}"
    if row["too_much"]:
        yield Finding(
            "database", "attention", f"{told}, which has rights without taking a role",
            "Give the run-time a login of its own: docs/how-to/run-on-your-own-postgresql.md.",
        )  # fmt: skip
    elif row["number"] < 180000:
        yield Finding("database", "attention", told, "Only PostgreSQL 18 is tested.")
    else:
        yield Finding("database", "ok", told)


def versions() -> Iterator[Finding]:
    """The tables' versions against the code's."""
    for part in upgrade.state(asked().get("revisions")):
        if not part.behind:
            yield Finding(part.name, "ok", f"at {part.has}")
        elif part.has:
            yield Finding(
                part.name, "problem", f"at {part.has}, this code wants {part.wants}", "`pantau migrate`"
            )
        else:
            yield Finding(part.name, "attention", "not set up yet", "`pantau migrate`")


def _is_set_up(*tables: str) -> bool:
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select bool_and(to_regclass(t) is not null) as yes from unnest(%s::text[]) t", [list(tables)]
        ).fetchone()
    return bool(row and row["yes"])


def product_clock() -> Iterator[Finding]:
    """Whether the product's clock is the machine's."""
    if not _is_set_up("ops.clock"):
        return
    with connect(Role.AUDITOR) as connection:
        now, set_ = clock.now(connection), clock.is_set(connection)
    if set_:
        yield Finding(
            "clock", "attention", f"set: it stands at {now:%Y-%m-%d %H:%M}, and what arrives is marked simulated",
            "Right for the demo. For real data begin another database.",
        )  # fmt: skip
    else:
        yield Finding("clock", "ok", f"the machine's, {now:%Y-%m-%d %H:%M} in Jakarta")


def leftovers() -> Iterator[Finding]:
    """What was cut off, is unread or waits for a person."""
    if not _is_set_up("ops.delivery", "ops.release"):
        return
    with connect(Role.AUDITOR) as connection:
        unread = connection.execute(
            "select d.id, d.feed, d.part, d.period from (select distinct on (feed, part, period) * from ops.delivery"
            " where id not in (select ops.rejected(%s)) order by feed, part, period, ledger_no desc) d"
            " where not exists (select from ops.reading r where r.delivery_id = d.id) order by d.id",
            [ledger.head(connection)],
        ).fetchall()
        unchecked = connection.execute(
            "select count(*) as n from ops.reading r where not exists"
            " (select from ops.check_run c where c.reading_id = r.id)"
        ).fetchone()
        unfinished = connection.execute(
            "select count(*) as n from ops.build b where purpose <> 'rebuild' and not exists"
            " (select from ops.build_outcome o where o.build_id = b.id) and not exists (select from ops.build n"
            " where n.id > b.id and n.first_period = b.first_period and n.last_period = b.last_period)"
        ).fetchone()
        waiting = connection.execute(
            "select period from ops.release where not superseded"
            " and id not in (select release_id from ops.publication) order by period"
        ).fetchall()
    assert unchecked is not None
    assert unfinished is not None
    spools = [p for p in settings.landing.glob("incoming-*") if time.time() - p.stat().st_mtime > 3600]
    for row in unread[:5]:
        what = " ".join(filter(None, (row["feed"], row["part"], row["period"])))
        yield Finding(
            "leftovers", "attention", f"delivery {row['id']} of {what} is not read",
            f"`pantau pull {row['feed']}` reads it or says why not; docs/runbooks/feed.md.",
        )  # fmt: skip
    if len(unread) > 5:
        yield Finding(
            "leftovers", "attention", f"{len(unread) - 5} more deliveries are not read", "`pantau pull`"
        )
    if unchecked["n"]:
        yield Finding(
            "leftovers", "attention", f"{unchecked['n']} reading(s) are not checked", "`pantau pull`"
        )
    if unfinished["n"]:
        yield Finding("leftovers", "attention", f"{unfinished['n']} build(s) were cut off", "`pantau close`")
    if spools:
        yield Finding(
            "leftovers", "attention", f"{len(spools)} folder(s) of killed pulls in {settings.landing}",
            "The next `pantau pull` deletes them.",
        )  # fmt: skip
    if waiting:
        span = ", ".join(row["period"] for row in waiting[:6]) + (" …" if len(waiting) > 6 else "")
        yield Finding(
            "leftovers", "attention", f"{len(waiting)} candidate(s) wait for approval: {span}",
            "`pantau approve PERIOD`, or *Required Actions* in Airflow.",
        )  # fmt: skip
    if not (unread or unchecked["n"] or unfinished["n"] or spools or waiting):
        yield Finding("leftovers", "ok", "nothing is unread, unchecked, cut off or waiting")
