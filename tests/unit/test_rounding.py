"""Numbers are rounded once and half away from zero, and "all" and "nothing" are said of nothing else."""

from decimal import Decimal
from fractions import Fraction

import pytest

from pantau.rounding import difference_text, edge, exact, half_up


@pytest.mark.parametrize(
    ("value", "decimals", "rounded"),
    [
        (Decimal("19.25"), 1, "19.3"),
        (Decimal("-19.25"), 1, "-19.3"),
        (Decimal("0.5"), 0, "1"),
        (Decimal("2.5"), 0, "3"),
        (Decimal("-0.04"), 1, "0.0"),
        (Fraction(1, 8), 2, "0.13"),
        (Fraction(-1, 8), 2, "-0.13"),
        (Fraction(-1, 100), 1, "0.0"),
        # 28 digits of it are a tie, the number is not one
        (Fraction(5, 100) - Fraction(1, 10**40), 1, "0.0"),
        (7, 0, "7"),
    ],
)
def test_half_away_from_zero(value, decimals, rounded):
    assert str(half_up(value, decimals)) == rounded


@pytest.mark.parametrize(
    ("difference", "decimals", "text"),
    [
        (Fraction(0), 1, "0.0"),
        (Fraction(-29, 83762) * 100, 1, "-0.03"),  # 29 villages of 83,762
        (Fraction(499, 10000), 1, "0.04"),  # cut off, for 0.05 would be written as 0.1
        (Fraction(5, 100), 1, "0.1"),
        (Fraction(-279), 0, "-279"),
    ],
)
def test_a_difference_that_is_not_zero_keeps_a_digit(difference, decimals, text):
    assert difference_text(difference, decimals) == text


def test_the_exact_value_of_a_figure():
    assert exact("ratio_pct", Decimal(8559), Decimal(8563)) == Fraction(855900, 8563)
    assert exact("ratio_pct", Decimal(0), Decimal(0)) is None
    assert exact("count", Decimal(3851), Decimal(83762)) == 3851


@pytest.mark.parametrize(
    ("value", "parts", "written"),
    [
        ("100.0", (8559, 8563), (">", "99.9")),
        ("100.0", (8563, 8563), ("", "100.0")),
        ("100.0", (8564, 8563), (">", "100")),
        ("0.0", (1, 8563), ("<", "0.1")),
        ("0.0", (-1, 8563), ("−<", "0.1")),
        ("0.0", (0, 8563), ("", "0.0")),
        ("95.4", (79911, 83762), ("", "95.4")),
    ],
)
def test_all_and_nothing_are_said_of_nothing_else(value, parts, written):
    sign, amount = edge(Decimal(value), *(Decimal(p) for p in parts), 1)
    assert (sign, str(amount)) == written
