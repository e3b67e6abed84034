"""A database with real deliveries: nothing that simulates touches it, whichever command is mistaken for another."""

from pathlib import Path

import pytest

from pantau import clock, demo
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G
from tests.integration.test_doctor import pantau
from tests.integration.test_manifest import at, deliver, head


def _made() -> set[str]:
    """What stands in the folders but logs and locks."""
    found = {
        path.relative_to(folder.parent)
        for folder in (settings.var, settings.inbox, settings.out)
        for path in folder.rglob("*")
    }
    return {str(path) for path in found if path != Path("var/up.lock")}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("command", [("demo",), ("up",), ("process", "simulator")])
@pytest.mark.parametrize("set_before", [False, True])
def test_what_simulates_refuses_before_it_changes_anything(
    command: tuple[str, ...], set_before: bool
) -> None:
    delivery, _ = deliver(DESA_4G, "2026-06")
    if set_before:  # by a command of the time before this one refused
        at("2026-08-20")
    known, made = head(), _made()
    ended = pantau(*command)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    for text in (
        "holds real deliveries",
        f"delivery {delivery}",
        "DATABASE_URL",
        "PANTAU_VAR",
        "PANTAU_INBOX",
    ):
        assert text in ended.stderr
    assert _made() == made
    assert head() == known
    with connect() as connection:
        assert clock.is_set(connection) == set_before


@pytest.mark.usefixtures("database")
def test_a_database_of_simulated_deliveries_is_let_through() -> None:
    demo.refuse_real_data()
    at("2026-08-20")  # what comes under a set clock is simulated
    deliver(DESA_4G, "2026-06")
    demo.refuse_real_data()
