"""The tag tree and the metadata of the national report: what a screen reader and an archive rely on."""

from itertools import pairwise

import pikepdf
import pypdfium2
import pytest

from pantau.report.pdf import render
from tests.reports.conftest import busy, first_month, hostile, older, real_data
from tests.reports.gate import inspect, links, order_of_headings

AUDIT = "http://localhost:8090/2026-10/v1/index.html"


@pytest.mark.parametrize("language", ["id", "en"])
def test_sample_is_tagged_in_both_languages(sample_pdf, language):
    problems, tags, file = inspect(sample_pdf(language))
    assert problems == []
    assert len(file.pages) == 6
    # map, QR code, four trends, and for each of five indicators a sparkline and a bullet
    assert tags["/Figure"] == 1 + 1 + 4 + 5 * 2
    assert tags["/Table"] == 12
    audit_pages = AUDIT.removesuffix("index.html")
    figures = [link for link in links(file) if link.startswith("http") and link != AUDIT]
    assert [link for link in links(file) if link not in figures] == ["#six", "#two", AUDIT]
    assert len(figures) > 60  # every printed id that names a release
    assert {f"{audit_pages}K2.html#00", f"{audit_pages}K12.html#00:APBN:KL"} <= set(figures)
    assert (
        "http://localhost:8090/2026-09/v2/K1.html#00:3T" in figures
    )  # of a restated month, in its new release
    headings = order_of_headings(file)
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(headings))


def test_no_line_of_the_findings_ends_after_its_first_word(sample_pdf):
    sixth = pypdfium2.PdfDocument(sample_pdf("en"))[5].get_textpage().get_text_range()
    assert "In every province operators" in sixth
    assert "In" not in [line.strip() for line in sixth.splitlines()]


def test_the_qr_code_says_where_it_leads(sample_pdf):
    file = inspect(sample_pdf("id"))[2]
    told = [
        str(o.Alt) for o in file.objects if isinstance(o, pikepdf.Dictionary) and o.get("/S") == "/Figure"
    ]
    assert f"Kode QR ke halaman audit rilis ini: {AUDIT}" in told


@pytest.mark.parametrize("change", [real_data, hostile, busy, older, first_month])
def test_unusual_reports_are_tagged_too(rendered, change):
    problems, _, _ = inspect(rendered(change))
    assert problems == []


def test_table_over_pages_is_one_table(template):
    head = '<thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>'
    rows = "".join(f'<tr><th scope="row">{i}</th><td>{i}</td></tr>' for i in range(150))
    problems, tags, file = inspect(render(template(f"<table>{head}<tbody>{rows}</tbody></table>"), {}))
    assert problems == []
    assert len(file.pages) > 2
    assert tags["/Table"] == 1
    assert tags["/THead"] == 1


def test_a_link_over_two_lines_is_one_link_for_each_line(template):
    body = '<p style="width:60pt">a <a href="https://example.org/x"><b>several</b> words that go on</a></p>'
    problems, tags, file = inspect(render(template(body), {}))
    assert problems == []
    assert set(links(file)) == {"https://example.org/x"}
    assert len(links(file)) == tags["/Link"] > 1


def test_metadata_says_what_the_file_is(sample_pdf):
    file = inspect(sample_pdf("id"))[2]
    assert file.Root.Lang == "id"
    assert file.docinfo["/Title"] == "Laporan kemajuan bulanan Oktober 2026, nasional"
    assert file.docinfo["/Author"] == "Pantau"
    assert str(file.docinfo["/CreationDate"]) == "D:20261116090000+07'00"
    assert file.Root.ViewerPreferences.DisplayDocTitle
    with file.open_metadata() as xmp:
        assert xmp["pdfuaid:part"] == "1"
        assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"]) == ("3", "A")
    assert bytes(file.Root.Metadata.read_bytes()).count(b"<rdf:RDF") == 1


def test_every_font_is_embedded_and_ours(sample_pdf):
    file = inspect(sample_pdf("id"))[2]
    names = {
        str(o.FontName)
        for o in file.objects
        if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/FontDescriptor"
    }
    assert names
    assert all("Inter" in name or "Noto-Serif" in name for name in names), names


def test_the_report_is_small(sample_pdf):
    for language in ("id", "en"):
        file = inspect(sample_pdf(language))[2]
        inside = sum(len(f.obj.EF.F.read_raw_bytes()) for f in file.attachments.values())
        assert len(sample_pdf(language)) - inside < 500_000
