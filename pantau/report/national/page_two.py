"""Page two of the national report: what changed since last month and why, and whose claims agree.

Promise: the bridge's parts add up to the printed figures, and the reconciliation rebuilds K1 and K2: where they
do not, the report is not made.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pantau.errors import PantauError
from pantau.report.national.source import CLAIMS, COVERED, LEFT, VERDICTS, Source, figure_parts, short
from pantau.report.svg import lines_of
from pantau.report.waterfall import Step, waterfall
from pantau.report.wording import Words

CHANGES = 6  # figures named of each restatement; the attachments and the audit page have them all
# The reasons' column, its letters and lines; a row's height.
_REASON, _SIZE, _LINE, _ROW = 166.0, 7.5, 9.5, 21.0
_STATED = ("printed", "restated", "now")
# What changes the figure without a change on the ground, as titles name it.
_PAPER = ("correction", "boundary", "reporting")
_KINDS = {
    "correction": "paper",
    "boundary": "paper",
    "unreported": "paper",
    "reported": "paper",
    "net": "paper",
    "gained": "better",
    "lost": "worse",
}
Frozen = Mapping[str, Any]


def bridge(source: Source) -> dict[str, Any] | None:
    """The way from the figure printed last month to this one, step by step; None where there is none.

    Raises PantauError where the steps do not lead from the first figure to the last.
    """
    frozen = source.context.get("bridge")
    if not frozen:
        return None
    words, steps = source.words, frozen["steps"]
    rows: list[dict[str, Any]] = []
    drawn, before = [], Decimal(steps[0]["value"])
    for step in steps:
        stated = step["kind"] in _STATED
        after = Decimal(step["value"] if stated else step["becomes"])
        if after - before != (0 if stated else Decimal(step["difference"])):
            raise PantauError(
                "The bridge's parts do not add up, so the report would contradict itself.",
                where={"step": step["kind"], "from": before, "to": after},
                next_step="Look at the bridge of this release's context; do not publish it.",
            )
        why = _reason(source, frozen, step)
        height = max(_ROW, len(lines_of(why, _SIZE, _REASON)) * _LINE + 5)
        drawn.append(Step(float(before), float(after), _KINDS.get(step["kind"], "level"), height))
        rows.append(
            {
                "name": _name(source, frozen, step),
                "stated": stated,
                "figure": step.get("figure", ""),
                "difference": "" if stated else words.number(step["difference"], signed=True),
                "worse": step["kind"] == "lost",
                "becomes": words.number(after) + (source.mark(LEFT) if step["kind"] == "now" else ""),
                "why": why,
            }
        )
        before = after
    pictures, axis = waterfall("bridge", drawn, lambda v: words.number(Decimal(str(v))))
    for row, picture in zip(rows, pictures, strict=True):
        row["picture"] = source.picture(picture)
    return {
        "title": _bridge_title(source, steps),
        "note": _note(words, steps),
        "rows": rows,
        "axis": source.picture(axis),
    }


def _note(words: Words, steps: list[Frozen]) -> str:
    """How to read the bridge; of villages without a row only where there are some."""
    note = str(words["bridge"]["note"])
    silent = any(step["kind"] in ("unreported", "reported") for step in steps)
    return f"{note} {words['bridge']['note_row']}" if silent else note


def _name(source: Source, frozen: Frozen, step: Frozen) -> str:
    words, kind = source.words, step["kind"]
    if kind == "now":
        return words.say("bridge.stated", month=source.month, version=source.context["version"])
    if kind in _STATED:
        version = figure_parts(step["figure"])[3].partition("/v")[2]
        return words.say("bridge.stated", month=words.month(frozen["from_period"]), version=version)
    if kind == "correction":
        return words.say(f"bridge.{step['code']}", version=step["version"])
    return words["bridge"][kind]


def _reason(source: Source, frozen: Frozen, step: Frozen) -> str:
    """What the step stands for, in words."""
    words, kind = source.words, step["kind"]
    if kind == "printed":
        opening = step.get("reason") == "opening"
        return words["bridge"]["why_opening" if opening else "why_printed"]
    if kind == "correction":
        return words.pick(step["explanation"])
    if kind == "restated":
        moved = Decimal(step["value"]) - Decimal(frozen["steps"][0]["value"])
        way = "rose" if moved > 0 else "fell" if moved < 0 else "level"
        return words.say(f"bridge.why_restated_{way}", change=words.number(abs(moved)))
    if kind == "boundary":
        counts = {key: words.number(step.get(key, 0)) for key in ("joined", "left")}
        return words.say("bridge.why_boundary", **counts)
    if kind == "net":
        return words["bridge"]["why_net"]
    if kind == "now":
        if frozen["net_real"] is None:
            return words["bridge"]["why_now_unknown"]
        return words.say("bridge.why_now", change=words.number(frozen["net_real"], signed=True))
    said = [f"{p['name']} {words.number(p['count'])}" for p in step["provinces"]]
    if step["others"]["provinces"]:
        key = "bridge.other" if step["others"]["provinces"] == 1 else "bridge.others"
        others = words.number(step["others"]["count"])
        said.append(words.say(key, provinces=step["others"]["provinces"], count=others))
    return ", ".join(said) or words["bridge"]["why_nobody"]


def _amounts(steps: list[Frozen]) -> dict[str, Decimal]:
    amounts = {
        kind: sum((Decimal(s["difference"]) for s in steps if s["kind"] == kind), Decimal(0))
        for kind in _KINDS
    }
    return amounts | {"reporting": amounts["unreported"] + amounts["reported"]}


def _bridge_title(source: Source, steps: list[Frozen]) -> str:
    words, amounts = source.words, _amounts(steps)
    paper = _paper(source, amounts)
    if any(s["kind"] == "net" for s in steps):
        key = "bridge.title_net"
    else:
        key = "bridge.title_paper" if paper else "bridge.title"
    return words.say(
        key,
        first=words.number(steps[0]["value"]),
        last=words.number(steps[-1]["value"]) + source.mark(LEFT),
        paper=paper,
        gained=words.number(-amounts["gained"]),
        lost=words.number(amounts["lost"]),
    )


def _paper(source: Source, amounts: Mapping[str, Decimal]) -> str:
    """What changed the figure without a change on the ground."""
    words = source.words
    return ", ".join(
        words.say(f"bridge.paper_{kind}", change=words.number(amounts[kind], signed=True))
        for kind in _PAPER
        if amounts[kind]
    )


def title(source: Source) -> str:
    """The page's claim: paper against reality where they are not the same."""
    words, frozen = source.words, source.context.get("bridge")
    if not frozen:
        return words.say("changes.title_none", month=source.month)
    steps = frozen["steps"]
    total = Decimal(steps[-1]["value"]) - Decimal(steps[0]["value"])
    amounts = _amounts(steps)
    corrected = amounts["correction"]
    real = Decimal(frozen["net_real"] or 0)

    def way(amount: Decimal) -> str:
        return words["changes"]["rose" if amount > 0 else "fell" if amount < 0 else "level"]

    said = {
        "month": words.month(frozen["from_period"]),
        "total_way": way(total),
        "total": words.number(abs(total)),
        "real_way": way(real),
        "real": words.number(abs(real)),
    }
    if frozen["net_real"] is None:
        return words.say("changes.title_net", **said)
    if amounts["boundary"] or amounts["reporting"]:
        return words.say("changes.title_paper", **said, paper=_paper(source, amounts))
    if corrected:
        return words.say(
            "changes.title_corrected", **said, way=way(corrected), corrected=words.number(abs(corrected))
        )
    return words.say("changes.title", **said)


def reconciliation(source: Source) -> dict[str, Any] | None:
    """The claims of operators against the ministry's, village by village; None where this release has none.

    Raises PantauError where the ministry's side does not come to K1's numerator and to K2.
    """
    words, by, mark = source.words, source.breakdowns(CLAIMS), source.mark(CLAIMS)
    if not by:
        return None
    amount = {v: Decimal(by[v]["value"]) if v in by else Decimal(0) for v in VERDICTS}
    yes = amount["sepakat_ya"] + amount["komdigi_saja"]
    no = amount["operator_saja"] + amount["sepakat_tidak"]
    covered, left = source.known(COVERED), source.known(LEFT)
    for found, sum_of, of in ((covered, yes, "numerator"), (left, no, "value")):
        if found and Decimal(found[of]) != sum_of:
            raise PantauError(
                "The reconciliation does not rebuild K1 and K2, so the report would contradict itself.",
                where={"figure": found["figure"], "has": found[of], "reconciliation": sum_of},
                next_step="Look at R1 in the build behind this release; do not publish it.",
            )

    def cell(verdict: str) -> dict[str, str]:
        change = by[verdict]["change"] if verdict in by else None
        moved = words.change(change)
        return {
            "value": words.number(amount[verdict]) + mark,
            "verdict": words["verdict"][verdict],
            "change": "" if change is None else words.say("claims.change", change=moved),
            "figure": short(by[verdict]["figure"]) if verdict in by else "",
            "kind": "agree" if verdict.startswith("sepakat") else "differ",
        }

    differ = amount["operator_saja"] + amount["komdigi_saja"]
    rows = (
        ("operator_yes", "sepakat_ya", "operator_saja"),
        ("operator_no", "komdigi_saja", "sepakat_tidak"),
    )
    return {
        "title": words.say("claims.title", value=words.number(differ) + mark),
        "note": words.say("claims.note", total=words.number(yes + no), period=source.period),
        "rows": [
            {
                "claim": words["claims"][claim],
                "cells": [cell(a), cell(b)],
                "sum": words.number(amount[a] + amount[b]) + mark,
            }
            for claim, a, b in rows
        ],
        "yes": words.number(yes),
        "no": words.number(no),
        "total": words.number(yes + no),
        "covered": words.say("claims.covered", figure=short(covered["figure"])) if covered else "",
        "left": words.say("claims.left", figure=short(left["figure"])) if left else "",
        "carried": source.carried(CLAIMS),
    }


def restatements(source: Source) -> dict[str, Any]:
    """Each release that replaced an earlier one: reason, and old → new of its first figures."""
    words, every = source.words, source.restatements
    shown = []
    for restatement in every:
        changes = [
            {
                "figure": c["figure"],
                "traced": f"{c['figure']}/v{restatement['version']}",
                "name": _change_name(source, c),
                **source.old_and_new(c),
                "difference": words.change(c["difference"], source.decimals(c["figure"])),
            }
            for c in _foremost(restatement["changes"])
        ]
        left_out = restatement["figures_changed"] - len(changes)
        shown.append(
            {
                "head": words.say(
                    "restatements.head",
                    month=words.month(restatement["period"]),
                    was=restatement["was"],
                    version=restatement["version"],
                ),
                "known": words.say("restatements.known", day=words.day(restatement["known_at"])),
                "why": words.pick(restatement["explanation"]),
                "changes": changes,
                "more": words.say("restatements.more", count=words.number(left_out)) if left_out > 0 else "",
            }
        )
    said = words["restatements"]["title_none"]
    count = words.number(sum(r["figures_changed"] for r in every))
    if len(every) == 1:
        said = words.say("restatements.title_one", month=words.month(every[0]["period"]), count=count)
    elif every:
        said = words.say("restatements.title", releases=len(every), count=count)
    return {"title": said, "rows": shown}


def _change_name(source: Source, change: Mapping[str, Any]) -> str:
    """The indicator's name with the breakdown of the figure, where it has one."""
    words, said = source.words, source.words.pick(change["name"])
    breakdown = figure_parts(change["figure"])[2]
    known = words["breakdown"] | words["operator"] | words["verdict"]
    parts = [known.get(part, part) for part in breakdown.split(":") if part]
    return " · ".join([said, *parts])


def _foremost(changes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most so many, in their order; where some are left out, breakdowns go before totals do."""
    kept = sorted(changes, key=lambda c: bool(figure_parts(c["figure"])[2]))[:CHANGES]
    return [c for c in changes if c in kept]


def view(source: Source) -> dict[str, Any]:
    """Everything that page two shows."""
    shown = {
        "title": title(source),
        "bridge": bridge(source),
        "no_bridge": source.words.say("bridge.missing", month=source.month),
        "claims": reconciliation(source),
        "no_claims": source.absent(CLAIMS),
        "restatements": restatements(source),
    }
    return shown | {"bare": not (shown["bridge"] or shown["claims"] or source.restatements)}
