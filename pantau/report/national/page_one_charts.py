"""Which numbers of a release go into which chart of page one, and the sentence each chart stands under."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pantau import periods
from pantau.errors import PantauError
from pantau.report import charts
from pantau.report.charts import Point, Tile, Trend
from pantau.report.national.source import LEFT, Indicator, Source, distance, share
from pantau.report.svg import Chart

AHEAD = 12  # months that the trend's axis runs on at most, towards a deadline


def _series(indicator: Indicator) -> list[Point]:
    """Every month from the history's first to its last; one that it lacks is a Point without value."""
    known = {h["period"]: h for h in indicator["history"] if h["value"] is not None}
    months = list(periods.span(indicator["history"][0]["period"], indicator["history"][-1]["period"]))
    return [
        Point(i, Decimal(known[month]["value"]), bool(known[month]["restated"]))
        if month in known
        else Point(i, None)
        for i, month in enumerate(months)
    ]


def sparkline(source: Source, indicator: Indicator) -> Chart | None:
    """The indicator's last twelve months; None where there is no history."""
    history = [h for h in indicator["history"] if h["value"] is not None]
    if not history:
        return None
    words = source.words
    first, last = history[0], history[-1]
    alt = words.say(
        "trend.spark_alt",
        name=words.pick(indicator["name"]),
        first=source.value(indicator, first["value"]),
        first_month=words.month(first["period"]),
        last=source.value(indicator, last["value"]),
        last_month=words.month(last["period"]),
    )
    if restated := [words.month(h["period"]) for h in history if h["restated"]]:
        alt += " " + words.say("trend.spark_restated", months=words.listing(restated))
    return source.picture(
        charts.sparkline(
            f"spark-{indicator['id']}",
            _series(indicator),
            words.month(history[0]["period"], short=True).rsplit(" ", 1)[0] if len(history) > 1 else "",
            words.month(indicator["history"][-1]["period"], short=True),
            alt,
        )
    )


def bullet(source: Source, indicator: Indicator) -> Chart:
    """The value against target and plan. A share runs to 100, a count to the largest number shown."""
    target = indicator["target"]
    value = Decimal(indicator["value"])
    marks = [value, *(Decimal(h["value"]) for h in indicator["history"] if h["value"] is not None)]
    goal = expected = None
    name = source.words.pick(indicator["name"])
    told = {"name": name, "value": source.value(indicator, value) + source.unit_sign(indicator)}
    key = "trend.bullet_alt"
    if target:
        goal = Decimal(target["value"])
        marks += [goal, Decimal(target["baseline_value"])]
        told["target"] = source.target(indicator, target["value"])
        key = "trend.bullet_alt_target"
        if target["expected"] is not None:
            expected = Decimal(target["expected"])
            told["expected"] = source.value(indicator, expected) + source.unit_sign(indicator)
            key = "trend.bullet_alt_plan"
    top = max(Decimal(100), value) if indicator["kind"] == "ratio_pct" else max(marks)
    alt = source.words.say(key, **told)
    return source.picture(charts.bullet(f"bullet-{indicator['id']}", value, top, goal, expected, alt))


def _backlog_rows(source: Source) -> list[Mapping[str, Any]]:
    """Provinces, most left first. Raises PantauError where they do not add up to the nation."""
    rows = sorted(source.provinces, key=lambda p: (-Decimal(p["K2"]["value"]), p["code"]))
    left = source.indicator(LEFT)
    total = sum((Decimal(p["K2"]["value"]) for p in rows), Decimal(0))
    if rows and left and left["value"] is not None and total != Decimal(left["value"]):
        raise PantauError(
            "The provinces do not add up to the nation, so the report would contradict itself.",
            where={"figure": left["figure"], "nation": left["value"], "provinces": total},
            next_step="Look at the roll-up of K2 in the build behind this release; do not publish it.",
        )
    return rows


def province_map(source: Source) -> dict[str, Any]:
    """The tile map with its claim. Without provinces: the sentence that stands in its place."""
    words, rows = source.words, _backlog_rows(source)
    if not rows:
        note = words.say("map.missing", month=words.month(source.period))
        return {"title": words["map"]["missing_title"], "note": note, "chart": None}
    total = sum((Decimal(p["K2"]["value"]) for p in rows), Decimal(0))
    tiles = [
        Tile(
            p["code"],
            p["name"],
            words.number(p["K2"]["value"]),
            Decimal(100) - Decimal(p["K1"]["value"]),
        )
        for p in source.provinces
    ]
    most = words.listing(f"{p['name']} {words.number(p['K2']['value'])}" for p in rows[:3])
    alt = words.say("map.alt", count=len(rows), most=most)
    return {
        "title": _concentration(source, rows, total),
        "note": words.say("map.note", period=source.period, count=len(rows), total=words.number(total)),
        "chart": source.picture(charts.tile_map("map", tiles, source.layout, words["map"]["legend"], alt)),
    }


def _concentration(source: Source, rows: list[Mapping[str, Any]], total: Decimal) -> str:
    """How few provinces hold at least half of the backlog."""
    if not total:
        return source.words["map"]["title_none"]
    held, count = Decimal(0), 0
    for row in rows:
        held, count = held + Decimal(row["K2"]["value"]), count + 1
        if held * 2 >= total:
            break
    part = source.words.number(share(held, total, 0))
    if count == 1:
        return source.words.say("map.title_one", name=rows[0]["name"], share=part)
    return source.words.say("map.title", count=count, share=part)


def backlog(source: Source) -> dict[str, Any] | None:
    """The provinces that hold most of the backlog, then 3T and other areas; None without provinces."""
    words, rows = source.words, _backlog_rows(source)
    left = source.indicator(LEFT)
    if not rows or left is None or left["value"] is None:
        return None
    total = Decimal(left["value"])
    listed = [p for p in rows[: source.room.provinces] if Decimal(p["K2"]["value"])]
    areas = [b for b in left["breakdowns"] if b["value"] is not None]
    widest = share(Decimal(listed[0]["K2"]["value"]), total) if listed else Decimal(0)

    def row(name: str, figure: str, value: str, change: str | None, bar: str | None = None) -> dict[str, Any]:
        part = share(Decimal(value), total)
        alt = words.say("backlog.bar_alt", share=words.number(part, 1))
        return {
            "name": name,
            "figure": figure.partition("@")[0],
            "value": words.number(value),
            "share": words.number(part, 1),
            "change": words.number(change, signed=True),
            "worse": change is not None and Decimal(change) > 0,
            "bar": source.picture(charts.share_bar(f"share-{bar}", part, widest, alt)) if bar else None,
        }

    provinces = [
        row(p["name"], p["K2"]["figure"], p["K2"]["value"], p["K2"]["change"], p["code"]) for p in listed
    ]
    title = words["backlog"]["title_none"]
    if listed:
        title = words.say("backlog.title", name=listed[0]["name"], value=provinces[0]["value"])
    others = rows[len(listed) :]
    rest = sum((Decimal(p["K2"]["value"]) for p in others), Decimal(0))
    covered = source.indicator("K1")
    parts = [
        words.say(
            "backlog.covered_area",
            value=words.number(b["value"], covered["decimals"]),
            figure=b["figure"].partition("@")[0],
        )
        for b in (covered["breakdowns"] if covered else [])
        if covered and b["value"] is not None
    ]
    return {
        "title": title,
        "note": words.say("backlog.note", period=source.period),
        "since": _since(source, left),
        "provinces": provinces,
        "rest": {
            "name": words.say("backlog.rest", count=len(others)),
            "value": words.number(rest),
            "share": words.number(share(rest, total), 1),
        }
        if others and rest
        else None,
        "areas": [
            row(words["breakdown"].get(b["breakdown"], b["breakdown"]), b["figure"], b["value"], b["change"])
            for b in areas
        ],
        "covered": words.say("backlog.covered", parts=words.listing(parts)) if parts else "",
    }


def _since(source: Source, indicator: Indicator) -> str:
    if not indicator["change"]:
        return source.words.say("backlog.since", month="–")
    month = indicator["change"]["from"].partition("@")[2].partition("/")[0]
    return source.words.say("backlog.since", month=source.words.month(month, short=True).split(" ")[0])


def trend_title(source: Source) -> str:
    """What the trend says: movement and required pace where both are known."""
    words, left = source.words, source.indicator(LEFT)
    if left is None or left["value"] is None or not left["change"] or not (needed := source.pace(left)):
        return words["trend"]["title_plain"]
    moved = Decimal(left["change"]["value"])
    key = "trend.title_pace" if moved <= 0 else "trend.title_rose"
    return words.say(key, change=words.number(abs(moved)), pace=words.number(needed[0]))


def trend(source: Source) -> dict[str, Any]:
    """The backlog's section: claim and chart, or the sentence that stands in the chart's place."""
    words = source.words
    return {
        "title": trend_title(source),
        "chart": _trend_chart(source),
        "note": words["trend"]["note"],
        "missing": words.say("trend.missing", month=words.month(source.period)),
    }


def _trend_chart(source: Source) -> Chart | None:
    """Twelve months with the plan line and the required pace; None where it cannot be computed."""
    words, left = source.words, source.indicator(LEFT)
    if left is None or left["value"] is None or not left["history"]:
        return None
    history, target = left["history"], left["target"]
    start, end = history[0]["period"], source.period
    plan = expected = arrives = None
    told = [
        words.say(
            "trend.alt",
            first=source.value(left, history[0]["value"]),
            first_month=words.month(start),
            last=source.value(left, left["value"]),
            last_month=words.month(end),
        )
    ]
    needed = source.pace(left)
    if target:
        deadline = target["deadline"][:7]
        end = min(max(end, deadline), periods.shift(end, AHEAD))
        plan = _plan(target, start, end)
        if needed and deadline <= end:
            arrives = (distance(start, deadline), Decimal(target["value"]))
        if target["expected"] is not None:
            expected = Decimal(target["expected"])
            told.append(
                words.say(
                    "trend.alt_plan",
                    expected=source.value(left, target["expected"]),
                    last_month=words.month(source.period),
                    target=source.target(left, target["value"]),
                    deadline=words.month(deadline),
                )
            )
    labels = {
        "actual": words["trend"]["actual"],
        "plan": words["trend"]["plan"],
        "needed": words.say("trend.needed", pace=words.number(needed[0])) if needed else "",
        "restated": words["trend"]["restated"],
        "last": source.value(left, left["value"]),
        "expected": source.value(left, expected),
    }
    what = Trend(
        _series(left),
        distance(start, end),
        _ticks(source, start, end),
        plan,
        expected,
        arrives,
        _axis(source),
        labels,
    )
    return source.picture(charts.trend("trend", what, " ".join(told), height=source.room.trend))


def _axis(source: Source) -> Any:
    return lambda amount: source.words.number(Decimal(str(amount)))


def _ticks(source: Source, start: str, end: str) -> list[tuple[int, str]]:
    """First, newest and last month, and each quarter's first where there is room; the year where new."""
    quarters = [m for m in periods.span(start, end) if m[5:] in ("01", "04", "07", "10")]
    ticks: dict[int, str] = {}
    for month in dict.fromkeys([start, source.period, end, *quarters]):
        at = distance(start, month)
        if all(abs(at - other) >= 2 for other in ticks):
            name, year = source.words.month(month, short=True).rsplit(" ", 1)
            ticks[at] = f"{name}|{year}" if month == start or month[5:] == "01" else name
    return sorted(ticks.items())


def _plan(
    target: Mapping[str, Any], start: str, end: str
) -> tuple[tuple[int, Decimal], tuple[int, Decimal]] | None:
    """The straight line from baseline to target within the axis; None where it lies outside."""
    first, last = date.fromisoformat(target["baseline_date"]), date.fromisoformat(target["deadline"])
    opening, goal = Decimal(target["baseline_value"]), Decimal(target["value"])
    months = [m for m in periods.span(start, end) if first <= periods.last_day(m) <= last]
    if len(months) < 2 or first >= last:
        return None

    def at(month: str) -> tuple[int, Decimal]:
        gone = Decimal((periods.last_day(month) - first).days) / (last - first).days
        return distance(start, month), opening + (goal - opening) * gone

    return at(months[0]), at(months[-1])
