"""HTML and charts to PDF bytes: the same bytes for the same input, on every machine.

Promise: nothing is read but the template's folder, the report's fonts and the charts; nothing is fetched.
A missing character, an unknown property or a broken image stops the render with a message: no page is spoilt.
"""

import io
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import weasyprint
from weasyprint import Attachment
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from pantau.errors import PantauError
from pantau.report.attachments import Attached
from pantau.report.svg import Chart
from pantau.report.tagging import claim_both_standards, outer_links_only, tagging

SCHEME = "asset:"
_TYPES = {".css": "text/css", ".ttf": "font/ttf", ".svg": "image/svg+xml"}
# WeasyPrint's logger, the tag builder and fontconfig's setting belong to the whole process.
_LOCK = threading.Lock()


class ReportError(PantauError):
    """A report cannot be rendered as it must be."""


class Assets(URLFetcher):
    """The only things a page may load: `asset:` names in a dictionary. Everything else stops the render."""

    def __init__(self, assets: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=set(), allow_redirects=False)
        self._assets = dict(assets)

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        """The asset of that name. Raises FatalURLFetchingError, which WeasyPrint does not swallow."""
        name = url.removeprefix(SCHEME)
        if not url.startswith(SCHEME) or name not in self._assets:
            raise FatalURLFetchingError(url)
        return URLFetcherResponse(url, self._assets[name], {"Content-Type": _TYPES[Path(name).suffix]})


class _Complaints(logging.Handler):
    """WeasyPrint's warnings and errors while one document is made."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _complaints() -> Iterator[list[str]]:
    logger, handler = logging.getLogger("weasyprint"), _Complaints()
    before = logger.level, logger.propagate, logger.disabled
    logger.addHandler(handler)
    logger.level, logger.propagate, logger.disabled = logging.WARNING, False, False
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate, logger.disabled = before


@contextmanager
def _own_fonts_only(fonts: Path) -> Iterator[FontConfiguration]:
    """A font configuration without the machine's fonts: fontconfig reads the variable when one is made."""
    before = os.environ.get("FONTCONFIG_FILE")
    os.environ["FONTCONFIG_FILE"] = str(fonts / "fonts.conf")
    try:
        yield FontConfiguration()
    finally:
        if before is None:
            del os.environ["FONTCONFIG_FILE"]
        else:
            os.environ["FONTCONFIG_FILE"] = before


def html(template_folder: Path, context: Mapping[str, Any]) -> str:
    """The template filled in: everything escaped, a name that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        return environment.get_template("template.html.j2").render(context)
    except jinja2.TemplateError as error:
        raise ReportError(
            f"The report's template cannot be filled in: {error}",
            where={"template": template_folder.name, "line": getattr(error, "lineno", None)},
            next_step="Compare the template with what the report's context function gives it.",
        ) from error


def assets(template_folder: Path, charts: Iterable[Chart]) -> dict[str, bytes]:
    """All that the template may load, by name: its style sheet, the fonts, the charts."""
    files = {"style.css": template_folder / "style.css"}
    files |= {f"fonts/{f.name}": f for f in sorted((template_folder.parent / "fonts").glob("*.ttf"))}
    return {name: file.read_bytes() for name, file in files.items()} | {
        f"charts/{chart.name}.svg": chart.svg for chart in charts
    }


def _attachments(attached: Iterable[Attached], moment: str) -> list[Attachment]:
    """As WeasyPrint wants them, dated like the report."""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return [
        Attachment(
            file_obj=io.BytesIO(each.content),
            name=each.name,
            description=each.description,
            relationship="Data",
            created=at,
            modified=at,
        )
        for each in attached
    ]


def render(
    template_folder: Path,
    context: Mapping[str, Any],
    charts: Iterable[Chart] = (),
    attached: Iterable[Attached] = (),
) -> bytes:
    """The report of `template_folder` (template.html.j2, style.css) as PDF/UA-1 and PDF/A-3a, with files inside.

    Dates in the file come from the context's `created`, never from the clock.
    Raises ReportError for an asset outside the list, a missing character, anything that WeasyPrint complains of.
    """
    text = html(template_folder, context)
    fetcher = Assets(assets(template_folder, charts))
    inside = list(attached)
    where = {"template": template_folder.name}
    fonts = template_folder.parent / "fonts"
    with _LOCK, _complaints() as complaints, _own_fonts_only(fonts) as configuration, tagging() as tags:
        try:
            document = weasyprint.HTML(string=text, url_fetcher=fetcher).render(
                font_config=configuration, pdf_variant="pdf/a-3a"
            )
            claim_both_standards(document.metadata)
            outer_links_only(document)
            result = document.write_pdf(
                finisher=lambda _, pdf: tags.finish(pdf),
                pdf_variant="pdf/a-3a",
                attachments=_attachments(inside, context["created"]) if inside else None,
            )
        except FatalURLFetchingError as error:
            raise ReportError(
                f"The page asks for a resource that is not on its list: {error}",
                where=where,
                next_step="Add the file to the report's assets, or take the reference out of the template.",
            ) from error
    if complaints:
        raise ReportError(
            f"The page cannot be set without faults: {'; '.join(dict.fromkeys(complaints))}",
            where=where,
            next_step="A missing glyph (.notdef): replace the character at its source, or widen the fonts in "
            "report_templates/fonts. Anything else: correct the template or its style sheet.",
        )
    return bytes(result)
