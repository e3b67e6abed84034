"""Ids of figures, and the conditions and SQL that lead from an indicator's component to one of them."""

import pytest

from pantau.audit import figure as figures
from pantau.errors import PantauError

K12 = {"kind": "ratio_pct", "decimals": 1}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("K2.00@2026-10", ("K2", "00", "", "2026-10", "")),
        ("K1.93.01:3T@2026-08/v1", ("K1", "93.01", "3T", "2026-08", "1")),
        ("R1.00:operator_saja@2026-10", ("R1", "00", "operator_saja", "2026-10", "")),
        ("K12.00:APBN:KL@2026-10", ("K12", "00", "APBN:KL", "2026-10", "")),
    ],
)
def test_ids_are_taken_apart(text: str, parts: tuple[str, ...]) -> None:
    assert (
        tuple(figures.parse(text)[n] for n in ("indicator", "place", "breakdown", "period", "version"))
        == parts
    )


@pytest.mark.parametrize(
    "text", ["K2", "K2.00", "javascript:alert(1)", "K2.00@2026-10/v1; drop table x", "", "K2.0@2026-10"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PantauError, match="no figure id"):
        figures.parse(text)


@pytest.mark.parametrize(
    ("place", "breakdown", "grains", "where"),
    [
        ("00", "", ["", "tiga_t"], []),
        ("93", "3T", ["", "tiga_t"], [("provinsi_kode", "93"), ("tiga_t", "3T")]),
        ("93.01", "", ["", "tiga_t"], [("kabupaten_kode", "93.01")]),
        (
            "00", "APBN:KL", ["versi_anggaran", "versi_anggaran:kelompok_belanja"],
            [("versi_anggaran", "APBN"), ("kelompok_belanja", "KL")],
        ),
    ],
)  # fmt: skip
def test_a_place_and_a_breakdown_are_conditions(
    place: str, breakdown: str, grains: list[str], where: list[tuple[str, str]]
) -> None:
    assert figures.conditions(grains, place, breakdown) == where


def test_a_breakdown_that_the_register_does_not_have_is_refused() -> None:
    with pytest.raises(PantauError, match="no such breakdown"):
        figures.conditions(["", "tiga_t"], "00", "APBN:KL")


def test_the_sql_rolls_one_component_up_and_keeps_values_as_values() -> None:
    text = figures.sql_of("select 1", K12, "2026-10", [("operator", "o'x")])
    assert "round(100 * sum(numerator) / nullif(sum(denominator), 0), 1) as value" in text
    assert text.endswith("period = '2026-10'\n    and operator = 'o''x'")
