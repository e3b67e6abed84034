"""A folder of pages, made beside the one that stands and put in its place when all of it is there.

Promise: readers see the old pages or the new ones; what cannot change any more is written once, and linked from then
on. A write that was killed leaves the old pages, and the next one clears up behind it.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pantau.errors import PantauError

_STAMPS = ".stamps.json"


class Tree:
    """The folder `target`, being made anew. A context manager: an error inside leaves what stood."""

    def __init__(self, target: Path, *, everything: bool = False) -> None:
        """`everything`: link nothing from the old pages, but for the bytes that were delivered."""
        self.target = target
        self._new = target.with_name(f".{target.name}.new")
        self._old = target.with_name(f".{target.name}.old")
        self._everything = everything
        self._group: dict[str, int] | None = None
        self._stamps: dict[str, tuple[str, dict[str, int]]] = {}
        self.written = self.kept = 0

    def __enter__(self) -> "Tree":
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not self.target.exists() and self._old.exists():  # killed between the two renames
            self._old.rename(self.target)
        for left in (self._new, self._old):
            shutil.rmtree(left, ignore_errors=True)
        self._new.mkdir()
        stamps = self.target / _STAMPS
        self._known = json.loads(stamps.read_text()) if stamps.exists() and not self._everything else {}
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind:
            shutil.rmtree(self._new, ignore_errors=True)
            return
        (self._new / _STAMPS).write_text(json.dumps(self._stamps))
        if self.target.exists():
            self.target.rename(self._old)
        self._new.rename(self.target)
        shutil.rmtree(self._old, ignore_errors=True)

    def write(self, path: str, content: str) -> None:
        """A page, at `path` below the folder."""
        file = self._new / path
        if ".." in file.parts or not file.is_relative_to(self._new):  # part of a path may come from a cell
            raise PantauError("An audit page would lie outside its folder.", where={"page": path})
        file.parent.mkdir(parents=True, exist_ok=True)
        size = file.write_bytes(content.encode())
        self.written += 1
        if self._group is not None:
            self._group[path] = size

    def copy(self, path: str, source: Path) -> None:
        """A file of our own, which may be changed where it stands."""
        file = self._new / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, file)

    def link(self, path: str, source: Path) -> None:
        """A file as it is, by a hard link where the file system allows it; nothing where it is there already."""
        file = self._new / path
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, file)
        except OSError:  # another file system
            shutil.copyfile(source, file)

    def once(self, group: str, stamp: str, make: Callable[[], None]) -> None:
        """Pages that depend on nothing but what `stamp` stands for: linked where they were written under it,
        else made by `make`."""
        known = self._known.get(group)
        if known and known[0] == stamp and self._take(known[1]):
            self._stamps[group] = (stamp, known[1])
            self.kept += len(known[1])
            return
        self._group = {}
        try:
            make()
            self._stamps[group] = (stamp, self._group)
        finally:
            self._group = None

    def _take(self, files: dict[str, int]) -> bool:
        """Link the group's files; False where one is not as it was written (a machine that lost its power)."""
        paths = [(self.target / path, self._new / path) for path in files]
        try:
            if any(old.stat().st_size != size for (old, _), size in zip(paths, files.values(), strict=True)):
                return False
        except FileNotFoundError:
            return False
        for folder in {new.parent for _, new in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        for old, new in paths:
            os.link(old, new)
        return True
