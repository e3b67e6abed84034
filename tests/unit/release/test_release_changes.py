"""Changes come from the parts of two figures, before either was rounded."""

from decimal import Decimal
from typing import Any

import pytest

from pantau.release import asking
from pantau.release.figures import difference, exact_difference, rounded

SHARE = {"kind": "ratio_pct", "decimals": 1}
COUNT = {"kind": "count", "decimals": 0}


def figure(numerator: int, denominator: int, value: str | None = "0", version: int = 1) -> dict[str, Any]:
    """A frozen figure; its rounded value plays no part."""
    return {
        "numerator": Decimal(numerator), "denominator": Decimal(denominator),
        "value": None if value is None else Decimal(value), "indicator_version": version,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        (figure(79603, 83762, "95.0"), figure(79632, 83762, "95.1"), "-0.03"),  # the rounded ones say -0.1
        (figure(8562, 8563, "100.0"), figure(8563, 8563, "100.0"), "-0.01"),
        (figure(997, 10000, "10.0"), figure(0, 10000, "0.0"), "10.0"),
        (figure(364, 100000, "0.4"), figure(0, 100000, "0.0"), "0.4"),
        (figure(5, 10, "50.0"), figure(1, 2, "50.0"), "0.0"),
    ],
)
def test_changes_in_points_are_rounded_once(now, before, change):
    assert difference(SHARE, now, before) == change


def test_counts_and_what_cannot_be_compared():
    assert difference(COUNT, figure(3851, 83762), figure(4159, 83762)) == "-308"
    assert exact_difference(COUNT, figure(1, 2), figure(1, 2, version=2)) is None
    assert difference(COUNT, figure(1, 2), figure(1, 2, None)) is None
    assert difference(COUNT, figure(1, 2), None) is None


def test_a_baseline_is_rounded_half_away_from_zero():
    assert rounded(Decimal("85.25"), 1) == "85.3"
    assert rounded(None, 1) is None


def test_an_approver_is_not_told_all_of_what_is_not():
    each = {"kind": "ratio_pct", "decimals": 1, "value": "100.0", "numerator": "8559", "denominator": "8563"}
    assert asking._value(each) == ">99.9"
    assert asking._value(each | {"numerator": "8563"}) == "100.0"
    assert asking._value({"kind": "count", "value": "3851"}) == "3,851"
    assert asking._value(None) == "–"
