"""Tells, once a day, what should have come and has not, though no feed has run."""

from datetime import datetime, timedelta
from functools import partial

from airflow.sdk import BaseHook, dag, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau.progress import lead_to, runbook, tell_failure

RUNBOOK = "docs/runbooks/late-feed.md"
DOC = """### Watch for what is late

Goes by the calendar of the catalogue, not by runs: each feed, part and period whose due day is over and for which
nothing stands. Tells the feed's owner (`contact`) and the data engineer (`PANTAU_ENGINEER_MAIL`) by mail, through the
connection `pantau_smtp`, once per lateness. Running it again is always safe; `pantau lateness` shows the same without
a mail. See [the runbook]({runbook}).
"""


@dag(
    dag_id="watch_lateness",
    schedule="0 2 * * *",  # 09:00 in Jakarta: the feeds have run at 07:00
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["watch"],
    doc_md=DOC.format(runbook=runbook(RUNBOOK)),
    default_args={
        "owner": "data-engineering",
        "retries": 3,
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": ExceptionRetryPolicy(
            [
                RetryRule("pantau.errors.TransientError", RetryAction.RETRY, reason="may heal by itself"),
                RetryRule("pantau.errors.PantauError", RetryAction.FAIL, reason="needs a person"),
                RetryRule(
                    "airflow.sdk.exceptions.AirflowNotFoundException", RetryAction.FAIL
                ),  # the connection
            ]
        ),
        "on_execute_callback": partial(lead_to, written=RUNBOOK),
        "on_failure_callback": tell_failure,
    },
)
def watch_lateness() -> None:
    """Declare the steps and their order."""

    @task.short_circuit
    def watch() -> bool:
        from pantau.lateness import anything_to_tell

        return anything_to_tell()

    @task
    def tell() -> int:
        from pantau.lateness import tell

        return tell(BaseHook.get_connection("pantau_smtp").get_uri())

    watch() >> tell()


watch_lateness()
