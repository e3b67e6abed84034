"""All pages of a site as a parser sees them: links, ids, scripts; no browser is needed."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Page:
    """What stands on one page."""

    path: Path
    links: list[str] = field(default_factory=list)  # href and src, as written
    ids: list[str] = field(default_factory=list)
    scripts: list[str | None] = field(default_factory=list)  # their src
    policy: str = ""
    risky: list[str] = field(default_factory=list)  # handlers, styles in place, tags that load or embed
    text: str = ""

    def missing(self, root: Path, known: dict[Path, "Page"]) -> list[str]:
        """Links that lead nowhere: to no file, or to no id on the page."""
        wrong = []
        for link in self.links:
            parts = urlsplit(link)
            target = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
            there = target.is_relative_to(root) and target.is_file()
            if not there or (parts.fragment and unquote(parts.fragment) not in known[target].ids):
                wrong.append(link)
        return wrong


class _Parser(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self._words = page, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"iframe", "object", "embed", "base", "img", "style", "video", "audio"}:
            self.page.risky.append(tag)
        self.page.risky += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        if tag == "script":
            self.page.scripts.append(given.get("src"))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.page.policy = given["content"] or ""
        if given.get("id"):
            self.page.ids.append(str(given["id"]))
        self.page.links += [
            str(given[name]) for name in ("href", "src", "action", "srcset") if given.get(name)
        ]

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def close(self) -> None:
        super().close()
        self.page.text = " ".join(" ".join(self._words).split())


def crawl(root: Path) -> dict[Path, Page]:
    """Every page below a folder, by its path."""
    found = {}
    for path in sorted(root.resolve().rglob("*.html")):
        page = found[path] = Page(path)
        parser = _Parser(page)
        parser.feed(path.read_text(encoding="utf-8"))
        parser.close()
    return found
