"""The indicators of a page: value, change, target, breakdowns, the months before, and the provinces.

Promise: a figure that rests on a delivery carried forward says so wherever it stands, and figures of two
definitions are never subtracted.
"""

from typing import Any

from pantau import periods
from pantau.release.figures import (
    NATION,
    Closing,
    Published,
    difference,
    exact_difference,
    figure_id,
    number,
    parts,
    rounded,
    starts_anew,
)
from pantau.release.forecast import CHANGES
from pantau.rounding import half_up

MONTHS_OF_HISTORY = 12


def indicators(closing: Closing, feeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every indicator in force, with or without a value. `feeds`: as the page shows them, by part."""
    return [_indicator(closing, d, feeds) for d in closing.definitions]


def _indicator(closing: Closing, d: dict[str, Any], feeds: list[dict[str, Any]]) -> dict[str, Any]:
    name, decimals, period = d["indicator_id"], d["decimals"], closing.period
    mine = {b: f for (i, place, b), f in closing.figures.items() if i == name and place == NATION}
    preferred = (d["headline_breakdown"] or "").split(";")
    headline = next((b for b in preferred if b in mine), preferred[0])
    figure = mine.get(headline)
    needs = d["needs_feeds"].split(";")
    behind = [f for f in feeds if f["feed"] in needs]
    before = closing.before
    if starts_anew(d) and period.endswith("-01"):
        before = Published(0, None, {})

    carried = [
        {"feed": f["feed"], "part": f["part"], "from": f["source_period"]}
        for f in behind
        if f["how"] == "carried"
    ]
    value = figure["value"] if figure else None
    moved = difference(d, figure, before.figures.get((name, NATION, headline)))
    return {
        "id": name,
        "version": d["version"],
        "figure": figure_id(name, NATION, headline, period),
        "name": {"id": d["name_id"], "en": d["name_en"]},
        "unit": {"id": d["unit_id"], "en": d["unit_en"]},
        "decimals": decimals,
        "kind": d["kind"],
        "direction": d["direction"],
        "value": rounded(value, decimals),
        **parts(figure),
        "unread": sum(f["refused"] for f in behind),
        "missing": [] if figure else _missing(needs, behind),
        "carried": carried,
        "change": moved
        and {
            "value": moved,
            "from": figure_id(name, NATION, headline, periods.shift(period, -1), before.version),
        },
        "target": _target(closing, name, headline, decimals),
        "history": _history(closing, d, headline, figure, bool(carried)),
        "breakdowns": [
            {
                "breakdown": b,
                "figure": figure_id(name, NATION, b, period),
                "value": rounded(f["value"], decimals),
                **parts(f),
                "change": difference(d, f, before.figures.get((name, NATION, b))),
            }
            for b, f in sorted(mine.items())
            if b
        ],
    }


def _missing(needs: list[str], behind: list[dict[str, Any]]) -> list[str]:
    """The feeds without which the indicator has no value: those that are absent in all parts, or in some."""
    there = {f["feed"] for f in behind if f["how"] != "missing"}
    partly = {f["feed"] for f in behind if f["how"] == "missing"}
    absent = [f for f in needs if f not in there]
    return absent or [f for f in needs if f in partly]


def _target(closing: Closing, indicator: str, breakdown: str, decimals: int) -> dict[str, Any] | None:
    row = closing.connection.execute(
        "select * from marts.rpt_status where build_id = %s and period = %s and indicator_id = %s"
        " and place = %s and breakdown = %s",
        [closing.build["id"], closing.period, indicator, NATION, breakdown],
    ).fetchone()
    return row and {
        "target_id": row["target_id"],
        "value": number(row["target_value"]),
        "deadline": row["deadline"].isoformat(),
        "document": row["document"],
        "baseline_value": rounded(row["baseline_value"], decimals),
        "baseline_date": row["baseline_date"].isoformat(),
        "expected": rounded(row["expected_value"], decimals),
        "on_track": row["on_track"],
    }


def _history(
    closing: Closing, d: dict[str, Any], breakdown: str, figure: dict[str, Any] | None, carried: bool
) -> list[dict[str, Any]]:
    """The figures of the last months as they were published at the cut-off, and this one."""
    name, decimals = d["indicator_id"], d["decimals"]
    since = periods.shift(closing.period, 1 - MONTHS_OF_HISTORY)
    line = [
        {
            "period": row["period"],
            "figure": figure_id(name, NATION, breakdown, row["period"], row["version"]),
            "value": rounded(row["value"], decimals),
            **parts(row),
            "version": row["version"],
            "restated": row["restated"],
            "carried": row["carried"],
        }
        for row in closing.history(name, breakdown, d["needs_feeds"].split(";"))
        if row["period"] >= since
    ]
    if figure and figure["value"] is not None:
        line.append(
            {
                "period": closing.period,
                "figure": figure_id(name, NATION, breakdown, closing.period),
                "value": rounded(figure["value"], decimals),
                **parts(figure),
                "version": 0,  # this release's own, whose version stands above
                "restated": False,
                "carried": carried,
            }
        )
    return line


def provinces(closing: Closing) -> list[dict[str, Any]]:
    """The provinces in force, each with the indicators that exist there, in the order of their codes."""
    definitions = [
        d
        for d in closing.definitions
        if any(i == d["indicator_id"] and place != NATION for i, place, _ in closing.figures)
    ]
    lines = []
    for code, name in province_names(closing).items():
        cells = {d["indicator_id"]: cell for d in definitions if (cell := _cell(closing, d, code))}
        if cells:
            lines.append({"code": code, "name": name, **cells})
    return lines


def province_names(closing: Closing) -> dict[str, str]:
    """Code → name of the provinces of the register in force, by code."""
    rows = closing.connection.execute(
        "select kode, nama from facts.dim_wilayah where build_id = %s and level = 'provinsi'"
        ' and valid_from <= %s and (valid_to is null or valid_to > %s) order by kode collate "C"',
        [closing.build["id"], closing.period, closing.period],
    ).fetchall()
    return {row["kode"]: row["nama"] for row in rows}


def _cell(closing: Closing, d: dict[str, Any], place: str) -> dict[str, Any] | None:
    key, decimals = (d["indicator_id"], place, ""), d["decimals"]
    figure = closing.figures.get(key)
    return figure and {
        "figure": figure_id(*key, closing.period),
        "value": rounded(figure["value"], decimals),
        **parts(figure),
        "change": difference(d, figure, closing.before.figures.get(key)),
        "pace": _pace(d, figure, closing.year_before.figures.get(key)),
    }


def _pace(
    d: dict[str, Any], figure: dict[str, Any], earlier: dict[str, Any] | None
) -> dict[str, str | int] | None:
    """The mean change a month over the months that a forecast looks back on, so that a page has one pace."""
    moved = exact_difference(d, figure, earlier)
    if moved is None:
        return None
    return {"per_month": format(half_up(moved / CHANGES, d["decimals"]), "f"), "months": CHANGES}
