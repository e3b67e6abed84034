"""What stands on the pages is what the context holds: every figure, in both languages, and nothing else."""

import re
from collections import Counter
from decimal import Decimal

import pypdfium2
import pytest

from pantau.errors import PantauError
from tests.reports.conftest import RELEASE_HASH, busy, national, real_data


def pages(pdf: bytes) -> list[str]:
    """The text of each page, white space evened."""
    document = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def indonesian(value: str, decimals: int, signed: bool = False) -> str:
    """The number as Indonesian writes it, worked out apart from Babel."""
    amount = Decimal(value)
    text = f"{abs(amount):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return ("−" if amount < 0 else "+" if signed and amount else "") + text


def test_page_one_shows_the_indicators(sample, sample_pdf):
    first = pages(sample_pdf("id"))[0]
    for indicator in sample["indicators"]:
        digits = indicator["decimals"]
        assert indicator["figure"] in first
        assert indonesian(indicator["value"], digits) in first
        assert indonesian(indicator["change"]["value"], digits, signed=True) in first
        assert indonesian(indicator["target"]["expected"], digits) in first
    for code in ("11", "53", "95"):  # first, and two of the list
        province = next(p for p in sample["provinces"] if p["code"] == code)
        assert indonesian(province["K2"]["value"], 0) in first
    gap = int(sample["indicators"][1]["value"]) - int(sample["indicators"][1]["target"]["expected"])
    assert indonesian(str(gap), 0) in first
    assert indonesian(str(-(-int(sample["indicators"][1]["value"]) // 2)), 0) in first  # two months are left


def test_map_shows_every_province(sample, sample_pdf):
    first = pages(sample_pdf("id"))[0]
    shown = Counter(re.findall(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*(?![\d.,])", first))
    wanted = Counter(indonesian(p["K2"]["value"], 0) for p in sample["provinces"])
    assert not wanted - shown


def test_page_two_shows_every_province_and_the_evidence(sample, sample_pdf):
    second = pages(sample_pdf("id"))[1]
    for p in sample["provinces"]:
        row = (
            f"{indonesian(p['K1']['value'], 1)} {indonesian(p['K1']['change'], 1, signed=True)} "
            f"{indonesian(p['K2']['value'], 0)} {indonesian(p['K2']['change'], 0, signed=True)}"
        )
        assert row in second, p["name"]
    for change in sample["restatements"][0]["changes"]:
        digits = sample["indicators"][0]["decimals"] if change["figure"].startswith("K1.") else 0
        assert f"{indonesian(change['old'], digits)} {indonesian(change['new'], digits)}" in second
    for feed in sample["feeds"]:
        assert feed["content_hash"][:16] in second
        assert feed["files"][0]["name"] in second
    for breakdown in sample["indicators"][2]["breakdowns"]:
        assert indonesian(breakdown["value"], 1) in second
    assert RELEASE_HASH in second.replace(" ", "")


def test_footer_names_release_hash_and_cutoff(sample_pdf):
    for number, page in enumerate(pages(sample_pdf("id")), 1):
        assert f"rilis 2026-10 v1 · sidik {RELEASE_HASH[:16]}" in page
        assert "batas data 16 November 2026 pukul 09.00 WIB" in page
        assert f"hal. {number} dari 2" in page


def test_both_languages_carry_the_same_numbers(sample_pdf):
    def numbers(language: str) -> Counter[str]:
        text = re.sub(r"09[.:]00 WIB|\b(non-)?3T\b|\b4G\b", "", " ".join(pages(sample_pdf(language))))
        ids = re.findall(r"\bK\d+\.[\w.]+(?::[\w-]+)*", text)
        text = re.sub(r"\bK\d+\.[\w.]+(?::[\w-]+)*|\b11\.01\b", "", text)
        if language == "id":
            text = text.translate(str.maketrans(",.", ".,"))
        found = re.findall(r"[−+]?\d[\d.,]*", text)
        return Counter(n.rstrip(".,").replace(",", "") for n in found) + Counter(ids)

    indonesian_ones, english = numbers("id"), numbers("en")
    assert (indonesian_ones - english, english - indonesian_ones) == (Counter(), Counter())
    assert indonesian_ones["3851"] >= 4


@pytest.mark.parametrize(("language", "mark"), [("id", "DATA SIMULASI"), ("en", "SIMULATED DATA")])
def test_simulated_mark_follows_the_context(sample, sample_pdf, language, mark):
    assert all(mark in page for page in pages(sample_pdf(language)))
    sample["simulated"] = False
    assert not any(mark in page for page in pages(national(sample, language)))


def test_missing_indicators_name_the_feed(sample):
    first, second = pages(national(real_data(sample)))
    assert (
        "Cakupan 4G Desember 2025 belum dapat dihitung: "
        "kiriman Cakupan 4G per desa dan Daftar desa 3T belum diterima." in first
    )
    assert first.count("Belum tersedia: kiriman Cakupan 4G per desa dan Daftar desa 3T belum diterima.") == 2
    assert "Belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima." in first
    assert "3 kiriman belum diterima untuk Desember 2025" in first
    assert "Peta provinsi dan grafik tidak ditampilkan" in first
    assert "@2025-12" not in first  # no id of a figure that is not there
    assert "Tidak ada angka bulan sebelumnya yang dinyatakan ulang" in first
    assert "SIMULASI" not in first + second
    assert "K12 belum tersedia untuk Desember 2025." in second


def test_carried_and_restated_releases_say_so(sample):
    sample |= {"version": 2, "reason": "restatement"}
    sample["explanation"] = {"id": "Komdigi mengirim ulang.", "en": "Komdigi sent it again."}
    sample["indicators"][2]["carried"] = [{"feed": "kemenkeu__anggaran_tik", "from": "2026-09"}]
    result = pages(national(sample))
    assert len(result) == 2
    assert "memakai kiriman Sep 2026" in result[0]
    assert "Rilis v2 menggantikan v1: Komdigi mengirim ulang." in result[0]


def test_two_provinces_and_unknown_codes_are_drawn(sample):
    kept = [p for p in sample["provinces"] if p["code"] in ("11", "96")]
    kept[1]["code"] = "99"
    sample["provinces"] = kept
    total = sum(int(p["K2"]["value"]) for p in kept)
    sample["indicators"][1]["value"] = str(total)
    first = pages(national(sample))[0]
    assert f"2 kotak berjumlah {total}" in first


def test_provinces_that_do_not_add_up_are_refused(sample):
    sample["provinces"][0]["K2"]["value"] = "1"
    with pytest.raises(PantauError, match="do not add up"):
        national(sample)


def test_unknown_language_is_refused(sample):
    with pytest.raises(PantauError, match="language 'jv'"):
        national(sample, "jv")


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_busy_month_keeps_to_two_pages_and_says_what_it_left_out(sample, language):
    """Lists are cut by a sentence that counts or names the rest."""
    first, second = pages(national(busy(sample), language))
    left_out = {
        "id": (r"Dan (\d+) temuan lain: pantau findings 2026-10\.", r"Dan (\d+) sumber lain: pantau feeds\."),
        "en": (
            r"And (\d+) other findings: pantau findings 2026-10\.",
            r"And (\d+) other sources: pantau feeds\.",
        ),
    }[language]
    hidden_findings, hidden_feeds = (int(re.search(p, second)[1]) for p in left_out)
    assert len(re.findall(r"across\.rule_\d+", second)) + hidden_findings == 25
    assert second.count("Kementerian Keuangan, SFTP") + second.count("Digital, ") + hidden_feeds >= 18
    named = {"id": "Dinyatakan ulang juga: Agustus 2026", "en": "Restated as well: August 2026"}
    assert named[language] in second
    assert second.count("v1 → v2") == 1  # this release's own
    assert "K1.00@2026-08" in second  # totals stay where breakdowns are left out
    assert "K2.00@2026-08" in second
    assert {"id": "dan 12 lainnya", "en": "and 12 others"}[language] in first


def test_one_missing_feed_leaves_the_rest_of_the_page(sample):
    budget = sample["indicators"][2]
    budget |= dict.fromkeys(("value", "numerator", "denominator", "change", "target"))
    budget |= {"missing": ["kemenkeu__anggaran_tik"], "history": [], "breakdowns": []}
    first, second = pages(national(sample))
    assert "Serapan anggaran TIK belum tersedia: kiriman Anggaran dan realisasi TIK belum diterima." in first
    assert "38 kotak berjumlah 3.851" in first
    assert "K12 belum tersedia untuk Oktober 2026." in second
