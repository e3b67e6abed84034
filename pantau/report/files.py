"""render: a release's frozen figures and context → PDF files, written whole or not at all."""

import fcntl
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from pantau import ledger, locks
from pantau.database import Connection, Role, connect
from pantau.errors import PantauError
from pantau.locks import Lock
from pantau.progress import step
from pantau.release import figures_of_release, frozen
from pantau.report import LANGUAGES, render_national
from pantau.settings import settings


def path_of(period: str, version: int, language: str) -> Path:
    """Where the national report of a release lies, below the folder of reports."""
    return Path(period) / f"v{version}" / f"nasional.{language}.pdf"


def write(releases: list[int]) -> list[Path]:
    """Render the national report of each release that has a page (opening history has none), in each language.

    Rendering needs no database connection and holds no lock: two at once make the same bytes.

    Raises:
        PantauError: the release is not what was frozen, or a report that was written before would come out with
            other bytes.
    """
    return [
        _report(release, row, language)
        for release in releases
        if (row := _row(release))["reason"] != "opening"
        for language in LANGUAGES
    ]


def _row(release: int) -> dict[str, Any]:
    with connect(Role.PUBLISHER) as connection:
        return frozen(connection, release)


def _report(release: int, row: dict[str, Any], language: str) -> Path:
    where = {"period": row["period"], "version": row["version"]}
    path = path_of(row["period"], row["version"], language)
    target = settings.out / path
    with step("render", f"{row['period']} v{row['version']} {language}") as done:
        done.note = str(target.relative_to(settings.out.parent))
        with connect(Role.PUBLISHER) as connection:
            known, figures = _known(connection, release, language), figures_of_release(connection, release)
        if known and target.exists() and _digest(target.read_bytes()) == known:
            return target
        pdf = render_national(row["context"], figures, row["release_hash"], row["page_hash"], language)
        if known and _digest(pdf) != known:
            raise PantauError(
                "The report would come out with other bytes than the ones recorded.",
                where={**where, "file": path},
                next_step="The template changed since. Restore the file from a backup; use a preview to see the new "
                "template.",
            )
        _write(target, pdf)
        if not known:
            _record(release, {**where, "release": release, "name": "nasional", "language": language, "path": str(path),
                              "sha256": _digest(pdf), "release_hash": row["release_hash"]})  # fmt: skip
    return target


def _known(connection: Connection, release: int, language: str) -> str | None:
    """The hash of the report that is recorded, if one is."""
    row = connection.execute(
        "select sha256 from ops.report where release_id = %s and name = 'nasional' and language = %s",
        [release, language],
    ).fetchone()
    return row["sha256"] if row else None


def _record(release: int, what: dict[str, Any]) -> None:
    with connect(Role.PUBLISHER) as connection:
        locks.take(connection, Lock.RELEASE)
        if _known(connection, release, what["language"]):
            return  # somebody else rendered it meanwhile
        number = ledger.append(connection, "report", what)
        connection.execute(
            "insert into ops.report values (%s, %s, %s, %s, %s, %s)",
            [release, what["name"], what["language"], what["path"], what["sha256"], number],
        )


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, for two may write at once; locked while it is written, so that what a kill left is known.
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        Path(file.name).rename(target)
    for left in target.parent.glob(f".{target.name}.*"):
        with suppress(OSError), open(left, "rb") as half:
            fcntl.flock(half, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
