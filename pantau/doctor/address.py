"""Whether an address answers, without logging in anywhere."""

import asyncio
import socket
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pantau.doctor.finding import Finding

_SECONDS = 10  # for one address


def reached(name: str, uri: str, users: str) -> Finding:
    """Whether the other side answers: a TCP connection, TLS where it is spoken, the SSH host key. Logs in nowhere."""
    parts = urlsplit(uri)
    kind, host = parts.scheme, parts.hostname or ""
    port = parts.port or {"https": 443, "sftp": 22, "smtp": 25}.get(kind, 80)
    check, place = f"connection {name}", f"{kind}://{host}:{port}"
    try:
        if kind == "sftp":
            return _host_key(check, host, port, parse_qs(parts.query).get("host_key", [""])[0], users)
        with socket.create_connection((host, port), timeout=_SECONDS) as plain:
            if kind == "https":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=host):
                    pass
    except ssl.SSLCertVerificationError as error:
        return Finding(
            check, "problem", f"{place}: its certificate does not hold ({error.verify_message})",
            "Compare it with the owner; never switch the check off.",
        )  # fmt: skip
    except OSError as error:
        return Finding(
            check,
            "problem",
            f"{place} cannot be reached: {error}",
            "Network, firewall, address: ask its owner.",
        )
    return Finding(check, "ok", f"{place} answers ({users})")


def _host_key(check: str, host: str, port: int, pinned: str, users: str) -> Finding:
    import asyncssh

    place = f"sftp://{host}:{port}"
    if not pinned:
        return Finding(
            check, "problem", f"{place}: the connection pins no host key",
            "Add host_key, as `ssh-keyscan` prints it, after comparing it with the owner's.",
        )  # fmt: skip

    async def shown(algorithm: str) -> Any:
        return await asyncio.wait_for(
            asyncssh.get_server_host_key(host, port, server_host_key_algs=[algorithm], config=None), _SECONDS
        )

    try:
        wanted = asyncssh.import_public_key(pinned)
        found = asyncio.run(shown(wanted.get_algorithm()))
    except (ValueError, asyncssh.KeyImportError):
        return Finding(
            check, "problem", f"{place}: host_key is no public key", "Write it as `ssh-keyscan` prints it."
        )
    except (OSError, asyncssh.Error, TimeoutError) as error:
        return Finding(
            check, "problem", f"{place} cannot be reached: {error or 'no answer'}", "Ask its owner."
        )
    if found is None or found.export_public_key() != wanted.export_public_key():
        return Finding(
            check, "problem", f"{place} shows another host key than the one pinned",
            "Pull nothing; compare the key with the owner by another way.",
        )  # fmt: skip
    return Finding(check, "ok", f"{place} answers with the pinned key ({users})")
