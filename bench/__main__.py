"""`make bench`: what the demo costs, and what reading costs beside a bare COPY and beside pandas, in one run.

Everything happens in a folder of its own. Times are wall seconds on this machine; ratios travel, times do not.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

FOLDER = Path(tempfile.mkdtemp(prefix="bench-", dir=Path(__file__).resolve().parents[1] / "var"))
os.environ.update(
    PANTAU_VAR=str(FOLDER / "var"), PANTAU_INBOX=str(FOLDER / "inbox"), PANTAU_OUT=str(FOLDER / "out")
)

from bench import bare  # noqa: E402 (after its folders are set)
from pantau import catalogue, server, verify  # noqa: E402
from pantau.database import Role, connect, sqlalchemy_url  # noqa: E402
from pantau.settings import settings  # noqa: E402

FEED = "komdigi__desa_4g"
PARSE = """
import airflow.sdk, airflow.dag_processing.dagbag, sys, time
from pathlib import Path
begun = time.monotonic()
exec(compile(Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), {"__name__": "dag"})
print(time.monotonic() - begun)
"""


class Memory(threading.Thread):
    """Samples the proportional set size of our processes and of their PostgreSQL."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb, self._stop_it = 0.0, threading.Event()

    def run(self) -> None:
        """Take the sum four times a second."""
        while not self._stop_it.wait(0.25):
            self.peak_mb = max(self.peak_mb, sum(map(self._mb, self._ours())))

    def end(self) -> float:
        """Stop, and return the highest sum in MB."""
        self._stop_it.set()
        self.join()
        return self.peak_mb

    def _ours(self) -> list[str]:
        """Our children, theirs, and the PostgreSQL and simulator that work in our folder."""
        parents, found = {}, {str(os.getpid())}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                parents[name] = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()[1]
                if str(FOLDER).encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.add(name)
            except OSError:  # it has ended meanwhile
                continue
        more = found
        while more:
            more = {name for name, parent in parents.items() if parent in found} - found
            found |= more
        return [name for name in found if name != str(os.getpid())]

    def _mb(self, pid: str) -> float:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return 0.0
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def timed(action: Callable[[], object], runs: int = 5) -> float:
    """Median wall seconds of `runs` calls, after one that does not count."""
    action()
    seconds = []
    for _ in range(runs):
        begun = time.monotonic()
        action()
        seconds.append(time.monotonic() - begun)
    return median(seconds)


def demo() -> tuple[float, float, str]:
    """Run `pantau demo` on the bench's folders: seconds, peak MB, output."""
    memory, begun = Memory(), time.monotonic()
    memory.start()
    ran = subprocess.run(
        [sys.executable, "-m", "pantau.cli", "demo"],
        capture_output=True, text=True, check=True, cwd=settings.root,
    )  # fmt: skip
    return time.monotonic() - begun, memory.end(), ran.stdout


def steps(output: str) -> list[tuple[str, int, float]]:
    """Of a demo's output: each kind of step, how often it ran, and its seconds in all."""
    found: dict[str, list[float]] = {}
    for line in output.splitlines():
        words = line.split()
        if " s " in line and len(words) > 3 and words[0] in {*bare.PARTS, "publish"}:
            found.setdefault(words[0], []).append(float(line.split(" s ")[0].split()[-1]))
    return [(name, len(seconds), sum(seconds)) for name, seconds in found.items()]


def reading() -> list[tuple[str, float]]:
    """One month of all villages: our reading (hash, contract, regions, COPY), its bare COPY, and pandas."""
    import pandas
    import polars
    from sqlalchemy import create_engine

    from pantau.landing import path_of
    from pantau.read import contract, files, raw, regions

    feed = catalogue.feed(FEED)
    with connect(Role.OWNER) as connection:
        row = connection.execute(
            "select r.*, f.name, f.sha256 from ops.reading r join ops.delivery d on d.id = r.delivery_id"
            " join ops.delivery_file f on f.delivery_id = d.id where d.feed = %s order by d.period desc limit 1",
            [FEED],
        ).fetchone()
        assert row is not None
        connection.execute("create table raw.bench (like raw.komdigi__desa_4g)")
        connection.execute("create index on raw.bench using brin (reading_id)")
    file = path_of(row["sha256"])

    def ours() -> polars.DataFrame:
        with connect(Role.OWNER) as connection:
            table = files.read(feed, [(row["name"], file)], {})
            resolver = regions.Resolver(connection, row["register_reading_id"], row["lineage_version_id"])
            result = contract.apply(feed, table, resolver)
            raw.copy(connection, ("raw", "bench"), 0, result.accepted)
            return result.accepted

    typed = io.BytesIO()
    ours().select(polars.lit(0).alias("reading_id"), polars.all()).write_csv(typed, include_header=False)

    def limit() -> None:
        with connect(Role.OWNER) as connection, connection.cursor() as cursor:
            columns = "reading_id, source_row, kode_desa, nama_desa, wilayah_kode, terjangkau_4g, on_air_on"
            with cursor.copy(f"copy raw.bench ({columns}) from stdin (format csv)") as copy:
                copy.write(typed.getbuffer())

    def by_pandas() -> None:
        engine = create_engine(sqlalchemy_url(Role.OWNER, "psycopg"))
        pandas.read_csv(file, dtype=str).to_sql(
            "bench_pandas", engine, schema="raw", if_exists="replace", index=False
        )
        engine.dispose()

    return [
        ("bare COPY of the typed rows (the limit)", timed(limit)),
        ("Pantau: parse, contract, regions, COPY", timed(ours)),
        ("pandas read_csv + to_sql, nothing checked", timed(by_pandas, runs=1)),
    ]


def parts(output: str, cold: float) -> list[str]:
    """Where the time of the cold demo went, as rows of a table: each kind of step beside its bare part."""
    from pantau.runner import environment

    lines, left, limit = [], cold, 0.0
    for name, times, took in steps(output):
        least, needed = bare.PARTS.get(name, ("", None))
        spent = needed() if needed else 0.0
        lines.append(_row(name, times, took, cold, least, spent))
        left, limit = left - took, limit + spent
    tasks, spent = bare.airflow(environment())
    lines.append(
        _row("Airflow, set-up, start and stop", tasks, left, cold, "as many empty mapped tasks", spent)
    )
    lines.append(_row("all", "", cold, cold, "the sum of the bare parts", limit + spent))
    return lines


def _row(name: str, times: object, took: float, cold: float, least: str, spent: float) -> str:
    ratio = f"{spent:.1f} | {took / spent:.1f}" if spent else " | "
    return f"| {name} | {times} | {took:.1f} | {took / cold:.0%} | {least} | {ratio} |"


def main() -> None:
    """Run it all and print Markdown."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print("| demo | seconds | peak memory of all processes, MB |\n|---|---|---|")
    cold, cold_mb, output = demo()
    print(f"| cold (limit 300 s, 2,000 MB) | {cold:.0f} | {cold_mb:.0f} |")
    with server.running():
        table = parts(output, cold)
    warm, warm_mb, _ = demo()
    print(f"| again (limit 90 s) | {warm:.0f} | {warm_mb:.0f} |\n")
    print(
        "| of the cold run | times | seconds | share | its bare part | seconds | × |\n|---|---|---|---|---|---|---|"
    )
    print("\n".join(table) + "\n")
    with server.running():
        verified = timed(verify.run, runs=1)  # before the measurements below make a table of their own
        print("| one month, 83,762 villages | seconds | × the limit |\n|---|---|---|")
        found = reading()
        for name, seconds in found:
            print(f"| {name} | {seconds:.2f} | {seconds / found[0][1]:.1f} |")
        from pantau.audit.trace import trace

        print("\n| other | seconds |\n|---|---|")
        print(f"| verify everything (limit 60 s) | {verified:.1f} |")
        print(f"| trace K2.00@2026-10, in process | {timed(lambda: trace('K2.00@2026-10')):.2f} |")
        begun = [sys.executable, "-m", "pantau.cli", "trace", "K2.00@2026-10"]
        print(f"| `pantau trace K2.00@2026-10`, database up | {timed(lambda: _quiet(begun)):.2f} |")
        from pantau.runner import environment

        for dag in ("feeds.py", "close_month.py"):
            ran = [
                _quiet([sys.executable, "-c", PARSE, str(settings.dags / dag)], environment())
                for _ in range(3)
            ]
            print(
                f"| parse dags/{dag} beyond Airflow's import | {median(float(x.split()[-1]) for x in ran):.2f} |"
            )
    shutil.rmtree(FOLDER)


def _quiet(command: list[str], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=settings.root, env=environment
    ).stdout


main()
