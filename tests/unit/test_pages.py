"""The small web server: audit pages and documentation, and nothing else of the machine."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from pantau.pages import Pages, as_page
from pantau.settings import settings


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The server over a folder of its own."""
    monkeypatch.setattr(settings, "out", tmp_path / "out")
    folder = settings.out / "audit"
    folder.mkdir(parents=True)
    (tmp_path / "secret.md").write_text("secret")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
        server.shutdown()


def test_it_says_so_while_there_are_no_audit_pages(site: httpx.Client) -> None:
    assert "No audit pages yet" in site.get("/").text
    assert site.get("/health").text == "well\n"


def test_it_serves_audit_pages_and_reports(site: httpx.Client) -> None:
    (settings.out / "audit" / "index.html").write_text("<p>audit</p>")
    (settings.out / "audit" / "2026-10").mkdir()
    report = settings.out / "2026-10" / "v1" / "nasional.id.pdf"
    report.parent.mkdir(parents=True)
    report.write_bytes(b"%PDF-1.7")
    got = site.get("/")
    assert got.text == "<p>audit</p>"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert site.get("/2026-10/").status_code == 404  # no list of files
    pdf = site.get("/reports/2026-10/v1/nasional.id.pdf")
    assert (pdf.content, pdf.headers["content-type"]) == (b"%PDF-1.7", "application/pdf")
    assert site.get("/reports/audit/index.html").status_code == 404  # what is no report is not one


def test_documentation_is_a_page_with_tables_and_links(site: httpx.Client) -> None:
    got = site.get("/docs/runbooks/feed.md")
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>When a feed fails</h1>" in got.text
    assert "<table>" in got.text
    assert 'href="close.md"' in got.text
    assert site.head("/docs/runbooks/feed.md").status_code == 200
    assert site.get("/docs/runbooks/").status_code == 404


def test_nothing_else_is_reached(site: httpx.Client, tmp_path: Path) -> None:
    (settings.out / "audit" / "away.md").symlink_to(tmp_path / "secret.md")
    for path in (
        "/docs/../pyproject.toml", "/docs/%2e%2e/pyproject.toml", "/docs/..%2f..%2fetc%2fpasswd",
        "/../secret.md", "/%2e%2e/%2e%2e/secret.md", "/reports/../secret.md", "/reports/%2e%2e/secret.md",
        "//etc/passwd", "/reports//etc/passwd", "/docs//etc/passwd",
    ):  # fmt: skip
        got = site.get(path)
        assert got.status_code == 404, path
        assert "secret" not in got.text
        assert "root:" not in got.text


def test_html_in_documentation_stays_text(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_text("# A\n<script>alert(1)</script>\n\n[x](javascript:alert(1))")
    html = as_page(page).decode()
    assert "<script>" not in html
    assert 'href="javascript' not in html
