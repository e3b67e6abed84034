"""The DAG files: they import without error declare what they must, and nothing else."""

import json
import re
import subprocess
import sys

import jsonschema
import pytest

from pantau import catalogue
from pantau.release import asking
from pantau.runner import environment
from pantau.settings import settings

PROBE = """
import json, sys
import airflow.sdk, airflow.dag_processing.dagbag as b
from pathlib import Path
folder = Path(sys.argv[1])
bag = b.BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
dags = {d.dag_id: {"tags": sorted(d.tags), "doc": d.doc_md or "", "schedule": str(d.schedule), "tasks": {t.task_id: {
    "owner": t.owner, "retries": t.retries, "policy": bool(t.retry_policy), "delay": t.retry_delay.total_seconds()}
    for t in d.tasks}, "params": {name: param.schema for name, param in d.params.items()}}
    for d in bag.dags.values()}
print(json.dumps({"errors": bag.import_errors, "dags": dags, "heavy": [
    m for m in ("polars", "great_expectations", "dbt", "weasyprint") if m in sys.modules]}))
"""


CHECK_IDS = """
import sys
from airflow.models.dagrun import DagRun
for each in sys.argv[1:]:
    assert DagRun(dag_id="approve_release", run_id=each).run_id == each
"""


@pytest.fixture(scope="module")
def bag(postgres: str) -> dict:
    """What Airflow makes of the DAG files, in a process of its own, as JSON."""
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, str(settings.dags)],
        capture_output=True, text=True, check=False, env={**environment(), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


def test_a_question_whose_answer_airflow_lost_soon_stands_there_again(bag: dict) -> None:
    ask = bag["dags"]["approve_release"]["tasks"]["ask"]
    assert ask["retries"] >= 1
    assert ask["delay"] == 10


def test_no_import_errors_and_exactly_these_dags(bag: dict) -> None:
    assert bag["errors"] == {}
    assert set(bag["dags"]) == {
        "approve_release",
        "close_month",
        "verify_records",
        "watch_lateness",
        *(f"feed__{name}" for name in catalogue.load()),
    }


def test_parsing_imports_nothing_heavy(bag: dict) -> None:
    assert bag["heavy"] == []


def test_every_dag_has_docs_owner_tags_and_retries(bag: dict) -> None:
    assert bag["dags"]
    for name, dag in bag["dags"].items():
        assert len(dag["doc"]) > 100, name
        assert dag["tags"], name
        for task, declared in dag["tasks"].items():
            assert declared["owner"] == "data-engineering", (name, task)
            assert declared["retries"] > 0, (name, task)
            assert declared["policy"], (name, task)


def test_airflow_takes_the_ids_of_the_runs_that_ask(postgres: str) -> None:
    """Of one month and of opening history; by Airflow's own check."""
    months = [
        {"period": period, "version": 1, "id": no} for no, period in enumerate(("2025-01", "2025-02"), 1)
    ]
    ids = [asking.run_id(months[:1]), asking.run_id(months)]
    assert len(set(ids)) == 2
    ran = subprocess.run(
        [sys.executable, "-c", CHECK_IDS, *ids],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_the_order_of_a_close(bag: dict) -> None:
    assert list(bag["dags"]["close_month"]["tasks"]) == [
        "plan", "build", "check_across", "dbt", "check_marts", "freeze", "render", "publish",
        "questions", "pages", "ask",
    ]  # fmt: skip


def test_a_close_takes_months_alone(bag: dict) -> None:
    params = bag["dags"]["close_month"]["params"]
    for name in ("period", "last"):
        allowed = jsonschema.Draft202012Validator(params[name])
        assert all(map(allowed.is_valid, ("", None, "2026-10")))
        assert not any(
            map(allowed.is_valid, ("0000-01", "9999-12", "٢٠٢٦-01", "2026-13", "2026-10..2026-12"))
        )


def test_the_order_of_an_approval(bag: dict) -> None:
    assert list(bag["dags"]["approve_release"]["tasks"]) == ["question", "ask", "answer", "publish", "pages"]


def test_every_dag_leads_to_a_runbook_that_is_there(bag: dict) -> None:
    for name, dag in bag["dags"].items():
        led = re.findall(r"\]\((docs/runbooks/[a-z-]+\.md)\)", dag["doc"])
        assert led, name
        assert all((settings.root / path).is_file() for path in led), name


def test_lateness_is_watched_once_a_day_and_told_only_where_there_is_something(bag: dict) -> None:
    watch = bag["dags"]["watch_lateness"]
    assert list(watch["tasks"]) == ["watch", "tell"]
    assert watch["schedule"] == "0 2 * * *"  # 09:00 in Jakarta, after the feeds


def test_everything_is_verified_once_a_day_and_told_only_where_something_fails(bag: dict) -> None:
    verify = bag["dags"]["verify_records"]
    assert list(verify["tasks"]) == ["verify", "tell"]
    assert verify["schedule"] == "30 18 * * *"  # 01:30 in Jakarta


def test_dag_files_only_declare() -> None:
    for path in settings.dags.glob("*.py"):
        if path.name in (settings.dags / ".airflowignore").read_text():
            continue
        text = path.read_text()
        for word in ("select ", "import polars", "import httpx", "Variable.get", "psycopg"):
            assert word not in text, (path.name, word)
