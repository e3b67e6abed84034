"""The bridge of the backlog (K2): from the figure that the month before first printed to this release's figure, in
steps that add up: corrections, boundaries, villages no longer or newly reported, villages that gained 4G, villages
that lost it.

Promise: the steps come to the frozen figures exactly, or the freeze ends with an error. Villages are counted in the
village-level facts of the build that is published for the month before and of this one, both as of the cut-off.
"""

from itertools import pairwise
from typing import Any

import polars as pl

from pantau import periods
from pantau.database import Connection
from pantau.errors import PantauError
from pantau.release.figures import NATION, Closing, figure_id, number
from pantau.release.indicators import province_names
from pantau.release.movement import Movement, as_named_now, movement, villages
from pantau.release.restatements import Text, causes, code_of, explain

INDICATOR = "K2"
_KEY = (INDICATOR, NATION, "")
SILENT = ("unreported", "reported")  # steps that are told only where there are such villages
NAMED = 3  # provinces that a step names; the others are counted together

Step = dict[str, Any]


def bridge(closing: Closing) -> dict[str, Any] | None:
    """The bridge to this release's K2; None where it or the month before as published at the cut-off has none.

    Raises:
        PantauError: the village-level facts do not come to a frozen figure.
    """
    now = closing.figures.get(_KEY)
    printed = _printed(closing)
    if now is None or not printed or printed[-1]["version"] != closing.before.version:
        return None
    steps = _corrections(closing, printed)
    standing, last = int(printed[-1]["numerator"]), printed[-1]
    moved = _moved(closing, last["build_id"], standing, int(now["numerator"]))
    if moved is None:
        steps.append(_step("net", standing, int(now["numerator"]) - standing))
    else:
        steps += steps_of(moved, standing, province_names(closing))
    steps.append({"kind": "now", "figure": figure_id(*_KEY, closing.period), "value": number(now["value"])})
    add_up(steps, {"period": closing.period, "version": closing.version})
    return {
        "indicator": INDICATOR,
        "from_period": periods.shift(closing.period, -1),
        "steps": steps,
        "net_real": None if moved is None else str(moved.real),
    }


def _printed(closing: Closing) -> list[dict[str, Any]]:
    """The releases of the month before that had the figure, as published at the cut-off, oldest first."""
    return closing.connection.execute(
        "select r.version, r.build_id, r.reason, r.explanation, f.indicator_version, f.numerator from ops.release r"
        " join ops.publication p on p.release_id = r.id join ops.figure f on f.release_id = r.id"
        " and (f.indicator_id, f.place, f.breakdown) = (%s, %s, %s)"
        " where r.period = %s and p.ledger_no <= %s order by p.ledger_no",
        [*_KEY, periods.shift(closing.period, -1), closing.cutoff],
    ).fetchall()


def _corrections(closing: Closing, printed: list[dict[str, Any]]) -> list[Step]:
    """The figure as first printed, each later release of the same month, and what stands after them."""
    before = periods.shift(closing.period, -1)
    needs = next(d for d in closing.definitions if d["indicator_id"] == INDICATOR)["needs_feeds"].split(";")
    first = printed[0]

    def stands(kind: str, release: dict[str, Any]) -> Step:
        figure = figure_id(*_KEY, before, release["version"])
        return {"kind": kind, "figure": figure, "value": str(int(release["numerator"]))}

    steps: list[Step] = [{**stands("printed", first), "reason": first["reason"]}]
    for old, new in pairwise(printed):
        difference = int(new["numerator"]) - int(old["numerator"])
        code, told = _why(closing.connection, old, new, before, needs, difference)
        step = _step("correction", int(old["numerator"]), difference)
        steps.append({**step, "code": code, "version": new["version"], "explanation": told})
    if len(printed) > 1:
        steps.append(stands("restated", printed[-1]))
    return steps


def _why(
    connection: Connection,
    old: dict[str, Any],
    new: dict[str, Any],
    period: str,
    needs: list[str],
    difference: int,
) -> tuple[str, Text]:
    """Code and reason of one correction: of the inputs of this indicator alone, where one of them changed."""
    if old["indicator_version"] != new["indicator_version"]:
        version = new["indicator_version"]
        return "R3", {"id": f"Definisi {INDICATOR} v{version}", "en": f"Definition {INDICATOR} v{version}"}
    every = causes(connection, old["build_id"], new["build_id"], period)
    mine = [cause for cause in every if cause.feed in needs]
    if not mine and difference == 0:  # the release was made for other figures
        return code_of(every), new["explanation"]
    return code_of(mine), explain(mine)


def _step(kind: str, value: int, difference: int) -> Step:
    return {"kind": kind, "difference": str(difference), "becomes": str(value + difference)}


def _moved(closing: Closing, build_before: int, standing: int, value: int) -> Movement | None:
    """The villages' movement; None where the facts of the earlier build are no longer kept."""
    period = periods.shift(closing.period, -1)
    before = villages(closing.connection, build_before, period)
    if before.is_empty():
        return None
    now = villages(closing.connection, closing.build["id"], closing.period)
    for counted_in, figure, of in ((before, standing, period), (now, value, closing.period)):
        if (counted := counted_in.filter(~pl.col("covered")).height) != figure:
            raise PantauError(
                f"The villages not covered are {counted:,}, but the figure says {figure:,}.",
                where={"figure": figure_id(*_KEY, of), "table": "facts.fct_desa_4g"},
                next_step="Our error: indicator and facts count differently, so no bridge can be shown. Mend "
                "dbt_project or pantau/release/bridge.py. Nothing was frozen.",
            )
    return movement(as_named_now(closing, build_before, before), now)


def steps_of(moved: Movement, standing: int, names: dict[str, str]) -> list[Step]:
    """What happened in the month, from the figure that stood before it."""
    steps, value = [], standing
    if moved.joined or moved.left:
        step = _step("boundary", value, moved.boundary)
        steps.append({**step, "joined": moved.joined, "left": moved.left})
        value += moved.boundary
    for kind, sign, counts in (
        ("unreported", 1, moved.unreported),
        ("reported", -1, moved.reported),
        ("gained", -1, moved.gained),
        ("lost", 1, moved.lost),
    ):
        if kind in SILENT and not counts:
            continue
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        steps.append(
            {
                **_step(kind, value, sign * sum(counts.values())),
                "provinces": [{"code": c, "name": names[c], "count": n} for c, n in most[:NAMED]],
                "others": {"provinces": len(most[NAMED:]), "count": sum(n for _, n in most[NAMED:])},
            }
        )
        value += sign * sum(counts.values())
    return steps


def add_up(steps: list[Step], where: dict[str, object]) -> None:
    """Raise unless every step begins where the one before ended."""
    value: int | None = None
    for step in steps:
        ends = int(step["becomes"] if "becomes" in step else step["value"])
        begins = ends - int(step.get("difference", 0))
        if value is not None and begins != value:
            raise PantauError(
                f"The bridge does not add up: '{step['kind']}' begins at {begins:,}, the step before ends at"
                f" {value:,}.",
                where=where,
                next_step="Our error, in pantau/release/bridge.py. Nothing was frozen.",
            )
        value = ends
