"""Komdigi's CKAN and its folder of plain files, and the control desk of the simulator, over HTTP.

Promise: an answer hangs on clock and faults alone; no header carries the machine's time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.deliveries import DESA_3T, DESA_4G, FEED_PERIODS, RESTATED
from simulator.institutions import Institutions, Ready, Refusal

PACKAGE = "desa-4g-bulanan"
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


class Site:
    """The routes. Every answer is made from the institutions at their clock."""

    def __init__(self, institutions: Institutions, token: str) -> None:
        self.institutions = institutions
        self._token = token
        # Called after every order about faults: the SFTP server's host key may be another now.
        self.after_order: Any = lambda: None

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/api/3/action/package_show", self.package_show),
                Route(f"/dataset/{PACKAGE}/resource/{{id}}/download/{{name}}", self.resource),
                Route("/unduh/{name}", self.plain_file),
                Route("/_control/clock", self.clock, methods=["POST"]),
                Route("/_control/fault", self.fault, methods=["POST"]),
                Route("/_control/state", self.state),
            ]
        )

    # -- files -----------------------------------------------------------------------------------------

    async def _file(self, request: Request, ready: Ready | None) -> Response:
        if ready is None:
            return PlainTextResponse("Berkas tidak ditemukan.\n", status_code=404)
        await asyncio.sleep(self.institutions.seconds(ready))
        if self.institutions.happens(ready, "server_error"):
            return PlainTextResponse("Layanan tidak tersedia.\n", status_code=503)
        if self.institutions.happens(ready, "html_200"):
            return Response(ERROR_PAGE, media_type="text/html")
        stamp = format_datetime(ready.at.astimezone(UTC), usegmt=True)
        headers = {"ETag": ready.etag, "Last-Modified": stamp}
        known = request.headers.get("if-none-match")
        # Time is compared for equality, as nginx does: a delivery taken back goes to an older time.
        same = known == ready.etag if known else request.headers.get("if-modified-since") == stamp
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
        about = f"{request.base_url}api/3/action/help_show?name=package_show"
        if asked not in (PACKAGE, resource_id(PACKAGE)):
            error = {"__type": "Not Found Error", "message": "Not found"}
            return JSONResponse({"help": about, "success": False, "error": error}, status_code=404)
        lying = [r for p in FEED_PERIODS[DESA_4G] if (r := self.institutions.ready(DESA_4G, p))]
        result = {
            "id": resource_id(PACKAGE),
            "name": PACKAGE,
            "title": "Cakupan 4G per desa, bulanan",
            "notes": "Data simulasi.",
            "organization": {"name": "komdigi", "title": "Kementerian Komunikasi dan Digital"},
            "state": "active",
            "type": "dataset",
            "metadata_modified": max((_ckan_time(r) for r in lying), default=None),
            "num_resources": len(lying),
            "resources": [self._resource(request, r, position) for position, r in enumerate(lying)],
        }
        return JSONResponse({"help": about, "success": True, "result": result})

    def _resource(self, request: Request, ready: Ready, position: int) -> dict[str, Any]:
        name, known_as = f"desa-4g-{ready.period}", resource_id(ready.period)
        revised = (ready.period, ready.letter) == (RESTATED, "B")
        return {
            "id": known_as,
            "package_id": resource_id(PACKAGE),
            "name": name,
            "description": "Revisi setelah verifikasi lapangan Oktober 2026." if revised else "",
            "format": "CSV",
            "mimetype": "text/csv",
            "url_type": "upload",
            "url": f"{request.base_url}dataset/{PACKAGE}/resource/{known_as}/download/{name}.csv",
            "size": ready.size,
            "hash": f"sha256:{ready.sha256}",
            "last_modified": _ckan_time(ready),
            "position": position,
            "state": "active",
        }

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
        """Sets the simulator's clock."""
        if not self._allowed(request):
            return _not_allowed()
        try:
            self.institutions.set_clock((await self._order(request)).get("now"))
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400)
        return JSONResponse({"clock": self.institutions.clock.isoformat()})

    async def fault(self, request: Request) -> Response:
        """Turns a fault on or off; answers with the rows that it touches."""
        if not self._allowed(request):
            return _not_allowed()
        try:
            order = await self._order(request)
            if "fault" not in order:
                raise Refusal("The order names no 'fault'; null turns one off.")
            touched = self.institutions.set_fault(
                order.get("feed"), order.get("period"), order["fault"], order.get("seconds")
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


def resource_id(name: str) -> str:
    """A CKAN id that is always the same for the same thing."""
    return str(uuid5(NAMESPACE_URL, f"simulasi/{PACKAGE}/{name}"))


def _ckan_time(ready: Ready) -> str:
    return ready.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
