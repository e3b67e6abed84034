"""What a report carries for machines: once each, dated like the report, inert in a spreadsheet, true."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import sha256

import pikepdf
import pytest

from pantau.report import preview
from pantau.report.attachments import COLUMNS, figures_csv
from pantau.report.wording import Words
from pantau.settings import settings
from tests.reports.conftest import HOSTILE, PAGE_HASH, RELEASE_HASH

WORDS = Words(settings.templates / "nasional" / "texts.yml", "id")


@pytest.fixture(scope="module")
def inside(sample_pdf) -> Iterator[Mapping[str, pikepdf.AttachedFileSpec]]:
    with pikepdf.open(io.BytesIO(sample_pdf("id"))) as file:
        assert len(file.Root.AF) == len(file.attachments) == 2
        yield file.attachments


def rows_of(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))


def test_both_files_are_inside_and_dated_like_the_report(inside):
    assert {name: spec.description for name, spec in inside.items()} == {
        "figures.csv": "Semua angka rilis ini",
        "manifest.json": "Kiriman di balik rilis ini, dengan sidiknya",
    }
    for spec in inside.values():
        parameters = spec.obj.EF.F.Params
        assert str(parameters.CreationDate) == str(parameters.ModDate) == "D:20261116020000Z"


def test_the_table_holds_every_figure_as_it_is_frozen(inside):
    table = inside["figures.csv"].get_file().read_bytes()
    assert tuple(table.decode("utf-8").splitlines()[0].split(",")) == COLUMNS
    figures = {row["id"]: row for row in rows_of(table)}
    expected = preview.sample().figures
    assert len(figures) == len(expected)
    for figure in expected:
        place = f"{figure['indicator_id']}.{figure['place']}"
        name = place + (f":{figure['breakdown']}" if figure["breakdown"] else "") + f"@{figure['period']}"
        for key in ("numerator", "denominator", "value"):
            assert Decimal(figures[name][key]) == Decimal(figure[key]), name
    assert figures["K2.00@2026-10"]["unit"] == "desa"
    assert figures["K15.00:telkomsel@2026-10"]["value"] == "96.3"


def test_the_manifest_names_release_deliveries_and_table(inside, sample):
    table = inside["figures.csv"].get_file().read_bytes()
    told = json.loads(inside["manifest.json"].get_file().read_bytes())
    assert (told["release_hash"], told["page_hash"]) == (RELEASE_HASH, PAGE_HASH)
    assert told["figures_csv_sha256"] == sha256(table).hexdigest()
    assert (told["period"], told["version"], told["simulated"]) == ("2026-10", 1, True)
    assert told["code_version"] == sample["code_version"] == "9262491db764"
    assert [(d["feed"], d["part"], d["content_hash"]) for d in told["deliveries"]] == [
        (f["feed"], f["part"], f["content_hash"]) for f in sample["feeds"]
    ]
    assert [d["files"] for d in told["deliveries"]] == [f["files"] for f in sample["feeds"]]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_never_becomes_a_formula(sample, begin):
    hostile = {
        "indicator_id": begin + HOSTILE, "indicator_version": 1, "place": "00", "breakdown": f'{begin}cmd|"x"',
        "period": "2026-10", "numerator": Decimal("-5.50"), "denominator": Decimal("0"), "value": None,
    }  # fmt: skip
    (row,) = rows_of(figures_csv(sample, [hostile], WORDS))
    assert row["breakdown"] == f'\'{begin}cmd|"x"'
    assert row["indicator"].startswith(f"'{begin}")
    assert (row["numerator"], row["denominator"], row["value"]) == ("-5.5", "0", "")
