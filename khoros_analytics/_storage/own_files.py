"""Files in folders that others can write to: made, opened and locked so that nobody else has a hand in them."""

import errno
import os
import stat
from contextlib import suppress
from io import FileIO
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["NoLocksError", "create", "is_at", "lock", "open_own", "remove", "resolve_own"]

_BINARY, _NOFOLLOW, _NONBLOCK = (getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK"))
_MOST_LINKS = 40  # as many as Linux follows


class NoLocksError(Exception):
    """This system, or this file system, knows no locks."""


def create(path: Path, mode: int) -> FileIO:
    """Make a file that was not there; not even a link was."""
    # Not tempfile: it makes files for their owner alone, and this one may become an ordinary file.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY, mode)
    return open(descriptor, "r+b", buffering=0)  # noqa: PTH123 - a descriptor has no path; the caller closes it


def open_own(path: Path, owner: int) -> FileIO | None:
    """Open an ordinary file of a user; None for a link, a pipe, somebody else's file, and where there is nothing."""
    try:
        if not _is_own(path.lstat(), owner):
            return None
        # It may have become something else meanwhile. A pipe is never waited for.
        descriptor = os.open(path, os.O_RDWR | _NOFOLLOW | _NONBLOCK | _BINARY)
    except OSError:
        return None
    file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115, PTH123 - as above
    if _is_own(os.fstat(descriptor), owner):
        return file
    file.close()
    return None


def _is_own(found: os.stat_result, owner: int) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == owner


def lock(descriptor: int) -> bool:
    """Lock an open file; False where another process or thread has it, a NoLocksError where there are no locks."""
    if fcntl is None:
        raise NoLocksError
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems
        raise NoLocksError from error
    return True


def is_at(path: Path, descriptor: int) -> bool:
    """Return whether an open file is what has this name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a name, where that is possible; what a link leads to stays."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def resolve_own(path: Path) -> Path:
    """Return where a path leads by the links at its end; a PermissionError for links that others may have laid.

    That is as Linux does it in shared folders (fs.protected_symlinks): whose links may be followed is clear where only
    their owner can write to the folder, or where they are the folder's owner's or our own.
    """
    for _ in range(_MOST_LINKS):
        try:
            found = path.lstat()
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(found.st_mode):
            return path
        if not _may_follow(path.parent.stat(), found.st_uid):
            raise PermissionError(errno.EACCES, f"{path} is a link of somebody else in a folder that others write to")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _may_follow(folder: os.stat_result, owner: int) -> bool:
    if not hasattr(os, "geteuid") or not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    return owner in (os.geteuid(), folder.st_uid)
