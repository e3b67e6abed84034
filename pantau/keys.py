"""Keys of this installation: made at the first need, the same ever after, kept in var/ for their owner alone.

Promise: nothing here is printed or logged; whoever gives a key by the environment (`AIRFLOW__…`) is heard first.
"""

import base64
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pantau.settings import settings

ADMIN = "admin"


def _once(path: Path, text: str) -> str:
    """Write `text` unless the file is there, whole or not at all; returns what it holds then."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was faster: its keys stand
                os.link(half, path)
        finally:
            half.unlink(missing_ok=True)
    return path.read_text()


def airflow() -> dict[str, str]:
    """Airflow's keys as its own settings: for connections at rest, sessions, and tokens between its processes."""
    made = {
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
    }
    kept: dict[str, str] = json.loads(_once(settings.var / "airflow" / "keys.json", json.dumps(made)))
    return kept


def admin_password_file() -> Path:
    """Where the first administrator's generated password stands."""
    return settings.var / "airflow" / "admin.password"


def admin_password() -> str:
    """The password that Airflow's first administrator was given."""
    return _once(admin_password_file(), secrets.token_urlsafe(15) + "\n").strip()
