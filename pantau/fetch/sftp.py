"""Files over SFTP, from a server whose host key the connection pins."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncssh

from pantau.catalogue import Sftp
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, Order


def file(order: Order) -> Fetched | None:
    """The file at the transport's path. Raises PantauError where the server shows another host key."""
    return asyncio.run(_file(order))


async def _file(order: Order) -> Fetched | None:
    assert isinstance(order.feed.transport, Sftp)
    parts = urlsplit(order.connection)
    remote = order.fill(order.feed.transport.path)
    try:
        host, port = parts.hostname or "", parts.port or 22
    except ValueError:
        raise PantauError(  # without the cause, which would show a part of the password
            f"The connection '{order.connection_id}' is no address of an SFTP server.",
            where=order.place(),
            next_step="Write it as sftp://user:password@host:22/, with what is special in them percent-encoded.",
        ) from None
    where = order.place(address=f"sftp://{host}:{port}{remote}")
    key = parse_qs(parts.query).get("host_key", [""])[0]
    if not key:
        raise PantauError(
            f"The connection '{order.connection_id}' pins no host key.",
            where=where,
            next_step="Add host_key (as `ssh-keyscan` prints it, after comparing it with the owner's).",
        )
    target = order.spool / Path(remote).name
    try:
        async with (
            asyncssh.connect(
                host,
                port,
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
            next_step=f"Renew the connection '{order.connection_id}'.",
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
