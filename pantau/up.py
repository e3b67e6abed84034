"""`pantau up`: every process of the running system on this machine, until Ctrl-C.

Promises: all listen on loopback alone; it ends with all of them stopped, also where one of them dies or this
process is killed; the generated password is shown on a terminal and written nowhere but to its file.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

import httpx
import psycopg

from pantau import catalogue, clock, demo, keys, locks, processes, roles
from pantau.database import Role, airflow_url, connect
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.settings import settings

Tell = Callable[[str], None]
_START_S = 180
# The second SIGTERM tells the scheduler not to wait for running tasks: every step is safe to run again.
_STOPS = ((signal.SIGTERM, 5.0), (signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))
_LINES = 25  # of a dead process's log


def run(tell: Tell, simulated: bool = True) -> None:
    """Start everything, wait until it is well, say where it is, and stay until a signal or a death.

    Raises:
        PantauError: a process died, or did not get well in time; the end of its log is told before.
    """
    with _alone():
        if simulated and (real := real_connections()):
            tell(f"The simulator stays off: {', '.join(real)} lead(s) to a real owner.")
            simulated = False
        if simulated:
            demo.refuse_real_data()
        os.environ["PANTAU_SIMULATOR"] = "true" if simulated else "false"
        _choose_ports(tell)
        with _runners_kept_out(), _System(tell) as system:
            first = ["simulator", "init"] if simulated else ["init"]
            for names in (first, [n for n in processes.PROCESSES if n not in ("simulator", "init")]):
                for name in names:
                    system.start(name)
                system.wait()
            _say_where(tell, simulated)
            system.watch()


def real_connections() -> list[str]:
    """The feeds' connections that people have set, by the environment or in Airflow."""
    wanted = {f.connection_id(part) for f in catalogue.load().values() for part in f.parts} - {""}
    found = {name for name in wanted if os.environ.get(f"AIRFLOW_CONN_{name.upper()}")}
    with (
        suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable),  # no Airflow here yet
        psycopg.connect(airflow_url()) as connection,
    ):
        query = "select conn_id from connection where conn_id = any(%s)"
        found |= {row[0] for row in connection.execute(query, [list(wanted)])}
    return sorted(found)


@contextmanager
def _alone() -> Iterator[None]:
    """One `up` for one folder of state."""
    settings.var.mkdir(parents=True, exist_ok=True)
    with open(settings.var / "up.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PantauError(
                "The system runs already.",
                where={"folder": settings.var},
                next_step="Stop it by Ctrl-C there.",
            ) from None
        yield


@contextmanager
def _runners_kept_out() -> Iterator[None]:
    """No scheduler beside a command that runs DAGs on this database: both would run the same tasks."""
    roles.ensure()
    with connect(Role.AUDITOR) as connection:
        connection.autocommit = True
        if not locks.hold(connection, Lock.RUNNER, wait=False):
            raise PantauError(
                "A command runs DAGs on this database now.",
                next_step="Wait until it is done, then start again.",
            )
        yield


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _choose_ports(tell: Tell) -> None:
    """Take the ports that the settings name, else free ones."""
    port = int(processes.environment()["AIRFLOW__API__PORT"])
    if not _free(port):
        other = _any_port()
        tell(f"Port {port} is taken: Airflow is at {other} this time.")
        os.environ["AIRFLOW__API__PORT"] = str(other)
        os.environ["PANTAU_AIRFLOW_URL"] = settings.airflow_url = f"http://localhost:{other}"
    port = processes.pages_port()
    if not _free(port):
        other = _any_port()
        tell(f"Port {port} is taken: the audit pages are at {other} this time; reports still name {port}.")
        os.environ["PANTAU_AUDIT_PORT"] = str(other)
        os.environ["PANTAU_DOCS_URL"] = f"http://localhost:{other}/docs"


class _System:
    """The processes that were started, each in a group of its own, with a log of its own."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> "_System":
        return self

    def __exit__(self, *_: object) -> None:
        groups = [running[0].pid for running in reversed(self._running.values())]
        for number, patience_s in _STOPS:
            until = time.monotonic() + patience_s
            for group in groups:
                with suppress(ProcessLookupError):
                    os.killpg(group, number)
            while groups and time.monotonic() < until:
                for running in self._running.values():
                    running[0].poll()
                groups = [group for group in groups if _lives(group)]
                time.sleep(0.05)
        for log in self._logs:
            log.close()

    def start(self, name: str) -> None:
        """Start a process of the registry."""
        path = settings.var / "log" / "up" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        log = open(path, "wb")  # noqa: SIM115  # as long as the process
        self._logs.append(log)
        child = subprocess.Popen(
            [sys.executable, "-m", "pantau.cli", "process", name, "--with-parent", str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=settings.root,
        )  # fmt: skip
        self._running[name] = child, time.monotonic()

    def wait(self) -> None:
        """Wait until all that were started are well, or have ended where that is their work."""
        until = time.monotonic() + _START_S
        waiting = list(self._running)
        while waiting:
            self._bury()
            waiting = [n for n in waiting if n in self._running and self._wrong(n)]
            if waiting and time.monotonic() > until:
                self._show(waiting[0])
                raise PantauError(
                    f"{waiting[0]} did not get well in {_START_S} s: {self._wrong(waiting[0])}.",
                    next_step=f"Read the log: {self._log(waiting[0])}.",
                )
            time.sleep(0.2)

    def watch(self) -> None:
        """Stay while all live. Raises PantauError where one dies."""
        while True:
            self._bury()
            time.sleep(0.5)

    def _wrong(self, name: str) -> str:
        process, (child, begun) = processes.named(name), self._running[name]
        if process.ends:
            return "" if child.poll() == 0 else "it has not ended yet"
        return process.wrong(time.monotonic() - begun)

    def _bury(self) -> None:
        for name, (child, _) in list(self._running.items()):
            code = child.poll()
            if code is None:
                continue
            if processes.named(name).ends and code == 0:
                del self._running[name]
                continue
            self._show(name)
            raise PantauError(
                f"{name} ended by itself, with code {code}; everything else is stopped.",
                next_step=f"Mend what its log says ({self._log(name)}), then start again.",
            )

    def _log(self, name: str) -> str:
        return str(settings.var / "log" / "up" / f"{name}.log")

    def _show(self, name: str) -> None:
        with open(self._log(name), errors="replace") as log:
            lines = log.read().splitlines()[-_LINES:]
        self._tell(f"\nThe end of the log of {name}:")
        for line in lines:
            self._tell(f"  {line}")


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _say_where(tell: Tell, simulated: bool) -> None:
    environment = processes.environment()
    airflow, pages = environment["AIRFLOW__API__PORT"], processes.pages_port()
    tell(f"\nAirflow      http://localhost:{airflow}   user {keys.ADMIN}, {_password(int(airflow))}")
    tell(f"Audit pages  http://localhost:{pages}")
    tell(f"Runbooks     {environment['PANTAU_DOCS_URL']}/runbooks/feed.md")
    tell(f"Logs         {settings.var / 'log' / 'up'}")
    with connect(Role.AUDITOR) as connection:
        if clock.is_set(connection):
            now = f"{clock.now(connection):%Y-%m-%d %H:%M}"
            tell(
                f"Clock        stands at {now}"
                + ("; the simulator delivers what had come by then" if simulated else "")
                + ": what arrives is marked simulated"
            )
    tell("DAGs are paused until you unpause them in Airflow. Ctrl-C stops everything.")


def _password(port: int) -> str:
    """How to log in: the generated password on a terminal, else where it stands; or that it is another now."""
    login = {"username": keys.ADMIN, "password": keys.admin_password()}
    if httpx.post(f"http://127.0.0.1:{port}/auth/token", json=login, timeout=30).status_code == 401:
        return "with the password that was set in Airflow"
    if sys.stdout.isatty():
        return f"password {login['password']}"
    return f"password in {keys.admin_password_file()}"
