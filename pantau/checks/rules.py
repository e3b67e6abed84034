"""The rules of `expectations/`, read and validated: each is one record, and its text is the only one.

What stands in a record is what runs, what takes the evidence, and what a finding keeps of it.
"""

import json
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Formatter
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pantau import catalogue
from pantau.catalogue import Bilingual
from pantau.errors import PantauError
from pantau.settings import settings

Border = Literal["raw", "across", "marts"]
Severity = Literal["critical", "warning", "info"]

# Views that are no feed's: see views.py.
PLATFORM_VIEWS = {
    "raw": {
        "feed", "reading", "reading__previous", "reading__replaced", "refused_row", "refused_row__previous",
        "restated_row", "control_total", "lineage",
    },
    "across": {"feed", "build", "build_input", "refused_row__build"},
    "marts": {
        "feed", "build", "build_input", "indicator", "published_figure", "rpt_figure", "rpt_figure__previous",
        "rpt_status",
    },
}  # fmt: skip
_VIEW = re.compile(r"\bchecks\.([a-z0-9_]+)")
_FEED = re.compile(r"\bfeed = '([a-z0-9_]+)'")
# A rule reads what is sealed; what it says may not depend on when or how often it is asked.
_UNSTEADY = re.compile(r"\b(now\s*\(|current_date|current_time|localtime|clock_timestamp|random\s*\()", re.I)


class Expectation(BaseModel):
    """A Great Expectations type with its arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(pattern=r"^expect_[a-z0-9_]+$")
    arguments: dict[str, Any] = {}


class Rule(BaseModel):
    """One rule: what must hold, how bad it is if not, who mends it, and the text that decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")
    version: int = Field(ge=1)
    sentence: Bilingual  # what must hold
    severity: Severity
    fixer: str = Field(min_length=1)
    reference: str = Field(min_length=1)  # law, audit finding or definition
    action: Bilingual | None = None  # what to do next
    batch: str = ""  # the view of schema `checks` that is looked at; empty: the file's own
    expectation: Expectation | None = None
    select: str = ""  # the failing rows
    border: Border
    subject: str  # the file's name: a feed, `every`, `across` or a mart

    @model_validator(mode="after")
    def _one_text(self) -> "Rule":
        if not self.id.startswith(f"{self.subject}."):
            raise ValueError(f"id: begins with '{self.subject}.'")
        if not self.batch:
            raise ValueError("batch: which view is looked at?")
        if bool(self.select) == (self.expectation is not None):
            raise ValueError("give either `expectation` or `select`")
        if self.select:
            self._check_select()
        return self

    def _check_select(self) -> None:
        if not re.match(r"\s*(with|select)\b", self.select, re.I) or ";" in self.select:
            raise ValueError("select: ONE statement that begins with `with` or `select`, and no semicolon")
        try:
            fields = [field for _, field, _, _ in Formatter().parse(self.select) if field is not None]
        except ValueError as error:
            raise ValueError(f"select: {error}; a literal brace is doubled") from error
        if "batch" not in fields:
            raise ValueError("select: reads {batch}, or it would judge something else")
        if set(fields) != {"batch"}:
            raise ValueError("select: {batch} is the only placeholder; a literal brace is doubled")
        if unsteady := _UNSTEADY.search(self.select):
            raise ValueError(f"select: '{unsteady.group(1)}' makes the result depend on the moment")

    @property
    def place(self) -> str:
        """The rule's file below `expectations/`, without its ending."""
        return f"{'marts' if self.border == 'marts' else 'raw'}/{self.subject}"

    @property
    def views(self) -> frozenset[str]:
        """The views of schema `checks` that the rule reads."""
        return frozenset({self.batch, *_VIEW.findall(self.select)})

    @property
    def feeds(self) -> frozenset[str]:
        """The feeds that the rule speaks about: by their views, or by name."""
        views = self.views - frozenset().union(*PLATFORM_VIEWS.values())
        named = {re.sub(r"__(previous|replaced|build|readings)$", "", view) for view in views}
        return frozenset(named | set(_FEED.findall(self.select)))

    @property
    def compares_with(self) -> frozenset[str]:
        """What the rule sets beside its own rows, and says nothing without: `previous`, `replaced`."""
        named = {view.rpartition("__")[2] for view in self.views} & {"previous", "replaced"}
        return frozenset(named | ({"replaced"} if "restated_row" in self.views else set()))

    def evidence_sql(self) -> str:
        """The select over its batch, exactly as Great Expectations runs it."""
        return self.select.format(batch=self.batch).strip()

    def record(self) -> dict[str, Any]:
        """The record as it is kept, with its words."""
        return self.model_dump(mode="json", exclude_none=True)

    def sha256(self) -> str:
        """The hash under which the record is kept."""
        return digest(self.record())


def deciding(record: dict[str, Any]) -> dict[str, Any]:
    """What of a record decides about data: its words may be mended, this only under the next version."""
    return {name: record.get(name) for name in ("severity", "batch", "expectation", "select")}


def rules_hash(rules: list[Rule]) -> str:
    """SHA-256 over what decides in the rules: the same set of rules has the same hash, whatever its words."""
    parts = [
        {"id": rule.id, "version": rule.version, **deciding(rule.record())}
        for rule in sorted(rules, key=lambda rule: rule.id)
    ]
    return digest(parts)


def digest(what: Any) -> str:
    return sha256(json.dumps(what, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _own_batch(border: Border, subject: str) -> str:
    if border == "marts" or (border == "raw" and subject != "every"):
        return subject
    return "reading" if border == "raw" else ""


def _problems(path: Path, folder: Path) -> tuple[list[Rule], list[str]]:
    """The rules of one file that hold, and what is wrong with the others."""
    place, subject = path.relative_to(folder).as_posix(), path.stem
    border: Border = "marts" if path.parent.name == "marts" else "across" if subject == "across" else "raw"
    if border == "raw" and subject != "every" and subject not in catalogue.load():
        return [], [f"{place}: there is no feed '{subject}' in the catalogue"]
    try:
        records = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        return [], [f"{place}: not YAML: {error}"]
    if not isinstance(records, list):
        return [], [f"{place}: a list of rules is expected"]
    rules, wrong = [], []
    for number, record in enumerate(records, 1):
        name = record.get("id", f"number {number}") if isinstance(record, dict) else f"number {number}"
        try:
            if not isinstance(record, dict):
                raise TypeError("a record is expected")
            given = {"batch": _own_batch(border, subject), **record, "border": border, "subject": subject}
            rules.append(Rule.model_validate(given))
        except ValidationError as error:
            for e in error.errors():
                field = ".".join(map(str, e["loc"]))
                wrong.append(f"{place}, rule {name}: {field + ': ' if field else ''}{e['msg']}")
        except TypeError as error:
            wrong.append(f"{place}, rule {name}: {error}")
    return rules, wrong


def _read(folder: Path) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    rules: list[Rule] = []
    wrong: list[str] = []
    for path in sorted(folder.glob("*/*.yml")):
        good, bad = _problems(path, folder)
        rules += good
        wrong += bad
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            wrong.append(f"{rule.place}.yml, rule {rule.id}: there are two of it")
        seen.add(rule.id)
    return tuple(rules), tuple(wrong)


def load_rules(folder: Path | None = None) -> tuple[Rule, ...]:
    """Every rule of `expectations/`. Raises PantauError naming file, rule and field that do not hold."""
    return _load(folder or settings.expectations)


@cache
def _load(folder: Path) -> tuple[Rule, ...]:
    rules, wrong = _read(folder)
    if wrong:
        raise PantauError(
            "The rules do not hold: " + "; ".join(wrong),
            where={"folder": "expectations"},
            next_step="Mend the file; the fields of a rule stand in pantau/checks/rules.py.",
        )
    return rules


def lint_rules(folder: Path | None = None) -> list[str]:
    """What is wrong with the rule files, one message each with file and rule; empty when all hold.

    Beyond what loading refuses: views that do not exist at the rule's border, and expectations that Great
    Expectations does not know, does not accept, or whose failing rows it could not list in full.
    """
    rules, wrong = _read(folder or settings.expectations)
    problems = list(wrong)
    feeds = catalogue.load()
    for rule in rules:
        place = f"{rule.place}.yml, rule {rule.id}"
        endings = ("", "__previous", "__replaced") if rule.border == "raw" else ("__build", "__readings")
        known = PLATFORM_VIEWS[rule.border] | {f"{feed}{ending}" for feed in feeds for ending in endings}
        problems += [f"{place}: there is no view checks.{view}" for view in sorted(rule.views - known)]
        others = (rule.feeds & feeds.keys()) - {rule.subject}
        if rule.border == "raw" and others:
            problems.append(f"{place}: needs {', '.join(sorted(others))}: such a rule stands in across.yml")
        if rule.expectation:
            problems += [f"{place}: {problem}" for problem in _expectation_problems(rule.expectation)]
    return problems


def _expectation_problems(expectation: Expectation) -> list[str]:
    from great_expectations.expectations.expectation import (
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        kind = get_expectation_impl(expectation.type)
    except Exception as error:  # noqa: BLE001 - the library raises its own kinds
        return [f"Great Expectations knows no {expectation.type} ({type(error).__name__})"]
    if issubclass(kind, ColumnMapExpectation | ColumnPairMapExpectation | MulticolumnMapExpectation):
        return [f"{expectation.type} judges rows, and lists at most 200 of them: write it as `select`"]
    try:
        kind(**expectation.arguments)
    except Exception as error:  # noqa: BLE001
        return [f"{expectation.type} refuses its arguments: {error}"]
    return []
