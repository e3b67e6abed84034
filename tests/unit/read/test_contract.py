"""The contract on whole columns: every row ends in exactly one place, and values survive to the last digit."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pantau import catalogue
from pantau.errors import PantauError
from pantau.read import contract, files, months, text

BUDGET = catalogue.feed("kemenkeu__anggaran_tik")
HEADER = [c.header for c in BUDGET.columns]
WHERE = {"feed": BUDGET.name, "period": "2026-08", "delivery": 7}


def read(tmp_path: Path, rows: list[list[str]], header: list[str] = HEADER) -> contract.Result:
    """Write the rows as the ministry does, and apply the contract."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([header, *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(text.getvalue().encode("cp1252"))
    return contract.apply(BUDGET, files.read(BUDGET, [("a.csv", path)], WHERE), None)


def row(**cells: str) -> list[str]:
    """A good row, with some cells changed."""
    good = {
        "kelompok_belanja": "K/L", "kode_akun": "521111", "uraian": "Belanja – barang", "versi_anggaran": "APBN",
        "pagu_idr": "1.234.567,00", "realisasi_kumulatif_idr": "1.000,50", "alasan_koreksi": "-",
    }  # fmt: skip
    return list({**good, **cells}.values())


def refused(result: contract.Result) -> dict[int, set[tuple[str, str]]]:
    """source_row → the columns and rules for which it was refused."""
    out: dict[int, set[tuple[str, str]]] = {}
    for r in result.refusals.iter_rows(named=True):
        out.setdefault(r["source_row"], set()).add((r["column"], r["rule"]))
    return out


def test_a_good_row_is_typed(tmp_path: Path) -> None:
    result = read(tmp_path, [row()])
    assert result.accepted.row(0, named=True) == {
        "source_row": 1, "kelompok_belanja": "KL", "kode_akun": "521111", "uraian": "Belanja – barang",
        "versi_anggaran": "APBN", "pagu_idr": Decimal("1234567.00"), "realisasi_kumulatif_idr": Decimal("1000.50"),
        "alasan_koreksi": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"realisasi_kumulatif_idr": "-5,00"}, "realisasi_kumulatif_idr", "minimum"),
        ({"pagu_idr": "1.23.456,00"}, "pagu_idr", "type"),
        ({"pagu_idr": "12,345"}, "pagu_idr", "type"),
        ({"pagu_idr": "1,234.00"}, "pagu_idr", "type"),
        ({"pagu_idr": ""}, "pagu_idr", "required"),
        ({"realisasi_kumulatif_idr": "9.999.999,00"}, "realisasi_kumulatif_idr", "at_most"),
        ({"kode_akun": "52111"}, "kode_akun", "pattern"),
        ({"kode_akun": "5211110"}, "kode_akun", "pattern"),
        ({"versi_anggaran": "=cmd|' /C calc'!A0"}, "versi_anggaran", "allowed"),
        ({"kelompok_belanja": "<script>alert(1)</script>"}, "kelompok_belanja", "allowed"),
    ],
)
def test_a_bad_cell_refuses_its_row_and_no_other(
    tmp_path: Path, cells: dict[str, str], column: str, rule: str
) -> None:
    result = read(tmp_path, [row(kode_akun="111111"), row(**cells), row(kode_akun="222222")])
    assert refused(result) == {2: {(column, rule)}}
    assert result.accepted["source_row"].to_list() == [1, 3]
    assert result.refusals["raw"][0].count(";") == 6


def test_a_key_stands_once(tmp_path: Path) -> None:
    rows = [
        row(),
        row(),
        row(kode_akun="222222"),
        row(kode_akun="222222", uraian="other"),
        row(kode_akun="333333"),
    ]
    key = "kode_akun, versi_anggaran"
    assert refused(read(tmp_path, rows)) == {
        2: {(key, "key_repeated")}, 3: {(key, "key_contradicted")}, 4: {(key, "key_contradicted")},
    }  # fmt: skip


def cells(result: contract.Result) -> dict[int, dict[str, str] | None]:
    """Of each refused row what is kept of its cells."""
    kept = result.refusals.select("source_row", "cells").rows()
    return {n: json.loads(written) if written else None for n, written in kept}


def test_a_refused_row_keeps_its_cells_where_its_key_can_be_read(tmp_path: Path) -> None:
    rows = [
        row(uraian=" a\0b ", alasan_koreksi="-"),
        row(kode_akun="52111"),
        row(versi_anggaran="apbn"),
        row(kode_akun="222222"),
        row(kode_akun="222222"),
    ]
    found = cells(read(tmp_path, rows))
    assert found.keys() == {1, 2, 3, 5}
    assert found[1] is not None
    assert found[1]["uraian"] == "a␀b"
    assert found[1]["kelompok_belanja"] == "KL"  # as the column would hold it
    assert "alasan_koreksi" not in found[1]
    assert found[2] is found[3] is None
    assert found[5] is not None
    assert found[5]["kode_akun"] == "222222"


def test_totals_are_set_aside_and_used_as_controls(tmp_path: Path) -> None:
    total = row(kelompok_belanja="JUMLAH", kode_akun="", uraian="", pagu_idr="2.469.134,00")
    result = read(
        tmp_path, [row(), row(kode_akun="222222"), row(kode_akun="3", versi_anggaran="RAPBN"), total]
    )
    assert result.set_aside["source_row"].to_list() == [4]
    controls = {c["name"]: (c["delivered"], c["computed"]) for c in result.controls.iter_rows(named=True)}
    assert controls == {
        "pagu_idr, APBN": (Decimal("2469134.00"), Decimal("2469134.00")),
        "realisasi_kumulatif_idr, APBN": (Decimal("1000.50"), Decimal("2001.00")),
    }


def test_ragged_rows_are_refused_with_their_text(tmp_path: Path) -> None:
    result = read(tmp_path, [row(), ["K/L", "1"], row(kode_akun="222222")])
    assert refused(result) == {2: {("", "cell_count")}}
    assert result.refusals["raw"][0] == "K/L;1"


@pytest.mark.parametrize("header", [HEADER[:-1], [*HEADER, "Baru"], ["Kelompok", *HEADER[:-1]]])
def test_another_header_refuses_the_file_and_says_what_to_do(tmp_path: Path, header: list[str]) -> None:
    with pytest.raises(PantauError, match="header is not the one agreed") as caught:
        read(tmp_path, [], header)
    for word in ("kemenkeu__anggaran_tik", "delivery 7", "file a.csv", "row 1", "pantau delivery reject 7"):
        assert word in str(caught.value)


def test_columns_may_come_in_another_order(tmp_path: Path) -> None:
    result = read(tmp_path, [row()[::-1]], HEADER[::-1])
    assert result.accepted.height == 1


def test_wrong_encoding_names_the_row(tmp_path: Path) -> None:
    feed = catalogue.feed("komdigi__desa_4g")
    path = tmp_path / "a.csv"
    path.write_bytes("kode_desa,nama_desa,status_4g,tanggal_on_air\n1,Ngg\u00e9,Ya,-\n".encode("cp1252"))
    with pytest.raises(PantauError, match="byte 0xE9") as caught:
        files.read(feed, [("a.csv", path)], WHERE)
    assert "row 2" in str(caught.value)


def money(value: Decimal) -> str:
    """An amount as the ministry writes it."""
    whole, _, cents = f"{value:,.2f}".partition(".")
    return whole.replace(",", ".") + "," + cents


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.decimals(0, 10**15, places=2), min_size=1, max_size=40))
def test_money_survives_to_the_last_digit(tmp_path: Path, amounts: list[Decimal]) -> None:
    rows = [
        row(kode_akun=f"{i:06d}", pagu_idr=money(a), realisasi_kumulatif_idr="0,00")
        for i, a in enumerate(amounts)
    ]
    assert read(tmp_path, rows).accepted["pagu_idr"].to_list() == amounts


cell = st.sampled_from(
    [
        "K/L",
        "TKDD",
        "JUMLAH",
        "",
        "-",
        "521111",
        "x;y",
        'a"b',
        "APBN",
        "1.000,00",
        "-1,0",
        "1e5",
        "\u2013",
        "=1+1",
    ]
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(cell, min_size=1, max_size=9), max_size=30))
def test_every_row_ends_in_exactly_one_place(tmp_path: Path, rows: list[list[str]]) -> None:
    rows = [r for r in rows if any(r)]  # a blank line is no row
    result = read(tmp_path, rows)
    places = [
        set(result.accepted["source_row"]), set(result.refusals["source_row"]), set(result.set_aside["source_row"]),
    ]  # fmt: skip
    assert sum(map(len, places)) == len(rows)
    assert set().union(*places) == set(range(1, len(rows) + 1))


def test_number_refuses_more_decimals_than_it_keeps() -> None:
    frame = pl.DataFrame({"x": ["1,5", "1,50", "1,505", "1.000", "10.00", "1", None]})
    got = frame.select(contract.number(pl.col("x"), BUDGET.format, 2))["x"].to_list()
    assert got == [Decimal("1.5"), Decimal("1.5"), None, Decimal(1000), None, Decimal(1), None]


def test_a_blank_line_is_no_row_and_counts_as_a_place(tmp_path: Path) -> None:
    """So that a row's number in the file is the one that a spreadsheet shows."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";").writerows([HEADER, row(), [], row(kode_akun="x"), [], []])
    paths = []
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(text.getvalue().encode("cp1252"))
        paths.append((name, tmp_path / name))
    table = files.read(BUDGET, paths, WHERE)
    assert table.rows["source_row"].to_list() == [1, 3, 4, 6]
    assert [(r.first, r.last, r.first_file_row) for r in table.ranges] == [(1, 3, 2), (4, 6, 2)]
    assert [table.raw[n].split(";")[1] for n in (1, 3, 4, 6)] == ["521111", "x", "521111", "x"]


_CELL = st.text(st.sampled_from('ab 1,;"\n\u2028\x0b\x85\0Ä'), max_size=4)


@given(
    st.lists(st.lists(_CELL, max_size=len(HEADER) + 1) | st.lists(_CELL, min_size=7, max_size=7), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_a_file_means_the_same_by_line_and_by_record(rows: list[list[str]], newline: str, ends: bool) -> None:
    """What cuts a whole file at once and what takes it apart record by record tell what was written."""
    feed = BUDGET.model_copy(update={"format": BUDGET.format.model_copy(update={"encoding": "utf-8"})})
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=";", lineterminator=newline).writerows([HEADER, *rows])
    by_line = written.getvalue() if ends else written.getvalue().removesuffix(newline)
    by_record = by_line.replace(HEADER[0], f'"{HEADER[0]}\n"', 1)  # a record of two lines
    one, other = (text.read(feed, content.encode(), WHERE) for content in (by_line, by_record))
    assert one.cells.equals(other.cells, null_equal=True)
    assert (list(one.places), one.begins, one.broken) == (list(other.places), other.begins, other.broken)
    numbers = range(len(one.places))
    assert [one.text_of(n) for n in numbers] == [other.text_of(n) for n in numbers]
    told = [(place, cells) for place, cells in enumerate(rows, 2) if cells not in ([], [""])]
    assert list(one.places) == [place for place, _ in told]
    assert one.cells.rows() == [
        tuple(cells) if len(cells) == len(HEADER) else (None,) * len(HEADER) for _, cells in told
    ]


def test_a_text_that_the_database_cannot_hold_is_refused_and_shown(tmp_path: Path) -> None:
    result = read(tmp_path, [row(uraian="Belanja\0barang")])
    assert refused(result) == {1: {("uraian", "type")}}
    assert result.refusals["value"][0] == "Belanja␀barang"
    assert "\0" not in result.refusals["raw"][0]


@pytest.mark.parametrize(
    ("text", "date_format", "day"),
    [
        ("5 Agustus 2026", "%d %B %Y", date(2026, 8, 5)),
        ("05 AGUSTUS 2026", "%d %B %Y", date(2026, 8, 5)),
        ("5 Agt. 2026", "%d %B %Y", date(2026, 8, 5)),
        ("1 Mei 2026", "%d %B %Y", date(2026, 5, 1)),
        ("31 Des 2025", "%d %B %Y", date(2025, 12, 31)),
        ("2 Nopember 2025", "%d %B %Y", date(2025, 11, 2)),
        ("Maret 3, 2026", "%B %d, %Y", date(2026, 3, 3)),
        ("5 August 2026", "%d %B %Y", None),
        ("5 08 2026", "%d %B %Y", None),
        ("30 Februari 2026", "%d %B %Y", None),
        ("5 Agustus 26", "%d %B %Y", None),
        ("5 Agustus 2026 pagi", "%d %B %Y", None),
        ("05/08/2026", "%d/%m/%Y", date(2026, 8, 5)),
        ("05/08/26", "%d/%m/%Y", None),  # the year 26 is none that was meant
        (None, "%d %B %Y", None),
    ],
)
def test_dates_are_indonesian(text: str | None, date_format: str, day: date | None) -> None:
    cell = pl.DataFrame({"cell": [text]}, schema={"cell": pl.String})
    assert cell.select(months.to_date(pl.col("cell"), date_format)).item() == day
    if day:
        again = pl.DataFrame({"cell": [months.written(day, date_format)]})
        assert again.select(months.to_date(pl.col("cell"), date_format)).item() == day
