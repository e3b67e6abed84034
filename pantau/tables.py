"""The database's own objects that keep the records whole: triggers, functions, views, owners and grants. The ledger
vouches for them as the set-up left them.

Promise: what the set-up changes is written down in the same transaction; what anybody else changed is not taken over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from pantau import ledger
from pantau.database import Connection
from pantau.errors import PantauError

SCHEME = "objects/1"
_OBJECTS = """
select 'function ' || p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'ops'
union all
select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass::text,
  pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and n.nspname in ('ops', 'raw')
union all
select 'view ' || c.oid::regclass::text, pg_get_viewdef(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname in ('ops', 'public', 'checks')
union all
select 'grants on ' || c.oid::regclass::text,
  pg_get_userbyid(c.relowner)
  || coalesce((select string_agg(' ' || a::text, '' order by a::text) from unnest(c.relacl) a), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v') and n.nspname in ('ops', 'raw', 'checks', 'public')"""  # fmt: skip


def objects(connection: Connection) -> dict[str, str]:
    """Every object that is vouched for, by name: SHA-256 of its definition."""
    path = connection.execute("select current_setting('search_path') as path").fetchone()
    assert path is not None
    # Names are written with their schema unless that is searched.
    connection.execute("select set_config('search_path', 'pg_catalog', true)")
    found = connection.execute(_OBJECTS).fetchall()
    connection.execute("select set_config('search_path', %s, true)", [path["path"]])
    return {row["name"]: sha256(row["text"].encode()).hexdigest() for row in found}


def revision(connection: Connection) -> str:
    """The version of the tables that the database has ('' before the first set-up)."""
    there = connection.execute("select to_regclass('public.alembic_version') is not null as yes").fetchone()
    if not there or not there["yes"]:
        return ""
    row = connection.execute("select version_num from public.alembic_version").fetchone()
    return str(row["version_num"]) if row else ""


def altered(connection: Connection) -> dict[str, str]:
    """The objects that are not as the newest entry about them says: changed, missing or added. None where there is no
    entry yet, or a new version of the tables has come since.

    A view of schema `checks` may be missing: it goes with the table that it reads, and is made again before it is used.
    """
    entry = connection.execute(
        "select what from ops.ledger where kind = 'objects' order by no desc limit 1"
    ).fetchone()
    if entry is None or entry["what"]["revision"] != revision(connection):
        return {}
    kept, now = entry["what"]["objects"], objects(connection)
    return {
        name: "missing" if name not in now else "added" if name not in kept else "changed"
        for name in sorted({*kept, *now})
        if kept.get(name) != now.get(name) and not (name not in now and " checks." in name)
    }


@contextmanager
def changing(connection: Connection) -> Iterator[None]:
    """Around what makes tables, triggers, views or grants: the ledger vouches for them as they are at its end.

    Raises:
        PantauError: somebody else has changed them before: that is not taken over.
    """
    if found := altered(connection):
        told = ", ".join(f"{name} {how}" for name, how in list(found.items())[:8])
        raise PantauError(
            f"The database's own objects are not as the set-up left them: {told}.",
            next_step="See docs/runbooks/tampering.md; `pantau verify` shows all of them.",
        )
    yield
    entry = connection.execute(
        "select what from ops.ledger where kind = 'objects' order by no desc limit 1"
    ).fetchone()
    what = {"scheme": SCHEME, "revision": revision(connection), "objects": objects(connection)}
    if entry is None or entry["what"] != what:
        ledger.append(connection, "objects", what)
