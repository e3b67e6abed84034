"""A row without a code: its names lead to exactly one region, or it is refused; never a guess."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import REGISTER, Known

RESOLVER = Known()
COLUMNS = ["provinsi", "kabupaten", "kecamatan", "desa"]


def resolve(*paths: tuple[str | None, ...]) -> list[dict[str, str | None]]:
    """What becomes of each path of names."""
    rows = pl.DataFrame(paths, schema=dict.fromkeys(COLUMNS, pl.String), orient="row").with_row_index(
        "source_row", 1
    )
    found = RESOLVER.by_names(rows.with_columns(pl.col("source_row").cast(pl.Int64))).sort("source_row")
    assert found["source_row"].to_list() == list(range(1, len(paths) + 1))
    return found.to_dicts()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (("PAPUA SELATAN", "KAB. MERAUKE", "Merauke", "Kuper"), "93.01.01.2001"),
        (("Papua  Selatan", "Kabupaten Merauke", "MERAUKE", "semangga-jaya"), "93.01.01.2002"),
        (("Papua Selatan", "Kab.Merauke", "Muting", "Kuper"), "93.01.02.2001"),
        (("Papua Selatan", "Merauke", "Kec. Muting", "PA NADO"), "93.01.02.2002"),
        (("PROV. PAPUA SELATAN", "Merauke", "Jauh", "Sota"), "93.01.03.2001"),
        (("Jawa Barat", "Kota Bandung", "Cibiru", "Palasari"), "32.73.08.1001"),
        (("Jawa Barat", "KAB BANDUNG", "Cileunyi", "Cibiru Hilir"), "32.04.05.2001"),
        (("DKI JAKARTA", "KOTA ADM. JAKARTA PUSAT", "GAMBIR", "GAMBIR"), "31.71.01.1001"),
        (("D.K.I. Jakarta", "Kota Jakarta Pusat", "Gambir", "Gambir"), "31.71.01.1001"),
        (("Kalimantan Selatan", "Kotabaru", "Pulau Sembilan", "Tengah"), "63.02.01.2001"),
        (("Kalimantan Selatan", "Kab. Kota Baru", "Pulau Sembilan", "Tengah"), "63.02.01.2001"),
    ],
)
def test_names_that_mean_one_region_lead_to_it(path: tuple[str, ...], code: str) -> None:
    assert resolve(path)[0]["resolved"] == code


MANDALA = "93.01.01.1003 Mandala; 93.01.01.2009 Mandala"


@pytest.mark.parametrize(
    ("path", "column", "rule", "suggestion"),
    [
        (("Papua Selatan", "Merauke", "Merauke", "Kupar"), "desa", "region_unknown", "93.01.01.2001 Kuper"),
        (("Papua Selatan", "Merauke", "Merauke", "Qxz"), "desa", "region_unknown", None),
        (("Papua Selatan", "Merauke", "Merauke", "Mandala"), "desa", "region_ambiguous", MANDALA),
        (("Papua Selatan", "Merauke", "Mutting", "Kuper"), "kecamatan", "region_unknown", "93.01.02 Muting"),
        (("Papua", "KAB. MERAUKE", "Merauke", "Kuper"), "provinsi", "region_unknown", None),
        (("Papua Selaton", "Merauke", "Merauke", "Kuper"), "provinsi", "region_unknown", "93 Papua Selatan"),
        (("Papua Selatan", "Kota Merauke", "Merauke", "Kuper"), "kabupaten", "region_unknown",
         "93.01 Kabupaten Merauke"),
        (("Jawa Barat", "Kota Bandung", "Cileunyi", "Cibiru Hilir"), "kecamatan", "region_unknown", None),
        (("Jawa Barat", "Bandung", "Cibiru", "Palasari"), "kabupaten", "region_ambiguous",
         "32.04 Kabupaten Bandung; 32.73 Kota Bandung"),
        (("Kalimantan Selatan", "Kota Baru", "Pulau Sembilan", "Tengah"), "kabupaten", "region_unknown", None),
        (("Papua Selatan", None, "Merauke", "Kuper"), "kabupaten", "required", None),
        ((None, None, None, None), "provinsi", "required", None),
        (("Papua Selatan", "Merauke", "-", "Kuper"), "kecamatan", "region_unknown", None),
    ],
)  # fmt: skip
def test_all_else_is_refused_where_the_way_ends(
    path: tuple[str | None, ...], column: str, rule: str, suggestion: str | None
) -> None:
    got = resolve(path)[0]
    assert (got["resolved"], got["column"], got["rule"], got["suggestion"]) == (
        None,
        column,
        rule,
        suggestion,
    )
    assert got["shown"] == path[COLUMNS.index(column)]
    assert got["message"]


def test_a_message_names_the_parent_that_did_match() -> None:
    got = resolve(("Papua Selatan", "Merauke", "Muting", "Semangga Jaya"))[0]
    assert got["message"] == "is no desa or kelurahan of Muting in the register in force"


villages = [code for code in REGISTER if code.count(".") == 3]
written = st.sampled_from(
    [str.upper, str.lower, str.title, lambda n: f" {n} ", lambda n: n.replace(" ", "  ")]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(villages), written, st.booleans()), max_size=12))
def test_a_village_is_never_taken_for_another(asked: list[tuple[str, object, bool]]) -> None:
    """However its names are written, and among whatever other rows: itself, or refused."""
    paths = []
    for code, write, short in asked:
        names = [REGISTER[code[:n]] for n in (2, 5, 8, 13)]
        if short:
            names[1] = names[1].replace("Kabupaten", "Kab.")
        paths.append(tuple(map(write, names)))
    twins = {"93.01.01.1003", "93.01.01.2009"}
    for (code, _, _), got in zip(asked, resolve(*paths) if paths else [], strict=True):
        assert got["resolved"] == (None if code in twins else code)
        assert (got["rule"] == "region_ambiguous") == (code in twins)
