"""`python -m simulator --seed 1 --state DIR`: serves the institutions, on loopback, until it is told to stop.

Promise: DIR/endpoints.json is there exactly while they are served, and only its owner can read it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import uvicorn

from simulator import sftp, truth
from simulator.claims import PARTS
from simulator.deliveries import Deliveries
from simulator.http import Site
from simulator.institutions import Institutions
from simulator.money import Budget
from simulator.operators import Operators
from simulator.programme import Programme

ROOT = Path(__file__).resolve().parent.parent


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Stand-ins for the ministries.")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn is drawn from this number")
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for endpoints.json, truth.jsonl, secrets"
    )
    parser.add_argument("--provinces", default="", help="province codes, like 91,92; all unless given")
    parser.add_argument("--register", type=Path, default=ROOT / "register" / "wilayah_2025.csv.gz")
    parser.add_argument("--old-register", type=Path, default=ROOT / "register" / "wilayah_2022.csv.gz")
    parser.add_argument(
        "--lineage", type=Path, default=ROOT / "dbt_project" / "seeds" / "wilayah_lineage.csv"
    )
    parser.add_argument("--http-port", type=int, default=0, help="a free one unless given; kept for restarts")
    parser.add_argument("--sftp-port", type=int, default=0, help="a free one unless given; kept for restarts")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; loopback unless given")
    parser.add_argument("--name", default="127.0.0.1", help="how others reach it: stands in endpoints.json")
    parser.add_argument("--with-parent", type=int, metavar="PID", help="stop when that process ends")
    return parser.parse_args(argv)


def write_private(path: Path, data: dict[str, Any]) -> None:
    """Writes JSON that only its owner may read, whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    os.replace(part, path)


def known_secrets(state: Path) -> dict[str, str]:
    """Passwords, client secrets, token and host keys: made at the first start, the same ever after."""
    path = state / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    before = dict(kept)
    for name in ("password", "password_bts", *(f"client_{part}" for part in PARTS)):
        kept.setdefault(name, secrets.token_urlsafe(18))
    kept.setdefault("control_token", secrets.token_urlsafe(24))
    for name in {"host_key", "wrong_host_key"} - set(kept):
        kept[name] = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    if kept != before:
        write_private(path, kept)
    return kept


@contextlib.contextmanager
def alone(state: Path, patience_s: float) -> Iterator[None]:
    """One simulator for one state folder. One that is ending, for its parent was killed, is waited for."""
    until = time.monotonic() + patience_s
    with open(state / "lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise SystemExit(
                        f"simulator: another one runs on {state}; stop it, or give another --state"
                    ) from None
                time.sleep(0.1)
        yield


def bind(host: str, port: int, before: int) -> socket.socket:
    """A listening socket: the port given, else the one of last time if it is free, else any."""
    for attempt in [port] if port else [before, 0]:
        # Named as TCP: asyncio sends without delay on such sockets alone, which saves 40 ms an answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, attempt))
        except OSError as error:
            listener.close()
            if attempt in (port, 0):
                raise SystemExit(f"simulator: port {attempt} on {host} cannot be had ({error})") from None
        else:
            return listener
    raise AssertionError


class _Server(uvicorn.Server):
    """uvicorn without its own signals: we stop it together with the SFTP server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def watch(parent: int, stop: asyncio.Event) -> None:
    """Sets `stop` when that process ends; at once where it has ended."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(os.pidfd_open(parent), stop.set)
    except ProcessLookupError:
        stop.set()
    except (AttributeError, OSError):  # no pidfd here: look twice a second

        def look() -> None:
            try:
                os.kill(parent, 0)
            except OSError:
                stop.set()
            else:
                loop.call_later(0.5, look)

        look()


async def serve(options: argparse.Namespace, institutions: Institutions) -> None:
    """Serves until SIGTERM, SIGINT or the parent's end."""
    state: Path = options.state
    known = known_secrets(state)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if options.with_parent:
        watch(options.with_parent, stop)
    ports_file = state / "ports.json"
    before = json.loads(ports_file.read_text(encoding="utf-8")) if ports_file.exists() else {}

    keys = [asyncssh.import_private_key(known[name]) for name in ("host_key", "wrong_host_key")]
    listeners = [
        bind(options.host, options.http_port, before.get("http", 0)),
        bind(options.host, options.sftp_port, before.get("sftp", 0)),
    ]
    ports = [listener.getsockname()[1] for listener in listeners]
    passwords = dict(zip(sftp.LOGINS, (known["password"], known["password_bts"]), strict=True))
    acceptor = await sftp.serve(institutions, listeners[1], passwords, keys[0])
    clients = {part: (f"pantau-{part}", known[f"client_{part}"]) for part in PARTS}
    site = Site(institutions, known["control_token"], Operators(institutions, clients).routes())
    site.after_order = lambda: acceptor.update(server_host_keys=[keys[institutions.shows_wrong_key()]])
    site.after_order()
    server = _Server(
        uvicorn.Config(
            site.app(),
            log_level="critical",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
        )
    )
    web = asyncio.create_task(server.serve(sockets=[listeners[0]]))
    while not server.started and not web.done():
        await asyncio.sleep(0.01)
    write_private(ports_file, dict(zip(("http", "sftp"), ports, strict=True)))
    public = keys[0].export_public_key().decode().split()
    logins = [
        {
            "host": options.name,
            "port": ports[1],
            "user": user,
            "password": password,
            "host_key": " ".join(public[:2]),
        }
        for user, password in passwords.items()
    ]
    base = f"http://{options.name}:{ports[0]}"
    endpoints = {
        "http": base,
        "operators": {
            part: {"url": f"{base}/operator/{part}", "client_id": name, "client_secret": secret}
            for part, (name, secret) in clients.items()
        },
        "sftp": logins[0],
        "bakti_sftp": logins[1],
        "pid": os.getpid(),
        "control_token": known["control_token"],
    }
    try:
        write_private(state / "endpoints.json", endpoints)
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, web], return_when=asyncio.FIRST_COMPLETED)
    finally:
        (state / "endpoints.json").unlink(missing_ok=True)
        server.should_exit = True
        acceptor.close()
        await web


def main(argv: list[str] | None = None) -> int:
    """Makes the programme, writes the truth, serves. Returns the exit code."""
    options = arguments(argv)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback where Ctrl-C comes before it serves
    logging.basicConfig(level=logging.WARNING, format="simulator: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    if not options.state.exists():
        options.state.mkdir(parents=True, mode=0o700)
    with alone(options.state, patience_s=5 if options.with_parent else 0):
        (options.state / "endpoints.json").unlink(missing_ok=True)
        provinces = [code for code in options.provinces.split(",") if code]
        try:
            programme = Programme(options.seed, options.register, provinces)
            deliveries = Deliveries(programme, Budget(options.seed), options.old_register, options.lineage)
        except (OSError, ValueError) as error:
            print(f"simulator: {error}", file=sys.stderr)
            return 1
        truth.write(options.state / "truth.jsonl", deliveries)
        asyncio.run(serve(options, Institutions(deliveries, options.state / "state.json")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
