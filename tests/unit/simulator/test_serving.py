"""What is served, when and how: the protocols, the clock, starting and stopping."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import asyncssh
import pytest
from running import ANGGARAN, DESA_3T, DESA_4G, Simulator


def test_two_processes_serve_the_same_bytes(simulators: list[Simulator]) -> None:
    one, two = simulators
    for simulator in simulators:
        simulator.clock("2026-10-21")
    assert (one.state / "truth.jsonl").read_bytes() == (two.state / "truth.jsonl").read_bytes()
    for feed, period in (
        (DESA_4G, "2026-08"),
        (DESA_4G, "2026-09"),
        (DESA_3T, "2026-01"),
        (ANGGARAN, "2026-09"),
    ):
        assert one.get(feed, period) == two.get(feed, period)
    stripped = [
        {name: {**resource, "url": resource["url"].removeprefix(simulator.endpoints["http"])}
         for name, resource in simulator.resources().items()}
        for simulator in simulators
    ]  # fmt: skip
    assert stripped[0] == stripped[1]  # size, hash and time of all 21 months
    assert len(stripped[0]) == 21
    touched = [simulator.fault(DESA_4G, "2026-09", "mass_outage") for simulator in simulators]
    assert touched[0] == touched[1]
    assert one.get(DESA_4G, "2026-09") == two.get(DESA_4G, "2026-09")
    for simulator in simulators:
        simulator.fault(DESA_4G, "2026-09", None)


def test_package_show_states_what_is_sent(simulator: Simulator) -> None:
    resource = simulator.resources()["desa-4g-2026-10"]
    body = simulator.http.get(resource["url"]).content
    assert resource["format"] == "CSV"
    assert resource["size"] == len(body)
    assert resource["hash"] == "sha256:" + sha256(body).hexdigest()
    assert body.splitlines()[0] == b"kode_desa,nama_desa,status_4g,tanggal_on_air"
    unknown = simulator.http.get("/api/3/action/package_show", params={"id": "lain"})
    assert unknown.status_code == 404
    assert unknown.json()["success"] is False


def test_conditional_requests(simulator: Simulator) -> None:
    first = simulator.http.get("/unduh/desa_3t_2025.csv")
    assert first.status_code == 200
    for asked, known in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        again = simulator.http.get("/unduh/desa_3t_2025.csv", headers={asked: first.headers[known]})
        assert again.status_code == 304
        assert not again.content
    assert simulator.http.get("/unduh/desa_3t_2027.csv").status_code == 404
    assert simulator.http.get("/unduh/..%2Fsecrets.json").status_code == 404


def test_sftp_lists_and_reads_and_refuses_to_write(simulator: Simulator) -> None:
    async def look(client: asyncssh.SFTPClient) -> None:
        names = sorted(await client.listdir("/keluar"))
        assert names == sorted(name for name in names if name.startswith("anggaran_tik_"))
        assert len(names) == 22
        size = (await client.stat("/keluar/anggaran_tik_2026-10.csv")).size
        async with client.open("/keluar/anggaran_tik_2026-10.csv", "rb") as file:
            assert len(await file.read()) == size
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.stat("/keluar/anggaran_tik_2026-11.csv")
        for attempt in (
            client.open("/keluar/new.csv", "wb"), client.remove("/keluar/anggaran_tik_2026-10.csv"),
            client.mkdir("/keluar/x"), client.rename("/keluar/anggaran_tik_2026-10.csv", "/x"),
            client.symlink("/etc/passwd", "/keluar/link"), client.open("/etc/passwd", "rb"),
        ):  # fmt: skip
            with pytest.raises(asyncssh.SFTPError):
                await attempt

    simulator.sftp(look)


def test_sftp_asks_for_the_password(simulator: Simulator) -> None:
    simulator.endpoints["sftp"]["password"], right = "wrong", simulator.endpoints["sftp"]["password"]
    try:
        with pytest.raises(asyncssh.PermissionDenied):
            simulator.sftp(lambda client: client.listdir("/"))
    finally:
        simulator.endpoints["sftp"]["password"] = right


def test_months_arrive_with_the_clock(simulator: Simulator) -> None:
    simulator.clock("2026-09-05")
    assert "desa-4g-2026-08" not in simulator.resources()
    assert b"PERUBAHAN" in simulator.get(ANGGARAN, "2026-08")
    simulator.clock("2026-09-10")
    august = simulator.resources()["desa-4g-2026-08"]
    simulator.clock("2026-09-16")
    again = simulator.resources()["desa-4g-2026-08"]
    assert again["hash"] == august["hash"]
    assert again["last_modified"] > august["last_modified"]
    hashes = []
    for day in ("2026-10-06", "2026-10-08", "2026-10-10"):
        simulator.clock(day)
        hashes.append(simulator.resources()["desa-4g-2026-09"]["hash"])
    assert hashes[0] == hashes[2] != hashes[1]
    simulator.clock("2026-10-09")
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        simulator.get(ANGGARAN, "2026-09")
    simulator.clock("2026-10-20")
    restated = simulator.resources()["desa-4g-2026-08"]
    assert restated["hash"] != august["hash"]
    assert restated["description"]


def test_control_needs_the_token_and_sense(simulator: Simulator) -> None:
    assert (
        simulator.http.post("/_control/clock", json={"now": "2026-01-01T00:00:00+07:00"}).status_code == 401
    )
    assert simulator.http.get("/_control/state").status_code == 401
    for what, order in (
        ("clock", {"now": "2026-01-01"}),
        ("clock", {}),
        ("fault", {"feed": "lain", "period": "2026-09", "fault": "slow"}),
        ("fault", {"feed": DESA_4G, "period": "2031-09", "fault": "slow"}),
        ("fault", {"feed": DESA_4G, "period": "2026-09", "fault": "storm"}),
        ("fault", {"feed": DESA_4G, "period": "2026-09"}),
        ("fault", {"feed": DESA_4G, "period": "2026-09", "fault": "wrong_host_key"}),
        ("fault", {"feed": ANGGARAN, "period": "2026-09", "fault": "html_200"}),
        ("fault", {"feed": DESA_4G, "period": "2025-01", "fault": "unchanged"}),
        ("fault", {"feed": ANGGARAN, "period": "2026-01", "fault": "cumulative_falls"}),
    ):
        answer = simulator.order(what, **order)
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(".")


def test_restart_keeps_secrets_clock_and_ports_and_stops_cleanly(tmp_path) -> None:
    state = tmp_path / "state"
    seen = []
    for number in (signal.SIGTERM, signal.SIGINT):
        simulator = Simulator(state, "--seed", "7", "--provinces", "91,92").wait()
        assert stat.S_IMODE((state / "endpoints.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((state / "secrets.json").stat().st_mode) == 0o600
        another = Simulator(state, "--seed", "7", "--provinces", "91,92")
        assert another.process.wait(timeout=20) == 1
        if seen:
            assert simulator.resources()["desa-4g-2026-10"]["size"] > 0
        simulator.clock("2026-11-16")
        seen.append({k: v for k, v in simulator.endpoints.items() if k != "pid"})
        simulator.http.close()
        simulator.process.send_signal(number)
        assert simulator.process.wait(timeout=10) == 0
        assert not (state / "endpoints.json").exists()
    assert seen[0] == seen[1]


def test_it_ends_with_its_parent(tmp_path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    options = ("--provinces", "91", "--with-parent", str(parent.pid))
    simulator = Simulator(tmp_path / "state", *options).wait()
    try:
        os.kill(parent.pid, signal.SIGKILL)  # the parent stays a zombie, as it would under a killed shell
        assert simulator.process.wait(timeout=10) == 0
    finally:
        parent.communicate()
        simulator.stop()


def test_memory_stays_modest(simulator: Simulator) -> None:
    simulator.resources()
    if sys.platform == "linux":
        status = Path(f"/proc/{simulator.endpoints['pid']}/status").read_text()
        assert int(status.split("VmHWM:")[1].split()[0]) < 250_000  # kB, the most it ever took


def test_a_month_is_made_quickly(simulator: Simulator) -> None:
    simulator.clock("2026-11-16")
    began = time.perf_counter()
    simulator.resources()  # makes and hashes what is not hashed yet
    for period in ("2025-03", "2025-04", "2025-05", "2025-06", "2025-07"):
        simulator.http.get(simulator.resources()[f"desa-4g-{period}"]["url"])
    assert time.perf_counter() - began < 6
