"""Page four of the national report: every province with what is covered, what is left and its base stations.

The province with the least coverage stands first.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pantau.report import charts
from pantau.report.charts import Scale
from pantau.report.national.source import COVERED, LEFT, SITES, Source, figure_parts, short
from pantau.report.scale import nice
from pantau.report.wording import NOTHING

ROW = 14.4  # height of a province's row, in points
COLUMNS = (("covered", COVERED), ("left", LEFT), ("sites", SITES))


def _scale(rows: list[Mapping[str, Any]]) -> Scale:
    """Both scales wide enough for every row; the level's ends at 100."""
    low = min(float(p[COVERED]["value"]) for p in rows)
    step = nice(max(100 - low, 1.0), 5)
    floor = low // step * step
    ticks = tuple(floor + i * step for i in range(round((100 - floor) / step) + 1))
    moved = [abs(float(p[COVERED]["change"])) for p in rows if p[COVERED]["change"] is not None]
    widest = max([*moved, 0.1])
    part = nice(widest, 2)
    return Scale(floor, 100.0, ticks, -(-widest // part) * part)


def _cells(source: Source, name: str, found: Mapping[str, Any] | None) -> dict[str, str]:
    """Value and change of one indicator; dashes where it has no figure there."""
    indicator = source.indicator(name)
    if not found or indicator is None or found["value"] is None:
        return {"value": NOTHING, "change": NOTHING}
    change = found["change"]
    moved = change["value"] if isinstance(change, Mapping) else change
    return {
        "value": source.figure(indicator, found) + source.mark(name),
        "change": source.change(indicator, moved),
    }


def _level(p: Mapping[str, Any]) -> Fraction:
    """How much of a province is covered, before it was rounded."""
    numerator, denominator = (Fraction(p[COVERED][name]) for name in ("numerator", "denominator"))
    return numerator / denominator


def _grew(p: Mapping[str, Any]) -> bool:
    """Whether the backlog of a province grew."""
    return p[LEFT]["change"] is not None and Decimal(p[LEFT]["change"]) > 0


def _row(source: Source, p: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    change = p[COVERED]["change"]
    moved = None if change is None else Decimal(change)
    picture = charts.place(f"place-{p['code']}", scale, Decimal(p[COVERED]["value"]), moved, ROW)
    return {
        "code": p["code"],
        "name": source.layout.get(p["code"], {}).get("listed", p["name"]),
        "picture": source.picture(picture),
        "worse": _grew(p),
        **{key: _cells(source, name, p.get(name)) for key, name in COLUMNS},
    }


def _totals(source: Source) -> list[dict[str, Any]]:
    """The nation, then its areas: 3T and others."""
    words, rows = source.words, []
    areas = [("", words["provinces"]["nation"])]
    areas += [(b, words["breakdown"][b]) for b in ("3T", "non-3T")]
    for breakdown, name in areas:
        found = {
            indicator: source.breakdowns(indicator).get(breakdown) if breakdown else source.known(indicator)
            for _, indicator in COLUMNS
        }
        ids = [short(f["figure"]) for f in found.values() if f]
        if ids:
            cells = {key: _cells(source, indicator, found[indicator]) for key, indicator in COLUMNS}
            rows.append({"name": name, "figures": " · ".join(ids), **cells})
    return rows


def view(source: Source) -> dict[str, Any]:
    """Everything that page four shows."""
    words, every = source.words, source.provinces
    covered, left = source.known(COVERED), source.known(LEFT)
    if not every or covered is None or left is None:
        return {
            "title": words.say("provinces.title_missing", month=source.month),
            "missing": words.say("provinces.missing", month=source.month),
            "bare": True,
        }
    rows = sorted(every, key=lambda p: (_level(p), p["code"]))
    lowest = [p["name"] for p in rows if _level(p) == _level(rows[0])]
    scale = _scale(rows)
    below = [p for p in rows if Decimal(p[COVERED]["value"]) < Decimal(covered["value"])]
    worse, change = [p for p in rows if _grew(p)], left["change"]
    since = figure_parts(change["from"])[3] if change else ""
    key = "no_change" if not change else "worse" if worse else "none_worse"
    widest = words.number(Decimal(str(scale.change)), covered["decimals"])
    return {
        "title": words.say(
            "provinces.title" if below else "provinces.title_even",
            count=len(below),
            all=len(rows),
            nation=source.figure_amount(covered, covered) + source.mark(COVERED),
            name=words.listing(lowest),
            value=source.figure_amount(covered, rows[0][COVERED]) + source.mark(COVERED),
        ),
        "missing": "",
        "note": words.say(f"provinces.{key}", count=len(worse), since=words.month(since) if since else ""),
        "ids": words.say("provinces.ids", period=source.period),
        "head": source.picture(
            charts.scale_head(
                "places",
                scale,
                [words.number(Decimal(str(t)), 0 if float(t).is_integer() else 1) for t in scale.ticks],
                (f"−{widest}", "0", f"+{widest}"),
            )
        ),
        "carried": list(dict.fromkeys(note for _, name in COLUMNS for note in source.carried(name))),
        "no_sites": "" if source.known(SITES) else source.absent(SITES),
        "rows": [_row(source, p, scale) for p in rows],
        "totals": _totals(source),
    }
