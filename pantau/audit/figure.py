"""One figure: its id, its place among the audit pages, and the SQL that gives it.

Promise: the SQL is the component's as the build ran it, rolled up for one place and breakdown as
models/marts/rpt_figure.sql does for all of them; it reads nothing but this build and writes nothing.
"""

import re
from textwrap import indent
from typing import Any

from pantau import periods
from pantau.errors import PantauError
from pantau.release.figures import NATION

_ID = re.compile(
    r"(?P<indicator>[A-Z]\d+)\.(?P<place>\d{2}(\.\d{2})?)(:(?P<breakdown>[^@/]+))?"
    rf"@(?P<period>{periods.PATTERN})(/v(?P<version>\d+))?",
    re.ASCII,
)
_LEVELS = {0: "nasional", 2: "provinsi", 5: "kabupaten"}


def parse(figure: str) -> dict[str, str]:
    """The parts of a figure's id. Raises PantauError where it is none."""
    match = _ID.fullmatch(figure.strip())
    if not match:
        raise PantauError(
            f"'{figure}' is no figure id.",
            next_step="Write it as it stands on the page: K2.00@2026-10, K1.11:3T@2026-08/v1, K12.00:APBN@2026-10.",
        )
    return {name: value or "" for name, value in match.groupdict().items()}


def anchor(place: str, breakdown: str) -> str:
    """The tail of the figure's id, by which it is found on its indicator's page: `93.01:3T`."""
    return place + (f":{breakdown}" if breakdown else "")


def page(period: str, version: int, indicator: str) -> str:
    """The page of an indicator in a release, from the root of the audit pages."""
    return f"{period}/v{version}/{indicator}.html"


def level(place: str) -> str:
    """nasional, provinsi or kabupaten."""
    return _LEVELS[0 if place == NATION else len(place)]


def conditions(grains: list[str], place: str, breakdown: str) -> list[tuple[str, str]]:
    """Column and value of each condition that leads from an indicator's component to one figure.

    Args:
        grains: the breakdowns that the register declares at this level of places, such as `tiga_t`.
    """
    found = [] if place == NATION else [(f"{level(place)}_kode", place)]
    values = breakdown.split(":") if breakdown else []
    columns: list[str] = next(
        (g.split(":") for g in grains if len(g.split(":") if g else []) == len(values)), []
    ) if values else []  # fmt: skip
    if len(columns) != len(values):
        raise PantauError(
            "The register declares no such breakdown.",
            where={"place": place, "breakdown": breakdown},
            next_step="See indicator_grain.csv for the grains at which the indicator exists.",
        )
    return found + list(zip(columns, values, strict=True))


def grains_of(
    registers: dict[str, list[dict[str, Any]]], indicator: str, version: int, place: str
) -> list[str]:
    """The breakdowns that the frozen register declares for an indicator at a place's level; "" is the whole."""
    return [
        row["breakdown"] or ""
        for row in registers["indicator_grain"]
        if (row["indicator_id"], row["version"], row["place_level"]) == (indicator, version, level(place))
    ]


def settings_of(build: int) -> str:
    """What a session needs before the SQL of a figure."""
    return f"set pantau.build = '{build}';"


def sql_of(component: str, definition: dict[str, Any], period: str, where: list[tuple[str, str]]) -> str:
    """One statement that returns numerator, denominator and value of a figure.

    Args:
        component: the indicator's model as the build ran it.
        definition: its row of the frozen register.
        where: see `conditions`.
    """
    value = {
        "ratio_pct": "100 * sum(numerator) / nullif(sum(denominator), 0)",
        "count": "sum(numerator)",
    }[definition["kind"]]
    lines = "".join(f"\n    and {column} = {_literal(text)}" for column, text in where)
    return (
        f"with component as (\n{indent(component, '    ')}\n)\n\n"
        "select\n    sum(numerator) as numerator,\n    sum(denominator) as denominator,\n"
        f"    round({value}, {int(definition['decimals'])}) as value\n"
        f"from component\nwhere\n    period = {_literal(period)}{lines}"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
