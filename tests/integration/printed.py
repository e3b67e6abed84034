"""What stands on a report's pages: its text, its numbers as Indonesian writes them, the ids of its figures.

Imports nothing of the product.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pypdfium2

# A figure's id as printed: a line may end after any of its marks, and one without a month is of the report's.
_END = r"(?:\r?\n)?"
_OPERATOR = "telkomsel|xl|indosat|tri|smartfren|sti"
_VERDICT = rf"sepakat_{_END}(?:ya|tidak)|(?:operator|komdigi)_{_END}saja"
_PRINTED = re.compile(
    rf"[KR]\d+\.{_END}\d\d(?:\.{_END}\d\d(?!\d))?(?::{_END}(?:non-{_END}3T|3T|R?APBN|PERUBAHAN|{_OPERATOR}|{_VERDICT}))?"
    rf"(?::{_END}(?:KL|TKDD))?"
    rf"(?:{_END}@{_END}\d{{4}}-{_END}\d\d(?:/{_END}v\d+)?)?(?![:@]‹)"
)


def pages_of(path: Path) -> list[str]:
    """The text of each page, with its line ends."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]


def indonesian(value: Decimal, decimals: int = 0, signed: bool = False) -> str:
    """A number as Indonesian writes it, worked out apart from Babel."""
    text = f"{abs(value):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return ("−" if value < 0 else "+" if signed and value else "") + text


def changed(difference: Fraction | Decimal | str, decimals: int = 0) -> str:
    """A difference as Indonesian writes it: rounded half away from zero, and never called zero where it is not."""
    exact = Fraction(difference)
    digits = int(abs(exact) * 10**decimals + Fraction(1, 2))
    if digits or not exact:
        return indonesian(Decimal(digits).scaleb(-decimals) * (-1 if exact < 0 else 1), decimals, signed=True)
    return ("−<" if exact < 0 else "+<") + indonesian(Decimal(1).scaleb(-decimals), decimals)


def per_cent(numerator: Decimal, denominator: Decimal, value: Decimal) -> str:
    """A share with one digit as Indonesian writes it: all and nothing are said of nothing else."""
    if value == 100 and numerator < denominator:
        return ">99,9"
    return "<0,1" if value == 0 and numerator else indonesian(value, 1)


def english(value: Decimal, decimals: int = 0, signed: bool = False) -> str:
    """A number as English writes it, worked out apart from Babel."""
    text = f"{abs(value):,.{decimals}f}"
    return ("−" if value < 0 else "+" if signed and value else "") + text


def printed_ids(
    text: str, period: str, codes: Mapping[str, Iterable[str]], months: Iterable[str]
) -> set[str]:
    """The ids of all figures that a report names.

    Args:
        text: of all pages, with its line ends.
        period: of the report; an id without a month is of that one.
        codes, months: what the report's patterns `K2.‹kode›` (by indicator) and `K2.00@‹bulan›` stand for.
    """
    found = {re.sub(r"\s", "", match) for match in _PRINTED.findall(text)}
    for indicator in re.findall(r"(K\d+)\.‹kode›", text):
        found |= {f"{indicator}.{code}" for code in codes[indicator]}
    for begin in re.findall(r"(K\d+\.00)@‹bulan›", text):
        found |= {f"{begin}@{month}" for month in months}
    return {figure if "@" in figure else f"{figure}@{period}" for figure in found}
