"""Files over SFTP, from a server whose host key the connection pins."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncssh

from pantau.catalogue import Feed, Sftp
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, fill, place


def file(feed: Feed, period: str, connection: str, spool: Path, held: str | None) -> Fetched | None:
    """The file at the transport's path. Raises PantauError where the server shows another host key."""
    return asyncio.run(_file(feed, period, connection, spool))


async def _file(feed: Feed, period: str, connection: str, spool: Path) -> Fetched | None:
    assert isinstance(feed.transport, Sftp)
    parts = urlsplit(connection)
    remote = fill(feed.transport.path, period)
    where = place(feed, period, address=f"sftp://{parts.hostname}:{parts.port or 22}{remote}")
    key = parse_qs(parts.query).get("host_key", [""])[0]
    if not key:
        raise PantauError(
            f"The connection '{feed.transport.connection}' pins no host key.",
            where=where,
            next_step="Add host_key (as `ssh-keyscan` prints it, after comparing it with the owner's).",
        )
    target = spool / Path(remote).name
    try:
        async with (
            asyncssh.connect(
                parts.hostname or "",
                parts.port or 22,
                username=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                known_hosts=([asyncssh.import_public_key(key)], [], []),
                client_keys=None,
                config=None,
                connect_timeout=10,
                login_timeout=20,
            ) as link,
            link.start_sftp_client() as client,
        ):
            try:
                size = (await client.stat(remote)).size
            except asyncssh.SFTPNoSuchFile:
                return None
            await client.get(remote, target, sparse=False)
    except asyncssh.HostKeyNotVerifiable as error:
        raise PantauError(
            "The SFTP server shows another host key than the one pinned: it may not be the owner's.",
            where=where,
            next_step="Fetch nothing from it. Compare the key with the owner by another way; "
            "only then change the connection.",
        ) from error
    except asyncssh.PermissionDenied as error:
        raise PantauError(
            "The SFTP server refuses the user or password.",
            where=where,
            next_step=f"Renew the connection '{feed.transport.connection}'.",
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise TransientError(
            f"The SFTP connection failed ({error}).",
            where=where,
            next_step="Nothing of it was kept; it is tried again by itself.",
        ) from error
    if size is not None and target.stat().st_size != size:
        raise TransientError(
            f"{target.stat().st_size:,} bytes came where the server states {size:,}.",
            where=where,
            next_step="Nothing of it was kept; it is tried again by itself.",
        )
    return Fetched(f"sftp {remote}", [File(target.name, target)])
