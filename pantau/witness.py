"""The witness: a file outside the database in which every new head of the ledger is noted, one line each.

Promise: whoever keeps the file (it is meant to lie elsewhere, append-only) can tell a ledger whose tail was cut, or
whose chain was built anew. Each line names its ledger by the hash of its first entry; lines of other ledgers say
nothing of this one, but how many there are is told.
"""

import os

from pantau.errors import PantauError
from pantau.progress import log
from pantau.settings import settings

Head = tuple[str, int, str]  # hash of the ledger's first entry, number and hash of its newest


def note(heads: list[Head]) -> None:
    """Append the heads of a transaction that has just been committed. A gap is no fault, so a failure only warns."""
    try:
        _append("".join(f"{first} {number} {digest}\n" for first, number, digest in heads))
    except OSError as error:
        log.warning("The witness %s could not be written: %s", settings.witness_file, error)


def check_writable() -> None:
    """Raise PantauError where the witness cannot be written: then nothing is published."""
    try:
        _append("")
    except OSError as error:
        raise PantauError(
            f"The witness cannot be written: {error.strerror}.",
            where={"file": settings.witness_file},
            next_step="Make the file writable, or name another by PANTAU_WITNESS; nothing was published.",
        ) from error


def _append(lines: str) -> None:
    settings.witness_file.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(settings.witness_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, lines.encode())  # one write: lines of two processes do not mix
    finally:
        os.close(file)


def heads() -> dict[str, dict[int, set[str]]]:
    """What the witness holds, by ledger (the hash of its first entry) and number: the hashes noted.

    A line that is cut or no such line is passed over: it says nothing of any ledger.
    """
    found: dict[str, dict[int, set[str]]] = {}
    if not settings.witness_file.exists():
        return found
    for line in settings.witness_file.read_text(errors="replace").splitlines():
        match line.split():
            case [first, number, digest] if number.isascii() and number.isdigit():
                found.setdefault(first, {}).setdefault(int(number), set()).add(digest)
    return found
