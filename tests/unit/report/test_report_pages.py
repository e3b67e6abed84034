"""Pages two to six say what is true of the numbers, and refuse to contradict themselves."""

import copy
import json
from typing import Any

import pytest
import yaml

from pantau.errors import PantauError
from pantau.report.national import page_five, page_four, page_one, page_six, page_three, page_two
from pantau.report.national.exceptions import exceptions
from pantau.report.national.source import Source
from pantau.report.wording import Words
from pantau.settings import settings

FOLDER = settings.templates / "nasional"
SAMPLE = json.loads((FOLDER / "sample_context.json").read_text(encoding="utf-8"))
LAYOUT = yaml.safe_load((FOLDER / "provinces.yml").read_text(encoding="utf-8"))


def source(**pieces: Any) -> Source:
    """The sample with other pieces."""
    return Source(copy.deepcopy(SAMPLE) | pieces, Words(FOLDER / "texts.yml", "id"), LAYOUT)


def steps(*inner: dict[str, Any], first: str, last: str, net: str | None) -> dict[str, Any]:
    """A bridge from `first` to `last`."""
    return {
        "indicator": "K2",
        "from_period": "2026-09",
        "steps": [
            {"kind": "printed", "figure": "K2.00@2026-09/v1", "value": first, "reason": "first"},
            *inner,
            {"kind": "now", "figure": "K2.00@2026-10", "value": last},
        ],
        "net_real": net,
    }


def moved(kind: str, difference: str, becomes: str, **more: Any) -> dict[str, Any]:
    flow = (
        {"provinces": [], "others": {"provinces": 0, "count": 0}} if kind not in ("boundary", "net") else {}
    )
    return {"kind": kind, "difference": difference, "becomes": becomes, **flow, **more}


def test_bridge_of_the_sample():
    there = source()
    bridge = page_two.bridge(there)
    assert page_two.title(there) == (
        "Sisa desa turun 279 di atas kertas; di lapangan turun 303. Selisihnya: koreksi +29, pelaporan −5."
    )
    assert (
        bridge["title"]
        == "Dari 4.130 ke 3.851: koreksi +29, pelaporan −5; 343 desa baru terlayani, 40 kehilangan layanan"
    )
    assert "keadaannya tidak diketahui" in bridge["note"]
    assert [(r["difference"], r["becomes"]) for r in bridge["rows"]] == [
        ("", "4.130"), ("+29", "4.159"), ("", "4.159"), ("+4", "4.163"), ("−9", "4.154"), ("−343", "3.811"),
        ("+40", "3.851"), ("", "3.851"),
    ]  # fmt: skip
    assert bridge["rows"][5]["why"] == (
        "Papua Pegunungan 39, Nusa Tenggara Timur 38, Papua Tengah 20, 29 provinsi lain 246"
    )
    assert bridge["rows"][1]["name"] == "Koreksi pengirim (v2)"
    assert bridge["rows"][-1]["why"] == "Perubahan di lapangan −303"


@pytest.mark.parametrize(
    ("bridge", "title", "why"),
    [
        (
            steps(moved("gained", "-20", "80"), moved("lost", "0", "80"), first="100", last="80", net="-20"),
            "Sisa desa turun 20 sejak September 2026; angka bulan itu tidak berubah sejak terbit.",
            "Tidak ada",
        ),
        (
            steps(
                moved("boundary", "5", "105", joined=7, left=2),
                moved("gained", "0", "105"),
                moved("lost", "0", "105"),
                first="100",
                last="105",
                net="0",
            ),
            "Sisa desa naik 5 di atas kertas; di lapangan berubah 0. Selisihnya: batas wilayah +5.",
            "7 desa tanpa 4G masuk register, 2 keluar",
        ),
        (
            steps(
                moved(
                    "correction", "-9", "91", code="C", version=2, explanation={"id": "salah baca", "en": "x"}
                ),
                {"kind": "restated", "figure": "K2.00@2026-09/v2", "value": "91"},
                moved("net", "4", "95"),
                first="100",
                last="95",
                net=None,
            ),
            "Sisa desa turun 5 sejak September 2026; bagian yang terjadi di lapangan tidak dapat dipisahkan lagi.",
            "salah baca",
        ),
        (
            steps(
                moved("unreported", "50", "150"),
                moved("reported", "-2", "148"),
                moved("gained", "-9", "139"),
                moved("lost", "1", "140"),
                first="100",
                last="140",
                net="-8",
            ),
            "Sisa desa naik 40 di atas kertas; di lapangan turun 8. Selisihnya: pelaporan +48.",
            "Perubahan di lapangan −8",
        ),
    ],
)
def test_bridges_of_other_months(bridge, title, why):
    there = source(bridge=bridge)
    assert page_two.title(there) == title
    assert why in [row["why"] for row in page_two.bridge(there)["rows"]]


def test_villages_without_a_row_are_not_called_villages_that_lost_service():
    bridge = page_two.bridge(
        source(
            bridge=steps(
                moved("correction", "-3", "97", code="R1", version=2, explanation="x"),
                moved(
                    "unreported", "50", "147", provinces=[{"code": "33", "name": "Jawa Tengah", "count": 50}]
                ),
                moved("gained", "-9", "138"),
                moved("lost", "1", "139"),
                first="100",
                last="139",
                net="-8",
            )
        )
    )
    assert bridge["title"] == (
        "Dari 100 ke 139: koreksi −3, pelaporan +50; 9 desa baru terlayani, 1 kehilangan layanan"
    )
    assert "keadaannya tidak diketahui" in bridge["note"]
    row = bridge["rows"][2]
    assert (row["name"], row["difference"], row["worse"], row["why"]) == (
        "Desa tidak lagi dilaporkan",
        "+50",
        False,
        "Jawa Tengah 50",
    )


def test_a_correction_alone_is_the_reason():
    correction = moved("correction", "29", "129", code="R1", version=2, explanation="x")
    flows = moved("gained", "-3", "126"), moved("lost", "1", "127")
    there = source(bridge=steps(correction, *flows, first="100", last="127", net="-2"))
    assert page_two.title(there) == (
        "Sisa desa naik 27 di atas kertas; di lapangan turun 2, karena angka September 2026 "
        "dinyatakan ulang naik 29."
    )
    assert page_two.bridge(there)["note"].endswith("desa demi desa.")


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_bridge_that_does_not_add_up_is_refused(step):
    there = source()
    broken = there.context["bridge"]["steps"][step]
    broken["value" if "value" in broken else "becomes"] = "4"
    with pytest.raises(PantauError, match="do not add up"):
        page_two.bridge(there)


def test_without_a_bridge_a_sentence_says_so():
    shown = page_two.view(source(bridge=None))
    assert shown["bridge"] is None
    assert shown["title"] == "Perubahan sampai Oktober 2026 belum dapat diuraikan."
    assert shown["no_bridge"].startswith("Jembatan dari bulan sebelumnya ke Oktober 2026 tidak ada")


def with_carried_claims() -> Source:
    """The sample in a month for which one operator's claims of the month before stand in."""
    there = source()
    stood = {"how": "carried", "source_period": "2026-09"}
    there.indicator("R1")["carried"] = [{"feed": "operator__cakupan", "part": "indosat", "from": "2026-09"}]
    next(f for f in there.context["feeds"] if f["part"] == "indosat").update(
        stood | {"late_days": None, "lateness": "none"}
    )
    next(o for o in there.context["operators"] if o["part"] == "indosat").update(stood)
    return there


def test_reconciliation_rebuilds_k1_and_k2():
    told = page_two.reconciliation(with_carried_claims())
    assert (told["yes"], told["no"], told["total"]) == ("79.911", "3.851", "83.762")
    assert [[c["value"] for c in row["cells"]] for row in told["rows"]] == [
        ["78.298\u00a0◇", "844\u00a0◇"],
        ["1.613\u00a0◇", "3.007\u00a0◇"],
    ]
    assert told["title"] == "Operator dan Komdigi berbeda tentang 2.457\u00a0◇ desa"
    assert told["carried"]


@pytest.mark.parametrize("verdict", ["sepakat_ya", "operator_saja"])
def test_a_reconciliation_that_contradicts_k1_or_k2_is_refused(verdict):
    there = source()
    cell = next(b for b in there.indicator("R1")["breakdowns"] if b["breakdown"] == verdict)
    cell["value"] = str(int(cell["value"]) + 1)
    with pytest.raises(PantauError, match="does not rebuild K1 and K2"):
        page_two.reconciliation(there)


def test_a_verdict_without_a_village_is_nought():
    there = with_carried_claims()
    r1 = there.indicator("R1")
    moved_to = {b["breakdown"]: int(b["value"]) for b in r1["breakdowns"]}
    r1["breakdowns"] = [b for b in r1["breakdowns"] if b["breakdown"] != "komdigi_saja"]
    for b in r1["breakdowns"]:
        if b["breakdown"] == "sepakat_ya":
            b["value"] = str(moved_to["sepakat_ya"] + moved_to["komdigi_saja"])
    cell = page_two.reconciliation(there)["rows"][1]["cells"][0]
    assert (cell["value"], cell["figure"]) == ("0\u00a0◇", "")


def test_restatements_name_their_foremost_figures_and_count_the_rest():
    told = page_two.restatements(source())
    assert told["title"] == "2 rilis dinyatakan ulang: 1.370 angka berubah"
    newest = told["rows"][0]
    assert newest["head"] == "September 2026, v1 → v2"
    assert [c["figure"] for c in newest["changes"][:3]] == [
        "K1.00@2026-09",
        "K1.00:3T@2026-09",
        "K2.00@2026-09",
    ]
    assert newest["changes"][-1]["name"].endswith(" · Komdigi saja")
    assert newest["more"] == "dan 502 angka lain"


@pytest.mark.parametrize(
    ("probability", "says"),
    [
        ("0.10", "Desember 2026 diperkirakan menyisakan 3.020 desa; target 0 menuntut 1.926 per bulan."),
        (
            "0.90",
            "Target 0 pada Desember 2026 diperkirakan tercapai: tersisa 3.020 desa, dengan laju yang perlu",
        ),
    ],
)
def test_the_forecasts_claim(probability, says):
    there = source()
    there.context["forecast"][1]["probability"] = probability
    assert page_three.title(there).startswith(says)


def test_required_and_present_pace_have_their_signs():
    rows = {row["figure"]: row for row in page_three.rates(source())}
    assert (rows["K2.00"]["pace"], rows["K2.00"]["needed"]) == ("−415", "−1.926")
    assert (rows["K1.00"]["pace"], rows["K1.00"]["needed"]) == ("+0,5", "+2,3")
    assert rows["K3.00"]["inside"] == "4 dari 9"
    assert rows["K2.00"]["chance"] == "di bawah 1%"


def test_past_forecasts_are_counted_and_judged():
    there = source()
    past = there.context["forecast"][1]["past"]
    past[0] |= {"high80": "3851"}  # just what came
    past[1] |= {"high80": "3850"}  # one below it
    past.insert(0, past[0] | {"made_in": "2026-07", "high80": "3000", "value": "2900", "low80": "2800"})
    told = page_three.past(there)
    assert told["title"].startswith("4 dari 9 prakiraan terdahulu untuk Oktober 2026")
    shown = [r for r in told["rows"] if r["name"] == "Sisa desa tanpa 4G"]
    assert [(r["release"], r["verdict"], r["error"]) for r in shown] == [
        ("Agu 2026 v1", "●\u00a0di dalam", "−236"),
        ("Sep 2026 v1", "■\u00a0di luar", "−152"),
    ]


def test_a_backtest_without_a_month_shows_dashes():
    there = source()
    for made in there.context["forecast"]:
        made["backtest"] = {"months": 0, "mean_absolute_error": None, "inside80": 0}
    assert {(r["error"], r["inside"]) for r in page_three.rates(there)} == {("–", "–")}


def test_without_forecasts_a_sentence_says_so():
    shown = page_three.view(source(forecast=[]))
    assert shown["title"] == "3.851 desa tanpa 4G pada Oktober 2026; arahnya belum dapat diperkirakan."
    assert shown["none"].startswith("Rilis ini tidak memuat prakiraan")
    assert (shown["rates"], shown["past"], shown["method"]) == ([], None, [])
    assert shown["lead"] is not None


def test_provinces_stand_lowest_first_and_those_that_fell_are_counted():
    shown = page_four.view(source())
    assert shown["title"] == "12 dari 38 provinsi di bawah angka nasional 95,4%; Papua Pegunungan baru 49,8%."
    assert [r["code"] for r in shown["rows"]][:3] == ["95", "94", "93"]
    assert len(shown["rows"]) == 38
    assert shown["note"].startswith("Di 4 provinsi sisa desa bertambah.")
    assert sum(r["worse"] for r in shown["rows"]) == 4
    assert {r["sites"]["value"] for r in shown["rows"] if r["code"] in ("31", "95")} == {"–", "99"}
    assert [r["name"] for r in shown["totals"]] == ["Indonesia", "Daerah 3T", "Di luar daerah 3T"]


def test_obligations_add_up_to_the_nation_or_are_refused():
    told = page_five.obligations(source())
    assert [r["name"] for r in told["rows"]] == [
        "Telkomsel",
        "XL Axiata",
        "Indosat",
        "Tri",
        "Smartfren",
        "STI",
    ]
    assert [r["open"] for r in told["rows"]] == ["54", "50", "42", "39", "6", "4"]
    assert (told["total"]["due"], told["total"]["built"], told["total"]["open"]) == ("3.352", "3.157", "195")
    there = source()
    there.indicator("K15")["breakdowns"][0]["numerator"] = "1"
    with pytest.raises(PantauError, match="operators do not add up"):
        page_five.obligations(there)


def test_claims_say_whose_are_of_an_earlier_month():
    told = page_five.claims(with_carried_claims())
    assert told["title"] == "2 dari 3 operator mengirim klaim cakupan bulan ini"
    second = told["rows"][1]
    assert (second["claims"], second["how"], second["kind"]) == (
        "35.682\u00a0◇",
        "◇\u00a0memakai Sep 2026",
        "amber",
    )
    there = source()
    there.context["operators"][1] |= {"how": "missing", "source_period": None, "claims": 0}
    assert page_five.claims(there)["rows"][1]["how"] == "■\u00a0belum diterima"
    assert page_five.claims(source(operators=[])) is None


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ("79.1", "Rp20,4\u00a0triliun terserap, 75,7% dari APBN Perubahan: 3,4 poin di bawah rencana"),
        ("70.0", "Rp20,4\u00a0triliun terserap, 75,7% dari APBN Perubahan: 5,7 poin di atas rencana"),
        ("75.7", "Rp20,4\u00a0triliun terserap, 75,7% dari APBN Perubahan, sesuai rencana 75,7%"),
        (None, "Rp20,4\u00a0triliun terserap, 75,7% dari APBN Perubahan"),
    ],
)
def test_the_moneys_claim(expected, says):
    there = source()
    there.indicator("K12")["target"]["expected"] = expected
    told = page_five.budget(there)
    assert told["title"] == says
    assert [r["name"] for r in told["rows"] if not r["group"]] == ["RAPBN", "APBN", "APBN Perubahan"]
    assert [r["chosen"] for r in told["rows"]].count(True) == 1


def test_quality_tells_every_feed_and_finding():
    there = with_carried_claims()
    there.context["feeds"][0]["late_days"] = 2
    shown = page_six.view(there)
    assert shown["title"] == (
        "5 dari 7 kiriman yang jatuh tempo datang tepat waktu. Dari 9 sumber data, 1 datang terlambat dan 1 memakai "
        "data bulan sebelumnya. Temuan yang perlu ditangani: 2."
    )
    assert len(shown["feeds"]["rows"]) == 9
    assert shown["feeds"]["rows"][0]["late"] == "◇\u00a0memakai Sep 2026"
    assert shown["feeds"]["rows"][1]["late"] == "▲\u00a0terlambat 2 hari"
    assert [f["severity"] for f in shown["findings"]["rows"]].count("▲\u00a0peringatan") == 2
    assert shown["findings"]["rules"] == "111 dari 119 pemeriksaan lulus."
    there.context["checks"]["not_applicable"] = 7
    assert page_six.findings(there)["rules"].endswith(
        " 7 lagi tidak ada pembandingnya, jadi tidak dihitung lulus."
    )
    clean = source(findings=[], feeds=[f for f in SAMPLE["feeds"] if f["how"] == "effective"])
    assert page_six.title(clean) == (
        "Tidak ada kiriman yang jatuh tempo bulan ini. Temuan yang perlu ditangani: 0."
    )


def test_both_pages_say_the_same_of_what_came_on_time():
    there = source()
    assert page_six.title(there).startswith("7 dari 7 kiriman yang jatuh tempo datang tepat waktu.")
    for late in (0, 3):
        there.context["feeds"][0]["late_days"] = late
        said = page_one.quality(there)[0]
        assert page_six.title(there).startswith(said)


@pytest.mark.parametrize(
    ("how", "absent", "foot"),
    [
        (
            "carried",
            "◇\u00a0memakai Sep 2026; kiriman bulan ini ditolak",
            "◇\u00a0Memakai bulan sebelumnya: ",
        ),
        ("missing", "■\u00a0datang, ditolak", "■\u00a0Belum diterima: "),
    ],
)
def test_a_delivery_that_came_and_was_rejected_is_not_called_late(how, absent, foot):
    there = source()
    feed = next(f for f in there.context["feeds"] if f["feed"] == "komdigi__desa_4g")
    stood = {"source_period": "2026-09" if how == "carried" else None}
    feed |= stood | {"how": how, "rejected": True, "late_days": None, "lateness": "none"}
    there.context["operators"][0] |= stood | {"how": how, "rejected": True}
    assert page_six.feeds(there)["rows"][0]["late"] == absent
    assert page_five.claims(there)["rows"][0]["how"] == absent
    assert f"{foot}Cakupan 4G per desa (datang, ditolak)." in " ".join(page_one.quality(there))
    there.indicator("K1")["missing"] = ["komdigi__desa_4g"]
    assert there.absent("K1").startswith(
        "Desa terjangkau 4G belum tersedia: kiriman Cakupan 4G per desa (datang,"
    )
    if how == "missing":
        assert "1 datang tetapi ditolak" in page_six.title(there)


def test_what_its_operator_does_not_claim_stands_beside_what_is_built():
    told = page_five.obligations(source())["carried"]
    assert told == [
        "▲\u00a01.811 kewajiban terbangun dengan bukti, tetapi desanya tidak ada dalam klaim operatornya atau "
        "penerusnya (across.obligation_not_claimed)."
    ]
    assert page_five.obligations(source(findings=[]))["carried"] == []


def test_a_rejection_has_a_name_of_its_own_in_the_bridge():
    rejected = moved("correction", "-3", "97", code="R4", version=3, explanation="x")
    bridge = page_two.bridge(source(bridge=steps(rejected, first="100", last="97", net="0")))
    assert bridge["rows"][1]["name"] == "Kiriman ditolak (v3)"


@pytest.mark.parametrize(("others", "says"), [(1, "1 other province 5"), (2, "2 other provinces 5")])
def test_one_other_province_is_one(others, says):
    there = source()
    there.words = Words(FOLDER / "texts.yml", "en")
    there.context["bridge"]["steps"][5]["others"] = {"provinces": others, "count": 5}
    assert page_two.bridge(there)["rows"][5]["why"].endswith(says)


def test_operators_that_share_the_largest_number_are_named_together():
    there = source()
    xl = next(b for b in there.indicator("K15")["breakdowns"] if b["breakdown"] == "xl")
    xl["numerator"] = str(int(xl["denominator"]) - 54)
    assert page_five.title(there).endswith("terbanyak pada Telkomsel dan XL Axiata, masing-masing 54.")
    told = exceptions(there)[1]
    assert (
        told["text"]
        == "Dari 3.352 yang jatuh tempo; terbanyak pada Telkomsel dan XL Axiata, masing-masing 54."
    )
    assert told["figure"] == "K15.00 · K15.00:telkomsel · K15.00:xl"
    there.words = Words(FOLDER / "texts.yml", "en")
    assert page_five.title(there).endswith("Telkomsel and XL Axiata have the largest numbers, 54 each.")


def test_nobody_is_said_to_have_most_of_what_is_a_quarter():
    there = source()
    there.words = Words(FOLDER / "texts.yml", "en")
    assert page_five.title(there).endswith("Telkomsel has the largest number, 54.")
    assert not any("most of" in text for group in there.words.texts.values() for text in group.values())


def test_provinces_that_share_the_last_place_are_named_together():
    there = source()
    lowest, second = (next(p for p in there.provinces if p["code"] == code) for code in ("95", "94"))
    second["K1"] |= {key: lowest["K1"][key] for key in ("value", "numerator", "denominator")}
    assert page_four.view(there)["title"].endswith("Papua Tengah dan Papua Pegunungan baru 49,8%.")


def test_the_lowest_province_is_found_before_rounding():
    there = source()
    first, second = there.provinces[0], there.provinces[1]
    first["K1"] |= {"value": "10.0", "numerator": "10004", "denominator": "100000"}
    second["K1"] |= {"value": "10.0", "numerator": "10001", "denominator": "100000"}
    assert [r["code"] for r in page_four.view(there)["rows"]][:2] == [second["code"], first["code"]]


def test_figure_ids_lead_to_their_place_on_the_audit_pages():
    there = source()
    base = "http://localhost:8090/2026-10/v1"
    assert there.address("K2.00") == f"{base}/K2.html#00"
    assert there.address("K12.00:APBN:KL@2026-10") == f"{base}/K12.html#00:APBN:KL"
    assert there.address("K1.00:3T@2026-09/v2") == "http://localhost:8090/2026-09/v2/K1.html#00:3T"
    for nowhere in ("K2.00@2026-09", "across.obligation_not_claimed", "", '"><script>'):
        assert there.address(nowhere) == ""
    assert source(audit_url=None).address("K2.00") == ""
