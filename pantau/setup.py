"""Set-up: databases, the platform's tables, raw tables, registers. Safe to run again; quick when nothing changed."""

import hashlib

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.types.json import Jsonb

from pantau import catalogue, checks, ledger, locks, roles, seal, tables, warehouse
from pantau.database import Connection, Role, connect, environment, is_there
from pantau.errors import NotSetUpError, PantauError
from pantau.locks import Lock
from pantau.read import raw
from pantau.settings import settings

BEGIN = "`pantau pull` or `pantau migrate` sets it up; `make demo` too, with simulated data."


def prepare() -> None:
    """Bring the database to what this code and catalogue need.

    Raises:
        PantauError: dbt's own message; or the database was made by a version that this one cannot go on from.
    """
    roles.ensure()
    _refuse_older()
    if _prepared() == (stamp := _stamp()):
        return
    with connect(Role.OWNER):
        pass  # or it says that the set-up needs another login
    command.upgrade(_alembic(), "head")
    feeds = catalogue.load()
    with connect(Role.OWNER) as connection:
        locks.take(connection, Lock.SETUP)
        with tables.changing(connection, "objects"):
            for feed in feeds.values():
                raw.ensure(connection, feed)
    # With a seed's table go the views that take their columns from it; approvals and audit pages read these.
    warehouse.dbt(
        "build", "--full-refresh", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious",
        "--select", "path:seeds", "path:seeds+1,path:models/staging", build=0,
    )  # fmt: skip
    checks.ensure_views()
    with connect(Role.OWNER) as connection:
        for name in warehouse.REGISTERS:
            _keep_register(connection, name)
        connection.execute("delete from ops.prepared")
        connection.execute("insert into ops.prepared values (%s)", [stamp])


def state() -> list[tuple[str, str, str]]:
    """What is to be brought up to date: its name, what the database has, what this code wants. Changes nothing."""
    stamp = _prepared() or "" if is_there() else ""
    return [
        ("Pantau's tables", _revision(), _revision_wanted()),
        ("feeds and registers", stamp[:12], _stamp()[:12]),
    ]


def require() -> None:
    """Raise PantauError where the tables are not those of this code. Changes nothing.

    Feeds and registers may be others: what came before them can be looked at.
    """
    _refuse_older()
    has, wants = _revision(), _revision_wanted()
    if not has:
        raise NotSetUpError("The database is not set up yet.", next_step=BEGIN)
    if has != wants:
        raise PantauError(
            f"The database's tables are at {has}, this code wants {wants}.", next_step="`pantau migrate`."
        )


def _revision() -> str:
    """The version of the product's tables; empty where there are none."""
    if not is_there():
        return ""
    try:
        with connect(Role.AUDITOR) as connection:
            return tables.revision(connection)
    except psycopg.errors.InsufficientPrivilege:  # its tables know no roles
        return "before the roles"


def _refuse_older() -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if (revision := _revision()) and revision not in known:
        raise PantauError(
            f"The database was made by an older version of Pantau ({revision}), without this one's hashes and roles:"
            " nothing in it can be proved, and this one does not go on from it.",
            where={"database": environment()["PGDATABASE"]},
            next_step="Begin anew: another database by DATABASE_URL, or `make reset` for the demo's own, which forgets "
            "what it holds.",
        )


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "pantau:migrations")
    return config


def _revision_wanted() -> str:
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def _stamp() -> str:
    """Hash of all that the set-up depends on."""
    digest = hashlib.sha256(seal.OBJECTS.encode())
    for folder, pattern in (
        (settings.root / "pantau" / "migrations" / "versions", "*.*"),
        (settings.feeds, "*.yml"),
        (settings.dbt_project / "seeds", "*"),
    ):
        for path in sorted(p for p in folder.glob(pattern) if p.is_file()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _prepared() -> str | None:
    with connect(Role.AUDITOR) as connection:
        row = connection.execute("select to_regclass('ops.prepared') is not null as there").fetchone()
        if not row or not row["there"]:
            return None
        row = connection.execute("select stamp from ops.prepared").fetchone()
        return row["stamp"] if row else None


def _keep_register(connection: Connection, name: str) -> None:
    """Keep a seed's rows as a version of its register, unless the newest version is the same."""
    found = connection.execute(
        sql.SQL("select jsonb_agg(to_jsonb(s) order by to_jsonb(s)) as rows from {} s").format(
            sql.Identifier("seeds", name)
        )
    ).fetchone()
    assert found is not None
    rows = found["rows"] or []
    digest = seal.register(rows)
    newest = connection.execute(
        "select sha256 from ops.register_version where name = %s order by ledger_no desc limit 1", [name]
    ).fetchone()
    if newest and newest["sha256"] == digest:
        return
    version = ledger.new_id(connection, "register_version")
    what = {"register": version, "name": name, "scheme": seal.REGISTER, "sha256": digest, "rows": len(rows)}
    number = ledger.append(connection, "register", what)
    connection.execute(
        "insert into ops.register_version (id, name, sha256, rows, ledger_no) overriding system value"
        " values (%s, %s, %s, %s, %s)",
        [version, name, digest, Jsonb(rows), number],
    )
