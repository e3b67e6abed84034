"""A spreadsheet: merged headers, units, totals and footers, numbers for codes, dates of every kind; and bombs."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known import REGISTER, Known

from pantau import catalogue
from pantau.errors import PantauError
from pantau.read import contract, files, sheet
from pantau.read.table import Table

FEED = catalogue.feed("bakti__bts")
HERE = {"feed": FEED.name, "part": "", "period": "2026-08", "delivery": 7}
HEADER = [
    ["No", "ID site", "Lokasi", "", "", "", "Koordinat", "", "Teknologi", "Status", "Tanggal", "", "", "Nomor BAST",
     "Paket"],
    ["", "", "Provinsi", "Kabupaten", "Kode desa", "Desa", "Lintang", "Bujur", "", "", "Rencana", "On air", "BAST",
     "", ""],
    ["", "", "", "", "", "", "derajat", "derajat", "", "", "", "", "", "", ""],
]  # fmt: skip
MERGED = [(3, 0, 5, 0), (3, 1, 5, 1), (3, 2, 3, 5), (3, 6, 3, 7), (3, 8, 5, 8), (3, 10, 3, 12)]
GOOD: list[Any] = [
    1, "BTS-001", "Papua Selatan", "Kabupaten Merauke", 9301012001.0, "Kuper", "-8,123456", 140.4, "4G", "On Air",
    "5 Agustus 2025", datetime(2026, 3, 1), "-", "-", "P1",
]  # fmt: skip


def row(**cells: Any) -> list[Any]:
    """A good row with some cells changed, by the names of the columns."""
    names = [column.name for column in FEED.columns if column.header]
    return [cells.get(name, good) for name, good in zip(names, GOOD, strict=True)]


def total(word: str, count: object, province: str = "") -> list[Any]:
    return [word, count, province]


def workbook(
    rows: dict[int, list[Any]], *, name: str = "BTS", header: list[list[str]] = HEADER, others: int = 0
) -> bytes:
    """A spreadsheet with these rows, by the number that they have in it."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet(name)
        for other in range(others):
            book.add_worksheet(f"Lain {other}")
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        page.write(0, 0, "Laporan BTS BAKTI")
        page.write(1, 0, "Keadaan 31 Agustus 2026")
        for r, level in enumerate(header, 3):
            for c, cell in enumerate(level):
                page.write(r, c, cell)
        for place in MERGED:
            page.merge_range(*place, header[place[0] - 3][place[1]])
        page.merge_range(3, 30, 3, 32, "")  # beside all cells; people leave such things
        for number, cells in rows.items():
            for c, cell in enumerate(cells):
                if isinstance(cell, date):
                    page.write_datetime(number - 1, c, cell, day)
                elif isinstance(cell, str) and cell.startswith("#"):
                    page.write_formula(number - 1, c, "=1/0", value=cell)
                elif cell is not None:
                    page.write(number - 1, c, cell)
    return out.getvalue()


def read(folder: Path, content: bytes) -> Table:
    path = folder / "bts.xlsx"
    path.write_bytes(content)
    return files.read(FEED, [("bts_2026-08.xlsx", path)], HERE)


def apply(table: Table) -> contract.Result:
    return contract.apply(FEED, table, Known())


def test_a_sheet_as_people_make_it(tmp_path: Path) -> None:
    papua, jawa = "Papua Selatan", "Jawa Barat"
    table = read(
        tmp_path,
        workbook(
            {
                7: row(),
                8: row(site_id="BTS-002", status="Rusak"),
                10: total("Subtotal", 2, papua),
                11: row(
                    site_id="BTS-003", nama_provinsi=jawa, kode_desa="32.73.08.1001", nama_desa="PALASARI"
                ),
                12: total("Subtotal", 2, jawa),
                13: total("JUMLAH", "3"),
                15: ["Catatan: angka sementara"],
                16: ["Sumber: BAKTI"],
            },
            others=1,
        ),
    )
    result = apply(table)
    assert result.accepted.row(0, named=True) == {
        "source_row": 1, "nomor": 1, "site_id": "BTS-001", "nama_provinsi": "Papua Selatan",
        "nama_kabupaten": "Kabupaten Merauke", "kode_desa": "9301012001", "nama_desa": "Kuper",
        "wilayah_kode": "93.01.01.2001", "lintang_deg": Decimal("-8.123456"), "bujur_deg": Decimal("140.4"),
        "teknologi": "4G", "status": "on_air", "planned_on": date(2025, 8, 5), "on_air_on": date(2026, 3, 1),
        "bast_on": None, "bast_nomor": None, "paket": "P1",
    }  # fmt: skip
    assert [(r.sheet, r.first, r.last, r.first_file_row) for r in table.ranges] == [("BTS", 1, 10, 7)]
    assert table.rows["source_row"].to_list() == [1, 2, 4, 5, 6, 7, 9, 10]  # blank rows keep their numbers
    assert result.refusals.select("source_row", "column", "rule").rows() == [(2, "status", "allowed")]
    assert result.refusals["raw"][0].startswith(
        "1 | BTS-002 | Papua Selatan | Kabupaten Merauke | 9301012001 |"
    )
    assert result.set_aside.select("source_row", "name").rows() == [
        (4, "subtotal"), (6, "subtotal"), (7, "jumlah"), (9, "catatan"), (10, "catatan"),
    ]  # fmt: skip
    assert result.controls.rows() == [
        (4, "rows, Papua Selatan", Decimal(2), Decimal(2)),
        (6, "rows, Jawa Barat", Decimal(2), Decimal(1)),  # which a rule finds
        (7, "rows", Decimal(3), Decimal(3)),
    ]


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"bujur_deg": "#N/A"}, "bujur_deg", "type"),
        ({"bast_nomor": "#REF!"}, "bast_nomor", "type"),  # else empty, as if nothing had been said
        ({"on_air_on": 45900}, "on_air_on", "type"),  # a serial number is not known to be a date
        ({"on_air_on": datetime(2026, 3, 1, 12, 30)}, "on_air_on", "type"),
        ({"on_air_on": "31 Februari 2026"}, "on_air_on", "type"),
        ({"kode_desa": 9301012001.5}, "kode_desa", "pattern"),
        ({"lintang_deg": True}, "lintang_deg", "type"),
        ({"bujur_deg": 140.1234567}, "bujur_deg", "type"),
        ({"kode_desa": None}, "kode_desa", "required"),
    ],
)
def test_a_cell_that_is_not_as_agreed_refuses_its_row(
    tmp_path: Path, cells: dict[str, Any], column: str, rule: str
) -> None:
    result = apply(read(tmp_path, workbook({7: row(**cells), 8: row(site_id="BTS-9")})))
    assert result.refusals.select("source_row", "column", "rule").rows() == [(1, column, rule)]
    assert result.accepted["source_row"].to_list() == [2]


def test_a_cell_beside_the_agreed_columns_refuses_its_row_and_no_footer(tmp_path: Path) -> None:
    beside = [*row(site_id="BTS-2"), None, "lihat surat"]
    footer = ["Catatan", *[None] * 20, "halaman 1"]
    result = apply(read(tmp_path, workbook({7: row(), 8: beside, 9: footer})))
    assert result.refusals.select("source_row", "rule", "value").rows() == [(2, "cell_count", "lihat surat")]
    assert "column Q has no header" in result.refusals["message"][0]
    assert result.set_aside["source_row"].to_list() == [3]


def change(level: int, column: int, text: str) -> list[list[str]]:
    """The header with one of its cells changed."""
    return [
        [text if (r, c) == (level, column) else cell for c, cell in enumerate(cells)]
        for r, cells in enumerate(HEADER)
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (change(1, 4, "Kode"), "missing 'Lokasi / Kode desa'; unknown 'Lokasi / Kode'"),
        (
            change(2, 6, "menit"),
            "missing 'Koordinat / Lintang / derajat'; unknown 'Koordinat / Lintang / menit'",
        ),
        (change(0, 2, "Tempat"), "missing 'Lokasi / Provinsi'"),
        (change(0, 14, ""), "missing 'Paket'"),
        ([["Paket", *HEADER[0][1:]], *HEADER[1:]], "missing 'No'"),
    ],
)
def test_another_header_or_unit_refuses_the_file(
    tmp_path: Path, header: list[list[str]], message: str
) -> None:
    with pytest.raises(PantauError, match=re.escape(message)) as error:
        read(tmp_path, workbook({7: row()}, header=header))
    for word in (FEED.name, "delivery 7", "file bts_2026-08.xlsx", "sheet BTS", "row 4", "delivery reject 7"):
        assert word in str(error.value)


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(PantauError, match="has no sheet 'BTS'; it has 'Data', 'Lain 0'"):
        read(tmp_path, workbook({7: row()}, name="Data", others=1))


def test_a_sheet_without_rows_has_none(tmp_path: Path) -> None:
    table = read(tmp_path, workbook({}))
    assert table.rows.height == 0
    assert (table.ranges[0].first, table.ranges[0].last, table.ranges[0].first_file_row) == (1, 0, 7)


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The spreadsheet with its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return out.getvalue()


def in_sheet(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(old, new, 1) if name == "xl/worksheets/sheet1.xml" else content

    return change


def bomb(content: bytes) -> bytes:
    """One part that is nothing but spaces, 20 MB in 20 kB."""
    return repacked(content, in_sheet(b"<sheetData>", b" " * 20_000_000 + b"<sheetData>"))


def lying(content: bytes) -> bytes:
    """A bomb whose directory states that its parts are short."""
    packed = bytearray(bomb(content))
    for signature, field in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        at = packed.find(signature)
        while at >= 0:
            packed[at + field : at + field + 4] = (10).to_bytes(4, "little")
            at = packed.find(signature, at + 4)
    return bytes(packed)


ENTITY = b'<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet'


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[: len(content) // 2], "not a zip file"),
        (lambda content: content[: len(content) - 10], "not a zip file"),
        (lambda content: content[:200] + b"\0" * 300 + content[500:], "it is damaged"),
        (lambda _: b"", "not a zip file"),
        (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "without a password"),
        (lambda content: repacked(content, in_sheet(b"<worksheet", ENTITY)), "has a document type"),
        (
            lambda content: repacked(content, in_sheet(b"</sheetData>", b"")),
            "it is damaged",
        ),
        (bomb, "unpacks from"),
        (lying, "Bad CRC-32"),
        (lambda content: repacked(content, in_sheet(b'r="A7"', b'r="XFD1048576"')), "spans more than"),
        (
            lambda content: repacked(
                content, lambda name, text: b"" if name.endswith("sheet1.xml") else text
            ),
            "no ",
        ),
    ],
)
def test_a_file_that_is_no_whole_spreadsheet_is_told(
    tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(PantauError, match=message) as error:
        read(tmp_path, spoil(workbook({7: row()})))
    for word in ("file bts_2026-08.xlsx", "sheet BTS", "next:"):
        assert word in str(error.value)


def test_a_zip_of_very_many_parts_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as many:
        for n in range(1_001):
            many.writestr(f"{n}.xml", "")
    with pytest.raises(PantauError, match="it has 1,001 parts"):
        read(tmp_path, out.getvalue())


def test_another_sheet_may_be_as_large_as_it_likes(tmp_path: Path) -> None:
    def stretch(name: str, content: bytes) -> bytes:
        far = b'<sheetData><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
        return content.replace(b"<sheetData/>", far) if name.endswith("sheet2.xml") else content

    assert read(tmp_path, repacked(workbook({7: row()}, others=1), stretch)).rows.height == 1


codes = [code for code in REGISTER if code.count(".") == 3 and REGISTER[code] != "Mandala"]
months = ["Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober",
          "November", "Desember"]  # fmt: skip
sites = st.lists(
    st.tuples(
        st.sampled_from(codes),
        st.booleans(),
        st.decimals(-11, 6, places=6),
        st.dates(date(2000, 1, 1), date(2099, 12, 31)),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=15,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sites)
def test_values_survive_however_a_cell_holds_them(tmp_path: Path, sites: list[tuple[Any, ...]]) -> None:
    """A code as a number or as text, a coordinate as either, a date as either; blank rows between."""
    rows, number = {}, 7
    for no, (code, as_number, degrees, day, as_text, gap) in enumerate(sites):
        number += gap
        rows[number] = row(
            site_id=f"S-{no}",
            kode_desa=float(code.replace(".", "")) if as_number else code,
            nama_desa=REGISTER[code],
            lintang_deg=f"{degrees:f}".replace(".", ",") if as_text else float(degrees),
            planned_on=f"{day.day} {months[day.month - 1]} {day.year}"
            if as_text
            else datetime(*day.timetuple()[:3]),
        )
        number += 1
    table = read(tmp_path, workbook(rows))
    result = apply(table)
    assert result.refusals.rows() == []
    kept = result.accepted.select("wilayah_kode", "lintang_deg", "planned_on").rows()
    assert kept == [(code, degrees, day) for code, _, degrees, day, _, _ in sites]
    place = table.ranges[0]
    assert [n - place.first + place.first_file_row for n in result.accepted["source_row"]] == list(rows)


def test_a_sheet_names_its_columns_as_people_do() -> None:
    assert [sheet._letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert [sheet._number(letters) for letters in (b"A", b"Z", b"AA", b"XFD")] == [1, 26, 27, 16384]
