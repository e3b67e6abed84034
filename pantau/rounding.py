"""How numbers are rounded and what a rounded number may say: once, half away from zero, as PostgreSQL does.

Promise: "all" is said of all alone and "nothing" of nothing alone, also where the rounded number would be 100 or 0.
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor

ALL = Decimal(100)


def half_up(value: int | Decimal | Fraction, decimals: int = 0) -> Decimal:
    """`value` with so many digits after the separator, half away from zero; never a minus before a zero."""
    if isinstance(value, Fraction):  # a division first would round twice
        whole = floor(abs(value) * 10**decimals + Fraction(1, 2))
        return Decimal(-whole if value < 0 else whole).scaleb(-decimals)
    found = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return found if found else abs(found)


def exact(kind: str, numerator: Decimal, denominator: Decimal) -> Fraction | None:
    """A figure's value before it is rounded, by the register's `kind`; None where it has none."""
    if kind != "ratio_pct":
        return Fraction(numerator)
    return 100 * Fraction(numerator) / Fraction(denominator) if denominator else None


def difference_text(difference: Fraction, decimals: int) -> str:
    """A difference as decimal text, rounded once. One that is not zero but would round to it keeps its first digit,
    cut off, so that it says which way it goes and still rounds to zero."""
    found = half_up(difference, decimals)
    if found or not difference:
        return format(found, "f")
    while not (digit := int(difference * 10**decimals)):
        decimals += 1
    return format(Decimal(digit).scaleb(-decimals), "f")


def edge(value: Decimal, numerator: Decimal, denominator: Decimal, decimals: int) -> tuple[str, Decimal]:
    """How a share in per cent is written: `>` and 99.9 for 100.0 that is not all, `<` and 0.1 for 0.0 that is not
    nothing, else the value as it is, without a sign."""
    step = Decimal(1).scaleb(-decimals)
    if value == ALL and numerator != denominator:
        return ">", ALL - step if numerator < denominator else ALL
    if value == 0 and numerator:
        return ("<" if numerator > 0 else "−<"), step
    return "", value
