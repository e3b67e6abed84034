"""The forecast against the textbook's formula in plain Python, and what must hold of any history."""

import math
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pantau.release import forecast
from pantau.release.forecast import CHANGES, Bounds, backtest, bounds_of, fit, point, run_rate
from tests.textbook import by_the_book, numbers, t_at, t_below

# K2 of a simulated programme, September 2025 to October 2026, and K1 of the same months
K2 = [
    Decimal(n) for n in (10211, 9771, 9303, 8835, 8388, 7956, 7497, 7041, 6588, 6112, 5706, 5264, 4872, 4567)
]
K1 = [Decimal(n) / 10 for n in (878, 883, 889, 895, 900, 905, 910, 916, 921, 927, 932, 937, 942, 945)]
ANYTHING = Bounds(-(10**9), None)

values = st.integers(-10_000, 10_000).map(lambda n: Decimal(n) / 10)
histories = st.lists(values, min_size=CHANGES + 1, max_size=CHANGES + 6)


@pytest.mark.parametrize(("history", "decimals", "kind"), [(K2, 0, "count"), (K1, 1, "ratio_pct")])
def test_the_forecast_is_the_textbooks(history: list[Decimal], decimals: int, kind: str) -> None:
    for months in (1, 2, 4, 14):
        made = point(fit(history), months, bounds_of(kind), decimals)
        told = [made.value, made.low80, made.high80, made.low95, made.high95]
        top = 100 if kind == "ratio_pct" else math.inf
        assert told == numbers(history, months, decimals, top)
        assert all(-n.as_tuple().exponent == decimals for n in told)


def test_quantiles_are_those_of_the_printed_tables() -> None:
    assert (round(t_at(0.9, 11), 3), round(t_at(0.975, 11), 3)) == (1.363, 2.201)


@pytest.mark.parametrize(("target", "months"), [(4200, 1), (3700, 2), (0, 2), (0, 10), (0, 12)])
def test_the_probability_of_reaching_the_target_is_the_distributions(target: int, months: int) -> None:
    centre, error = by_the_book(K2, months)
    expected = t_below(float(target - centre) / error, CHANGES - 1)
    found = fit(K2).probability(months, Decimal(target), "down", 0)
    assert math.isclose(found, expected, abs_tol=1e-9)
    assert math.isclose(found + fit(K2).probability(months, Decimal(target), "up", 0), 1)


def test_five_thousand_stations_were_not_going_to_be_ready_in_time() -> None:
    """4,990 on 26 December 2023, 5,321 on 18 October 2024; the goal was 5,618 by the end of the year."""
    begun, seen, deadline = date(2023, 12, 26), date(2024, 10, 18), date(2024, 12, 31)
    pace = run_rate(Decimal(4990), Decimal(5321), (seen - begun).days)
    needed = forecast.required_rate(Decimal(5321), Decimal(5618), (deadline - seen).days, "up")
    assert (forecast.round_once(pace, 2), forecast.round_once(needed, 1)) == (Decimal("1.11"), Decimal("4.0"))
    assert pace < needed
    late = seen.toordinal() + (5618 - 5321) / pace - deadline.toordinal()
    assert late > 180


def test_a_rate_is_that_of_the_unit_in_which_time_is_counted() -> None:
    by_month = run_rate(K2[-13], K2[-1], 12)
    assert by_month == Fraction(int(K2[-1] - K2[-13]), 12)
    assert math.isclose(fit(K2).drift, float(by_month))
    assert forecast.required_rate(Decimal(30), Decimal(0), 4, "down") == Fraction(-15, 2)
    assert forecast.round_once(Fraction(-15, 2), 0, up=True) == -8


@pytest.mark.parametrize(("value", "target", "direction"), [("100", "100", "up"), ("3", "5", "down")])
def test_who_has_arrived_needs_no_pace(value: str, target: str, direction: str) -> None:
    assert forecast.required_rate(Decimal(value), Decimal(target), 3, direction) == 0
    assert forecast.at_target(Decimal(value), Decimal(target), direction)


@given(histories, st.integers(1, 36))
@settings(deadline=None)
def test_intervals_hold_the_forecast_and_grow(history: list[Decimal], months: int) -> None:
    near, far = (point(fit(history), m, ANYTHING, 1) for m in (months, months + 1))
    assert near.low95 <= near.low80 <= near.value <= near.high80 <= near.high95
    assert far.high80 - far.low80 >= near.high80 - near.low80 - Decimal("0.2")


@given(histories, values, st.integers(1, 12))
@settings(deadline=None)
def test_a_history_moved_or_mirrored_moves_or_mirrors_its_forecast(
    history: list[Decimal], more: Decimal, months: int
) -> None:
    made = fit(history)
    moved, mirrored = fit([v + more for v in history]), fit([-v for v in history])
    for percent in (80, 95):
        low, high = made.interval(months, percent)
        assert moved.interval(months, percent) == pytest.approx(
            (low + float(more), high + float(more)), abs=1e-6
        )
        assert mirrored.interval(months, percent) == pytest.approx((-high, -low), abs=1e-6)


@given(histories, st.integers(1, 60), st.sampled_from(["count", "ratio_pct"]))
@settings(deadline=None)
def test_nothing_impossible_is_forecast(history: list[Decimal], months: int, kind: str) -> None:
    made = point(fit([abs(v) % 100 for v in history]), months, bounds_of(kind), 1)
    for number in (made.value, made.low80, made.high80, made.low95, made.high95):
        assert number >= 0
        assert kind == "count" or number <= 100
        assert not format(number, "f").startswith("-")


@given(st.integers(-50, 50), st.integers(0, 5000), st.integers(1, 24))
@settings(deadline=None)
def test_equal_steps_go_on_without_doubt(step: int, begin: int, months: int) -> None:
    history = [Decimal(begin + step * i) for i in range(CHANGES + 5)]
    end = history[-1] + step * months
    assert set(vars(point(fit(history), months, ANYTHING, 0)).values()) == {end}
    made = fit(history)
    assert made.probability(months, end, "down", 0) == made.probability(months, end, "up", 0) == 1
    assert made.probability(months, end - 1, "down", 0) == 0
    tested = backtest(history, ANYTHING, 0)
    assert (tested.months, tested.mean_absolute_error, tested.inside80) == (4, 0, 4)


@given(st.integers(-(10**6), 10**6), st.integers(0, 2), st.sampled_from([-1, 0, 1]))
def test_what_lies_between_two_numbers_is_rounded_alike_everywhere(
    half: int, decimals: int, noise: int
) -> None:
    """The last bits differ from machine to machine; a value that is half in truth goes away from zero on all."""
    exact = Fraction(2 * half + 1, 2 * 10**decimals)
    found = forecast.round_once(float(exact) * (1 + noise * 2**-50), decimals)
    assert found == forecast.round_once(exact, decimals)
    assert abs(found) > abs(exact)


def test_a_forecast_looks_back_on_twelve_changes_alone() -> None:
    assert fit([Decimal(-50), Decimal(10**6), *K2]) == fit(K2)
    with pytest.raises(ValueError, match="13 months"):
        fit(K2[:CHANGES])


def test_the_backtest_fits_again_to_what_was_known_then() -> None:
    history = [Decimal(3 * i + (i % 3) + (40 if i == 15 else 0)) for i in range(18)]
    errors, inside = [], 0
    for known in range(CHANGES + 1, len(history)):
        centre, low, high, *_ = numbers(history[:known], 1, 0)
        errors.append(abs(history[known] - centre))
        inside += low <= history[known] <= high
    tested = backtest(history, ANYTHING, 0)
    assert (tested.months, tested.inside80) == (len(errors), inside)
    assert tested.mean_absolute_error == Fraction(sum(errors)) / 5
    assert 0 < inside < 5
    assert backtest(K2[:13], ANYTHING, 0) == forecast.Backtest(0, None, 0)
