"""A file over SFTP: whole and with what names it, and not sent again while its owner states the same."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncssh
import pytest

from pantau.fetch import Held, Order, fetch

FEED, NAME = "bakti__bts", "bakti/bts_2026-08.xlsx"
MakeOrder = Callable[..., Order]


@dataclass
class Server:
    """A running SFTP server on `folder`; `opened` is what was read from it."""

    folder: Path
    connection: str = ""
    opened: list[str] = field(default_factory=list)

    def put(self, content: bytes, changed: int) -> None:
        """Lay the file ready."""
        path = self.folder / NAME
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (changed, changed))


class _AnyLogin(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


@contextmanager
def _serving(folder: Path) -> Iterator[Server]:
    server, loop, key = Server(folder), asyncio.new_event_loop(), asyncssh.generate_private_key("ssh-ed25519")

    class Folder(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=str(folder))

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            server.opened.append(path.decode())
            return super().open(path, pflags, attrs)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=_AnyLogin, sftp_factory=Folder
        )

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    pinned = quote(" ".join(key.export_public_key().decode().split()[:2]), safe="")
    server.connection = f"sftp://bts:x@127.0.0.1:{acceptor.get_port()}/?host_key={pinned}"
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server on an empty folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    with _serving(folder) as made:
        yield made


def test_what_the_owner_has_not_yet_is_none(server: Server, order: MakeOrder) -> None:
    assert fetch(order(FEED, server.connection)) is None


def test_a_file_with_the_size_and_time_that_we_hold_is_not_sent_again(
    server: Server, order: MakeOrder
) -> None:
    server.put(b"first", 1_000_000)
    got = fetch(order(FEED, server.connection))
    assert got is not None
    assert [file.path.read_bytes() for file in got.files] == [b"first"]
    assert len(server.opened) == 1

    again = fetch(order(FEED, server.connection, held=Held("f" * 64, got.validator)))
    assert again is not None
    assert (again.unchanged, again.files, len(server.opened)) == (True, [], 1)


@pytest.mark.parametrize(("content", "changed"), [(b"other", 1_000_001), (b"longer than that", 1_000_000)])
def test_another_time_or_size_is_another_file(
    server: Server, order: MakeOrder, content: bytes, changed: int
) -> None:
    server.put(b"first", 1_000_000)
    held = fetch(order(FEED, server.connection))
    assert held is not None
    server.put(content, changed)
    got = fetch(order(FEED, server.connection, held=Held("f" * 64, held.validator)))
    assert got is not None
    assert not got.unchanged
    assert [file.path.read_bytes() for file in got.files] == [content]
    assert got.validator != held.validator
