"""From a release's frozen context to what page one of the national report shows: the answer first.

Promise: the sentences are true of the numbers, also where indicators, targets or provinces are missing.
"""

from decimal import Decimal
from typing import Any

from markupsafe import Markup

from pantau.report import pictures
from pantau.report.source import COVERED, LEFT, Indicator, Source, figure_parts, reached

LONG = 7  # signs of a value that fit beside the sparkline in full size


def headline(source: Source) -> str:
    """The report's title: one true sentence with a verb and a number about villages without 4G."""
    words, left = source.words, source.indicator(LEFT)
    month = words.month(source.period)
    if left is None or left["value"] is None:
        feeds = source.feed_titles(left["missing"]) if left else ""
        return words.say("headline.missing" if feeds else "headline.missing_plain", month=month, feeds=feeds)
    value, target, change = Decimal(left["value"]), left["target"], left["change"]
    shown = source.value(left, value)
    if value == 0:
        return words.say("headline.done", month=month, total=words.number(left["denominator"]))
    if target and target["on_track"]:
        deadline = words.month(target["deadline"])
        return words.say(
            "headline.on_plan", value=shown, target=source.target(left, target["value"]), deadline=deadline
        )
    if target and target["on_track"] is False and target["expected"] is not None:
        gap = source.value(left, value - Decimal(target["expected"]))
        return words.say("headline.behind", value=shown, gap=gap, month=month)
    if change and Decimal(change["value"]):
        moved = Decimal(change["value"])
        way = "fell" if moved < 0 else "rose"
        return words.say(f"headline.{way}", change=source.value(left, abs(moved)), value=shown, month=month)
    return words.say("headline.level", value=shown, month=month)


def lede(source: Source) -> list[Markup]:
    """Sentences under the title: movement, required pace, and how the other indicators stand."""
    words, sentences = source.words, []
    left = source.indicator(LEFT)
    if left and left["value"] is not None:
        sentences += _movement(source, left)
    for indicator in source.context["indicators"]:
        if indicator["id"] in (COVERED, LEFT):
            continue
        name, unit = words.pick(indicator["name"]), source.unit_sign(indicator)
        if indicator["value"] is None:
            if indicator["missing"]:
                feeds = source.feed_titles(indicator["missing"])
                sentences.append(words.stress("lede.other_missing", name=name, feeds=feeds))
            continue
        value, target = source.value(indicator, indicator["value"]), indicator["target"]
        if target and target["expected"] is not None:
            expected = source.value(indicator, target["expected"])
            sentences.append(
                words.stress("lede.other_plan", name=name, value=value, unit=unit, expected=expected)
            )
        else:
            sentences.append(words.stress("lede.other", name=name, value=value, unit=unit))
    return sentences


def replaces(source: Source) -> str:
    """What a release that replaces an earlier one says of itself; empty for a first release."""
    version = source.context["version"]
    if version == 1:
        return ""
    why = source.words.pick(source.context["explanation"])
    return source.words.say("lede.release", version=version, was=version - 1, explanation=why)


def _movement(source: Source, left: Indicator) -> list[Markup]:
    words, out = source.words, []
    change, target, needed = left["change"], left["target"], source.pace(left)
    if change:
        moved = Decimal(change["value"])
        way = "fell" if moved < 0 else "rose" if moved else "level"
        since = words.month(figure_parts(change["from"])[3])
        out.append(words.stress(f"lede.{way}", change=source.value(left, abs(moved)), **{"from": since}))
    if not target:
        return out
    goal, deadline = source.target(left, target["value"]), words.day(target["deadline"])
    if reached(left):
        out.append(words.stress("lede.reached", target=goal, deadline=deadline))
    elif needed:
        out.append(
            words.stress(
                "lede.pace", target=goal, deadline=deadline, pace=words.number(needed[0]), months=needed[1]
            )
        )
    elif source.months_left(target["deadline"]) < 0 or target["deadline"][:7] == source.period:
        gap = source.value(left, abs(Decimal(left["value"]) - Decimal(target["value"])))
        out.append(words.stress("lede.overdue", target=goal, deadline=deadline, gap=gap))
    return out


def status(source: Source, indicator: Indicator) -> dict[str, str]:
    """Word and shape of an indicator's state: never colour alone."""
    if indicator["value"] is None:
        kind, shape = "missing", "○"
    elif not indicator["target"] or indicator["target"]["on_track"] is None:
        kind, shape = "no_target", "○"
    else:
        kind, shape = ("on_track", "●") if indicator["target"]["on_track"] else ("off_track", "■")
    return {"kind": kind, "shape": shape, "word": source.words["status"][kind]}


def tile(source: Source, indicator: Indicator) -> dict[str, Any]:
    """One indicator as its tile shows it."""
    words = source.words
    name = words.pick(indicator["name"])
    breakdown = figure_parts(indicator["figure"])[2]
    shown: dict[str, Any] = {
        "name": name,
        "of": words["breakdown"].get(breakdown, breakdown),
        "figure": indicator["figure"],
        "status": status(source, indicator),
        "carried": [
            words.say("tile.carried", month=words.month(c["from"], short=True)) for c in indicator["carried"]
        ],
        "missing": "",
        "target": "",
        "document": "",
    }
    target = indicator["target"]
    if target:
        shown["target"] = words.say(
            "tile.target",
            target=source.target(indicator, target["value"]),
            deadline=words.day(target["deadline"], short=True),
        )
        shown["document"] = words.say("tile.document", document=target["document"])
    else:
        shown["target"] = words["tile"]["no_target"]
    if indicator["value"] is None:
        feeds = source.feed_titles(indicator["missing"])
        shown["missing"] = words.say("tile.missing", feeds=feeds) if feeds else words["tile"]["no_input"]
        return shown
    change = words["tile"]["no_change"]
    if indicator["change"]:
        unit = words["tile"]["point"] if indicator["kind"] == "ratio_pct" else words.pick(indicator["unit"])
        moved = words.number(indicator["change"]["value"], indicator["decimals"], signed=True)
        since = words.month(figure_parts(indicator["change"]["from"])[3], short=True)
        change = words.say("tile.change", change=f"{moved} {unit}", **{"from": since})
    expected = ""
    if target and target["expected"] is not None:
        expected = words.say("tile.expected", expected=source.value(indicator, target["expected"]))
    value = source.value(indicator, indicator["value"])
    return shown | {
        "value": value,
        "unit": source.unit_sign(indicator),
        "long": len(value) > LONG,
        "parts": _parts(source, indicator),
        "change": change,
        "expected": expected,
        "sparkline": pictures.sparkline(source, indicator),
        "bullet": pictures.bullet(source, indicator),
    }


def _parts(source: Source, indicator: Indicator) -> str:
    """`72.789 dari 83.762 desa`, where the texts have such a line; else the value's unit."""
    if indicator["id"] not in source.words["parts"] or indicator["denominator"] is None:
        return "" if indicator["kind"] == "ratio_pct" else source.words.pick(indicator["unit"])
    money = "Rp" in source.words["parts"][indicator["id"]]
    write = source.words.compact if money else source.words.number
    return source.words.say(
        f"parts.{indicator['id']}",
        numerator=write(indicator["numerator"]),
        denominator=write(indicator["denominator"]),
    )


def quality(source: Source) -> dict[str, Any]:
    """Foot of page one: can it be trusted, what changed, how to trace."""
    words, context = source.words, source.context
    due = [f for f in context["feeds"] if f["lateness"] == "observed" and f["late_days"] is not None]
    late = [f for f in due if f["late_days"] > 0]
    absent = [words.pick(f["title"]) for f in context["feeds"] if f["how"] == "missing"]
    sentences = [words["foot"]["nothing_due"]]
    if due:
        sentences = [words.say("foot.on_time", count=len(due) - len(late), total=len(due))]
    if late:
        one = [words.say("foot.late_one", feed=words.pick(f["title"]), days=f["late_days"]) for f in late]
        sentences.append(words.say("foot.late", feeds=words.listing(one)))
    if absent:
        sentences.append(words.say("foot.absent", feeds=words.listing(absent)))
    severities = [f["severity"] for f in context["findings"]]
    sentences.append(
        words.say(
            "foot.findings",
            critical=severities.count("critical"),
            warning=severities.count("warning"),
            passed=context["checks"]["passed"],
            rules=context["checks"]["rules"],
        )
    )
    left = source.indicator(LEFT)
    known = [i for i in [left, *context["indicators"]] if i and i["value"] is not None]
    example = known[0]["figure"] if known else f"{LEFT}.00@{source.period}"
    return {"quality": sentences, "restated": _restated(source), "trace": example}


def _restated(source: Source) -> list[str]:
    words, sentences = source.words, []
    for restatement in source.context["restatements"][:1]:
        common = {
            "month": words.month(restatement["period"]),
            "was": restatement["was"],
            "version": restatement["version"],
        }
        changes = sorted(restatement["changes"], key=lambda c: figure_parts(c["figure"])[0] != LEFT)
        first = next(iter(changes), None)
        if first:
            digits = source.decimals(first["figure"])
            sentences.append(
                words.say(
                    "foot.restated",
                    name=words.pick(first["name"]),
                    old=words.number(first["old"], digits),
                    new=words.number(first["new"], digits),
                    figure=first["figure"],
                    **common,
                )
            )
        else:
            sentences.append(words.say("foot.restated_plain", count=restatement["figures_changed"], **common))
    if not sentences:
        return [words["foot"]["no_restatement"]]
    if others := len(source.context["restatements"]) - 1:
        sentences.append(words.say("foot.restated_others", count=others))
    return [*sentences, words["foot"]["restated_more"]]


def page_one(source: Source) -> dict[str, Any]:
    """Everything that page one shows."""
    ids = [i["figure"] for i in source.context["indicators"] if i["value"] is not None and i["id"] != COVERED]
    changes = [i["change"]["from"] for i in source.context["indicators"] if i["id"] == LEFT and i["change"]]
    return {
        "headline": headline(source),
        "lede": lede(source),
        "replaces": replaces(source),
        "lede_figures": ids + changes,
        "tiles": [tile(source, i) for i in source.context["indicators"]],
        "map": pictures.province_map(source),
        "backlog": pictures.backlog(source),
        "trend": pictures.trend(source),
        "foot": quality(source),
    }
