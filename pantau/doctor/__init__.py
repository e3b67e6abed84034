"""`pantau doctor`: looks at everything a close needs, pulls and changes nothing, and says what to do next.

Promises: no secret is printed; each check stands by itself, so that one trouble does not hide another.
"""

from collections.abc import Callable, Iterator

import psycopg

from pantau import server
from pantau.database import exists, is_there
from pantau.doctor import airflow, database, machine
from pantau.doctor.finding import Finding
from pantau.errors import PantauError
from pantau.settings import settings


def examine() -> Iterator[Finding]:
    """Every check, in the order in which their subjects are needed."""
    alone: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("Python", machine.python), ("libraries", machine.libraries), ("fonts", machine.fonts),
        ("folders", machine.folders), ("secrets", machine.secrets), ("catalogue", machine.feeds),
        ("inbox", machine.brought),
    ]  # fmt: skip
    with_database: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("database", database.server), ("versions", database.versions), ("clock", database.product_clock),
        ("leftovers", database.leftovers), ("Airflow", airflow.dags_and_connections), ("processes", airflow.running),
    ]  # fmt: skip
    for name, check in alone:
        yield from _told(name, check)
    unmade = Finding("database", "attention", "not set up yet", "`pantau migrate`, or `make demo`.")
    if not server.is_there():
        yield unmade
        return
    try:
        with server.running():
            if not is_there():
                yield unmade
                return
            exists(settings.database_url)  # or one problem, and not one for each check
            for name, check in with_database:
                yield from _told(name, check)
    except (PantauError, psycopg.Error) as error:
        yield _problem("database", error)


def _told(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check's findings; where it cannot be done, that is a problem too."""
    try:
        yield from check()
    except (PantauError, psycopg.Error, OSError) as error:
        yield _problem(name, error)


def _problem(name: str, error: Exception) -> Finding:
    if isinstance(error, PantauError):
        return Finding(name, "problem", error.what, error.next_step)
    return Finding(
        name, "problem", str(error).strip().splitlines()[0], "Read the message; then run this again."
    )
