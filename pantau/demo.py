"""The demo: walks the product's clock through the simulated programme's arrivals, due days and closes.

It runs the DAG files that production runs. What it starts it stops. A second demo pulls everything again at
the last clock, verifies what is published and closes nothing anew.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from pantau import checks, clock, release, roles, setup
from pantau.close import plan
from pantau.database import Role, connect
from pantau.errors import PantauError
from pantau.periods import JAKARTA
from pantau.release.outlook import likely_missed
from pantau.report.files import path_of
from pantau.runner import Runner
from pantau.settings import settings

# Two who are no persons: who names the months decides what a release rests on, and does not approve it.
ENGINEER, APPROVER = "demo engineer (no person)", "demo approver (no person)"
OPENING = ("2025-01", "2026-07")
REGISTERS = {"2022-11": "wilayah_2022.csv.gz", "2025-01": "wilayah_2025.csv.gz"}
# (product's and simulator's clock, what is done then)
WALK = [
    ("2026-08-20", "opening"),
    ("2026-09-05", "pull"),
    ("2026-09-09", "pull"),
    ("2026-09-16", "close"),
    ("2026-10-06", "pull"),
    ("2026-10-08", "pull"),
    ("2026-10-10", "pull"),
    ("2026-10-16", "close"),
    ("2026-10-20", "pull"),
    ("2026-10-21", "close"),
    ("2026-11-05", "pull"),
    ("2026-11-09", "pull"),
    ("2026-11-16", "close"),
]
FEEDS = [
    "kemendagri__wilayah", "komdigi__desa_3t", "komdigi__desa_4g", "kemenkeu__anggaran_tik", "bakti__bts",
    "komdigi__kewajiban", "operator__cakupan",
]  # fmt: skip

_WHY = "the demo's walk has come to it"

Tell = Callable[[str], None]
TellTable = Callable[[str, list[str], list[list[object]]], None]


class Simulator:
    """The simulator as a child process, and the connections that lead to it."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self._state, self._arguments = state, arguments

    def __enter__(self) -> "Simulator":
        self._state.mkdir(parents=True, exist_ok=True)
        endpoints = self._state / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        log = settings.var / "log" / "simulator.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "simulator", "--state", str(self._state), "--with-parent", str(os.getpid()),
                 *self._arguments],
                cwd=settings.root, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            until = time.monotonic() + 60
            while not endpoints.exists():
                if self._child.poll() is not None or time.monotonic() > until:
                    raise PantauError("The simulator did not start.", next_step=f"Read the end of {log}.")
                time.sleep(0.05)
            self.at: dict[str, Any] = json.loads(endpoints.read_text())
        except BaseException:
            self._child.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()

    def control(self, what: str, **body: Any) -> dict[str, Any]:
        """Ask the simulator for something (its clock, a fault), and return its answer."""
        headers = {"X-Control-Token": self.at["control_token"]}
        answer = httpx.post(
            f"{self.at['http']}/_control/{what}", json=body, headers=headers, timeout=30
        ).raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def ready(self) -> dict[str, list[dict[str, str]]]:
        """By feed: what its owner has laid ready by the simulator's clock."""
        headers = {"X-Control-Token": self.at["control_token"]}
        answer = httpx.get(
            f"{self.at['http']}/_control/state", headers=headers, timeout=30
        ).raise_for_status()
        found: dict[str, list[dict[str, str]]] = {}
        for lying in answer.json()["ready"]:
            found.setdefault(lying["feed"], []).append(lying)
        return found

    def connections(self) -> dict[str, str]:
        """Airflow connections as environment variables."""
        return connections(self.at)


def connections(at: dict[str, Any]) -> dict[str, str]:
    """Airflow connections to a simulator, as environment variables; `at` is what its endpoints.json says."""
    found = {"AIRFLOW_CONN_KOMDIGI_CKAN": at["http"], "AIRFLOW_CONN_KOMDIGI_HTTP": at["http"]}
    for name, login in (("KEMENKEU_SFTP", at["sftp"]), ("BAKTI_SFTP", at["bakti_sftp"])):
        user = f"{quote(login['user'])}:{quote(login['password'], safe='')}"
        found[f"AIRFLOW_CONN_{name}"] = f"sftp://{user}@{login['host']}:{login['port']}/?" + urlencode(
            {"host_key": login["host_key"]}
        )
    for part, client in at["operators"].items():
        user = f"{quote(client['client_id'])}:{quote(client['client_secret'], safe='')}"
        address = client["url"].replace("http://", f"http://{user}@")
        found[f"AIRFLOW_CONN_OPERATOR_{part.upper()}"] = address
    return found


def refuse_real_data() -> None:
    """Raise PantauError where this database holds a real delivery: what is simulated would stand among such ones,
    and the clock, once set, does not go back."""
    roles.ensure()
    with connect(Role.AUDITOR) as connection:
        there = connection.execute("select to_regclass('ops.delivery') is not null as yes").fetchone()
        if not there or not there["yes"]:
            return
        real = connection.execute(
            "select id, feed, period from ops.delivery where not simulated order by id limit 1"
        ).fetchone()
    if real:
        raise PantauError(
            "This database holds real deliveries: those of the simulator would stand among them.",
            where={"feed": real["feed"], "period": real["period"], "delivery": real["id"]},
            next_step="Give the simulated ones a database and folders of their own: another DATABASE_URL, or another "
            "PANTAU_VAR for the embedded one, and another PANTAU_INBOX and PANTAU_OUT. The running system starts "
            "without them by `pantau up --without-simulator`.",
        )


def bring_registers() -> None:
    """Put the registers of regions into the inbox, as a person would; what a person brought stays."""
    for period, name in REGISTERS.items():
        folder = settings.inbox / "kemendagri__wilayah" / period
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / name).write_bytes((settings.root / "register" / name).read_bytes())


@contextmanager
def stage(tell: Tell, *arguments: str) -> Iterator[tuple[Runner, Simulator]]:
    """Database prepared, simulator up, DAG runner connected to it."""
    roles.ensure()
    with (
        Simulator(settings.var / "simulator", *arguments) as simulator,
        Runner(tell, **simulator.connections(), AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY="1") as runner,
    ):
        setup.prepare()  # while the runner starts
        yield runner, simulator


def run(tell: Tell, table: TellTable, seed: int = 1, provinces: str = "") -> None:
    """Walk the whole demo, or where it was left; end with the table of what is published.

    Args:
        seed: of the simulated programme.
        provinces: codes such as `93,96` for a smaller programme; the registers in the inbox must fit it.

    Raises:
        PantauError: this database holds real deliveries; nothing is changed then.
    """
    begun = time.monotonic()
    refuse_real_data()
    bring_registers()
    with stage(tell, "--seed", str(seed), "--provinces", provinces) as (runner, simulator):
        walk(runner, simulator, tell)
    with connect(Role.AUDITOR) as connection:
        published = connection.execute("select id from public.published_release").fetchall()
        for row in published:
            release.frozen(connection, row["id"])
    tell(f"The hashes of {len(published)} published releases hold.")
    _end(table)
    tell(f"Every figure's way to its bytes: {settings.out.name}/audit/index.html")
    tell(f"{time.monotonic() - begun:.0f} s")


def walk(runner: Runner, simulator: Simulator, tell: Tell, until: str = "9999") -> None:
    """Take the steps of the walk that lie before `until`; at the last clock, pull everything again.

    In production every feed asks its owner each day. Here a feed asks at the first stop, and then where its owner
    has laid something ready since the stop before.
    """
    with connect(Role.AUDITOR) as connection:
        reached = clock.now(connection) if clock.is_set(connection) else None
    last = _at(WALK[-1][0])
    seen: dict[str, list[dict[str, str]]] | None = None
    for day, what in WALK:
        if day >= until or (reached and _at(day) < reached):
            continue
        again = reached is not None and reached == last
        _set_clock(simulator, _at(day))
        tell(f"\n{day}")
        ready = simulator.ready()
        for feed in FEEDS:
            if seen is None or ready.get(feed) != seen.get(feed):
                runner.run(f"feed__{feed}", everything=again)
        seen = ready
        if what == "opening" and not _opened():
            close(runner, *OPENING)
        elif what == "close":
            for row in _waiting():  # left by a demo that was cut off
                close(runner, row["period"])
            while due := plan():
                close(runner, due["first"])
        reached = None


def close(runner: Runner, first: str, last: str = "") -> None:
    """Close in one's name as far as a candidate, approve it in the name of another, publish it."""
    runner.run("close_month", period=first, last=last, by=ENGINEER, why=_WHY)
    with connect(Role.AUDITOR) as connection:
        waiting = release.candidates(connection, first, last or first)
        warnings = [f.rule for row in waiting for f in checks.gate(connection, row["build_id"]).warnings]
    if waiting:
        release.approve(waiting, APPROVER, warnings)
        runner.run("close_month", period=first, last=last, by=ENGINEER, why=_WHY)


def _waiting() -> list[dict[str, Any]]:
    with connect(Role.AUDITOR) as connection:
        return release.candidates(connection, OPENING[1], "9999-12")


def _opened() -> bool:
    with connect(Role.AUDITOR) as connection:
        row = connection.execute(
            "select count(*) as months from ops.published where period between %s and %s", OPENING
        ).fetchone()
    return bool(row and row["months"])


def _at(day: str) -> datetime:
    return datetime.fromisoformat(day + "T09:00:00").replace(tzinfo=JAKARTA)


def _set_clock(simulator: Simulator, moment: datetime) -> None:
    simulator.control("clock", now=moment.isoformat(), ahead=True)
    with connect(Role.LOADER) as connection:
        clock.set_to(connection, moment)


def _end(table: TellTable) -> None:
    with connect(Role.AUDITOR) as connection:
        rows = connection.execute("select * from public.published_release order by period").fetchall()
        lines: list[list[object]] = []
        for row in rows:
            if row["reason"] == "opening":
                continue
            context = row["context"]
            planned = [i for i in context["indicators"] if i["target"]]
            on = [i["id"] for i in planned if i["target"]["on_track"]]
            off = [i["id"] for i in planned if not i["target"]["on_track"]]
            missed = likely_missed(context)
            gate = checks.gate(connection, row["build_id"])
            told = "/".join(str(len(found)) for found in (gate.critical, gate.warnings, gate.infos))
            lines.append(
                [
                    row["period"], f"v{row['version']}", row["release_hash"][:12],
                    *(" ".join(ids) or "-" for ids in (on, off, missed)), told,
                    settings.out.name + "/" + str(path_of(row["period"], row["version"], "id")),
                ]
            )  # fmt: skip
        opening = [row["period"] for row in rows if row["reason"] == "opening"]
        if opening:
            lines.insert(
                0, [f"{opening[0]}..{opening[-1]}", "v1", "", "", "", "", "", "opening history: no page"]
            )
    table(
        "Published (findings: critical/warning/info)",
        ["period", "release", "hash", "on track", "off track", "likely to miss", "findings", "report"],
        lines,
    )
