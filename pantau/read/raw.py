"""The tables `raw.<feed>`: made from the catalogue, filled by COPY, never changed after a reading is sealed."""

from collections.abc import Callable
from typing import Any

import polars as pl
from psycopg import sql

from pantau import seal
from pantau.catalogue import Feed
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError


def ensure(connection: Connection, feed: Feed) -> None:
    """Create the feed's table with comments from its YAML, or add columns that the YAML gained.

    Raises:
        PantauError: a column's type in the YAML is no longer the table's.
    """
    table = sql.Identifier("raw", feed.name)
    connection.execute(
        sql.SQL(
            "create table if not exists {} (reading_id bigint not null, source_row bigint not null)"
        ).format(table)
    )
    connection.execute(
        sql.SQL(
            "create index if not exists {} on {} using brin (reading_id) with (pages_per_range = 16)"
        ).format(sql.Identifier(f"{feed.name}_reading_id"), table)
    )
    connection.execute(
        sql.SQL(
            "create or replace trigger append_only before update or delete on {table} for each row"
            " execute function ops.refuse_change();"
            " create or replace trigger no_truncate before truncate on {table} for each statement"
            " execute function ops.refuse_change()"
        ).format(table=table)
    )
    there = {
        row["attname"]: row["kind"]
        for row in connection.execute(
            "select attname, format_type(atttypid, atttypmod) as kind from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            [f'raw."{feed.name}"'],
        )
    }
    for column in feed.columns:
        if column.name not in there:
            connection.execute(
                sql.SQL("alter table {} add column {} " + column.sql_type).format(
                    table, sql.Identifier(column.name)
                )
            )
        elif there[column.name] != column.sql_type:
            raise PantauError(
                f"The column {column.name} was {there[column.name]} and its YAML now makes it {column.sql_type}.",
                where={"feed": feed.name},
                next_step="Give the column of the new type another name: sealed readings are not rewritten.",
            )
        comment = column.meaning + (f" Unit: {column.unit}." if column.unit else "")
        connection.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier("raw", feed.name, column.name), sql.Literal(comment)
            )
        )


# What PostgreSQL's COPY text writes in place of these characters.
_ESCAPES = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
_ESCAPED = r"[\\\x08\x0c\n\r\t\x0b]"
_PIECE_ROWS = 65_536


def order_of(table: tuple[str, str]) -> list[str]:
    """The columns that order a reading's rows in a table without a tie."""
    return {"quarantine": ["source_row", "column", "rule"], "control_total": ["source_row", "name"]}.get(
        table[1] if table[0] == "ops" else "", ["source_row"]
    )


def copy(connection: Connection, table: tuple[str, str], reading: int, rows: pl.DataFrame) -> dict[str, Any]:
    """COPY a reading's rows into a table, in the caller's transaction, and seal them on the way.

    The text that is written is the one that PostgreSQL gives back, so the seal can be taken again of the table.

    Args:
        table: schema and name.

    Returns:
        The seal (`pantau.seal`) over `rows`' columns.
    """
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table), sql.SQL(", ").join(map(sql.Identifier, ["reading_id", *rows.columns]))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        return sealed(
            table,
            rows,
            lambda text: stream.write(
                _lines(text.select(pl.lit(str(reading)).alias("reading_id"), pl.all()))
            ),
        )


def sealed(
    table: tuple[str, str], rows: pl.DataFrame, write: Callable[[pl.DataFrame], None] = lambda _: None
) -> dict[str, Any]:
    """The seal over rows as they stand in a table, or would.

    Args:
        table: schema and name.
        write: is given each piece of them, as COPY text by cell.
    """
    seal_ = seal.Rows(rows.columns)
    for piece in rows.sort(order_of(table)).iter_slices(_PIECE_ROWS):
        text = piece.select(_as_text(piece[name]) for name in rows.columns)
        seal_.update(_lines(text), piece.height)
        write(text)
    return seal_.entry()


def _as_text(values: pl.Series) -> pl.Series:
    """Values as COPY text writes them: booleans by a letter, and what would end a cell escaped."""
    if values.dtype == pl.Boolean:
        return values.replace_strict({True: "t", False: "f"}, default=None, return_dtype=pl.String)
    if values.dtype == pl.String and values.str.contains(_ESCAPED).any():
        for character, escape in _ESCAPES.items():
            values = values.str.replace_all(character, escape, literal=True)
    return values


def _lines(cells: pl.DataFrame) -> bytes:
    return cells.write_csv(
        include_header=False, separator="\t", quote_style="never", null_value="\\N"
    ).encode()


def refresh(feed: Feed) -> None:
    """Tell the index of the new pages, and refresh the planner's statistics once the table grew by a quarter."""
    with connect(Role.LOADER) as connection:
        connection.execute("select ops.refresh(%s)", [feed.name])  # the owner's rights, for these two things
