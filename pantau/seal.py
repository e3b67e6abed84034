"""Seals: the hashes by which the ledger vouches for rows, figures, pages and manifests, each under its scheme's name.

Promise: the same content has the same hash on every machine; a scheme that this code does not know is refused by its
name and never taken for a change of the content.
"""

import json
import select
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import rfc8785
from psycopg import OperationalError, pq, sql
from psycopg.errors import error_from_result

from pantau.database import Connection
from pantau.errors import PantauError

ROWS, FIGURES, PAGE, MANIFEST, SQL, REGISTER = (
    "rows/1", "figures/1", "page/1", "manifest/1", "sql/1", "register/1",
)  # fmt: skip
PAGES = "sha256sum/1"  # over the list of the audit pages, as sha256sum writes it
OBJECTS = "objects/2"  # of each object's definition, as the database writes it
KNOWN = frozenset({ROWS, FIGURES, PAGE, MANIFEST, SQL, REGISTER, PAGES, OBJECTS})


def check_scheme(scheme: str) -> None:
    """Raise PantauError where this code does not know how a hash was made."""
    if scheme not in KNOWN:
        raise PantauError(
            f"The hash was made by the scheme {scheme}, which this version of Pantau does not know.",
            next_step="Use the version that made it, or a newer one.",
        )


# ------------------------------------------------------------------ rows of a table


class Rows:
    """A hash over rows in the making: PostgreSQL's COPY text of the named columns, in the order that is stated."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns, self._digest, self._rows = list(columns), sha256(), 0

    def update(self, text: bytes | bytearray | memoryview, rows: int) -> None:
        """Take in the text of so many more rows."""
        self._digest.update(text)
        self._rows += rows

    def entry(self) -> dict[str, Any]:
        """The seal as the ledger keeps it."""
        return {
            "scheme": ROWS,
            "columns": self._columns,
            "rows": self._rows,
            "sha256": self._digest.hexdigest(),
        }


def rows(
    connection: Connection,
    table: tuple[str, str],
    key: tuple[str, int],
    columns: Sequence[str],
    order: Sequence[str],
) -> dict[str, Any]:
    """The seal of those rows of a table that have a key's value, as they are now.

    Args:
        table: schema and name.
        key: column and value, such as build_id and 7.
        columns: those that are sealed; one added to the table later is none of them.
        order: columns that order the rows without a tie (or with ties of equal rows only).
    """
    sealed = Rows(columns)
    statement = sql.SQL("copy (select {} from {} where {} = {} order by {}) to stdout").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(*table), sql.Identifier(key[0]), sql.Literal(key[1]), _order(connection, table, order),
    )  # fmt: skip
    for line in _copied(connection, statement):
        sealed.update(line, 1)
    return sealed.entry()


def _copied(connection: Connection, statement: sql.Composed) -> Iterator[memoryview]:
    """The lines of a COPY to stdout, as libpq gives them: one row each. What psycopg does beside, row by row (it waits,
    and wraps), costs as much again as the hash, over millions of rows."""
    server, status, waiting = connection.pgconn, pq.ExecStatus, select.poll()
    waiting.register(server.socket, select.POLLIN)
    begun = server.exec_(statement.as_bytes(connection))
    if begun.status != status.COPY_OUT:
        raise error_from_result(begun)
    while (got := server.get_copy_data(1))[0] >= 0:
        if got[0]:
            yield got[1]
        else:  # not there yet; Ctrl-C is heard here
            waiting.poll()
            server.consume_input()
    ended = server.get_result()
    while server.get_result():
        pass
    if ended is None or ended.status != status.COMMAND_OK:
        raise error_from_result(ended) if ended else OperationalError("the COPY did not end")


def columns_of(connection: Connection, table: tuple[str, str]) -> dict[str, str]:
    """The columns of a table with their types, in their order; nothing where there is no such table."""
    found = connection.execute(
        "select a.attname, format_type(a.atttypid, null) as kind from pg_attribute a"
        " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped order by a.attnum",
        table,
    )
    return {row["attname"]: row["kind"] for row in found}


def _order(connection: Connection, table: tuple[str, str], columns: Iterable[str]) -> sql.Composed:
    kinds = columns_of(connection, table)
    return sql.SQL(", ").join(
        sql.SQL("{} collate {}").format(sql.Identifier(name), sql.Identifier("C"))
        if kinds.get(name) == "text"
        else sql.Identifier(name)
        for name in columns
    )


# ------------------------------------------------------------------ figures and pages

_LINE = (
    "concat_ws('|', period, indicator_id, indicator_version, place, breakdown, trim_scale(numerator),"
    " trim_scale(denominator), coalesce(trim_scale(value)::text, ''))"
)
_HASH = "encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' order by line collate \"C\"), ''), 'UTF8')), 'hex')"


def figures_of_releases(connection: Connection, releases: list[int]) -> dict[int, str]:
    """By release, the hash that its frozen figures come to now.

    SHA-256 over one line per figure: period, indicator, version, place, breakdown, numerator, denominator, value,
    joined by `|`; the lines sorted as bytes and joined by newlines. Numbers without trailing zeros; a value that does
    not exist as nothing.
    """
    found = connection.execute(
        f"select r.id, {_HASH} as hash from ops.candidate r left join lateral"  # noqa: S608  texts of our own
        f" (select {_LINE} as line from ops.figure where release_id = r.id) lines on true where r.id = any(%s)"
        " group by r.id",
        [releases],
    )
    return {row["id"]: row["hash"] for row in found}


def figures_of_build(connection: Connection, build: int, period: str) -> str:
    """The same of a build's figures for one period."""
    found = connection.execute(
        f"select {_HASH} as hash from"  # noqa: S608
        f" (select {_LINE} as line from marts.rpt_figure where build_id = %s and period = %s) lines",
        [build, period],
    ).fetchone()
    assert found is not None
    return str(found["hash"])


def page(context: dict[str, Any]) -> str:
    """SHA-256 over a page's context as RFC 8785 JSON; nothing that is no such JSON can have been frozen ("")."""
    try:
        return sha256(rfc8785.dumps(context)).hexdigest()
    except rfc8785.CanonicalizationError:
        return ""


# ------------------------------------------------------------------ what a build was made of


def manifest(connection: Connection, build: int) -> str:
    """SHA-256 over a build's manifest: one JSON list per line of it, sorted as bytes."""
    found = connection.execute(
        "select feed, part, period, reading_id, source_period, how from ops.build_input where build_id = %s",
        [build],
    )
    return lines(list(row.values()) for row in found)


def lines(records: Iterable[list[Any]]) -> str:
    """SHA-256 over one JSON list per record, sorted as bytes and joined by newlines."""
    text = sorted(json.dumps(record, ensure_ascii=True, separators=(",", ":")) for record in records)
    return sha256("\n".join(text).encode()).hexdigest()


def sql_of_build(connection: Connection, build: int) -> str:
    """SHA-256 over the SQL that a build ran: one JSON list of name and text for each model, sorted as bytes."""
    found = connection.execute("select model, sql from ops.build_sql where build_id = %s", [build])
    return lines([row["model"], row["sql"]] for row in found)


def register(records: list[dict[str, Any]]) -> str:
    """SHA-256 over the rows of a register."""
    return sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
