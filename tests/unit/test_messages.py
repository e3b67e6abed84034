"""What a person is told when something ends that nobody foresaw."""

import os
import runpy
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pantau.errors import BlockedError, PantauError
from pantau.settings import settings

STOPPED = """
import signal
from pantau import cli
def in_the_middle_of_a_line(*_):
    raise AssertionError("a buffered stream cannot be entered twice")
cli.console.console.print = in_the_middle_of_a_line
cli.app = lambda: signal.raise_signal(signal.SIGINT)
cli.main()
"""


def _told(error: Exception) -> dict[str, Any]:
    """What the runner of DAGs answers where a step ends with this error."""
    runner = runpy.run_path(str(settings.dags / "run_dags.py"), run_name="run_dags")
    told = runner["Told"]()

    def fails(**_: object) -> SimpleNamespace:
        told.failures.append(error)
        return SimpleNamespace(state="failed", get_task_instances=list)

    answer: dict[str, Any] = runner["run"](SimpleNamespace(dag_id="close_month", test=fails), {}, told)
    return answer


def test_an_unforeseen_error_says_where_it_was_what_it_is_and_what_to_do() -> None:
    (message,) = _told(KeyError(5))["failures"]
    for part in ("close_month", "KeyError: 5", "airflow.log", "run the same command again"):
        assert part in message


@pytest.mark.parametrize("error", [PantauError("A step's own words."), BlockedError("The gate's own words.")])
def test_an_error_of_ours_is_told_in_its_own_words(error: PantauError) -> None:
    answer = _told(error)
    assert answer["failures"] == [str(error)]
    assert answer["blocked"] == isinstance(error, BlockedError)


def test_ctrl_c_in_the_middle_of_a_line_ends_with_130_and_no_traceback() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STOPPED], capture_output=True, text=True, check=False, cwd=settings.root,
        env={**os.environ, "PYTHONPATH": str(settings.root)}, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "\nStopping.\n", "")
