"""The three things on page one that hold the programme back most: each a number, a reason and an owner.

Chosen from the frozen figures in one order: where the backlog is, unmet obligations, contradicting claims, sites
and money behind plan, then the warning with the most rows. An owner is whoever delivers the figure's data or, for
a finding, whom the rule names to fix it.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from pantau.report.national.page_one_charts import backlog_rows
from pantau.report.national.source import BUDGET, CLAIMS, LEFT, OBLIGATIONS, SITES, Source, short

MOST = 3
Exceptional = dict[str, str]  # lead, text, owner, figure (its id without the month, or that of the rule)


def exceptions(source: Source) -> list[Exceptional]:
    """At most three, the first kinds that this release has anything to say of."""
    kinds: tuple[Callable[[Source], Exceptional | None], ...] = (
        _place,
        _obligations,
        _claims,
        lambda s: _behind(s, SITES),
        lambda s: _behind(s, BUDGET),
        _finding,
    )
    return [found for kind in kinds if (found := kind(source))][:MOST]


def worst_operators(source: Source) -> tuple[list[str], Decimal] | None:
    """The operator with the most obligations that are due and not built, or those that share that number, in the order
    of the texts; and how many each has. None where all are built."""
    gaps = {
        operator: Decimal(b["denominator"]) - Decimal(b["numerator"])
        for operator, b in source.breakdowns(OBLIGATIONS).items()
    }
    most = max(gaps.values(), default=Decimal(0))
    order = list(source.words["operator"])
    worst = [o for o, gap in gaps.items() if gap == most]
    return (
        (sorted(worst, key=lambda o: (order.index(o) if o in order else len(order), o)), most)
        if most
        else None
    )


def _owner(source: Source, name: str) -> str:
    """Who delivers the data, and until when the target is to be reached."""
    indicator, owner = source.indicator(name), source.owners(name)
    if indicator and indicator["target"]:
        deadline = source.words.day(indicator["target"]["deadline"], short=True)
        return source.words.say("exceptions.owner_until", owner=owner, deadline=deadline)
    return source.words.say("exceptions.owner", owner=owner)


def _place(source: Source) -> Exceptional | None:
    """The province with the largest backlog, and how long it takes at its mean pace."""
    words, rows, left = source.words, backlog_rows(source), source.known(LEFT)
    if not rows or left is None or not Decimal(rows[0][LEFT]["value"]):
        return None
    most, mark = rows[0][LEFT], source.mark(LEFT)
    value = Decimal(most["value"])
    tied = [p for p in rows if Decimal(p[LEFT]["value"]) == value]
    if len(tied) > 1:
        return _tied_places(source, tied, left)
    said = [words.say("exceptions.place", share=words.share(value, Decimal(left["value"]), 1))]
    if most["change"] is not None:
        fall = -Decimal(most["change"])
        said.append(
            words.say("exceptions.place_falls", change=words.number(fall))
            if fall > 0
            else words["exceptions"]["place_stuck"]
        )
    pace = most.get("pace")
    if pace and (fall := -Decimal(pace["per_month"])) > 0:
        months = (value / fall).to_integral_value(ROUND_CEILING)
        told = {"of": pace["months"], "pace": words.number(fall), "months": words.number(months)}
        said.append(words.say("exceptions.place_pace", **told))
    return {
        "lead": words.say("exceptions.place_lead", value=words.number(value) + mark, name=rows[0]["name"]),
        "text": " ".join(said),
        "owner": _owner(source, LEFT),
        "figure": short(most["figure"]),
    }


def _tied_places(source: Source, tied: list[Mapping[str, Any]], left: Mapping[str, Any]) -> Exceptional:
    """The provinces that share the largest backlog; beyond a few, how many they are."""
    words, value = source.words, Decimal(tied[0][LEFT]["value"])
    others = len(tied) - MOST
    names = [p["name"] for p in tied[:MOST]]
    names += [words.say("foot.others", count=others)] if others > 0 else []
    return {
        "lead": words.say(
            "exceptions.place_tie_lead",
            value=words.number(value) + source.mark(LEFT),
            name=words.listing(names),
        ),
        "text": words.say("exceptions.place_tie", share=words.share(value, Decimal(left["value"]), 1)),
        "owner": _owner(source, LEFT),
        "figure": " · ".join(short(p[LEFT]["figure"]) for p in tied[:MOST]),
    }


def _obligations(source: Source) -> Exceptional | None:
    """How many obligations that fell due are not built, and who has the largest number of them."""
    words, every, worst = source.words, source.known(OBLIGATIONS), worst_operators(source)
    if every is None or worst is None:
        return None
    operators, gap = worst
    by = source.breakdowns(OBLIGATIONS)
    open_ = Decimal(every["denominator"]) - Decimal(every["numerator"])
    mark = source.mark(OBLIGATIONS)
    return {
        "lead": words.say("exceptions.obligations_lead", value=words.number(open_) + mark),
        "text": words.say(
            "exceptions.obligations_tie" if len(operators) > 1 else "exceptions.obligations",
            due=words.number(every["denominator"]) + mark,
            name=words.listing(words["operator"].get(o, o) for o in operators),
            count=words.number(gap) + mark,
        ),
        "owner": _owner(source, OBLIGATIONS),
        "figure": " · ".join(short(f["figure"]) for f in (every, *(by[o] for o in operators))),
    }


def _claims(source: Source) -> Exceptional | None:
    """The villages of which operators and ministry say different things."""
    words, by, mark = source.words, source.breakdowns(CLAIMS), source.mark(CLAIMS)
    only, other = by.get("operator_saja"), by.get("komdigi_saja")
    differ = [c for c in (only, other) if c and Decimal(c["value"])]
    if not differ:
        return None
    amounts = [words.number(c["value"] if c else 0) + mark for c in (only, other)]
    return {
        "lead": words.say("exceptions.claims_lead", value=amounts[0]),
        "text": words.say("exceptions.claims", value=amounts[1]),
        "owner": _owner(source, CLAIMS),
        "figure": " · ".join(short(c["figure"]) for c in differ),
    }


def _behind(source: Source, name: str) -> Exceptional | None:
    """An indicator that lies behind its plan, and by how much."""
    words, indicator = source.words, source.known(name)
    target = indicator and indicator["target"]
    if indicator is None or not target or target["on_track"] is not False or target["expected"] is None:
        return None
    gap = abs(Decimal(indicator["value"]) - Decimal(target["expected"]))
    return {
        "lead": words.say(
            "exceptions.behind_lead",
            name=source.name(indicator),
            gap=source.value(indicator, gap) + source.mark(name),
            unit=source.unit(indicator),
        ),
        "text": words.say(
            "exceptions.behind",
            value=source.figure_amount(indicator, indicator) + source.mark(name),
            expected=source.amount(indicator, target["expected"]),
        ),
        "owner": _owner(source, name),
        "figure": short(indicator["figure"]),
    }


def _finding(source: Source) -> Exceptional | None:
    """The open finding with the most rows among those that block or warn."""
    words = source.words
    serious = [f for f in source.context["findings"] if f["severity"] in ("critical", "warning")]
    if not serious:
        return None
    most = max(serious, key=lambda f: (f["severity"] == "critical", f["rows"], f["rule"]))
    return {
        "lead": words.say("exceptions.finding_lead", count=words.number(most["rows"])),
        "text": words.pick(most["sentence"]),
        "owner": words.say("exceptions.fixer", owner=most["fixer"]),
        "figure": most["rule"],
    }
