"""The command line. Every command starts the database if it is down and stops what it started.

Exit codes: 0 done; 2 blocked by the gate; 1 anything else.
"""

import os
import signal
import sys
import traceback
from contextlib import suppress

import psycopg
import typer
from rich.console import Console
from rich.text import Text

from pantau.cli import delivery, looking, months, system
from pantau.database import lost
from pantau.errors import BlockedError, PantauError
from pantau.visible import visible_lines

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for each in (months.commands, looking.commands, system.commands):
    app.add_typer(each)
app.add_typer(delivery.commands, name="delivery")

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(number: int, _: object) -> None:
    for each in _STOPS:
        signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not keep us from stopping what we started
    with suppress(OSError):  # the terminal may be gone
        os.write(1, b"\nStopping.\n")  # not through the console: it may be in the middle of a line
    sys.exit(128 + number)


def _complain(text: str, style: str = "") -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(visible_lines(text), style=style))


def main() -> None:
    """Run a command; tell errors to a person. Ctrl-C ends it with 130, and what it has started with it."""
    os.umask(
        0o077
    )  # delivered bytes, logs, keys and reports are for their owner, in all processes that we start
    # What nobody foresaw may have delivered text in it.
    sys.excepthook = lambda *error: _complain("".join(traceback.format_exception(*error)))
    for each in _STOPS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as for `nohup`
            signal.signal(each, _stop)
    try:
        app()
    except PantauError as error:
        _complain(str(error), "red")
        sys.exit(2 if isinstance(error, BlockedError) else 1)
    except psycopg.OperationalError as error:
        if (told := lost(error)) is None:
            raise
        _complain(str(told), "red")
        sys.exit(1)
    except SystemExit as ended:
        sys.exit(
            1 if ended.code == 2 else ended.code
        )  # 2 is the gate's; the library takes it for a wrong option
