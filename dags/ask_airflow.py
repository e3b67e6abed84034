"""Airflow's own metadata, for the command line: one JSON question on stdin, one JSON answer on stdout.

Not a DAG (see .airflowignore). Promise: it changes nothing but by `migrate`; what it answers may hold secrets,
so the command line prints none of it as it is.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")


def revisions() -> dict[str, dict[str, str | None]]:
    """Of each of Airflow's schemas: the revision that the database has, and the one that this Airflow wants."""
    import airflow
    from airflow import settings
    from airflow.providers.fab.auth_manager.models.db import FABDBManager
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(airflow.__file__).parent / "migrations"))
    with settings.get_engine().connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    users = FABDBManager(settings.Session())
    return {
        f"Airflow {airflow.__version__}": {"has": current, "wants": scripts.get_current_head()},
        "Airflow's users": {
            "has": users.get_current_revision(),
            "wants": users.get_script_object().get_current_head(),
        },
    }


def migrate(name: str, password: str) -> dict[str, Any]:
    """Bring Airflow's schemas to this version, and make the first administrator where there is none of the name."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.db import upgradedb

    before = revisions()
    upgradedb()
    with get_application_builder() as builder:
        users = builder.sm
        made = users.find_user(username=name) is None and users.add_user(
            name, "Pantau", "Administrator", f"{name}@localhost", users.find_role("Admin"), password=password
        )
    return {"made": bool(made), "before": before, "after": revisions()}


def connections(names: list[str]) -> dict[str, str | None]:
    """The URI of each connection, as a task would get it; None where Airflow does not know it."""
    from airflow.exceptions import AirflowNotFoundException
    from airflow.models import Connection  # the SDK's asks a task's supervisor

    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = Connection.get_connection_from_secrets(name).get_uri()  # noqa: AIR311
        except AirflowNotFoundException:
            found[name] = None
    return found


def import_errors() -> dict[str, str]:
    """Of each DAG file that cannot be loaded, what Python says."""
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = Path(__file__).parent
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    return {Path(file).name: error for file, error in bag.import_errors.items()}


ANSWERS = {f.__name__: f for f in (revisions, migrate, connections, import_errors)}


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    logging.disable(logging.INFO)
    asked = json.load(sys.stdin)
    json.dump({name: ANSWERS[name](**arguments) for name, arguments in asked.items()}, answers)
