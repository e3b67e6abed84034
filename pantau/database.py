"""Connections to the warehouse: psycopg for the package, URLs and variables for the libraries it drives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.rows import DictRow, dict_row

from pantau import witness
from pantau.errors import PantauError
from pantau.locks import Held
from pantau.settings import settings


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


def _url() -> str:
    if not settings.database_url:
        raise PantauError(
            "No database is given.", next_step="Set DATABASE_URL, or run through the `pantau` command."
        )
    return settings.database_url


@contextmanager
def connect(options: str = "", **keywords: Any) -> Iterator[Connection]:
    """A connection in one transaction: committed on a clean exit, rolled back on an error.

    Args:
        options: session settings, such as `-c pantau.build=7`.
    """
    with Connection.connect(_url(), row_factory=dict_row, options=options, **keywords) as connection:
        yield connection


def sqlalchemy_url(driver: str = "psycopg2", options: str = "", database: str = "") -> str:
    """The same database for SQLAlchemy (Airflow: `psycopg`; Great Expectations: `psycopg2`)."""
    parts = urlsplit(_url())
    path = f"/{database}" if database else parts.path
    query = "&".join(x for x in (parts.query, f"options={quote(options)}" if options else "") if x)
    return f"postgresql+{driver}://{parts.netloc}{path}" + (f"?{query}" if query else "")


def environment(options: str = "") -> dict[str, str]:
    """The same database as PG… variables (dbt, psql)."""
    parts = urlsplit(_url())
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGOPTIONS": options,
    }


def is_there(url: str) -> bool:
    """Whether the database exists. Raises PantauError where the server does not let us in."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if is_missing(error):
            return False
        raise refused(error) from error
    return True


def is_missing(error: psycopg.OperationalError) -> bool:
    """Whether the server let us in, but has no database of that name."""
    return "database" in str(error) and "does not exist" in str(error)


def refused(error: psycopg.OperationalError) -> PantauError:
    """What to tell a person whom the server does not let in."""
    known = environment()
    return PantauError(
        f"The database does not let us in: {str(error).strip().splitlines()[0]}",
        where={"host": known["PGHOST"], "port": known["PGPORT"], "database": known["PGDATABASE"]},
        next_step="Compare DATABASE_URL with the server's address, user, password and databases.",
    )


def airflow_url() -> str:
    """Airflow's own database as a URL for psycopg."""
    parts = urlsplit(_url())
    return parts._replace(path=f"/{airflow_database()}").geturl()


def airflow_database() -> str:
    """The name of Airflow's own database, beside the warehouse's."""
    return environment()["PGDATABASE"] + "_airflow"
