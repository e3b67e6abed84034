"""The sentences of page one are true of the numbers, in every state that an indicator can be in."""

import copy
import json
from typing import Any

import pytest
import yaml

from pantau.report.national import page_one, page_one_charts, page_three
from pantau.report.national.exceptions import exceptions
from pantau.report.national.source import Source, figure_parts
from pantau.report.wording import Words
from pantau.settings import settings

FOLDER = settings.templates / "nasional"
SAMPLE = json.loads((FOLDER / "sample_context.json").read_text(encoding="utf-8"))
LAYOUT = yaml.safe_load((FOLDER / "provinces.yml").read_text(encoding="utf-8"))


def source(language: str = "id", *, forecast: bool = False, **left: Any) -> Source:
    """The sample with other values for K2; `target__value="5"` reaches into its target."""
    sample = copy.deepcopy(SAMPLE)
    if not forecast:
        sample["forecast"] = []
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
        ({"target": None}, "Sisa desa tanpa 4G turun 308 menjadi 3.851 pada Oktober 2026."),
        (
            {"target": None, "change": {"value": "7", "from": "K2.00@2026-09/v2"}},
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


@pytest.mark.parametrize(
    ("probability", "says"),
    [
        ("0.00", "3.851 desa belum terjangkau 4G; target Desember 2026 diperkirakan tidak tercapai."),
        ("0.49", "3.851 desa belum terjangkau 4G; target Desember 2026 diperkirakan tidak tercapai."),
        ("0.50", "3.851 desa belum terjangkau 4G, 2.802 lebih banyak daripada rencana Oktober 2026."),
    ],
)
def test_headline_with_a_forecast(probability, says):
    there = source(forecast=True)
    there.context["forecast"][1]["probability"] = probability
    assert page_one.headline(there) == says
    there.indicator("K2")["target"]["on_track"] = True
    on_plan = (
        "3.851, sesuai rencana, tetapi target" if probability < "0.50" else "3.851, sesuai rencana menuju 0"
    )
    assert on_plan in page_one.headline(there)


@pytest.mark.parametrize(
    ("probability", "says"),
    [("0.00", "di bawah 1%"), ("0.01", "1%"), ("0.37", "37%"), ("0.99", "99%"), ("1.00", "di atas 99%")],
)
def test_the_chance_is_never_said_to_be_nil_or_certain(probability, says):
    there = source(forecast=True)
    there.context["forecast"][1]["probability"] = probability
    said = " ".join(page_one.lede(there)[0])
    assert f"Peluang mencapainya {says}: diperkirakan tersisa <strong>3.020</strong>" in said


def test_headline_without_the_indicator():
    there = source()
    there.context["indicators"][:] = [i for i in there.context["indicators"] if i["id"] != "K2"]
    assert page_one.headline(there) == "Cakupan 4G Oktober 2026 belum dapat dihitung."


@pytest.mark.parametrize(
    ("deadline", "needed"),
    [
        ("2026-12-31", 1926),  # 3.851 ÷ 2, rounded up: less would not reach it
        ("2026-12-15", 3851),  # the end of December is too late
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
            "sisa harus turun <strong>1.926</strong> per bulan. Dari",  # without a forecast there is no pace
        ),
        ({"target__deadline": "2026-10-31"}, "Tenggat 31 Oktober 2026 sudah lewat"),
        ({"target__value": "11000"}, "Target 11.000 untuk 31 Desember 2026 sudah tercapai."),
        (
            {"change": {"value": "0", "from": "K2.00@2026-09/v2"}},
            "Sisa desa tidak berubah sejak September 2026. "
            "Agar menjadi 0 pada 31 Desember 2026, sisa harus turun <strong>1.926</strong> per bulan.",
        ),
        (
            {"change": {"value": "-2000", "from": "K2.00@2026-09/v2"}},
            "<strong>1.926</strong> per bulan. Dari",
        ),
        ({}, "Dari sisa itu, <strong>97,8%</strong> berada di daerah 3T."),
        ({}, "Sesuai rencana: <strong>1</strong> dari 5 indikator."),
        ({"target__on_track": True}, "Sesuai rencana: <strong>2</strong> dari 5 indikator."),
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
    status = page_one.status_of(there, there.indicator("K2"))
    assert (status["kind"], status["shape"]) == (kind, shape)
    assert status["word"]


def test_tile_of_a_missing_indicator_shows_no_number():
    there = source(value=None, missing=["komdigi__desa_4g"], target=None)
    tile = page_one.tile(there, "K2")
    assert tile["figure"] == ""  # nothing to trace
    assert tile["missing"] == "Belum tersedia: kiriman Cakupan 4G per desa belum diterima."
    assert "value" not in tile


def test_concentration_counts_the_fewest_provinces_with_half():
    assert page_one_charts.province_map(source())["title"] == "3 provinsi menyimpan 54% sisa desa"


def test_tiles_are_five_also_where_a_release_knows_fewer():
    there = source()
    there.context["indicators"][:] = [i for i in there.context["indicators"] if i["id"] != "K3"]
    tiles = page_one.view(there)["tiles"]
    assert [t["name"] for t in tiles][2] == "BTS mengudara"
    assert [t["missing"] for t in tiles] == ["", "", "BTS mengudara belum ada dalam rilis ini.", "", ""]


def test_a_carried_delivery_is_marked_beside_its_number():
    there = source()
    k3 = there.indicator("K3")
    k3["carried"] = [{"feed": "operator__cakupan", "part": "indosat", "from": "2026-09"}]
    tile = page_one.tile(there, "K3")
    assert tile["unit"] == "\u00a0◇"
    assert tile["carried"] == "◇\u00a0memakai data Sep 2026"
    assert there.carried("K3") == [
        "◇\u00a0Klaim cakupan 4G operator (Indosat Ooredoo Hutchison): memakai data Sep 2026"
    ]
    assert page_one.tile(there, "K1")["carried"] == ""


def with_carried_claims() -> Source:
    """The sample in a month for which one operator's claims of the month before stand in."""
    there = source()
    there.indicator("R1")["carried"] = [{"feed": "operator__cakupan", "part": "indosat", "from": "2026-09"}]
    return there


def test_exceptions_have_a_number_an_owner_and_an_id():
    found = exceptions(with_carried_claims())
    assert [(e["lead"], e["figure"]) for e in found] == [
        ("1.318 desa di Papua Pegunungan.", "K2.95"),
        ("195 kewajiban operator belum terbangun.", "K15.00 · K15.00:telkomsel"),
        ("844\u00a0◇ desa diklaim operator saja.", "R1.00:operator_saja · R1.00:komdigi_saja"),
    ]
    assert found[0]["text"] == (
        "34,2% dari seluruh sisa. Bulan ini berkurang 39. Pada rata-rata 12 bulan terakhir (49) tuntas dalam 27 "
        "bulan."
    )
    assert found[1]["owner"] == "Kementerian Komunikasi dan Digital · tenggat 31 Des 2026"
    assert found[1]["text"] == "Dari 3.352 yang jatuh tempo; terbanyak pada Telkomsel, 54."
    assert "Penyelenggara jaringan bergerak seluler" in found[2]["owner"]


@pytest.mark.parametrize(
    ("absent", "leads"),
    [
        ({"K15"}, ["1.318 desa", "844\u00a0◇ desa", "BTS mengudara: 122 lokasi di bawah rencana."]),
        ({"K15", "R1"}, ["1.318 desa", "BTS mengudara: 122", "Serapan anggaran TIK: 3,4 poin"]),
        ({"K15", "R1", "K3", "K12"}, ["1.318 desa", "208 baris tidak memenuhi aturan."]),
    ],
)
def test_exceptions_make_do_with_what_there_is(absent, leads):
    there = with_carried_claims()
    there.context["indicators"][:] = [i for i in there.context["indicators"] if i["id"] not in absent]
    found = exceptions(there)
    assert len(found) == len(leads)
    assert all(e["lead"].startswith(lead) for e, lead in zip(found, leads, strict=True))


@pytest.mark.parametrize(
    ("change", "says"), [("0", "Bulan ini tidak berkurang."), (None, "34,2% dari seluruh sisa.")]
)
@pytest.mark.parametrize("pace", [None, {"per_month": "0", "months": 12}, {"per_month": "2", "months": 12}])
def test_a_province_that_stands_still_is_not_given_a_pace(change, says, pace):
    there = source()
    province = next(p for p in there.context["provinces"] if p["code"] == "95")
    province["K2"] |= {"change": change, "pace": pace}
    assert exceptions(there)[0]["text"].endswith(says)


def test_provinces_that_share_the_largest_backlog_are_named_together():
    there = source()
    first, second, *_ = sorted(there.provinces, key=lambda p: -int(p["K2"]["value"]))
    both = int(first["K2"]["value"]) + int(second["K2"]["value"])
    first["K2"]["value"] = second["K2"]["value"] = str(both // 2)
    found = exceptions(there)[0]
    assert found["lead"] == "Masing-masing 881 desa di Papua Tengah dan Papua Pegunungan."
    assert found["text"] == "Masing-masing 22,9% dari seluruh sisa."
    assert found["figure"] == "K2.94 · K2.95"


def test_a_page_has_one_pace():
    """That of page three: the mean of the months that the forecast looks back on."""
    said = " ".join(page_one.lede(source(forecast=True))[0])
    rates = {row["figure"]: row for row in page_three.rates(source(forecast=True))}
    assert rates["K2.00"]["pace"] == "−415"
    assert "4,6 kali rata-rata 12 bulan terakhir (415)." in said


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (3, "(selang 80%: 2.903–3.138; dari 8 selang terdahulu untuk bulan ini hanya 3 tepat)."),
        (6, "dari 8 selang terdahulu untuk bulan ini hanya 6 tepat"),
        (7, ""),
        (8, ""),
    ],
)
def test_page_one_says_where_fewer_forecasts_held_than_promised(held, says):
    there = source(forecast=True)
    every = [was for made in there.context["forecast"] for was in made["past"]]
    for i, was in enumerate(every):
        was |= {"low80": "0", "high80": "99999" if i < held else "0"}
    said = " ".join(page_one.lede(there)[0])
    assert (says in said) if says else ("selang 80%: 2.903–3.138)." in said)


def test_on_plan_is_not_said_alone_over_a_forecast_that_misses():
    there = source(forecast=True)
    assert page_one.tile(there, "K15")["status"] == {
        "kind": "on_track_missed", "shape": "▲", "word": "Sesuai rencana, diperkirakan meleset",
    }  # fmt: skip
    assert (
        "Sesuai rencana: <strong>1</strong> dari 5 indikator, 1 di antaranya diperkirakan meleset."
    ) in " ".join(page_one.lede(there)[0])
    next(f for f in there.context["forecast"] if f["indicator"] == "K15")["probability"] = "0.50"
    assert page_one.tile(there, "K15")["status"]["word"] == "Sesuai rencana"
    assert "dari 5 indikator." in " ".join(page_one.lede(there)[0])


def test_figure_parts():
    assert figure_parts("K12.00:APBN:KL@2026-10/v2") == ("K12", "00", "APBN:KL", "2026-10/v2")
    assert figure_parts("K1.11.01:3T@2026-10") == ("K1", "11.01", "3T", "2026-10")


@pytest.mark.parametrize(
    ("parts", "shown", "change"),
    [
        ({"value": "100.0", "numerator": "83760"}, ">99,9", ("0.02", "+<0,1")),
        ({"value": "100.0", "numerator": "83762"}, "100,0", ("-0.0", "0,0")),
        ({"value": "0.0", "numerator": "3"}, "<0,1", ("-0.03", "−<0,1")),
    ],
)
def test_a_tile_says_all_nothing_and_unchanged_of_nothing_else(parts, shown, change):
    there = source()
    k1 = there.indicator("K1")
    k1 |= parts | {"change": k1["change"] | {"value": change[0]}}
    tile = page_one.tile(there, "K1")
    assert tile["value"] == shown
    assert tile["change"].startswith(f"{change[1]} poin")
    assert f"Desa terjangkau 4G {shown}%" in tile["bullet"].alt


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
        (
            ["carried", 0],
            "1 dari 2 kiriman yang jatuh tempo datang tepat waktu. ◇ Memakai bulan sebelumnya: A.",
        ),
        ([], "Tidak ada kiriman yang jatuh tempo bulan ini."),
    ],
)
def test_foot_counts_what_was_due(late_days, says):
    """None: a feed that was due and has not come; carried: an earlier month stands in for it."""
    there = source()
    feed = next(f for f in there.context["feeds"] if f["feed"] == "komdigi__desa_4g")
    there.context["feeds"][:] = [
        feed
        | {"feed": f"feed_{i}", "title": dict.fromkeys(("id", "en"), "ABCD"[i]), "late_days": late}
        | ({"how": "missing", "lateness": "none"} if late is None else {})
        | ({"how": "carried", "lateness": "none", "late_days": None} if late == "carried" else {})
        for i, late in enumerate(late_days)
    ]
    assert says in " ".join(page_one.quality(there)).replace("\u00a0", " ")


def test_foot_names_the_release_itself_before_others():
    there = source()
    older = there.context["restatements"][0]
    there.context["restatements"] = [older, older | {"period": "2026-10"}]
    said = page_one.restated(there)
    assert said[0].startswith(
        "Oktober 2026 dinyatakan ulang (v1 → v2): Sisa desa belum terjangkau 4G 4.494 → 4.567"
    )
    assert said[1] == "Juga 1 rilis lain."


@pytest.mark.parametrize(("unread", "said"), [(3, "; 3 tidak terbaca"), (0, "")])
def test_rows_in_neither_part_stand_beside_the_parts_where_they_count_in_neither(unread, said):
    there = source()
    for name in ("K1", "K2", "K3", "K15"):
        plain = page_one.tile(there, name)["parts"]
        there.indicator(name)["unread"] = unread
        expected = said if name in ("K3", "K15") else ""
        assert page_one.tile(there, name)["parts"] == plain.partition("; ")[0] + expected
