"""HTTP: an owner's server, how it is asked and when it is refused; and the plain file at an address."""

import io
import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from pantau.catalogue import Http
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, Order

PATIENCE = 60  # seconds in all for which one order waits because the server asks it to (429)
_TIMEOUT = httpx.Timeout(30, connect=10)
_HEALS = {408, 425, 429, 500, 502, 503, 504}
_IN_MEMORY = 32_000_000  # bytes of an answer that is no file
_IN_FILE = 4_000_000_000
_UNSAID, _SHORTEST = 2.0, 0.5  # seconds to wait where a busy server says nothing, and at least


@dataclass(frozen=True)
class Answer:
    """What the server said; the body is in the file that was named for it, or here."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that httpx trusts, read once: that takes longer than many an answer."""
    return httpx.create_ssl_context()


class _OwnHost(httpx.BasicAuth):
    """The connection's user and password, for the connection's host alone."""

    def __init__(self, base: httpx.URL) -> None:
        super().__init__(base.username, base.password)
        self._origin = (base.scheme, base.host, base.port)

    def auth_flow(self, request: httpx.Request) -> Any:
        if (request.url.scheme, request.url.host, request.url.port) == self._origin:
            yield from super().auth_flow(request)
        else:
            yield request


class Site(AbstractContextManager["Site"]):
    """The server behind an order's connection. A redirect is not followed; a busy server is waited for.

    Attributes:
        base: its address without credentials.
    """

    def __init__(self, order: Order) -> None:
        try:
            url = httpx.URL(order.connection)
            if url.scheme not in ("http", "https") or not url.host:
                raise httpx.InvalidURL("")
        except httpx.InvalidURL:
            raise PantauError(  # without the cause, which would show a part of the password
                f"The connection '{order.connection_id}' is no address of a web server.",
                where=order.place(),
                next_step="Write it as https://user:password@host/path, with what is special in them "
                "percent-encoded.",
            ) from None
        self.base = f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"
        self._waited = 0.0
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            auth=_OwnHost(url) if url.userinfo else None,
            follow_redirects=False,
            verify=_trusted(),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(
        self,
        url: str,
        where: dict[str, object],
        *,
        target: Path | None = None,
        method: str = "GET",
        **more: Any,
    ) -> Answer:
        """The server's answer, whatever its status; a good one's body goes into `target` if that is given.

        Raises:
            TransientError: the answer broke off, or the server asks for more patience than there is.
        """
        while True:
            try:
                with self._client.stream(method, url, **more) as response:
                    if response.status_code != 429:
                        return _read(response, target, where)
            except httpx.InvalidURL as error:
                raise PantauError(
                    f"That is no address ({error}).", where=where, next_step="Ask the owner to mend it."
                ) from error
            except httpx.RequestError as error:
                raise TransientError(
                    f"The connection broke before the file was whole ({error or type(error).__name__}).",
                    where=where,
                    next_step="Nothing of it was kept; it is tried again by itself.",
                ) from error
            self._wait(_retry_after(response.headers), where)

    def _wait(self, seconds: float, where: dict[str, object]) -> None:
        if self._waited + seconds > PATIENCE:
            raise TransientError(
                f"The server is busy and asks for {seconds:.0f} s more, after {self._waited:.0f} s of waiting (429).",
                where=where,
                next_step="Nothing of it was kept; it is tried again by itself.",
            )
        self._waited += seconds
        time.sleep(seconds)


def _read(response: httpx.Response, target: Path | None, where: dict[str, object]) -> Answer:
    most = _IN_FILE if target else _IN_MEMORY
    with open(target, "wb") if target else io.BytesIO() as out:
        for chunk in response.iter_bytes():
            out.write(chunk)
            if out.tell() > most:
                raise PantauError(
                    f"The answer is longer than {most:,} bytes.",
                    where=where,
                    next_step="Nothing of it was kept. Ask the owner what is served there.",
                )
        body = out.getvalue() if isinstance(out, io.BytesIO) else b""
    return Answer(response.status_code, response.headers, body)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds for which the server wants to be left alone; it names them, or a time, or nothing."""
    stated = headers.get("retry-after", "").strip()
    if stated.isascii() and stated.isdigit():
        return max(float(stated), _SHORTEST)
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return _UNSAID
    seconds = (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return max(seconds, _SHORTEST)


def etag(answer: Answer) -> str:
    """What the server calls the content that it sent; empty where it says nothing that can be sent back."""
    called = answer.headers.get("etag", "")
    return called if called.isascii() else ""


def refuse(answer: Answer, where: dict[str, object]) -> None:
    """Raise what a status other than 200 means: TransientError where it may heal, else PantauError."""
    if answer.status in _HEALS:
        raise TransientError(
            f"The server answered {answer.status}.", where=where, next_step="It is tried again by itself."
        )
    if answer.status != 200:
        raise PantauError(
            f"The server answered {answer.status}.",
            where=where,
            next_step="Ask the owner whether the address moved.",
        )


def refuse_web_page(beginning: bytes, where: dict[str, object]) -> None:
    """Raise PantauError where what came begins as a web page does."""
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html")):
        shown = " ".join(beginning[:120].decode("utf-8", "replace").split())
        raise PantauError(
            f"The server sent a web page instead of the file, with status 200: {shown!r}",
            where=where,
            next_step="Nothing of it was kept. Open the address in a browser; ask the owner to mend it.",
        )


def download(
    site: Site, url: str, order: Order, *, size: int | None = None, validator: str = ""
) -> tuple[Answer, File] | None:
    """Bring one file to the spool. None where the server has none (404).

    Args:
        size: what the owner states, in bytes.
        validator: of the content that we hold; the server answers 304 where that is what it serves.
    """
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    target, where = order.spool / name, order.place(address=url, file=name)
    headers = {"If-None-Match": validator} if validator else {}
    answer = site.ask(url, where, target=target, headers=headers)
    if answer.status == 404:
        return None
    if answer.status == 304 and validator:
        return answer, File(name, target)
    refuse(answer, where)
    with open(target, "rb") as file:
        refuse_web_page(file.read(512), where)
    if size is not None and target.stat().st_size != size:
        raise TransientError(
            f"The file has {target.stat().st_size:,} bytes where its owner states {size:,}.",
            where=where,
            next_step="Nothing of it was kept; it is tried again by itself.",
        )
    return answer, File(name, target)


def file(order: Order) -> Fetched | None:
    """The file at the transport's path below the connection's address."""
    assert isinstance(order.feed.transport, Http)
    with Site(order) as site:
        url = f"{site.base}/{order.fill(order.feed.transport.path).lstrip('/')}"
        got = download(site, url, order, validator=order.held.validator)
    if got is None:
        return None
    answer, brought = got
    if answer.status == 304:
        return Fetched(f"http {url}", [], unchanged=True)
    return Fetched(f"http {url}", [brought], validator=etag(answer))
