"""The forecasts that a page shows: for each indicator with a goal ahead, from its history as published.

Promise: a reader can work them out again from the published figures alone; what earlier months had first forecast for
this one stands beside what it came to.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from pantau import periods
from pantau.release import forecast
from pantau.release.figures import Closing, starts_anew

UNLIKELY = Decimal("0.5")  # a target less likely than this is expected to be missed
PAST = 6  # earlier months whose forecasts of this one are shown
_SOURCE = "Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2, 5.5"


def forecasts(closing: Closing, indicators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A forecast for every one of the page's `indicators` that has a value, a target whose deadline lies ahead,
    enough unbroken months of one definition, and no new start each January."""
    made = []
    definitions = {d["indicator_id"]: d for d in closing.definitions}
    for indicator in indicators:
        if indicator["value"] is None or not indicator["target"] or starts_anew(definitions[indicator["id"]]):
            continue
        last = _last_month(indicator["target"]["deadline"])
        values = _values(closing, indicator)
        if last > closing.period and len(values) > forecast.CHANGES:
            made.append(_forecast(closing, indicator, values, last))
    return made


def likely_missed(context: Mapping[str, Any]) -> list[str]:
    """The indicators of a page that are forecast to miss their targets, whatever their plan says today."""
    made = context.get("forecast") or []
    return [each["indicator"] for each in made if Decimal(each["probability"]) < UNLIKELY]


def _last_month(deadline: str) -> str:
    """The last month that ends on the deadline's day or before."""
    day = date.fromisoformat(deadline)
    month = f"{day:%Y-%m}"
    return month if day == periods.last_day(month) else periods.shift(month, -1)


def _values(closing: Closing, indicator: dict[str, Any]) -> list[Decimal]:
    """The published values up to this month, oldest first: from the last gap or change of definition on."""
    breakdown = indicator["figure"].partition("@")[0].partition(":")[2]
    values, month = [Decimal(indicator["value"])], closing.period
    for row in reversed(closing.history(indicator["id"], breakdown, [])):
        month = periods.shift(month, -1)
        if row["period"] != month or row["indicator_version"] != indicator["version"]:
            break
        values.append(row["value"])
    return values[::-1]


def _forecast(
    closing: Closing, indicator: dict[str, Any], values: list[Decimal], last: str
) -> dict[str, Any]:
    decimals, direction = indicator["decimals"], indicator["direction"]
    bounds, target = forecast.bounds_of(indicator["kind"]), Decimal(indicator["target"]["value"])
    months = list(periods.span(periods.shift(closing.period, 1), last))
    fitted = forecast.fit(values)
    tested = forecast.backtest(values, bounds, decimals)
    pace = forecast.run_rate(values[-1 - forecast.CHANGES], values[-1], forecast.CHANGES)
    required = forecast.required_rate(values[-1], target, len(months), direction)
    error = tested.mean_absolute_error
    return {
        "indicator": indicator["id"],
        "figure": indicator["figure"],
        "method": _method(bounds),
        "source": _SOURCE,
        "history_months": forecast.CHANGES,
        "deadline": last,
        "points": [
            {"period": month, **_written(forecast.point(fitted, ahead, bounds, decimals))}
            for ahead, month in enumerate(months, 1)
        ],
        "per_month": str(forecast.round_once(pace, decimals)),
        "required_per_month": str(forecast.round_once(required, decimals, up=True)),
        "probability": str(
            forecast.round_once(fitted.probability(len(months), target, direction, decimals), 2)
        ),
        "past": _past(closing, indicator),
        "backtest": {
            "months": tested.months,
            "mean_absolute_error": None if error is None else str(forecast.round_once(error, decimals + 1)),
            "inside80": tested.inside80,
        },
    }


def _method(bounds: forecast.Bounds) -> dict[str, str]:
    n, low, high = forecast.CHANGES, bounds.low, bounds.high
    return {
        "id": f"jalan acak dengan hanyutan: laju rata-rata {n} bulan terakhir, selang menurut sebaran t dengan {n - 1}"
        " derajat kebebasan, "
        + (f"tidak di bawah {low}" if high is None else f"dibatasi {low} sampai {high}"),
        "en": f"random walk with drift: the mean pace of the last {n} months, intervals by the t distribution"
        f" with {n - 1} degrees of freedom, "
        + (f"not below {low}" if high is None else f"kept within {low} to {high}"),
    }


def _written(made: forecast.Point) -> dict[str, str]:
    return {name: format(value, "f") for name, value in asdict(made).items()}


def _past(closing: Closing, indicator: dict[str, Any]) -> list[dict[str, Any]]:
    """What the pages of earlier months, as each was first published, had forecast for this one; oldest first. A page
    that was published anew may have known more, so its forecast never counts."""
    rows = closing.connection.execute(
        "select distinct on (r.period) r.period, r.version, r.context -> 'forecast' as forecast,"
        " r.context -> 'definitions' as definitions from ops.release r"
        " join ops.publication p on p.release_id = r.id"
        " where p.ledger_no <= %s and r.period < %s and r.period >= %s order by r.period, p.ledger_no",
        [closing.cutoff, closing.period, periods.shift(closing.period, -PAST)],
    ).fetchall()
    return [
        {
            "made_in": row["period"],
            "version": row["version"],
            **{name: p[name] for name in ("value", "low80", "high80")},
            "actual": indicator["value"],
        }
        for row in rows
        if any(
            (d["id"], d["version"]) == (indicator["id"], indicator["version"])
            for d in row["definitions"] or ()
        )
        for f in row["forecast"] or ()
        if f["indicator"] == indicator["id"]
        for p in f["points"]
        if p["period"] == closing.period
    ]
