"""A real simulator as a process of its own, and a small client for its three protocols."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import httpx

ROOT = Path(__file__).resolve().parents[3]
DESA_4G, DESA_3T, ANGGARAN = "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik"


class Simulator:
    """A running simulator, as its users see it: by endpoints.json alone."""

    def __init__(self, state: Path, *options: str, **environment: str) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--state", str(state), *options],
            cwd=ROOT,
            env=os.environ | environment,
        )
        self.options = options

    def wait(self) -> Simulator:
        """Until it serves."""
        deadline = time.monotonic() + 30
        while not (self.state / "endpoints.json").exists():
            assert self.process.poll() is None, "the simulator ended before it served"
            assert time.monotonic() < deadline, "the simulator does not get ready"
            time.sleep(0.02)
        self.endpoints = json.loads((self.state / "endpoints.json").read_text())
        self.http = httpx.Client(base_url=self.endpoints["http"], timeout=20)
        return self

    def stop(self) -> int:
        if hasattr(self, "http"):
            self.http.close()
        self.process.terminate()
        return self.process.wait(timeout=10)

    def order(self, what: str, **order: Any) -> httpx.Response:
        token = {"X-Control-Token": self.endpoints["control_token"]}
        return self.http.post(f"/_control/{what}", json=order, headers=token)

    def clock(self, day: str) -> None:
        assert self.order("clock", now=f"{day}T09:00:00+07:00").status_code == 200

    def fault(self, feed: str, period: str, fault: str | None, **more: Any) -> list[dict[str, Any]]:
        answer = self.order("fault", feed=feed, period=period, fault=fault, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["touched"]

    def resources(self) -> dict[str, dict[str, Any]]:
        answer = self.http.get("/api/3/action/package_show", params={"id": "desa-4g-bulanan"}).json()
        assert answer["success"] is True
        return {resource["name"]: resource for resource in answer["result"]["resources"]}

    def sftp(self, work: Callable[[asyncssh.SFTPClient], Any]) -> Any:
        """Runs `work(client)` on a connection that trusts the published host key alone."""
        where = self.endpoints["sftp"]

        async def run() -> Any:
            trusted = ([asyncssh.import_public_key(where["host_key"])], [], [])
            async with (
                asyncssh.connect(
                    where["host"], where["port"], username=where["user"], password=where["password"],
                    known_hosts=trusted, client_keys=None, config=None,
                ) as link,
                link.start_sftp_client() as client,
            ):  # fmt: skip
                return await work(client)

        return asyncio.run(run())

    def get(self, feed: str, period: str) -> bytes:
        """The bytes of a feed's file for a period, over its own protocol."""
        if feed == ANGGARAN:
            return self.sftp(lambda client: read(client, f"/keluar/anggaran_tik_{period}.csv"))
        url = f"/unduh/desa_3t_{period[:4]}.csv"
        if feed == DESA_4G:
            url = self.resources()[f"desa-4g-{period}"]["url"]
        answer = self.http.get(url)
        assert answer.status_code == 200
        return answer.content


async def read(client: asyncssh.SFTPClient, path: str) -> bytes:
    async with client.open(path, "rb") as file:
        return await file.read()
