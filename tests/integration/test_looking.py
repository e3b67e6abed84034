"""Commands that look change nothing: no database is made by them, none brought up to date, no table of a draft."""

import os
import shutil
from pathlib import Path

import pytest

from pantau import setup
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G
from tests.integration.test_doctor import pantau
from tests.integration.test_manifest import at, deliver

LOOKING = [
    ("feeds",), ("lateness",), ("delivery", "list"), ("delivery", "show", "1"), ("findings", "2026-06"),
    ("trace", "K2.00@2026-06"), ("report", "--preview", "--period", "2026-06"), ("doctor",), ("migrate", "--check"),
]  # fmt: skip
DRAFT = "uji__rancangan"


def _state() -> dict[str, object]:
    """What set-up would change."""
    with connect() as connection:
        return {
            name: connection.execute(query).fetchall()
            for name, query in {
                "tables": "select table_schema, table_name from information_schema.tables order by 1, 2",
                "columns": "select table_name, column_name from information_schema.columns"
                " where table_schema = 'raw' order by 1, 2",
                "prepared": "select stamp from ops.prepared",
                "ledger": "select max(no) from ops.ledger",
            }.items()
        }


def test_a_draft_of_a_feed_is_looked_at_and_makes_nothing(database: str, tmp_path: Path) -> None:
    at("2026-08-20")
    deliver(DESA_4G, "2026-06")
    feeds = tmp_path / "feeds"
    shutil.copytree(settings.feeds, feeds)
    (feeds / f"{DRAFT}.yml").write_text((feeds / f"{DESA_4G}.yml").read_text())
    before = _state()
    told = {c: pantau(*c, PANTAU_FEEDS=str(feeds)) for c in LOOKING}
    assert _state() == before
    assert DRAFT in told["feeds",].stdout
    assert DRAFT in told["lateness",].stdout
    assert DESA_4G in told["delivery", "list"].stdout.replace("\n", "")
    for command in LOOKING[:4]:
        assert told[command].returncode == 0, told[command].stderr
    for ended in told.values():
        assert "Traceback" not in ended.stderr


def test_without_a_database_they_say_so_and_make_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: tmp_path / name for name in ("var", "inbox", "out")}
    for name, folder in folders.items():
        monkeypatch.setattr(settings, name, folder)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for command in (*LOOKING, ("psql", "--", "-c", "select 1")):
        ended = pantau(*command)
        told = ended.stdout + ended.stderr
        assert "There is no database yet." in told or "not set up yet" in told, command
        assert ended.returncode == (0 if command in (("feeds",), ("doctor",)) else 1)
        assert os.listdir(tmp_path) == [], command


def test_tables_of_other_code_are_told_and_left(database: str) -> None:
    with connect() as connection:
        connection.execute("update alembic_version set version_num = '0000'")
    before = _state()
    ended = pantau("feeds")
    assert ended.returncode == 1
    assert "made by an older version of Pantau (0000)" in ended.stderr
    assert "Begin anew" in ended.stderr
    assert _state() == before
    assert setup.state()[0][1] == "0000"
