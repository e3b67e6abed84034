"""Airflow: its DAG files, its processes, and whether the other side of each of its connections answers."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pantau import catalogue, demo, mail, processes, runner
from pantau.database import airflow_is_there
from pantau.doctor.address import reached
from pantau.doctor.finding import Finding
from pantau.errors import PantauError
from pantau.settings import settings

_HOWTO = "docs/how-to/connect-your-first-real-feed.md"


def _users() -> dict[str, list[str]]:
    """The feeds that each connection serves."""
    found: dict[str, list[str]] = {}
    for feed in catalogue.load().values():
        for part in feed.parts:
            if name := feed.connection_id(part):
                found.setdefault(name, []).append(f"{feed.name} {part}".rstrip())
    return dict(sorted(found.items()))


@cache
def asked() -> dict[str, Any]:
    """All that Airflow is asked, at once: its start is what takes time. Nothing where it has no database yet."""
    if not airflow_is_there():
        return {}
    return processes.ask_airflow(
        revisions={}, import_errors={}, connections={"names": [*_users(), mail.CONNECTION]}
    )


def dags_and_connections() -> Iterator[Finding]:
    """Whether the DAG files load, and the other side of each connection answers."""
    answers = asked()
    if not answers:
        return
    for file, error in answers["import_errors"].items():
        yield Finding(
            "DAGs",
            "problem",
            f"{file} cannot be loaded: {error.strip().splitlines()[-1][:200]}",
            "Mend the file.",
        )
    if not answers["import_errors"]:
        yield Finding("DAGs", "ok", "all files load")
    known: dict[str, str | None] = answers["connections"]
    simulated, unknown = _simulator_connections(), []
    for name, users in _users().items():
        if uri := known[name]:
            yield reached(name, uri, ", ".join(users))
        elif name in simulated:
            yield reached(name, simulated[name], f"{', '.join(users)}, by the simulator")
        else:
            unknown.append(name)
    real = any(known[name] for name in _users())
    if unknown:
        yield Finding(
            "connections", "problem" if real else "attention", f"not known: {', '.join(unknown)}",
            f"Add them ({_HOWTO}); for the demo, `make up` leads them to the simulator.",
        )  # fmt: skip
    yield _mail(known[mail.CONNECTION])


def _simulator_connections() -> dict[str, str]:
    """The connections that lead to the simulator, by id; empty where it does not run."""
    try:
        at = processes.endpoints(0)
    except PantauError:
        return {}
    return {name.removeprefix("AIRFLOW_CONN_").lower(): uri for name, uri in demo.connections(at).items()}


def _mail(uri: str | None) -> Finding:
    if not settings.engineer_mail:
        return Finding(
            "mail",
            "attention",
            "PANTAU_ENGINEER_MAIL is not set: nobody is told of late feeds",
            "docs/reference/cli.md",
        )
    if not uri:
        return Finding(
            "mail", "attention", f"the connection {mail.CONNECTION} is not known: no mail goes out",
            "docs/runbooks/late-feed.md",
        )  # fmt: skip
    return reached(mail.CONNECTION, uri, f"mails to {settings.engineer_mail}")


def running() -> Iterator[Finding]:
    """The heartbeats of Airflow's processes."""
    for name, job in (
        ("scheduler", "SchedulerJob"), ("dag-processor", "DagProcessorJob"), ("triggerer", "TriggererJob"),
    ):  # fmt: skip
        age = runner.heartbeat_age_s(job)
        if age is None:
            yield Finding(name, "ok", "does not run on this database")
        elif age <= runner.SLOW_S:
            yield Finding(name, "ok", f"runs, last heartbeat {age:.0f} s ago")
        else:
            yield Finding(
                name, "attention", f"last heartbeat {age:,.0f} s ago, without an orderly end",
                "If it should run: its log; then start it again.",
            )  # fmt: skip
