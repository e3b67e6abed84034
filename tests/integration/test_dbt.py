"""The dbt project: its own tests and unit tests pass on an empty warehouse, and everything in it is described."""

import json
from typing import Any

import pytest

from pantau import warehouse
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_3T, DESA_4G, WILAYAH
from tests.integration.standin import at, deliver

pytestmark = pytest.mark.usefixtures("database")


def test_models_tests_and_unit_tests_pass_on_an_empty_warehouse() -> None:
    assert len(warehouse.dbt("build", build=0)) > 50
    results = json.loads((settings.var / "dbt" / "run_results.json").read_text())["results"]
    unit = [r for r in results if r["unique_id"].startswith("unit_test.")]
    assert len(unit) >= 8
    assert {r["status"] for r in unit} <= {"pass"}


def test_every_model_and_column_is_described() -> None:
    warehouse.dbt("parse")
    nodes = json.loads((settings.var / "dbt" / "manifest.json").read_text())
    models = [n for n in nodes["nodes"].values() if n["resource_type"] in ("model", "seed")]
    assert len(models) > 10
    for model in models:
        assert model["description"].strip(), model["name"]
        for name, column in model["columns"].items():
            assert column["description"].strip(), (model["name"], name)
    contracted = {n["name"] for n in models if n["config"].get("contract", {}).get("enforced")}
    assert {"rpt_figure", "rpt_status", "ind_k1_desa_terjangkau_4g"} <= contracted
    assert nodes["exposures"]


def test_no_model_but_staging_reads_raw_and_none_knows_the_time() -> None:
    models = settings.dbt_project / "models"
    assert list(models.rglob("*.sql"))
    for path in models.rglob("*.sql"):
        text = path.read_text().lower()
        for word in ("now()", "current_date", "current_timestamp", "raw."):
            assert word not in text, (path.name, word)
        if "staging" not in path.parts:
            assert "source(" not in text, path.name
            assert "stage(" not in text, path.name


ADDS_UP = [("K1", "", 60, 100), ("K2", "", 40, 100), ("R1", "sepakat_ya", 50, 100), ("R1", "operator_saja", 5, 100),
           ("R1", "komdigi_saja", 10, 100), ("R1", "sepakat_tidak", 35, 100)]  # fmt: skip


def test_a_roll_up_that_does_not_add_up_is_found() -> None:
    warehouse.dbt("run", build=0)
    found = warehouse.dbt("test", "--select", "roll_up_adds_up", build=0)[0].node.compiled_code
    wrong = [
        [ADDS_UP[0], ("K2", "", 41, 100), *ADDS_UP[2:]],
        [ADDS_UP[0], ("K2", "", 40, 101), *ADDS_UP[2:]],
        [ADDS_UP[0], *ADDS_UP[2:]],
        [*ADDS_UP[:5], ("R1", "sepakat_tidak", 34, 100)],
        [*ADDS_UP[:4], ("R1", "komdigi_saja", 45, 100)],
        [
            *ADDS_UP[:2],
            ("R1", "sepakat_ya", 49, 100),
            *ADDS_UP[3:5],
            ("R1", "sepakat_tidak", 36, 100),
        ],  # K1 has 60
    ]
    for figures, what in [(ADDS_UP, set()), *zip(wrong, 3 * [{"K1 and K2"}] + 3 * [{"R1"}], strict=True)]:
        with connect(options="-c pantau.build=0") as connection:
            for indicator, breakdown, numerator, denominator in figures:
                connection.execute(
                    "insert into marts.rpt_figure values (0, %s, 1, '2026-10', '00', %s, %s, %s, null)",
                    [indicator, breakdown, numerator, denominator],
                )
            assert {row["what"] for row in connection.execute(found)} == what, figures
            connection.rollback()


@pytest.mark.parametrize(
    ("test", "wrong", "right"),
    [
        (
            "figures_within_bounds",
            [("00", -1, 100, 0), ("00", 101, 100, 100), ("00", 1, 100, "100.1"), ("00", 1, 100, "-0.1")],
            [("00", 0, 100, 0), ("00", 100, 100, 100)],
        ),
        (
            "nation_is_sum_of_provinces",
            [[("00", 61, 100, 61), ("11", 50, 60, 83), ("31", 10, 40, 25)],
             [("00", 60, 101, 59), ("11", 50, 60, 83), ("31", 10, 40, 25)],
             [("00", 60, 100, 60), ("11", 50, 60, 83)]],
            [[("00", 60, 100, 60), ("11", 50, 60, 83), ("31", 10, 40, 25)], [("00", 60, 100, 60)]],
        ),
    ],
)  # fmt: skip
def test_figures_that_cannot_be_are_found(test: str, wrong: list[Any], right: list[Any]) -> None:
    at("2026-11-20")
    for feed, period in ((WILAYAH, "2025-01"), (DESA_3T, "2026-01"), (DESA_4G, "2026-10")):
        deliver(feed, period)
    build = warehouse.open_build("2026-10", "2026-10", "close")  # with the registers of this version
    warehouse.dbt("run", build=build)
    found = warehouse.dbt("test", "--select", test, build=build)[0].node.compiled_code
    for figures, is_wrong in [*((each, True) for each in wrong), *((each, False) for each in right)]:
        with connect(options=f"-c pantau.build={build}") as connection:
            connection.execute("delete from marts.rpt_figure")
            for place, numerator, denominator, value in figures if isinstance(figures, list) else [figures]:
                connection.execute(
                    "insert into marts.rpt_figure values (%s, 'K1', 1, '2026-10', %s, '', %s, %s, %s)",
                    [build, place, numerator, denominator, value],
                )
            assert bool(connection.execute(found).fetchall()) == is_wrong, figures
            connection.rollback()
