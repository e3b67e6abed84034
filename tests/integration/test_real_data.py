"""Real input on the machine's own clock: the register and two lists, through the inbox, to a page."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pantau import server
from pantau.database import Connection
from pantau.settings import settings
from tests.administrator import connect

pytestmark = pytest.mark.shared_data
REGISTERS = {"2022-11": "wilayah_2022.csv.gz", "2025-04": "wilayah_2025.csv.gz"}  # months of the decrees
WITHOUT = ["komdigi__desa_4g", "komdigi__desa_3t"]


@pytest.fixture(scope="module")
def real(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    """A product of its own, to which a person brought the registers, the population list and the puskesmas."""
    data: Path = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = tmp_path_factory.mktemp("real")
    names = {"PANTAU_VAR": folder / "var", "PANTAU_INBOX": folder / "inbox", "PANTAU_OUT": folder / "out"}
    brought = {
        **{f"kemendagri__wilayah/{p}": settings.root / "register" / name for p, name in REGISTERS.items()},
        "kemendagri__penduduk/2025-12": data / "regions" / "penduduk_2024.csv",
        "kemenkes__puskesmas/2025-12": data / "facilities" / "puskesmas.csv",
    }
    for place, file in brought.items():
        (folder / "inbox" / place).mkdir(parents=True)
        shutil.copy(file, folder / "inbox" / place)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {
        k: str(v) for k, v in names.items()
    }

    def pantau(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pantau.cli", *arguments],
            env=environment, capture_output=True, text=True, check=False, cwd=settings.root,
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "var", folder / "var")
        patch.setattr(settings, "database_url", "")
        with server.running():
            yield {"pantau": pantau, "out": folder / "out"}


def pulled(real: dict[str, Any]) -> None:
    """The feeds of the inbox, run (once for this file)."""
    if real.get("pulled"):
        return
    ran = real["pantau"]("pull", "kemendagri__wilayah", "kemendagri__penduduk", "kemenkes__puskesmas")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    real["pulled"] = True


def reading(connection: Connection, feed: str) -> dict[str, Any]:
    """The feed's newest reading."""
    row = connection.execute(
        "select r.*, d.simulated from ops.reading r join ops.delivery d on d.id = r.delivery_id where d.feed = %s"
        " order by d.period desc limit 1",
        [feed],
    ).fetchone()
    assert row is not None
    return row


def test_the_population_list_is_read_with_its_regions_and_controlled_by_its_total(
    real: dict[str, Any],
) -> None:
    pulled(real)
    with connect() as connection:
        found = reading(connection, "kemendagri__penduduk")
        assert (found["rows"], found["accepted"], found["refused"], found["set_aside"]) == (553, 552, 0, 1)
        assert not found["simulated"]
        totals = connection.execute(
            "select name, delivered, computed from ops.control_total where reading_id = %s", [found["id"]]
        ).fetchall()
        assert len(totals) == 6
        assert all(t["delivered"] == t["computed"] for t in totals)
        assert {t["computed"] for t in totals if t["name"].startswith("penduduk_count")} == {
            Decimal(284973643)
        }
        checked = connection.execute(
            "select count(*) as n from ops.check_result x join ops.check_run c on c.id = x.check_run_id"
            " where c.reading_id = %s and x.passed",
            [found["id"]],
        ).fetchone()
        assert checked is not None
        assert checked["n"] >= 4


def test_all_puskesmas_reach_a_regency_of_2025(real: dict[str, Any]) -> None:
    """406 of them by law: they were listed under 26 codes that died in 2022."""
    pulled(real)
    with connect() as connection:
        found = reading(connection, "kemenkes__puskesmas")
        assert (found["rows"], found["accepted"], found["refused"]) == (10_292, 10_292, 0)
        row = connection.execute(
            "select count(*) as n, count(*) filter (where w.kode is null) as lost,"
            " count(*) filter (where d.kode is null) as moved,"
            " count(distinct p.kode_kabupaten) filter (where d.kode is null) as dead_codes"
            " from raw.kemenkes__puskesmas p"
            " left join raw.kemendagri__wilayah w on w.reading_id = %(register)s and w.kode = p.wilayah_kode"
            "   and length(w.kode) = 5"
            " left join raw.kemendagri__wilayah d on d.reading_id = %(register)s"
            "   and replace(d.kode, '.', '') = p.kode_kabupaten"
            " where p.reading_id = %(reading)s",
            {"register": found["register_reading_id"], "reading": found["id"]},
        ).fetchone()
        assert row == {"n": 10_292, "lost": 0, "moved": 406, "dead_codes": 26}


def test_a_month_without_a_figure_comes_to_no_release_and_says_so(real: dict[str, Any]) -> None:
    pulled(real)
    left_out = [word for feed in WITHOUT for word in ("--without", feed)]
    undecided = real["pantau"]("close", "2025-12")
    assert undecided.returncode == 1
    assert "not complete: komdigi__desa_3t" in undecided.stderr
    assert "--without" in undecided.stderr
    unsaid = real["pantau"]("close", "2025-12", *left_out)
    assert unsaid.returncode == 1
    assert "--why" in unsaid.stderr
    closed = real["pantau"](
        "close", "2025-12", *left_out, "--by", "tester", "--why", "only real data is there"
    )
    assert closed.returncode == 1, closed.stdout + closed.stderr
    assert "2025-12 has no figures" in closed.stderr
    assert "No candidate waits" in real["pantau"]("approve", "2025-12", "--acknowledge").stderr

    with connect() as connection:
        build = connection.execute("select * from ops.build").fetchone()
        assert build is not None
        assert build["without"] == sorted(WITHOUT)
        assert not build["simulated"]
        decision = connection.execute("select what from ops.ledger where kind = 'build'").fetchone()
        assert decision is not None
        assert decision["what"]["why"] == "only real data is there"
        assert connection.execute("select from public.published_release").fetchall() == []
    with connect(options=f"-c pantau.build={build['id']}") as connection:
        sums = connection.execute(
            "select length(wilayah_kode) as level, count(*) as regions, sum(penduduk_count) as people"
            " from staging.stg_kemendagri__penduduk where period = '2025-12' group by 1 order by 1"
        ).fetchall()
        assert sums == [
            {"level": 2, "regions": 38, "people": 284973643},
            {"level": 5, "regions": 514, "people": 284973643},
        ]
