"""The running of DAG files from the command line: a child process beside the DAGs, asked over pipes.

The package itself knows no Airflow; this module only sets the child's environment and speaks JSON with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg

from pantau import keys
from pantau.database import airflow_url
from pantau.errors import BlockedError, PantauError
from pantau.settings import settings

_KEPT_FROM_CHILDREN = {"PYTHONDONTWRITEBYTECODE", "PANTAU_OWNER_URL"}  # the second is the set-up's alone
SLOW_S = 30  # a heartbeat older than this is none; Airflow's own limit


def environment() -> dict[str, str]:
    """Airflow's settings for one process on this machine: its own database, its files under var/."""
    url = airflow_url("psycopg")
    home = settings.var / "airflow"
    scratch = settings.var / "tmp"
    for folder in (home, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    quiet = {
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.var / "log" / "airflow"),
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "10",  # a person waits
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "TMPDIR": str(scratch),
        "GX_ANALYTICS_ENABLED": "False",
        "DO_NOT_TRACK": "1",
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random"),
    }
    return {
        **keys.airflow(),
        **quiet,
        **{k: v for k, v in os.environ.items() if k not in _KEPT_FROM_CHILDREN},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url,
        "PYTHONPATH": os.pathsep.join([str(settings.root), os.environ.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        ),
    }


def heartbeat_age_s(job: str) -> float | None:
    """Seconds since the last sign of life of the newest running job of that type; None where there is none."""
    try:
        with psycopg.connect(airflow_url()) as connection:
            row = connection.execute(
                "select extract(epoch from now() - latest_heartbeat) from job where job_type = %s"
                " and state = 'running' order by latest_heartbeat desc limit 1",
                [job],
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return None
    return float(row[0]) if row else None


def scheduler_runs() -> bool:
    """Whether a scheduler serves this database: then DAGs are its business alone."""
    age = heartbeat_age_s("SchedulerJob")
    return age is not None and age <= SLOW_S


def ask(questions: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """Answers of dags/ask_airflow.py, in a process with these variables.

    Raises:
        PantauError: Airflow could not answer; with the last line that it said.
    """
    ran = subprocess.run(
        [sys.executable, str(settings.dags / "ask_airflow.py")],
        input=json.dumps(questions), text=True, capture_output=True, check=False, env=variables, cwd=settings.root,
    )  # fmt: skip
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or [f"code {ran.returncode}"])[-1]
        raise PantauError(
            f"Airflow could not be asked: {said[:400]}",
            next_step="Compare DATABASE_URL and the AIRFLOW__… variables with docs/reference/cli.md.",
        )
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


class Runner:
    """A child that runs DAGs one after the other. Use as a context manager.

    It is not ready at once: other work can be done meanwhile, and `run` waits.
    """

    def __init__(self, tell: Callable[[str], None], **variables: str) -> None:
        self._tell, self._variables = tell, variables
        self._ready = False

    def __enter__(self) -> "Runner":
        if scheduler_runs():
            raise PantauError(
                "A scheduler runs the DAGs of this database; two at once would run the same tasks.",
                next_step=f"Trigger the DAG in Airflow ({settings.airflow_url}), or stop the scheduler first.",
            )
        log = settings.var / "log" / "airflow.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = open(log, "ab")
        self._child = subprocess.Popen(
            [sys.executable, str(settings.dags / "run_dags.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**environment(), **self._variables},
            cwd=settings.root,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._child.stdin is not None
        if kind and not issubclass(kind, Exception):
            self._child.kill()  # a person wants to stop now; what is cut off is taken up again
        self._child.stdin.close()
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._log.close()

    def wait(self) -> None:
        """Wait until it can run DAGs. Raises PantauError where it ended instead."""
        if not self._ready:
            self._answer()
            self._ready = True

    def run(self, dag: str, **conf: Any) -> None:
        """Run one DAG to its end.

        Raises:
            BlockedError: the gate refused a release.
            PantauError: a step failed; the message is the step's own.
        """
        assert self._child.stdin is not None
        self.wait()
        if dag == "close_month":
            conf = {"ask": False, **conf}  # who runs it here is asked here
        self._child.stdin.write(json.dumps({"dag": dag, "conf": conf}) + "\n")
        self._child.stdin.flush()
        answer = self._answer()
        if answer["failures"] or answer["state"] != "success":
            told = (
                "\n".join(answer["failures"]) or f"{dag} ended as {answer['state']}; see var/log/airflow.log."
            )
            raise (BlockedError if answer["blocked"] else PantauError)(told)

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            answer = json.loads(line)
            if "line" not in answer:
                return answer
            self._tell(answer["line"])
        code = self._child.wait()
        tail = (settings.var / "log" / "airflow.log").read_text(errors="replace").strip().splitlines()[-3:]
        raise PantauError(
            f"The process that runs the DAGs ended with code {code}: {' / '.join(tail)[-400:]}",
            next_step="Read the end of var/log/airflow.log; run the same command again.",
        )
