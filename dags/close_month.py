"""Closes one month per run: the oldest that is ready and has no release, or whose inputs have changed."""

from datetime import datetime
from functools import partial
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task, teardown
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau import periods
from pantau.progress import lead_to, runbook, tell_failure

RUNBOOK = "docs/runbooks/close.md"
MONTH = f"^({periods.PATTERN})?$"
DOC = """### Close a month

plan → build (manifest) → checks across feeds → dbt → checks of marts → freeze → render → publish → ask; at the end,
however it went, the audit pages.

Without a person's approval the run ends at a candidate and starts `approve_release`, which asks for it; or
`pantau approve PERIOD` approves it, and the next run publishes. A critical finding ends it at the gate.
See [the runbook]({runbook}).
"""


@dag(
    dag_id="close_month",
    schedule="@hourly",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["close"],
    doc_md=DOC.format(runbook=runbook(RUNBOOK)),
    params={
        "period": Param(
            "", type=["null", "string"], pattern=MONTH, description="Close this month; empty: the oldest due."
        ),
        "last": Param(
            "",
            type=["null", "string"],
            pattern=MONTH,
            description="With it: opening history, from `period` on.",
        ),
        "without": Param([], type=["null", "array"], description="Feeds left out by decision."),
        "by": Param("", type=["null", "string"], description="Who decides to leave them out."),
        "why": Param("", type=["null", "string"], description="Why they are left out."),
        "ask": Param(True, type="boolean", description="Ask for approval in Airflow."),
    },
    default_args={
        "owner": "data-engineering",
        "retries": 2,
        "retry_policy": ExceptionRetryPolicy(
            [RetryRule("pantau.errors.PantauError", RetryAction.FAIL, reason="needs a person")]
        ),
        "on_execute_callback": partial(lead_to, written=RUNBOOK),
        "on_failure_callback": tell_failure,
    },
)
def close_month() -> None:
    """Declare the steps and their order."""

    @task.short_circuit(ignore_downstream_trigger_rules=True)
    def plan() -> dict[str, Any] | None:
        from pantau.close import plan

        given = dict(get_current_context()["params"])
        del given["ask"]
        return plan(**{name: value for name, value in given.items() if value})

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

    @task
    def questions(releases: list[int]) -> list[dict[str, Any]]:
        from pantau.release import asking

        return asking.questions(releases, ask=get_current_context()["params"]["ask"])

    @teardown(on_failure_fail_dagrun=True)  # also of a close that the gate has blocked
    def pages() -> None:
        from pantau.audit.site import write

        write()

    rendered = render(freeze(check_marts(dbt(check_across(build(plan()))))))
    published = publish(rendered)
    open_ = questions(rendered)
    published >> open_
    published >> pages()
    TriggerDagRunOperator.partial(
        task_id="ask", trigger_dag_id="approve_release", logical_date=None, skip_when_already_exists=True
    ).expand_kwargs(open_)


close_month()
