"""The inbox: months are read; what is no file, no month or not whole is told by its name, and stops no other month."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pantau import catalogue
from pantau.doctor import machine
from pantau.errors import PantauError, TransientError
from pantau.fetch import inbox
from pantau.landing import due_periods, path_of, pull
from pantau.settings import settings
from tests.administrator import connect
from tests.integration.conftest import DESA_4G, WILAYAH
from tests.integration.test_doctor import pantau
from tests.integration.test_manifest import at

FEED = WILAYAH

pytestmark = pytest.mark.usefixtures("database")


def bring(period: str, name: str = "daftar.csv", text: str = "kode,nama\n11,Aceh\n") -> Path:
    """A file in the inbox that has lain there for long."""
    path = settings.inbox / FEED / period / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (0, 0))
    return path


def landed() -> set[str]:
    """The months of which there is a delivery."""
    with connect() as connection:
        return {row["period"] for row in connection.execute("select period from ops.delivery")}


def pull_all() -> dict[str, str]:
    """Pull all that a run would; what each that failed says."""
    told = {}
    for due in due_periods(FEED):
        try:
            pull(FEED, **due)
        except PantauError as error:
            told[due["period"]] = str(error)
    return told


def _secret(path: Path) -> Path:
    secret = settings.var / "airflow" / "keys.json"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("the key of everything")
    os.utime(secret, (0, 0))
    return secret


def _link(path: Path) -> None:
    path.symlink_to(_secret(path))


def _linked_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(_secret(path).parent)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)
        made.bind(path.name)
        os.chdir(settings.root)


STRANGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (_link, "symbolic link"),
    "a link that leads nowhere": (lambda path: path.symlink_to("/nowhere"), "symbolic link"),
    "a folder that is a link": (_linked_folder, "follows no links"),
    "a pipe": (os.mkfifo, "device, pipe or socket"),
    "a socket": (_socket, "device, pipe or socket"),
    "a folder": (Path.mkdir, "a folder within the month's"),
    "a name that is no text": (
        lambda path: Path(os.fsdecode(os.fsencode(path) + b"\xff")).touch(),
        "not UTF-8",
    ),
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_no_plain_file_is_told_and_not_read(case: str) -> None:
    at("2026-11-16")
    bring("2026-09")
    path = settings.inbox / FEED / "2026-10" / "daftar.csv"
    path.parent.mkdir(parents=True)
    make, told = STRANGE[case]
    make(path)
    found = pull_all()
    assert list(found) == ["2026-10"]
    assert told in found["2026-10"]
    assert f"inbox/{FEED}/2026-10" in found["2026-10"]
    assert "next:" in found["2026-10"]
    assert found["2026-10"].isprintable() or "\n" in found["2026-10"]
    assert landed() == {"2026-09"}
    assert not [p for p in settings.landing.rglob("*") if p.is_file() and b"key of" in p.read_bytes()]


def test_a_feeds_folder_that_is_a_link_is_not_followed() -> None:
    elsewhere = settings.inbox.parent / "elsewhere"
    (elsewhere / "2026-01").mkdir(parents=True)
    (elsewhere / "2026-01" / "daftar.csv").write_text("x")
    settings.inbox.mkdir()
    (settings.inbox / FEED).symlink_to(elsewhere)
    with pytest.raises(PantauError, match="follows no links"):
        due_periods(FEED)


def test_a_file_that_we_may_not_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2026-11-16")
    path = bring("2026-10")
    really = os.open

    def refuse(name: str, *arguments: int, **keywords: int) -> int:
        if name == path.name:
            raise PermissionError(13, "Permission denied")
        return really(name, *arguments, **keywords)

    monkeypatch.setattr(os, "open", refuse)
    told = pull_all()["2026-10"]
    assert "Permission denied" in told
    assert str(path) in told
    assert "chmod" in told


@pytest.mark.parametrize(
    "name",
    ["2026-13", "2026-1", "2026-10 (copy)", "2025_04", "April 2025", "2026-10-draft", "2026-05 ", "0000-01",
     "9999-12", "٢٠٢٦-٠١", "1999-12", "2026-10\x1b[2J", os.fsdecode(b"2026-\xff")],
)  # fmt: skip
def test_a_folder_that_is_no_month_is_told_and_the_months_are_read(name: str) -> None:
    at("2026-11-16")
    bring("2026-09")
    bring(name)
    (told,) = pull_all().values()
    assert "is no folder of a month" in told
    assert "\x1b" not in told
    assert landed() == {"2026-09"}


def test_files_beside_the_months_are_told_but_not_all_of_a_thousand() -> None:
    at("2026-11-16")
    bring("2026-09")
    for number in range(30):
        (settings.inbox / FEED / f"{number}.csv").touch()
    (settings.inbox / FEED / "2026-08").mkdir()  # empty: nothing lies there yet
    (settings.inbox / FEED / ".2026-07").mkdir()
    told = pull_all()
    assert len(told) == 20
    assert "'0.csv' in the inbox is no folder of a month" in told["0.csv"]
    assert landed() == {"2026-09"}


def test_a_month_that_has_not_begun_is_refused() -> None:
    at("2026-11-16")
    bring("2026-11")
    bring("2026-12")
    told = pull_all()
    assert list(told) == ["2026-12"]
    assert "has not begun: it is 2026-11-16" in told["2026-12"]
    assert landed() == {"2026-11"}


def test_folders_of_no_feed_are_told_by_pull_and_doctor() -> None:
    settings.inbox.mkdir()
    assert [f.state for f in machine.brought()] == ["ok"]
    (settings.inbox / "uji__tanpayaml").mkdir()
    (settings.inbox / "lepas.csv").touch()
    (settings.inbox / DESA_4G).mkdir()
    assert len(list(machine.brought())) == 3
    told = "\n".join(map(str, inbox.strays()))
    for text in ("'uji__tanpayaml'", "'lepas.csv'", f"The feed {DESA_4G} is not brought by the inbox"):
        assert text in told
    ended = pantau("pull", FEED)
    assert ended.returncode == 0, ended.stderr
    assert "'uji__tanpayaml' in the inbox is no feed's folder" in ended.stdout
    assert f"nothing lies in {settings.inbox / FEED}" in ended.stdout


def test_a_file_that_grows_is_waited_for_and_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2026-11-16")
    monkeypatch.setattr(inbox, "QUIET_S", 1.0)
    path = settings.inbox / FEED / "2026-10" / "daftar.csv"
    path.parent.mkdir(parents=True)
    path.write_text("kode,nama\n")

    def write() -> None:
        for number in range(10):
            time.sleep(0.3)
            with open(path, "a") as file:
                file.write(f"{number},x\n")

    writer = threading.Thread(target=write)
    writer.start()
    pull(FEED, "2026-10")
    writer.join()
    with connect() as connection:
        rows = connection.execute("select sha256 from ops.delivery_file").fetchall()
    assert [path_of(row["sha256"]).read_text().count("\n") for row in rows] == [11]


def test_a_file_that_does_not_come_to_rest_is_left_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2026-11-16")
    monkeypatch.setattr(inbox, "_PATIENCE_S", 0.3)
    os.utime(bring("2026-10"))
    with pytest.raises(TransientError, match="still being written"):
        pull(FEED, "2026-10")
    assert landed() == set()


def test_a_file_that_changes_while_it_is_copied_is_not_landed(monkeypatch: pytest.MonkeyPatch) -> None:
    at("2026-11-16")
    path = bring("2026-10")
    really = inbox._copy

    def copy(*arguments: object) -> None:
        really(*arguments)  # type: ignore[arg-type]
        path.write_text("kode,nama\n11,Aceh\n12,Sumatera Utara\n")

    monkeypatch.setattr(inbox, "_copy", copy)
    with pytest.raises(TransientError, match="still being written"):
        pull(FEED, "2026-10")
    assert landed() == set()


def test_the_feeds_of_these_tests_are_what_they_are_taken_for() -> None:
    assert catalogue.feed(FEED).transport.kind == "inbox"
    assert catalogue.feed(DESA_4G).transport.kind != "inbox"
