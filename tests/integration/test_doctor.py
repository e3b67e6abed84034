"""`pantau doctor` and `pantau migrate`: what is well, what is broken, and that looking changes nothing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import asyncssh
import psycopg
import pytest

from pantau import roles, runner, setup, upgrade
from pantau.database import Role, airflow_url, lost
from pantau.database import connect as connect_as
from pantau.demo import Simulator
from pantau.doctor import address as reach
from pantau.doctor import database as inside
from pantau.doctor import machine
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G, Stage
from tests.integration.standin import at, deliver


def pantau(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, on the test's database and folders."""
    folders = {f"PANTAU_{name.upper()}": str(getattr(settings, name)) for name in ("var", "inbox", "out")}
    return subprocess.run(
        [sys.executable, "-m", "pantau.cli", *arguments], env={**os.environ, **folders, **variables},
        capture_output=True, text=True, check=False, cwd=settings.root, timeout=300,
    )  # fmt: skip


def found(check: object) -> dict[str, tuple[str, str]]:
    """check → state, what."""
    return {f.check: (f.state, f.what) for f in check}  # type: ignore[attr-defined]


@pytest.fixture
def airflow(database: str) -> Iterator[None]:
    """Airflow's database is there for this test, and gone after it."""
    roles.ensure()
    yield
    name = airflow_url().rsplit("/", 1)[1]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def test_from_nothing_to_up_to_date_and_again(airflow: None, database: str) -> None:
    behind = pantau("migrate", "--check")
    assert behind.returncode == 1, behind.stdout + behind.stderr
    assert "Airflow 3" in behind.stdout
    assert "is behind this code" in behind.stderr

    done = pantau("migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("upgraded") == 2  # Airflow's two; the product's stand in the template
    password = (settings.var / "airflow" / "admin.password").read_text().strip()
    assert "admin.password" in done.stdout
    assert password not in done.stdout + done.stderr

    changes, made = upgrade.run()
    assert not made
    assert all(had == part.has == part.wants for had, part in changes)
    assert len(changes) == 4

    at("2026-08-20")
    secret = "geheim-9f3c"
    dags = settings.var / "dags"
    shutil.copytree(settings.dags, dags, ignore=shutil.ignore_patterns("__pycache__"))
    (dags / "broken.py").write_text("import airflow  # dag\nraise RuntimeError('not today')\n")
    ckan = f"http://user:{secret}@127.0.0.1:1/"
    looked = pantau("doctor", AIRFLOW_CONN_KOMDIGI_CKAN=ckan, PANTAU_DAGS=str(dags))
    assert looked.returncode == 1, looked.stdout + looked.stderr
    told = " ".join(looked.stdout.split())  # cells may be folded
    for text in (
        "DAGs problem broken.py cannot be loaded", "http://127.0.0.1:1 cannot be reached",
        "not known: bakti_sftp", "stands at 2026-08-20",
    ):  # fmt: skip
        assert text in told, looked.stdout
    assert secret not in looked.stdout + looked.stderr
    assert password not in looked.stdout + looked.stderr
    with connect() as connection:
        row = connection.execute("select count(*) as n from ops.delivery").fetchone()
        assert row == {"n": 0}


def test_a_database_that_goes_away_is_told_as_that_and_what_it_says_otherwise_is_not(database: str) -> None:
    with connect_as(Role.READER) as connection, connect() as administrator:
        administrator.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError) as caught:
            connection.execute("select 1")
    told = lost(caught.value)
    assert told is not None
    assert "The database went away: terminating connection" in told.what
    assert "the same command again" in told.next_step
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect("postgresql://nobody@nowhere.invalid/pantau")
    assert "nowhere.invalid" in str(lost(caught.value))
    full = psycopg.errors.DiskFull("could not extend file")
    assert lost(full) is None  # the server's own words, with what it was doing, are for the one who mends it


def test_without_a_database_it_says_where_it_looked() -> None:
    looked = pantau("doctor", DATABASE_URL="postgresql://u:geheim-7@127.0.0.1:1/pantau")
    assert looked.returncode == 1
    assert "does not let us in" in looked.stdout
    assert "geheim-7" not in looked.stdout + looked.stderr
    checked = pantau("migrate", "--check", DATABASE_URL="postgresql://u:geheim-7@127.0.0.1:1/pantau")
    assert checked.returncode == 1
    assert "does not let us in" in checked.stderr
    assert "geheim-7" not in checked.stdout + checked.stderr


def test_an_older_schema_and_changed_feeds_are_behind(database: str) -> None:
    assert not [part for part in setup.state() if part[1] != part[2]]
    with connect() as connection:
        connection.execute("update alembic_version set version_num = '0001'")
        connection.execute("update ops.prepared set stamp = 'older'")
    assert [(name, has) for name, has, wants in setup.state() if has != wants] == [
        ("Pantau's tables", "0001"), ("feeds and registers", "older"),
    ]  # fmt: skip


def test_who_is_reached_and_who_is_not(simulator: Simulator) -> None:
    sftp, other = simulator.at["sftp"], asyncssh.generate_private_key("ssh-ed25519").export_public_key()
    uri = simulator.connections()["AIRFLOW_CONN_KEMENKEU_SFTP"]
    address = f"sftp://user:pw@127.0.0.1:{sftp['port']}/"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        cases = {
            uri: ("ok", "answers with the pinned key"),
            address: ("problem", "pins no host key"),
            f"{address}?host_key={quote(other.decode().strip())}": ("problem", "shows another host key"),
            f"{address}?host_key=nonsense": ("problem", "host_key is no public key"),
            f"sftp://127.0.0.1:{silent.getsockname()[1]}/?host_key={quote(sftp['host_key'])}": (
                "problem", "cannot be reached",
            ),
            simulator.at["http"]: ("ok", "answers"),
            simulator.at["http"].replace("http:", "https:"): ("problem", "cannot be reached"),
            "https://nowhere.invalid": ("problem", "cannot be reached"),
        }  # fmt: skip
        for each, (state, what) in cases.items():
            told = reach.reached("x", each, "feed")
            assert (told.state, what in told.what) == (state, True), told
            assert sftp["password"] not in str(told)


def test_leftovers_and_the_clock(stage: Stage) -> None:
    assert found(inside.leftovers())["leftovers"][0] == "ok"
    assert found(inside.product_clock())["clock"][0] == "attention"
    unread = deliver(DESA_4G, "2026-06", read=False)[0]
    deliver(DESA_4G, "2026-07")
    settings.landing.mkdir(parents=True, exist_ok=True)
    spool = settings.landing / "incoming-x"
    spool.mkdir()
    os.utime(spool, (0, 0))
    told = [f.what for f in inside.leftovers()]
    assert told[0] == f"delivery {unread} of {DESA_4G} 2026-06 is not read"
    assert any("1 reading(s) are not checked" in text for text in told)
    assert any("1 folder(s) of killed pulls" in text for text in told)
    with connect() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute("delete from ops.clock_setting")
    assert found(inside.product_clock())["clock"][0] == "ok"


def test_secrets_that_others_may_read(database: str) -> None:
    runner.environment()  # makes the keys
    path = settings.var / "airflow" / "keys.json"
    assert found(machine.secrets())["secrets"][0] == "ok"
    path.chmod(0o644)
    assert found(machine.secrets())["secrets"] == ("problem", f"others may read {path}")


def test_folders_and_fonts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {state for state, _ in found(machine.folders()).values()} <= {"ok", "attention"}
    assert not settings.out.exists()  # looking makes nothing
    settings.out.write_text("a file where a folder should be")
    assert found(machine.folders())["folder out"][0] == "problem"
    assert found(machine.fonts())["fonts"][0] == "ok"
    fonts = settings.var / "templates" / "fonts"
    fonts.mkdir(parents=True)
    (fonts / "Broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(settings, "templates", fonts.parent)
    assert [f.state for f in machine.fonts()] == ["problem", "problem"]
