"""The gate, from the command line: a critical finding blocks and ends with 2; rejecting what is wrong heals."""

import os
import subprocess
import sys

from pantau import release
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import ANGGARAN, DESA_3T, DESA_4G, Stage, approved, made

PERIOD = "2026-07"


def pantau(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, on the test's database and folders."""
    folders = {f"PANTAU_{name.upper()}": str(getattr(settings, name)) for name in ("var", "inbox", "out")}
    return subprocess.run(
        [sys.executable, "-m", "pantau.cli", *arguments],
        env={**os.environ, **folders}, capture_output=True, text=True, check=False, cwd=settings.root,
    )  # fmt: skip


def published() -> list[dict[str, object]]:
    """Period and version of what readers see."""
    with connect() as connection:
        return connection.execute("select period, version from public.published_release").fetchall()


def test_a_critical_finding_blocks_until_the_delivery_is_rejected(stage: Stage) -> None:
    stage.deliver(DESA_3T, "2026-01")
    stage.deliver(DESA_4G, PERIOD)
    stage.fault(ANGGARAN, PERIOD, "total_mismatch")
    stage.deliver(ANGGARAN, PERIOD)
    stage.fault(ANGGARAN, PERIOD, None)

    blocked = pantau("close", PERIOD)
    assert blocked.returncode == 2, blocked.stdout + blocked.stderr
    for word in ("every.total_mismatch", ANGGARAN, PERIOD, "pantau findings", "pantau delivery reject"):
        assert word in blocked.stderr, blocked.stderr
    assert published() == []
    page = (
        settings.out / "audit" / PERIOD / "index.html"
    ).read_text()  # the pages tell of what was blocked too
    assert "tertahan oleh 1 temuan kritis" in page
    assert pantau("approve", PERIOD).returncode == 1  # there is nothing to approve
    told = pantau("findings", PERIOD)
    assert "every.total_mismatch" in told.stdout
    assert "realisasi_kumulatif_idr, APBN" in told.stdout

    with connect() as connection:
        row = connection.execute("select id from ops.delivery where feed = %s", [ANGGARAN]).fetchone()
        assert row is not None
    assert pantau("delivery", "reject", str(row["id"]), "--why", "its total is wrong").returncode == 0
    closed = pantau("close", PERIOD)  # the budget is past its grace, and may be omitted
    assert closed.returncode == 0, closed.stdout + closed.stderr
    assert "wait for approval" in closed.stdout
    approved = pantau("approve", PERIOD, "--by", "tester", "--acknowledge")
    assert approved.returncode == 0, approved.stdout + approved.stderr
    assert published() == [{"period": PERIOD, "version": 1}]
    assert "v1 terbit" in (settings.out / "audit" / PERIOD / "index.html").read_text()
    with connect() as connection:
        row = connection.execute("select context from public.published_release").fetchone()
        assert row is not None
    missing = {i["id"]: i["missing"] for i in row["context"]["indicators"]}
    assert missing == {
        "K1": [], "K2": [], "K3": ["bakti__bts"], "K12": [ANGGARAN], "K15": ["komdigi__kewajiban"],
        "R1": ["operator__cakupan"],
    }  # fmt: skip

    # a wrong option is not the gate
    assert pantau("close", "--nonsense").returncode == 1


def test_a_candidate_that_newer_data_made_void_can_not_be_approved(stage: Stage) -> None:
    stage.deliver(DESA_3T, "2026-01")
    stage.deliver(DESA_4G, "2026-06")  # what is lost is told by the month before
    stage.deliver(DESA_4G, PERIOD)
    candidates = made(PERIOD)
    approved(candidates)
    assert release.publish(candidates)
    stage.fault(DESA_4G, PERIOD, "lost_villages")
    lost, _ = stage.deliver(DESA_4G, PERIOD)
    stage.fault(DESA_4G, PERIOD, None)
    assert len(made(PERIOD)) == 1
    assert "not acknowledged" in pantau("approve", PERIOD).stderr
    with connect() as connection:
        (row,) = connection.execute("select delivery_id from ops.reading where id = %s", [lost]).fetchall()
    rejected = pantau("delivery", "reject", str(row["delivery_id"]), "--why", "an error of the ministry")
    assert rejected.returncode == 0
    assert made(PERIOD) == []  # it comes to the published hash
    refused = pantau("approve", PERIOD, "--acknowledge")
    assert refused.returncode == 1
    assert "No candidate waits" in refused.stderr
    assert published() == [{"period": PERIOD, "version": 1}]
