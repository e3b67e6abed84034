"""How numbers become places on a chart: linear scales, steps for axes, series with gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Point:
    """One month of a series: 0 is the first; value None where there is no figure."""

    month: int
    value: Decimal | None
    restated: bool = False
    carried: bool = False  # it stands on a delivery of an earlier month


def scaled(low: float, high: float, start: float, end: float, value: float) -> float:
    """Where `value` of `low`…`high` stands between `start` and `end`; the middle where all is one value."""
    return (start + end) / 2 if high == low else start + (value - low) / (high - low) * (end - start)


def runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The stretches without a gap: a month without a figure is a gap, never a bridge."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [run for run in found if run]


def nice(width: float, most: int = 4) -> float:
    """A step of the kind 1, 2, 2.5, 5 × 10ⁿ that cuts `width` (above 0) into at most so many parts."""
    base = 1.0
    while base > width:
        base /= 10
    while base * 10 <= width:
        base *= 10
    return next(base * f for f in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10) if width / (base * f) <= most)
