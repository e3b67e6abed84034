"""The bridge's arithmetic: whatever happened to the villages, the steps add up to the figures."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau.errors import PantauError
from pantau.release.bridge import NAMED, add_up, steps_of
from pantau.release.movement import Movement, movement, once

BEFORE = {"kode": pl.String, "covered": pl.Boolean, "has_row": pl.Boolean}
NOW = {"kode": pl.String, "province": pl.String, "covered": pl.Boolean, "has_row": pl.Boolean}
# Covered; None for a village without an accepted row, which counts as not covered.
Villages = dict[int, bool | None]

villages = st.dictionaries(st.integers(0, 60), st.sampled_from([True, False, None]), max_size=60)


def code(village: int) -> str:
    """Villages lie in six provinces."""
    return f"{11 + village % 6}.{village:04d}"


def frames(before: Villages, now: Villages, unknown: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both months; `unknown` villages of the month before have no code in the register of now."""
    rows = [(code(v), bool(c), c is not None) for v, c in before.items()] + [(None, False, True)] * unknown
    new = [(code(v), code(v)[:2], bool(c), c is not None) for v, c in now.items()]
    return pl.DataFrame(rows, schema=BEFORE, orient="row"), pl.DataFrame(new, schema=NOW, orient="row")


@given(villages, villages, st.integers(0, 5))
def test_the_movement_is_the_difference(before: Villages, now: Villages, unknown: int) -> None:
    was, now_ = frames(before, now, unknown)
    moved = movement(was, now_)
    left = sum(not c for v, c in before.items() if v not in now) + unknown
    assert moved.left == left
    assert moved.joined == sum(not c for v, c in now.items() if v not in before)
    ways = Counter((before[v], c) for v, c in now.items() if v in before)
    for counts, way in (
        (moved.gained, (False, True)),
        (moved.lost, (True, False)),
        (moved.unreported, (True, None)),
        (moved.reported, (None, True)),
    ):
        assert sum(counts.values()) == ways[way]
    backlog = [(~frame["covered"]).sum() for frame in (was, now_)]
    reporting = ways[True, None] - ways[None, True]
    assert moved.boundary + reporting + moved.real == backlog[1] - backlog[0]

    names = {str(p): f"Province {p}" for p in range(11, 17)}
    steps = steps_of(moved, int(backlog[0]), names)
    add_up(
        [{"value": str(backlog[0]), "kind": "printed"}, *steps, {"value": str(backlog[1]), "kind": "now"}], {}
    )
    told = {step["kind"]: step for step in steps}
    assert list(told) == [
        kind
        for kind, shown in (
            ("boundary", moved.joined or moved.left),
            ("unreported", moved.unreported),
            ("reported", moved.reported),
            ("gained", True),
            ("lost", True),
        )
        if shown
    ]
    for kind in set(told) - {"boundary"}:
        step, counts = told[kind], getattr(moved, kind)
        most = step["provinces"]
        assert sum(p["count"] for p in most) + step["others"]["count"] == sum(counts.values())
        assert len(most) + step["others"]["provinces"] == len(counts)
        assert len(most) == min(NAMED, len(counts))
        assert [p["count"] for p in most] == sorted(counts.values(), reverse=True)[:NAMED]
        assert all(names[p["code"]] == p["name"] and counts[p["code"]] == p["count"] for p in most)


def test_provinces_with_as_many_villages_stand_by_their_codes() -> None:
    moved = Movement({"95": 2, "11": 1, "94": 2, "12": 1, "53": 1}, {}, {}, {})
    gained, lost = steps_of(moved, 10, {str(p): "" for p in range(11, 96)})
    assert [p["code"] for p in gained["provinces"]] == ["94", "95", "11"]
    assert (gained["difference"], gained["becomes"], gained["others"]) == (
        "-7",
        "3",
        {"provinces": 2, "count": 2},
    )
    assert (lost["difference"], lost["provinces"]) == ("0", [])


def test_as_many_villages_that_joined_as_left_are_told() -> None:
    boundary, *_ = steps_of(Movement({}, {}, {}, {}, joined=3, left=3), 10, {})
    assert boundary == {"kind": "boundary", "difference": "0", "becomes": "10", "joined": 3, "left": 3}


def test_two_villages_that_became_one_are_counted_once() -> None:
    rows = [
        ("11.1", "91.1", True, True),
        ("11.1", "11.1", False, True),
        (None, "91.2", False, False),
        ("11.3", "91.3", True, True),
    ]
    made = once(pl.DataFrame(rows, schema=["kode", "was", "covered", "has_row"], orient="row"))
    assert sorted(made.rows(), key=str) == [
        ("11.1", False, True),
        ("11.3", True, True),
        (None, False, False),
        (None, True, True),
    ]


def test_a_step_that_does_not_begin_where_the_last_one_ended_is_an_error() -> None:
    steps = [
        {"kind": "printed", "value": "10"},
        {"kind": "gained", "difference": "-3", "becomes": "7"},
        {"kind": "now", "value": "8"},
    ]
    with pytest.raises(PantauError, match="'now' begins at 8, the step before ends at 7"):
        add_up(steps, {"period": "2026-10"})
