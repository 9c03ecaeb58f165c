"""The temporary file beside a target: written by one process alone, and found again by who wants the same."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from attrs import define, field

from ..errors import KhorosError, TargetError
from .notes import Note
from .own_files import is_at, remove, resolve_own
from .parts import NewPart, boot_id, find_parts, make_part, note_of, remove_orphaned_notes
from .system_errors import map_os_errors, map_path_errors

__all__ = ["PartialFile", "open_partial", "remove_abandoned"]

T = TypeVar("T")

_open_parts: set["PartialFile"] = set()


@define(eq=False)
class PartialFile:
    """A temporary file that this process alone writes.

    Attributes:
        path: Where it is.
        file: It, open.
        target: The file that it is to become, as the caller named it; maybe a link.
        final: That file with links followed: a link's own folder may be on another disk, and no rename crosses disks.
        mode: Who may use it once it is complete, where it replaces no other file.
        owner: Who may go on with it, as a digest, or None where nobody may.
        validator: What names the version of the original that it holds a beginning of for certain, or None.
        total: How long the original is, in bytes, where that is known.
        named: All that the source says of that version, by the kind of name.
        announced: How long the versions are that the source gave a length of, in bytes, by their validator.
        keep: Whether an error of this library leaves it for the next one, as any other exception does.
        size: How long it should be, in bytes: whoever may write into the folder may change it meanwhile.
    """

    path: Path
    file: FileIO = field(repr=False)
    target: Path
    final: Path
    mode: int
    owner: str | None = None
    validator: str | None = None
    total: int | None = None
    named: dict[str, str] = field(factory=dict)
    announced: dict[str, int] = field(factory=dict)
    keep: bool = False
    size: int = 0
    _note: Note = field(init=False)
    _process: int = field(init=False, factory=os.getpid)

    def __attrs_post_init__(self) -> None:
        self._note = Note(note_of(self.path))

    def write(self, data: bytes) -> None:
        """Write every byte: an unbuffered file may take only a part, as a full disk does before it says so."""
        self._check_process()
        with map_os_errors(self.target, "cannot be written"):
            self._check_size()
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) :]
            self.size += len(data)
        with suppress(OSError):  # the next one goes on from an earlier byte
            self._update_note()

    def check(self) -> None:
        """Raise a TargetError where somebody else has changed, replaced or removed it."""
        self._check_process()
        with map_os_errors(self.path, "cannot be read"):
            self._check_size()
        if not is_at(self.path, self.file.fileno()):
            raise self._disturbed("replaced or removed")

    def _check_size(self) -> None:
        if os.fstat(self.file.fileno()).st_size != self.size:
            raise self._disturbed("changed")

    def _disturbed(self, what: str) -> TargetError:
        self.forget()  # else what stands there now would be continued next time
        return TargetError(
            f"{self.path} was {what} by somebody else while it was written, so it was not saved as {self.target}",
            path=self.target,
            advice="call again with a path in a folder that nobody else cleans up or writes to",
        )

    def is_ours(self) -> bool:
        """Return whether this process opened it, and not the parent of a fork."""
        return os.getpid() == self._process

    def _check_process(self) -> None:
        if not self.is_ours():
            raise TargetError(
                f"{self.target} is being written by the process that this one was forked from, and is left to it",
                path=self.target,
                advice="download it in one of the two",
            )

    def restart(self) -> None:
        """Empty it: the bytes that follow are of no known version."""
        self._check_process()
        with map_os_errors(self.target, "cannot be written"):
            self.file.seek(0)
            self.file.truncate()
        self.size = 0
        self.validator = self.total = None
        self.named = {}

    def remember(
        self, validator: str | None, total: int | None, named: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Note which version of the original the bytes belong to, and its length in bytes, where either is known.

        Whoever goes on, in whatever process, has to know as much of it as who began.
        """
        self.validator, self.total = validator, total
        self.named.update(named)
        if total is not None:
            self.announced[validator or ""] = total
        with map_os_errors(self.path, "cannot be written"):
            self._save_note()

    def _save_note(self) -> None:
        found = os.fstat(self.file.fileno())
        noted = {
            "validator": self.validator,
            "total": self.total,
            "named": self.named,
            "announced": self.announced,
            "owner": self.owner,
            "boot": boot_id(),
            "file": [found.st_dev, found.st_ino],
        }
        self._note.write(noted, self.size, found.st_mtime_ns)

    def _update_note(self) -> None:
        self._note.update(self.size, os.fstat(self.file.fileno()).st_mtime_ns)

    def recall(self) -> int:
        """Return how many bytes of an earlier try can be built upon, and position the file behind them."""
        found = os.fstat(self.file.fileno())
        noted = self._note.read(found.st_uid) if self.owner is not None else {}
        try:
            validator, total, size, boot = (noted[name] for name in ("validator", "total", "size", "boot"))
            named, announced = _typed(noted["named"], str), _typed(noted["announced"], int)
        except (KeyError, TypeError):
            return 0
        # After a power loss a file may be as long as it was and yet hold zeros: only what this boot wrote is trusted.
        if not isinstance(validator, str) or boot is None or boot != boot_id() or not _is_as_noted(found, noted):
            return 0
        self.validator, self.total, self.named = validator, total if isinstance(total, int) else None, named
        self.announced = announced
        with map_os_errors(self.path, "cannot be read"):
            self.file.truncate(size)  # what is behind that was written in the moment of a kill, or by somebody else
            self.size = self.file.seek(0, os.SEEK_END)
        return self.size

    def forget(self) -> None:
        """Remove the note: nobody can go on with the bytes from here on."""
        self._note.remove()

    def is_of_use(self) -> bool:
        """Return whether somebody can go on with it, now or later."""
        begun = self.owner is not None and self.validator is not None and self.size > 0
        return begun and not is_at(self.final, self.file.fileno())

    def leave(self) -> None:
        """Leave it to the next one of the same owner."""
        with suppress(OSError):
            # A time of our own: a network file system changes its own when it gets around to writing.
            now = os.fstat(self.file.fileno()).st_mtime_ns
            os.utime(self.file.fileno(), ns=(now, now))
            self._update_note()

    def discard(self) -> None:
        """Remove it and its note, but not what somebody else has put in its place by then."""
        if self.file.closed or is_at(self.path, self.file.fileno()):
            remove(self.path)
        self.forget()

    def close(self) -> None:
        """Give it up; what was to be on the disk is there by now."""
        for each in (self._note, self.file):
            with suppress(OSError):
                each.close()


@contextmanager
def open_partial(target: Path, owner: str | None) -> Iterator[PartialFile]:
    """Open the temporary file of a target. It is removed afterwards when it has become the target, or is of no use.

    Whatever exception ends it otherwise, the next call for the same ``owner`` goes on with its bytes; None is for a
    file that nobody goes on with. What dead processes left there is removed.
    """
    with map_path_errors(target, "cannot be written"):
        part = _open(target, None if owner is None else _digest(owner))
    unwanted = False
    try:
        _open_parts.add(part)
        yield part
        unwanted = True
    except KhorosError:
        unwanted = not part.keep
        raise
    finally:
        _open_parts.discard(part)
        if part.is_ours():
            if unwanted or not part.is_of_use():
                part.discard()
            else:
                part.leave()
        part.close()


def _open(target: Path, owner: str | None) -> PartialFile:
    """Make a part, or go on with one that is left of the same owner; remove what else is left of the target."""
    final = resolve_own(target)
    new = make_part(final)
    found = _take_over(final, owner, new) if new.locked else None
    if found is None:
        # Without locks nobody could tell later whether it is still being written.
        return PartialFile(new.path, new.file, target, final, new.mode, owner if new.locked else None)
    remove(new.path)
    new.file.close()
    return PartialFile(*found, target, final, new.mode, owner)


def _take_over(final: Path, owner: str | None, new: NewPart) -> tuple[Path, FileIO] | None:
    about = os.fstat(new.file.fileno())
    mine = None
    for path, file in find_parts(final, about.st_uid, about.st_mtime, new.path):
        if mine is None and _is_for(owner, path, about.st_uid):
            mine = path, file
        else:
            remove(note_of(path))
            remove(path)
            file.close()
    remove_orphaned_notes(final, about.st_uid)
    return mine


def _is_for(owner: str | None, path: Path, user: int) -> bool:
    """Return whether a part that is left holds what its owner can build upon."""
    note = Note(note_of(path))
    noted = note.read(user)
    note.close()
    return None not in (owner, boot_id()) and (noted.get("owner"), noted.get("boot")) == (owner, boot_id())


def remove_abandoned(target: Path) -> None:
    """Remove what dead processes of this host left of a finished file."""
    about = target.stat()
    for path, file in find_parts(target, about.st_uid, float("-inf")):
        remove(note_of(path))
        remove(path)
        file.close()
    remove_orphaned_notes(target, about.st_uid)


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def _typed(noted: dict[str, T], kind: type[T]) -> dict[str, T]:
    """Return values that were noted by name; a TypeError where they are of another kind."""
    if not isinstance(noted, dict) or not all(isinstance(value, kind) for value in noted.values()):
        raise TypeError
    return noted


def _is_as_noted(found: os.stat_result, noted: Mapping[str, object]) -> bool:
    """Return whether a part is the file that its note is about, with all bytes that were noted, and no others."""
    size = noted.get("size")
    if noted.get("file") != [found.st_dev, found.st_ino] or not isinstance(size, int) or not 0 < size <= found.st_size:
        return False
    return found.st_size > size or found.st_mtime_ns == noted.get("modified")


def _leave_to_parent() -> None:
    """Close in the child of a fork what its parent writes, or the lock would outlive the parent."""
    for part in list(_open_parts):
        part.close()
    _open_parts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
