"""A programme of two provinces: the real simulator over its real protocols, and a register cut to match."""

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pantau import catalogue, checks, clock, ledger, release, seal, verify, warehouse
from pantau.close import plan
from pantau.demo import Simulator
from pantau.landing import due_periods, pull
from pantau.periods import JAKARTA
from pantau.read import read
from pantau.settings import settings
from tests.administrator import connect

PROVINCES = ("93", "96")
REGISTERS = {"2022-11": "wilayah_2022.csv.gz", "2025-01": "wilayah_2025.csv.gz"}
WILAYAH, DESA_4G, DESA_3T, ANGGARAN = (
    "kemendagri__wilayah", "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik",
)  # fmt: skip
CAKUPAN, BTS, KEWAJIBAN = "operator__cakupan", "bakti__bts", "komdigi__kewajiban"


def cut_register(name: str, provinces: tuple[str, ...] = PROVINCES) -> bytes:
    """A register's lines of some provinces; of the older one, under the codes that they had then."""
    older = {"93": ("93",), "96": ("92.01", "92.04", "92.05", "92.09", "92.10", "92.71")}
    begin = tuple(b for p in provinces for b in (older[p] if "2022" in name else (p,)))
    lines = gzip.decompress((settings.root / "register" / name).read_bytes()).decode().splitlines()
    kept = [x for x in lines[1:] if x.startswith(begin) or ("2022" in name and x.startswith("92,"))]
    return gzip.compress("\n".join([lines[0], *kept, ""]).encode(), mtime=0)


@dataclass
class Stage:
    """The simulator, and a product in which nothing has arrived but the registers."""

    simulator: Simulator

    def at(self, day: str) -> None:
        """Set both clocks to 09:00 of a day in Jakarta."""
        moment = datetime.fromisoformat(day + "T09:00:00").replace(tzinfo=JAKARTA)
        self.simulator.control("clock", now=moment.isoformat())
        with connect() as connection:
            clock.set_to(connection, moment)

    def fault(self, feed: str, period: str, fault: str | None, part: str = "") -> list[dict[str, Any]]:
        """Ask for a fault, or end it; the rows that it touched."""
        answer = self.simulator.control("fault", feed=feed, part=part, period=period, fault=fault)
        touched: list[dict[str, Any]] = answer["touched"]
        return touched

    def uri(self, feed: str, part: str = "") -> str:
        """The connection of a feed (of its part)."""
        name = catalogue.feed(feed).connection_id(part)
        return self.simulator.connections()[f"AIRFLOW_CONN_{name.upper()}"] if name else ""

    def pull(self, feed: str, period: str, part: str = "") -> int | None:
        """fetch → land."""
        return pull(feed, period, part, connection_uri=self.uri(feed, part))

    def deliver(self, feed: str, period: str, part: str = "") -> tuple[int, checks.CheckOutcome]:
        """fetch → land → read → check; the reading and what the checks say."""
        reading = read(self.pull(feed, period, part))
        assert reading is not None
        return reading, checks.check_reading(reading)


def made(first: str, last: str = "", after_each: Callable[[], None] = lambda: None) -> list[int]:
    """Close a month (or opening history) as `close_month` does, as far as candidates, without a page: their ids."""
    planned = plan(first, last)
    assert planned is not None
    build = warehouse.open_build(**planned)
    for step in (checks.check_across, warehouse.run_dbt, checks.check_marts):
        after_each()
        step(build)
    after_each()
    return release.make_candidates(build)


def holds() -> None:
    """Nothing is found where nobody has changed anything."""
    with connect() as connection:
        assert verify.look(connection, since_last=False).failures == []


def approved(candidates: list[int]) -> list[dict[str, Any]]:
    """Approve candidates in a test's name, with all that stands against them; they are not published yet."""
    with connect() as connection:
        rows = connection.execute(
            "select * from ops.release where id = any(%s) order by period", [candidates]
        ).fetchall()
        warnings = [f.rule for row in rows for f in checks.gate(connection, row["build_id"]).warnings]
    release.approve(rows, "a test (no person)", warnings)
    return rows


def begin_with(period: str) -> None:
    """As if a person had named the first month, and it had come to nothing yet."""
    with connect() as connection:
        build, cutoff = ledger.new_id(connection, "build"), ledger.head(connection)
        what = {
            "build": build, "purpose": "close", "first_period": period, "last_period": period, "cutoff": cutoff,
            "registers": [], "code": "x", "without": [], "by": "", "why": "", "simulated": False,
            "manifest": {"scheme": seal.MANIFEST, "sha256": seal.lines([])},
        }  # fmt: skip
        connection.execute(
            "insert into ops.build (id, purpose, first_period, last_period, cutoff, register_version_ids, code_version,"
            " simulated, ledger_no) overriding system value values (%s, 'close', %s, %s, %s, '{}', 'x', false, %s)",
            [build, period, period, cutoff, ledger.append(connection, "build", what)],
        )


def bring_registers(provinces: tuple[str, ...] = PROVINCES) -> None:
    """Registers of the provinces into the inbox, landed and read."""
    for period, name in REGISTERS.items():
        folder = settings.inbox / WILAYAH / period
        folder.mkdir(parents=True)
        (folder / name).write_bytes(cut_register(name, provinces))
        os.utime(folder / name, (0, 0))  # or its first pull would wait until it is no longer new
    for due in due_periods(WILAYAH):
        reading = read(pull(WILAYAH, **due))
        assert reading is not None
        checks.check_reading(reading)


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator of two provinces for all tests; its clock goes where a test sets it."""
    folder: Path = tmp_path_factory.mktemp("simulator")
    before, settings.var = settings.var, folder
    with Simulator(folder / "state", "--provinces", ",".join(PROVINCES)) as running:
        settings.var = before
        yield running
        settings.var = folder
    settings.var = before


@pytest.fixture
def stage(database: str, simulator: Simulator) -> Stage:
    """Registers read; the clocks at 20 August 2026, when history up to July has come."""
    made = Stage(simulator)
    made.at("2026-08-20")
    bring_registers()
    return made
