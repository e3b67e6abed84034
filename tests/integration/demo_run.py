"""The whole demo, run once for the session by the command that people use, in folders of its own.

Afterwards its database is kept up by a process of its own, as a second command would, so that tests can ask it.
"""

import os
import random
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.integration.truth import Truth

ROOT = Path(__file__).resolve().parents[2]
_HOLD = (
    "import sys; from pantau import server; from pantau.settings import settings\n"
    "with server.running(): print(settings.owner_url, flush=True); sys.stdin.read()\n"
)


@dataclass
class DemoRun:
    """What a demo left behind, and how to ask it."""

    seed: int
    folder: Path
    plugins: Any
    told: str = ""
    url: str = ""
    left: tuple[Path, ...] = ()  # signs of something that still ran when the demo had ended
    logins: list[tuple[str, str]] = field(default_factory=list)  # of the demo itself: when (UTC), and who
    truth: Truth = field(init=False)

    def say(self, text: str) -> None:
        """Write lines into pytest's report, whatever is captured; a worker of xdist has no report of its own."""
        reporter = self.plugins.get_plugin("terminalreporter")
        if reporter is None:
            print(text)
            return
        with self.plugins.get_plugin("capturemanager").global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a new user, and this demo's folders."""
        ours = ("PG", "PANTAU_", "DATABASE_URL", "AIRFLOW", "PYTHONDONTWRITEBYTECODE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return kept | {f"PANTAU_{name.upper()}": str(self.folder / name) for name in ("var", "inbox", "out")}

    def pantau(self, *arguments: str) -> str:
        """Run `pantau` to its end and return what it says; anything but exit code 0 fails."""
        command = [str(Path(sysconfig.get_path("scripts")) / "pantau"), *arguments]
        ended = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=1400
        )
        told = f"PANTAU_SEED={self.seed}: {' '.join(arguments)}\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}"
        assert ended.returncode == 0, told
        return ended.stdout

    def demo(self) -> str:
        """Run the demo."""
        return self.pantau("demo", "--seed", str(self.seed))

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the demo's database."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def landed(self, digest: str) -> bytes:
        """The bytes that are kept under a SHA-256."""
        return (self.folder / "var" / "landing" / digest[:2] / digest).read_bytes()


@pytest.fixture(scope="session")
def finished_demo(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[DemoRun]:
    """The demo with a random seed, run to its end; PANTAU_SEED repeats one."""
    seed = int(os.environ.get("PANTAU_SEED") or random.SystemRandom().randrange(1_000_000))
    run = DemoRun(seed, tmp_path_factory.mktemp("demo"), request.config.pluginmanager)
    run.say(f"The whole demo, PANTAU_SEED={seed}")
    run.told = run.demo()
    var = run.folder / "var"
    signs = (var / "postgres" / "postmaster.pid", var / "simulator" / "endpoints.json")
    run.logins = re.findall(
        r"^(\S+ \S+) UTC .*connection authorized: user=(\w+)",
        (var / "log" / "postgres.log").read_text(errors="replace"),
        re.MULTILINE,
    )
    run.left = tuple(path for path in signs if path.exists())
    run.truth = Truth(var / "simulator" / "truth.jsonl", ROOT / "register" / "wilayah_2025.csv.gz")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], env=run.environment, cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdin is not None
        assert holder.stdout is not None
        run.url = holder.stdout.readline().strip()
        yield run
        holder.stdin.close()
