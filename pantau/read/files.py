"""A delivery's files as one table of text cells, whatever their format."""

import gzip
import zlib
from pathlib import Path
from typing import Any

from pantau.catalogue import Csv, Feed, Json
from pantau.errors import PantauError
from pantau.read import pages, sheet, text
from pantau.read.table import FileRows, Table, join

_LARGEST = 2_000_000_000  # bytes of one unpacked file; beyond it something is wrong


def read(feed: Feed, files: list[tuple[str, Path]], where: dict[str, Any]) -> Table:
    """Read the files as the feed's format says.

    Raises:
        PantauError: a file as a whole is not what the format describes, or its header is not the contract's.
    """
    return join([(name, _read(feed, name, path, {**where, "file": name})) for name, path in files])


def _read(feed: Feed, name: str, path: Path, where: dict[str, Any]) -> FileRows:
    if isinstance(feed.format, Csv):
        return text.read(feed, _unpack(name, path, where), where)
    if isinstance(feed.format, Json):
        return pages.read(feed, _unpack(name, path, where), where)
    return sheet.read(feed, path, where)


def _unpack(name: str, path: Path, where: dict[str, Any]) -> bytes:
    if not name.endswith(".gz"):
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PantauError(
            f"The file is no whole gzip file ({error}).",
            where=where,
            next_step="Ask the owner to send it again.",
        ) from error
    if len(content) > _LARGEST:
        raise PantauError("The file unpacks to more than 2 GB.", where=where)
    return content
