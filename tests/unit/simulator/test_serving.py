"""What is served, when and how: the protocols, the clock, starting and stopping."""

from __future__ import annotations

import json
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
from running import ANGGARAN, BTS, CAKUPAN, DESA_3T, DESA_4G, KEWAJIBAN, PARTS, Simulator

from simulator.__main__ import known_secrets


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
        (CAKUPAN, "2026-08"),
        (BTS, "2026-09"),
        (KEWAJIBAN, "2026-09"),
    ):
        assert one.get(feed, period) == two.get(feed, period)
    first = [one.page("xlsmart", "2026-08"), two.page("xlsmart", "2026-08")]
    assert first[0].content == first[1].content
    assert first[0].headers["ETag"] == first[1].headers["ETag"]
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


def test_what_is_made_ahead_is_what_is_made_when_asked(small_simulator: Simulator, tmp_path: Path) -> None:
    other = Simulator(tmp_path / "state", "--seed", "7", "--provinces", "91,96")
    try:
        other.wait()
        assert other.order("clock", now="2026-11-16T09:00:00+07:00", ahead=True).status_code == 200
        for period in ("2025-01", "2026-10"):
            assert other.get(BTS, period) == small_simulator.get(BTS, period)
    finally:
        other.stop()


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


def test_each_login_finds_its_own_folder(simulator: Simulator) -> None:
    async def look(client: asyncssh.SFTPClient) -> list[str]:
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.stat("/keluar/anggaran_tik_2026-10.csv")
        assert await client.listdir("/") == ["bakti"]
        return sorted(await client.listdir("/bakti"))

    names = simulator.sftp(look, "bakti_sftp")
    assert len(names) == 22
    assert (names[0], names[-1]) == ("bts_2025-01.xlsx", "bts_2026-10.xlsx")
    assert simulator.sftp(lambda client: client.listdir("/")) == ["keluar"]


def test_an_operators_list_page_by_page(simulator: Simulator) -> None:
    for part in PARTS:
        answers = list(simulator.walk(part, "2026-10"))
        pages = [answer.json() for answer in answers if answer.status_code == 200]
        waits = [number for number, answer in enumerate(answers) if answer.status_code == 429]
        assert {len(page["data"]) for page in pages[:-1]} == {5_000}
        assert 0 < len(pages[-1]["data"]) <= 5_000
        assert {page["jumlah"] for page in pages} == {sum(len(page["data"]) for page in pages)}
        assert {(page["operator"], page["periode"]) for page in pages} == {(part, "2026-10")}
        assert [page["berikut"] is None for page in pages] == [False] * (len(pages) - 1) + [True]
        assert [answer.headers["Retry-After"] for answer in answers if answer.status_code == 429] == [
            "1"
        ] * len(waits)
        assert len(waits) == (part == "telkomsel")
        assert ["ETag" in answer.headers for answer in answers] == [True] + [False] * (len(answers) - 1)
        assert not [a for a in simulator.walk(part, "2026-10") if a.status_code == 429]  # but the first time
        again = simulator.page(part, "2026-10", **{"If-None-Match": answers[0].headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert simulator.page(part, "2026-10", "bmljaHRz").status_code == 410
        for period in ("2026-11", "2026-06", "lain"):
            missing = simulator.page(part, period)
            assert (missing.status_code, list(missing.json())) == (404, ["kesalahan"])


def test_an_operators_door(simulator: Simulator) -> None:
    telkomsel, indosat = (simulator.endpoints["operators"][part] for part in PARTS[:2])
    form = {"grant_type": "client_credentials"}
    right = (telkomsel["client_id"], telkomsel["client_secret"])

    def enter(auth: tuple[str, str], data: dict[str, str] = form) -> tuple[int, str]:
        answer = simulator.http.post(telkomsel["url"] + "/oauth/token", data=data, auth=auth)
        return answer.status_code, answer.json().get("error", "")

    assert enter(right) == (200, "")
    assert enter((right[0], "wrong")) == (401, "invalid_client")
    assert enter((indosat["client_id"], indosat["client_secret"])) == (401, "invalid_client")
    assert enter(right, {"grant_type": "password"}) == (400, "unsupported_grant_type")
    asked = {"url": telkomsel["url"] + "/v1/cakupan", "params": {"periode": "2026-08"}}
    for headers in ({}, {"Authorization": "Bearer x"}, simulator.token("indosat")):
        answer = simulator.http.get(**asked, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert simulator.http.get(**asked, headers=simulator.token("telkomsel")).status_code == 200
    assert simulator.http.get("/operator/lain/v1/cakupan").status_code == 404


def test_operators_deliver_one_by_one_and_restate(simulator: Simulator) -> None:
    simulator.clock("2026-10-16")
    assert [simulator.page(part, "2026-09").status_code for part in PARTS] == [200, 404, 200]
    before = simulator.page("telkomsel", "2026-08")
    simulator.clock("2026-10-20")
    assert simulator.page("indosat", "2026-09").status_code == 200
    after = simulator.page("telkomsel", "2026-08")
    assert after.json()["jumlah"] == before.json()["jumlah"] - 40
    assert after.headers["ETag"] != before.headers["ETag"]
    assert simulator.page("telkomsel", "2026-08", before.json()["berikut"]).status_code == 410
    simulator.clock("2026-09-15")
    same = simulator.page("indosat", "2026-08")
    simulator.clock("2026-09-13")
    assert simulator.page("indosat", "2026-08").content == same.content
    assert simulator.page("indosat", "2026-08").headers["ETag"] != same.headers["ETag"]


def test_the_datastore_page_by_page(simulator: Simulator) -> None:
    resources = simulator.resources("kewajiban-operator")
    assert len(resources) == 22
    resource = resources["kewajiban-operator-2026-10"]
    assert resource["datastore_active"] is True
    assert resource["last_modified"] == "2026-11-04T17:00:00.000000"
    assert simulator.http.get(resource["url"]).json()["success"] is True
    pages = [simulator.search("2026-10", limit=1_000, offset=offset).json()["result"]
             for offset in range(0, 5_000, 1_000)]  # fmt: skip
    assert [len(page["records"]) for page in pages] == [1_000, 1_000, 1_000, 435, 0]
    assert {page["total"] for page in pages} == {3_435}
    assert [row["_id"] for page in pages for row in page["records"]] == list(range(1, 3_436))
    names = [field["id"] for field in pages[0]["fields"]]
    assert list(pages[0]["records"][0]) == names == [
        "_id", "operator", "kode_desa", "nama_desa", "tenggat", "tanggal_bangun", "bukti"
    ]  # fmt: skip
    assert len(simulator.search("2026-10").json()["result"]["records"]) == 100
    assert simulator.search("2026-10", limit="x").status_code == 409
    unknown = simulator.http.get("/api/3/action/datastore_search", params={"resource_id": "lain"})
    assert (unknown.status_code, unknown.json()["success"]) == (404, False)


def test_secrets_of_an_older_simulator_are_kept_and_completed(tmp_path: Path) -> None:
    first = known_secrets(tmp_path)
    old = {name: first[name] for name in ("password", "control_token", "host_key", "wrong_host_key")}
    (tmp_path / "secrets.json").write_text(json.dumps(old))
    second = known_secrets(tmp_path)
    assert {name: second[name] for name in old} == old
    assert set(second) == set(first)
    assert len(set(second.values())) == len(second)
    assert known_secrets(tmp_path) == second


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
        ("fault", {"feed": DESA_4G, "part": "telkomsel", "period": "2026-09", "fault": "slow"}),
        ("fault", {"feed": CAKUPAN, "period": "2026-09", "fault": "slow"}),
        ("fault", {"feed": CAKUPAN, "part": "xlsmart", "period": "2026-06", "fault": "slow"}),
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
