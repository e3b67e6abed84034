"""The bridge from one month's figure to the next, a waterfall that lies on its side: one picture for each row.

The rows stand in a table, whose cells say the numbers and the reasons; the pictures are as tall as the rows, so
that the connecting lines meet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pantau.report.scale import nice, scaled
from pantau.report.svg import ALARM, AXIS, INK, PAPER, RULE, RULE_DARK, Chart, Drawing

_BAR, _INSET = 13.0, 14.0


@dataclass(frozen=True)
class Step:
    """One row: `before` and `after` are equal where the row only states a figure."""

    before: float
    after: float
    kind: str  # level, paper (a correction: outlined), better (solid), worse (hatched)
    height: float  # of the row, in points


def waterfall(
    name: str, steps: Sequence[Step], write: Callable[[float], str], width: float = 150
) -> tuple[list[Chart], Chart]:
    """A picture for each step, and the axis to stand below them. All without words: the table has them."""
    ends = [value for step in steps for value in (step.before, step.after)]
    part = nice((max(ends) - min(ends)) or 1.0, 2)
    low = min(ends) // part * part
    high = max(-(-max(ends) // part) * part, low + part)
    ticks = [low + i * part for i in range(round((high - low) / part) + 1)]

    def at(value: float) -> float:
        return scaled(low, high, _INSET, width - _INSET, value)

    pictures = []
    for i, step in enumerate(steps):
        drawing = Drawing(width, step.height)
        middle = step.height / 2
        for tick in ticks:
            drawing.line(at(tick), 0, at(tick), step.height, RULE, 0.5)
        before, after = at(step.before), at(step.after)
        if i:
            drawing.line(before, 0, before, middle, INK, 0.75)
        if i < len(steps) - 1:
            drawing.line(after, middle, after, step.height, INK, 0.75)
        left, wide, top = min(before, after), max(abs(after - before), 1.6), middle - _BAR / 2
        if step.kind == "level":
            drawing.dot(after, middle, 3.2)
        elif step.kind == "worse":
            drawing.hatch(left, top, wide, _BAR, ALARM)
        elif step.kind == "better":
            drawing.rect(left, top, wide, _BAR)
        else:
            drawing.rect(left, top, wide, _BAR, PAPER, INK, 1.0)
        pictures.append(drawing.chart(f"{name}-{i}", ""))
    axis = Drawing(width, 12)
    axis.line(0, 0.3, width, 0.3, RULE_DARK, 0.6)
    for tick in ticks:
        axis.text(at(tick), 9.5, write(tick), 7, AXIS, anchor="middle")
    return pictures, axis.chart(f"{name}-axis", "")
