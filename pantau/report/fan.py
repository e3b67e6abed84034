"""The trend with its forecast: the months so far, the plan, and a fan to the deadline beside the pace required.

Line solid: actual; dashed: plan; dotted: what the target needs; grey bands: the forecast's 80% and 95% intervals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pantau.report.scale import Point, nice, runs, scaled
from pantau.report.svg import (
    ALARM,
    AXIS,
    INK,
    NARROW,
    NOTES,
    PAPER,
    RULE,
    RULE_DARK,
    WIDE,
    Chart,
    Drawing,
    width_of,
)

_LINE = 9.5  # between lines of a label


@dataclass(frozen=True)
class Spread:
    """The forecast for one month: its value, and the ends of its two intervals."""

    month: int
    value: float
    low80: float
    high80: float
    low95: float
    high95: float


@dataclass(frozen=True)
class Fan:
    """What the chart shows. Months count from the first of the series; `end` is the axis's last."""

    series: Sequence[Point]
    end: int
    ticks: Sequence[tuple[int, str]]  # month, label (`|` breaks the line)
    plan: tuple[tuple[int, Decimal], tuple[int, Decimal]] | None  # two points of the straight plan line
    expected: Decimal | None  # the plan at the newest month
    goal: tuple[int, Decimal] | None  # the target at its deadline, where that is on the axis
    forecast: Sequence[Spread]
    from_zero: bool
    axis: Callable[[float], str]  # how a number is written on the axis
    labels: Mapping[
        str, str
    ]  # last; and where they are wanted: gap, forecast, needed, goal (`|` breaks the line)


class _Frame:
    """The chart's place on its canvas: from month and value to points."""

    def __init__(self, what: Fan, width: float, height: float, gutter: float) -> None:
        self.left, self.right = 34.0, width - gutter
        self.top, self.bottom = 12.0, height - 20
        self.first, self.end = what.series[0].month, what.end
        values = [float(p.value) for p in what.series if p.value is not None]
        values += [float(v) for _, v in (*(what.plan or ()), *([what.goal] if what.goal else []))]
        values += [end for s in what.forecast for end in (s.low95, s.high95)]
        low, high = (0.0 if what.from_zero else min(values)), max([*values, 0.0])
        self.step = nice((high - low) or 1.0)
        self.low = low // self.step * self.step
        self.high = max(-(-high // self.step) * self.step, self.low + self.step)

    def at(self, month: float, value: float) -> tuple[float, float]:
        """The spot of a value in a month."""
        return (
            scaled(self.first, self.end, self.left, self.right, month),
            scaled(self.low, self.high, self.bottom, self.top, value),
        )


def fan(name: str, what: Fan, alt: str, width: float, height: float, gutter: float = 6) -> Chart:
    """The finished chart; `gutter` points on its right hold the labels of forecast, required pace and target."""
    drawing, frame = Drawing(width, height), _Frame(what, width, height, gutter)
    _axes(drawing, frame, what)
    newest = what.series[-1]
    start = None if newest.value is None else frame.at(newest.month, float(newest.value))
    if start:
        for colour, ends in ((WIDE, ("low95", "high95")), (NARROW, ("low80", "high80"))):
            low, high = ([frame.at(s.month, getattr(s, end)) for s in what.forecast] for end in ends)
            if low:
                drawing.shape([start, *high, *reversed(low)], colour)
    if what.plan:
        drawing.path([frame.at(m, float(v)) for m, v in what.plan], NOTES, 0.9, "3 2")
    if start and what.expected is not None:
        _gap(drawing, frame, start, frame.at(newest.month, float(what.expected)), what.labels)
    if start and what.goal:
        goal = frame.at(what.goal[0], float(what.goal[1]))
        drawing.path([start, goal], ALARM, 1.3, "1.5 1.5")
        drawing.rect(goal[0] - 1.1, goal[1] - 5, 2.2, 10)
    if start and what.forecast:
        spots = [frame.at(s.month, s.value) for s in what.forecast]
        drawing.path([start, *spots], INK, 1.2, "3 1.5")
        drawing.dot(*spots[-1], 2.3, PAPER, INK)
    places = [None if p.value is None else frame.at(p.month, float(p.value)) for p in what.series]
    for run in runs(places):
        drawing.path(run, INK, 1.8)
    for point, spot in zip(what.series, places, strict=True):
        if spot:
            drawing.mark(*spot, 2.2, ring=point.restated, diamond=point.carried)
    if start:
        drawing.dot(*start, 2.8, INK)
        _newest(drawing, frame, what, [spot for spot in places if spot], start)
        _labels(drawing, frame, what, start)
    return drawing.chart(name, alt)


def _newest(
    drawing: Drawing,
    frame: _Frame,
    what: Fan,
    places: list[tuple[float, float]],
    start: tuple[float, float],
) -> None:
    """The newest value, on the side of the line that the plan and the target leave free."""
    words = what.labels["last"]
    wide = width_of(words, 9)
    x = max(min(start[0] + 4, frame.right), frame.left + wide + 6)
    beside = [start[1], *(y for at, y in places if at > x - wide - 6)]
    ahead = frame.at(*(what.goal[0], float(what.goal[1])))[1] if what.goal else start[1] + 1
    y = max(beside) + 14 if ahead < start[1] else min(beside) - 6
    drawing.rect(x - wide - 2, y - 8.5, wide + 3, 11, PAPER)
    drawing.text(x, y, words, 9, bold=True, anchor="end")


def _axes(drawing: Drawing, frame: _Frame, what: Fan) -> None:
    for i in range(round((frame.high - frame.low) / frame.step) + 1):
        value = frame.low + i * frame.step
        _, y = frame.at(frame.first, value)
        drawing.line(frame.left, y, frame.right, y, RULE if i else RULE_DARK, 0.5)
        drawing.text(frame.left - 4, y + 2.4, what.axis(value), 7, AXIS, anchor="end")
    for month, label in what.ticks:
        x, _ = frame.at(month, frame.low)
        drawing.line(x, frame.bottom, x, frame.bottom + 2.5, RULE_DARK, 0.5)
        for i, words in enumerate(label.split("|")):
            drawing.text(x, frame.bottom + 10 + i * 8, words, 7, AXIS, anchor="middle")


def _gap(
    drawing: Drawing,
    frame: _Frame,
    start: tuple[float, float],
    plan: tuple[float, float],
    labels: Mapping[str, str],
) -> None:
    """The distance to the plan: an upright from the newest value to the plan line, named at both its ends."""
    if "gap" not in labels or abs(start[1] - plan[1]) < 2 * _LINE:
        return
    drawing.line(*start, *plan, NOTES, 0.7)
    drawing.line(plan[0] - 2.5, plan[1], plan[0] + 2.5, plan[1], NOTES, 0.7)
    down = 1 if plan[1] > start[1] else -1
    left = plan[0] - frame.left > width_of(labels["gap"], 7.5) + 8
    x, anchor = (plan[0] - 5, "end") if left else (plan[0] + 5, "start")
    y = start[1] + (11 if down > 0 else -6)
    wide = width_of(labels["gap"], 7.5)
    drawing.rect(x - wide - 1 if left else x - 1, y - 7, wide + 2, _LINE, PAPER)
    drawing.text(x, y, labels["gap"], 7.5, NOTES, bold=True, anchor=anchor)
    drawing.text(x, plan[1] + down * 7 + 2.5, labels["plan"], 7.5, NOTES, anchor=anchor)


def _labels(drawing: Drawing, frame: _Frame, what: Fan, start: tuple[float, float]) -> None:
    """Right of the chart: forecast, required pace, target, each as near to its line as the others let it."""
    wanted = []
    if what.forecast and "forecast" in what.labels:
        wanted.append((frame.at(frame.end, what.forecast[-1].value)[1], "forecast", INK))
    if what.goal:
        goal = frame.at(frame.end, float(what.goal[1]))[1]
        if "needed" in what.labels:
            wanted.append(((start[1] + goal) / 2, "needed", ALARM))
        if "goal" in what.labels:
            wanted.append((goal, "goal", INK))
    floor = frame.bottom + 8
    for y, key, ink in sorted(wanted, reverse=True):  # from below: each pushes the next one up
        lines = what.labels[key].split("|")
        tall = len(lines) * _LINE
        base = min(y + tall / 2, floor)
        for i, line in enumerate(lines):
            drawing.text(frame.right + 8, base - tall + (i + 1) * _LINE - 2, line, 7.5, ink, bold=i == 0)
        floor = base - tall - 4
