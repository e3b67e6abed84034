"""Kemenkeu's SFTP server: one read-only folder, made from the institutions at their clock.

Promise: it reads and writes nothing on the machine's own disk.
"""

from __future__ import annotations

import asyncio
import hmac
import posixpath
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncssh

from simulator.deliveries import ANGGARAN, FEED_PERIODS
from simulator.institutions import Institutions, Ready

USER = "pantau"
FOLDER = "/keluar"


@dataclass
class Open:
    """A file as it was when it was opened; `data` may end before the size it says."""

    attrs: asyncssh.SFTPAttrs
    data: bytes


class _Login(asyncssh.SSHServer):
    def __init__(self, password: str) -> None:
        self._password = password

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username == USER and hmac.compare_digest(password.encode(), self._password.encode())


class Folder(asyncssh.SFTPServer):
    """`/keluar` with the files that lie ready. What writes is refused."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], institutions: Institutions) -> None:
        super().__init__(channel)
        self._institutions = institutions

    def _find(self, path: bytes) -> Ready | None:
        """The file at a path, None for a folder."""
        clean = posixpath.normpath(posixpath.join("/", path.decode("utf-8", "replace")))
        if clean in ("/", FOLDER):
            return None
        period = posixpath.basename(clean).removeprefix("anggaran_tik_").removesuffix(".csv")
        ready = self._institutions.ready(ANGGARAN, period)
        if ready is None or clean != f"{FOLDER}/{_name(ready)}":
            raise asyncssh.SFTPNoSuchFile("No such file")
        return ready

    def realpath(self, path: bytes) -> bytes:
        """The path without dots."""
        return posixpath.normpath(posixpath.join(b"/", path))

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Size and time of a file, or the mode of a folder."""
        return _attrs(self._find(path))

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """As `stat`: there are no links."""
        return _attrs(self._find(path))

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """The names in a folder."""
        if self._find(path) is not None:
            raise asyncssh.SFTPNoSuchFile("Not a folder")
        if self.realpath(path) == b"/":
            yield asyncssh.SFTPName(FOLDER[1:].encode(), attrs=_attrs(None))
            return
        for period in FEED_PERIODS[ANGGARAN]:
            if ready := self._institutions.ready(ANGGARAN, period):
                yield asyncssh.SFTPName(_name(ready).encode(), attrs=_attrs(ready))

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Opens for reading alone; here the faults in sending happen."""
        ready = self._find(path)
        if ready is None or pflags & ~asyncssh.FXF_READ:
            raise asyncssh.SFTPPermissionDenied("This folder is for reading")
        await asyncio.sleep(self._institutions.seconds(ready))
        if self._institutions.happens(ready, "server_error"):
            raise asyncssh.SFTPFailure("Temporary failure")
        data = self._institutions.body(ready)
        short = self._institutions.happens(ready, "short_body")
        return Open(_attrs(ready), data[: len(data) // 2] if short else data)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of an open file."""
        assert isinstance(file_obj, Open)
        return file_obj.data[offset : offset + size]

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        """Size and time of an open file."""
        assert isinstance(file_obj, Open)
        return file_obj.attrs

    def close(self, file_obj: object) -> None:
        """Nothing to do: an open file is a copy."""


def _refuse(*_: object) -> None:
    raise asyncssh.SFTPPermissionDenied("This folder is for reading")


# What the library would else do on the machine's own files.
for _action in (
    "open56",
    "write",
    "setstat",
    "lsetstat",
    "fsetstat",
    "remove",
    "mkdir",
    "rmdir",
    "rename",
    "readlink",
    "symlink",
    "link",
    "lock",
    "unlock",
    "posix_rename",
    "statvfs",
    "fstatvfs",
    "fsync",
):
    setattr(Folder, _action, _refuse)


def _name(ready: Ready) -> str:
    return f"anggaran_tik_{ready.period}.csv"


def _attrs(ready: Ready | None) -> asyncssh.SFTPAttrs:
    if ready is None:
        return asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o555, nlink=1)
    at = int(ready.at.timestamp())
    return asyncssh.SFTPAttrs(size=ready.size, permissions=stat.S_IFREG | 0o444, atime=at, mtime=at, nlink=1)


async def serve(
    institutions: Institutions, listener: socket.socket, password: str, key: asyncssh.SSHKey
) -> asyncssh.SSHAcceptor:
    """Serves on a bound socket."""
    return await asyncssh.listen(
        sock=listener,
        server_factory=lambda: _Login(password),
        sftp_factory=lambda channel: Folder(channel, institutions),
        server_host_keys=[key],
        allow_scp=False,
    )
