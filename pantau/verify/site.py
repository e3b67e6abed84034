"""The audit pages against their list of hashes, and the list against the ledger."""

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from pantau.settings import settings
from pantau.verify.failure import Failure

HASHES = "hashes.txt"
_REWRITE = "`pantau audit` writes it anew; ask first who changed it"


def folder() -> Path:
    """Where the audit pages lie."""
    return settings.out / "audit"


def digest_of(path: Path) -> str | None:
    """The SHA-256 of a file; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def listed(pages: Path) -> dict[str, str]:
    """What the list of hashes in a folder of pages says: by path below it, the SHA-256."""
    try:
        lines = (pages / HASHES).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def failures(known: list[str]) -> Iterator[Failure]:
    """Pages that are not what was written. Where there are none at all on this machine, nothing is said.

    Args:
        known: the hashes of the newest lists, by the ledger.
    """
    if not folder().exists() or not known:
        return
    if (found := digest_of(folder() / HASHES)) not in known:
        told = f"the list of the audit pages is not one that was written: {_REWRITE}"
        yield Failure(f"audit/{HASHES}", told, {"file": folder() / HASHES}, (found or "missing",))
        return
    listed_files = listed(folder())
    for path, digest in listed_files.items():
        if (found := digest_of(folder() / path)) != digest:
            told = f"the page is {'not what was written' if found else 'missing'}: {_REWRITE}"
            yield Failure(f"audit/{path}", told, {"file": folder() / path}, (found or "missing",))
    there = {p.relative_to(folder()).as_posix() for p in folder().rglob("*") if not p.is_dir()}
    for path in sorted(there - set(listed_files) - {HASHES}):
        told = "nobody of ours wrote this file among the audit pages: take it away"
        yield Failure(
            f"audit/{path}", told, {"file": folder() / path}, (digest_of(folder() / path) or "unreadable",)
        )
