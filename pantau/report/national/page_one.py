"""From a release's frozen context to what page one of the national report shows: the answer first.

Promise: the sentences are true of the numbers, also where indicators, targets or provinces are missing.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from markupsafe import Markup

from pantau.report.national import page_one_charts
from pantau.report.national.source import COVERED, LEFT, Indicator, Source, figure_parts, reached, share

LONG = 7  # signs of a value that fit beside the sparkline in full size
NAMED = 2  # late or absent deliveries that the foot names


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


def lede(source: Source) -> tuple[list[Markup], list[str]]:
    """Sentences under the title (movement, required pace, where, how the others stand) and their figure ids."""
    sentences: list[Markup] = []
    figures: list[str] = []
    left = source.indicator(LEFT)
    if left and left["value"] is not None:
        sentences += _movement(source, left)
        figures += [left["figure"], *([left["change"]["from"]] if left["change"] else [])]
        for area in left["breakdowns"]:
            if area["breakdown"] == "3T" and area["value"] is not None and Decimal(left["value"]):
                part = source.words.number(share(Decimal(area["value"]), Decimal(left["value"])), 1)
                sentences.append(source.words.stress("lede.in_3t", value=part + "%"))
                figures.append(area["figure"])
    for indicator in source.context["indicators"]:
        if indicator["id"] not in (COVERED, LEFT):
            sentences += _other(source, indicator)
            figures += [indicator["figure"]] if indicator["value"] is not None else []
    return sentences, figures


def _other(source: Source, indicator: Indicator) -> list[Markup]:
    """How an indicator beside the two of the title stands against its plan."""
    words = source.words
    name, unit = words.pick(indicator["name"]), source.unit_sign(indicator)
    if indicator["value"] is None:
        feeds = source.feed_titles(indicator["missing"])
        return [words.stress("lede.other_missing", name=name, feeds=feeds)] if feeds else []
    value = source.value(indicator, indicator["value"]) + unit
    parts = f" ({_parts(source, indicator)})" if indicator["id"] in words["parts"] else ""
    target = indicator["target"]
    if not target or target["expected"] is None:
        return [words.stress("lede.other", name=name, value=value, parts=parts)]
    gap = Decimal(indicator["value"]) - Decimal(target["expected"])
    way = "above" if gap > 0 else "below" if gap < 0 else "at"
    return [
        words.stress(
            f"lede.other_{way}",
            name=name,
            value=value,
            parts=parts,
            gap=source.value(indicator, abs(gap)),
            unit=words["tile"]["point"] if unit else words.pick(indicator["unit"]),
            expected=source.value(indicator, target["expected"]) + unit,
        )
    ]


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
        pace = {"target": goal, "deadline": deadline, "pace": words.number(needed[0])}
        fall = -Decimal(change["value"]) if change else Decimal(0)
        if 0 < fall < needed[0]:
            times = (needed[0] / fall).quantize(Decimal("0.1"), ROUND_HALF_UP)
            out.append(words.stress("lede.pace_times", times=words.number(times, 1), **pace))
        else:
            out.append(words.stress("lede.pace", **pace))
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
        "figure": indicator["figure"] if indicator["value"] is not None else "",
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
        amount = source.value(indicator, target["expected"]) + source.unit_sign(indicator)
        expected = words.say("tile.expected", expected=amount)
    value = source.value(indicator, indicator["value"])
    return shown | {
        "value": value,
        "unit": source.unit_sign(indicator),
        "long": len(value) > LONG,
        "parts": _parts(source, indicator),
        "change": change,
        "expected": expected,
        "sparkline": page_one_charts.sparkline(source, indicator),
        "bullet": page_one_charts.bullet(source, indicator),
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
    came = [f for f in context["feeds"] if f["lateness"] == "observed" and f["late_days"] is not None]
    absent = [f for f in context["feeds"] if f["how"] == "missing"]
    owed = [f for f in absent if f["due_on"] and f["due_on"] < context["cutoff_at"][:10]]
    late = [f for f in came if f["late_days"] > 0]
    sentences = []
    if total := len(came) + len(owed):
        sentences.append(words.say("foot.on_time", count=len(came) - len(late), total=total))
    elif not absent:
        sentences.append(words["foot"]["nothing_due"])
    if late:
        one = [words.say("foot.late_one", feed=words.pick(f["title"]), days=f["late_days"]) for f in late]
        sentences.append(words.say("foot.late", feeds=_first(source, one)))
    if absent:
        one = [words.pick(f["title"]) for f in absent]
        sentences.append(words.say("foot.absent", feeds=_first(source, one)))
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
    known = [i["figure"] for i in [left, *context["indicators"]] if i and i["value"] is not None]
    return {"quality": sentences, "restated": _restated(source), "trace": known[0] if known else ""}


def _first(source: Source, items: list[str]) -> str:
    """The first few of `items`, and how many there are beside them."""
    others = len(items) - NAMED
    if others > 1:
        items = [*items[:NAMED], source.words.say("foot.others", count=others)]
    return source.words.listing(items)


def _restated(source: Source) -> list[str]:
    words, sentences = source.words, []
    for restatement in source.restatements[:1]:
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
    if others := len(source.restatements) - 1:
        sentences.append(words.say("foot.restated_others", count=others))
    return [*sentences, words["foot"]["restated_more"]]


def awaited(source: Source) -> dict[str, Any] | None:
    """What stands in the place of map and charts where there are none: the deliveries that they wait for."""
    words = source.words
    rows = [
        {
            "title": " · ".join(filter(None, (words.pick(f["title"]), f["part"]))),
            "owner": f["owner"],
            "due": words.day(f["due_on"]),
            "used": words.listing(f["needed_by"]),
            "id": f["feed"],
        }
        for f in source.context["feeds"]
        if f["how"] == "missing"
    ]
    month = words.month(source.period)
    return {"title": words.say("awaited.title", count=len(rows), month=month), "rows": rows} if rows else None


def view(source: Source) -> dict[str, Any]:
    """Everything that page one shows."""
    sentences, figures = lede(source)
    left = source.indicator(LEFT)
    nothing = left is None or (left["value"] is None and not source.provinces)
    return {
        "headline": headline(source),
        "lede": sentences,
        "lede_figures": figures,
        "replaces": replaces(source),
        "tiles": [tile(source, i) for i in source.context["indicators"]],
        "map": page_one_charts.province_map(source),
        "backlog": page_one_charts.backlog(source),
        "trend": page_one_charts.trend(source),
        "awaited": awaited(source) if nothing else None,
        "foot": quality(source),
    }
