"""One DAG per feed of the catalogue: pull → read → check, for every part and period that is due."""

from datetime import datetime, timedelta
from functools import partial

from airflow.sdk import BaseHook, Param, dag, get_current_context, task, task_group
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from pantau import catalogue
from pantau.progress import lead_to, runbook, tell_failure

DOC = """### {title}

{description}

Owner: **{owner}** · transport: {transport} · due: {due} · [when it fails]({on_failure})

A run pulls every due period that is missing or may still be restated: running it again is always safe.
With `{{"everything": true}}` it pulls all of them again.
"""


def declare(feed: catalogue.Feed) -> None:
    """Declare the DAG of one feed."""

    @dag(
        dag_id=f"feed__{feed.name}",
        schedule="@daily" if feed.cadence != "irregular" else "@hourly",
        start_date=datetime(2025, 1, 1),
        catchup=False,
        max_active_runs=1,
        params={"everything": Param(False, type="boolean", description="Pull every period again.")},
        tags=["feed", feed.transport.kind, feed.name.split("__")[0]],
        doc_md=DOC.format(
            title=feed.title.en,
            description=feed.description,
            owner=feed.owner,
            transport=feed.transport.kind,
            due=f"day {feed.due_day} of the following month ({feed.due_source})" if feed.due_day else "never",
            on_failure=runbook(feed.on_failure),
        ),
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
                    ),  # a connection
                ]
            ),
            "on_execute_callback": partial(lead_to, written=feed.on_failure),
            "on_failure_callback": tell_failure,
        },
    )
    def feed_dag() -> None:
        @task
        def due() -> list[dict[str, str]]:
            from pantau.landing import due_periods

            return due_periods(feed.name, everything=get_current_context()["params"]["everything"])

        @task
        def pull(period: str, part: str) -> int | None:
            from pantau.landing import pull

            name = feed.connection_id(part)
            uri = BaseHook.get_connection(name).get_uri() if name else ""
            return pull(feed.name, period, part, connection_uri=uri)

        @task
        def read(delivery: int | None) -> int | None:
            from pantau.read import read

            return read(delivery)

        @task_group
        def deliver(period: str, part: str) -> None:
            read(pull(period, part))

        # Checks compare a month with the one before it, so they wait until every month is read or has failed.
        @task(trigger_rule="all_done")
        def check() -> None:
            from pantau.checks import check_feed

            check_feed(feed.name)

        @task
        def done() -> None:
            """Fails with the run where any delivery failed."""

        delivered, checked = deliver.expand_kwargs(due()), check()
        delivered >> checked
        [delivered, checked] >> done()

    feed_dag()


for each in catalogue.load().values():
    declare(each)
