"""How an indicator goes on if nothing changes: random walk with drift, its intervals, and how well it has done.

A month's change is the mean change of the last twelve months plus noise; the mean and the noise are fitted by
least squares (statsmodels). Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2 and 5.5, with
Student's t in place of the normal distribution, because the noise is estimated from twelve changes alone.

Promise: the same values give the same text on every machine: nothing is searched for, and what is computed in
binary is rounded well above its error before it is rounded to the register's decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, inf, sqrt
from typing import Literal

from pantau.rounding import half_up

CHANGES = 12  # monthly changes that the method looks back on
SURE = 6  # digits beyond the register's at which binary arithmetic is still exact on every machine

Direction = Literal["up", "down"]


def run_rate(start: Decimal, end: Decimal, units: int) -> Fraction:
    """Change per unit of time from `start` to `end`, `units` (days, months) apart."""
    return Fraction(end - start) / units


def required_rate(value: Decimal, target: Decimal, units: int, direction: Direction) -> Fraction:
    """Change per unit of time that reaches `target` in `units`; 0 where `value` is at the target or better."""
    return Fraction(0) if at_target(value, target, direction) else Fraction(target - value) / units


def at_target(value: Decimal, target: Decimal, direction: Direction) -> bool:
    """Whether `value` is at the target or better."""
    return value >= target if direction == "up" else value <= target


@dataclass(frozen=True)
class Fit:
    """A fitted random walk with drift."""

    last: float
    drift: float  # per month
    variance: float  # of one month's change about the drift
    drift_variance: float  # of the drift, for it is estimated
    freedom: int  # degrees of freedom

    def mean(self, months: int) -> float:
        """The forecast, `months` ahead."""
        return self.last + months * self.drift

    def error(self, months: int) -> float:
        """Standard error of that forecast: the months' own noise, and the drift's error carried along."""
        return sqrt(months * self.variance + months**2 * self.drift_variance)

    def interval(self, months: int, percent: int) -> tuple[float, float]:
        """The range that holds the value `months` ahead with this probability."""
        from scipy.stats import t

        half = float(t.ppf(0.5 + percent / 200, self.freedom)) * self.error(months)
        return self.mean(months) - half, self.mean(months) + half

    def probability(self, months: int, target: Decimal, direction: Direction, decimals: int) -> float:
        """That the value is at `target` or better `months` ahead."""
        from scipy.stats import t

        if settled(self.error(months), decimals) == 0:  # every change was the same
            return 1.0 if at_target(settled(self.mean(months), decimals), target, direction) else 0.0
        beyond = (self.mean(months) - float(target)) / self.error(months)
        return float(t.cdf(beyond if direction == "up" else -beyond, self.freedom))


def fit(values: Sequence[Decimal]) -> Fit:
    """Fit to the last `CHANGES` + 1 of the monthly `values` (at least that many; oldest first)."""
    import numpy
    from statsmodels.regression.linear_model import OLS

    used = values[-CHANGES - 1 :]
    if len(used) <= CHANGES:
        raise ValueError(f"{CHANGES + 1} months are needed, not {len(used)}")
    changes = numpy.array([float(b - a) for a, b in pairwise(used)])
    fitted = OLS(changes, numpy.ones(CHANGES)).fit()
    return Fit(
        last=float(used[-1]),
        drift=float(fitted.params[0]),
        variance=float(fitted.scale),
        drift_variance=float(fitted.cov_params()[0, 0]),
        freedom=CHANGES - 1,
    )


@dataclass(frozen=True)
class Bounds:
    """What is possible: no forecast and no interval says more."""

    low: int
    high: int | None

    def clip(self, value: float) -> float:
        """The nearest possible value."""
        return min(max(value, self.low), inf if self.high is None else self.high)


def bounds_of(kind: str) -> Bounds:
    """A share lies between 0 and 100, a count is not below 0."""
    return Bounds(0, 100 if kind == "ratio_pct" else None)


@dataclass(frozen=True)
class Point:
    """The forecast of one month, rounded once to the register's decimals, within what is possible."""

    value: Decimal
    low80: Decimal
    high80: Decimal
    low95: Decimal
    high95: Decimal


def point(fitted: Fit, months: int, bounds: Bounds, decimals: int) -> Point:
    """The forecast `months` ahead with its intervals of 80 % and 95 %."""
    numbers = (fitted.mean(months), *fitted.interval(months, 80), *fitted.interval(months, 95))
    return Point(*(round_once(bounds.clip(number), decimals) for number in numbers))


@dataclass(frozen=True)
class Backtest:
    """How the method would have done, one month ahead, in the months whose value is known."""

    months: int
    mean_absolute_error: Fraction | None
    inside80: int


def backtest(values: Sequence[Decimal], bounds: Bounds, decimals: int) -> Backtest:
    """Fit to every beginning of `values` that is long enough and compare with the month that followed."""
    errors, inside = [], 0
    for known in range(CHANGES + 1, len(values)):
        fitted = fit(values[:known])
        made = point(fitted, 1, bounds, decimals)
        errors.append(Fraction(abs(values[known] - made.value)))
        low, high = (settled(bounds.clip(end), decimals) for end in fitted.interval(1, 80))
        inside += low <= values[known] <= high  # a bound that is rounded first would hold more, or less
    return Backtest(len(errors), sum(errors, Fraction(0)) / len(errors) if errors else None, inside)


def settled(value: float, decimals: int) -> Decimal:
    """A binary number with the digits that are the same on every machine."""
    return Decimal(f"{value:.{decimals + SURE}f}")


def round_once(value: float | Fraction, decimals: int, *, up: bool = False) -> Decimal:
    """Rounded to so many digits, half away from zero; with `up` always away from zero."""
    exact = value if isinstance(value, Fraction) else settled(value, decimals)
    if not up:
        return half_up(exact, decimals)
    whole = ceil(abs(Fraction(exact)) * 10**decimals)
    return Decimal(-whole if exact < 0 else whole).scaleb(-decimals)
