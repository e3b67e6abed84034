"""Connections to the warehouse: psycopg for the package, URLs and variables for the libraries it drives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.rows import DictRow, dict_row

from pantau.errors import PantauError
from pantau.settings import settings

Connection = psycopg.Connection[DictRow]


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
    with psycopg.connect(_url(), row_factory=dict_row, options=options, **keywords) as connection:
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


def airflow_database() -> str:
    """The name of Airflow's own database, beside the warehouse's."""
    return environment()["PGDATABASE"] + "_airflow"
