"""The database's own objects that keep the records whole: triggers, constraints, functions, views, owners and grants.
The ledger vouches for them as the set-up left them.

Promise: what the set-up changes is written down in the same transaction; what anybody else changed is not taken over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from pantau import ledger, seal
from pantau.database import Connection, Role
from pantau.errors import PantauError

_BEFORE = "objects/1"  # without constraints: what it says is written anew by the next set-up
_OBJECTS = """
select 'function ' || p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'ops'
union all
select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass::text,
  pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and n.nspname in ('ops', 'raw')
union all
select 'constraint ' || o.conname || ' on ' || o.conrelid::regclass::text,
  pg_get_constraintdef(o.oid) || case when o.convalidated then '' else ' not validated' end
from pg_constraint o join pg_class c on c.oid = o.conrelid join pg_namespace n on n.oid = c.relnamespace
where o.contype in ('c', 'f', 'p', 'u') and n.nspname in ('ops', 'raw')
union all
select 'view ' || c.oid::regclass::text, pg_get_viewdef(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname in ('ops', 'public', 'checks')
union all
select 'grants on function ' || p.oid::regprocedure::text, pg_get_userbyid(p.proowner)
  || coalesce((select string_agg(' ' || a::text, '' order by a::text) from unnest(p.proacl) a), '')
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'ops'
union all
select 'role ' || r.rolname, concat_ws(' ', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls,
  (select string_agg(m.roleid::regrole::text, ' ' order by m.roleid::regrole::text)
    from pg_auth_members m where m.member = r.oid))
from pg_roles r where r.rolname = any(%s)
union all
select 'members of role ' || r.rolname, coalesce((
  select string_agg(m.member::regrole::text, ' ' order by m.member::regrole::text)
  from pg_auth_members m join pg_roles u on u.oid = m.member where m.roleid = r.oid and not u.rolsuper), '')
from pg_roles r where r.rolname = 'pantau_owner'
union all
select 'grants on columns of ' || c.oid::regclass::text,
  string_agg(a.attname || ' ' || a.attacl::text, ' ' order by a.attnum)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where a.attacl is not null and n.nspname in ('ops', 'raw', 'checks', 'public') group by c.oid
union all
select 'grants on schema ' || n.nspname, pg_get_userbyid(n.nspowner)
  || coalesce((select string_agg(' ' || a::text, '' order by a::text) from unnest(n.nspacl) a), '')
from pg_namespace n where n.nspname in ('ops', 'raw', 'checks')
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
    found = connection.execute(_OBJECTS, [[str(role) for role in Role]]).fetchall()
    connection.execute("select set_config('search_path', %s, true)", [path["path"]])
    return {row["name"]: sha256(row["text"].encode()).hexdigest() for row in found}


def revision(connection: Connection) -> str:
    """The version of the tables that the database has ('' before the first set-up)."""
    there = connection.execute("select to_regclass('public.alembic_version') is not null as yes").fetchone()
    if not there or not there["yes"]:
        return ""
    row = connection.execute("select version_num from public.alembic_version").fetchone()
    return str(row["version_num"]) if row else ""


def _kept(connection: Connection, kind: str) -> dict[str, str] | None:
    """What the newest entry of a kind says; None where there is none, or a new version of the tables has come since.

    Raises:
        PantauError: it is of a scheme that this version does not know.
    """
    entry = connection.execute(
        "select what from ops.ledger where kind = %s order by no desc limit 1", [kind]
    ).fetchone()
    if (
        entry is None
        or entry["what"]["scheme"] == _BEFORE
        or entry["what"]["revision"] != revision(connection)
    ):
        return None
    seal.check_scheme(entry["what"]["scheme"])
    return dict(entry["what"]["objects"])


def _is_view_of_checks(name: str) -> bool:
    """The transformer makes these; all others are the set-up's."""
    return " checks." in name


def altered(connection: Connection) -> dict[str, str]:
    """The objects that are not as the newest entries about them say: changed, missing or added. None where there is no
    entry yet, or a new version of the tables has come since.

    A view of schema `checks` may be missing: it goes with the table that it reads, and is made again before it is used.
    """
    now, found = objects(connection), {}
    for kind in ("objects", "views"):
        kept = _kept(connection, kind)
        if kept is None:
            continue
        there = {name: text for name, text in now.items() if _is_view_of_checks(name) == (kind == "views")}
        for name in {*kept, *there}:
            if kept.get(name) != there.get(name) and not (kind == "views" and name not in there):
                found[name] = "missing" if name not in there else "added" if name not in kept else "changed"
    return dict(sorted(found.items()))


@contextmanager
def changing(connection: Connection, kind: str) -> Iterator[None]:
    """Around what makes tables, triggers, views or grants: the ledger vouches for them as they are at its end.

    Args:
        kind: `objects`, or `views` for those of schema `checks`.

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
    now = {
        name: text
        for name, text in objects(connection).items()
        if _is_view_of_checks(name) == (kind == "views")
    }
    if now != _kept(connection, kind):
        what = {"scheme": seal.OBJECTS, "revision": revision(connection), "objects": now}
        ledger.append(connection, kind, what)
