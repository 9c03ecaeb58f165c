"""The temporary file beside a target: locked while somebody writes it, and found again by who wants the same."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeVar

from attrs import define, field

from ..errors import KhorosError, TargetError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["PartialFile", "map_os_errors", "open_partial", "remove_abandoned"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TRIES = 20
_ANY_MARK = "[0-9a-f]" * 12
_LONGEST_NAME = 200  # in bytes; file systems take 255

T = TypeVar("T")


@define(eq=False)
class PartialFile:
    """A temporary file that this process alone writes.

    Attributes:
        path: Where it is.
        file: It, open.
        target: The file that it is to become, as the caller named it; maybe a link.
        final: That file with links followed: a link's own folder may be on another disk, and no rename crosses disks.
        validator: What names the version of the original that it holds a beginning of for certain, or None.
        total: How long the original is, in bytes, where that is known.
        named: All that the source says of that version, by the kind of name.
        announced: How long the versions are that the source gave a length of, in bytes, by their validator.
        keep: Whether it stays for the next one of the same owner.
        size: How long it should be, in bytes: whoever may write into the folder may change it meanwhile.
    """

    path: Path
    file: BinaryIO = field(repr=False)
    target: Path
    final: Path
    validator: str | None = None
    total: int | None = None
    named: dict[str, str] = field(factory=dict)
    announced: dict[str, int] = field(factory=dict)
    keep: bool = False
    size: int = 0
    _process: int = field(init=False, factory=os.getpid)

    def write(self, data: bytes) -> None:
        """Write every byte: an unbuffered file may take only a part, as a full disk does before it says so."""
        with map_os_errors(self.path, "cannot be written"):
            self._check_size()
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) :]
            self.size += len(data)

    def check(self) -> None:
        """Raise a TargetError where somebody else has changed, replaced or removed it."""
        with map_os_errors(self.path, "cannot be read"):
            self._check_size()
        if not _is_at(self.path, self.file.fileno()):
            raise self._disturbed("replaced or removed")

    def _check_size(self) -> None:
        if os.fstat(self.file.fileno()).st_size != self.size:
            raise self._disturbed("changed")

    def _disturbed(self, what: str) -> TargetError:
        return TargetError(
            f"{self.path} was {what} by somebody else while it was written, so it was not saved as {self.target}; "
            "download again, into a folder that nobody else cleans up or writes to",
            path=self.target,
        )

    def restart(self) -> None:
        """Empty it: the bytes that follow are of no known version."""
        with map_os_errors(self.path, "cannot be written"):
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
        known = {"validator": validator, "total": total, "named": self.named, "announced": self.announced}
        text = json.dumps({**known, "boot": _boot_id()})
        self.forget()  # a link in its place, too
        with (
            map_os_errors(self.path, "cannot be written"),
            open(self.note, "w", encoding="utf-8", opener=_open_itself) as note,
        ):
            note.write(text)

    def recall(self) -> int:
        """Return how many bytes of an earlier try can be built upon, and position the file behind them."""
        try:
            noted = json.loads(self.note.read_text(encoding="utf-8"))
            validator, total, boot = noted["validator"], noted["total"], noted["boot"]
            named, self.announced = _typed(noted["named"], str), _typed(noted["announced"], int)
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        # After a power loss a file may be as long as it was and yet hold zeros: only what this boot wrote is trusted.
        if not isinstance(validator, str) or boot is None or boot != _boot_id():
            return 0
        self.validator, self.total, self.named = validator, total if isinstance(total, int) else None, named
        with map_os_errors(self.path, "cannot be read"):
            self.size = self.file.seek(0, os.SEEK_END)
        return self.size

    @property
    def note(self) -> Path:
        """Where it is written down what the bytes belong to."""
        return _note_of(self.path)

    def forget(self) -> None:
        """Remove the note: nobody can go on with the bytes from here on."""
        with suppress(OSError):
            self.note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it and its note, unless it has become the target, or belongs to the parent of a fork."""
        if os.getpid() == self._process:
            _remove(self.path, self.file)


@contextmanager
def open_partial(target: Path, owner: str | None) -> Iterator[PartialFile]:
    """Open the temporary file of a target, and remove it afterwards unless it is marked to be kept.

    The next call for the same ``owner`` goes on with its bytes; None is for a file that nobody goes on with. What dead
    processes left there is removed.
    """
    with map_os_errors(target, "cannot be written"):
        final = target.resolve()
        path, file = _own_file(final, owner)
        part = PartialFile(path, file, target, final)
        remove_abandoned(final, path)
    try:
        yield part
    finally:
        if not part.keep:
            part.discard()
        part.file.close()


class _NoLocksError(Exception):
    """This system, or this file system, knows no locks."""


def _own_file(target: Path, owner: str | None) -> tuple[Path, BinaryIO]:
    if owner is not None:
        path = _partial_path(target, hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:12])
        with suppress(_NoLocksError):
            file = _open_locked(path)
            if file:
                return path, file
    # Somebody else is fetching the same, or nobody can tell: each gets there in a file of its own.
    return _unshared(target)


def _unshared(target: Path) -> tuple[Path, BinaryIO]:
    for _ in range(_TRIES):
        path = _partial_path(target, secrets.token_hex(6))
        # Not tempfile: its files are for their owner alone, this one becomes an ordinary file.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115, PTH123 - as above; the part closes it
        try:
            mine = _lock(descriptor) and _is_at(path, descriptor)
        except _NoLocksError:
            mine = True
        if mine:
            return path, file
        file.close()  # between its opening and its locking somebody took it for what a dead process left
    raise TargetError(f"{target} cannot be written: its temporary files are taken away again and again", path=target)


def _partial_path(target: Path, mark: str) -> Path:
    return target.with_name(f".{_stem(target)}.{mark}.part")


def _stem(target: Path) -> str:
    """Return the target's name, or a digest of one that leaves no room for more."""
    name = os.fsencode(target.name)
    return target.name if len(name) <= _LONGEST_NAME else hashlib.sha256(name).hexdigest()


def _open_itself(path: str | Path, flags: int) -> int:
    """Open a file, and never what a link of that name leads to: whoever may write into the folder may put one there."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _open_locked(path: Path) -> BinaryIO | None:
    """Open and lock a file, or return None when another process or thread has it, or a link stands in its place."""
    for _ in range(_TRIES):
        try:
            # Not tempfile: its files are for their owner alone, this one becomes an ordinary file.
            descriptor = _open_itself(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
        except OSError:
            if path.is_symlink():
                return None
            raise
        file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115, PTH123 - a descriptor has no path; the part closes it
        try:
            locked = _lock(descriptor)
        except _NoLocksError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        if not locked:
            file.close()
            return None
        if _is_at(path, descriptor):
            if os.fstat(descriptor).st_nlink <= 1:
                return file
            # Its former owner was killed in the last step: it is the finished file, too, and not to be written to.
            _remove(path, file)
        # Between the opening and the locking its former owner finished it: what is open now is the target itself.
        file.close()
    return None


def _lock(descriptor: int) -> bool:
    """Lock an open file; False where another process or thread has it, a _NoLocksError where there are no locks."""
    if fcntl is None:
        raise _NoLocksError
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems
        raise _NoLocksError from error
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def remove_abandoned(target: Path, mine: Path | None = None) -> None:
    """Remove what dead processes left of a target, apart from ``mine``."""
    for path in target.parent.glob(f".{escape(_stem(target))}.{_ANY_MARK}.part"):
        if path == mine or fcntl is None:
            continue
        with suppress(OSError, _NoLocksError):
            file = _open_locked(path)
            if file:
                _remove(path, file)
                file.close()


def _typed(noted: dict[str, T], kind: type[T]) -> dict[str, T]:
    """Return values that were noted by name; a TypeError where they are of another kind."""
    if not isinstance(noted, dict) or not all(isinstance(value, kind) for value in noted.values()):
        raise TypeError
    return noted


def _note_of(path: Path) -> Path:
    return path.with_suffix(".note")


def _remove(path: Path, file: BinaryIO) -> None:
    """Remove a partial file and its note, but not what somebody else has put in its place by then."""
    if file.closed or _is_at(path, file.fileno()):
        for each in (_note_of(path), path):
            with suppress(OSError):
                each.unlink(missing_ok=True)


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


@contextmanager
def map_os_errors(path: Path, what: str) -> Iterator[None]:
    """Turn an error of the operating system into a TargetError: the path, and what cannot be done with it."""
    try:
        yield
    except KhorosError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # the last one is for links that lead in a circle
        why = getattr(error, "strerror", None) or str(error)
        raise TargetError(f"{path} {what}: {why}", path=path, errno=getattr(error, "errno", None)) from error
