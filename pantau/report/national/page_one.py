"""From a release's frozen context to what page one of the national report shows: the answer first.

Promise: the sentences are true of the numbers, also where indicators, targets or provinces are missing.
"""

from decimal import Decimal
from typing import Any

from markupsafe import Markup

from pantau.report import charts, qr
from pantau.report.national import page_one_charts
from pantau.report.national.exceptions import exceptions
from pantau.report.national.page_three import PROMISED, chance, kept
from pantau.report.national.source import (
    COVERED,
    LEFT,
    TILES,
    Indicator,
    Source,
    figure_parts,
    reached,
    short,
)

LONG = 7  # signs of a value that fit beside the sparkline in full size
NAMED = 2  # late, carried or absent deliveries that the foot names


def headline(source: Source) -> str:
    """The report's title: one true sentence with a verb and a number about villages without 4G."""
    words, left, month = source.words, source.indicator(LEFT), source.month
    if left is None or left["value"] is None:
        feeds = source.feed_titles(left["missing"]) if left else ""
        return words.say("headline.missing" if feeds else "headline.missing_plain", month=month, feeds=feeds)
    value, target, change = Decimal(left["value"]), left["target"], left["change"]
    shown = source.value(left, value) + source.mark(LEFT)
    if value == 0:
        return words.say("headline.done", month=month, total=words.number(left["denominator"]))
    made = source.forecast(LEFT)
    if made and source.is_missed(LEFT):
        key = "headline.on_plan_unlikely" if target and target["on_track"] else "headline.unlikely"
        return words.say(key, value=shown, deadline=words.month(made["deadline"]))
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
    """Sentences under the title (movement, required pace, forecast, where, the others) and their figure ids."""
    words, left = source.words, source.known(LEFT)
    sentences: list[Markup] = []
    figures: list[str] = []
    if left:
        sentences += [*_movement(source, left), *_ahead(source, left)]
        figures += [short(left["figure"]), *([left["change"]["from"]] if left["change"] else [])]
        area = source.breakdowns(LEFT).get("3T")
        if area and Decimal(left["value"]):
            part = words.share(Decimal(area["value"]), Decimal(left["value"]), 1)
            sentences.append(words.stress("lede.in_3t", value=part + "%"))
            figures.append(short(area["figure"]))
    sentences += _on_plan(source)
    for indicator in source.context["indicators"]:
        if indicator["id"] not in (COVERED, LEFT) and indicator["value"] is None and indicator["missing"]:
            feeds = source.feed_titles(indicator["missing"])
            sentences.append(words.stress("lede.other_missing", name=source.name(indicator), feeds=feeds))
    return sentences, figures


def _on_plan(source: Source) -> list[Markup]:
    """How many indicators are on plan, and how many of these are forecast to miss their target all the same."""
    judged = [i for i in source.context["indicators"] if i["value"] is not None and i["target"]]
    judged = [i for i in judged if i["target"]["on_track"] is not None]
    if not judged:
        return []
    on_plan = [i for i in judged if i["target"]["on_track"]]
    missed = sum(source.is_missed(i["id"]) for i in on_plan)
    key = "lede.on_plan_missed" if missed else "lede.on_plan"
    return [source.words.stress(key, value=len(on_plan), all=len(judged), missed=missed)]


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
        pace = {"target": goal, "deadline": deadline, "pace": source.value(left, needed)}
        made = source.forecast(LEFT)
        fall = -Decimal(made["per_month"]) if made else Decimal(0)
        if made and 0 < fall < needed:
            mean = {"months": made["history_months"], "mean": source.value(left, fall)}
            times = words.number(needed / fall, 1)
            out.append(words.stress("lede.pace_times", times=times, **mean, **pace))
        else:
            out.append(words.stress("lede.pace", **pace))
    elif source.months_left(target["deadline"]) < 0 or target["deadline"][:7] == source.period:
        gap = source.value(left, abs(Decimal(left["value"]) - Decimal(target["value"])))
        out.append(words.stress("lede.overdue", target=goal, deadline=deadline, gap=gap))
    return out


def _ahead(source: Source, left: Indicator) -> list[Markup]:
    """The forecast at the deadline and the chance of reaching the target, with how earlier ones held where fewer did
    than their interval promises."""
    made = source.forecast(LEFT)
    if not made:
        return []
    last = made["points"][-1]
    right, every = kept(source)
    return [
        source.words.stress(
            "lede.forecast_less" if right * 100 < PROMISED * every else "lede.forecast",
            chance=chance(source, made),
            value=source.value(left, last["value"]),
            interval=source.interval(left, last),
            right=right,
            all=every,
        )
    ]


def status_of(source: Source, indicator: Indicator | None) -> dict[str, str]:
    """Word and shape of an indicator's state: never colour alone."""
    if indicator is None or indicator["value"] is None:
        kind, shape = "missing", "○"
    elif not indicator["target"] or indicator["target"]["on_track"] is None:
        kind, shape = "no_target", "○"
    elif not indicator["target"]["on_track"]:
        kind, shape = "off_track", "■"
    else:
        kind, shape = ("on_track_missed", "▲") if source.is_missed(indicator["id"]) else ("on_track", "●")
    return {"kind": kind, "shape": shape, "word": source.words["status"][kind]}


def tile(source: Source, name: str) -> dict[str, Any]:
    """One indicator as its tile shows it, also where this release does not have it."""
    words, indicator = source.words, source.indicator(name)
    shown: dict[str, Any] = {
        "name": words["short"][name],
        "of": "",
        "figure": "",
        "status": status_of(source, indicator),
        "carried": _carried(source, indicator),
        "missing": "",
        "target": words["tile"]["no_target"],
        "document": "",
    }
    if indicator is None:
        return shown | {"missing": source.absent(name), "target": ""}
    breakdown, target = figure_parts(indicator["figure"])[2], indicator["target"]
    shown |= {"name": source.name(indicator), "of": words["breakdown"].get(breakdown, breakdown)}
    if target:
        goal, deadline = source.target(indicator, target["value"]), words.day(target["deadline"], short=True)
        shown["target"] = words.say("tile.target", target=goal, deadline=deadline)
        shown["document"] = target["document"]
    if indicator["value"] is None:
        feeds = source.feed_titles(indicator["missing"])
        return shown | {
            "missing": words.say("tile.missing", feeds=feeds) if feeds else words["tile"]["no_input"]
        }
    change, expected = words["tile"]["no_change"], ""
    if indicator["change"]:
        moved = source.change(indicator, indicator["change"]["value"])
        since = words.month(figure_parts(indicator["change"]["from"])[3], short=True)
        change = words.say("tile.change", change=f"{moved} {source.unit(indicator)}", **{"from": since})
    if target and target["expected"] is not None:
        expected = words.say("tile.expected", expected=source.amount(indicator, target["expected"]))
    value = source.figure(indicator, indicator)
    return shown | {
        "figure": indicator["figure"],
        "value": value,
        "unit": source.unit_sign(indicator) + source.mark(name),
        "long": len(value) > LONG,
        "parts": _parts(source, indicator),
        "change": change,
        "expected": expected,
        "forecast": _forecast(source, indicator),
        "sparkline": page_one_charts.sparkline(source, indicator),
        "bullet": page_one_charts.bullet(source, indicator),
    }


def _carried(source: Source, indicator: Indicator | None) -> str:
    """Of which earlier months the deliveries are that stand in; empty where none does."""
    months = sorted({c["from"] for c in indicator["carried"]}) if indicator else []
    told = source.words.listing(source.words.month(m, short=True) for m in months)
    return source.words.say("carried.short", months=told) if told else ""


def _forecast(source: Source, indicator: Indicator) -> str:
    """The forecast at the deadline with its interval, or that there is none."""
    words, made = source.words, source.forecast(indicator["id"])
    if not made:
        return words["tile"]["no_forecast"]
    last = made["points"][-1]
    return words.say(
        "tile.forecast",
        month=words.month(made["deadline"], short=True),
        value=source.amount(indicator, last["value"]),
        interval=source.interval(indicator, last),
    )


def _parts(source: Source, indicator: Indicator) -> str:
    """`72.789 dari 83.762 desa`, where the texts have such a line; else the value's unit."""
    if indicator["id"] not in source.words["parts"] or indicator["denominator"] is None:
        return "" if indicator["kind"] == "ratio_pct" else source.words.pick(indicator["unit"])
    money = "Rp" in source.words["parts"][indicator["id"]]
    write = source.words.compact if money else source.words.number
    said = source.words.say(
        f"parts.{indicator['id']}",
        numerator=write(indicator["numerator"]),
        denominator=write(indicator["denominator"]),
    )
    if indicator["unread"] and indicator["id"] in source.words["unread"]:
        count = source.words.number(indicator["unread"])
        said += "; " + source.words.say(f"unread.{indicator['id']}", count=count)
    return said


def quality(source: Source) -> list[str]:
    """Whether it can be trusted: what came in time, late, carried or not at all, and what is open."""
    words, context = source.words, source.context
    absent = [f for f in context["feeds"] if f["how"] == "missing"]
    carried = [f for f in context["feeds"] if f["how"] == "carried"]
    late = [f for f in context["feeds"] if f["lateness"] == "observed" and (f["late_days"] or 0) > 0]
    sentences = [said] if (said := source.on_time()) else []
    for key, feeds in (("late", late), ("carried", carried), ("absent", absent)):
        named = [source.named(f) for f in feeds]
        if key == "late":
            days = [f["late_days"] for f in feeds]
            named = [words.say("foot.late_one", feed=n, days=d) for n, d in zip(named, days, strict=True)]
        if named:
            sentences.append(words.say(f"foot.{key}", feeds=_first(source, named)))
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
    return sentences


def _first(source: Source, items: list[str]) -> str:
    """The first few of `items`, and how many there are beside them."""
    others = len(items) - NAMED
    if others > 1:
        items = [*items[:NAMED], source.words.say("foot.others", count=others)]
    return source.words.listing(items)


def restated(source: Source) -> list[str]:
    """What was published anew since the last release: the foremost figure of the newest, and how many more."""
    words = source.words
    if not source.restatements:
        return [words["foot"]["no_restatement"]]
    newest = source.restatements[0]
    common = {
        "month": words.month(newest["period"]),
        "was": newest["was"],
        "version": newest["version"],
    }
    changes = sorted(newest["changes"], key=lambda c: figure_parts(c["figure"])[0] != LEFT)
    if changes:
        first = changes[0]
        said = words.say(
            "foot.restated",
            name=words.pick(first["name"]),
            **source.old_and_new(first),
            figure=first["figure"],
            **common,
        )
    else:
        said = words.say("foot.restated_plain", count=words.number(newest["figures_changed"]), **common)
    others = len(source.restatements) - 1
    return [said, *([words.say("foot.restated_others", count=others)] if others else [])]


def audit(source: Source) -> dict[str, Any] | None:
    """The address of this release's audit page and its QR code; None where the release froze no address."""
    if not source.audit_pages:
        return None
    address = f"{source.audit_pages}/{source.period}/v{source.context['version']}/index.html"
    alt = source.words.say("foot.qr", address=address)
    return {
        "address": address,
        "short": address.partition("://")[2] or address,
        "code": source.picture(qr.qr("qr", address, alt)),
    }


def traced(source: Source) -> str:
    """The figure that `pantau trace` is shown with; empty where the release has none."""
    every = [source.known(LEFT), *source.context["indicators"]]
    return next((i["figure"] for i in every if i and i["value"] is not None), "")


def awaited(source: Source) -> dict[str, Any] | None:
    """What stands in the place of map and charts where there are none: the deliveries that they wait for."""
    words = source.words
    rows = [
        {
            "title": source.feed_title(f["feed"], f["part"]),
            "owner": f["owner"],
            "due": words.day(f["due_on"]),
            "used": words.listing(f["needed_by"]),
            "id": f["feed"],
        }
        for f in source.context["feeds"]
        if f["how"] == "missing"
    ]
    return (
        {"title": words.say("awaited.title", count=len(rows), month=source.month), "rows": rows}
        if rows
        else None
    )


def view(source: Source) -> dict[str, Any]:
    """Everything that page one shows."""
    sentences, figures = lede(source)
    nothing = source.known(LEFT) is None and not source.provinces
    return {
        "headline": headline(source),
        "lede": sentences,
        "lede_figures": figures,
        "replaces": replaces(source),
        "tiles": [tile(source, name) for name in TILES],
        "key": [
            {"picture": source.picture(charts.key(kind)), "text": source.words["key"][kind]}
            for kind in ("solid", "hatched", "target", "plan", "ring", "diamond")
        ],
        "map": page_one_charts.province_map(source),
        "exceptions": exceptions(source),
        "exceptions_note": source.words.say("exceptions.note", period=source.period),
        "awaited": awaited(source) if nothing else None,
        "quality": quality(source),
        "restated": restated(source),
        "audit": audit(source),
        "trace": traced(source),
    }
