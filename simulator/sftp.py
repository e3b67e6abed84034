"""The SFTP server of Kemenkeu and BAKTI: a read-only folder for each login, made from the institutions.

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
from simulator.sites import BTS


@dataclass(frozen=True)
class Login:
    """What one user finds: the files of one feed in one folder."""

    feed: str
    folder: str
    name: str  # with the period for {}

    def path(self, period: str) -> str:
        """Where the file of a period lies."""
        return f"{self.folder}/{self.name.format(period)}"


LOGINS = {
    "pantau": Login(ANGGARAN, "/keluar", "anggaran_tik_{}.csv"),
    "pantau-bts": Login(BTS, "/bakti", "bts_{}.xlsx"),
}


@dataclass
class Open:
    """A file as it was when it was opened; `data` may end before the size it says."""

    attrs: asyncssh.SFTPAttrs
    data: bytes


class _Login(asyncssh.SSHServer):
    def __init__(self, passwords: dict[str, str]) -> None:
        self._passwords = passwords

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        known = self._passwords.get(username, "")
        return bool(known) and hmac.compare_digest(password.encode(), known.encode())


class Folder(asyncssh.SFTPServer):
    """The login's folder with the files that lie ready. What writes is refused."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], institutions: Institutions) -> None:
        super().__init__(channel)
        self._institutions = institutions
        self._login = LOGINS[channel.get_connection().get_extra_info("username")]

    def _find(self, path: bytes) -> Ready | None:
        """The file at a path, None for a folder."""
        clean = posixpath.normpath(posixpath.join("/", path.decode("utf-8", "replace")))
        if clean in ("/", self._login.folder):
            return None
        feed = self._login.feed
        for period in FEED_PERIODS[feed]:
            if clean == self._login.path(period) and (ready := self._institutions.ready(feed, period)):
                return ready
        raise asyncssh.SFTPNoSuchFile("No such file")

    def realpath(self, path: bytes) -> bytes:
        """The path without dots."""
        return posixpath.normpath(posixpath.join(b"/", path))

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Size and time of a file, or the mode of a folder."""
        return self._attrs(self._find(path))

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """As `stat`: there are no links."""
        return self._attrs(self._find(path))

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """The names in a folder."""
        if self._find(path) is not None:
            raise asyncssh.SFTPNoSuchFile("Not a folder")
        if self.realpath(path) == b"/":
            yield asyncssh.SFTPName(self._login.folder[1:].encode(), attrs=self._attrs(None))
            return
        for period in FEED_PERIODS[self._login.feed]:
            if ready := self._institutions.ready(self._login.feed, period):
                # without its size, for which every workbook would have to be made
                attrs = asyncssh.SFTPAttrs(permissions=stat.S_IFREG | 0o444, **_times(ready))
                yield asyncssh.SFTPName(self._login.name.format(period).encode(), attrs=attrs)

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
        return Open(self._attrs(ready), data[: len(data) // 2] if short else data)

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

    def _attrs(self, ready: Ready | None) -> asyncssh.SFTPAttrs:
        if ready is None:
            return asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o555, nlink=1)
        size = self._institutions.size(ready)
        return asyncssh.SFTPAttrs(size=size, permissions=stat.S_IFREG | 0o444, nlink=1, **_times(ready))


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


def _times(ready: Ready) -> dict[str, int]:
    at = int(ready.at.timestamp())
    return {"atime": at, "mtime": at}


async def serve(
    institutions: Institutions, listener: socket.socket, passwords: dict[str, str], key: asyncssh.SSHKey
) -> asyncssh.SSHAcceptor:
    """Serves on a bound socket. `passwords`: one for each user of LOGINS."""
    return await asyncssh.listen(
        sock=listener,
        server_factory=lambda: _Login(passwords),
        sftp_factory=lambda channel: Folder(channel, institutions),
        server_host_keys=[key],
        allow_scp=False,
    )
