"""The charts: what they draw, and that odd input neither breaks nor misleads them."""

from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
import yaml

from pantau.report import charts, tilemap
from pantau.report.charts import Interval, Scale
from pantau.report.fan import Fan, Spread, fan
from pantau.report.qr import QUIET, qr
from pantau.report.scale import Point, nice, runs, scaled
from pantau.report.svg import ALARM, Chart, Drawing, fit, lines_of, width_of
from pantau.report.tilemap import Tile
from pantau.report.waterfall import Step, waterfall
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


@pytest.mark.parametrize(("width", "most"), [(0.3, 4), (1, 5), (7.4, 4), (41, 2), (8388, 4), (12548, 3)])
def test_steps_of_axes_are_round_and_few(width, most):
    step = nice(width, most)
    assert width / step <= most
    assert f"{step:e}".split("e")[0].rstrip("0").rstrip(".") in ("1", "2", "2.5", "5")
    assert width / step > most / 5


def test_a_month_without_a_figure_is_a_gap():
    chart = charts.sparkline("s", series("1", "2", None, "4", "5"), "Jan", "Mei 2026", "alt")
    assert len(elements(chart, "path")) == 2
    assert runs([None, (0, 0), None]) == [[(0, 0)]]


def test_sparkline_of_one_month_and_of_equal_months():
    assert elements(charts.sparkline("s", series("1"), "", "Jan", "alt"), "circle")
    assert elements(charts.sparkline("s", series("3", "3", "3"), "", "Jan", "alt"), "path")
    assert scaled(3, 3, 0, 10, 3) == 5


def test_restated_months_have_a_ring_and_carried_ones_a_diamond():
    points = [Point(0, Decimal(1)), Point(1, Decimal(2), restated=True), Point(2, Decimal(3))]
    assert len(elements(charts.sparkline("s", points, "a", "b", "alt"), "circle")) == 2
    points[1] = Point(1, Decimal(2), restated=True, carried=True)
    chart = charts.sparkline("s", points, "a", "b", "alt")
    assert len(elements(chart, "circle")) == 1
    assert any(e.get("d", "").endswith("Z") for e in elements(chart, "path"))


@pytest.mark.parametrize(("value", "top"), [("0", "0"), ("0", "100"), ("250", "100"), ("-3", "100")])
@pytest.mark.parametrize("forecast", [None, "-5", "0", "60", "300"])
def test_bullet_stays_inside_its_width(value, top, forecast):
    ahead = None if forecast is None else Decimal(forecast)
    chart = charts.bullet("b", Decimal(value), Decimal(top), Decimal(0), Decimal(100), ahead, "alt")
    for bar in elements(chart, "rect"):
        assert float(bar.get("x", 0)) >= -0.6
        assert float(bar.get("x", 0)) + float(bar.get("width", 0)) <= chart.width + 0.6


def test_what_is_expected_to_go_is_the_bars_hatched_end():
    def solid(value: int, forecast: int) -> float:
        chart = charts.bullet("b", Decimal(value), Decimal(100), None, None, Decimal(forecast), "alt")
        return float(elements(chart, "rect")[1].get("width", 0))

    assert solid(80, 40) == solid(40, 80)


def test_hatching_stays_inside_its_rectangle():
    drawing = Drawing(40, 20)
    drawing.hatch(5, 3, 23, 9)
    (strokes,) = elements(drawing.chart("h", ""), "path")
    points = [p.split() for line in strokes.get("d", "").split("M")[1:] for p in line.split("L")]
    assert points
    assert all(5 <= float(x) <= 28 and 3 <= float(y) <= 12 for x, y in points)


def test_every_province_has_a_place_of_its_own():
    places = {tuple(entry["at"]) for entry in LAYOUT.values()}
    assert len(LAYOUT) == len(places) == 38


def test_names_on_tiles_are_large_enough_and_fit():
    chart = tilemap.tile_map("m", tiles(*LAYOUT), LAYOUT, "legend", "alt")
    assert all(float(e.get("font-size", 0)) >= 7 for e in elements(chart, "text"))
    for entry in LAYOUT.values():
        for line in entry["short"].split("|"):
            assert line in texts(chart)
            assert width_of(line, 7) <= 510 / 15


def test_map_of_unknown_codes_only():
    chart = tilemap.tile_map("m", tiles("97", "98", "99"), LAYOUT, "legend", "alt")
    assert texts(chart).count("1") == 3
    assert chart.height < 60


def test_map_of_more_unknown_codes_than_a_row_holds():
    codes = [f"x{i}" for i in range(40)]
    chart = tilemap.tile_map("m", tiles("11", *codes), LAYOUT, "legend", "alt")
    assert texts(chart).count("1") == 41
    for e in elements(chart, "rect"):
        assert float(e.get("y", 0)) + float(e.get("height", 0)) <= chart.height + 0.1


def test_darker_means_more_left_and_the_text_stays_readable():
    def colours(pct: str) -> tuple[str | None, str | None]:
        chart = tilemap.tile_map("m", [Tile("11", "Aceh", "1", Decimal(pct))], LAYOUT, "legend", "alt")
        return elements(chart, "rect")[0].get("fill"), elements(chart, "text")[0].get("fill")

    assert colours("0")[0] == colours("0.9")[0] != colours("1")[0]
    assert colours("100") == ("#650D22", "#FFFFFF")

    def luminance(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    steps = [luminance(colour) for _, colour in tilemap.RAMP]
    assert all(a - b > 12 for a, b in pairwise(steps))  # grey tells the same


def test_long_names_are_cut_with_an_ellipsis_and_long_reasons_broken():
    assert fit("Panjangsekali" * 3, 6.5, 30).endswith("…")
    assert width_of(fit("Panjangsekali" * 3, 6.5, 30), 6.5) <= 30
    assert fit("Aceh", 6.5, 30) == "Aceh"
    lines = lines_of("satu dua tiga empat lima enam", 7.5, 60)
    assert " ".join(lines) == "satu dua tiga empat lima enam"
    assert len(lines) > 1
    assert all(width_of(line, 7.5) <= 60 for line in lines)


LABELS = {
    "last": "10.973",
    "gap": "9.924",
    "plan": "1.049",
    "forecast": "10.600|80%",
    "needed": "5.487",
    "goal": "0",
}


def test_trend_begins_at_zero_and_names_what_it_shows():
    what = Fan(
        series("12000", "11000", "10973"),
        4,
        [(0, "Agu|2026"), (2, "Okt"), (4, "Des")],
        ((0, Decimal(3000)), (4, Decimal(0))),
        Decimal(1049),
        (4, Decimal(0)),
        [Spread(3, 10800, 10700, 10900, 10600, 11000), Spread(4, 10600, 10400, 10800, 10200, 11000)],
        True,
        lambda amount: f"{amount:.0f}",
        LABELS,
    )
    chart = fan("t", what, "alt", 511, 170, 130)
    shown = texts(chart)
    assert {"0", "15000", "10.973", "9.924", "1.049", "10.600", "80%", "5.487", "Agu", "2026"} <= set(shown)
    at = {e.text: float(e.get("y", 0)) for e in elements(chart, "text") if float(e.get("x", 0)) > 381}
    assert at["10.600"] < at["80%"] < at["5.487"] < at["0"]  # the labels do not fall onto each other
    assert all(b - a >= 9 for a, b in pairwise(sorted(at.values())))


def test_trend_of_nothing_but_zeros_and_without_its_newest_month():
    bare = {"last": "0"}
    flat = Fan(series("0", "0"), 1, [], None, None, None, (), True, str, bare)
    assert texts(fan("t", flat, "alt", 160, 100)).count("0") == 1
    cut = Fan(series("5", None), 1, [], None, None, (1, Decimal(0)), (), False, str, bare)
    assert "0" not in texts(fan("t", cut, "alt", 160, 100))


def test_waterfall_rows_meet_and_setbacks_are_hatched():
    steps = [
        Step(4130, 4130, "level", 22),
        Step(4130, 4171, "paper", 31.5),
        Step(4171, 3822, "better", 22),
        Step(3822, 3851, "worse", 22),
        Step(3851, 3851, "level", 22),
    ]
    pictures, axis = waterfall("w", steps, lambda v: f"{v:.0f}")
    assert [p.height for p in pictures] == [22, 31.5, 22, 22, 22]
    uprights = [
        [(float(e.get("x1", 0)), float(e.get("y1", 0)), float(e.get("y2", 0))) for e in elements(p, "line")]
        for p in pictures
    ]
    for above, below in pairwise(range(5)):
        leaves = {x for x, _, y in uprights[above] if y == pictures[above].height}
        arrives = {x for x, y, _ in uprights[below] if y == 0}
        assert leaves & arrives - {x for x, y, z in uprights[below] if (y, z) == (0, pictures[below].height)}
    assert elements(pictures[3], "path")[0].get("stroke") == ALARM
    assert not elements(pictures[2], "path")
    assert texts(axis) == ["3800", "4000", "4200"]
    assert waterfall("w", [Step(5, 5, "level", 20)], str)[0]


def test_a_provinces_row_shows_which_way_it_went():
    scale = Scale(40, 100, (40, 60, 80, 100), 2.0)

    def bars(change: str) -> list[float]:
        return [
            float(e.get("x", 0))
            for e in elements(charts.place("p", scale, Decimal(95), Decimal(change), 14), "rect")
        ]

    zero = scale.moved(0)
    assert bars("0") == []
    assert bars("0.5") == [pytest.approx(zero, abs=0.01)]
    assert bars("-0.5")[0] < zero
    assert charts.place("p", scale, Decimal(95), None, 14).alt == ""


def test_a_past_forecast_beside_what_came():
    chart = charts.interval("i", Interval(3771, 3640, 3902, 3851), 3500, 4000)
    ring = float(elements(chart, "circle")[0].get("cx", 0))
    ends = [float(elements(chart, "line")[0].get(k, 0)) for k in ("x1", "x2")]
    actual = float(elements(chart, "line")[1].get("x1", 0))
    assert ends[0] < ring < actual < ends[1]


def test_qr_code_holds_its_modules_and_a_quiet_edge():
    chart = qr("q", "http://localhost:8090/2026-10/v1/index.html", "alt", 62)
    assert (chart.width, chart.height) == (62, 62)
    bars = elements(chart, "rect")
    size = float(ET.fromstring(chart.svg).get("width", 0))  # noqa: S314  our own bytes
    for bar in bars:
        assert QUIET <= float(bar.get("x", 0)) <= size - QUIET
        assert QUIET <= float(bar.get("y", 0)) <= size - QUIET
    assert sum(float(bar.get("width", 0)) for bar in bars) > 0.35 * (size - 2 * QUIET) ** 2


@pytest.mark.parametrize("kind", ["solid", "hatched", "target", "plan", "ring", "diamond"])
def test_every_sign_is_drawn_and_its_own(kind):
    others = {
        charts.key(k).svg for k in ("solid", "hatched", "target", "plan", "ring", "diamond") if k != kind
    }
    assert charts.key(kind).svg not in others
