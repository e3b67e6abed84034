"""The sentences of page one are true of the numbers, in every state that an indicator can be in."""

import copy
import json
from typing import Any

import pytest
import yaml

from pantau.report.national import page_one, page_one_charts
from pantau.report.national.source import Source, figure_parts, share
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
        ({}, "3.851 desa belum terjangkau 4G, 2.802 lebih banyak daripada rencana Oktober 2026."),
        (
            {"value": "900", "target__on_track": True},
            "Sisa desa tanpa 4G tinggal 900, sesuai rencana menuju 0 pada Desember 2026.",
        ),
        ({"value": "0"}, "Tidak ada lagi desa tanpa 4G pada Oktober 2026: semua 83.762 desa terjangkau."),
        ({"target": None}, "Sisa desa tanpa 4G turun 279 menjadi 3.851 pada Oktober 2026."),
        (
            {"target": None, "change": {"value": "7", "from": "K2.00@2026-09/v1"}},
            "Sisa desa tanpa 4G naik 7 menjadi 3.851 pada Oktober 2026.",
        ),
        ({"target": None, "change": None}, "3.851 desa belum terjangkau 4G pada Oktober 2026."),
        ({"target__expected": None, "change": None}, "3.851 desa belum terjangkau 4G pada Oktober 2026."),
        (
            {"value": None, "missing": ["komdigi__desa_4g", "komdigi__desa_3t"]},
            "Cakupan 4G Oktober 2026 belum dapat dihitung: "
            "kiriman Cakupan 4G per desa dan Daftar desa 3T belum diterima.",
        ),
        ({"value": None, "missing": []}, "Cakupan 4G Oktober 2026 belum dapat dihitung."),
    ],
)
def test_headline(left, says):
    assert page_one.headline(source(**left)) == says


def test_headline_without_the_indicator():
    there = source()
    there.context["indicators"][:] = [i for i in there.context["indicators"] if i["id"] != "K2"]
    assert page_one.headline(there) == "Cakupan 4G Oktober 2026 belum dapat dihitung."


@pytest.mark.parametrize(
    ("deadline", "needed"),
    [
        ("2026-12-31", (1926, 2)),  # 3.851 ÷ 2, rounded up: less would not reach it
        ("2026-12-15", (3851, 1)),  # the end of December is too late
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
        (
            {},
            "sisa harus turun <strong>1.926</strong> per bulan, 6,9 kali laju itu.",
        ),
        ({"target__deadline": "2026-10-31"}, "Tenggat 31 Oktober 2026 sudah lewat"),
        ({"target__value": "11000"}, "Target 11.000 untuk 31 Desember 2026 sudah tercapai."),
        (
            {"change": {"value": "0", "from": "K2.00@2026-09/v1"}},
            "Sisa desa tidak berubah sejak September 2026. "
            "Agar menjadi 0 pada 31 Desember 2026, sisa harus turun <strong>1.926</strong> per bulan.",
        ),
        (
            {"change": {"value": "-2000", "from": "K2.00@2026-09/v1"}},
            "<strong>1.926</strong> per bulan. Dari",
        ),
        ({}, "Dari sisa itu, <strong>97,8%</strong> berada di daerah 3T."),
        (
            {},
            "Serapan anggaran TIK <strong>75,7%</strong> (Rp20,4\u00a0triliun dari Rp26,9\u00a0triliun), "
            "<strong>3,4</strong> poin di bawah rencana 79,1%.",
        ),
    ],
)
def test_lede(left, says):
    assert says in " ".join(page_one.lede(source(**left))[0])


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
    status = page_one.status(there, there.indicator("K2"))
    assert (status["kind"], status["shape"]) == (kind, shape)
    assert status["word"]


def test_tile_of_a_missing_indicator_shows_no_number():
    there = source(value=None, missing=["komdigi__desa_4g"], target=None)
    tile = page_one.tile(there, there.indicator("K2"))
    assert tile["figure"] == ""  # nothing to trace
    assert tile["missing"] == "Belum tersedia: kiriman Cakupan 4G per desa belum diterima."
    assert "value" not in tile


def test_concentration_counts_the_fewest_provinces_with_half():
    assert page_one_charts.province_map(source())["title"] == "3 provinsi menyimpan 54% sisa desa"


def test_list_and_rest_add_up_to_the_nation():
    listed = page_one_charts.backlog(source())
    amounts = [row["value"] for row in listed["provinces"]] + [listed["rest"]["value"]]
    assert sum(int(a.replace(".", "")) for a in amounts) == 3851


def test_trend_without_history_or_value():
    assert page_one_charts.trend(source(history=[]))["chart"] is None
    assert page_one_charts.trend(source(value=None, missing=[]))["chart"] is None
    assert page_one_charts.trend(source(target=None, change=None))["chart"] is not None


def test_figure_parts():
    assert figure_parts("K12.00:APBN:KL@2026-10/v2") == ("K12", "00", "APBN:KL", "2026-10/v2")
    assert figure_parts("K1.11.01:3T@2026-10") == ("K1", "11.01", "3T", "2026-10")


def test_share_of_nothing_is_nothing():
    from decimal import Decimal

    assert share(Decimal(5), Decimal(0)) == 0
    assert share(Decimal(1), Decimal(8)) == Decimal("12.5")


@pytest.mark.parametrize(
    ("late_days", "says"),
    [
        ([0, 0], "2 dari 2 kiriman yang jatuh tempo datang tepat waktu."),
        ([3, 0], "1 dari 2 kiriman yang jatuh tempo datang tepat waktu. ▲ Terlambat: A 3 hari."),
        (
            [1, 2, 3],
            "0 dari 3 kiriman yang jatuh tempo datang tepat waktu. ▲ Terlambat: A 1 hari, B 2 hari dan",
        ),
        ([1, 2, 3, 4], "▲ Terlambat: A 1 hari, B 2 hari dan 2 lainnya."),
        ([None, 0], "1 dari 2 kiriman yang jatuh tempo datang tepat waktu. ■ Belum diterima: A."),
        ([], "Tidak ada kiriman yang jatuh tempo bulan ini."),
    ],
)
def test_foot_counts_what_was_due(late_days, says):
    """None: a feed that was due and has not come."""
    there = source()
    feed = next(f for f in there.context["feeds"] if f["feed"] == "komdigi__desa_4g")
    there.context["feeds"][:] = [
        feed
        | {"title": dict.fromkeys(("id", "en"), "ABCD"[i]), "late_days": late}
        | ({"how": "missing", "lateness": "none"} if late is None else {})
        for i, late in enumerate(late_days)
    ]
    assert says in " ".join(page_one.quality(there)["quality"])


def test_foot_names_the_release_itself_before_others():
    there = source()
    older = there.context["restatements"][0]
    there.context["restatements"] = [older, older | {"period": "2026-10"}]
    said = page_one.quality(there)["restated"]
    assert said[0].startswith(
        "Oktober 2026 dinyatakan ulang (v1 → v2): Sisa desa belum terjangkau 4G 4.494 → 4.567"
    )
    assert said[1] == "Juga 1 rilis lain."
