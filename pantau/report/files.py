"""render: a release's frozen figures and context → PDF files, written whole or not at all."""

import os
from hashlib import sha256
from pathlib import Path

from pantau import ledger
from pantau.database import connect
from pantau.errors import PantauError
from pantau.progress import step
from pantau.release import figures_of_release
from pantau.report import LANGUAGES, render_national
from pantau.settings import settings


def path_of(period: str, version: int, language: str) -> Path:
    """Where the national report of a release lies, below the folder of reports."""
    return Path(period) / f"v{version}" / f"nasional.{language}.pdf"


def write(releases: list[int]) -> list[Path]:
    """Render the national report of each release that has a page (opening history has none), in each language.

    Raises:
        PantauError: a report that was written before would come out with other bytes.
    """
    written = []
    for release in releases:
        with connect() as connection:
            row = connection.execute(  # locked, for two at once would write the same file
                "select * from ops.release where id = %s for update", [release]
            ).fetchone()
            assert row is not None
            if row["reason"] == "opening":
                continue
            for language in LANGUAGES:
                path = path_of(row["period"], row["version"], language)
                with step("render", f"{row['period']} v{row['version']} {language}") as done:
                    known = connection.execute(
                        "select sha256 from ops.report where release_id = %s and name = 'nasional'"
                        " and language = %s",
                        [release, language],
                    ).fetchone()
                    target = settings.out / path
                    if not (known and target.exists() and _digest(target.read_bytes()) == known["sha256"]):
                        figures = figures_of_release(connection, release)
                        hashes = row["release_hash"], row["page_hash"]
                        pdf = render_national(row["context"], figures, *hashes, language)
                        if known and _digest(pdf) != known["sha256"]:
                            raise PantauError(
                                "The report would come out with other bytes than the ones recorded.",
                                where={"period": row["period"], "version": row["version"], "file": path},
                                next_step="The template changed since. Restore the file from a backup; use a "
                                "preview to see the new template.",
                            )
                        _write(target, pdf)
                        if not known:
                            what = {"period": row["period"], "version": row["version"], "file": str(path),
                                    "sha256": _digest(pdf), "release_hash": row["release_hash"]}  # fmt: skip
                            number = ledger.append(connection, "report", what)
                            connection.execute(
                                "insert into ops.report values (%s, 'nasional', %s, %s, %s, %s)",
                                [release, language, str(path), _digest(pdf), number],
                            )
                    done.note = str(target.relative_to(settings.out.parent))
                written.append(target)
    return written


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")  # what a killed render left is written over
    with open(half, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.rename(target)
