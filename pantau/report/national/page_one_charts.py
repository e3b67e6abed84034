"""Which numbers of a release go into which picture of page one, and the sentence each stands under."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pantau.errors import PantauError
from pantau.report import charts, tilemap
from pantau.report.national.source import COVERED, LEFT, Indicator, Source, series
from pantau.report.svg import Chart
from pantau.report.tilemap import Tile


def sparkline(source: Source, indicator: Indicator) -> Chart | None:
    """The indicator's last twelve months; None where there is no history."""
    history = [h for h in indicator["history"] if h["value"] is not None]
    if not history:
        return None
    words = source.words
    first, last = history[0], history[-1]
    told = [
        words.say(
            "alt.line",
            name=source.name(indicator),
            first=source.figure_amount(indicator, first),
            first_month=words.month(first["period"]),
            last=source.figure_amount(indicator, last),
            last_month=words.month(last["period"]),
        )
    ]
    for key in ("restated", "carried"):
        if months := [words.month(h["period"]) for h in history if h.get(key)]:
            told.append(words.say(f"alt.{key}", months=words.listing(months)))
    return source.picture(
        charts.sparkline(
            f"spark-{indicator['id']}",
            series(indicator),
            words.month(history[0]["period"], short=True).rsplit(" ", 1)[0] if len(history) > 1 else "",
            words.month(indicator["history"][-1]["period"], short=True),
            " ".join(told),
        )
    )


def bullet(source: Source, indicator: Indicator) -> Chart:
    """The value against forecast, target and plan. A share runs to 100, a count to the largest number shown."""
    words, target, value = source.words, indicator["target"], Decimal(indicator["value"])
    marks = [value, *(Decimal(h["value"]) for h in indicator["history"] if h["value"] is not None)]
    goal = expected = ahead = None
    name = source.name(indicator)
    told = [words.say("alt.value", name=name, value=source.figure_amount(indicator, indicator))]
    if target:
        goal = Decimal(target["value"])
        marks += [Decimal(m) for m in (target["value"], target["baseline_value"]) if m is not None]
        told.append(words.say("alt.target", target=source.target(indicator, target["value"])))
        if target["expected"] is not None:
            expected = Decimal(target["expected"])
            told.append(words.say("alt.plan", expected=source.amount(indicator, expected)))
    if made := source.forecast(indicator["id"]):
        ahead = Decimal(made["points"][-1]["value"])
        told.append(words.say("alt.forecast", forecast=source.amount(indicator, ahead)))
    top = max(Decimal(100), value) if indicator["kind"] == "ratio_pct" else max(marks)
    return source.picture(
        charts.bullet(f"bullet-{indicator['id']}", value, top, goal, expected, ahead, "; ".join(told))
    )


def backlog_rows(source: Source) -> list[Mapping[str, Any]]:
    """Provinces, most left first. Raises PantauError where they do not add up to the nation."""
    rows = sorted(source.provinces, key=lambda p: (-Decimal(p[LEFT]["value"]), p["code"]))
    left = source.known(LEFT)
    total = sum((Decimal(p[LEFT]["value"]) for p in rows), Decimal(0))
    if rows and left and total != Decimal(left["value"]):
        raise PantauError(
            "The provinces do not add up to the nation, so the report would contradict itself.",
            where={"figure": left["figure"], "nation": left["value"], "provinces": total},
            next_step="Look at the roll-up of K2 in the build behind this release; do not publish it.",
        )
    return rows


def province_map(source: Source) -> dict[str, Any]:
    """The tile map with its claim. Without provinces: the sentence that stands in its place."""
    words, rows = source.words, backlog_rows(source)
    if not rows:
        note = words.say("map.missing", month=source.month)
        return {"title": words["map"]["missing_title"], "note": note, "chart": None}
    total = sum((Decimal(p[LEFT]["value"]) for p in rows), Decimal(0))
    tiles = [
        Tile(
            p["code"],
            p["name"],
            words.number(p[LEFT]["value"]) + source.mark(LEFT),
            Decimal(100) - Decimal(p[COVERED]["value"]),
        )
        for p in source.provinces
    ]
    least = Decimal(
        rows[min(2, len(rows) - 1)][LEFT]["value"]
    )  # of the third, and of all that share its place
    largest = [p for i, p in enumerate(rows) if i < 3 or (least and Decimal(p[LEFT]["value"]) == least)]
    most = words.listing(f"{p['name']} {words.number(p[LEFT]['value'])}" for p in largest)
    alt = words.say("map.alt", count=len(rows), most=most)
    return {
        "title": _concentration(source, rows, total),
        "note": words.say("map.note", period=source.period, count=len(rows), total=words.number(total)),
        "chart": source.picture(tilemap.tile_map("map", tiles, source.layout, words["map"]["legend"], alt)),
    }


def _shares_first_place(rows: list[Mapping[str, Any]]) -> bool:
    return len(rows) > 1 and rows[0][LEFT]["value"] == rows[1][LEFT]["value"]


def _concentration(source: Source, rows: list[Mapping[str, Any]], total: Decimal) -> str:
    """How few provinces hold at least half of the backlog."""
    if not total:
        return source.words["map"]["title_none"]
    held, count = Decimal(0), 0
    for row in rows:
        held, count = held + Decimal(row[LEFT]["value"]), count + 1
        if held * 2 >= total and not (count == 1 and _shares_first_place(rows)):
            break
    part = source.words.share(held, total)
    if count == 1:
        return source.words.say("map.title_one", name=rows[0]["name"], share=part)
    return source.words.say("map.title", count=count, share=part)
