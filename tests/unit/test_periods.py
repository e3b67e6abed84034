"""Months: what is one, and that counting with them always ends; and that no entrance takes anything else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pantau import catalogue, cli, landing, periods, server
from pantau.audit import figure
from pantau.errors import PantauError
from pantau.settings import settings

MONTHS = st.builds("{:04d}-{:02d}".format, st.integers(2000, 2199), st.integers(1, 12))
NO_MONTHS = [
    "", "0000-01", "0001-01", "1999-12", "2200-01", "9999-12", "10000-01", "2026-13", "2026-00", "2026-1", "2026-010",
    "٢٠٢٦-01", "2026-1٠", "２０２６-01", "2026-10\n", " 2026-10", "2026-10 (copy)", "2026/10", "-2026-10",
]  # fmt: skip


@given(MONTHS)
def test_a_month_is_a_month(period: str) -> None:
    assert periods.check(period) == period
    assert periods.of(periods.start(period)) == period
    assert periods.start(periods.shift(period, 1)) == periods.end(period)


@pytest.mark.parametrize("text", NO_MONTHS)
def test_nothing_else_is(text: str) -> None:
    with pytest.raises(PantauError, match="is not a month"):
        periods.check(text)


@given(st.text(max_size=9) | st.from_regex(r"\A\d{4,5}-\d{1,2}\s?\Z"))
def test_no_other_text_is_taken_for_one(text: str) -> None:
    if not (text.isascii() and re.fullmatch(r"(20|21)\d\d-(0[1-9]|1[012])", text)):
        with pytest.raises(PantauError):
            periods.check(text)


@given(MONTHS, st.integers(-30, 300))
def test_a_span_has_each_month_once_and_ends(first: str, months: int) -> None:
    last = periods.shift(first, months)
    found = list(periods.span(first, last))
    assert len(found) == max(0, months + 1)
    assert found == sorted(set(found))
    assert found[:1] + found[-1:] == ([first, last] if months >= 0 else [])


@pytest.mark.parametrize(("first", "last", "months"), [("9999-11", "9999-12", 2), ("0000-01", "0001-01", 13)])
def test_a_span_ends_even_of_what_is_no_month(first: str, last: str, months: int) -> None:
    assert len(list(periods.span(first, last))) == months


@given(MONTHS, MONTHS)
def test_a_span_backwards_is_refused(first: str, last: str) -> None:
    if first <= last:
        periods.check_span(first, last)
    else:
        with pytest.raises(PantauError, match="ends before it begins"):
            periods.check_span(first, last)


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def running() -> None:
        raise AssertionError("the database was started")

    monkeypatch.setattr(server, "running", running)


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize("text", ["9999-12", "٢٠٢٦-01", "2026-13"])
@pytest.mark.parametrize(
    "command",
    [
        ["close", "{}"], ["close", "2025-01..{}", "--opening"], ["approve", "{}"], ["findings", "{}"],
        ["rebuild", "{}"],
        ["report", "--preview", "--period", "{}"], ["simulate", "komdigi__desa_4g", "{}", "slow"],
        ["delivery", "list", "--period", "{}"],
    ],
)  # fmt: skip
def test_commands_refuse_what_is_no_month_before_they_start_anything(command: list[str], text: str) -> None:
    ended = CliRunner().invoke(cli.app, [word.format(text) for word in command])
    assert isinstance(ended.exception, PantauError), ended.output
    assert ended.exception.what == f"'{text}' is not a month."


@pytest.mark.parametrize("text", ["9999-12", "٢٠٢٦-01", "2026-13"])
def test_so_do_figures_and_pulls(text: str) -> None:
    with pytest.raises(PantauError, match="no figure id"):
        figure.parse(f"K2.00@{text}")
    with pytest.raises(PantauError, match="is not a month") as error:
        landing.pull("komdigi__desa_4g", text)
    assert error.value.where["feed"] == "komdigi__desa_4g"


@pytest.mark.parametrize("text", ["K2.00@2026-1٠", "K٢.00@2026-10", "K2.٠٠@2026-10", "K2.00@2026-10/v١"])
def test_a_figure_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(PantauError, match="no figure id"):
        figure.parse(text)


def test_the_first_month_of_a_feed_is_a_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = (settings.feeds / "komdigi__desa_4g.yml").read_text()
    (tmp_path / "a__b.yml").write_text(re.sub("starts: .*", "starts: 9999-12", described))
    monkeypatch.setattr(settings, "feeds", tmp_path)
    with pytest.raises(PantauError, match="starts: '9999-12' is not a month") as error:
        catalogue.load()
    assert error.value.where == {"file": "feeds/a__b.yml"}
