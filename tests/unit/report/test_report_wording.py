"""How a report writes numbers, dates and sentences in its two languages."""

from decimal import Decimal

import pytest
from markupsafe import Markup

from pantau.errors import PantauError
from pantau.report.wording import Words, clean
from pantau.settings import settings

TEXTS = settings.templates / "nasional" / "texts.yml"


@pytest.fixture(scope="module")
def indonesian() -> Words:
    return Words(TEXTS, "id")


@pytest.fixture(scope="module")
def english() -> Words:
    return Words(TEXTS, "en")


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "shown"),
    [
        ("10973", 0, False, "10.973"),
        ("86.9", 1, False, "86,9"),
        ("-412", 0, True, "−412"),
        ("0.5", 1, True, "+0,5"),
        ("0", 0, True, "0"),
        ("-0.0", 1, True, "0,0"),
        ("284973643", 0, False, "284.973.643"),
        ("100.0", 1, False, "100,0"),
        (None, 1, True, "–"),
        ("0.25", 1, False, "0,3"),  # half away from zero, where Babel rounds to the even digit
        ("-2.5", 0, False, "−3"),
    ],
)
def test_numbers(indonesian, value, decimals, signed, shown):
    assert indonesian.number(value, decimals, signed=signed) == shown


def test_numbers_in_english(english):
    assert english.number("10973.5", 1) == "10,973.5"
    assert english.number("-3", 0, signed=True) == "−3"


def test_large_amounts(indonesian, english):
    assert indonesian.compact("26900000000000.00") == "26,9\u00a0triliun"
    assert english.compact("26900000000000.00") == "26.9\u00a0trillion"
    assert indonesian.compact("26900000000000", short=True) == "26,9\u00a0T"
    assert english.compact("19250000000000") == "19.3\u00a0trillion"  # a tie
    assert english.compact("-19250000000000") == "−19.3\u00a0trillion"
    assert english.compact("999950000000") == "1\u00a0trillion"
    assert english.compact("999949999999") == "999.9\u00a0billion"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("-0.03", "−<0,1"),
        ("0.04", "+<0,1"),
        ("0.05", "+0,1"),
        ("-0.364", "−0,4"),
        ("0.0", "0,0"),
        (None, "–"),
    ],
)
def test_a_change_that_rounds_to_zero_is_not_called_zero(indonesian, value, shown):
    assert indonesian.change(value, 1) == shown


def test_a_share_says_all_of_all_alone(indonesian, english):
    assert indonesian.per_cent("100.0", "8559", "8563", 1) == ">99,9"
    assert english.per_cent("0.0", "1", "8563", 1) == "<0.1"
    assert english.per_cent("100.0", "8563", "8563", 1) == "100.0"
    assert english.per_cent(None, "0", "0", 1) == "–"
    assert english.share(Decimal(997), Decimal(1000)) == ">99"
    assert english.share(Decimal(1), Decimal(8), 1) == "12.5"
    assert english.share(Decimal(5), Decimal(0)) == "0"


def test_dates_are_of_jakarta(indonesian, english):
    assert indonesian.month("2026-08") == "Agustus 2026"
    assert indonesian.month("2026-08", short=True) == "Agu 2026"
    assert indonesian.day("2026-12-31") == "31 Desember 2026"
    assert indonesian.day("2026-11-09T20:00:00+00:00") == "10 November 2026"
    assert indonesian.moment("2026-11-16T00:00:00+07:00") == "16 November 2026 pukul 00.00 WIB"
    assert english.moment("2026-11-15T17:00:00+00:00") == "16 November 2026, 00:00 WIB"


def test_lists(indonesian):
    assert indonesian.listing([]) == ""
    assert indonesian.listing(["a"]) == "a"
    assert indonesian.listing(["a", "b", "c"]) == "a, b dan c"


def test_stress_escapes_everything_that_is_filled_in(indonesian):
    said = indonesian.stress("lede.pace", target="<b>x</b>", deadline="&", pace="<i>1</i>")
    assert isinstance(said, Markup)
    assert said.startswith("Agar menjadi &lt;b&gt;x&lt;/b&gt; pada &amp;, ")
    assert "<strong>&lt;i&gt;1&lt;/i&gt;</strong> per bulan" in said


def test_filled_in_braces_are_not_filled_in_again(indonesian):
    assert "{value.__class__}" in indonesian.say("tile.expected", expected="{value.__class__}")


def test_control_characters_are_taken_out():
    assert clean({"a": ["b\x00c\nd", 1, None]}) == {"a": ["b c d", 1, None]}


def test_both_languages_have_every_text_with_the_same_placeholders(indonesian, english):
    for group, entries in indonesian.texts.items():
        assert entries.keys() == english.texts[group].keys()
        for key, text in entries.items():
            if group == "format":
                continue
            there = english.texts[group][key]
            names = {part.split("}")[0] for part in text.split("{")[1:]}
            assert names == {part.split("}")[0] for part in there.split("{")[1:]}, f"{group}.{key}"


def test_a_text_that_is_missing_or_asks_for_more_says_which(indonesian):
    with pytest.raises(PantauError, match=r"'tile\.nothing'"):
        indonesian.say("tile.nothing")
    with pytest.raises(PantauError, match="'expected'"):
        indonesian.say("tile.expected", amount=1)


def test_texts_that_are_no_yaml_say_where(tmp_path):
    (tmp_path / "texts.yml").write_text("title: {id: [", encoding="utf-8")
    with pytest.raises(PantauError, match="cannot be read"):
        Words(tmp_path / "texts.yml", "id")


def test_unknown_language():
    with pytest.raises(PantauError, match="language 'xx'"):
        Words(TEXTS, "xx")
