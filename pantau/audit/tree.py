"""A folder of pages, made beside the one that stands and put in its place when all of it is there.

Promises: readers see the old pages or the new ones; what cannot change any more is written once, and linked from then
on where it is still what was written; `hashes.txt` names every file with its SHA-256, as `sha256sum --check` reads it.
A write that was killed leaves the old pages, and the next one clears up behind it.
"""

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from pantau.errors import PantauError
from pantau.verify.site import HASHES, digest_of, listed

_STAMPS = ".stamps.json"
_PIECE = 1 << 20


class Tree:
    """The folder `target`, being made anew. A context manager: an error inside leaves what stood."""

    def __init__(
        self,
        target: Path,
        *,
        everything: bool = False,
        is_known: Callable[[str], bool] = lambda _: True,
        seal: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        """A folder to be made.

        Args:
            everything: link nothing from the old pages, but for the bytes that were delivered.
            is_known: whether the list of hashes of the pages that stand is one of ours, by its own hash.
            seal: is told the hash of the new list and the number of files, before they are put in place.
        """
        self.target = target
        self._new = target.with_name(f".{target.name}.new")
        self._old = target.with_name(f".{target.name}.old")
        self._everything, self._is_known, self._seal = everything, is_known, seal
        self._group: dict[str, str] | None = None
        self._stamps: dict[str, tuple[str, dict[str, str]]] = {}
        self._hashes: dict[str, str] = {}
        self.written = self.kept = 0

    def __enter__(self) -> "Tree":
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not self.target.exists() and self._old.exists():  # killed between the two renames
            self._old.rename(self.target)
        for left in (self._new, self._old):
            shutil.rmtree(left, ignore_errors=True)
        self._new.mkdir()
        self._known = {} if self._everything else self._stamps_that_stand()
        return self

    def _stamps_that_stand(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Under which stamp each group of the pages that stand was written; nothing where somebody changed that."""
        ours = digest_of(self.target / HASHES)
        stamps = self.target / _STAMPS
        if not ours or not self._is_known(ours) or digest_of(stamps) != listed(self.target).get(_STAMPS):
            return {}
        known: dict[str, tuple[str, dict[str, str]]] = json.loads(stamps.read_text())
        return known

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind:
            shutil.rmtree(self._new, ignore_errors=True)
            return
        self._put(_STAMPS, json.dumps(self._stamps).encode())
        lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(self._hashes.items()))
        (self._new / HASHES).write_text(lines)
        self._seal(sha256(lines.encode()).hexdigest(), len(self._hashes))
        if self.target.exists():
            self.target.rename(self._old)
        self._new.rename(self.target)
        shutil.rmtree(self._old, ignore_errors=True)

    def _put(self, path: str, content: bytes) -> str:
        file = self._new / path
        if ".." in file.parts or not file.is_relative_to(self._new):  # part of a path may come from a cell
            raise PantauError("An audit page would lie outside its folder.", where={"page": path})
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self._hashes[path] = sha256(content).hexdigest()
        return self._hashes[path]

    def write(self, path: str, content: str) -> None:
        """A page, at `path` below the folder."""
        digest = self._put(path, content.encode())
        self.written += 1
        if self._group is not None:
            self._group[path] = digest

    def copy(self, path: str, source: Path) -> None:
        """A file of our own."""
        self._put(path, source.read_bytes())

    def keep(self, path: str, source: Path, digest: str) -> bool:
        """A file as it was delivered or rendered: copied once and from then on linked from the earlier pages, never
        from where it is kept, so that one can change without the other.

        Returns:
            Whether it is there; False where the file is missing or its bytes do not come to `digest`.
        """
        if path in self._hashes:
            return True
        file, earlier = self._new / path, self.target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if digest_of(earlier) == digest:
            os.link(earlier, file)
        elif not _copied(source, file, digest):
            file.unlink(missing_ok=True)
            return False
        self._hashes[path] = digest
        return True

    def once(self, group: str, stamp: str, make: Callable[[], None]) -> None:
        """Pages that depend on nothing but what `stamp` stands for: linked where they were written under it,
        else made by `make`."""
        known = self._known.get(group)
        if known and known[0] == stamp and self._take(known[1]):
            self._stamps[group] = (stamp, known[1])
            self._hashes |= known[1]
            self.kept += len(known[1])
            return
        self._group = {}
        try:
            make()
            self._stamps[group] = (stamp, self._group)
        finally:
            self._group = None

    def _take(self, files: dict[str, str]) -> bool:
        """Link the group's files; False where one is not as it was written (lost power, or somebody changed it)."""
        if any(digest_of(self.target / path) != digest for path, digest in files.items()):
            return False
        for folder in {(self._new / path).parent for path in files}:
            folder.mkdir(parents=True, exist_ok=True)
        for path in files:
            os.link(self.target / path, self._new / path)
        return True


def _copied(source: Path, target: Path, digest: str) -> bool:
    """Copy a file, hashing it on the way; whether it came to `digest`."""
    found = sha256()
    try:
        with open(source, "rb") as read, open(target, "wb") as write:
            while piece := read.read(_PIECE):
                found.update(piece)
                write.write(piece)
    except OSError:
        return False
    return found.hexdigest() == digest
