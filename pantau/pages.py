"""A small web server for people: audit pages under /, reports under /reports/, documentation under /docs/.

Promise: it serves files of these folders alone, runs nothing of theirs, and sends no folder's list of files.
"""

import html
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

from pantau.settings import settings

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #ccc; padding: .3rem .6rem; text-align: left }}
td, th {{ vertical-align: top }} code, pre {{ background: #f3f4f6 }} pre {{ padding: .8rem; overflow-x: auto }}
</style>{body}</html>"""
_NOWHERE = "/nonexistent"  # of Filesystem Hierarchy Standard 3.0: never there
_NOTHING_YET = "No audit pages yet: the first published release writes them."


def as_page(path: Path) -> bytes:
    """A Markdown file as a web page; HTML in it stays text."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return _PAGE.format(title=html.escape(path.stem), body=markdown.render(path.read_text())).encode()


class Pages(SimpleHTTPRequestHandler):
    """Answers GET and HEAD. `directory` is the folder of the audit pages."""

    server_version, sys_version = "pantau", ""

    def send_head(self):  # type: ignore[no-untyped-def]  # as the library declares it
        """What is made here by ourselves, everything else by the library."""
        path = unquote(urlsplit(self.path).path)
        if path == "/health":
            return self._send(b"well\n", "text/plain")
        if path == "/" and not Path(self.directory, "index.html").exists():
            return self._send(_NOTHING_YET.encode(), "text/plain")
        found = Path(self.translate_path(self.path))
        if path.startswith("/docs/") and found.suffix == ".md" and found.is_file():
            return self._send(as_page(found), "text/html")
        return super().send_head()

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def translate_path(self, path: str) -> str:
        """The file that an address means; one that is not there for what lies outside the folders."""
        asked = unquote(urlsplit(path).path)
        for prefix, folder, suffixes in (
            ("/docs/", settings.root / "docs", {".md", ".png"}),
            ("/reports/", settings.out, {".pdf"}),
            ("/", Path(self.directory), None),
        ):
            if asked.startswith(prefix):
                found = (folder / asked.removeprefix(prefix)).resolve()
                inside = found.is_relative_to(folder.resolve())
                return str(found) if inside and (not suffixes or found.suffix in suffixes) else _NOWHERE
        return _NOWHERE

    def list_directory(self, path):  # type: ignore[no-untyped-def]
        """No lists."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Nothing is kept by browsers, nor taken for another kind of file."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Who read what is nobody's business."""


def serve(host: str, port: int) -> None:
    """Serve until the process is stopped."""
    folder = settings.out / "audit"
    folder.mkdir(parents=True, exist_ok=True)
    ThreadingHTTPServer((host, port), partial(Pages, directory=str(folder))).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
