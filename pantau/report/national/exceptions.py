"""The three things on page one that hold the programme back most: each a number, a reason and an owner.

Chosen from the frozen figures in one order: where the backlog is, unmet obligations, contradicting claims, sites
and money behind plan, then the warning with the most rows. An owner is whoever delivers the figure's data or, for
a finding, whom the rule names to fix it.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

from pantau.report.national.page_one_charts import backlog_rows
from pantau.report.national.source import BUDGET, CLAIMS, LEFT, OBLIGATIONS, SITES, Source, share, short

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


def worst_operator(source: Source) -> tuple[str, Decimal] | None:
    """The operator with the most obligations that are due and not built, and how many; None where all are."""
    gaps = {
        operator: Decimal(b["denominator"]) - Decimal(b["numerator"])
        for operator, b in source.breakdowns(OBLIGATIONS).items()
    }
    worst = max(gaps, key=lambda o: (gaps[o], o), default=None)
    return (worst, gaps[worst]) if worst is not None and gaps[worst] else None


def _owner(source: Source, name: str) -> str:
    """Who delivers the data, and until when the target is to be reached."""
    indicator, owner = source.indicator(name), source.owners(name)
    if indicator and indicator["target"]:
        deadline = source.words.day(indicator["target"]["deadline"], short=True)
        return source.words.say("exceptions.owner_until", owner=owner, deadline=deadline)
    return source.words.say("exceptions.owner", owner=owner)


def _place(source: Source) -> Exceptional | None:
    """The province with the largest backlog, and how long it takes at this month's pace."""
    words, rows, left = source.words, backlog_rows(source), source.known(LEFT)
    if not rows or left is None or not Decimal(rows[0][LEFT]["value"]):
        return None
    most, mark = rows[0][LEFT], source.mark(LEFT)
    value = Decimal(most["value"])
    fall = None if most["change"] is None else -Decimal(most["change"])
    told = {"share": words.number(share(value, Decimal(left["value"])), 1)}
    key = "exceptions.place" if fall is None else "exceptions.place_stuck"
    if fall is not None and fall > 0:
        key = "exceptions.place_falls"
        told["change"] = words.number(fall)
        told["months"] = words.number((value / fall).to_integral_value(ROUND_CEILING))
    return {
        "lead": words.say("exceptions.place_lead", value=words.number(value) + mark, name=rows[0]["name"]),
        "text": words.say(key, **told),
        "owner": _owner(source, LEFT),
        "figure": short(most["figure"]),
    }


def _obligations(source: Source) -> Exceptional | None:
    """How many obligations that fell due are not built, and with whom most of them are."""
    words, every, worst = source.words, source.known(OBLIGATIONS), worst_operator(source)
    if every is None or worst is None:
        return None
    operator, gap = worst
    open_ = Decimal(every["denominator"]) - Decimal(every["numerator"])
    mark = source.mark(OBLIGATIONS)
    return {
        "lead": words.say("exceptions.obligations_lead", value=words.number(open_) + mark),
        "text": words.say(
            "exceptions.obligations",
            due=words.number(every["denominator"]) + mark,
            name=words["operator"].get(operator, operator),
            count=words.number(gap) + mark,
        ),
        "owner": _owner(source, OBLIGATIONS),
        "figure": f"{short(every['figure'])} · {short(source.breakdowns(OBLIGATIONS)[operator]['figure'])}",
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
            value=source.amount(indicator, indicator["value"]) + source.mark(name),
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
