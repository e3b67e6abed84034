"""What every test may ask for: a real PostgreSQL, a database of its own, folders of its own.

A skip fails the run where PANTAU_NO_SKIPS is set (continuous integration has all that tests need).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pantau import server, setup
from pantau.settings import settings

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_FOLDERS = ("var", "inbox", "out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and name, the tests on real data where that data is absent."""
    if SHARED.is_dir():
        return
    absent = [item for item in items if item.get_closest_marker("shared_data")]
    if absent:
        print("\nDeselected, for the real data is not beside the checkout:")
        for item in absent:
            print(f"  {item.nodeid}")
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skip is a failure in continuous integration."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PANTAU_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data (tests that use it carry the mark `shared_data`)."""
    return SHARED


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded server with a prepared database `pantau` that serves as template; yields its administrator's URL."""
    before = {name: getattr(settings, name) for name in _FOLDERS}
    settings.var = tmp_path_factory.mktemp("server")
    server.OPTIONS["fsync"] = "off"  # a database per test, none of which has to outlive the machine
    with server.running():
        setup.prepare()
        for name, value in before.items():
            setattr(settings, name, value)
        yield settings.owner_url


def _named(url: str, database: str) -> str:
    return url.rsplit("/", 1)[0] + "/" + database


@contextmanager
def own_database(postgres: str, folder: Path) -> Iterator[str]:
    """A prepared database with folders of its own, for as long as the block; yields its administrator's URL.

    The product logs in as it does everywhere, and takes its roles.
    """
    name = f"test_{os.getpid()}_{abs(hash(folder)) % 10**9}"
    with (
        psycopg.connect(_named(postgres, "postgres"), autocommit=True) as connection,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        connection.execute(f"create database {name} template pantau owner pantau_owner")
        url, login = _named(postgres, name), _named(settings.database_url, name)
        monkeypatch.setattr(settings, "database_url", login)
        monkeypatch.setattr(settings, "owner_url", url)
        monkeypatch.setenv("DATABASE_URL", login)
        monkeypatch.setenv("PANTAU_OWNER_URL", url)
        for own in _FOLDERS:
            monkeypatch.setattr(settings, own, folder / own)
        yield url
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> Iterator[str]:
    """A prepared database of the test's own, and folders of its own; yields its administrator's URL."""
    with own_database(postgres, tmp_path) as url:
        yield url
