"""fetch from the inbox: files that people put into `inbox/<feed>/<period>/`. They stay where people put them.

Who may write there must not make us read anything else: plain files alone are read, through no link at any level. What
lies there and cannot be read is told by its name, and a file that is still being written is waited for.
"""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from pantau import catalogue, periods
from pantau.catalogue import Feed
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, Order
from pantau.settings import settings
from pantau.visible import visible

QUIET_S = 5.0  # a file that changed later than this long ago may still be growing
_PATIENCE_S = 30.0
_STRANGE = 20  # of so many things that are no month a run tells; the rest follows when these are gone
_HOWTO = "See docs/how-to/bring-files-by-inbox.md."


def lying(feed: Feed) -> list[str]:
    """The names in the feed's folder: months for which files lie there, and what is no month (`check` refuses it)."""
    with _folder(feed.name) as folder:
        if folder is None:
            return []
        names = sorted(visible(n) for n in _names(folder) if not _is_empty(folder, n))
    return [n for n in names if _is_month(n)] + [n for n in names if not _is_month(n)][:_STRANGE]


def check(feed: Feed, name: str, now: datetime) -> None:
    """Raise PantauError where that name in the feed's folder is no month, or one that has not begun."""
    place = {"feed": feed.name, "folder": settings.inbox / feed.name / name}
    if not _is_month(name):
        raise PantauError(
            f"'{name}' in the inbox is no folder of a month; nothing in it is read.",
            where=place,
            next_step="Put the files into a folder that is named after their month, such as 2026-10; or take it "
            f"away. {_HOWTO}",
        )
    if name > periods.of(now):
        raise PantauError(
            f"The month {name} has not begun: it is {now:%Y-%m-%d}.",
            where=place,
            next_step="Name the folder after the month from which the files count.",
        )


def files(order: Order) -> Fetched | None:
    """Copy the files of one period."""
    with _folder(order.feed.name, order.period) as folder:
        if folder is None:
            return None
        before = _at_rest(folder, order)
        for name in before:
            _copy(folder, name, order)
        if _state(folder, order) != before:
            raise _growing(order)
    return Fetched("inbox", [File(name, order.spool / name) for name in before]) if before else None


def strays() -> list[PantauError]:
    """What lies in the inbox and no feed will ever read."""
    feeds, found = catalogue.load(), []
    with _folder() as folder:
        names = sorted(_names(folder)) if folder is not None else []
    for name in names:
        path = settings.inbox / name
        if name not in feeds:
            found.append(
                PantauError(
                    f"'{visible(name)}' in the inbox is no feed's folder; nothing in it is read.",
                    where={"path": path},
                    next_step="Name the folder after the feed (`pantau feeds` shows them), or take it away.",
                )
            )
        elif feeds[name].transport.kind != "inbox":
            found.append(
                PantauError(
                    f"The feed {name} is not brought by the inbox; nothing in its folder is read.",
                    where={"path": path},
                    next_step=f"Take the folder away: the feed comes by {feeds[name].transport.kind}.",
                )
            )
    return found


def _is_month(name: str) -> bool:
    try:
        periods.check(name)
    except PantauError:
        return False
    return True


# ---------------------------------------------------------------- folders


@contextmanager
def _folder(*names: str) -> Iterator[int | None]:
    """A folder below the inbox, open, reached through no link; None where it is not there."""
    path, folder = settings.inbox, -1
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        for name in names:
            path, above = path / name, folder
            try:
                folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
    except FileNotFoundError:
        yield None
        return
    except PermissionError as error:
        raise _unreadable(error, {"folder": path}) from error
    except OSError as error:
        raise PantauError(
            "What lies in the inbox here is a link or a file where a folder should be; Pantau follows no links.",
            where={"folder": path},
            next_step=f"Put the folder itself there. {_HOWTO}",
        ) from error
    try:
        yield folder
    finally:
        os.close(folder)


def _names(folder: int) -> list[str]:
    return [name for name in os.listdir(folder) if not name.startswith(".")]


def _is_empty(folder: int, name: str) -> bool:
    try:
        inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return False  # a file, a link, or not for us: to be told
    try:
        return not _names(inside)
    finally:
        os.close(inside)


# ---------------------------------------------------------------- files


def _state(folder: int, order: Order) -> dict[str, tuple[int, int, float]]:
    """Of each file its number, size and last change. Raises PantauError where something is no file to be read."""
    found = {}
    for name in sorted(_names(folder)):
        try:
            known = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError as error:
            raise _growing(order) from error  # it was renamed at this moment
        if not stat.S_ISREG(known.st_mode):
            raise PantauError(
                f"'{visible(name)}' in the inbox is {_kind(known.st_mode)}; nothing of this folder is read.",
                where=_place(order, name),
                next_step=f"Put the file itself there, or take it away. {_HOWTO}",
            )
        if not _is_text(name):
            raise PantauError(
                f"The name '{visible(name)}' in the inbox is not UTF-8.",
                where=_place(order, name),
                next_step="Give the file another name.",
            )
        found[name] = known.st_ino, known.st_size, known.st_mtime
    return found


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link, which Pantau does not follow"
    if stat.S_ISDIR(mode):
        return "a folder within the month's"
    return "a device, pipe or socket"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _at_rest(folder: int, order: Order) -> dict[str, tuple[int, int, float]]:
    """The files, when none has changed for a moment. Raises TransientError where they do not come to rest."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        found = _state(folder, order)
        if all(abs(time.time() - changed) >= QUIET_S for _, _, changed in found.values()):
            return found
        if time.monotonic() > until:
            raise _growing(order)
        time.sleep(0.1)


def _growing(order: Order) -> TransientError:
    return TransientError(
        "A file in the inbox is still being written.",
        where={**order.place(), "folder": settings.inbox / order.feed.name / order.period},
        next_step="It is read by a later run. Copy under a name that begins with a dot and rename it when it is whole.",
    )


def _copy(folder: int, name: str, order: Order) -> None:
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError as error:
        raise _growing(order) from error
    except OSError as error:
        raise _unreadable(error, _place(order, name)) from error
    with open(source, "rb") as file, open(order.spool / name, "wb") as copy:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise _growing(order)  # it was replaced at this moment; the next run says by what
        try:
            shutil.copyfileobj(file, copy)
        except OSError as error:
            raise _unreadable(error, _place(order, name)) from error


def _place(order: Order, name: str) -> dict[str, object]:
    return order.place(file=settings.inbox / order.feed.name / order.period / name)


def _unreadable(error: OSError, place: dict[str, object]) -> PantauError:
    return PantauError(
        f"This cannot be read in the inbox: {error.strerror}.",
        where=place,
        next_step="Let the user that runs Pantau read it: chmod a+r for the file, a+rx for its folders.",
    )
