"""The processes of the running system: how one is started, found well, refused, and ended with its parent."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from pantau import clock, locks, processes, server, up
from pantau.demo import Simulator
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.runner import Runner
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G
from tests.integration.standin import at, deliver
from tests.integration.test_doctor import pantau

PARENT = """
import os, subprocess, sys
pantau = [sys.executable, "-m", "pantau.cli"]
child = subprocess.Popen([*pantau, "process", "audit-pages", "--with-parent", str(os.getpid())])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def busy() -> socket.socket:
    """A port that somebody has."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def test_a_process_ends_with_its_parent_however_that_ends(database: str, busy: socket.socket) -> None:
    port = busy.getsockname()[1]
    busy.close()
    variables = {f"PANTAU_{name.upper()}": str(getattr(settings, name)) for name in ("var", "inbox", "out")}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], env={**os.environ, **variables, "PANTAU_AUDIT_PORT": str(port)},
        stdout=subprocess.PIPE, text=True, cwd=settings.root,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        end = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/health").text == "well\n"
                break
            except httpx.ConnectError:
                assert time.monotonic() < end
                time.sleep(0.1)
        assert pantau("process", "audit-pages", "--check", PANTAU_AUDIT_PORT=str(port)).returncode == 0
        parent.kill()
    while Path(f"/proc/{child}").exists():
        if Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break  # nobody reaps it here
        assert time.monotonic() < end
        time.sleep(0.1)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")


def test_what_is_not_well_says_why(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:  # a port at which nobody listens
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setattr(settings, "audit_url", f"http://localhost:{probe.getsockname()[1]}")
    for name, told in (("scheduler", "no SchedulerJob has reported"), ("simulator", "does not run")):
        assert told in processes.named(name).wrong(float("inf"))
    assert "does not answer" in processes.named("audit-pages").wrong(1)
    ended = pantau("process", "nonsense")
    assert ended.returncode == 1
    assert "apiserver" in ended.stderr


def test_a_database_in_use_is_not_stopped(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "var", tmp_path)
    with open(tmp_path / "postgres.users", "w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # as every command that uses it
        with pytest.raises(PantauError, match="in use"):
            server.stop_unused()
    server.stop_unused()  # nobody does, and none runs: nothing to do


def test_one_system_for_one_folder(database: str) -> None:
    with (
        up._alone(),
        pytest.raises(PantauError, match="runs already"),
        up._alone(),
    ):
        raise AssertionError("two systems at once")


def test_it_is_not_started_beside_a_command_that_runs_dags(database: str) -> None:
    with connect() as connection:
        locks.hold(connection, Lock.RUNNER, wait=True)
        with pytest.raises(PantauError, match="runs DAGs on this database"), up._runners_kept_out():
            raise AssertionError("beside a runner")


def test_ports_that_are_taken_are_replaced_and_told(
    database: str, busy: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, told = busy.getsockname()[1], []
    monkeypatch.setattr(settings, "airflow_url", f"http://localhost:{port}")
    monkeypatch.setattr(settings, "audit_url", f"http://localhost:{port}")
    for variable in ("AIRFLOW__API__PORT", "PANTAU_AIRFLOW_URL", "PANTAU_AUDIT_PORT", "PANTAU_DOCS_URL"):
        monkeypatch.setenv(variable, "")
    up._choose_ports(told.append)
    assert len(told) == 2
    assert int(processes.environment()["AIRFLOW__API__PORT"]) != port
    assert processes.environment()["AIRFLOW__API__BASE_URL"] == settings.airflow_url
    assert processes.pages_port() != port
    assert settings.audit_url == f"http://localhost:{port}"  # frozen into reports: it stays
    busy.close()


def test_the_simulator_stays_off_where_a_real_owner_is_connected(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert up.real_connections() == []
    monkeypatch.setenv("AIRFLOW_CONN_KOMDIGI_CKAN", "https://portal.example")
    assert up.real_connections() == ["komdigi_ckan"]


def test_the_clock_follows_the_simulator_but_never_over_real_deliveries(
    database: str, simulator: Simulator
) -> None:
    simulator.control("clock", now="2026-08-21T09:00:00+07:00")
    folder = settings.var
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "simulator").symlink_to(simulator._state)
    deliver(DESA_4G, "2026-06")
    with pytest.raises(PantauError, match="holds real deliveries"):
        processes.follow_simulator()
    with connect() as connection:
        assert not clock.is_set(connection)
        connection.execute("alter table ops.delivery disable trigger all")
        connection.execute("update ops.delivery set simulated = true")
    assert f"{processes.follow_simulator():%Y-%m-%d}" == "2026-08-21"
    at("2026-08-25")  # a clock that was set stays where it is
    assert f"{processes.follow_simulator():%Y-%m-%d}" == "2026-08-25"


def test_a_fault_is_ordered_and_nonsense_is_refused(database: str, simulator: Simulator) -> None:
    settings.var.mkdir(parents=True, exist_ok=True)
    (settings.var / "simulator").symlink_to(simulator._state)
    processes.order_fault(DESA_4G, "2026-07", "broken_header")
    processes.order_fault(DESA_4G, "2026-07", None)
    with pytest.raises(PantauError, match="There is no fault 'imagination'"):
        processes.order_fault(DESA_4G, "2026-07", "imagination")


def test_a_runner_that_cannot_start_says_so_at_the_first_run(database: str) -> None:
    with (
        Runner(print, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="nonsense://") as runner,
        pytest.raises(PantauError, match=r"ended with code 1: .*nonsense") as caught,
    ):
        runner.run("watch_lateness")
    assert "var/log/airflow.log" in str(caught.value)
