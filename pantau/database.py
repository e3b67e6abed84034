"""Connections to the warehouse: psycopg for the package, URLs and variables for the libraries it drives.

Every connection takes one role, and may do what that role may (pantau/roles.py). The login itself may do nothing.
"""

import getpass
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.rows import DictRow, dict_row

from pantau import witness
from pantau.errors import PantauError
from pantau.locks import Held
from pantau.settings import settings


class Role(StrEnum):
    """What a connection is for. The roles belong to the server, so all databases of one share them."""

    OWNER = "pantau_owner"  # the set-up: owns the platform's tables and those of raw
    LOADER = "pantau_loader"  # lands, reads, checks what was read, tells of lateness, sets a demo's clock
    TRANSFORMER = "pantau_transformer"  # builds: owns dbt's schemas and the views of schema `checks`
    PUBLISHER = "pantau_publisher"  # checks builds, freezes, publishes, writes reports and pages
    APPROVER = "pantau_approver"  # decides: approves, withdraws, rejects, reinstates, accepts
    READER = "pantau_reader"  # reads what is published
    AUDITOR = "pantau_auditor"  # reads everything


class Connection(psycopg.Connection[DictRow]):
    """A connection that knows the locks its transaction holds, and tells the witness what it committed.

    Attributes:
        held: the advisory locks of this transaction, in the order in which they were taken.
        appended: the heads of the ledger that this transaction has written.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.held: list[Held] = []
        self.appended: list[witness.Head] = []

    def commit(self) -> None:
        """Commit; then the witness is told."""
        super().commit()
        self.held.clear()
        if self.appended:
            witness.note(self.appended)
            self.appended.clear()

    def rollback(self) -> None:
        """Roll back; nothing has happened."""
        super().rollback()
        self.held.clear()
        self.appended.clear()


def _url(role: Role | None = None) -> str:
    url = settings.database_url
    if not url:
        raise PantauError(
            "No database is given.", next_step="Set DATABASE_URL, or run through the `pantau` command."
        )
    if role is Role.OWNER and settings.owner_url:  # another login, the same database
        return urlsplit(settings.owner_url)._replace(path=urlsplit(url).path).geturl()
    return url


def _as(role: Role, options: str) -> str:
    """The session settings that begin a connection; that of the role is what `reset role` comes back to."""
    return f"-c role={role} {options}".rstrip()


@contextmanager
def connect(role: Role, options: str = "", **keywords: Any) -> Iterator[Connection]:
    """A connection in one transaction: committed on a clean exit, rolled back on an error.

    Args:
        role: whose rights it has, and no others.
        options: session settings, such as `-c pantau.build=7`.

    Raises:
        PantauError: the login may not take the role.
    """
    try:
        connection = Connection.connect(
            _url(role), row_factory=dict_row, options=_as(role, options), **keywords
        )
    except psycopg.OperationalError as error:
        if f'"{role}"' in str(error):
            raise refused(error, role) from error
        if "authentication failed" in str(error):  # nothing that heals by itself
            raise refused(error, url=_url(role)) from error
        raise
    with connection:
        yield connection


def sqlalchemy_url(role: Role, driver: str = "psycopg2", options: str = "") -> str:
    """The same database for SQLAlchemy (Alembic: `psycopg`; Great Expectations: `psycopg2`)."""
    parts = urlsplit(_url(role))
    query = "&".join(x for x in (parts.query, f"options={quote(_as(role, options))}") if x)
    return f"postgresql+{driver}://{parts.netloc}{parts.path}?{query}"


def environment(role: Role | None = None, options: str = "") -> dict[str, str]:
    """The same database as PG… variables (dbt, psql); without a role for the login itself."""
    parts = urlsplit(_url(role))
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGOPTIONS": _as(role, options) if role else options,
    }


def may(connection: psycopg.Connection[DictRow], role: Role) -> bool:
    """Whether the connection's login may take a role."""
    row = connection.execute("select pg_has_role(session_user, %s, 'MEMBER') as yes", [role]).fetchone()
    return bool(row and row["yes"])


def decider(connection: psycopg.Connection[DictRow], by: str) -> str:
    """Who decides: the login, where it is a person's. One that may publish is the installation's own: there it is who
    says so, else the user of this machine.

    Args:
        by: who says to decide; empty where nothing is said.

    Raises:
        PantauError: a person's login, and another name is said.
    """
    if may(connection, Role.PUBLISHER):
        return by or getpass.getuser()
    row = connection.execute("select session_user as login").fetchone()
    assert row is not None
    if by and by != row["login"]:
        raise PantauError(
            f"The database knows who decides: {row['login']}, not {by}.",
            next_step="Leave `--by` out, or log in as who decides (DATABASE_URL).",
        )
    return str(row["login"])


def is_there() -> bool:
    """Whether the warehouse's database exists. Raises PantauError where the server does not let us in."""
    return exists(_url(Role.OWNER))


def airflow_is_there() -> bool:
    """Whether Airflow's own database exists. Raises PantauError where the server does not let us in."""
    if not is_beside(airflow_url()):
        return exists(airflow_url())
    with connect(Role.AUDITOR) as connection:
        name = [database_of(airflow_url())]
        return connection.execute("select from pg_database where datname = %s", name).fetchone() is not None


def is_beside(url: str) -> bool:
    """Whether a database lies on the warehouse's server."""
    own, other = urlsplit(_url()), urlsplit(url)
    return (own.hostname, own.port or 5432) == (other.hostname, other.port or 5432)


def database_of(url: str) -> str:
    """The name of the database that a URL names."""
    return unquote(urlsplit(url).path.lstrip("/"))


def exists(url: str) -> bool:
    """Whether a URL's database exists. Raises PantauError where the server does not let us in."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if is_missing(error):
            return False
        raise refused(error, url=url) from error
    return True


def is_missing(error: psycopg.OperationalError) -> bool:
    """Whether the server let us in, but has no database of that name."""
    return "database" in str(error) and "does not exist" in str(error)


def lost(error: psycopg.OperationalError) -> PantauError | None:
    """What to tell a person whose command the server left, or never let in; None where it answered otherwise."""
    timed_out = isinstance(error, psycopg.errors.ConnectionTimeout)
    if error.pgconn or timed_out or "failed to resolve" in str(error):  # while connecting
        return refused(error)
    if error.sqlstate and not error.sqlstate.startswith(("08", "57P")):  # 57P: it is stopping, or starting
        return None
    told = (str(error).strip() or "it says nothing").splitlines()[0]
    return PantauError(
        f"The database went away: {told}",
        next_step="Nothing half-done is left: each step is one transaction. `pantau doctor` says whether the database"
        " is up; then run the same command again, and it goes on from there.",
    )


def refused(error: psycopg.OperationalError, role: Role | None = None, url: str = "") -> PantauError:
    """What to tell a person whom the server does not let in; with a role, one whom it does not let take that."""
    parts = urlsplit(url or _url(role))
    told = (str(error).strip() or "it says nothing").splitlines()[0].split("FATAL:")[-1].strip()
    if role:
        next_step = (
            "The roles are made by the set-up: `pantau migrate`, with PANTAU_OWNER_URL. A person is granted one by"
            " an administrator: docs/how-to/give-people-roles.md."
        )
    elif settings.owner_url and parts.netloc == urlsplit(settings.owner_url).netloc:
        next_step = (
            "Compare PANTAU_OWNER_URL with the server's administrator and password. In compose: `postgres`, with the"
            " POSTGRES_PASSWORD with which the volume was made; a volume of a version before the roles has no such"
            " administrator and is not taken over: docs/how-to/run-with-compose.md, Upgrade."
        )
    elif parts.netloc == urlsplit(settings.database_url).netloc:
        next_step = "Compare DATABASE_URL with the server's address, user, password and databases."
    else:
        next_step = (
            "The password of Airflow's login is made of DATABASE_URL's: an administrator sets both anew, or"
            " AIRFLOW__DATABASE__SQL_ALCHEMY_CONN gives another address."
        )
    return PantauError(
        f"The database does not let us in: {told}",
        where={
            "host": parts.hostname or "", "port": str(parts.port or 5432), "database": database_of(parts.geturl()),
            "user": unquote(parts.username or ""), **({"role": role} if role else {}),
        },
        next_step=next_step,
    )  # fmt: skip


def airflow_url(driver: str = "") -> str:
    """Airflow's own database and its login: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN where that is given, else beside the
    warehouse's, both named like the warehouse's with `_airflow` behind, and a password made of the other's."""
    parts = urlsplit(settings.airflow_database_url or _url())
    if not settings.airflow_database_url:
        password = hmac.digest(unquote(parts.password or "").encode(), b"airflow", "sha256").hex()
        login = f"{parts.username}_airflow" + (f":{password}" if parts.password else "")
        parts = parts._replace(
            netloc=f"{login}@{parts.netloc.rpartition('@')[2]}", path=f"{parts.path}_airflow"
        )
    return parts._replace(scheme="postgresql" + (f"+{driver}" if driver else "")).geturl()
