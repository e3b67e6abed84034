"""Set-up on a database in use: what reads it goes on, whatever has changed."""

import csv
import shutil
from pathlib import Path

import pytest

from pantau import setup, warehouse
from pantau.settings import settings
from tests.administrator import connect


def _views() -> set[str]:
    """Views of every schema of the warehouse, with their columns."""
    with connect() as connection:
        rows = connection.execute(
            "select format('%s.%s: %s', table_schema, table_name, string_agg(column_name, ' ' order by column_name))"
            " as view from information_schema.columns join information_schema.views using (table_schema, table_name)"
            " where table_schema in ('staging', 'public', 'checks', 'marts') group by table_schema, table_name"
        )
        return {row["view"] for row in rows}


@pytest.fixture
def sources(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the catalogue and of the dbt project, to be changed."""
    for name in ("feeds", "dbt_project"):
        shutil.copytree(getattr(settings, name), tmp_path / name)
        monkeypatch.setattr(settings, name, tmp_path / name)
    return tmp_path


def test_changed_seeds_and_feeds_leave_every_view(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.dbt("build", "--exclude-resource-type", "unit_test", build=0)
    before = _views()
    assert sum(view.startswith("staging.") for view in before) > 10

    seed = sources / "dbt_project" / "seeds" / "target_register.csv"
    with open(seed, newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["document"] += " (amended)"
    with open(seed, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    setup.prepare()
    assert before <= _views()
    with connect() as connection:
        amended = "select count(*) as n from seeds.target_register where document like '%% (amended)'"
        assert connection.execute(amended, []).fetchone() == {"n": 1}

    feeds = sources / "feeds-changed"  # a loaded catalogue is kept by its folder
    shutil.copytree(sources / "feeds", feeds)
    with open(feeds / "komdigi__desa_4g.yml", "a") as file:
        file.write("\n# a word more\n")
    monkeypatch.setattr(settings, "feeds", feeds)
    setup.prepare()
    assert before <= _views()
