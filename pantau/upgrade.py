"""Brings everything in the database to the version of this code: the product's tables, registers, Airflow's own.

Promise: running it again changes nothing; looking changes nothing at all.
"""

from dataclasses import dataclass
from typing import Any

from pantau import keys, processes, roles, setup
from pantau.database import airflow_is_there, airflow_url, exists


@dataclass(frozen=True)
class Part:
    """One thing with a version: what the database has ('' where nothing is there) and what this code wants."""

    name: str
    has: str
    wants: str

    @property
    def behind(self) -> bool:
        """Whether it is to be brought up to date."""
        return self.has != self.wants


def state(revisions: dict[str, Any] | None = None) -> list[Part]:
    """Every part as it stands. Raises PantauError where the database does not let us in.

    Args:
        revisions: what Airflow has answered, where it has been asked already.
    """
    parts = [Part(*each) for each in setup.state()]
    if revisions is None and not airflow_is_there():
        return [*parts, Part("Airflow", "", "a database of its own")]
    return [*parts, *_airflow(revisions or processes.ask_airflow(revisions={})["revisions"])]


def _airflow(revisions: dict[str, Any]) -> list[Part]:
    return [Part(name, known["has"] or "", known["wants"]) for name, known in revisions.items()]


def run() -> tuple[list[tuple[str, Part]], bool]:
    """Upgrade what is behind, and make Airflow's first administrator.

    Returns:
        What each part was at, with the part as it is now; and whether the administrator is new.
    """
    roles.ensure()
    before = {name: has for name, has, _ in setup.state()}
    setup.prepare()
    exists(airflow_url())  # or it says that its login is not let in
    answer = processes.ask_airflow(migrate={"name": keys.ADMIN, "password": keys.admin_password()})["migrate"]
    before |= {part.name: part.has for part in _airflow(answer["before"])}
    return [(before[part.name], part) for part in state(answer["after"])], bool(answer["made"])
