"""The charts: what they draw, and that odd input neither breaks nor misleads them."""

from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
import yaml

from pantau.report import charts
from pantau.report.charts import Point, Tile, Trend
from pantau.report.svg import Chart, fit, width_of
from pantau.settings import settings

LAYOUT = yaml.safe_load((settings.templates / "nasional" / "provinces.yml").read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"


def elements(chart: Chart, tag: str) -> list[ET.Element]:
    return ET.fromstring(chart.svg).findall(f"{SVG}{tag}")  # noqa: S314  our own bytes


def texts(chart: Chart) -> list[str]:
    return [e.text or "" for e in elements(chart, "text")]


def series(*values: str | None) -> list[Point]:
    return [Point(i, None if v is None else Decimal(v)) for i, v in enumerate(values)]


def tiles(*codes: str) -> list[Tile]:
    return [Tile(c, f"Nama {c}", "1", Decimal(50)) for c in codes]


def test_a_month_without_a_figure_is_a_gap():
    chart = charts.sparkline("s", series("1", "2", None, "4", "5"), "Jan", "Mei 2026", "alt")
    assert len(elements(chart, "path")) == 2


def test_sparkline_of_one_month_and_of_equal_months():
    assert elements(charts.sparkline("s", series("1"), "", "Jan", "alt"), "circle")
    assert elements(charts.sparkline("s", series("3", "3", "3"), "", "Jan", "alt"), "path")


def test_restated_months_have_a_ring():
    points = [Point(0, Decimal(1)), Point(1, Decimal(2), restated=True), Point(2, Decimal(3))]
    assert len(elements(charts.sparkline("s", points, "a", "b", "alt"), "circle")) == 2


@pytest.mark.parametrize(("value", "top"), [("0", "0"), ("0", "100"), ("250", "100"), ("-3", "100")])
def test_bullet_stays_inside_its_width(value, top):
    chart = charts.bullet("b", Decimal(value), Decimal(top), Decimal(0), Decimal(100), "alt")
    for bar in elements(chart, "rect"):
        assert float(bar.get("x", 0)) >= -0.6
        assert float(bar.get("x", 0)) + float(bar.get("width", 0)) <= chart.width + 0.6


def test_every_province_has_a_place_of_its_own():
    places = {tuple(entry["at"]) for entry in LAYOUT.values()}
    assert len(LAYOUT) == len(places) == 38


def test_names_on_tiles_are_large_enough_and_fit():
    chart = charts.tile_map("m", tiles(*LAYOUT), LAYOUT, "legend", "alt")
    assert all(float(e.get("font-size", 0)) >= 6.5 for e in elements(chart, "text"))
    for entry in LAYOUT.values():
        for line in entry["short"].split("|"):
            assert line in texts(chart)
            assert width_of(line, 6.5) <= 510 / 15


def test_map_of_unknown_codes_only():
    chart = charts.tile_map("m", tiles("97", "98", "99"), LAYOUT, "legend", "alt")
    assert texts(chart).count("1") == 3
    assert chart.height < 60


def test_map_of_more_unknown_codes_than_a_row_holds():
    codes = [f"x{i}" for i in range(40)]
    chart = charts.tile_map("m", tiles("11", *codes), LAYOUT, "legend", "alt")
    assert texts(chart).count("1") == 41
    for e in elements(chart, "rect"):
        assert float(e.get("y", 0)) + float(e.get("height", 0)) <= chart.height + 0.1


def test_darker_means_more_left_and_the_text_stays_readable():
    def colours(pct: str) -> tuple[str | None, str | None]:
        chart = charts.tile_map("m", [Tile("11", "Aceh", "1", Decimal(pct))], LAYOUT, "legend", "alt")
        return elements(chart, "rect")[0].get("fill"), elements(chart, "text")[0].get("fill")

    assert colours("0")[0] == colours("4.9")[0] != colours("5")[0]
    assert colours("100") == ("#650D22", "#FFFFFF")


def test_long_names_are_cut_with_an_ellipsis():
    assert fit("Panjangsekali" * 3, 6.5, 30).endswith("…")
    assert width_of(fit("Panjangsekali" * 3, 6.5, 30), 6.5) <= 30
    assert fit("Aceh", 6.5, 30) == "Aceh"


def test_trend_begins_at_zero_and_names_the_newest_value():
    what = Trend(
        series("12000", "11000", "10973"),
        4,
        [(0, "Agu|2026"), (2, "Okt"), (4, "Des")],
        ((0, Decimal(3000)), (4, Decimal(0))),
        Decimal(1049),
        (4, Decimal(0)),
        lambda amount: f"{amount:.0f}",
        {
            "actual": "sisa",
            "plan": "rencana",
            "needed": "5.487",
            "restated": "ulang",
            "last": "10.973",
            "expected": "1.049",
        },
    )
    shown = texts(charts.trend("t", what, "alt"))
    assert {"0", "15000", "10.973", "1.049", "sisa", "rencana", "5.487", "Agu", "2026"} <= set(shown)


def test_trend_of_nothing_but_zeros():
    what = Trend(series("0", "0"), 1, [], None, None, None, str, {"actual": "a", "last": "0", "expected": ""})
    assert charts.trend("t", what, "alt").svg
