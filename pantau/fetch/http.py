"""Files over HTTP, by address or as the resource of a CKAN package."""

from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from pantau.catalogue import Ckan, Feed, Http
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, fill, place

_TIMEOUT = httpx.Timeout(30, connect=10)
_HEALS = {408, 425, 429, 500, 502, 503, 504}


def _client(connection: str) -> tuple[httpx.Client, str]:
    """A client that sends the connection's credentials to the connection's host alone, and its base URL."""
    parts = urlsplit(connection)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    auth = httpx.BasicAuth(parts.username, parts.password or "") if parts.username else None
    base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    return httpx.Client(timeout=_TIMEOUT, auth=auth, follow_redirects=False, base_url=base), base


def _refuse(response: httpx.Response, where: dict[str, object]) -> None:
    status = response.status_code
    if status in _HEALS:
        raise TransientError(
            f"The server answered {status}.", where=where, next_step="It is tried again by itself."
        )
    if status != 200:
        raise PantauError(
            f"The server answered {status}.",
            where=where,
            next_step="Ask the owner whether the address moved.",
        )


def _download(
    client: httpx.Client, url: str, spool: Path, feed: Feed, period: str, size: int | None = None
) -> File | None:
    """Stream one file to the spool. None where the server has none (404)."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    where = place(feed, period, address=url, file=name)
    target = spool / name
    try:
        with client.stream("GET", url) as response, open(target, "wb") as out:
            if response.status_code == 404:
                return None
            _refuse(response, where)
            for chunk in response.iter_bytes():
                out.write(chunk)
    except httpx.TransportError as error:
        raise TransientError(
            f"The connection broke before the file was whole ({error}).",
            where=where,
            next_step="Nothing of it was kept; it is tried again by itself.",
        ) from error
    with open(target, "rb") as file:
        beginning = file.read(512)
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html")):
        shown = " ".join(beginning[:120].decode("utf-8", "replace").split())
        raise PantauError(
            f"The server sent a web page instead of the file, with status 200: {shown!r}",
            where=where,
            next_step="Nothing of it was kept. Open the address in a browser; ask the owner to mend it.",
        )
    if size is not None and target.stat().st_size != size:
        raise TransientError(
            f"The file has {target.stat().st_size:,} bytes where its owner states {size:,}.",
            where=where,
            next_step="Nothing of it was kept; it is tried again by itself.",
        )
    return File(name, target)


def file(feed: Feed, period: str, connection: str, spool: Path, held: str | None) -> Fetched | None:
    """The file at the transport's path below the connection's address."""
    assert isinstance(feed.transport, Http)
    client, base = _client(connection)
    url = f"{base}/{fill(feed.transport.path, period).lstrip('/')}"
    with client:
        got = _download(client, url, spool, feed, period)
    return Fetched(f"http {url}", [got]) if got else None


def ckan(feed: Feed, period: str, connection: str, spool: Path, held: str | None) -> Fetched | None:
    """The resource of a CKAN package whose name holds the period; the newest where there are several.

    See CKAN's API guide, action `package_show`.
    """
    assert isinstance(feed.transport, Ckan)
    client, base = _client(connection)
    where = place(feed, period, address=f"{base}/api/3/action/package_show?id={feed.transport.package}")
    with client:
        resource = _newest(_package(client, feed, where), fill(feed.transport.resource, period))
        if resource is None:
            return None
        sender = f"ckan {feed.transport.package}/{resource['name']}"
        stated = str(resource.get("hash") or "").removeprefix("sha256:")
        if held and stated == held:
            return Fetched(sender, [], unchanged=True)
        got = _download(client, resource["url"], spool, feed, period, resource.get("size"))
    if got and len(stated) == 64 and sha256(got.path.read_bytes()).hexdigest() != stated:
        raise TransientError(
            "The file's SHA-256 is not the one that CKAN states.",
            where={**where, "file": got.name, "stated": stated},
            next_step="Nothing of it was kept; it is tried again. If it stays, tell the owner.",
        )
    return Fetched(sender, [got]) if got else None


def _package(client: httpx.Client, feed: Feed, where: dict[str, object]) -> list[dict[str, Any]]:
    assert isinstance(feed.transport, Ckan)
    try:
        response = client.get("/api/3/action/package_show", params={"id": feed.transport.package})
    except httpx.TransportError as error:
        raise TransientError(
            f"CKAN did not answer ({error}).", where=where, next_step="It is tried again by itself."
        ) from error
    _refuse(response, where)
    try:
        return list(response.json()["result"]["resources"])
    except (ValueError, KeyError, TypeError) as error:
        raise PantauError(
            f"CKAN's answer is not what package_show gives: {response.text[:120]!r}",
            where=where,
            next_step="Open the address in a browser; ask the owner to mend it.",
        ) from error


def _newest(resources: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    mine = [r for r in resources if r.get("name") == name]
    return max(mine, key=lambda r: (_moment(r.get("last_modified")), r.get("id", ""))) if mine else None


def _moment(text: Any) -> str:
    """CKAN writes ISO times; some portals write HTTP dates. As ISO text, so that they compare."""
    try:
        return parsedate_to_datetime(str(text)).isoformat()
    except ValueError:
        return str(text or "")
