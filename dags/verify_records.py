"""Verifies, once a day, everything that is recorded against the ledger, and the ledger against its witness."""

from datetime import datetime, timedelta
from functools import partial

from airflow.sdk import BaseHook, dag, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau.progress import lead_to, runbook, tell_failure

RUNBOOK = "docs/runbooks/tampering.md"
DOC = """### Verify everything

verify → tell. Rows, figures, pages, files, triggers and grants against the ledger's entries, and the ledger against its
witness: what `pantau verify` does. What fails goes to the data engineer (`PANTAU_ENGINEER_MAIL`) by mail, through
the connection `pantau_smtp`, and fails the run. See [the runbook]({runbook}).
"""


@dag(
    dag_id="verify_records",
    schedule="30 18 * * *",  # 01:30 in Jakarta: nobody waits
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["watch"],
    doc_md=DOC.format(runbook=runbook(RUNBOOK)),
    default_args={
        "owner": "data-engineering",
        "retries": 2,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": ExceptionRetryPolicy(
            [
                RetryRule("pantau.errors.TransientError", RetryAction.RETRY, reason="may heal by itself"),
                RetryRule("pantau.errors.PantauError", RetryAction.FAIL, reason="needs a person"),
                RetryRule("airflow.sdk.exceptions.AirflowNotFoundException", RetryAction.FAIL),
            ]
        ),
        "on_execute_callback": partial(lead_to, written=RUNBOOK),
        "on_failure_callback": tell_failure,
    },
)
def verify_records() -> None:
    """Declare the steps and their order."""

    @task.short_circuit
    def verify() -> list[str]:
        from pantau import verify

        return [str(failure.error("")) for failure in verify.run().failures]

    @task
    def tell(failures: list[str]) -> None:
        from pantau.verify.telling import tell

        tell(failures, BaseHook.get_connection("pantau_smtp").get_uri())

    tell(verify())


verify_records()
