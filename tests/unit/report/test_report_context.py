"""The sentences of page one are true of the numbers, in every state that an indicator can be in."""

import copy
import json
from typing import Any

import pytest
import yaml

from pantau.report import context, pictures
from pantau.report.source import Source, figure_parts, share
from pantau.report.wording import Words
from pantau.settings import settings

FOLDER = settings.templates / "nasional"
SAMPLE = json.loads((FOLDER / "sample_context.json").read_text(encoding="utf-8"))
LAYOUT = yaml.safe_load((FOLDER / "provinces.yml").read_text(encoding="utf-8"))


def source(language: str = "id", **left: Any) -> Source:
    """The sample with other values for K2; `target__value="5"` reaches into its target."""
    sample = copy.deepcopy(SAMPLE)
    k2 = next(i for i in sample["indicators"] if i["id"] == "K2")
    for key, value in left.items():
        place, _, inner = key.partition("__")
        if inner:
            k2[place][inner] = value
        else:
            k2[place] = value
    return Source(sample, Words(FOLDER / "texts.yml", language), LAYOUT)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({}, "10.973 desa belum terjangkau 4G, 9.924 lebih banyak daripada rencana Oktober 2026."),
        (
            {"value": "900", "target__on_track": True},
            "Sisa desa tanpa 4G tinggal 900, sesuai rencana menuju 0 pada Desember 2026.",
        ),
        ({"value": "0"}, "Tidak ada lagi desa tanpa 4G pada Oktober 2026: semua 83.762 desa terjangkau."),
        ({"target": None}, "Sisa desa tanpa 4G turun 412 menjadi 10.973 pada Oktober 2026."),
        (
            {"target": None, "change": {"value": "7", "from": "K2.00@2026-09/v1"}},
            "Sisa desa tanpa 4G naik 7 menjadi 10.973 pada Oktober 2026.",
        ),
        ({"target": None, "change": None}, "10.973 desa belum terjangkau 4G pada Oktober 2026."),
        ({"target__expected": None, "change": None}, "10.973 desa belum terjangkau 4G pada Oktober 2026."),
        (
            {"value": None, "missing": ["komdigi__desa_4g", "komdigi__desa_3t"]},
            "Cakupan 4G Oktober 2026 belum dapat dihitung: "
            "kiriman Layanan 4G per desa dan Daftar desa 3T belum diterima.",
        ),
        ({"value": None, "missing": []}, "Cakupan 4G Oktober 2026 belum dapat dihitung."),
    ],
)
def test_headline(left, says):
    assert context.headline(source(**left)) == says


def test_headline_without_the_indicator():
    there = source()
    there.context["indicators"][:] = [i for i in there.context["indicators"] if i["id"] != "K2"]
    assert context.headline(there) == "Cakupan 4G Oktober 2026 belum dapat dihitung."


@pytest.mark.parametrize(
    ("deadline", "needed"),
    [
        ("2026-12-31", (5487, 2)),  # 10.973 ÷ 2, rounded up: less would not reach it
        ("2026-12-15", (10973, 1)),  # the end of December is too late
        ("2026-10-31", None),
        ("2026-11-15", None),
        ("2025-12-31", None),
    ],
)
def test_required_pace(deadline, needed):
    there = source(target__deadline=deadline)
    assert there.pace(there.indicator("K2")) == needed


def test_no_pace_where_the_target_is_reached_or_absent():
    for left in ({"value": "0"}, {"target": None}, {"value": None}):
        there = source(**left)
        assert there.pace(there.indicator("K2")) is None


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({}, "Untuk mencapai 0 pada 31 Desember 2026 perlu turun <strong>5.487</strong> per bulan"),
        ({"target__deadline": "2026-10-31"}, "Tenggat 31 Oktober 2026 sudah lewat"),
        ({"target__value": "11000"}, "Target 11.000 untuk 31 Desember 2026 sudah tercapai."),
        (
            {"change": {"value": "0", "from": "K2.00@2026-09/v1"}},
            "Sisa desa tidak berubah sejak September 2026.",
        ),
    ],
)
def test_lede(left, says):
    assert says in " ".join(context.lede(source(**left)))


@pytest.mark.parametrize(
    ("left", "kind", "shape"),
    [
        ({}, "off_track", "■"),
        ({"target__on_track": True}, "on_track", "●"),
        ({"target": None}, "no_target", "○"),
        ({"target__on_track": None}, "no_target", "○"),
        ({"value": None}, "missing", "○"),
    ],
)
def test_status_has_word_and_shape(left, kind, shape):
    there = source(**left)
    status = context.status(there, there.indicator("K2"))
    assert (status["kind"], status["shape"]) == (kind, shape)
    assert status["word"]


def test_tile_of_a_missing_indicator_shows_no_number():
    there = source(value=None, missing=["komdigi__desa_4g"], target=None)
    tile = context.tile(there, there.indicator("K2"))
    assert tile["missing"] == "Belum tersedia: kiriman Layanan 4G per desa belum diterima."
    assert "value" not in tile


def test_concentration_counts_the_fewest_provinces_with_half():
    assert pictures.province_map(source())["title"] == "8 provinsi menyimpan 53% sisa desa"


def test_list_and_rest_add_up_to_the_nation():
    listed = pictures.backlog(source())
    amounts = [row["value"] for row in listed["provinces"]] + [listed["rest"]["value"]]
    assert sum(int(a.replace(".", "")) for a in amounts) == 10973


def test_trend_without_history_or_value():
    assert pictures.trend(source(history=[]))["chart"] is None
    assert pictures.trend(source(value=None, missing=[]))["chart"] is None
    assert pictures.trend(source(target=None, change=None))["chart"] is not None


def test_figure_parts():
    assert figure_parts("K12.00:APBN:KL@2026-10/v2") == ("K12", "00", "APBN:KL", "2026-10/v2")
    assert figure_parts("K1.11.01:3T@2026-10") == ("K1", "11.01", "3T", "2026-10")


def test_share_of_nothing_is_nothing():
    from decimal import Decimal

    assert share(Decimal(5), Decimal(0)) == 0
    assert share(Decimal(1), Decimal(8)) == Decimal("12.5")
