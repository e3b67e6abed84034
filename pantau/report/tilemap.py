"""The tile map: every province a tile of one size, where it lies in the country, with its number.

Darker where more is left; the steps differ in luminance, so that grey tells the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pantau.report.svg import AXIS, INK, NOTES, PAPER, RULE_DARK, Chart, Drawing, fit, width_of

# Share of villages without 4G, upper bounds in per cent; luminance falls evenly, so that grey tells the same.
RAMP = (
    (Decimal(1), "#F7F5F3"),
    (Decimal(5), "#E8D6CE"),
    (Decimal(10), "#DBAFA2"),
    (Decimal(25), "#C97A6E"),
    (Decimal(45), "#A3203A"),
    (Decimal(100), "#650D22"),
)
_WHITE_FROM = 4  # ink on the lighter steps, white on the last two
_LEGEND_HEIGHT = 28.0
_NAME = 7.0  # the size of a province's name


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
    columns, gap, row = 15, 1.6, 24.8
    cell = width / columns
    places = _tile_places(tiles, layout, columns)
    rows = 1 + max(r for _, r in places.values())
    used = 1 + max(c for c, _ in places.values())
    # The legend stands right of a narrow map, else right in the rows that the country leaves free, else below.
    legend_x, legend_width = (columns - 5) * cell, 5 * cell - gap
    free = 1 + max((r for c, r in places.values() if c >= columns - 5), default=-1)
    legend_y = free * row + 5
    if (used + 5) * cell + 12 <= width:
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
        lines = _tile_lines(tile, layout, cell - gap - 1.2, _NAME)
        middle = x + (cell - gap) / 2
        below = y + (19.6 if len(lines) == 1 else 22.0)
        first = y + (8.8 if len(lines) == 1 else 7.0)
        for i, words in enumerate(lines):
            drawing.text(middle, first + i * 6.6, words, _NAME, ink, anchor="middle")
        drawing.text(middle, below, tile.number, 8.6, ink, bold=True, anchor="middle")
    _legend(drawing, legend_x, legend_y, legend_width, legend)
    return drawing.chart(name, alt)


def _legend(drawing: Drawing, x: float, y: float, width: float, title: str) -> None:
    """The steps of the ramp, each with the shares that it stands for."""
    drawing.text(x, y + 6, title, 7.5, NOTES)
    step, low = width / len(RAMP), Decimal(0)
    for i, (top, colour) in enumerate(RAMP):
        share = f"<{top}" if i == 0 else f"≥{low}" if i == len(RAMP) - 1 else f"{low}–{top}"
        drawing.rect(x + i * step + 0.3, y + 10.3, step - 1, 8, colour, RULE_DARK if i == 0 else None)
        drawing.text(x + (i + 0.5) * step, y + 26.5, share, 7, AXIS, anchor="middle")
        low = top
