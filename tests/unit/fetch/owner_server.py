"""An owner's server of a test's own, on loopback: what it answers is a function of the test."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass
class Owner:
    """The server: `answer` is set by the test; `asked` is what was asked so far."""

    answer: Callable[[Asked], Reply] = lambda _: (404, {}, b"")
    asked: list[Asked] = field(default_factory=list)
    host: str = ""

    def connection(self, path: str = "", login: str = "client:s%2Fe%40cret") -> str:
        """The URI of the connection that leads here."""
        return f"http://{login}@{self.host}{path}"


def reply(document: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    return status, {"content-type": "application/json", **headers}, json.dumps(document).encode()


@contextmanager
def serving() -> Iterator[Owner]:
    """A running server."""
    made = Owner()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {k.lower(): v for k, v in self.headers.items()}
            asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
            made.asked.append(asked)
            status, more, content = made.answer(asked)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()
