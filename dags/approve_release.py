"""Asks a person whether a candidate may be published, and does what the answer says. One run per candidate."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau.progress import lead_to, runbook, tell_failure

RUNBOOK = "docs/runbooks/close.md"
DOC = """### Approve a release

question → ask (a person answers: *Required Actions*) → answer → publish → audit pages.

`close_month` starts one run for each candidate that waits. The form shows the figures, the warnings and the hashes;
the answer counts for exactly these. Who, when and what stand in the ledger, a refusal too. Newer data makes the
candidate stale: the answer is refused, and the new candidate asks anew. To ask once more, clear the run: an old answer
is never used again. See [the runbook]({runbook}).
"""


def _asked_about() -> tuple[list[dict[str, Any]], list[str]]:
    """The candidates that the run was started for, and the warnings that an approval lets stand."""
    params = get_current_context()["params"]
    return params["releases"] or [], params["warnings"] or []


@dag(
    dag_id="approve_release",
    schedule=None,
    start_date=datetime(2025, 1, 1),
    is_paused_upon_creation=False,  # it does nothing by itself, and a question that waits unseen helps nobody
    tags=["close", "approval"],
    doc_md=DOC.format(runbook=runbook(RUNBOOK)),
    params={
        "releases": Param(
            [], type=["null", "array"], description="id, period, version and hashes of each candidate."
        ),
        "warnings": Param([], type=["null", "array"], description="Warnings that an approval lets stand."),
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
def approve_release() -> None:
    """Declare the steps and their order."""

    @task.short_circuit
    def question() -> dict[str, Any] | None:
        from pantau.release import asking

        return asking.question(*_asked_about())

    asked = question()
    ask = HITLOperator(
        task_id="ask",
        subject="{{ ti.xcom_pull('question')['subject'] }}",
        body="{{ ti.xcom_pull('question')['body'] }}",
        options=["Approve", "Refuse"],
        # Answered before the scheduler has noticed that the task waits, Airflow fails the try and asks anew.
        retry_delay=timedelta(seconds=10),
        params={
            "why": Param(
                None, type=["null", "string"], description="Why you refuse, or what you want to be kept."
            )
        },
    )

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def answer(given: dict[str, Any]) -> list[int]:
        from pantau.release import asking

        return asking.answer(*_asked_about(), given, f"approve_release {get_current_context()['run_id']}")

    @task
    def publish(releases: list[int]) -> bool:
        from pantau.release import publish

        return publish(releases)

    @task(trigger_rule="none_failed")  # a refusal is shown too
    def pages() -> None:
        from pantau.audit.site import write

        write()

    asked >> ask
    publish(answer(ask.output)) >> pages()


approve_release()
