"""The report's pictures, drawn by hand as SVG: sparkline, bullet bar, tile map, trend, share bar.

Each takes numbers already decided and gives a Chart with alternative text. None computes an indicator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pantau.report.svg import (
    ALARM,
    AXIS,
    INK,
    NOTES,
    PAPER,
    RULE,
    RULE_DARK,
    WASH,
    Chart,
    Drawing,
    fit,
    width_of,
)

# Share of villages without 4G, upper bounds in per cent; luminance falls evenly, so that grey tells the same.
RAMP = (
    (Decimal(5), "#F4F1EE"),
    (Decimal(10), "#E8D6CE"),
    (Decimal(25), "#DBAFA2"),
    (Decimal(45), "#C97A6E"),
    (Decimal(65), "#A3203A"),
    (Decimal(100), "#650D22"),
)
_WHITE_FROM = 4  # ink on the lighter steps, white on the last two
_LEGEND_HEIGHT = 28.0
_KEY_ROW = 11.0  # between the two rows of keys above the trend


@dataclass(frozen=True)
class Point:
    """One month of a series: 0 is the first; value None where there is no figure."""

    month: int
    value: Decimal | None
    restated: bool = False


def _scale(low: float, high: float, start: float, end: float, value: float) -> float:
    return (start + end) / 2 if high == low else start + (value - low) / (high - low) * (end - start)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The stretches without a gap: a month without a figure is a gap, never a bridge."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def sparkline(
    name: str, series: Sequence[Point], first: str, last: str, alt: str, width: float = 58
) -> Chart:
    """The last months of one figure, without axes; a dot on the newest, a ring on every restated month."""
    height, top, bottom, edge = 35.0, 4.0, 24.0, 3.0
    drawing = Drawing(width, height)
    values = [float(p.value) for p in series if p.value is not None]
    months = [p.month for p in series]
    if values:
        low, high = min(values), max(values)
        places = [
            None
            if p.value is None
            else (
                _scale(months[0], months[-1], edge, width - edge, p.month),
                _scale(low, high, bottom, top, float(p.value)),
            )
            for p in series
        ]
        for run in _runs(places):
            drawing.path(run, INK, 1.1)
        for point, place in zip(series, places, strict=True):
            if place and point.restated:
                drawing.dot(*place, 1.9, PAPER, INK)
        if places[-1]:
            drawing.dot(*places[-1], 2.2, INK)
        drawing.text(0, height - 2, first, 6.5, AXIS)
        drawing.text(width, height - 2, last, 6.5, AXIS, anchor="end")
    return drawing.chart(name, alt)


def bullet(
    name: str,
    value: Decimal,
    top: Decimal,
    target: Decimal | None,
    expected: Decimal | None,
    alt: str,
    width: float = 160,
) -> Chart:
    """A bar on a scale from 0 to `top`: solid value, thick upright at the target, triangle at the plan."""
    height, y, bar = 17.0, 6.5, 7.0
    drawing = Drawing(width, height)
    inset = 1.5  # room for half an upright at both ends

    def at(amount: Decimal) -> float:
        ceiling = float(top) or 1.0
        return inset + max(0.0, min(1.0, float(amount) / ceiling)) * (width - 2 * inset)

    drawing.rect(0, y, width, bar, WASH)
    drawing.rect(0, y, at(value) if value > 0 else 0, bar, INK)
    if target is not None:
        drawing.rect(at(target) - 2, y - 3, 4, bar + 6, PAPER)  # a white edge keeps it visible on the bar
        drawing.rect(at(target) - 1.1, y - 3, 2.2, bar + 6, INK)
    if expected is not None:
        x = at(expected)
        drawing.line(x, y, x, y + bar, PAPER, 2.6)
        drawing.line(x, y - 1, x, y + bar, NOTES, 0.9)
        drawing.shape([(x - 3.2, 0.4), (x + 3.2, 0.4), (x, 5.8)], NOTES)
    return drawing.chart(name, alt)


def share_bar(name: str, share: Decimal, most: Decimal, alt: str, width: float = 36) -> Chart:
    """A small bar: `share` on a scale that ends at `most`."""
    drawing = Drawing(width, 7)
    drawing.rect(0, 0, width * float(share / most) if most else 0, 7, INK)
    return drawing.chart(name, alt)


@dataclass(frozen=True)
class Tile:
    """One province on the map: code, name, number as shown, and the share that gives its colour."""

    code: str
    name: str
    number: str
    uncovered_pct: Decimal


def _tile_lines(tile: Tile, layout: Mapping[str, Mapping[str, Any]], room: float, size: float) -> list[str]:
    """At most two lines that fit: the short name of the layout, or the name broken at a space."""
    known = layout.get(tile.code)
    if known:
        lines = str(known["short"]).split("|")
    else:
        first, _, rest = tile.name.partition(" ")
        lines = [tile.name] if width_of(tile.name, size) <= room else [w for w in (first, rest) if w]
    return [fit(line, size, room) for line in lines[:2]]


def _tile_places(
    tiles: Sequence[Tile], layout: Mapping[str, Mapping[str, Any]], columns: int
) -> dict[str, tuple[int, int]]:
    """Column and row of each tile, empty edges cut off; codes without a place stand in rows below."""
    places = {t.code: (layout[t.code]["at"][0], layout[t.code]["at"][1]) for t in tiles if t.code in layout}
    if places:
        left, top = min(c for c, _ in places.values()), min(r for _, r in places.values())
        places = {code: (c - left, r - top) for code, (c, r) in places.items()}
    below = 1 + max((r for _, r in places.values()), default=-1)
    for i, tile in enumerate(t for t in tiles if t.code not in layout):
        places[tile.code] = (i % columns, below + i // columns)
    return places


def tile_map(
    name: str,
    tiles: Sequence[Tile],
    layout: Mapping[str, Mapping[str, Any]],
    legend: str,
    alt: str,
    width: float = 510,
) -> Chart:
    """Every province as a tile of one size, with its number, darker where more is left."""
    columns, gap, row = 15, 1.6, 25.8
    cell = width / columns
    places = _tile_places(tiles, layout, columns)
    rows = 1 + max(r for _, r in places.values())
    used = 1 + max(c for c, _ in places.values())
    # The legend stands right of a narrow map, else right in the rows that the country leaves free, else below.
    legend_x, legend_width = (columns - 4) * cell, 4 * cell - gap
    free = 1 + max((r for c, r in places.values() if c >= columns - 4), default=-1)
    legend_y = free * row + 5
    if (used + 4) * cell + 12 <= width:
        legend_x, legend_y = used * cell + 12, 0.0
    height = max(rows * row, legend_y + _LEGEND_HEIGHT)
    drawing = Drawing(width, height)
    for tile in tiles:
        column, line = places[tile.code]
        x, y = column * cell, line * row
        step = next((i for i, (top, _) in enumerate(RAMP) if tile.uncovered_pct < top), len(RAMP) - 1)
        ink = PAPER if step >= _WHITE_FROM else INK
        outline = RULE_DARK if step == 0 else None
        drawing.rect(x + 0.3, y + 0.3, cell - gap, row - gap, RAMP[step][1], outline)
        lines = _tile_lines(tile, layout, cell - gap - 1.6, 6.5)
        middle = x + (cell - gap) / 2
        below = y + (20.2 if len(lines) == 1 else 22.2)
        first = y + (9.0 if len(lines) == 1 else 6.7)
        for i, words in enumerate(lines):
            drawing.text(middle, first + i * 6.7, words, 6.5, ink, anchor="middle")
        drawing.text(middle, below, tile.number, 8.6, ink, bold=True, anchor="middle")
    _legend(drawing, legend_x, legend_y, legend_width, legend)
    return drawing.chart(name, alt)


def _legend(drawing: Drawing, x: float, y: float, width: float, title: str) -> None:
    """The steps of the ramp, each with the shares that it stands for."""
    drawing.text(x, y + 6, title, 7, NOTES)
    step, low = width / len(RAMP), Decimal(0)
    for i, (top, colour) in enumerate(RAMP):
        share = f"<{top}" if i == 0 else f"≥{low}" if i == len(RAMP) - 1 else f"{low}–{top}"
        drawing.rect(x + i * step + 0.3, y + 10.3, step - 1, 8, colour, RULE_DARK if i == 0 else None)
        drawing.text(x + (i + 0.5) * step, y + 26, share, 6.5, AXIS, anchor="middle")
        low = top


@dataclass(frozen=True)
class Trend:
    """What the trend chart shows. Months count from the first of the series; `end` is the axis's last."""

    series: Sequence[Point]
    end: int
    ticks: Sequence[tuple[int, str]]  # month, label (`|` breaks the line)
    plan: tuple[tuple[int, Decimal], tuple[int, Decimal]] | None  # two points of the straight plan line
    expected: Decimal | None  # the plan at the newest month
    needed: tuple[int, Decimal] | None  # where the required pace arrives
    axis: Callable[[float], str]  # how a number is written on the axis
    labels: Mapping[str, str]  # actual, plan, needed, restated, last, expected


def _nice(top: float) -> float:
    """A step that cuts 0…top into two to four parts, of the kind 1, 2, 2.5, 5 × 10ⁿ."""
    base = 1.0
    while base * 10 <= top:
        base *= 10
    return next(base * f for f in (0.25, 0.5, 1, 2, 2.5, 5) if top / (base * f) <= 4)


def trend(name: str, what: Trend, alt: str, width: float = 222, height: float = 156) -> Chart:
    """A line over the months with plan and required pace; axis from 0, keys above, newest value named."""
    drawing = Drawing(width, height)
    left, right, top, bottom = 30.0, width - 6, 34.0, height - 20
    values = [float(p.value) for p in what.series if p.value is not None]
    ends = [float(v) for _, v in (what.plan or ())]
    step = _nice(max([*values, *ends, 1.0]))
    ceiling = step * -(-max([*values, *ends, 1.0]) // step)
    first = what.series[0].month

    def place(month: float, value: float) -> tuple[float, float]:
        return _scale(first, what.end, left, right, month), _scale(0, ceiling, bottom, top, value)

    for i in range(int(ceiling / step) + 1):
        _, y = place(first, i * step)
        drawing.line(left, y, right, y, RULE if i else RULE_DARK, 0.5)
        drawing.text(left - 4, y + 2.3, what.axis(i * step), 6.5, AXIS, anchor="end")
    for month, label in what.ticks:
        x, _ = place(month, 0)
        drawing.line(x, bottom, x, bottom + 2.5, RULE_DARK, 0.5)
        for i, words in enumerate(label.split("|")):
            drawing.text(x, bottom + 10 + i * 8, words, 6.5, AXIS, anchor="middle")
    places = [None if p.value is None else place(p.month, float(p.value)) for p in what.series]
    if places[-1]:
        # The newest value stands above whatever part of the line it would cross, on paper, not on a grid line.
        wide = width_of(what.labels["last"], 8.5)
        last_x = min(places[-1][0] + 5, right)
        last_y = min(s[1] for s in places if s and s[0] > last_x - wide - 3) - 6
        drawing.rect(last_x - wide, last_y - 8, wide, 10, PAPER)
    if what.plan:
        drawing.path([place(m, float(v)) for m, v in what.plan], NOTES, 0.9, "3 2")
    if what.plan and what.expected is not None:
        x, y = place(what.series[-1].month, float(what.expected))
        drawing.dot(x, y, 1.8, PAPER, NOTES)
        if not places[-1] or abs(places[-1][1] - y) > 14:
            drawing.text(x - 4, min(y + 7, bottom - 1.5), what.labels["expected"], 6.5, NOTES, anchor="end")
    if what.needed and places[-1]:
        drawing.path([places[-1], place(what.needed[0], float(what.needed[1]))], ALARM, 1.3, "1.5 1.5")
    for run in _runs(places):
        drawing.path(run, INK, 1.8)
    for point, spot in zip(what.series, places, strict=True):
        if spot and point.restated:
            drawing.dot(*spot, 2.2, PAPER, INK)
    if places[-1]:
        drawing.dot(*places[-1], 2.8, INK)
        drawing.text(last_x, last_y, what.labels["last"], 8.5, bold=True, anchor="end")
    _keys(drawing, what)
    return drawing.chart(name, alt)


def _keys(drawing: Drawing, what: Trend) -> None:
    """The names of the lines and of the ring, above the chart in two columns."""
    keys: list[tuple[str, str, float, str | None]] = [("actual", INK, 1.8, None)]
    if what.plan:
        keys.append(("plan", NOTES, 0.9, "3 2"))
    if what.needed:
        keys.append(("needed", ALARM, 1.3, "1.5 1.5"))
    if any(p.restated for p in what.series):
        keys.append(("restated", INK, 0, None))
    for i, (key, colour, weight, dash) in enumerate(keys):
        x, y = (i % 2) * drawing.width * 0.55, 5.5 + i // 2 * _KEY_ROW
        if weight:
            drawing.line(x, y, x + 14, y, colour, weight, dash)
        else:
            drawing.dot(x + 7, y, 2.2, PAPER, colour)
        drawing.text(x + 18, y + 2.5, what.labels[key], 7, colour)
