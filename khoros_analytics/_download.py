"""Bytes to a file that is whole or absent: a temporary file beside the target, and a rename at the very end."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from attrs import define, field, frozen

from ._clock import Deadline
from ._messages import Action
from ._retry import FailuresInARow, repeat
from ._stream import Stream
from .errors import IncompleteDownloadError, KhorosError, TargetError, TargetExistsError, UnexpectedReplyError

__all__ = ["SavedFile", "Source", "check_place", "copy", "fetch", "locate"]

PIECE = 1024 * 1024
"""How much is read at once, in bytes: as fast as larger pieces, and small in memory."""

_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
_HTML = (b"<!doctype html", b"<html")


class Source(Protocol):
    """Where the bytes come from."""

    def open(self, headers: Mapping[str, str]) -> AbstractContextManager[Stream]:
        """Ask for the file; the answer is a 200, 206 or 416.

        Args:
            headers: What to send beside the usual headers.

        Raises:
            KhorosError: There was another answer, or none.
        """


@frozen
class SavedFile:
    """A file that this library has put in its place.

    Attributes:
        path: Where.
        size: Its length in bytes.
        modified_ns: When it was last written, in nanoseconds.
    """

    path: Path
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "SavedFile":
        """Remember what a file looks like now.

        Args:
            path: Where it is.
        """
        found = path.stat()
        return cls(path, found.st_size, found.st_mtime_ns)

    def intact(self) -> bool:
        """Return whether it is still there as it was."""
        try:
            return SavedFile.of(self.path) == self
        except OSError:
            return False


def locate(path: str | os.PathLike[str] | None, default_name: str) -> Path:
    """Decide where a file goes.

    Args:
        path: A file, a folder for the default name, or None for the default name in the current folder.
        default_name: The name where none is given.

    Returns:
        The absolute path of the file.

    Raises:
        TargetError: There is no such folder.
    """
    given = Path("." if path is None else path).expanduser().absolute()
    with _disk(given, "cannot be used"):
        if given.is_dir():
            return given / default_name
        if path is not None and os.fspath(path).endswith(("/", os.sep)):
            raise TargetError(f"there is no folder {given}; make it first", path=given)
    return given


def check_place(target: Path, *, overwrite: bool) -> None:
    """Find out whether a file could go there, before anything is asked of the server.

    Args:
        target: The path of the file.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        TargetExistsError: A file is there already.
        TargetError: There is no such folder, or something else is in the way.
    """
    with _disk(target, "cannot be written"):
        folder = target.parent
        if not folder.is_dir():
            raise TargetError(f"{target} cannot be written: there is no folder {folder}; make it first", path=target)
        if not os.access(folder, os.W_OK):
            raise TargetError(f"{target} cannot be written: the folder {folder} is read-only for you", path=target)
        if target.exists() and not target.is_file():
            raise TargetError(f"{target} cannot be written: it is no ordinary file", path=target)
        if target.exists() and not overwrite:
            raise TargetExistsError(
                f"{target} is there already; give another path, or overwrite=True to replace it", path=target
            )


def fetch(
    source: Source,
    target: Path,
    *,
    overwrite: bool,
    sleep: Callable[[float], None],
    deadline: Deadline,
    retries: int,
) -> SavedFile:
    """Bring a file to disk.

    A body that breaks is continued where it broke when the host can do that, and begun anew when it cannot. Failures
    are counted from the last progress on, so that a poor link that moves on gets there.

    Args:
        source: Where the bytes come from.
        target: Where the file goes; see :func:`locate`.
        overwrite: Whether a file that is there may be replaced.
        sleep: What sleeps.
        deadline: When to give up.
        retries: How many failures in a row are borne.

    Returns:
        The file in its place.

    Raises:
        TargetError: The disk does not take it.
        KhorosError: What the last attempt ended in.
    """
    failures = FailuresInARow()
    with _part_of(target) as (file, part):
        body = _Body(file, part)

        def attempt() -> None:
            with source.open(body.headers()) as stream:
                body.take(stream, failures.progress)

        repeat(attempt, Action.DOWNLOAD, sleep=sleep, deadline=deadline, retries=retries, failures=failures)
        _put_in_place(file, part, target, overwrite=overwrite)
    return SavedFile.of(target)


def copy(saved: SavedFile, target: Path, *, overwrite: bool) -> SavedFile:
    """Put a second copy of a file into another place, whole or not at all.

    Args:
        saved: The file.
        target: Where the copy goes; see :func:`locate`.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        TargetError: The disk does not take it.
    """
    with _part_of(target) as (file, part), _disk(target, "cannot be written"), saved.path.open("rb") as original:
        while piece := original.read(PIECE):
            _write_all(file, piece)
        _put_in_place(file, part, target, overwrite=overwrite)
    return SavedFile.of(target)


@define
class _Body:
    """What of the file has arrived."""

    file: BinaryIO = field(repr=False)
    path: Path
    size: int = 0
    furthest: int = 0
    validator: str | None = None

    def headers(self) -> dict[str, str]:
        """Ask for the rest where it is certain to fit what is there, else for everything."""
        whole = {"Accept-Encoding": "identity"}
        if not (self.size and self.validator):
            return whole
        return {**whole, "Range": f"bytes={self.size}-", "If-Range": self.validator}

    def take(self, stream: Stream, progress: Callable[[], None]) -> None:
        """Write one answer's body behind what is there, or in its place."""
        if stream.status_code != _PARTIAL or self._start_of(stream) != self.size:
            self._restart()
        if stream.status_code == _NOT_SATISFIABLE or (stream.status_code == _PARTIAL and not self.size):
            raise IncompleteDownloadError("the rest of the file does not fit what had arrived; beginning anew")
        self.validator = None if stream.encoding else _validator(stream.headers)
        while piece := stream.read(PIECE):
            if not self.size and piece.lstrip()[:14].lower().startswith(_HTML):
                raise UnexpectedReplyError("an HTML page came instead of the file", status_code=stream.status_code)
            self._write(piece)
            if self.size > self.furthest:
                self.furthest = self.size
                progress()

    def _start_of(self, stream: Stream) -> int | None:
        unit, _, rest = stream.headers.get("Content-Range", "").partition(" ")
        start = rest.partition("-")[0]
        return int(start) if unit == "bytes" and start.isdecimal() else None

    def _restart(self) -> None:
        with _disk(self.path, "cannot be written"):
            self.file.seek(0)
            self.file.truncate()
        self.size = 0

    def _write(self, piece: bytes) -> None:
        with _disk(self.path, "cannot be written"):
            _write_all(self.file, piece)
        self.size += len(piece)


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what names this version of the file: a strong ETag, or else its date."""
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return headers.get("Last-Modified")


@contextmanager
def _part_of(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a temporary file beside the target, and leave none behind."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with _disk(target, "cannot be written"):
        # Not tempfile: its files are for their owner alone, this one becomes an ordinary file.
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "r+b", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path to open
            yield file, part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _put_in_place(file: BinaryIO, part: Path, target: Path, *, overwrite: bool) -> None:
    """Flush, rename, and flush the folder: after a power loss the old file is there, or the new one."""
    with _disk(target, "cannot be written"):
        os.fsync(file.fileno())
        file.close()  # Windows renames no open file
        final = target.resolve()
        if overwrite:
            part.replace(final)
        else:
            _rename_where_nothing_is(part, final)
        _sync_folder(final.parent)


def _rename_where_nothing_is(part: Path, target: Path) -> None:
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise TargetExistsError(
            f"{target} has appeared in the meantime; give another path, or overwrite=True to replace it", path=target
        ) from None
    except OSError:
        # This file system knows no hard links, so the check and the rename are two steps.
        check_place(target, overwrite=False)
        part.rename(target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(file: BinaryIO, piece: bytes) -> None:
    """Write every byte: an unbuffered file may take only a part, as a full disk does before it says so."""
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


@contextmanager
def _disk(path: Path, what: str) -> Iterator[None]:
    """Turn what the operating system says about the disk into an error of the tree."""
    try:
        yield
    except KhorosError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise TargetError(f"{path} {what}: {why}", path=path, errno=getattr(error, "errno", None)) from error
