"""The report's small pictures, drawn by hand as SVG: sparkline, bullet bar, bar in a table's row, dots in a row.

Each takes numbers already decided and gives a Chart. None computes an indicator. The pictures for a table's row
have no words of their own: the numbers stand in the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pantau.report.scale import Point, runs, scaled
from pantau.report.svg import ALARM, AXIS, INK, NOTES, PAPER, RULE, RULE_DARK, WASH, Chart, Drawing


def sparkline(
    name: str, series: Sequence[Point], first: str, last: str, alt: str, width: float = 58
) -> Chart:
    """The last months of one figure, without axes; a dot on the newest, a ring on every restated month."""
    height, top, bottom, edge = 30.0, 3.5, 19.5, 3.0
    drawing = Drawing(width, height)
    values = [float(p.value) for p in series if p.value is not None]
    months = [p.month for p in series]
    if values:
        low, high = min(values), max(values)
        places = [
            None
            if p.value is None
            else (
                scaled(months[0], months[-1], edge, width - edge, p.month),
                scaled(low, high, bottom, top, float(p.value)),
            )
            for p in series
        ]
        for run in runs(places):
            drawing.path(run, INK, 1.1)
        for point, spot in zip(series, places, strict=True):
            if spot:
                drawing.mark(*spot, 1.9, ring=point.restated, diamond=point.carried)
        if places[-1]:
            drawing.dot(*places[-1], 2.2, INK)
        drawing.text(0, height - 2, first, 7, AXIS)
        drawing.text(width, height - 2, last, 7, AXIS, anchor="end")
    return drawing.chart(name, alt)


def bullet(
    name: str,
    value: Decimal,
    top: Decimal,
    target: Decimal | None,
    expected: Decimal | None,
    forecast: Decimal | None,
    alt: str,
    width: float = 160,
) -> Chart:
    """A bar from 0 to `top`: solid value, hatched way to the forecast, upright at the target, triangle at the plan.

    Where the forecast is below the value, what is expected to go is the hatched end of the bar.
    """
    height, y, bar = 15.0, 6.0, 6.6
    drawing = Drawing(width, height)
    inset = 1.5  # room for half an upright at both ends

    def at(amount: Decimal) -> float:
        ceiling = float(top) or 1.0
        return inset + max(0.0, min(1.0, float(amount) / ceiling)) * (width - 2 * inset)

    drawing.rect(0, y, width, bar, WASH)
    solid = value if forecast is None else min(value, forecast)
    drawing.rect(0, y, at(solid) if solid > 0 else 0, bar, INK)
    if forecast is not None:
        drawing.hatch(at(solid), y + 0.3, at(max(value, forecast)) - at(solid), bar - 0.6)
    if target is not None:
        drawing.rect(at(target) - 2, y - 2.4, 4, bar + 4.8, PAPER)  # a white edge keeps it visible on the bar
        drawing.rect(at(target) - 1.1, y - 2.4, 2.2, bar + 4.8, INK)
    if expected is not None:
        x = at(expected)
        drawing.line(x, y, x, y + bar, PAPER, 2.6)
        drawing.line(x, y - 1, x, y + bar, NOTES, 0.9)
        drawing.shape([(x - 3.0, 0.4), (x + 3.0, 0.4), (x, 5.4)], NOTES)
    return drawing.chart(name, alt)


def key(kind: str, width: float = 20) -> Chart:
    """One of the signs of a tile, for its explanation: solid, hatched, target, plan, ring or diamond."""
    drawing = Drawing(width, 10)
    middle = width / 2
    if kind in ("solid", "target", "plan"):
        drawing.rect(0, 2.4, width, 5.2, INK if kind == "solid" else WASH)
    if kind == "hatched":
        drawing.hatch(0.4, 2.7, width - 0.8, 4.8)
    elif kind == "target":
        drawing.rect(middle - 1.1, 0, 2.2, 10)
    elif kind == "plan":
        drawing.line(middle, 2, middle, 7.6, NOTES, 0.9)
        drawing.shape([(middle - 3, 0.2), (middle + 3, 0.2), (middle, 5)], NOTES)
    elif kind in ("ring", "diamond"):
        drawing.line(0, 5, width, 5, INK, 1.1)
        drawing.mark(middle, 5, 2.2, ring=kind == "ring", diamond=kind == "diamond")
    return drawing.chart(f"key-{kind}", "")


def bar(name: str, value: Decimal, top: Decimal, plan: Decimal | None = None, width: float = 110) -> Chart:
    """A bar in a table's row on a scale from 0 to `top`; an upright at the plan."""
    drawing = Drawing(width, 9)
    ceiling = float(top) or 1.0
    drawing.rect(0, 1.5, width, 6, WASH)
    drawing.rect(0, 1.5, width * max(0.0, min(1.0, float(value) / ceiling)), 6)
    if plan is not None:
        x = min(width - 1, max(1.0, width * float(plan) / ceiling))
        drawing.rect(x - 1.8, 0, 3.6, 9, PAPER)
        drawing.rect(x - 0.9, 0, 1.8, 9)
    return drawing.chart(name, "")


@dataclass(frozen=True)
class Scale:
    """The two scales of the provinces' rows: a level and its change, each with its ticks; widths in points."""

    low: float
    high: float
    ticks: tuple[float, ...]
    change: float  # the largest change shown, to either side
    width: float = 205
    change_width: float = 78

    def at(self, value: float) -> float:
        """Where a level stands."""
        return scaled(self.low, self.high, 4, self.width - self.change_width - 16, value)

    def moved(self, value: float) -> float:
        """Where a change ends."""
        return scaled(-self.change, self.change, self.width - self.change_width, self.width - 2, value)


def scale_head(name: str, scale: Scale, ticks: Sequence[str], change: Sequence[str]) -> Chart:
    """The numbers above the rows: of the level's ticks, and of the change at both ends and in the middle."""
    drawing = Drawing(scale.width, 9)
    for value, words in zip(scale.ticks, ticks, strict=True):
        drawing.text(scale.at(value), 7, words, 7, AXIS, anchor="middle")
    ends = ((-scale.change, "start"), (0.0, "middle"), (scale.change, "end"))
    for (value, anchor), words in zip(ends, change, strict=True):
        drawing.text(scale.moved(value), 7, words, 7, AXIS, anchor=anchor)
    return drawing.chart(name, "")


def place(name: str, scale: Scale, value: Decimal, change: Decimal | None, height: float) -> Chart:
    """One place's row: a dot at its level, a bar for its change: right, solid: better; left, hatched: worse."""
    drawing = Drawing(scale.width, height)
    middle = height / 2
    for tick in scale.ticks:
        drawing.line(scale.at(tick), 0, scale.at(tick), height, RULE, 0.4)
    drawing.line(scale.at(scale.low), middle, scale.at(float(value)), middle, RULE_DARK, 0.6)
    drawing.dot(scale.at(float(value)), middle, 2.7)
    zero = scale.moved(0)
    drawing.line(zero, 0, zero, height, RULE_DARK, 0.6)
    if change is not None and change > 0:
        drawing.rect(zero, middle - 2.8, scale.moved(float(change)) - zero, 5.6)
    elif change is not None and change < 0:
        end = scale.moved(float(change))
        drawing.hatch(end, middle - 2.8, zero - end, 5.6, ALARM)
    return drawing.chart(name, "")


@dataclass(frozen=True)
class Interval:
    """A past forecast beside what came: value, the ends of its interval, the actual value."""

    value: float
    low: float
    high: float
    actual: float


def interval(name: str, what: Interval, low: float, high: float, width: float = 116) -> Chart:
    """One past forecast's row: its interval as a line, its value as a ring, the actual value as an upright."""
    height, middle = 11.0, 5.5
    drawing = Drawing(width, height)

    def at(value: float) -> float:
        return scaled(low, high, 5, width - 5, value)

    drawing.line(at(what.low), middle, at(what.high), middle, RULE_DARK, 3.2)
    drawing.line(at(what.actual), 0, at(what.actual), height, INK, 1.4)
    drawing.dot(at(what.value), middle, 2.6, PAPER, INK)
    return drawing.chart(name, "")
