"""`pantau up` as people meet it: a real browser, a real scheduler, approval, and an end that leaves nothing.

One system for all tests of this file, over a programme of two provinces; they go on from each other, in order.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from psycopg.rows import dict_row

from pantau import catalogue, roles
from pantau.demo import Simulator
from pantau.runner import Runner
from pantau.settings import settings
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, Stage, bring_registers

PERIOD = "2026-08"
PATIENCE_S = 600
FEED = f"feed__{DESA_3T}"


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], Any], told: str) -> Any:
    """What `what` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE_S
    while not (got := what()):
        assert time.monotonic() < end, told
        time.sleep(0.3)
    return got


@dataclass
class System:
    """The running system, and ways to ask it."""

    url: str
    folder: Path
    airflow: str
    pages: str
    process: subprocess.Popen[bytes]
    release_hash: str  # of the same data, closed by the command line
    api: httpx.Client = field(init=False)

    @property
    def told(self) -> str:
        """What it has printed."""
        return (self.folder / "told").read_text()

    @property
    def password(self) -> str:
        """The generated password."""
        return (self.folder / "var" / "airflow" / "admin.password").read_text().strip()

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the warehouse."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def ledger(self, *kinds: str) -> list[dict[str, Any]]:
        """What the ledger keeps of these kinds."""
        rows = self.rows("select what from ops.ledger where kind = any(%s) order by no", list(kinds))
        return [row["what"] for row in rows]

    def candidates(self) -> list[str]:
        """The release hashes of the candidates that stand."""
        rows = self.rows("select release_hash from ops.release where not superseded")
        return [row["release_hash"] for row in rows]

    def fault(self, feed: str, period: str, fault: str | None) -> None:
        """Turn a fault of the simulator on or off."""
        at = json.loads((self.folder / "var" / "simulator" / "endpoints.json").read_text())
        order = {"feed": feed, "period": period, "fault": fault}
        httpx.post(
            f"{at['http']}/_control/fault", json=order, headers={"X-Control-Token": at["control_token"]}
        ).raise_for_status()

    def get(self, path: str) -> dict[str, Any]:
        """An answer of Airflow's API."""
        answer: dict[str, Any] = self.api.get(f"/api/v2/{path}").raise_for_status().json()
        return answer

    def trigger(self, dag: str, run: str | None = None, **conf: Any) -> str:
        """Start a run by the API; its id."""
        body = {"logical_date": None, "conf": conf, **({"dag_run_id": run} if run else {})}
        answer = self.api.post(f"/api/v2/dags/{dag}/dagRuns", json=body).raise_for_status().json()
        return str(answer["dag_run_id"])

    def ended(self, dag: str, run: str) -> str:
        """How a run ends."""

        def state() -> str:
            found = self.get(f"dags/{dag}/dagRuns/{run}")["state"]
            return found if found in ("success", "failed") else ""

        return str(until(state, f"{dag} {run} does not end"))

    def asked(self, period: str) -> str:
        """The run of approve_release that waits for an answer about a period."""

        def waiting() -> str:
            for detail in self.get("dags/approve_release/dagRuns/~/hitlDetails?response_received=false")[
                "hitl_details"
            ]:
                task = detail["task_instance"]
                run = str(task["dag_run_id"])
                if run.startswith(period) and self.waits(run):
                    return run
            return ""

        return str(until(waiting, f"nobody is asked about {period}"))

    def waits(self, run: str) -> bool:
        """Whether a run of approve_release waits for an answer, and the scheduler has noticed: Airflow loses an
        answer that comes before."""
        task = self.get(f"dags/approve_release/dagRuns/{run}/taskInstances/ask")
        key = f"dag_id='approve_release', task_id='ask', run_id='{run}', try_number={task['try_number']}, "
        told = (self.folder / "var" / "log" / "up" / "scheduler.log").read_text()
        return task["state"] == "awaiting_input" and f"task instance TaskInstanceKey({key}" in told

    def answer(self, run: str, option: str, why: str | None = None) -> int:
        """Answer by the API; the status."""
        path = f"/api/v2/dags/approve_release/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"
        body = {"chosen_options": [option], "params_input": {"why": why}}
        return self.api.patch(path, json=body).status_code

    def failures(self, dag: str, run: str) -> dict[str, str]:
        """The logs of a run's failed tasks."""
        tasks = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {t["task_id"]: self.log(dag, run, t["task_id"]) for t in tasks if t["state"] == "failed"}

    def log(self, dag: str, run: str, task: str) -> str:
        """The log of a task's last try."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        lines = self.get(f"{path}/logs/{self.get(path)['try_number']}")["content"]
        return json.dumps(lines, ensure_ascii=False)


@pytest.fixture(scope="module")
def system(postgres: str, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two months delivered, the second closed by the command line in a copy; then `pantau up` on the original."""
    folder = tmp_path_factory.mktemp("up")
    server = postgres.rsplit("/", 1)[0]
    name = f"up_{os.getpid()}"
    url, copy = f"{server}/{name}", f"{server}/{name}_copy"
    folders = {each: folder / each for each in ("var", "inbox", "out")}
    with pytest.MonkeyPatch.context() as patch, psycopg.connect(postgres, autocommit=True) as admin:
        for each, path in folders.items():
            patch.setattr(settings, each, path)
            patch.setenv(f"PANTAU_{each.upper()}", str(path))
        admin.execute(f"create database {name} template pantau owner pantau_owner")
        _use(patch, url)
        stage = Stage(simulator)
        stage.at("2026-09-16")
        bring_registers()
        stage.deliver(DESA_3T, "2026-01")
        for period in ("2026-07", PERIOD):
            stage.deliver(DESA_4G, period)
        for month in range(1, 9):
            stage.deliver(ANGGARAN, f"2026-{month:02d}")
        admin.execute(f"create database {name}_copy template {name} owner pantau_owner")
        release_hash = _closed_by_command(patch, copy)
        shutil.copytree(
            simulator._state, folders["var"] / "simulator", dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("endpoints.json", "lock", "ports.json"),
        )  # fmt: skip
        _use(patch, url)
        ports = free_port(), free_port()
        patch.setenv("PANTAU_AIRFLOW_URL", f"http://localhost:{ports[0]}")
        patch.setenv("PANTAU_AUDIT_URL", f"http://localhost:{ports[1]}")
        patch.setenv("AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE", "False")  # only what a test asks for
        patch.setenv("AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "0.2")
        with open(folder / "told", "wb") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "pantau.cli", "up"], stdout=told, stderr=told, cwd=settings.root
            )
        made = System(url, folder, *(f"http://localhost:{port}" for port in ports), process, release_hash)
        try:
            until(lambda: "Ctrl-C" in made.told or process.poll() is not None, "it does not get up")
            assert process.poll() is None, made.told
            with httpx.Client(base_url=made.airflow, timeout=60) as made.api:
                login = {"username": "admin", "password": made.password}
                token = made.api.post("/auth/token", json=login).raise_for_status().json()["access_token"]
                made.api.headers["Authorization"] = f"Bearer {token}"
                yield made
        finally:
            process.terminate()
            process.wait(60)
            for each in (name, f"{name}_airflow", f"{name}_copy", f"{name}_copy_airflow"):
                admin.execute(f"drop database if exists {each} with (force)")


def _use(patch: pytest.MonkeyPatch, url: str) -> None:
    login = settings.database_url.rsplit("/", 1)[0] + "/" + url.rsplit("/", 1)[1]
    patch.setattr(settings, "database_url", login)
    patch.setattr(settings, "owner_url", url)
    patch.setenv("DATABASE_URL", login)
    patch.setenv("PANTAU_OWNER_URL", url)


def _closed_by_command(patch: pytest.MonkeyPatch, copy: str) -> str:
    """The release hash that the command line's way comes to, in a database of its own."""
    _use(patch, copy)
    roles.ensure()
    own = (
        settings.var.parent / "copy"
    )  # its ledger goes on otherwise from here: a witness and reports of its own
    with Runner(print, PANTAU_WITNESS=str(own / "witness"), PANTAU_OUT=str(own / "out")) as runner:
        runner.run("close_month", period=PERIOD)
    with psycopg.connect(copy, row_factory=dict_row) as connection:
        (row,) = connection.execute("select release_hash from ops.release where not superseded")
        return str(row["release_hash"])


@pytest.fixture(scope="module")
def page(system: System) -> Iterator[Page]:
    """A browser that has logged in with the generated password."""
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(60_000)
        opened.goto(system.airflow)
        opened.fill("input[name=username]", "admin")
        opened.fill("input[name=password]", system.password)
        opened.keyboard.press("Enter")
        opened.wait_for_url(f"{system.airflow}/")
        yield opened
        browser.close()


def test_it_says_where_it_is_and_keeps_its_secrets(system: System) -> None:
    for text in (system.airflow, system.pages, "admin.password", "stands at 2026-09-16", "simulated"):
        assert text in system.told, system.told
    keys = json.loads((system.folder / "var" / "airflow" / "keys.json").read_text())
    logs = [path.read_text(errors="replace") for path in (system.folder / "var" / "log").rglob("*.log")]
    assert logs
    for secret in (system.password, *keys.values()):
        assert secret not in system.told
        assert not [log for log in logs if secret in log]


def test_all_listen_on_loopback_alone(system: System) -> None:
    ours = _descendants(system.process.pid)
    listening = _listening(ours)
    assert len(listening) >= 3  # api-server, simulator (twice), audit pages
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_the_pages_and_runbooks_are_served(system: System) -> None:
    assert httpx.get(system.pages).status_code == 200
    assert "When a feed fails" in httpx.get(f"{system.pages}/docs/runbooks/feed.md").text


def test_a_command_that_would_run_dags_beside_the_scheduler_is_refused(system: System) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pantau.cli", "pull"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "A scheduler runs the DAGs of this database" in ended.stderr


def test_in_the_browser_every_dag_stands_with_docs_owner_and_tags(system: System, page: Page) -> None:
    expected = {
        "approve_release",
        "close_month",
        "verify_records",
        "watch_lateness",
        *(f"feed__{name}" for name in catalogue.load()),
    }
    page.goto(f"{system.airflow}/dags?limit=100")
    for name in expected:
        page.get_by_role("link", name=name, exact=True).first.wait_for()
    for name, tag, doc in (
        (f"feed__{ANGGARAN}", "kemenkeu", catalogue.feed(ANGGARAN).title.en),
        ("close_month", "close", "Close a month"),
    ):
        page.goto(f"{system.airflow}/dags/{name}")
        page.get_by_role("link", name="data-engineering").first.wait_for()
        page.get_by_role("link", name=tag, exact=True).first.wait_for()
        page.get_by_role("button", name="Dag Docs").click()
        shown = page.get_by_role("dialog")
        shown.get_by_role("heading", name=doc).wait_for()
        assert shown.get_by_role("link").get_attribute("href", timeout=5000).startswith(system.pages)


def test_closed_from_the_browser_it_comes_to_the_hash_of_the_command_line(system: System, page: Page) -> None:
    page.goto(f"{system.airflow}/dags/close_month")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.locator("[name=element_period]").fill(PERIOD)
    form.get_by_role("button", name="Trigger", exact=True).click()
    form.wait_for(state="hidden")
    (run,) = until(lambda: system.get("dags/close_month/dagRuns")["dag_runs"], "no run has begun")
    assert system.ended("close_month", run["dag_run_id"]) == "success"
    assert system.candidates() == [system.release_hash]


def test_a_failed_feed_says_what_broke_and_links_its_runbook(system: System, page: Page) -> None:
    system.fault(DESA_3T, "2026-01", "broken_header")
    system.api.patch(f"/api/v2/dags/{FEED}", json={"is_paused": False}).raise_for_status()
    run = system.trigger(FEED)
    assert system.ended(FEED, run) == "failed"
    tasks = system.get(f"dags/{FEED}/dagRuns/{run}/taskInstances")["task_instances"]
    (failed,) = [task for task in tasks if task["state"] == "failed"]
    page.goto(
        f"{system.airflow}/dags/{FEED}/runs/{run}/tasks/{failed['task_id']}/mapped/{failed['map_index']}"
    )
    for text in ("The header is not the one agreed", "period 2026-01", "next:"):
        page.get_by_text(text).first.wait_for()
    link = page.get_by_role("link", name=f"{system.pages}/docs/runbooks/feed.md")
    assert "The header is not the one agreed" in httpx.get(str(link.first.get_attribute("href"))).text


def test_an_approval_after_the_data_has_changed_is_refused(system: System) -> None:
    run = system.asked(PERIOD)
    assert system.answer(run, "Approve") == 200
    assert system.ended("approve_release", run) == "failed"
    assert f"Newer data came since the candidate was made: {DESA_3T} {PERIOD}" in system.log(
        "approve_release", run, "answer"
    )
    assert system.ledger("approval", "publication") == []


def test_mended_and_closed_through_the_api_it_comes_to_the_same_hash_and_asks_anew(system: System) -> None:
    (before,) = system.rows("select id from ops.release")
    system.fault(DESA_3T, "2026-01", None)
    assert system.ended(FEED, system.trigger(FEED)) == "success"
    assert system.ended("close_month", system.trigger("close_month", period=PERIOD)) == "success"
    assert system.candidates() == [system.release_hash]
    assert not system.asked(PERIOD).endswith(f"_{before['id']}")


def test_refused_in_the_browser_it_is_kept_and_a_cleared_run_asks_again(system: System, page: Page) -> None:
    run = system.asked(PERIOD)
    page.goto(f"{system.airflow}/dags/approve_release/runs/{run}/tasks/ask/required_actions")
    for text in (f"Publish {PERIOD} v1? (simulated data)", "Villages covered by 4G", system.release_hash):
        page.get_by_text(text).first.wait_for()
    report = page.get_by_role("link", name=f"{PERIOD}/v1/nasional.id.pdf")
    assert httpx.get(str(report.get_attribute("href"))).content.startswith(b"%PDF")
    audit = page.get_by_role("link", name="audit pages")
    assert PERIOD in httpx.get(str(audit.get_attribute("href"))).raise_for_status().text
    assert page.get_by_role("button", name="Approve", exact=True).is_enabled()  # no reason has to be given
    page.locator("[name=element_why]").fill("belum yakin")
    page.get_by_role("button", name="Refuse", exact=True).click()
    assert system.ended("approve_release", run) == "success"
    (refused,) = system.ledger("approval_refused")
    assert (refused["refused_by"], refused["why"]) == ("admin", "belum yakin")
    assert refused["release_hash"] == system.release_hash
    again = {"dry_run": False, "dag_run_id": run, "only_failed": False, "reset_dag_runs": True}
    system.api.post("/api/v2/dags/approve_release/clearTaskInstances", json=again).raise_for_status()
    assert system.asked(PERIOD) == run
    assert system.ledger("approval", "publication") == []


def test_of_approvals_at_the_same_time_one_wins_and_is_published(system: System) -> None:
    first = system.asked(PERIOD)
    conf = system.get(f"dags/approve_release/dagRuns/{first}")["conf"]
    second = system.trigger("approve_release", run=f"{PERIOD}_again", **conf)
    until(lambda: system.waits(second), "the second run does not ask")
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda run: system.answer(run, "Approve"), [first, second, first, second]))
    assert set(statuses) <= {200, 409}
    for run in (first, second):
        assert system.ended("approve_release", run) == "success", system.failures("approve_release", run)
    (approval,) = system.ledger("approval")
    assert (approval["approver"], approval["release_hash"]) == ("admin", system.release_hash)
    assert approval["answered_at"].startswith("20")
    assert approval["asked_in"] in (f"approve_release {first}", f"approve_release {second}")
    (pointer,) = system.rows(
        "select p.period, r.release_hash, r.page_hash from ops.published p join ops.release r on r.id = p.release_id"
    )
    assert pointer == {
        "period": PERIOD, "release_hash": approval["release_hash"], "page_hash": approval["page_hash"],
    }  # fmt: skip
    assert len(system.ledger("publication")) == 1


def test_where_one_process_dies_all_are_stopped_and_it_is_told(system: System) -> None:
    """The last test of this file: it ends the system."""
    ours = _descendants(system.process.pid)
    triggerer = next(pid for pid in ours if "triggerer" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(triggerer, signal.SIGKILL)
    assert system.process.wait(60) == 1
    assert "triggerer ended by itself, with code -9" in system.told
    assert "The end of the log of triggerer:" in system.told
    until(lambda: not [pid for pid in ours if _lives(pid)], f"some of {ours} live on")
    with pytest.raises(httpx.ConnectError):
        httpx.get(system.airflow)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _descendants(pid: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parent = int((each / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except FileNotFoundError:
                continue
            parents.setdefault(parent, []).append(int(each.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def _listening(pids: list[int]) -> set[tuple[str, int]]:
    """The TCP addresses on which these processes listen."""
    mine = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(link)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                mine.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] != "0A" or cells[9] not in mine:
                continue
            address, port = cells[1].split(":")
            octets = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
            shown = octets if table == "tcp" else address
            found.add((shown, int(port, 16)))
    return found
