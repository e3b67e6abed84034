"""Nothing is fetched, nothing hostile is obeyed, and a page that would be faulty is not made."""

import logging
import os
import re

import pypdfium2
import pytest

from pantau.report.pdf import ReportError, html, render
from pantau.report.svg import Drawing
from pantau.settings import settings
from tests.reports.conftest import HOSTILE, hostile, national
from tests.reports.gate import inspect, links


@pytest.mark.parametrize(
    ("body", "css"),
    [
        ('<img alt="x" src="https://example.org/x.svg">', ""),
        ('<img alt="x" src="file:///etc/hostname">', ""),
        ('<img alt="x" src="data:image/svg+xml,<svg/>">', ""),
        ('<img alt="x" src="asset:../../pyproject.toml">', ""),
        ('<link rel="stylesheet" href="http://127.0.0.1:9/x.css">', ""),
        ('<link rel="attachment" href="file:///etc/hostname">', ""),
        ("", "@import url(file:///etc/hostname);"),
        ("", "h1 { background: url(https://example.org/x.png) }"),
        ("", "@font-face { font-family: X; src: url(file:///x.ttf) } h1 { font-family: X }"),
    ],
)
def test_only_listed_assets_are_served(template, body, css):
    with pytest.raises(ReportError, match=r"not on its list|without faults"):
        render(template(body, css), {})


def test_picture_inside_a_chart_is_not_fetched(template):
    drawing = Drawing(10, 10)
    drawing._add("image", href="file:///etc/hostname", width=10, height=10)
    with pytest.raises(ReportError, match=r"not on its list|without faults"):
        render(template('<img alt="x" src="asset:charts/c.svg">', ""), {}, [drawing.chart("c", "x")])


def test_hostile_text_is_shown_as_text(rendered):
    pdf = rendered(hostile)
    text = "".join(
        "".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(pdf)
    )
    assert text.count("".join(HOSTILE.split())) >= 8
    assert "49" not in HOSTILE
    assert b"/JavaScript" not in pdf
    assert b"/Launch" not in pdf
    figure = r"http://localhost:8090/\d{4}-\d\d/v\d+/([KR]\d+\.html#[\w.:-]+|index\.html)"
    assert all(re.fullmatch(rf"#six|#two|{figure}", link) for link in links(inspect(pdf)[2]))


def test_charts_escape_what_they_are_given():
    drawing = Drawing(10, 10)
    drawing.text(0, 0, HOSTILE, 6)
    svg = drawing.chart("c", "x").svg
    assert b"<script>" not in svg
    assert b"&lt;script&gt;" in svg


@pytest.mark.parametrize("character", ["漢", "\u2603", "\ue000"])
def test_missing_glyph_fails_though_the_machine_may_have_it(template, character):
    with pytest.raises(ReportError, match=r"(?i)notdef|glyph") as caught:
        render(template(f"<p>{character}</p>", ""), {})
    assert "replace the character" in str(caught.value)


def test_missing_glyph_in_the_context_fails(sample):
    sample["provinces"][0]["name"] = "Ace\u2603"
    with pytest.raises(ReportError):
        national(sample)


def test_faulty_style_fails(template):
    with pytest.raises(ReportError, match="colr"):
        render(template("<p>x</p>", "p { colr: red }"), {})


def test_image_without_words_fails(template):
    drawing = Drawing(10, 10)
    drawing.rect(0, 0, 5, 5)
    with pytest.raises(ReportError, match="alt"):
        render(template('<img src="asset:charts/c.svg">', ""), {}, [drawing.chart("c", "")])


def test_name_that_the_template_lacks_fails(template):
    with pytest.raises(ReportError, match="'nothing' is undefined"):
        html(template("<p>{{ nothing }}</p>", ""), {})


def test_render_leaves_the_process_as_it_was(sample, monkeypatch):
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    logger = logging.getLogger("weasyprint")
    before = (logger.level, logger.propagate, list(logger.handlers))
    national(sample)
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert "FONTCONFIG_FILE" not in os.environ


def test_fonts_are_small_and_licensed():
    folder = settings.templates / "fonts"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1_500_000
    for font in folder.glob("*.ttf"):
        licence = folder / f"{font.name.split('-')[0]}-LICENSE.txt"
        assert "SIL Open Font License" in licence.read_text(encoding="utf-8")
