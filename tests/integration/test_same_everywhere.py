"""Two checkouts in different folders, time zones, locales, hash seeds and homes come to the same releases and
the same bytes of every page; and Ctrl-C ends a demo at once, with all that it has started.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pantau.settings import settings
from tests.integration.conftest import PROVINCES, REGISTERS, WILAYAH, cut_register
from tests.integration.test_kill import living

_MADE = shutil.ignore_patterns("__pycache__", "*.pyc")
_NOT_SOURCE = {".git", ".venv", "var", "out", "inbox"}
_DEMO = ("-m", "pantau.cli", "demo", "--seed", "7", "--provinces", ",".join(PROVINCES))
_ASK = """
import json
from pantau import server
from pantau.database import Role, connect
with server.running(), connect(Role.AUDITOR) as connection:
    releases = connection.execute(
        "select r.period, r.version, r.release_hash, r.page_hash, r.context, r.explanation, array(select p.sha256"
        " from ops.report p where p.release_id = r.id order by p.language) as reports,"
        " x.release_id is not null as current from ops.release r"
        " left join ops.published x on x.release_id = r.id where not r.superseded order by 1, 2").fetchall()
    order = connection.execute("select feed, period from ops.delivery order by id").fetchall()
print(json.dumps({"releases": releases, "order": [list(o.values()) for o in order]}, default=str))
"""


@dataclass
class Checkout:
    """A copy of the sources with the registers of two provinces in its inbox, and an environment to run it in."""

    folder: Path
    variables: dict[str, str]
    before: list[str] = field(default_factory=list)  # words before the command

    def __post_init__(self) -> None:
        self.source = self.folder / "pantau"
        self.source.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for place in settings.root.iterdir():
            if place.name in _NOT_SOURCE:
                continue
            if place.is_dir():
                shutil.copytree(place, self.source / place.name, ignore=_MADE)
            else:
                shutil.copy(place, self.source)
        for period, name in REGISTERS.items():
            brought = self.source / "inbox" / WILAYAH / period
            brought.mkdir(parents=True)
            (brought / name).write_bytes(cut_register(name))

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours, but where the code is and what is to differ."""
        ours = ("PG", "PANTAU_", "DATABASE_URL", "AIRFLOW", "PYTHON", "LC_", "LANG", "TZ", "XDG_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        own = {"HOME": str(self.folder / "home"), "PYTHONPATH": str(self.source), "COLUMNS": "140"}
        return kept | own | self.variables

    def start(self, *arguments: str, **keywords: Any) -> "subprocess.Popen[str]":
        """Start Python in this checkout, in a process group of its own."""
        return subprocess.Popen(
            [*self.before, sys.executable, *arguments], cwd=self.source, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, **keywords,
        )  # fmt: skip

    def python(self, *arguments: str) -> str:
        """Run Python in this checkout to its end; anything but exit code 0 fails."""
        with self.start(*arguments, stderr=subprocess.PIPE) as process:
            told, errors = process.communicate(timeout=1400)
        assert process.returncode == 0, told[-3000:] + errors[-3000:]
        return told


@dataclass
class Result:
    """What a demo left in a checkout."""

    said: str
    releases: dict[str, dict[str, Any]]
    pages: dict[str, str]  # path below out/ → SHA-256
    order: list[list[str]]  # feed and period of the deliveries, as they were landed


def _walk(checkout: Checkout) -> Result:
    code = Path(checkout.python("-c", "import pantau; print(pantau.__file__)").strip())
    assert code == checkout.source / "pantau" / "__init__.py", "another checkout's code is run"
    said = checkout.python(*_DEMO)
    left = json.loads(checkout.python("-c", _ASK))
    out = checkout.source / "out"
    # the audit pages beside them tell of the database's ids and clock
    pages = {str(p.relative_to(out)): _digest(p) for p in sorted(out.glob("2*-*/**/*")) if p.is_file()}
    assert not living(checkout.folder)
    return Result(said, {f"{r['period']} v{r['version']}": r for r in left["releases"]}, pages, left["order"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Result]]:
    """The same demo in two checkouts that share nothing but the interpreter and its libraries."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    other = next((x for x in known if x not in ("C", "POSIX", "C.utf8", "C.UTF-8")), "C.UTF-8")
    later = ["faketime", "-f", "+500d"] if shutil.which("faketime") else []
    root = tmp_path_factory.mktemp("everywhere")
    one = Checkout(
        root / "one",
        {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "0", "LANG": "C", "LC_ALL": "C"},
    )
    another = Checkout(
        root / "another one, deeper" / "é",
        {"TZ": "America/Los_Angeles", "PYTHONHASHSEED": "4711", "LANG": other, "LC_ALL": other},
        later,
    )
    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(_walk, (one, another))
    yield left, right
    shutil.rmtree(root, ignore_errors=True)


def _differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            x for k in sorted({*one, *other}) for x in _differences(one.get(k), other.get(k), f"{place}/{k}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            x
            for i, pair in enumerate(zip(one, other, strict=True))
            for x in _differences(*pair, f"{place}/{i}")
        ]
    return [] if one == other else [f"{place}: {str(one)[:200]} ≠ {str(other)[:200]}"]


def test_two_checkouts_come_to_the_same_releases_and_pages(two: tuple[Result, Result]) -> None:
    one, other = two
    shown = {name for name, r in one.releases.items() if r["reports"]}
    assert {"2026-08 v1", "2026-08 v2", "2026-09 v1", "2026-09 v2", "2026-10 v1"} == shown
    assert sum(r["current"] for r in one.releases.values()) == 22
    assert not _differences(one.releases, other.releases)
    assert one.pages == other.pages
    reports = [digest for r in one.releases.values() for digest in r["reports"]]
    assert sorted(reports) == sorted(d for name, d in one.pages.items() if name.endswith(".pdf"))
    assert len(reports) == 2 * len(shown)  # two languages


def test_they_landed_the_same_deliveries_in_whatever_order(two: tuple[Result, Result]) -> None:
    one, other = two
    assert sorted(one.order) == sorted(other.order)
    titles = [[x for x in r.said.splitlines() if x.startswith("2026-") and "v" in x] for r in two]
    assert titles[0] == titles[1]
    assert titles[0]


@pytest.mark.parametrize("until", ["var/postgres.users", "var/airflow", "check    across"])
def test_ctrl_c_ends_it_with_all_that_it_started(tmp_path: Path, until: str) -> None:
    checkout = Checkout(tmp_path / "one", {})
    with checkout.start(*_DEMO, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        said = ""
        if until.startswith("var/"):
            limit = time.monotonic() + 60
            while not (checkout.source / until).exists() and time.monotonic() < limit:
                time.sleep(0.01)
        else:
            while until not in said and (line := process.stdout.readline()):
                said += line
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)  # who is impatient presses it twice
        said += process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert time.monotonic() - begun < 20
    assert said.splitlines()[-1] == "Stopping."
    assert "Traceback" not in said
    assert not living(checkout.folder)
