"""One line per finished step, for people: Airflow's task log shows it, the command line prints it."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pantau import errors
from pantau.settings import settings
from pantau.visible import visible, visible_lines

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
    told = f"{name:8} {subject:34} {rows:>14} {time.monotonic() - begun:6.2f} s  {result.note}"
    log.info("%s", visible(told))


def runbook(path: str) -> str:
    """Where people read a runbook: its address if the documentation is served, else its path in the checkout."""
    return f"{settings.docs_url.rstrip('/')}/{path.removeprefix('docs/')}" if settings.docs_url else path


def lead_to(context: Mapping[str, Any], written: str) -> None:
    """Let the errors of this task name their runbook (Airflow's `on_execute_callback`).

    Args:
        written: its path, such as `docs/runbooks/feed.md`.
    """
    errors.lead_to(runbook(written))


def tell_failure(context: Mapping[str, Any]) -> None:
    """Log what a failed step says to people (Airflow's `on_failure_callback`)."""
    # Ends the group of lines that Airflow's page folds away, so that the address below can be clicked at once.
    logging.getLogger("pantau.group").error("::endgroup::")
    failed = context.get("exception")
    log.error("%s", visible_lines(failed), extra={"exception": failed})
