"""A designer's preview: from the sample without any database, rendered again when a template changes."""

import shutil
from pathlib import Path

import pypdfium2
import pytest
from typer.testing import CliRunner

from pantau import cli
from pantau.errors import PantauError
from pantau.report import preview
from pantau.settings import settings


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates, and an empty folder of reports."""
    shutil.copytree(settings.templates, tmp_path / "report_templates")
    monkeypatch.setattr(settings, "templates", tmp_path / "report_templates")
    monkeypatch.setattr(settings, "out", tmp_path / "out")
    monkeypatch.setattr(preview, "POLL", 0.01)
    return tmp_path / "report_templates"


def text(file: Path) -> str:
    return " ".join(p.get_textpage().get_text_range() for p in pypdfium2.PdfDocument(file))


def test_the_sample_needs_no_database(templates, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("a database was asked for")

    monkeypatch.setattr("pantau.server.running", never)
    monkeypatch.setattr("pantau.setup.prepare", never)
    done = CliRunner().invoke(cli.app, ["report", "--preview", "--sample", "--lang", "en"])
    assert done.exit_code == 0, done.output
    file = settings.out / "preview" / "nasional.2026-10.en.pdf"
    assert str(file) in done.output.replace("\n", "")
    assert text(file).count("PREVIEW") == 6
    assert [p.name for p in settings.out.rglob("*.pdf")] == [file.name]


def test_a_released_report_is_not_written_by_hand():
    done = CliRunner().invoke(cli.app, ["report", "--period", "2026-10"])
    assert done.exit_code == 1
    assert isinstance(done.exception, PantauError)
    assert "--preview" in done.exception.next_step


def test_a_report_is_one_of_a_month():
    done = CliRunner().invoke(cli.app, ["report", "--preview"])
    assert isinstance(done.exception, PantauError)
    assert done.exception.what == "Which report?"


def test_a_change_is_rendered_and_a_fault_is_told(templates):
    told: list[str] = []
    texts = templates / "nasional" / "texts.yml"
    good = texts.read_text(encoding="utf-8")
    faults = {
        1: good.replace("{value} desa belum terjangkau 4G;", "{amount} desa belum terjangkau 4G;"),
        2: good + "}",
        3: good.replace("Perlu keputusan", "Butuh keputusan"),
    }

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 4:
            raise KeyboardInterrupt
        texts.write_text(faults[len(told)], encoding="utf-8")

    with pytest.raises(KeyboardInterrupt):
        preview.watch(preview.sample, "id", tell)
    file = settings.out / "preview" / "nasional.2026-10.id.pdf"
    assert told[0].startswith(str(file))
    assert "'headline.unlikely'" in told[1]
    assert "cannot be read" in told[2]
    assert told[3].startswith(str(file))
    assert "Butuh keputusan" in text(file)


def test_every_figure_of_the_sample_once():
    figures = preview.sample().figures
    keys = {(f["indicator_id"], f["place"], f["breakdown"]) for f in figures}
    assert len(keys) == len(figures)
    assert {k[0] for k in keys} == {"K1", "K2", "K3", "K12", "K15", "R1"}
