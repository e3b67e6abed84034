"""The tables `raw.<feed>`: made from the catalogue, filled by COPY, never changed after a reading is sealed."""

import io

import polars as pl
from psycopg import sql

from pantau.catalogue import Feed
from pantau.database import Connection, connect
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
            "create or replace trigger append_only before update or delete on {} for each row"
            " execute function ops.refuse_change()"
        ).format(table)
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


def copy(connection: Connection, feed: Feed, reading: int, rows: pl.DataFrame) -> None:
    """COPY accepted rows (source_row and the typed columns) into the feed's table, in the caller's transaction."""
    columns = ["reading_id", *rows.columns]
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier("raw", feed.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    buffer = io.BytesIO()
    rows.select(pl.lit(reading).alias("reading_id"), *rows.columns).write_csv(buffer, include_header=False)
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        stream.write(buffer.getbuffer())


def refresh(feed: Feed) -> None:
    """Tell the index of the new pages, and refresh the planner's statistics once the table grew by a quarter."""
    with connect() as connection:
        connection.execute(
            "select brin_summarize_new_values(to_regclass(%s))", [f'raw."{feed.name}_reading_id"']
        )
        row = connection.execute(
            "select greatest(reltuples, 0) as known, coalesce(n_mod_since_analyze, 0) as changed from pg_class c"
            " left join pg_stat_user_tables s on s.relid = c.oid where c.oid = to_regclass(%s)",
            [f'raw."{feed.name}"'],
        ).fetchone()
        if row and row["changed"] * 4 >= row["known"]:
            connection.execute(sql.SQL("analyze {}").format(sql.Identifier("raw", feed.name)))
