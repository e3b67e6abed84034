"""The processes of the running system: one registry, from which `pantau up` and docker-compose.yml start alike.

Promise: `pantau process NAME` is the only way in which one is started, and `pantau process NAME --check` says
whether it is well. The package still knows no Airflow: it sets the environment and becomes the program.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from pantau import clock, runner
from pantau.database import Role, connect
from pantau.errors import PantauError
from pantau.settings import settings

_PATIENCE_S = 120
_PR_SET_PDEATHSIG = 1  # see prctl(2)


@dataclass(frozen=True)
class Process:
    """One process: the program it becomes, and what is wrong with it ('' where it is well).

    `wrong` is told for how many seconds it has run, so that what an earlier one left is not taken for it.
    """

    what: str
    command: Callable[[], list[str]]
    wrong: Callable[[float], str]
    ends: bool = False  # does its work and ends, before the others begin


def environment() -> dict[str, str]:
    """Airflow's settings for the processes that serve. What the environment gives stands."""
    port = os.environ.get("AIRFLOW__API__PORT") or str(urlsplit(settings.airflow_url).port or 8080)
    ours = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        # Users with names and hashed passwords, for an approval says who gave it.
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__BASE_URL": settings.airflow_url,
        "AIRFLOW__API__HOST": settings.bind,
        "AIRFLOW__API__INSTANCE_NAME": "Pantau",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "300",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",  # a task's log tells of its steps
        "PANTAU_DOCS_URL": settings.docs_url or f"{settings.audit_url}/docs",
    }
    return {**runner.environment(), **{k: os.environ.get(k) or v for k, v in ours.items()}}


def ask_airflow(**questions: dict[str, Any]) -> dict[str, Any]:
    """What Airflow answers of its metadata: see dags/ask_airflow.py. Raises PantauError with the end of its log."""
    return runner.ask(questions, environment())


# ---------------------------------------------------------------- commands


def _airflow(*arguments: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", "airflow", *arguments]


def _simulator() -> list[str]:
    """The simulator of the programme that the demo has begun, else of the whole one; with its registers."""
    from pantau import demo

    demo.refuse_real_data()
    demo.bring_registers()
    state = settings.var / "simulator"
    truth = state / "truth.jsonl"
    known: dict[str, Any] = {"seed": 1, "provinces": []}
    if truth.exists():
        with open(truth, encoding="utf-8") as lines:
            known = json.loads(lines.readline())
    return [
        sys.executable, "-m", "simulator", "--state", str(state),
        "--seed", str(known["seed"]), "--provinces", ",".join(known["provinces"]),
        "--host", settings.bind, "--name", settings.simulator_host,
    ]  # fmt: skip


def _scheduler() -> list[str]:
    """The scheduler; its tasks get the simulator's connections, where it is to pull from that."""
    if settings.simulator:
        follow_simulator()
        from pantau import demo

        for name, uri in demo.connections(endpoints(_PATIENCE_S)).items():
            os.environ.setdefault(name, uri)
    # Its log server would listen on every address; the api-server reads the logs from their folder.
    return [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"]


# ---------------------------------------------------------------- checks


def _http(address: Callable[[], str]) -> Callable[[float], str]:
    def wrong(_: float) -> str:
        try:
            httpx.get(address(), timeout=10).raise_for_status()
        except (httpx.HTTPError, OSError) as error:
            return f"{address()} does not answer: {error}"
        return ""

    return wrong


def _beats(job: str) -> Callable[[float], str]:
    def wrong(running_s: float) -> str:
        age = runner.heartbeat_age_s(job)
        if age is None:
            return f"no {job} has reported to Airflow's database"
        return "" if age <= min(runner.SLOW_S, running_s) else f"its last heartbeat is {age:.0f} s old"

    return wrong


def _simulator_wrong(_: float) -> str:
    try:
        simulator_clock(0)
    except (PantauError, httpx.HTTPError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def _airflow_address() -> str:
    return f"http://127.0.0.1:{environment()['AIRFLOW__API__PORT']}/api/v2/monitor/health"


def _pages_address() -> str:
    return f"http://127.0.0.1:{pages_port()}/health"


def pages_port() -> int:
    """The port of the audit pages."""
    return int(os.environ.get("PANTAU_AUDIT_PORT") or urlsplit(settings.audit_url).port or 8090)


PROCESSES = {
    "init": Process(
        "brings the product's and Airflow's tables up to date, makes the first administrator",
        lambda: [sys.executable, "-m", "pantau.cli", "migrate"],
        lambda _: "",
        ends=True,
    ),
    "simulator": Process("stands in for the ministries (demo)", _simulator, _simulator_wrong),
    "apiserver": Process("Airflow's UI and APIs", _airflow("api-server"), _http(_airflow_address)),
    "scheduler": Process("starts DAG runs and runs their tasks", _scheduler, _beats("SchedulerJob")),
    "dag-processor": Process("reads the DAG files", _airflow("dag-processor"), _beats("DagProcessorJob")),
    "triggerer": Process(
        "waits for events in the stead of tasks",
        _airflow("triggerer", "--skip-serve-logs"),
        _beats("TriggererJob"),
    ),
    "audit-pages": Process(
        "the audit pages and the documentation, as web pages",
        lambda: [sys.executable, "-m", "pantau.pages", settings.bind, str(pages_port())],
        _http(_pages_address),
    ),
}


def named(name: str) -> Process:
    """One process. Raises PantauError with the names where there is none."""
    if name not in PROCESSES:
        raise PantauError(f"There is no process '{name}'.", next_step=f"Known: {', '.join(PROCESSES)}.")
    return PROCESSES[name]


def become(name: str, parent: int = 0) -> None:
    """Replace this process by the program of that name; never returns. With `parent` it ends when that ends."""
    if parent:
        _end_with(parent)
    process = named(name)
    command, variables = process.command(), environment()
    if process.ends and settings.owner_url:
        variables["PANTAU_OWNER_URL"] = settings.owner_url  # the set-up's alone
    os.chdir(settings.root)
    os.execve(command[0], command, variables)  # noqa: S606


def _end_with(parent: int) -> None:
    """Let Linux send SIGTERM when the parent ends, however it ends; elsewhere only an orderly end stops us."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we asked
        raise SystemExit(1)


# ---------------------------------------------------------------- the simulator's place in a running system


def endpoints(patience_s: float) -> dict[str, Any]:
    """What the running simulator says of itself; waits for it."""
    path, until = settings.var / "simulator" / "endpoints.json", time.monotonic() + patience_s
    while True:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        except FileNotFoundError:
            if time.monotonic() >= until:
                raise PantauError(
                    "The simulator does not run.",
                    where={"file": path},
                    next_step="Start it (`pantau process simulator`), or run without it.",
                ) from None
            time.sleep(0.2)


def order_fault(feed: str, period: str, fault: str | None) -> None:
    """Turn a fault of the running simulator on, or with None off. Raises PantauError with what it says to nonsense."""
    at = endpoints(0)
    answer = httpx.post(
        f"{at['http']}/_control/fault", json={"feed": feed, "period": period, "fault": fault},
        headers={"X-Control-Token": at["control_token"]}, timeout=30,
    )  # fmt: skip
    if answer.status_code == 400:
        raise PantauError(answer.json()["error"], next_step="See simulator/README.md.")
    answer.raise_for_status()


def simulator_clock(patience_s: float = _PATIENCE_S) -> datetime:
    """The simulator's present moment. Raises PantauError where it does not run."""
    at = endpoints(patience_s)
    answer = httpx.get(
        f"{at['http']}/_control/state", headers={"X-Control-Token": at["control_token"]}, timeout=30
    )
    return datetime.fromisoformat(answer.raise_for_status().json()["clock"])


def follow_simulator() -> datetime:
    """Let the product's clock stand where the simulator's stands, so that what it delivers is marked simulated.

    Raises:
        PantauError: this database holds real deliveries.
    """
    from pantau import demo

    demo.refuse_real_data()
    with connect(Role.LOADER) as connection:
        if not clock.is_set(connection):
            clock.set_to(connection, simulator_clock())
        return clock.now(connection)
