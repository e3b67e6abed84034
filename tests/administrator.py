"""An administrator's connection, for what tests prepare and look at: no role binds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.rows import dict_row

from pantau.database import Connection, Role, _url


@contextmanager
def connect(options: str = "", **keywords: Any) -> Iterator[Connection]:
    """A connection of the server's administrator in one transaction, which the witness is told of."""
    with Connection.connect(
        _url(Role.OWNER), row_factory=dict_row, options=options, **keywords
    ) as connection:
        yield connection
