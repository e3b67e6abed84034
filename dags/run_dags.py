"""Runs the DAG files in one process, for the command line: a JSON job a line on stdin, a JSON answer a line.

Not a DAG (see .airflowignore). A lock keeps two runners from sharing one database.
"""

import json
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")


class Told(logging.Handler):
    """Passes the steps' lines on to the command line, and remembers what a failed step said."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Answer with the line."""
        if exception := getattr(record, "exception", None):
            self.failures.append(exception)
            return
        answer({"line": record.getMessage()})


def answer(what: dict[str, Any]) -> None:
    """Write one line to the command line; where that was killed, end too: nobody waits for the rest."""
    try:
        ANSWERS.write(json.dumps(what) + "\n")
        ANSWERS.flush()
    except BrokenPipeError:
        os._exit(1)


def run(dag: Any, conf: dict[str, Any], told: Told) -> dict[str, Any]:
    """Run one DAG; say how it ended and, of a failure, what its step said."""
    from pantau.errors import BlockedError, PantauError

    told.failures.clear()
    ended = dag.test(logical_date=None, run_conf=conf)
    failed = [t for t in ended.get_task_instances() if t.state == "failed"]
    blocked = bool(told.failures) and all(isinstance(e, BlockedError) for e in told.failures)
    messages = [
        str(e) if isinstance(e, PantauError)
        else f"{dag.dag_id} failed unexpectedly: {type(e).__name__}: {e}\n"
        "Its traceback is in var/log/airflow.log; report it, then run the same command again."
        for e in told.failures
    ]  # fmt: skip
    if failed and not messages:
        messages = [f"The step {failed[0].task_id} of {dag.dag_id} failed; see var/log/airflow.log."]
    return {"state": str(ended.state), "failures": messages, "blocked": blocked}


def main() -> None:
    """Set Airflow up, then run jobs until stdin ends."""
    import psycopg
    from airflow.api_fastapi.execution_api import versions
    from airflow.dag_processing import dagbag
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils.db import upgradedb
    from cadwyn import HeadVersion, Version, VersionBundle

    from pantau import locks
    from pantau.locks import Lock
    from pantau.settings import settings

    with psycopg.connect(settings.database_url, autocommit=True) as lock:
        if not locks.hold(lock, Lock.RUNNER, wait=False):
            answer({"line": "Another command runs DAGs on this database; waiting until it is done."})
            locks.hold(lock, Lock.RUNNER, wait=True)
        upgradedb()
        folder, bundle = Path(__file__).parent, "dags-folder"
        bag = dagbag.BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name=bundle)
        if bag.import_errors:
            raise SystemExit("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
        DagBundlesManager().sync_bundles_to_db()
        dagbag.sync_bag_to_db(bag, bundle, None)
        # dag.test() would read every DAG file and write it to the database again at each run: a fifth of a second.
        # While we run they do not change.
        dagbag.BundleDagBag = lambda **_: bag
        dagbag.sync_bag_to_db = lambda *_, **__: None
        # Tasks ask Airflow's API in this process, in its newest version; making the routes of all of them takes
        # seconds. The second stays because a route of the newest is restored there.
        first, second, third, *_ = versions.bundle.versions
        for change in (*first.changes, *second.changes):
            change._bound_version_bundle = None
        versions.bundle = VersionBundle(HeadVersion(), first, second, Version(third.value))
        told, log = Told(), logging.getLogger("pantau.step")
        log.handlers, log.propagate = [told], False
        log.setLevel(logging.INFO)
        answer({"ready": sorted(bag.dags)})
        for line in sys.stdin:
            job = json.loads(line)
            answer(run(bag.dags[job["dag"]], job["conf"], told))


if __name__ == "__main__":
    ANSWERS = sys.stdout
    sys.stdout = sys.stderr  # what libraries print goes to the log, not between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command line, which ends us
    main()
    sys.stderr.flush()
    os._exit(0)  # all is done; taking the libraries apart would take seconds
