"""How pages write what was delivered, and that their texts are whole."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import yaml
from markupsafe import Markup

from pantau.audit import trace
from pantau.audit.paper import FOLDER, Paper, lines, printable, safe_name
from pantau.release.figures import exact_difference


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("desa-4g-2026-08.csv", "desa-4g-2026-08.csv"),
        ("bts_2026-10.xlsx", "bts_2026-10.xlsx"),
        ("laporan.html", "laporan.html.bin"),  # a browser would run it
        ("peta.svg", "peta.svg.bin"),
        ("../../etc/passwd", "passwd.bin"),
        ("c:\\x\\..\\.htaccess", "htaccess.bin"),
        ('"><img src=x>.csv', "___img_src_x_.csv"),
        ("", "berkas.bin"),
        ("x" * 300 + ".csv", "x" * 116 + ".csv"),
    ],
)
def test_names_of_files_are_safe_in_a_link(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_what_nobody_sees_is_taken_out() -> None:
    assert printable("a\u202eb\x00c\u200bd") == "a b c d"
    assert printable("Größe ─ −1 ±\u00a0%") == "Größe ─ −1 ±\u00a0%"
    assert printable("a\x1fb", keep="\x1f") == "a\x1fb"


def test_sql_keeps_its_lines_and_is_escaped() -> None:
    shown = lines("select '<b>'\n\tfrom \u202ex")
    assert shown == Markup("select &#39;&lt;b&gt;&#39;\n    from  x")


def test_every_text_is_a_text_and_every_template_has_its_texts() -> None:
    texts = yaml.safe_load((FOLDER / "texts.yml").read_text(encoding="utf-8"))
    for group, entries in texts.items():
        for key, entry in entries.items():
            assert isinstance(key, str), (group, key)
            assert entry.keys() == {"id"}, (group, key)  # an unquoted comma makes another key of what follows
            assert isinstance(entry["id"], str), (group, key)
    written = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.j2"))
    for group, key in re.findall(r"say\('([a-z_]+)\.([a-z_0-9]+)'(?! ~)", written) + re.findall(
        r"\bw\.([a-z_]+)\.([a-z_0-9]+)\b(?!\()", written
    ):
        assert key in texts[group] or key == "get", (group, key)


def test_numbers_and_days_are_indonesian() -> None:
    paper = Paper()
    assert paper.number(-1234567) == "−1.234.567"
    assert paper.month("2026-10") == "Oktober 2026"
    assert paper.at(datetime(2026, 11, 4, 18, 5, tzinfo=UTC)) == "5 Nov 2026 01.05"  # in Jakarta


@pytest.mark.parametrize(
    ("value", "numerator", "page", "way"),
    [
        ("100.0", 8559, ">99,9\u00a0%", ">99.9"),
        ("100.0", 8563, "100,0\u00a0%", "100"),
        ("0.0", 1, "<0,1\u00a0%", "<0.1"),
    ],
)
def test_all_and_nothing_are_said_of_nothing_else(value: str, numerator: int, page: str, way: str) -> None:
    """On the pages, and in the text of `pantau trace`."""
    definition = {"kind": "ratio_pct", "decimals": 1, "unit_id": "%"}
    figure = {"value": Decimal(value), "numerator": Decimal(numerator), "denominator": Decimal(8563)}
    assert Paper().value(definition, figure) == page
    assert trace._value(definition, figure) == way
    assert Paper().value(definition, None) == "–"


def test_what_is_compared_to_the_sen_shows_the_sen() -> None:
    made = Paper()
    assert made.amount(Decimal("20374373615840.15")) == "20.374.373.615.840,15"
    assert made.amount(Decimal("20374373615840.10")) == "20.374.373.615.840,1"
    assert made.amount(Decimal("26900000000000")) == "26.900.000.000.000"
    assert made.amount(None) == "–"


def test_changes_between_releases_come_from_the_parts() -> None:
    """29 villages of 83,762 are no tenth of a point."""
    old, new = (
        {"value": Decimal(v), "numerator": Decimal(n), "denominator": Decimal(83762), "indicator_version": 1}
        for v, n in (("95.1", 79632), ("95.0", 79603))
    )
    definition = {"kind": "ratio_pct", "decimals": 1}
    assert Paper().words.change(exact_difference(definition, new, old), 1) == "−<0,1"
