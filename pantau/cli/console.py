"""What every command shares: the console, its tables, and the database that it needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pantau import periods, server
from pantau.errors import NotSetUpError
from pantau.settings import settings
from pantau.visible import visible, visible_lines

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 140  # a log has no width; tables in it are not to be squeezed into 80 columns

By = Annotated[str, typer.Option(help="Who decides.")]
Most = Annotated[int, typer.Option(min=1, help="Show no more than so many.")]
Why = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


@contextmanager
def ready() -> Iterator[None]:
    """A database with the product's tables, started if it is down and stopped again."""
    from pantau import setup  # what it stands on takes a second to load, and a health check needs none of it

    with server.running():
        setup.prepare()
        yield


@contextmanager
def looking() -> Iterator[None]:
    """The database as it is, started if it is down and stopped again: nothing is made or brought up to date."""
    from pantau import setup

    with existing():
        setup.require()
        yield


@contextmanager
def existing() -> Iterator[None]:
    """A database that has been made before, whatever is in it."""
    from pantau import setup

    if not server.is_there():
        raise NotSetUpError(
            "There is no database yet.", where={"folder": settings.var / "postgres"}, next_step=setup.BEGIN
        )
    with server.running():
        yield


def tell(line: str) -> None:
    """Print a line, and let nothing in it command the terminal or the console."""
    console.print(Text(visible_lines(line)))


def head(line: str) -> None:
    """Print a line as the head of what follows."""
    console.rule(Text(visible(line)), align="left")


def table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print a table; a column whose name begins with > is set flush right."""
    shown = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in columns:
        shown.add_column(
            name.lstrip(">"), justify="right" if name.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        shown.add_row(*(Text("" if cell is None else visible(cell)) for cell in row))
    console.print(shown)


def span(text: str) -> tuple[str, str]:
    """First and last month of `2026-10` or `2025-01..2026-07`. Raises PantauError where it is no such span."""
    first, _, last = text.partition("..")
    periods.check_span(first, last or first)
    return first, last or first
