"""The random walk with drift as the textbook has it, in plain Python: Hyndman & Athanasopoulos, Forecasting: Principles
and Practice, 3rd ed., 5.2 and the table of 5.5, with Student's t. Imports nothing of the product."""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import stdev

CHANGES = 12


def by_the_book(history: Sequence[Decimal], months: int) -> tuple[Fraction, float]:
    """Forecast (exact) and standard error, so many months after the last value."""
    used = history[-CHANGES - 1 :]
    drift = Fraction(used[-1] - used[0]) / CHANGES
    error = stdev(float(b - a) for a, b in pairwise(used)) * math.sqrt(months * (1 + months / CHANGES))
    return Fraction(used[-1]) + months * drift, error


def numbers(history: Sequence[Decimal], months: int, decimals: int, top: float = math.inf) -> list[Decimal]:
    """value, low80, high80, low95, high95: rounded half away from zero, and not below 0 or above `top`."""
    centre, error = by_the_book(history, months)
    halves = [t_at(share, CHANGES - 1) * error for share in (0.9, 0.975)]
    found = [centre, *(float(centre) + sign * half for half in halves for sign in (-1, 1))]
    return [_rounded(Fraction(min(max(n, 0), top)), decimals) for n in found]


def _rounded(value: Fraction, decimals: int) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def t_below(x: float, freedom: int) -> float:
    """Student's t distribution function, by Simpson's rule."""
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))

    def density(z: float) -> float:
        return scale * (1 + z * z / freedom) ** (-(freedom + 1) / 2)

    steps = 4000
    width = x / steps
    inner = sum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
    return 0.5 + (density(0) + inner + density(x)) * width / 3


@cache
def t_at(share: float, freedom: int) -> float:
    """Its quantile, by bisection."""
    low, high = 0.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, freedom) < share else (low, middle)
    return low
