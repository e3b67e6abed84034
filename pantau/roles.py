"""The server's side of the set-up: roles, the logins that take them, the two databases; made where they are missing.

Promises: what is there stays as it is; no password stands in a statement, so none in a server's log; an ordinary
command logs in as nobody but the run-time login.
"""

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from pantau import server
from pantau.database import (
    Role,
    airflow_is_there,
    airflow_url,
    connect,
    database_of,
    environment,
    is_beside,
    is_missing,
    refused,
)
from pantau.errors import PantauError
from pantau.locks import Lock, hold
from pantau.settings import settings

# Who else has a role's rights: who reads everything, and the set-up, which makes the transformer's schemas.
_MEMBERS = {
    Role.AUDITOR: [Role.OWNER, Role.LOADER, Role.TRANSFORMER, Role.PUBLISHER, Role.APPROVER],
    Role.READER: [Role.AUDITOR],
    Role.TRANSFORMER: [Role.OWNER],
}
_Server = psycopg.Connection[psycopg.rows.TupleRow]
_HOW_TO = "docs/how-to/run-on-your-own-postgresql.md"


def ensure() -> None:
    """Make what is missing; without a look at the server's catalogue where this login gets in and finds both databases.

    Raises:
        PantauError: something is missing and we may not make it, or the server does not let us in.
    """
    if _is_complete():
        return
    for name in ("postgres", environment(Role.OWNER)["PGDATABASE"]):
        try:
            with _server(name) as connection:
                _make(connection)
            break
        except psycopg.OperationalError as error:
            if not is_missing(error) or name != "postgres":
                raise refused(error, url=settings.owner_url) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise PantauError(
                f"The roles and databases are not all there, and we may not make them: {str(error).splitlines()[0]}",
                where={"user": environment(Role.OWNER)["PGUSER"]},
                next_step=f"Give the set-up an administrator's address by PANTAU_OWNER_URL: {_HOW_TO}.",
            ) from error
    try:
        with connect(Role.AUDITOR):
            pass
    except psycopg.OperationalError as error:
        raise refused(error) from error


def _is_complete() -> bool:
    try:
        return airflow_is_there()
    except (psycopg.OperationalError, PantauError):  # the set-up says why
        return False


def _server(database: str) -> _Server:
    known = environment(Role.OWNER)
    return psycopg.connect(
        host=known["PGHOST"], port=known["PGPORT"], user=known["PGUSER"], password=known["PGPASSWORD"],
        dbname=database, autocommit=True,
    )  # fmt: skip


def _make(connection: _Server) -> None:
    # Roles belong to the server: the set-up of another database may make them at the same time.
    hold(connection, Lock.SETUP, wait=True)
    roles = {row[0]: row[1] for row in connection.execute("select rolname, rolcanlogin from pg_roles")}
    for role in Role:
        # Each can log in, for other servers take no role that cannot; without a password none can do so by one.
        verb = "create" if role not in roles else "" if roles[role] else "alter"
        if verb:
            connection.execute(sql.SQL(verb + " role {} login").format(sql.Identifier(role)))
    for role, members in _MEMBERS.items():
        for member in members:
            _grant(connection, role, member)
    known = environment(Role.OWNER)
    run_time, own = urlsplit(settings.database_url), urlsplit(airflow_url())
    if unquote(run_time.username or "") == known["PGUSER"]:
        _own(connection, list(Role))
    else:
        _own(connection, [Role.OWNER])
        _login(connection, run_time.username, run_time.password, roles)
        for role in Role:
            if role is not Role.OWNER:
                _grant(connection, role, unquote(run_time.username or ""))
    wanted = {database_of(settings.database_url): str(Role.OWNER)}
    if is_beside(airflow_url()):
        _login(connection, own.username, own.password, roles)
        wanted[database_of(airflow_url())] = unquote(own.username or "")
    there = {row[0] for row in connection.execute("select datname from pg_database")}
    for name, owner in wanted.items():
        if name not in there:
            _own(connection, [owner])
            statement = sql.SQL("create database {} owner {} encoding 'UTF8' template template0")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))


def _grant(connection: _Server, role: str, member: str) -> None:
    is_member = "select from pg_auth_members where roleid = %s::regrole and member = %s::regrole"
    if not connection.execute(is_member, [f'"{role}"', f'"{member}"']).fetchone():
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(member)))


def _own(connection: _Server, roles: list[str]) -> None:
    """Become a member of roles: who is no superuser may take and make something of a role only as such."""
    row = connection.execute("select rolsuper, rolname from pg_roles where rolname = current_user").fetchone()
    assert row is not None
    for role in roles:
        if not row[0] and role != row[1]:
            _grant(connection, role, row[1])


def _login(
    connection: _Server,
    name: str | None,
    password: str | None,
    roles: dict[str, bool],
) -> None:
    """A login that has the rights of no role until it takes one. One that is there keeps its password."""
    name = unquote(name or "")
    if name in roles:
        return
    statement = sql.SQL("create role {} login noinherit").format(sql.Identifier(name))
    if password:
        hashed = connection.pgconn.encrypt_password(unquote(password).encode(), name.encode()).decode()
        statement += sql.SQL(" password {}").format(sql.Literal(hashed))
    connection.execute(statement)


def new_passwords() -> str:
    """The statements that give the embedded database's logins the passwords which its secret stands for by now."""
    server.set_urls(0)
    known = [urlsplit(url) for url in (settings.owner_url, settings.database_url, airflow_url())]
    return "\n".join(f"alter role {each.username} password '{each.password}';" for each in known)
