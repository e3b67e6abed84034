"""What a close needs of the machine: Python, libraries, fonts, folders, the modes of its secrets, the catalogue."""

import ctypes
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator

from pantau import catalogue, keys
from pantau.doctor.finding import Finding, State
from pantau.fetch import inbox
from pantau.settings import settings

_GIB = 1 << 30
_LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


def python() -> Iterator[Finding]:
    """Whether this Python is one that is tested."""
    version = sys.version.split()[0]
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        "Python",
        "ok" if fits else "problem",
        version,
        "" if fits else "Take Python 3.11–3.13, then `bin/setup`.",
    )


def libraries() -> Iterator[Finding]:
    """The libraries that WeasyPrint loads."""
    missing = []
    for library, package in _LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        yield Finding(
            "libraries",
            "problem",
            f"missing: {', '.join(missing)}",
            f"As root: apt-get install {' '.join(missing)}",
        )
    else:
        yield Finding("libraries", "ok", "Pango and HarfBuzz are there")


def fonts() -> Iterator[Finding]:
    """The reports' fonts."""
    from fontTools.ttLib import TTFont, TTLibError

    folder = settings.templates / "fonts"
    names = []
    for path in sorted(folder.glob("*.ttf")):
        try:
            with TTFont(path, lazy=True) as font:
                names.append(str(font["name"].getDebugName(4)))
        except (TTLibError, KeyError) as error:
            yield Finding(
                "fonts", "problem", f"{path.name} cannot be read: {error}", "Take it from the repository."
            )
    if names:
        yield Finding("fonts", "ok", ", ".join(names))
    else:
        yield Finding("fonts", "problem", f"no font in {folder}", "Take the folder from the repository.")


def folders() -> Iterator[Finding]:
    """Whether the folders can be written, and have room."""
    for folder in (settings.var, settings.out, settings.inbox):
        name = f"folder {folder.name}"
        there = next(p for p in (folder, *folder.parents) if p.exists())
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b"1")
        except OSError as error:
            yield Finding(
                name,
                "problem",
                f"{folder} cannot be written: {error.strerror}",
                "Give it to the user that runs Pantau.",
            )
            continue
        free = shutil.disk_usage(there).free
        state: State = "problem" if free < _GIB else "attention" if free < 5 * _GIB else "ok"
        yield Finding(
            name, state, f"{folder}, {free / _GIB:,.0f} GiB free{'' if there == folder else ', not made yet'}",
            "" if state == "ok" else "A year of deliveries and their tables needs some 5 GiB: make room.",
        )  # fmt: skip


def secrets() -> Iterator[Finding]:
    """Whether others may read files that hold secrets."""
    kept = [
        settings.var / "airflow" / "keys.json", keys.admin_password_file(), settings.var / "postgres.secret",
        settings.var / "simulator" / "secrets.json",
    ]  # fmt: skip
    open_ = [p for p in kept if p.exists() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    for path in open_:
        yield Finding(
            "secrets", "problem", f"others may read {path}", f"chmod 600 {path}; then renew what it holds."
        )
    if not open_:
        yield Finding("secrets", "ok", "only their owner may read them")


def feeds() -> Iterator[Finding]:
    """Whether the catalogue can be read."""
    yield Finding("catalogue", "ok", f"{len(catalogue.load())} feeds")


def brought() -> Iterator[Finding]:
    """Whether the inbox holds something that no feed reads."""
    strays = inbox.strays()
    for stray in strays[:10]:
        yield Finding("inbox", "attention", stray.what, stray.next_step)
    if not strays:
        yield Finding("inbox", "ok", "nothing lies there that no feed reads")
