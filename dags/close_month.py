"""Closes one month per run: the oldest that is ready and has no release, or whose inputs have changed."""

from datetime import datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau.progress import tell_failure

DOC = """### Close a month

plan → build (manifest) → checks across feeds → dbt → checks of marts → freeze → render → publish.

Without a person's approval the run ends at a candidate; `pantau approve PERIOD` approves it by its hash and
runs this again, which publishes. A critical finding ends it at the gate. See `docs/runbooks/close.md`.
"""


@dag(
    dag_id="close_month",
    schedule="@hourly",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["close"],
    doc_md=DOC,
    params={
        "period": Param("", type="string", description="Close this month; empty: the oldest that is due."),
        "last": Param("", type="string", description="With it: opening history, from `period` to here."),
        "without": Param([], type="array", description="Feeds left out by decision."),
        "by": Param("", type="string", description="Who decides to leave them out."),
        "why": Param("", type="string", description="Why they are left out."),
    },
    default_args={
        "owner": "data-engineering",
        "retries": 2,
        "retry_policy": ExceptionRetryPolicy(
            [RetryRule("pantau.errors.PantauError", RetryAction.FAIL, reason="needs a person")]
        ),
        "on_failure_callback": tell_failure,
    },
)
def close_month() -> None:
    """Declare the steps and their order."""

    @task.short_circuit(ignore_downstream_trigger_rules=True)
    def plan() -> dict[str, Any] | None:
        from pantau.close import plan

        return plan(**get_current_context()["params"])

    @task
    def build(planned: dict[str, Any]) -> int:
        from pantau.warehouse import open_build

        return open_build(**planned)

    @task
    def check_across(build: int) -> int:
        from pantau.checks import check_across

        check_across(build)
        return build

    @task
    def dbt(build: int) -> int:
        from pantau.warehouse import run_dbt

        run_dbt(build)
        return build

    @task
    def check_marts(build: int) -> int:
        from pantau.checks import check_marts

        check_marts(build)
        return build

    @task
    def freeze(build: int) -> list[int]:
        from pantau.release import make_candidates

        return make_candidates(build)

    @task
    def render(releases: list[int]) -> list[int]:
        from pantau.report.files import write

        write(releases)
        return releases

    @task
    def publish(releases: list[int]) -> bool:
        from pantau.release import publish

        return publish(releases)

    publish(render(freeze(check_marts(dbt(check_across(build(plan())))))))


close_month()
