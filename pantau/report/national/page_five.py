"""Page five of the national report: what operators owe and claim, how the money is spent, and what
every indicator means.

Promise: the operators' obligations add up to the nation's; where they do not, the report is not made.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pantau.errors import PantauError
from pantau.report import charts
from pantau.report.national.exceptions import worst_operators
from pantau.report.national.source import BUDGET, CLAIMS, OBLIGATIONS, Indicator, Source, figure_parts, short
from pantau.report.wording import NOTHING

FULL = Decimal(100)
NOT_CLAIMED = "across.obligation_not_claimed"  # the rule whose rows are told beside K15


def _expected(indicator: Indicator) -> Decimal | None:
    """Where the plan would have the indicator now; None without a plan."""
    target = indicator["target"]
    return Decimal(target["expected"]) if target and target["expected"] is not None else None


def obligations(source: Source) -> dict[str, Any] | None:
    """K15 by operator, the largest obligation first; None where it is missing.

    Raises PantauError where the operators do not add up to the nation.
    """
    words, every, by = source.words, source.known(OBLIGATIONS), source.breakdowns(OBLIGATIONS)
    if every is None or not by:
        return None
    for of in ("numerator", "denominator"):
        total = sum((Decimal(b[of]) for b in by.values()), Decimal(0))
        if total != Decimal(every[of]):
            raise PantauError(
                "The operators do not add up to the nation, so the report would contradict itself.",
                where={"figure": every["figure"], of: every[of], "operators": total},
                next_step="Look at K15 in the build behind this release; do not publish it.",
            )
    plan, mark = _expected(every), source.mark(OBLIGATIONS)

    def row(name: str, key: str, figure: Mapping[str, Any], change: str | None) -> dict[str, Any]:
        due, built = Decimal(figure["denominator"]), Decimal(figure["numerator"])
        value = Decimal(figure["value"])
        return {
            "name": name,
            "figure": short(figure["figure"]),
            "due": words.number(due) + mark,
            "built": words.number(built) + mark,
            "open": words.number(due - built) + mark,
            "value": source.figure(every, figure) + mark,
            "change": source.change(every, change),
            "bar": source.picture(charts.bar(f"duty-{key}", value, FULL, plan)),
        }

    largest = sorted(by.items(), key=lambda item: (-Decimal(item[1]["denominator"]), item[0]))
    change = every["change"]
    note = "operators.duty_note" if plan is None else "operators.duty_plan"
    return {
        "rows": [row(words["operator"].get(o, o), o, b, b["change"]) for o, b in largest],
        "total": row(words["operators"]["all"], "all", every, change["value"] if change else None),
        "note": words.say(note, expected=source.value(every, plan), period=source.period),
        "carried": [*not_claimed(source), *source.carried(OBLIGATIONS)],
    }


def not_claimed(source: Source) -> list[str]:
    """How many obligations are built by their document, though their operator does not claim the village."""
    found = [f["rows"] for f in source.context["findings"] if f["rule"] == NOT_CLAIMED]
    count = source.words.number(sum(found))
    return [source.words.say("operators.not_claimed", count=count, rule=NOT_CLAIMED)] if found else []


def claims(source: Source) -> dict[str, Any] | None:
    """What each operator claims, and whether that is of this month; None where the release carries no claims."""
    words, every = source.words, source.context.get("operators") or []
    if not every:
        return None
    villages = source.indicator(CLAIMS)
    most = max(Decimal(o["claims"] or 0) for o in every)
    top = Decimal(villages["denominator"]) if villages and villages["denominator"] else most
    rows = []
    for operator in every:
        missing, carried = operator["how"] == "missing", operator["how"] == "carried"
        rejected = "_rejected" if (missing or carried) and operator.get("rejected") else ""
        month = words.month(operator["source_period"], short=True) if operator["source_period"] else NOTHING
        picture = charts.bar(f"claims-{operator['part']}", Decimal(operator["claims"] or 0), top, width=150)
        rows.append(
            {
                "name": operator["title"],
                "claims": NOTHING
                if missing
                else words.number(operator["claims"]) + ("\u00a0◇" if carried else ""),
                "how": words.say(f"operators.{operator['how']}{rejected}", month=month),
                "kind": "alarm" if missing else "amber" if carried else "",
                "bar": None if missing else source.picture(picture),
            }
        )
    own = sum(o["how"] == "own" for o in every)
    return {
        "title": words.say("operators.claims_title", own=own, all=len(every)),
        "note": words.say("operators.claims_note", all=words.number(top)) if top else "",
        "rows": rows,
    }


def budget(source: Source) -> dict[str, Any] | None:
    """K12 by budget version, each with its groups below it; None where it is missing."""
    words, k12, known = source.words, source.known(BUDGET), source.breakdowns(BUDGET)
    if k12 is None:
        return None
    order = list(words["breakdown"])  # as the versions of a year's budget follow one another

    def follows(name: str) -> tuple[int, str]:
        version = name.partition(":")[0]
        return (order.index(version) if version in order else len(order)), name

    chosen, plan, mark = figure_parts(k12["figure"])[2], _expected(k12), source.mark(BUDGET)
    value = Decimal(k12["value"])
    rows = []
    for name in sorted(known, key=follows):
        version, _, group = name.partition(":")
        figure = known[name]
        picture = charts.bar(
            f"money-{name.replace(':', '-')}",
            Decimal(figure["value"]),
            FULL,
            plan if name == chosen else None,
        )
        rows.append(
            {
                "name": words["breakdown"].get(group or version, group or version),
                "group": bool(group),
                "chosen": name == chosen,
                "ceiling": words.compact(figure["denominator"]) + mark,
                "spent": words.compact(figure["numerator"]) + mark,
                "value": source.figure(k12, figure) + mark,
                "change": source.change(k12, figure["change"]),
                "bar": source.picture(picture),
                "figure": short(figure["figure"]),
            }
        )
    key = "plain" if plan is None else "below" if value < plan else "above" if value > plan else "at"
    return {
        "title": words.say(
            f"budget.title_{key}",
            spent=words.compact(k12["numerator"]) + mark,
            value=source.figure_amount(k12, k12) + mark,
            version=words["breakdown"].get(chosen, chosen),
            gap=NOTHING if plan is None else source.value(k12, abs(value - plan)),
            expected=source.value(k12, plan),
        ),
        "note": words.say("budget.note", period=source.period),
        "rows": rows,
        "carried": source.carried(BUDGET),
    }


def method(source: Source) -> list[dict[str, Any]]:
    """Definitions in force, each with its target and the documents behind both."""
    words, rows = source.words, []
    documents = {used["indicator"]: used for used in source.context["targets_used"]}
    for definition in source.context["definitions"]:
        name = definition["id"]
        indicator, used = source.indicator(name), documents.get(name)
        target = indicator["target"] if indicator else None
        row = {
            "id": name,
            "version": f"v{definition['version']}",
            "formula": words.pick(definition["formula"]),
            "source": definition["source"],
            "document": words.say("method.document_text", document=used["document"], source=used["source"])
            if used
            else NOTHING,
            **dict.fromkeys(("baseline", "target"), NOTHING),
            **dict.fromkeys(("since", "deadline"), ""),
        }
        if indicator and target:
            row |= {
                "baseline": source.target(indicator, target["baseline_value"]),
                "since": words.day(target["baseline_date"], short=True),
                "target": source.target(indicator, target["value"]),
                "deadline": words.day(target["deadline"], short=True),
            }
        rows.append(row)
    return rows


def title(source: Source) -> str:
    """The page's claim: how many obligations are open, and with whom."""
    words, every, worst = source.words, source.known(OBLIGATIONS), worst_operators(source)
    if every is None:
        return words.say("operators.title_missing", month=source.month)
    due, mark = Decimal(every["denominator"]), source.mark(OBLIGATIONS)
    if worst is None:
        return words.say("operators.title_done", due=words.number(due) + mark)
    names, count = worst
    return words.say(
        "operators.title_tie" if len(names) > 1 else "operators.title",
        open=words.number(due - Decimal(every["numerator"])) + mark,
        due=words.number(due) + mark,
        name=words.listing(words["operator"].get(name, name) for name in names),
        count=words.number(count) + mark,
    )


def view(source: Source) -> dict[str, Any]:
    """Everything that page five shows."""
    return {
        "title": title(source),
        "obligations": obligations(source),
        "no_obligations": source.absent(OBLIGATIONS),
        "claims": claims(source),
        "budget": budget(source),
        "no_budget": source.absent(BUDGET),
        "method": method(source),
    }
