"""One line per finished step, for people: Airflow's task log shows it, the command line prints it."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("pantau.step")


@dataclass
class Step:
    """A step in the making; the step fills in what came of it."""

    rows: int | None = None
    note: str = ""


@contextmanager
def step(name: str, subject: str) -> Iterator[Step]:
    """Log `name`, `subject`, rows, seconds and note when the block ends without an error."""
    begun, result = time.monotonic(), Step()
    yield result
    rows = "" if result.rows is None else f"{result.rows:,} rows"
    log.info("%-8s %-34s %14s %6.2f s  %s", name, subject, rows, time.monotonic() - begun, result.note)


def tell_failure(context: Mapping[str, Any]) -> None:
    """Log what a failed step says to people (Airflow's `on_failure_callback`)."""
    log.error("%s", context.get("exception"), extra={"exception": context.get("exception")})
