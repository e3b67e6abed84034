"""A real simulator as a process of its own, and a small client for its protocols."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import httpx
from python_calamine import CalamineWorkbook

ROOT = Path(__file__).resolve().parents[3]
DESA_4G, DESA_3T, ANGGARAN = "komdigi__desa_4g", "komdigi__desa_3t", "kemenkeu__anggaran_tik"
CAKUPAN, BTS, KEWAJIBAN = "operator__cakupan", "bakti__bts", "komdigi__kewajiban"
PARTS = ("telkomsel", "indosat", "xlsmart")
FILES = {ANGGARAN: ("sftp", "/keluar/anggaran_tik_{}.csv"), BTS: ("bakti_sftp", "/bakti/bts_{}.xlsx")}


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
        self.tokens: dict[str, dict[str, str]] = {}

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

    def resources(self, package: str = "desa-4g-bulanan") -> dict[str, dict[str, Any]]:
        answer = self.http.get("/api/3/action/package_show", params={"id": package}).json()
        assert answer["success"] is True
        return {resource["name"]: resource for resource in answer["result"]["resources"]}

    def sftp(self, work: Callable[[asyncssh.SFTPClient], Any], login: str = "sftp") -> Any:
        """Runs `work(client)` on a connection that trusts the published host key alone."""
        where = self.endpoints[login]

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

    def token(self, part: str) -> dict[str, str]:
        """The header that opens an operator's list, with a new token."""
        client = self.endpoints["operators"][part]
        answer = self.http.post(
            client["url"] + "/oauth/token", data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def page(self, part: str, period: str, cursor: str = "", **headers: str) -> httpx.Response:
        """A page of an operator's list; a dead token is renewed."""
        asked = {"periode": period} | ({"kursor": cursor} if cursor else {})
        url = self.endpoints["operators"][part]["url"] + "/v1/cakupan"
        token = self.tokens.get(part) or self.tokens.setdefault(part, self.token(part))
        answer = self.http.get(url, params=asked, headers={**token, **headers})
        if answer.status_code == 401:
            self.tokens[part] = self.token(part)
            answer = self.http.get(url, params=asked, headers={**self.tokens[part], **headers})
        return answer

    def walk(self, part: str, period: str) -> Iterator[httpx.Response]:
        """Every answer from the first page to the last; the wait that a 429 asks for is left out."""
        cursor: str | None = ""
        while cursor is not None:
            yield (answer := self.page(part, period, cursor))
            if answer.status_code != 429:
                assert answer.status_code == 200, answer.text
                cursor = answer.json()["berikut"]

    def claims(self, part: str, period: str) -> list[dict[str, Any]]:
        """All items of an operator's list."""
        pages = [answer.json() for answer in self.walk(part, period) if answer.status_code == 200]
        items = [item for page in pages for item in page["data"]]
        assert {page["jumlah"] for page in pages} == {len(items)}
        return items

    def search(self, period: str, **asked: object) -> httpx.Response:
        """Rows of the datastore."""
        known_as = self.resources("kewajiban-operator")[f"kewajiban-operator-{period}"]["id"]
        return self.http.get(
            "/api/3/action/datastore_search", params={"resource_id": known_as, **asked}
        )  # fmt: skip

    def get(self, feed: str, period: str) -> bytes:
        """The bytes of a feed's file for a period, over its own protocol; of a list, its items as JSON."""
        if feed == CAKUPAN:
            return json.dumps(self.claims(PARTS[0], period)).encode()
        if feed == KEWAJIBAN:
            rows = self.search(period, limit=32_000).json()["result"]["records"]
            assert [row.pop("_id") for row in rows] == list(range(1, len(rows) + 1))
            return json.dumps(rows).encode()
        if feed in FILES:
            login, path = FILES[feed]
            return self.sftp(lambda client: read(client, path.format(period)), login)
        url = f"/unduh/desa_3t_{period[:4]}.csv"
        if feed == DESA_4G:
            url = self.resources()[f"desa-4g-{period}"]["url"]
        answer = self.http.get(url)
        assert answer.status_code == 200
        return answer.content


async def read(client: asyncssh.SFTPClient, path: str) -> bytes:
    async with client.open(path, "rb") as file:
        return await file.read()


def sheet(data: bytes, name: str = "BTS") -> list[list[Any]]:
    """The table of a BTS workbook: its header's three levels joined, then the rows as they are typed."""
    rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_name(name).to_python()
    top, middle, units = rows[3:6]
    header, group = [], ""
    for above, name, unit in zip(top, middle, units, strict=True):
        group = above or (group if name else "")
        header.append(" / ".join(filter(None, (group, name, unit))))
    return [header, *rows[6:]]
