"""What a report says and how it writes numbers and dates: one table of texts, two languages, and Babel.

Promise: a number is shown as it was rounded at the source. Only display with fewer digits rounds again, half away
from zero like all else (`pantau.rounding`), and never says "all" or "nothing" of what is not.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import yaml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_decimal, format_decimal
from markupsafe import Markup

from pantau.errors import PantauError
from pantau.periods import JAKARTA
from pantau.rounding import edge, half_up

LANGUAGES = ("id", "en")
STRESSED = {"change", "pace", "value", "gap"}  # what `stress` sets in bold
NOTHING = "–"  # a cell without a value
_LARGEST = 12  # the power of ten of the largest amount that both languages have a word for
Text = TypeVar("Text", str, Markup)


def clean(value: Any) -> Any:
    """`value` with every string in it free of the control characters that XML and a page cannot hold."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(v) for v in value]
    return value


class Words:
    """The texts of one report in one language, and the numbers and dates as that language writes them."""

    def __init__(self, texts: Path, language: str) -> None:
        """Read `texts` (YAML: group → key → language). Raises PantauError for a language it does not have."""
        if language not in LANGUAGES:
            raise PantauError(
                f"No report in the language '{language}'.",
                where={"file": texts.name},
                next_step=f"Choose one of: {', '.join(LANGUAGES)}.",
            )
        self.language = language
        self._file = texts.name
        try:
            table = yaml.load(texts.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise PantauError(
                f"The report's texts cannot be read: {error}", next_step="Correct the YAML."
            ) from error
        self.texts: dict[str, dict[str, str]] = {
            group: {str(key): text[language] for key, text in entries.items()}
            for group, entries in table.items()
        }
        self.locale = Locale.parse(self.texts["format"]["locale"])

    def __getitem__(self, group: str) -> dict[str, str]:
        return self.texts[group]

    def say(self, key: str, /, **values: object) -> str:
        """The text `group.key` with its placeholders filled in, as plain text."""
        return self._filled(key, values, str)

    def stress(self, key: str, /, **values: object) -> Markup:
        """As `say`, for HTML: everything escaped, the numbers that carry the sentence set in bold."""
        shown = {
            k: Markup("<strong>{}</strong>").format(v) if k in STRESSED else v for k, v in values.items()
        }
        return self._filled(key, shown, Markup)

    def _filled(self, key: str, values: Mapping[str, object], kind: type[Text]) -> Text:
        group, _, name = key.partition(".")
        try:
            return kind(self.texts[group][name]).format(**values)
        except (KeyError, IndexError, ValueError) as error:
            raise PantauError(
                f"The text '{key}' is missing, or asks for something that it is not given: {error}",
                where={"file": self._file, "language": self.language},
                next_step=f"It may use: {', '.join(sorted(values)) or 'nothing'}.",
            ) from error

    def pick(self, both: dict[str, str] | str) -> str:
        """A text that the context carries in both languages, in this one."""
        return both if isinstance(both, str) else both[self.language]

    def number(self, value: str | int | Decimal | None, decimals: int = 0, *, signed: bool = False) -> str:
        """`value` with `decimals` digits, the language's separators, a true minus and, if wanted, a plus."""
        if value is None:
            return NOTHING
        amount = half_up(Decimal(value), decimals)
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        text = format_decimal(abs(amount), format=pattern, locale=self.locale)
        if not amount:
            return text  # nothing that is shown as zero has a sign
        return ("−" if amount < 0 else "+" if signed else "") + text

    def change(self, value: str | int | Decimal | Fraction | None, decimals: int = 0) -> str:
        """A difference with its sign; `+<0,1` where it is not zero, but rounds to it."""
        if value is None:
            return NOTHING
        amount = Fraction(value)
        found = half_up(amount, decimals)
        if found or not amount:
            return self.number(found, decimals, signed=True)
        return ("−<" if amount < 0 else "+<") + self.number(Decimal(1).scaleb(-decimals), decimals)

    def per_cent(
        self,
        value: str | Decimal | None,
        numerator: str | Decimal | None,
        denominator: str | Decimal | None,
        decimals: int = 0,
    ) -> str:
        """A share in per cent without its unit: `>99,9` for 100,0 that is not all, `<0,1` for 0,0 that is not nothing.

        Args:
            value: as it was frozen, or None where the share does not exist.
            numerator, denominator: of what it is the share.
        """
        if value is None or numerator is None or denominator is None:
            return self.number(value, decimals)
        sign, amount = edge(Decimal(value), Decimal(numerator), Decimal(denominator), decimals)
        return sign + self.number(amount, decimals)

    def share(self, part: Decimal, whole: Decimal, decimals: int = 0) -> str:
        """`part` of `whole` in per cent, as `per_cent` writes it; 0 where the whole is 0."""
        if not whole:
            return self.number(0, decimals)
        value = half_up(100 * Fraction(part) / Fraction(whole), decimals)
        return self.per_cent(value, part, whole, decimals)

    def compact(self, value: str | int | Decimal | None, digits: int = 1, *, short: bool = False) -> str:
        """A large amount in words that stay on one line: `26,9 triliun`, or `26,9 T`."""
        if value is None:
            return NOTHING
        text = format_compact_decimal(
            _of_thousands(Decimal(value), digits),
            format_type="short" if short else "long",
            locale=self.locale,
            fraction_digits=digits,
        )
        return text.replace("-", "−").replace(" ", "\u00a0")

    def month(self, period: str, *, short: bool = False) -> str:
        """`2026-10` as `Oktober 2026`, or `Okt 2026`."""
        day = date(int(period[:4]), int(period[5:7]), 1)
        return format_date(day, "MMM y" if short else "MMMM y", locale=self.locale)

    def day(self, value: str | None, *, short: bool = False) -> str:
        """An ISO date or moment as `31 Desember 2026`, or `31 Des 2026`, in Jakarta."""
        if value is None:
            return NOTHING
        day = self._moment(value).date() if "T" in value else date.fromisoformat(value)
        return format_date(day, "d MMM y" if short else "d MMMM y", locale=self.locale)

    def moment(self, value: str) -> str:
        """An ISO moment with its hour, in Jakarta."""
        return format_datetime(self._moment(value), self.texts["format"]["moment"], locale=self.locale)

    def listing(self, items: Iterable[str]) -> str:
        """`a`, `a dan b`, `a, b dan c`."""
        words = list(items)
        if len(words) < 2:
            return "".join(words)
        return ", ".join(words[:-1]) + self.texts["format"]["list_and"] + words[-1]

    @staticmethod
    def _moment(value: str) -> datetime:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(JAKARTA) if moment.tzinfo else moment.replace(tzinfo=JAKARTA)


def _of_thousands(value: Decimal, digits: int) -> Decimal:
    """`value` rounded to so many digits of the thousands, millions … in which it is told: Babel, which would round
    half to even, finds nothing left to round."""
    power = 0
    while power < _LARGEST and abs(half_up(value.scaleb(-power), digits)) >= 1000:
        power += 3
    return half_up(value.scaleb(-power), digits).scaleb(power)
