"""Page three of the national report: where the indicators are heading, whether that reaches their targets in time,
and how earlier forecasts fared. The forecasts come frozen with the release; nothing is estimated here.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pantau import periods
from pantau.report import charts
from pantau.report.charts import Interval
from pantau.report.fan import Fan, Spread, fan
from pantau.report.national.source import (
    COVERED,
    LEFT,
    OBLIGATIONS,
    SITES,
    Forecast,
    Indicator,
    Source,
    distance,
    series,
    short,
)
from pantau.report.svg import Chart
from pantau.report.wording import NOTHING
from pantau.rounding import half_up

PROMISED = 80  # per cent of the values that an interval is to hold
PAST = 2  # earlier forecasts shown of each indicator, the newest; all are counted
AHEAD = 12  # months that the axis runs on at most, towards a deadline
SMALL = (COVERED, SITES, OBLIGATIONS)
_LARGE, _GUTTER = (511.0, 170.0), 130.0  # the first chart's size, and the width of the labels on its right
_SMALL = (160.0, 108.0)


def chance(source: Source, made: Forecast) -> str:
    """The probability of reaching the target in per cent; at the ends only that it is below 1% or above 99%."""
    percent = half_up(Decimal(made["probability"]) * 100)
    if percent < 1:
        return source.words["forecast"]["below_1"]
    if percent > 99:
        return source.words["forecast"]["above_99"]
    return source.words.number(percent) + "%"


def _spreads(made: Forecast | None, start: str, end: str) -> list[Spread]:
    keys = ("value", "low80", "high80", "low95", "high95")
    points = made["points"] if made else []
    return [
        Spread(distance(start, p["period"]), *(float(p[k]) for k in keys))
        for p in points
        if p["period"] <= end
    ]


def _plan(
    target: Mapping[str, Any], start: str, end: str
) -> tuple[tuple[int, Decimal], tuple[int, Decimal]] | None:
    """The straight line from baseline to target within the axis; None where it lies outside."""
    if target["expected"] is None:
        return None
    first, last = date.fromisoformat(target["baseline_date"]), date.fromisoformat(target["deadline"])
    opening, goal = Decimal(target["baseline_value"]), Decimal(target["value"])
    months = [m for m in periods.span(start, end) if first <= periods.last_day(m) <= last]
    if len(months) < 2 or first >= last:
        return None

    def at(month: str) -> tuple[int, Decimal]:
        gone = Decimal((periods.last_day(month) - first).days) / (last - first).days
        return distance(start, month), opening + (goal - opening) * gone

    return at(months[0]), at(months[-1])


def _ticks(source: Source, start: str, end: str, apart: int) -> list[tuple[int, str]]:
    """First, last and newest month, and each quarter's first where there is room; the year where new."""
    quarters = [m for m in periods.span(start, end) if m[5:] in ("01", "04", "07", "10")]
    ticks: dict[int, str] = {}
    for month in dict.fromkeys([start, end, source.period, *quarters]):
        at = distance(start, month)
        if all(abs(at - other) >= apart for other in ticks):
            name, year = source.words.month(month, short=True).rsplit(" ", 1)
            ticks[at] = f"{name}|{year}" if month == start or month[5:] == "01" else name
    return sorted(ticks.items())


def _chart(source: Source, indicator: Indicator, *, large: bool) -> Chart | None:
    """The indicator's months with plan, forecast and required pace; None for less than two months."""
    if sum(h["value"] is not None for h in indicator["history"]) < 2:
        return None
    words, target, made = source.words, indicator["target"], source.forecast(indicator["id"])
    start, end = indicator["history"][0]["period"], source.period
    plan = goal = expected = None
    labels = {"last": source.figure(indicator, indicator) + source.mark(indicator["id"])}
    if target:
        deadline = target["deadline"][:7]
        end = min(max(end, deadline), periods.shift(end, AHEAD))
        plan = _plan(target, start, end)
        if source.period < deadline <= end:
            goal = (distance(start, deadline), Decimal(target["value"]))
        if target["expected"] is not None:
            expected = Decimal(target["expected"])
    what = Fan(
        series(indicator),
        distance(start, end),
        _ticks(source, start, end, 2 if large else 4),
        plan,
        expected,
        goal,
        _spreads(made, start, end),
        indicator["kind"] == "count" and indicator["direction"] == "down",
        lambda amount: words.number(Decimal(str(amount)), 0 if float(amount).is_integer() else 1),
        labels | _labels(source, indicator, made) if large else labels,
    )
    (width, height), gutter = (_LARGE, _GUTTER) if large else (_SMALL, 6)
    return source.picture(
        fan(f"fan-{indicator['id']}", what, _alt(source, indicator, made), width, height, gutter)
    )


def _labels(source: Source, indicator: Indicator, made: Forecast | None) -> dict[str, str]:
    """What stands in the large chart and right of it."""
    words, target, labels = source.words, indicator["target"], {}
    if target and target["expected"] is not None:
        gap = Decimal(indicator["value"]) - Decimal(target["expected"])
        better = (gap <= 0) == (indicator["direction"] == "down")
        labels["gap"] = words.say(
            "forecast.gap_better" if better else "forecast.gap_worse",
            gap=source.value(indicator, abs(gap)),
        )
        labels["plan"] = words.say("forecast.plan", expected=source.amount(indicator, target["expected"]))
    if target:
        labels["goal"] = words.say(
            "forecast.goal",
            target=source.target(indicator, target["value"]),
            month=words.month(target["deadline"][:7], short=True),
        )
    if needed := source.pace(indicator):
        labels["needed"] = words.say("forecast.needed", pace=source.value(indicator, needed))
    if made:
        last = made["points"][-1]
        labels["forecast"] = words.say(
            "forecast.ahead",
            month=words.month(last["period"], short=True),
            value=source.amount(indicator, last["value"]),
            interval=source.interval(indicator, last),
        )
    return labels


def _alt(source: Source, indicator: Indicator, made: Forecast | None) -> str:
    words, history = source.words, indicator["history"]
    told = [
        words.say(
            "alt.line",
            name=source.name(indicator),
            first=source.figure_amount(indicator, history[0]),
            first_month=words.month(history[0]["period"]),
            last=source.figure_amount(indicator, indicator),
            last_month=source.month,
        )
    ]
    if made:
        last = made["points"][-1]
        told.append(
            words.say(
                "alt.ahead",
                value=source.amount(indicator, last["value"]),
                interval=source.interval(indicator, last),
                month=words.month(last["period"]),
            )
        )
    return " ".join(told)


def title(source: Source) -> str:
    """The page's claim: what the deadline is expected to bring, and what it takes."""
    words, left, made = source.words, source.known(LEFT), source.forecast(LEFT)
    if left is None:
        return words.say("forecast.title_missing", month=source.month)
    value, needed = source.value(left, left["value"]) + source.mark(LEFT), source.pace(left)
    if made is None or needed is None:
        return words.say("forecast.title_plain", value=value, month=source.month)
    return words.say(
        "forecast.title_missed" if source.is_missed(LEFT) else "forecast.title_met",
        value=source.value(left, made["points"][-1]["value"]),
        month=words.month(made["deadline"]),
        target=source.target(left, left["target"]["value"]),
        pace=source.value(left, needed),
    )


def _small(source: Source, name: str) -> dict[str, Any]:
    """A small chart under its claim, or the sentence that stands in its place."""
    words, indicator, made = source.words, source.known(name), source.forecast(name)
    called = words["short"][name]
    if indicator is None:
        return {"title": called, "chart": None, "note": source.absent(name), "figure": "", "carried": []}
    said, note = called, words["forecast"]["none"]
    if made:
        last = made["points"][-1]
        said = words.say(
            "forecast.small",
            name=called,
            value=source.amount(indicator, last["value"]),
        )
        note = words.say(
            "forecast.small_note",
            month=words.month(last["period"], short=True),
            interval=source.interval(indicator, last),
            target=source.target(indicator, indicator["target"]["value"]),
        )
    chart = _chart(source, indicator, large=False)
    return {
        "title": said,
        "note": note if chart else f"{note} {words['forecast']['one_month']}",
        "chart": chart,
        "figure": short(indicator["figure"]),
        "carried": source.carried(name),
    }


def rates(source: Source) -> list[dict[str, str]]:
    """For each forecast: pace so far, pace required, the value at the deadline, the chance, the backtest."""
    words, rows = source.words, []
    for made in source.context.get("forecast") or []:
        indicator = source.known(made["indicator"])
        if indicator is None or not indicator["target"]:
            continue
        last, test = made["points"][-1], made["backtest"]
        tested = test["mean_absolute_error"] is not None
        rows.append(
            {
                "name": words["short"].get(made["indicator"], source.name(indicator)),
                "figure": short(made["figure"]),
                "now": source.figure_amount(indicator, indicator) + source.mark(made["indicator"]),
                "pace": source.change(indicator, made["per_month"]),
                "needed": source.change(indicator, made["required_per_month"]),
                "ahead": source.amount(indicator, last["value"]),
                "interval": source.interval(indicator, last),
                "target": source.target(indicator, indicator["target"]["value"]),
                "chance": chance(source, made),
                "error": words.number(test["mean_absolute_error"], indicator["decimals"] + 1),
                "inside": words.say("forecast.inside", count=test["inside80"], months=test["months"])
                if tested
                else NOTHING,
            }
        )
    return rows


def past(source: Source) -> dict[str, Any] | None:
    """How the forecasts that earlier releases made for this month fared; None where none was made."""
    words, rows = source.words, []
    for made in source.context.get("forecast") or []:
        indicator, earlier = source.known(made["indicator"]), made["past"]
        if indicator is None:
            continue
        shown = earlier[-PAST:]
        ends = [float(p[k]) for p in shown for k in ("value", "low80", "high80", "actual")]
        for i, was in enumerate(shown):
            value, actual = Decimal(was["value"]), Decimal(was["actual"])
            told = Interval(float(value), float(was["low80"]), float(was["high80"]), float(actual))
            month = words.month(was["made_in"], short=True)
            rows.append(
                {
                    "name": words["short"].get(made["indicator"], source.name(indicator)),
                    "release": words.say("forecast.made_in", month=month, version=was["version"]),
                    "value": source.amount(indicator, value),
                    "interval": source.interval(indicator, was),
                    "picture": source.picture(
                        charts.interval(f"past-{made['indicator']}-{i}", told, min(ends), max(ends))
                    ),
                    "actual": source.figure_amount(indicator, {**indicator, "value": was["actual"]})
                    + source.mark(made["indicator"]),
                    "error": words.number(value - actual, indicator["decimals"], signed=True),
                    "inside": _held(was),
                    "verdict": words["forecast"]["hit" if _held(was) else "miss"],
                }
            )
    if not rows:
        return None
    right, every = kept(source)
    said = words.say("forecast.past_title", right=right, all=every, month=source.month)
    return {"title": said, "rows": rows}


def kept(source: Source) -> tuple[int, int]:
    """How many of the forecasts that earlier months first made for this one held within their interval, of how many."""
    every = [
        _held(was)
        for made in source.context.get("forecast") or []
        if source.known(made["indicator"])
        for was in made["past"]
    ]
    return sum(every), len(every)


def _held(was: Mapping[str, Any]) -> bool:
    """Whether what came lies within an earlier forecast's 80% interval."""
    return Decimal(was["low80"]) <= Decimal(was["actual"]) <= Decimal(was["high80"])


def method(source: Source) -> list[str]:
    """How the forecasts are made, by kind of indicator, and after whom; empty where there are none."""
    made = source.context.get("forecast") or []
    said: dict[str, list[str]] = {}
    for each in made:
        said.setdefault(source.words.pick(each["method"]), []).append(each["indicator"])
    out = [
        source.words.say("forecast.method", method=text, indicators=source.words.listing(names))
        for text, names in said.items()
    ]
    sources = dict.fromkeys(each["source"] for each in made if each.get("source"))
    return [*out, *(source.words.say("forecast.source", source=each) for each in sources)]


def view(source: Source) -> dict[str, Any]:
    """Everything that page three shows."""
    words, left = source.words, source.known(LEFT)
    lead = _chart(source, left, large=True) if left else None
    small, paces = [_small(source, name) for name in SMALL], rates(source)
    return {
        "bare": not (lead or paces or any(s["chart"] for s in small)),
        "title": title(source),
        "lead": lead,
        "lead_title": words["forecast"]["lead_title"],
        "missing": words["forecast"]["one_month"] if left else source.absent(LEFT),
        "small": small,
        "rates": paces,
        "past": past(source),
        "no_past": words.say("forecast.no_past", month=source.month),
        "none": "" if source.context.get("forecast") else words["forecast"]["none_at_all"],
        "method": method(source),
    }
