"""What stands on the pages is what the context holds: every figure, in both languages, and nothing else."""

import re
from collections import Counter
from decimal import Decimal

import pypdfium2
import pytest

from pantau.errors import PantauError
from pantau.report import preview, render_national
from tests.integration.printed import changed, per_cent, printed_ids
from tests.reports.conftest import (
    PAGE_HASH,
    RELEASE_HASH,
    busy,
    first_month,
    national,
    older,
    real_data,
)

MARKS = {"id": "DATA SIMULASI", "en": "SIMULATED DATA"}


def pages(pdf: bytes) -> list[str]:
    """The text of each page, white space evened."""
    document = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def indonesian(value: str, decimals: int, signed: bool = False) -> str:
    """The number as Indonesian writes it, worked out apart from Babel."""
    amount = Decimal(value)
    text = f"{abs(amount):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return ("−" if amount < 0 else "+" if signed and amount else "") + text


def share(figure: dict[str, str]) -> str:
    """A share of the context as the pages write it."""
    return per_cent(*(Decimal(figure[name]) for name in ("numerator", "denominator", "value")))


def numbers(text: str, language: str) -> Counter[str]:
    """Every number of a page, as written without separators of thousands, and every figure id."""
    text = re.sub(r"\d\d[.:]\d\d WIB|\b(non-)?3T\b|\b4G\b|Practice, 3rd ed\., [\d., ]+", "", text)
    ids = re.findall(r"\b[KR]\d+\.[\w.]+(?::[\w-]+)*", text)
    text = re.sub(r"\b[KR]\d+\.[\w.]+(?::[\w-]+)*|\b11\.01\b", "", text)
    if language == "id":
        text = text.translate(str.maketrans(",.", ".,"))
    found = re.findall(r"[−+]?\d[\d.,]*", text)
    return Counter(n.rstrip(".,").replace(",", "") for n in found) + Counter(ids)


def test_every_figure_of_the_context_is_named(sample, sample_pdf):
    text = "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(sample_pdf("id")))
    codes = {n: [p["code"] for p in sample["provinces"] if n in p] for n in ("K1", "K2", "K3")}
    months = [h["period"] for h in sample["indicators"][1]["history"]]
    named = printed_ids(text, "2026-10", codes, months)
    shown = {
        f"{f['indicator_id']}.{f['place']}{':' if f['breakdown'] else ''}{f['breakdown']}@2026-10"
        for f in preview.sample().figures
    }
    assert len(shown) > 130
    assert shown - named == set()
    others = {c["figure"] for r in sample["restatements"] for c in r["changes"]}
    others |= {s["figure"] for s in sample["bridge"]["steps"] if "figure" in s}
    assert named - shown - {f"K2.00@{month}" for month in months} <= others


def test_page_one_shows_the_five_indicators(sample, sample_pdf):
    first = pages(sample_pdf("id"))[0]
    for indicator in sample["indicators"][:5]:
        digits = indicator["decimals"]
        assert indicator["figure"] in first
        assert indonesian(indicator["value"], digits) in first
        assert indonesian(indicator["change"]["value"], digits, signed=True) in first
        assert indonesian(indicator["target"]["expected"], digits) in first
    for forecast in sample["forecast"]:
        digits = next(i["decimals"] for i in sample["indicators"] if i["id"] == forecast["indicator"])
        assert indonesian(forecast["points"][-1]["value"], digits) in first
    assert indonesian(str(-(-int(sample["indicators"][1]["value"]) // 2)), 0) in first  # two months are left
    assert "localhost:8090/2026-10/v1/index.html" in first


def test_map_shows_every_province(sample, sample_pdf):
    first = pages(sample_pdf("id"))[0]
    shown = Counter(re.findall(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*(?![\d.,])", first))
    wanted = Counter(indonesian(p["K2"]["value"], 0) for p in sample["provinces"])
    assert not wanted - shown


def test_page_two_shows_bridge_claims_and_restatements(sample, sample_pdf):
    second = pages(sample_pdf("id"))[1]
    for step in sample["bridge"]["steps"]:
        for key in {"value", "becomes", "difference"} & step.keys():
            assert indonesian(step[key], 0, signed=key == "difference") in second, step
    mark = " ◇" if sample["indicators"][5]["carried"] else ""
    for verdict in sample["indicators"][5]["breakdowns"]:
        assert f"{indonesian(verdict['value'], 0)}{mark} " in second
        assert verdict["figure"].partition("@")[0] in second
    assert second.count("belum dikirim") == 3
    for change in sample["restatements"][0]["changes"][:6]:  # the others are counted
        digits = 1 if change["figure"].startswith("K1.") else 0
        row = f"{change['figure']} {indonesian(change['old'], digits)} {indonesian(change['new'], digits)}"
        assert row in second


def test_page_three_shows_every_forecast(sample, sample_pdf):
    third = pages(sample_pdf("id"))[2]
    for forecast in sample["forecast"]:
        digits = next(i["decimals"] for i in sample["indicators"] if i["id"] == forecast["indicator"])
        last = forecast["points"][-1]
        row = (
            f"{indonesian(forecast['per_month'], digits, True)} "
            f"{indonesian(forecast['required_per_month'], digits, True)}"
        )
        assert row in third
        assert f"{indonesian(last['low80'], digits)}–{indonesian(last['high80'], digits)}" in third
        for past in forecast["past"]:
            assert f"{indonesian(past['low80'], digits)}–{indonesian(past['high80'], digits)}" in third
    assert "Hyndman & Athanasopoulos" in third


def test_page_four_shows_every_province(sample, sample_pdf):
    fourth = pages(sample_pdf("id"))[3]
    for p in sample["provinces"]:
        sites = p.get("K3")
        row = (
            f"{share(p['K1'])} {changed(p['K1']['change'], 1)} "
            f"{indonesian(p['K2']['value'], 0)} {indonesian(p['K2']['change'], 0, signed=True)} "
            + (f"{indonesian(sites['value'], 0)} {indonesian(sites['change'], 0, True)}" if sites else "– –")
        )
        assert row in fourth, p["name"]


def test_page_five_shows_obligations_claims_money_and_definitions(sample, sample_pdf):
    fifth = pages(sample_pdf("id"))[4]
    for operator in sample["indicators"][4]["breakdowns"]:
        due, built = int(operator["denominator"]), int(operator["numerator"])
        assert f"{indonesian(due, 0)} {indonesian(built, 0)} {due - built}" in fifth
        assert operator["figure"].partition("@")[0] in fifth
    for operator in sample["operators"]:
        mark = " ◇" if operator["how"] == "carried" else ""
        assert f"{operator['title']} {indonesian(operator['claims'], 0)}{mark}" in fifth
    for breakdown in sample["indicators"][3]["breakdowns"]:
        row = f"{indonesian(breakdown['value'], 1)} {indonesian(breakdown['change'], 1, True)}"
        assert f"{row} {breakdown['figure'].partition('@')[0]}" in fifth
    for definition in sample["definitions"]:
        assert definition["formula"]["id"] in fifth


def test_page_six_shows_every_delivery_and_finding(sample, sample_pdf):
    sixth = pages(sample_pdf("id"))[5].replace("\ufffe", "-")  # as pdfium tells a hyphen at a line's end
    for feed in sample["feeds"]:
        assert feed["content_hash"][:16] in sixth
        assert feed["part_title"] in sixth
        assert indonesian(feed["accepted"], 0) in sixth
    for finding in sample["findings"]:
        assert finding["sentence"]["id"] in sixth
        assert finding["rule"] in sixth
    assert RELEASE_HASH in sixth.replace(" ", "")


@pytest.mark.parametrize(("language", "of"), [("id", "dari"), ("en", "of")])
def test_footer_names_release_hash_and_cutoff(sample_pdf, language, of):
    word, page_word = {"id": ("rilis", "hal."), "en": ("release", "page")}[language]
    cutoff = {"id": "16 November 2026 pukul 09.00 WIB", "en": "16 November 2026, 09:00 WIB"}[language]
    for number, page in enumerate(pages(sample_pdf(language)), 1):
        assert f"{word} 2026-10 v1 · " in page
        assert RELEASE_HASH[:16] in page
        assert cutoff in page
        assert f"{page_word} {number} {of} 6" in page


def test_both_languages_carry_the_same_numbers_on_every_page(sample_pdf):
    both = zip(pages(sample_pdf("id")), pages(sample_pdf("en")), strict=True)
    for number, (here, there) in enumerate(both, 1):
        mine, others = numbers(here, "id"), numbers(there, "en")
        assert (number, mine - others, others - mine) == (number, Counter(), Counter())
    assert numbers(pages(sample_pdf("id"))[0], "id")["3851"] >= 3


@pytest.mark.parametrize("change", [busy, older, first_month, real_data])
def test_unusual_months_carry_the_same_numbers_in_both_languages(rendered, change):
    found = {lang: numbers(" ".join(pages(rendered(change, lang))), lang) for lang in ("id", "en")}
    # what a page break repeats in one language alone: the head of a table, the runners
    assert {n for n in found["id"] if len(n) > 2} == {n for n in found["en"] if len(n) > 2}


@pytest.mark.parametrize("language", ["id", "en"])
def test_simulated_mark_follows_the_context(sample, sample_pdf, language):
    assert all(MARKS[language] in page for page in pages(sample_pdf(language)))
    sample["simulated"] = False
    assert not any(MARKS[language] in page for page in pages(national(sample, language)))


def test_a_preview_says_so_on_every_page(sample_pdf):
    subject = preview.sample()
    pdf = render_national(subject.context, subject.figures, RELEASE_HASH, PAGE_HASH, "en", preview=True)
    assert all("PREVIEW" in page and "SIMULATED DATA" in page for page in pages(pdf))
    assert not any("PREVIEW" in page for page in pages(sample_pdf("en")))


def test_missing_indicators_name_the_feed(rendered):
    first, *others = pages(rendered(real_data))
    assert (
        "Cakupan 4G Desember 2025 belum dapat dihitung: "
        "kiriman Cakupan 4G per desa dan Daftar desa 3T belum diterima." in first
    )
    assert first.count("Belum tersedia: kiriman Cakupan 4G per desa dan Daftar desa 3T belum diterima.") == 2
    assert "Belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima." in first
    assert "8 kiriman masih ditunggu untuk Desember 2025" in first
    assert "Peta provinsi tidak ditampilkan" in first
    assert "@2025-12" not in first  # no id of a figure that is not there
    assert "Tidak ada angka bulan sebelumnya yang dinyatakan ulang" in first
    rest = " ".join(others)
    for said in (
        "Perubahan sampai Desember 2025 belum dapat diuraikan.",
        "Arah Desember 2025 belum dapat diperkirakan.",
        "Angka per provinsi belum tersedia untuk Desember 2025.",
        "Kewajiban operator belum dapat dihitung untuk Desember 2025.",
        "Serapan anggaran belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima.",
        "8 belum datang",
    ):
        assert said in rest, said
    assert "SIMULASI" not in first + rest


def test_an_older_release_says_what_it_does_not_have(rendered):
    first, second, third, _, fifth, *_ = pages(rendered(older))
    for name in ("BTS mengudara", "Kewajiban terbangun"):
        assert f"{name} belum ada dalam rilis ini." in first
    assert "pantau trace K2.00@2026-10" in first
    assert "localhost" not in first
    assert "Rekonsiliasi klaim 4G belum ada dalam rilis ini." in second
    assert "Rilis ini tidak memuat prakiraan" in third
    assert "Klaim cakupan operator belum ada dalam rilis ini." in fifth


def test_a_first_month_has_nothing_to_compare_with(rendered):
    first, second, third, fourth, *_ = pages(rendered(first_month))
    assert first.count("belum ada bulan pembanding") == 5
    assert "Jembatan dari bulan sebelumnya ke Oktober 2026 tidak ada" in second
    assert "arahnya belum dapat diperkirakan" in third
    assert third.count("Grafik tidak ditampilkan: baru satu bulan yang terbit.") == 4
    assert "Belum ada bulan pembanding." in fourth


def test_a_restated_release_says_why(sample):
    sample |= {"version": 2, "reason": "restatement"}
    sample["explanation"] = {"id": "Komdigi mengirim ulang.", "en": "Komdigi sent it again."}
    first, second, *_ = pages(national(sample))
    assert "Rilis v2 menggantikan v1: Komdigi mengirim ulang." in first
    assert "localhost:8090/2026-10/v2/index.html" in first
    assert "Oktober 2026, rilis v2" in second


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_busy_month_tells_everything_and_page_one_stays_one_page(sample, rendered, language):
    result = pages(rendered(busy, language))
    title = {"id": "Apa yang berubah, dan mengapa", "en": "What changed, and why"}[language]
    assert title not in result[0]
    assert title in result[1]
    text = " ".join(result)
    assert len(set(re.findall(r"across\.rule_\d+", text))) == 25
    assert len(set(re.findall(r"\(Operator \d+\)", text))) == 14
    assert text.count("v1 → v2") >= 5
    assert {"id": "dan 12 lainnya", "en": "and 12 others"}[language] in result[0]
    values = [indonesian(i["value"], i["decimals"]) for i in sample["indicators"][:5]]
    if language == "id":
        assert all(re.search(rf"{re.escape(value)} ?%? ◇", result[0]) for value in values), result[0]


def test_a_carried_indicator_is_marked_wherever_it_stands(sample):
    sample["indicators"][2]["carried"] = [{"feed": "bakti__bts", "part": "", "from": "2026-09"}]
    sites = [p["K3"]["value"] for p in sample["provinces"] if "K3" in p]
    result = pages(national(sample))
    value = re.escape(indonesian(sample["indicators"][2]["value"], 0))
    for number in (0, 2, 3):
        assert re.search(rf"{value} ◇", result[number]), number
        assert not re.search(rf"{value}(?! ◇)(?![\d,.])", result[number]), number
        assert "memakai data Sep 2026" in result[number]
    assert all(f" {indonesian(value, 0)} ◇ " in result[3] for value in sites)


def test_two_provinces_and_unknown_codes_are_drawn(sample):
    kept = [p for p in sample["provinces"] if p["code"] in ("11", "96")]
    kept[1]["code"] = "99"
    sample["provinces"] = kept
    total = sum(int(p["K2"]["value"]) for p in kept)
    left = sample["indicators"][1]
    left["value"] = str(total)
    for indicator in sample["indicators"]:
        if indicator["id"] == "R1":
            indicator["breakdowns"] = []
    sample["bridge"] = None
    first = pages(national(sample))[0]
    assert f"2 kotak berjumlah {total}" in first


def test_provinces_that_do_not_add_up_are_refused(sample):
    sample["provinces"][0]["K2"]["value"] = "1"
    with pytest.raises(PantauError, match="do not add up"):
        national(sample)


def test_unknown_language_is_refused(sample):
    with pytest.raises(PantauError, match="language 'jv'"):
        national(sample, "jv")


def test_one_missing_feed_leaves_the_rest_of_the_page(sample):
    budget = sample["indicators"][3]
    budget |= dict.fromkeys(("value", "numerator", "denominator", "change", "target"))
    budget |= {"missing": ["kemenkeu__anggaran_tik"], "history": [], "breakdowns": []}
    result = pages(national(sample))
    assert (
        "Serapan anggaran TIK belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima." in result[0]
    )
    assert "38 kotak berjumlah 3.851" in result[0]
    assert "Serapan anggaran belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima." in result[4]
