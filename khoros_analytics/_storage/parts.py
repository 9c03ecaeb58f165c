"""The temporary files beside a target: hard to guess, locked while somebody writes, and found again."""

import hashlib
import os
import platform
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from attrs import frozen

from ..errors import TargetError
from .access import make_private, mode_for_new
from .own_files import NoLocksError, create, is_at, lock, open_own, remove

__all__ = ["NewPart", "boot_id", "find_parts", "make_part", "note_of", "remove_orphaned_notes"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TRIES = 20
_ROOM = 40  # what the name of a part is longer than its target's, in bytes
_LONGEST_NAME = 255  # in bytes, where the file system does not say it
_ABANDONED_AFTER = 24 * 3600  # in seconds: no link to a file works for longer


@frozen
class NewPart:
    """A part that was just made.

    Attributes:
        path: Where it is.
        file: It, open.
        mode: What system and folder give to an ordinary file; the part is for its owner alone.
        locked: Whether others can tell that somebody writes it.
    """

    path: Path
    file: FileIO
    mode: int
    locked: bool


def make_part(target: Path) -> NewPart:
    """Make a part of a target, and lock it where that is possible."""
    for _ in range(_TRIES):
        path = target.with_name(f".{_stem(target)}.{_host()}{secrets.token_hex(8)}.part")
        file = create(path, mode_for_new(target))
        mode = make_private(file.fileno())
        try:
            if lock(file.fileno()) and is_at(path, file.fileno()):
                return NewPart(path, file, mode, locked=True)
        except NoLocksError:
            return NewPart(path, file, mode, locked=False)
        file.close()  # between its making and its locking somebody took it for what a dead process left
    raise TargetError(
        f"{target} cannot be written: its temporary files are taken away again and again",
        path=target,
        advice="call again with a path in a folder that nobody else cleans up",
    )


def find_parts(target: Path, owner: int, now: float, mine: Path | None = None) -> Iterator[tuple[Path, FileIO]]:
    """Yield what dead processes of a user left of a target, the longest first, each open and locked.

    Whether a process of another host lives, no lock tells for certain: its parts count as left when they were not
    touched for a day before ``now``.
    """
    found = []
    for path in _neighbours(target, "part"):
        with suppress(OSError):
            about = path.lstat()
            if path != mine and (_is_of_this_host(path) or about.st_mtime < now - _ABANDONED_AFTER):
                found.append((about.st_size, path))
    for _, path in sorted(found, reverse=True):
        file = _open_left(path, owner)
        if file:
            yield path, file


def _open_left(path: Path, owner: int) -> FileIO | None:
    """Open and lock what a dead process left; None where one lives, or where it is no file of this user."""
    file = open_own(path, owner)
    if file is None:
        return None
    with suppress(NoLocksError):
        if lock(file.fileno()) and is_at(path, file.fileno()):
            if os.fstat(file.fileno()).st_nlink == 1:
                return file
            # Its process was killed in the last step: it is the finished file, too, and not to be written to.
            remove(note_of(path))
            remove(path)
    file.close()
    return None


def remove_orphaned_notes(target: Path, owner: int) -> None:
    """Remove the notes of a user whose part has become the target, or is gone."""
    for path in _neighbours(target, "note"):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_uid == owner and not os.path.lexists(path.with_suffix(".part")):
                remove(path)


def note_of(path: Path) -> Path:
    """Return where it is written down what the bytes of a part belong to."""
    return path.with_suffix(".note")


def boot_id() -> str | None:
    """Return what names this start of this machine, or None where nothing does."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _host() -> str:
    """Return what tells the parts of this host from those of others, which may not see its locks."""
    return hashlib.sha256((boot_id() or platform.node()).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _is_of_this_host(path: Path) -> bool:
    return path.name.split(".")[-2].startswith(_host())


def _neighbours(target: Path, ending: str) -> list[Path]:
    pattern = re.compile(rf"\.{re.escape(_stem(target))}\.[0-9a-f]{{24}}\.{ending}", re.DOTALL)
    try:
        return [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]
    except OSError:  # a folder that may be written to, but not listed
        return []


def _stem(target: Path) -> str:
    """Return the target's name, or a digest of one that leaves no room for more."""
    name = os.fsencode(target.name)
    return target.name if len(name) + _ROOM <= _longest_name(target.parent) else hashlib.sha256(name).hexdigest()


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _LONGEST_NAME
