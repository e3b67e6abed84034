"""The embedded server after crashes and restored backups: ours is found, a stranger is left alone."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pantau import server
from pantau.errors import PantauError
from pantau.settings import settings
from tests.integration.test_doctor import pantau

STRANGER = "import time, sys; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def ours(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server of this test's own that has run once; its data folder."""
    monkeypatch.setattr(settings, "var", tmp_path / "var")
    monkeypatch.setattr(settings, "database_url", "")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with server.running():
        pass
    yield tmp_path / "var" / "postgres"
    server.stop()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process named postgres that serves another folder."""
    other = tmp_path / "other"
    other.mkdir()
    with subprocess.Popen(
        [str(tmp_path / "postgres"), "-c", STRANGER], executable=sys.executable, cwd=other,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def _left_behind(data: Path, number: int, status: str) -> None:
    lines = [str(number), str(data), "1700000000", "5999", "", "127.0.0.1", "  1  2", status, ""]
    (data / "postmaster.pid").write_text("\n".join(lines))


@pytest.mark.parametrize("status", ["ready   ", "starting"])
def test_a_stranger_under_the_number_of_a_dead_server_is_left_alone(
    ours: Path, stranger: subprocess.Popen[str], status: str
) -> None:
    _left_behind(ours, stranger.pid, status)
    server.stop()
    assert stranger.poll() is None
    _left_behind(ours, stranger.pid, status)
    begun = time.monotonic()
    with server.running() as url:
        assert ":5999/" not in url
        assert server._port(ours) is not None
    assert time.monotonic() - begun < 60
    assert stranger.poll() is None
    assert not (ours / "postmaster.pid").exists()


def test_an_empty_lock_file_of_a_crash_is_waited_for_and_then_deleted(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ours / "postmaster.pid").touch()
    monkeypatch.setattr(server, "_EMPTY_S", 0.5)
    with server.running():
        assert server._port(ours) is not None


def test_a_server_that_runs_is_found_and_one_that_never_gets_ready_is_told(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.running() as url:
        assert f":{server._port(ours)}/" in url
        known = ours / "postmaster.pid"
        kept = known.read_bytes()
        known.write_bytes(kept.replace(b"ready   ", b"starting"))
        monkeypatch.setattr(server, "_READY_S", 0.3)
        with pytest.raises(PantauError, match="is not ready"):
            server._port(ours)
        known.write_bytes(kept)


def test_without_the_secret_every_command_says_what_is_missing(ours: Path) -> None:
    (ours.parent / "postgres.secret").unlink()
    for command in (("feeds",), ("psql",), ("pull", "kemendagri__wilayah")):
        ended = pantau(*command)
        assert ended.returncode == 1
        for text in ("secret is missing", "postgres.secret", "backup", "running-system.md"):
            assert text in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
    looked = pantau("doctor")
    assert looked.returncode == 1
    assert "secret is missing" in looked.stdout
    assert "Traceback" not in looked.stderr


def test_where_there_is_no_server_yet_a_lost_secret_is_nothing(ours: Path) -> None:
    shutil.rmtree(ours)
    with server.running():
        assert server._port(ours) is not None


def test_who_the_server_runs_as_gets_through_folders_that_are_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "var", tmp_path / "var")
    monkeypatch.setattr(server, "_guise", lambda: ([], {"user": os.geteuid(), "group": os.getegid()}))
    log = tmp_path / "var" / "log" / "postgres.log"
    log.parent.mkdir(parents=True)
    for folder in (tmp_path, log.parent.parent, log.parent):
        folder.chmod(0o700)
    log.touch()
    server._hand_over(log)
    modes = [folder.stat().st_mode & 0o777 for folder in (log.parent, log.parent.parent, tmp_path)]
    assert modes == [0o711, 0o711, 0o700]
