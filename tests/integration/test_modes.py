"""What a run makes is for its owner alone: delivered bytes, logs, keys, reports."""

import os
from pathlib import Path

import pytest

from pantau.settings import settings
from tests.integration.conftest import WILAYAH, cut_register
from tests.integration.test_doctor import airflow, pantau  # noqa: F401  a fixture


@pytest.mark.usefixtures("airflow")
def test_nobody_else_reads_what_a_pull_and_a_render_have_made() -> None:
    brought = settings.inbox / WILAYAH / "2022-11" / "wilayah.csv.gz"
    brought.parent.mkdir(parents=True)
    brought.write_bytes(cut_register("wilayah_2022.csv.gz"))
    before = os.umask(0o022)  # as most machines have it
    try:
        for command in (("pull", WILAYAH), ("report", "--preview", "--sample"), ("audit",)):
            ended = pantau(*command)
            assert ended.returncode == 0, ended.stdout + ended.stderr
    finally:
        os.umask(before)
    made = [path for folder in (settings.var, settings.out) for path in (folder, *folder.rglob("*"))]
    assert {p.name for p in made} >= {"airflow.log", "index.html", "keys.json"}
    assert list((settings.out / "preview").rglob("*.pdf"))
    assert [p for p in settings.landing.rglob("*") if p.is_file()]
    assert [str(p) for p in made if _others(p)] == []


def _others(path: Path) -> int:
    return path.stat().st_mode & 0o077
