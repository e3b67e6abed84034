"""Great Expectations over the views of schema `checks`: whether each rule holds, and how many rows fail it.

It judges one reading or one build, named by a session setting; everything it would keep, draw or report
about that is off, since findings and their evidence are ours.
"""

import json
import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg

from pantau.checks.rules import Rule
from pantau.database import Role, sqlalchemy_url
from pantau.errors import PantauError, TransientError

# What PostgreSQL says of a text that cannot run, whenever it is asked. All else (a connection that broke, a deadlock,
# a cancelled statement, a full disk) says nothing about the rule, and may be gone at the next try.
OF_THE_TEXT = (
    psycopg.ProgrammingError,
    psycopg.DataError,
    psycopg.NotSupportedError,
    psycopg.errors.ReadOnlySqlTransaction,
)


class BrokenRuleError(PantauError):
    """A rule could not be run, or its two counts differ: our error, never a finding about the data."""

    def __init__(self, rule: Rule, what: str) -> None:
        super().__init__(
            f"The rule {rule.id} cannot be judged: {what}",
            where={"file": f"expectations/{rule.place}.yml", "rule": rule.id, "batch": rule.batch},
            next_step="This is an error of the rule, not of the data: mend it, then run the same step again.",
        )


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations says of one rule: `rows` that fail it, and what it observed."""

    passed: bool
    rows: int
    observed: dict[str, Any]


@cache
def _library() -> Any:
    """The library, imported once and made quiet: it takes seconds, so nothing else pays for it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # An ephemeral one writes itself out as YAML at every change, for nobody: half the time of a small check.
    context.variables.save = lambda: None  # type: ignore[method-assign]
    return gx, context


def judge(rules: Iterable[Rule], role: Role, options: str) -> dict[str, Verdict]:
    """Judge each rule over its view; by rule id.

    Args:
        role: whose rights the session has.
        options: the session settings that name the reading or the build and the views' schema:
            `-c pantau.reading=9 -c search_path=checks`.

    Raises:
        BrokenRuleError: a rule's text does not run.
        TransientError: the database could not answer; it says nothing about the rules.
    """
    gx, context = _library()
    by_batch: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_batch[rule.batch].append(rule)
    # A rule reads; a session that cannot write makes sure of it.
    url = sqlalchemy_url(role, "psycopg2", options=f"{options} -c default_transaction_read_only=on")
    source = context.data_sources.add_or_update_postgres(
        "pantau", connection_string=url.replace("$", r"\$"), create_temp_table=False
    )
    try:
        return {
            rule_id: verdict
            for batch, its in by_batch.items()
            for rule_id, verdict in _judge_batch(gx, source, batch, its).items()
        }
    finally:
        # It opens two engines per source and closes neither.
        source.get_execution_engine().close()
        source.get_engine().dispose()
        context.data_sources.delete("pantau")


def _judge_batch(gx: Any, source: Any, batch: str, rules: list[Rule]) -> dict[str, Verdict]:
    # Named as a table it would be tried out with a first row, which takes as long as all rows of the view.
    asset = source.add_query_asset(batch, query=f"select * from {batch}")  # noqa: S608  a name of our own
    suite = gx.ExpectationSuite(name=batch)
    for text, rule in {_text(rule): rule for rule in rules}.items():  # it judges the same text only once
        suite.add_expectation(_expectation(rule, {"text": text}))
    view = asset.add_batch_definition_whole_table("all").get_batch()
    result = view.validate(suite, result_format="SUMMARY")
    by_text = {one.expectation_config.meta["text"]: one for one in result.results}
    for (
        one
    ) in result.results:  # all first: what follows a lost connection is said otherwise, and of other rules
        _pass_on_what_may_heal(batch, _exception(one.exception_info))
    verdicts = {}
    for rule in rules:
        one = by_text[_text(rule)]
        if problem := _exception(one.exception_info):
            raise BrokenRuleError(rule, problem)
        observed = json.loads(json.dumps(one.result, default=str))
        rows = int(one.result["observed_value"]) if rule.select else int(not one.success)
        if one.success != (rows == 0):
            raise BrokenRuleError(rule, f"{rows} failing rows, yet success is {one.success}")
        verdicts[rule.id] = Verdict(bool(one.success), rows, observed)
    return verdicts


def _pass_on_what_may_heal(batch: str, problem: str) -> None:
    """Raise TransientError where what the library reports is an error of psycopg2 that is not the text's own."""
    import psycopg2
    import psycopg2.errors

    of_the_text = (
        psycopg2.ProgrammingError,
        psycopg2.DataError,
        psycopg2.NotSupportedError,
        psycopg2.errors.ReadOnlySqlTransaction,
    )
    for name in re.findall(r"\bpsycopg2\.(?:errors\.)?(\w+)", problem):
        kind = getattr(psycopg2.errors, name, None) or getattr(psycopg2, name, None)
        if isinstance(kind, type) and issubclass(kind, psycopg2.Error) and not issubclass(kind, of_the_text):
            raise TransientError(
                f"The database did not answer while rules were judged: {problem}",
                where={"batch": batch},
                next_step="Run the same step again; nothing of it is recorded.",
            )


def _text(rule: Rule) -> str:
    return rule.expectation.model_dump_json() if rule.expectation else rule.select


def _expectation(rule: Rule, meta: dict[str, str]) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    if rule.expectation is None:
        return _failing_rows()(unexpected_rows_query=rule.select, meta=meta)
    return get_expectation_impl(rule.expectation.type)(**rule.expectation.arguments, meta=meta)


@cache
def _failing_rows() -> Any:
    """`UnexpectedRowsExpectation` that counts the rows and does not fetch the first 200 of them as well.

    The evidence is taken by us, in full; fetching a sample runs each select once more.
    """
    from great_expectations.expectations.core import UnexpectedRowsExpectation

    class UnexpectedRowsCounted(UnexpectedRowsExpectation):
        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, Any], *unused: Any, **also_unused: Any) -> Any:
            rows = metrics["unexpected_rows_query.row_count"]
            return {"success": rows == 0, "result": {"observed_value": rows}}

    return UnexpectedRowsCounted


def _exception(info: dict[str, Any]) -> str:
    """The message of what broke, or an empty text; the library nests it by metric where there are several."""
    for one in [info] if "raised_exception" in info else info.values():
        if one["raised_exception"]:
            return str(one["exception_message"]).strip()
    return ""
