"""What a report says and how it writes numbers and dates: one table of texts, two languages, and Babel.

Promise: a number is shown as it was rounded at the source. Only display with fewer digits rounds again.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_decimal, format_decimal
from markupsafe import Markup

from pantau.errors import PantauError
from pantau.periods import JAKARTA

LANGUAGES = ("id", "en")
STRESSED = {"change", "pace", "value", "gap"}  # what `stress` sets in bold
NOTHING = "–"  # a cell without a value
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
        amount = Decimal(value)
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        text = format_decimal(abs(amount), format=pattern, locale=self.locale)
        if not any(c in "123456789" for c in text):
            return text  # nothing that is shown as zero has a sign
        return ("−" if amount < 0 else "+" if signed else "") + text

    def compact(self, value: str | int | Decimal | None, digits: int = 1, *, short: bool = False) -> str:
        """A large amount in words that stay on one line: `26,9 triliun`, or `26,9 T`."""
        if value is None:
            return NOTHING
        text = format_compact_decimal(
            Decimal(value),
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
