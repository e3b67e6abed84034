"""The operators' APIs, one for each: OAuth2 client credentials, then the claims of a month page by page.

Promise: the pages of one cursor's walk are of one list, or the walk ends with 410. Tokens are the only thing that
hangs on the machine's time.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator.claims import CAKUPAN, PARTS
from simulator.http import page, trouble
from simulator.institutions import Institutions
from simulator.programme import VILLAGES

PAGE = 5_000  # items of a whole country's page
EXPIRES_S = 300
# The gateway of telkomsel lets the first request for every ninth page of a list wait a second.
LIMITED = ("telkomsel", 9)


class Operators:
    """The routes of all operators. `clients`: part -> client id and secret."""

    def __init__(self, institutions: Institutions, clients: dict[str, tuple[str, str]]) -> None:
        self._institutions = institutions
        self._clients = clients
        self._tokens: dict[str, tuple[str, float]] = {}  # token -> part, monotonic second at which it ends
        self._let_wait: set[tuple[str, str, int]] = set()  # part, digest of the list, page
        # A smaller programme has smaller pages, so that its lists have as many.
        self.page_size = -(-PAGE * len(institutions.deliveries.programme.villages) // VILLAGES)

    def routes(self) -> list[Route]:
        """One token endpoint and one list for each operator."""
        return [
            Route("/operator/{part}/oauth/token", self.token, methods=["POST"]),
            Route("/operator/{part}/v1/cakupan", self.claims),
        ]

    async def token(self, request: Request) -> Response:
        """RFC 6749, 4.4: a token for the client's id and secret."""
        part = request.path_params["part"]
        if part not in PARTS:
            return PlainTextResponse("Not Found", status_code=404)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        wanted = "Basic " + base64.b64encode(":".join(self._clients[part]).encode()).decode()
        known = hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode())
        if not known or self._institutions.any_period(CAKUPAN, part, "token_refused"):
            headers = {"WWW-Authenticate": f'Basic realm="{part}"'}
            return JSONResponse({"error": "invalid_client"}, status_code=401, headers=headers)
        now = time.monotonic()
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept[1] > now}
        made = secrets.token_urlsafe(24)
        self._tokens[made] = (part, now + EXPIRES_S)
        answer = {"access_token": made, "token_type": "Bearer", "expires_in": EXPIRES_S}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _allowed(self, part: str, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        of, until = self._tokens.get(token, ("", 0.0))
        if scheme.lower() != "bearer" or of != part or until <= time.monotonic():
            return False
        if self._institutions.any_period(CAKUPAN, part, "token_expires"):
            del self._tokens[token]
        return True

    async def claims(self, request: Request) -> Response:
        """A page of what the operator claims at the end of a month."""
        part, asked = request.path_params["part"], request.query_params
        if part not in PARTS:
            return PlainTextResponse("Not Found", status_code=404)
        if not self._allowed(part, request):
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return _wrong(401, "Token tidak dikenal atau kedaluwarsa.", headers)
        period, cursor = asked.get("periode", ""), asked.get("kursor", "")
        if cursor:
            self._institutions.paged_on(CAKUPAN, part, period)
        ready = self._institutions.ready(CAKUPAN, period, part)
        if ready is None:
            return _wrong(404, f"Belum ada data untuk periode {period!r}.")
        if (wrong := await trouble(self._institutions, request, ready)) is not None:
            return wrong
        etag = self._institutions.etag(ready)
        if not cursor and request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        version, offset = self._institutions.sha256(ready)[:16], 0
        if cursor:
            of, offset = _read_cursor(cursor)
            if of != version:
                return _wrong(410, "Daftar telah berubah; mulai lagi dari halaman pertama.")
        walk = (part, version, offset // self.page_size + 1)
        if part == LIMITED[0] and walk[2] % LIMITED[1] == 0 and walk not in self._let_wait:
            self._let_wait.add(walk)
            return _wrong(429, "Terlalu banyak permintaan.", {"Retry-After": "1"})
        lines = self._institutions.items(ready)
        end = offset + self.page_size
        if self._institutions.happens(ready, "page_error") and end >= len(lines):
            return _wrong(500, "Kesalahan pada server.")
        following = f'"{_cursor(version, end)}"' if end < len(lines) else "null"
        total = len(lines) + 7 * self._institutions.happens(ready, "wrong_total")
        head = f'{{"operator": "{part}", "periode": "{period}", "jumlah": {total}, "berikut": {following}, "data": ['
        body = head.encode() + b", ".join(lines[offset:end]) + b"]}"
        return page(self._institutions, ready, body, {} if cursor else {"ETag": etag})


def _wrong(status: int, what: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"kesalahan": what}, status_code=status, headers=headers)


def _cursor(version: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{version}:{offset}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    """Version and offset; of no version where it is none of ours."""
    try:
        version, offset = base64.urlsafe_b64decode(cursor).decode().split(":")
        return version, max(int(offset), 0)
    except (binascii.Error, ValueError):
        return "", 0
