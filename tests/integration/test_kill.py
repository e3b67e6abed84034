"""Everything is killed at once, PostgreSQL included, after every task of a close, between, and on the way to it. The
same command again ends as if nothing had been: the same figures, page and ledger, nothing lost, nothing doubled.

`python -m tests.integration.test_kill WORK` is the process that is killed: the demo's own functions over a
programme of two provinces, in the folders that the environment names; it ends by telling what it left.
"""

import hashlib
import itertools
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from pantau import demo, ledger, server, setup, verify
from pantau.close import plan
from pantau.landing import path_of
from pantau.periods import JAKARTA
from pantau.runner import Runner
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G, PROVINCES, REGISTERS, WILAYAH, cut_register

PERIOD = "2026-08"
MOMENTS = 6
ALL = os.environ.get("PANTAU_KILLS") == "all"  # else a few of the points, others in each run
AT_ONCE = 2
BOUNDARY = b"[DAG TEST] end task "  # what Airflow logs when a task has ended
_WAIT_S = 600


# ---------------------------------------------------------------- the process that is killed


def main(work: str) -> None:
    """Do `work` and tell what it left: JSON in the last line."""
    os.environ.update(AIRFLOW__LOGGING__LOGGING_LEVEL="INFO")
    with server.running():
        WORKS[work]()
        with connect() as connection:
            left = {**_told(connection), **_counted(connection), **_kept(connection)}
    print(json.dumps(left, default=str), flush=True)


def _tell(line: str) -> None:
    print(line, flush=True)


def _staged(act: Callable[[Runner, demo.Simulator], None]) -> None:
    with demo.stage(_tell, "--provinces", ",".join(PROVINCES)) as (runner, simulator):
        act(runner, simulator)


def _begin() -> None:
    for period, name in REGISTERS.items():
        folder = settings.inbox / WILAYAH / period
        folder.mkdir(parents=True)
        (folder / name).write_bytes(cut_register(name))
    _staged(lambda runner, simulator: demo.walk(runner, simulator, _tell, until="2026-09-09"))


def _close() -> None:
    setup.prepare()
    with Runner(_tell) as runner:
        demo.close(runner, PERIOD)


def _close_what_is_due() -> None:
    setup.prepare()
    with Runner(_tell) as runner:
        while plan():
            runner.run("close_month")


def _deliver(runner: Runner, simulator: demo.Simulator) -> None:
    demo._set_clock(simulator, demo._at("2026-09-09"))
    runner.run(f"feed__{DESA_4G}")


def _set_up() -> None:
    setup.prepare()
    with Runner(_tell) as runner:
        runner.wait()
        _tell("set up")


WORKS: dict[str, Callable[[], None]] = {
    "begin": _begin,
    "set-up": _set_up,
    "deliver": lambda: _staged(_deliver),
    "arrive": lambda: _staged(lambda r, s: demo.walk(r, s, _tell, until="2026-09-16")),
    "walk": lambda: _staged(lambda r, s: demo.walk(r, s, _tell, until="2026-09-17")),
    "close": _close,
    "close what is due": _close_what_is_due,
}


def _told(connection: Any) -> dict[str, Any]:
    """The ledger's kinds in order, after the chain is verified."""
    previous, kinds = "0" * 64, []
    for number, row in enumerate(connection.execute("select * from ops.ledger order by no"), 1):
        entry = {"no": number, "kind": row["kind"], "what": row["what"],
                 "db_at": row["db_at"].astimezone(UTC).isoformat(),
                 "product_at": row["product_at"].astimezone(JAKARTA).isoformat()}  # fmt: skip
        previous = hashlib.sha256(previous.encode() + b"\n" + rfc8785.dumps(entry)).hexdigest()
        assert (row["no"], row["hash"]) == (number, previous), f"the ledger is broken at {row['no']}"
        # With every writing of the audit pages; and a writing that was cut off is done again.
        if row["kind"] not in ("pages", "verification"):
            kinds.append(row["kind"])
    assert len(kinds) <= ledger.head(connection)
    assert verify.look(connection, since_last=False).failures == []
    releases = connection.execute(
        "select r.period, r.version, r.reason, r.superseded, r.release_hash, r.page_hash,"
        " p.release_id is not null as current, (select count(*) from ops.publication x where x.release_id = r.id)"
        " as publications, (select count(*) from ops.figure f where f.release_id = r.id) as figures"
        " from ops.release r left join ops.published p on p.release_id = r.id order by r.period, r.version, r.id"
    ).fetchall()
    return {
        "ledger": kinds,
        "releases": {f"{r['period']} v{r['version']}": list(r.values()) for r in releases},
        "releases made": len(releases),
    }


def _counted(connection: Any) -> dict[str, Any]:
    """Rows of every table; none that belongs to no sealed reading."""
    tables = [
        row["name"]
        for row in connection.execute(
            "select schemaname || '.' || tablename as name from pg_tables where schemaname in"
            " ('ops', 'raw', 'seeds', 'facts', 'indicators', 'marts') and tablename <> 'ledger' order by 1"
        )
    ]
    counts = {t: connection.execute(f"select count(*) as n from {t}").fetchone()["n"] for t in tables}
    for table in (t for t in tables if t.startswith("raw.")):
        unsealed = connection.execute(
            f"select count(*) as n from {table} where reading_id not in (select id from ops.reading)"
        ).fetchone()
        assert unsealed["n"] == 0, f"{table} holds {unsealed['n']} rows of no sealed reading"
    return counts


def _kept(connection: Any) -> dict[str, Any]:
    """Deliveries with what was read and found in them; the files of reports and of landed bytes."""
    deliveries = connection.execute(
        "select d.id, d.feed, d.period, d.content_hash, d.known_at, r.id as reading, r.accepted, r.refused,"
        " r.set_aside from ops.delivery d left join ops.reading r on r.delivery_id = d.id order by 2, 3, d.ledger_no"
    ).fetchall()
    came: dict[str, list[Any]] = {}
    for d in deliveries:
        rows = connection.execute(
            f"select md5(string_agg((to_jsonb(x) - 'reading_id')::text, '|' order by source_row)) as digest"
            f" from raw.{d['feed']} x where reading_id = %s",
            [d["reading"]],
        ).fetchone()
        found = connection.execute(
            "select f.rule_id, f.rows from ops.finding f join ops.check_run c on c.id = f.check_run_id"
            " where c.reading_id = %s order by 1",
            [d["reading"]],
        ).fetchall()
        line = [d["content_hash"], d["known_at"], d["accepted"], d["refused"], d["set_aside"], rows["digest"]]
        came.setdefault(f"{d['feed']} {d['period']}", []).append([*line, [tuple(f.values()) for f in found]])
    reports = connection.execute("select path, sha256 from ops.report").fetchall()
    files = {
        str(p.relative_to(settings.out)): _digest(p)
        for p in settings.out.rglob("*")
        if p.is_file() and "audit" not in p.parts
    }
    assert files == {r["path"]: r["sha256"] for r in reports}, f"reports on disk: {files}"
    landed = [p for p in settings.landing.rglob("*") if p.is_file()]
    odd = [str(p) for p in landed if p != path_of(_digest(p))] + [
        p.name for p in settings.landing.glob("in*")
    ]
    assert not odd, f"landing/ holds {odd}"
    halves = [p.name for p in settings.out.glob(".audit*")]
    assert not halves, f"half audit pages: {halves}"
    audit = (
        settings.out / "audit"
    )  # a delivery's and a finding's number may differ, so only what releases have
    pages = sorted(str(p.relative_to(audit)) for p in audit.glob("2*-*/**/*.html"))
    return {**came, "reports": files, "landed": len(landed), "pages": pages}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------- killing it


@dataclass
class Seen:
    """How far a process has come."""

    seconds: float = 0
    lines: int = 0
    boundaries: int = 0


@dataclass(frozen=True)
class Point:
    """When to kill: by one of what has been seen."""

    by: str
    at: float
    server_too: bool = True
    tampered: bool = False  # the dead server's number then belongs to a process that lives
    then: str = ""  # other work than the same again

    def reached(self, seen: Seen) -> bool:
        """Whether it is time."""
        return getattr(seen, self.by) >= self.at

    def __str__(self) -> str:
        return f"{self.by} {self.at:.2f}" if self.by == "seconds" else f"{self.by} {self.at:.0f}"


@dataclass
class Ended:
    """A process that has ended or was killed."""

    code: int
    told: str
    seen: Seen
    left: dict[str, Any]


def run(work: str, folder: Path, point: Point | None = None) -> Ended:
    """Do `work` in `folder`; with a point, kill all of it there."""
    ours = ("PG", "PANTAU_", "DATABASE_URL", "AIRFLOW")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {f"PANTAU_{name.upper()}": str(folder / name) for name in ("var", "inbox", "out")}
    log = folder / "var" / "log" / "airflow.log"
    logged = log.stat().st_size if log.exists() else 0
    errors = folder / "errors"
    begun, seen, told = time.monotonic(), Seen(), b""
    with (
        open(errors, "wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.test_kill", work], env=environment, cwd=settings.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        end = False
        while not end:
            if select.select([process.stdout], [], [], 0.003)[0]:
                piece = os.read(process.stdout.fileno(), 1 << 16)
                told, end = told + piece, not piece
            if log.exists() and log.stat().st_size > logged:
                with open(log, "rb") as file:
                    file.seek(logged)
                    seen.boundaries = file.read().count(BOUNDARY)
            seen.lines, seen.seconds = told.count(b"\n"), time.monotonic() - begun
            if seen.seconds > _WAIT_S or (point and not end and point.reached(seen)):
                kill(process, folder, server_too=not point or point.server_too)
                break
        process.wait()
    lines = told.decode().strip().splitlines()
    left = json.loads(lines[-1]) if process.returncode == 0 else {}
    text = "\n".join([*lines[-8:], errors.read_text()[-1500:]])
    return Ended(process.returncode, text, seen, left)


def kill(process: subprocess.Popen[bytes], folder: Path, *, server_too: bool) -> None:
    """SIGKILL to the whole process group, and to PostgreSQL with all its children."""
    os.killpg(process.pid, signal.SIGKILL)
    if server_too:
        # Stopped first, so that none is born while they are counted.
        for sent in (signal.SIGSTOP, signal.SIGKILL):
            for number in living(folder):
                with suppress(ProcessLookupError):  # it has ended by itself meanwhile
                    os.kill(number, sent)
        until = time.monotonic() + 10
        while living(folder) and time.monotonic() < until:
            time.sleep(0.005)


def living(folder: Path) -> list[int]:
    """The processes that belong to `folder`: named in their command line or environment, or a child of such."""
    wanted, parents, found = os.fsencode(folder) + b"/", {}, set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rpartition(")")[2].split()
            if state[0] == "Z":
                continue
            parents[int(place.name)] = int(state[1])
            if wanted in (place / "cmdline").read_bytes() or wanted in (place / "environ").read_bytes():
                found.add(int(place.name))
        except OSError:
            continue  # it has ended, or is another user's
    return sorted(found | {child for child, parent in parents.items() if parent in found})


def copy(template: Path, folder: Path) -> Path:
    """A copy of a folder with the server's files, owners and modes; cheap where the file system can share."""
    subprocess.run(["cp", "-a", "--reflink=auto", template, folder], check=True)
    (folder / "var" / "simulator" / "ports.json").unlink(
        missing_ok=True
    )  # two copies at once want ports of their own
    return folder


def again(work: str, template: Path, folder: Path, point: Point, wanted: dict[str, Any]) -> str:
    """Do `work`, killed at `point`, then what is done after that; what is wrong then, or nothing."""
    copy(template, folder)
    first = run(work, folder, point)
    if first.code != -signal.SIGKILL and point.by != "seconds":
        return f"{work} killed at {point}: it ended with {first.code} before\n{first.told}"
    if point.tampered:
        known = folder / "var" / "postgres" / "postmaster.pid"
        known.write_text("\n".join([str(os.getpid()), *known.read_text().split("\n")[1:]]))
    second = run(point.then or work, folder)
    wrong = [] if second.code == 0 else [f"the same again ended with {second.code}\n{second.told}"]
    if second.code == 0:
        wrong += [
            f"{key}: {second.left.get(key)}, but undisturbed {wanted.get(key)}"
            for key in wanted | second.left
            if second.left.get(key) != wanted.get(key)
        ]
    if left := living(folder):
        wrong.append(f"still running: {left}")
    if wrong:
        return f"{work} killed at {point}:\n  " + "\n  ".join(wrong)
    shutil.rmtree(folder)
    return ""


# ---------------------------------------------------------------- the tests


@dataclass
class Templates:
    """Folders to begin from, and how to say something in pytest's report."""

    root: Path
    seed: int
    say: Callable[[str], None]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def at(self, name: str) -> Path:
        """The state before the delivery (`early`) and before the close (`late`) of August 2026."""
        return self.root / name

    def _new(self) -> Path:
        return self.root / str(next(self.numbers))

    def undisturbed(self, work: str, name: str) -> Ended:
        """The work from a template to its end."""
        folder = copy(self.at(name), self._new())
        ended = run(work, folder)
        assert ended.code == 0, ended.told
        assert not living(folder)
        shutil.rmtree(folder)
        return ended

    def survive(self, work: str, name: str, points: list[Point], wanted: dict[str, Any]) -> None:
        """Kill at every point, and tell of all those after which the work does not end as undisturbed."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = pool.map(lambda p: again(work, self.at(name), self._new(), p, wanted), points)
            wrong = [text for text in told if text]
        assert not wrong, f"PANTAU_SEED={self.seed}: {len(wrong)} of {len(points)}\n" + "\n".join(wrong)


@pytest.fixture(scope="module")
def templates(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Templates]:
    """A product of two provinces whose opening history is published, before and after August 2026 arrives."""
    seed = int(os.environ.get("PANTAU_SEED") or random.SystemRandom().randrange(1_000_000))
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")

    def say(text: str) -> None:
        reporter.ensure_newline()
        reporter.write_line(text)

    root = tmp_path_factory.mktemp("killed")
    say(f"Killing, PANTAU_SEED={seed}")
    (root / "early").mkdir()
    begun = run("begin", root / "early")
    assert begun.code == 0, begun.told
    arrived = run("arrive", copy(root / "early", root / "late"))
    assert arrived.code == 0, arrived.told
    yield Templates(root, seed, say)
    shutil.rmtree(root, ignore_errors=True)


def some(drawn: random.Random, points: list[Point], number: int) -> list[Point]:
    """So many of the points, in their order."""
    return points if ALL else [points[n] for n in sorted(drawn.sample(range(len(points)), number))]


@pytest.mark.timeout(3000)
def test_a_close_killed_anywhere_comes_to_the_same_release(templates: Templates) -> None:
    whole = templates.undisturbed("close", "late")
    kinds = Counter(whole.left["ledger"])
    assert whole.left["releases"][f"{PERIOD} v1"][2:4] == ["first", False]
    assert sorted(whole.left["reports"]) == [f"{PERIOD}/v1/nasional.{x}.pdf" for x in ("en", "id")]
    # two runs of ten tasks at least, and a line of the demo's own decision between them
    assert whole.seen.boundaries >= 20
    assert whole.seen.boundaries % 2 == 0
    assert whole.seen.lines - 1 >= 8, "progress lines"
    assert kinds["publication"] == len(whole.left["releases"])
    drawn = random.Random(templates.seed)
    # The second run, after the approval, finds all done up to the publication: of that, some.
    half, last = whole.seen.boundaries // 2, whole.seen.boundaries - 4
    done = drawn.sample(range(half + 1, last + 1), 2)
    points = some(drawn, [Point("boundaries", n) for n in range(1, half + 1)], 1)
    points += some(drawn, [Point("boundaries", n) for n in (*done, *range(last + 1, last + 5))], 1)
    points += some(drawn, [Point("seconds", drawn.uniform(0, whole.seen.seconds)) for _ in range(MOMENTS)], 1)
    # approved, but cut off before it was published: the hourly run, which names no month, publishes it
    points.append(Point("boundaries", half + 1, then="close what is due"))
    templates.say(f"{len(points)} points; undisturbed {whole.seen.seconds:.1f} s")
    templates.survive("close", "late", points, whole.left)


def test_a_feed_killed_anywhere_loses_and_doubles_nothing(templates: Templates) -> None:
    whole = templates.undisturbed("deliver", "early")
    assert whole.seen.boundaries >= 8
    points = [Point("boundaries", n) for n in range(1, whole.seen.boundaries + 1)]
    points = some(random.Random(templates.seed), points, 2)
    templates.survive("deliver", "early", points, whole.left)


def test_a_demo_killed_between_its_steps_goes_on(templates: Templates) -> None:
    whole = templates.undisturbed("walk", "late")
    lines = whole.seen.lines - 1
    # the last lines are: freeze, render (twice), publish (waits for approval), audit, render (twice), publish, audit
    points = [Point("lines", lines - 8), Point("lines", lines - 5), Point("lines", lines, server_too=False)]
    points = some(random.Random(templates.seed), points, 2)
    templates.survive("walk", "late", points, whole.left)


def test_a_set_up_killed_anywhere_is_taken_up_again(templates: Templates) -> None:
    templates.at("nothing").mkdir()
    whole = templates.undisturbed("set-up", "nothing")
    drawn = random.Random(templates.seed)
    points = [Point("seconds", drawn.uniform(0, whole.seen.seconds)) for _ in range(4 if ALL else 2)]
    templates.survive("set-up", "nothing", points, whole.left)


def test_a_dead_server_whose_number_was_given_away_is_not_taken_for_alive(templates: Templates) -> None:
    whole = templates.undisturbed("set-up", "late")
    templates.survive("set-up", "late", [Point("lines", 1, tampered=True)], whole.left)


if __name__ == "__main__":
    main(sys.argv[1])
