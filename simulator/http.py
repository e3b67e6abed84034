"""Komdigi's CKAN and its folder of plain files, the operators' APIs, and the simulator's control desk, over HTTP.

Promise: an answer hangs on clock and faults alone; no header carries the machine's time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Sequence
from datetime import UTC
from email.utils import format_datetime
from threading import Thread
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from simulator.deliveries import DESA_3T, DESA_4G, FEED_PERIODS, RESTATES
from simulator.faults import FAULTS
from simulator.institutions import Institutions, Ready, Refusal
from simulator.obligations import HEADER, KEWAJIBAN

PACKAGE = "desa-4g-bulanan"
OBLIGATIONS = "kewajiban-operator"
SITE = "https://data.simulasi.invalid"
MOST_ROWS = 32_000  # of one answer, as CKAN has it
ERROR_PAGE = (
    '<!DOCTYPE html>\n<html lang="id"><head><title>Sedang dalam perbaikan</title></head>\n'
    "<body><h1>Layanan sedang dalam perbaikan</h1><p>Silakan coba beberapa saat lagi.</p></body></html>\n"
)


class ShortBody(Response):
    """Announces the whole file and hangs up in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send(
            {"type": "http.response.body", "body": bytes(self.body[: len(self.body) // 2]), "more_body": True}
        )


async def trouble(institutions: Institutions, request: Request, ready: Ready) -> Response | None:
    """What goes wrong in sending, before anything is sent: an answer of its own, or none in time."""
    if institutions.happens(ready, "hang"):
        while not await request.is_disconnected():
            await asyncio.sleep(0.1)
        return Response(status_code=503)  # to nobody
    await asyncio.sleep(institutions.seconds(ready))
    if institutions.happens(ready, "server_error"):
        return PlainTextResponse("Layanan tidak tersedia.\n", status_code=503)
    if institutions.happens(ready, "too_many_requests"):
        return PlainTextResponse(
            "Terlalu banyak permintaan.\n", status_code=429, headers={"Retry-After": "1"}
        )
    if institutions.happens(ready, "html_200"):
        return Response(ERROR_PAGE, media_type="text/html")
    return None


def page(
    institutions: Institutions, ready: Ready, body: bytes, headers: dict[str, str] | None = None
) -> Response:
    """A page of a list, with the faults in its bytes."""
    if ready.fault and (cut := FAULTS[ready.fault].cut):
        body = cut(body)
    kind = ShortBody if institutions.happens(ready, "short_body") else Response
    return kind(body, media_type="application/json", headers=headers)


class Site:
    """The routes. Every answer is made from the institutions at their clock. `others`: routes made elsewhere."""

    def __init__(self, institutions: Institutions, token: str, others: Sequence[BaseRoute] = ()) -> None:
        self.institutions = institutions
        self._others = others
        self._token = token
        # Called after every order about faults: the SFTP server's host key may be another now.
        self.after_order: Any = lambda: None

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/api/3/action/package_show", self.package_show),
                Route("/api/3/action/datastore_search", self.datastore_search),
                Route(f"/dataset/{PACKAGE}/resource/{{id}}/download/{{name}}", self.resource),
                Route("/unduh/{name}", self.plain_file),
                Route("/_control/clock", self.clock, methods=["POST"]),
                Route("/_control/fault", self.fault, methods=["POST"]),
                Route("/_control/state", self.state),
                *self._others,
            ]
        )

    # -- files -----------------------------------------------------------------------------------------

    async def _file(self, request: Request, ready: Ready | None) -> Response:
        if ready is None:
            return PlainTextResponse("Berkas tidak ditemukan.\n", status_code=404)
        if (wrong := await trouble(self.institutions, request, ready)) is not None:
            return wrong
        stamp = format_datetime(ready.at.astimezone(UTC), usegmt=True)
        etag = self.institutions.etag(ready)
        headers = {"ETag": etag, "Last-Modified": stamp}
        known = request.headers.get("if-none-match")
        # Time is compared for equality, as nginx does: a delivery taken back goes to an older time.
        same = known == etag if known else request.headers.get("if-modified-since") == stamp
        if same:
            return Response(status_code=304, headers=headers)
        kind = ShortBody if self.institutions.happens(ready, "short_body") else Response
        return kind(self.institutions.body(ready), media_type="text/csv; charset=utf-8", headers=headers)

    async def resource(self, request: Request) -> Response:
        """A resource of the CKAN package."""
        name = request.path_params["name"]
        period = name.removeprefix("desa-4g-").removesuffix(".csv")
        if name != f"desa-4g-{period}.csv" or request.path_params["id"] != resource_id(period):
            return await self._file(request, None)
        return await self._file(request, self.institutions.ready(DESA_4G, period))

    async def plain_file(self, request: Request) -> Response:
        """A list of 3T villages."""
        name = request.path_params["name"]
        year = name.removeprefix("desa_3t_").removesuffix(".csv")
        if name != f"desa_3t_{year}.csv":
            return await self._file(request, None)
        return await self._file(request, self.institutions.ready(DESA_3T, f"{year}-01"))

    async def package_show(self, request: Request) -> Response:
        """CKAN's action of that name; its times are UTC without a zone, as CKAN writes them."""
        asked = request.query_params.get("id", "")
        for feed, package in ((DESA_4G, PACKAGE), (KEWAJIBAN, OBLIGATIONS)):
            if asked in (package, resource_id(package, package)):
                return _ckan(request, self._package(request, feed, package))
        return _ckan_error(request, 404, "Not Found Error", message="Not found")

    def _package(self, request: Request, feed: str, package: str) -> dict[str, Any]:
        lying = [r for p in FEED_PERIODS[feed] if (r := self.institutions.ready(feed, p))]
        title = {
            DESA_4G: "Cakupan 4G per desa, bulanan",
            KEWAJIBAN: "Kewajiban pembangunan operator, bulanan",
        }
        return {
            "id": resource_id(package, package),
            "name": package,
            "title": title[feed],
            "notes": "Data simulasi.",
            "organization": {"name": "komdigi", "title": "Kementerian Komunikasi dan Digital"},
            "state": "active",
            "type": "dataset",
            "metadata_modified": max((_ckan_time(r) for r in lying), default=None),
            "num_resources": len(lying),
            "resources": [
                {
                    **(self._file_resource if feed == DESA_4G else _rows_resource)(request, r),
                    "position": position,
                }
                for position, r in enumerate(lying)
            ],
        }

    def _file_resource(self, request: Request, ready: Ready) -> dict[str, Any]:
        name, known_as = f"desa-4g-{ready.period}", resource_id(ready.period)
        revised = RESTATES.get(ready.period) == ready.letter
        return {
            "id": known_as,
            "package_id": resource_id(PACKAGE),
            "name": name,
            "description": "Revisi setelah verifikasi lapangan Oktober 2026." if revised else "",
            "format": "CSV",
            "mimetype": "text/csv",
            "url_type": "upload",
            "url": f"{request.base_url}dataset/{PACKAGE}/resource/{known_as}/download/{name}.csv",
            "size": self.institutions.size(ready),
            "hash": f"sha256:{self.institutions.sha256(ready)}",
            "last_modified": _ckan_time(ready),
            "datastore_active": False,
            "state": "active",
        }

    async def datastore_search(self, request: Request) -> Response:
        """CKAN's action of that name: the rows of a resource, `limit` from `offset` on."""
        asked = request.query_params
        periods = {resource_id(period, OBLIGATIONS): period for period in FEED_PERIODS[KEWAJIBAN]}
        period = periods.get(asked.get("resource_id", ""), "")
        ready = self.institutions.ready(KEWAJIBAN, period)
        if ready is None:
            return _ckan_error(request, 404, "Not Found Error", message="Not found: Resource was not found.")
        if (wrong := await trouble(self.institutions, request, ready)) is not None:
            return wrong
        numbers = [asked.get("limit", "100"), asked.get("offset", "0")]
        if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
            return _ckan_error(request, 409, "Validation Error", limit=["Invalid integer"])
        limit, offset = min(int(numbers[0]), MOST_ROWS), int(numbers[1])
        lines = self.institutions.items(ready)
        if self.institutions.happens(ready, "page_error") and offset + limit >= len(lines):
            return PlainTextResponse("Internal Server Error\n", status_code=500)
        result = {
            "include_total": True,
            "limit": limit,
            "offset": offset,
            "records_format": "objects",
            "resource_id": asked["resource_id"],
            "total_estimation_threshold": None,
            "total_was_estimated": False,
            "fields": [{"id": "_id", "type": "int"}, *({"id": name, "type": "text"} for name in HEADER)],
            "total": len(lines) + 7 * self.institutions.happens(ready, "wrong_total"),
            "records": [],
        }
        records = b", ".join(
            b'{"_id": %d, %s' % (number, line[1:])
            for number, line in enumerate(lines[offset : offset + limit], offset + 1)
        )
        body = json.dumps({"help": _help(request), "success": True, "result": result}).encode()
        return page(self.institutions, ready, body.removesuffix(b"[]}}") + b"[" + records + b"]}}")

    # -- control ---------------------------------------------------------------------------------------

    def _allowed(self, request: Request) -> bool:
        return hmac.compare_digest(request.headers.get("x-control-token", ""), self._token)

    async def _order(self, request: Request) -> dict[str, Any]:
        try:
            order = json.loads(await request.body())
        except ValueError:
            order = None
        if not isinstance(order, dict):
            raise Refusal("The order is not a JSON object.")
        return order

    async def clock(self, request: Request) -> Response:
        """Sets the simulator's clock. With `"ahead": true` what takes long to make is made now, beside answering."""
        if not self._allowed(request):
            return _not_allowed()
        try:
            order = await self._order(request)
            self.institutions.set_clock(order.get("now"))
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400)
        clock = self.institutions.clock
        if order.get("ahead") is True:
            Thread(target=self.institutions.deliveries.make_ahead, args=[clock], daemon=True).start()
        return JSONResponse({"clock": clock.isoformat()})

    async def fault(self, request: Request) -> Response:
        """Turns a fault on or off; answers with the rows that it touches."""
        if not self._allowed(request):
            return _not_allowed()
        try:
            order = await self._order(request)
            if "fault" not in order:
                raise Refusal("The order names no 'fault'; null turns one off.")
            touched = self.institutions.set_fault(
                order.get("feed"),
                order.get("part", ""),
                order.get("period"),
                order["fault"],
                order.get("seconds"),
            )
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400)
        self.after_order()
        return JSONResponse({**order, "touched": touched})

    async def state(self, request: Request) -> Response:
        """The clock, the faults and what lies ready."""
        return JSONResponse(self.institutions.state()) if self._allowed(request) else _not_allowed()


def _not_allowed() -> Response:
    return JSONResponse({"error": "Send the control token in the header X-Control-Token."}, status_code=401)


def resource_id(name: str, package: str = PACKAGE) -> str:
    """A CKAN id that is always the same for the same thing."""
    return str(uuid5(NAMESPACE_URL, f"simulasi/{package}/{name}"))


def _rows_resource(request: Request, ready: Ready) -> dict[str, Any]:
    """A resource that lies in the datastore alone."""
    known_as = resource_id(ready.period, OBLIGATIONS)
    return {
        "id": known_as,
        "package_id": resource_id(OBLIGATIONS, OBLIGATIONS),
        "name": f"{OBLIGATIONS}-{ready.period}",
        "description": "",
        "format": "JSON",
        "mimetype": "application/json",
        "url_type": "datastore",
        "url": f"{request.base_url}api/3/action/datastore_search?resource_id={known_as}",
        "size": None,
        "hash": "",
        "last_modified": _ckan_time(ready),
        "datastore_active": True,
        "state": "active",
    }


def _help(request: Request) -> str:
    """As CKAN writes it: with the address of its settings, whatever address was asked. So pages are always the same."""
    return f"{SITE}/api/3/action/help_show?name={request.url.path.rpartition('/')[2]}"


def _ckan(request: Request, result: dict[str, Any]) -> Response:
    return JSONResponse({"help": _help(request), "success": True, "result": result})


def _ckan_error(request: Request, status: int, kind: str, **more: Any) -> Response:
    error = {"__type": kind, **more}
    return JSONResponse({"help": _help(request), "success": False, "error": error}, status_code=status)


def _ckan_time(ready: Ready) -> str:
    return ready.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
