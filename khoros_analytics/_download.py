"""Bytes to a file that is whole or absent: a temporary file beside the target, and a rename at the very end."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from attrs import frozen

from ._body import PIECE, Body
from ._clock import Deadline
from ._messages import Action
from ._parts import Part, on_disk, open_part, sweep, write_all
from ._retry import FailuresInARow, repeat
from ._stream import Stream
from .errors import (
    IncompleteDownloadError,
    JobTimeoutError,
    RateLimitError,
    ServerError,
    TargetError,
    TargetExistsError,
    TransportError,
)

__all__ = ["SavedFile", "Source", "check_place", "copy", "fetch", "final_place", "locate", "put_in_place", "tidy"]


class Source(Protocol):
    """Where the bytes come from."""

    def open(self, headers: Mapping[str, str]) -> AbstractContextManager[Stream]:
        """Ask for the file; the answer is a 200, 206 or 416.

        Args:
            headers: What to send beside the usual headers.

        Raises:
            KhorosError: There was another answer, or none.
        """
        ...


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
    if not isinstance(path, str | os.PathLike | None) or not isinstance(os.fspath(path or ""), str):
        raise TargetError(f"{path!r} is no path; give a text or a pathlib.Path")
    try:
        given = Path("." if path is None else path).expanduser().absolute()
    except RuntimeError as error:  # ~somebody who is not there
        raise TargetError(f"{path} cannot be used: {error}") from None
    with on_disk(given, "cannot be used"):
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
    with on_disk(target, "cannot be written"):
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
    owner: str,
    overwrite: bool,
    sleep: Callable[[float], None],
    deadline: Deadline,
    retries: int,
    announce: Callable[[SavedFile], object],
    max_bytes: int | None = None,
) -> SavedFile:
    """Bring a file to disk.

    A body that breaks is continued where it broke when the host can do that, and begun anew when it cannot. Failures
    are counted from the last progress on, so that a poor link that moves on gets there. What has arrived when it fails
    for good stays beside the target, if the next call can go on with it.

    Args:
        source: Where the bytes come from.
        target: Where the file goes; see :func:`locate`.
        owner: Whose file it is: a later call for the same owner and target goes on where this one stopped.
        overwrite: Whether a file that is there may be replaced.
        sleep: What sleeps.
        deadline: When to give up.
        retries: How many failures in a row are borne.
        announce: Is told of the file when all of it is on the disk, just before it gets its name.
        max_bytes: How large the file may be.

    Returns:
        The file in its place.

    Raises:
        TargetError: The disk does not take it.
        KhorosError: What the last attempt ended in.
    """
    failures = FailuresInARow()
    final = final_place(target)
    with open_part(final, owner) as part:
        body = Body(part, max_bytes)

        def attempt() -> None:
            with source.open(body.headers()) as stream:
                body.take(stream, failures.progress)

        try:
            repeat(attempt, Action.DOWNLOAD, sleep=sleep, deadline=deadline, retries=retries, failures=failures)
        except (
            TransportError,
            IncompleteDownloadError,
            ServerError,
            RateLimitError,
            JobTimeoutError,
            KeyboardInterrupt,
        ):
            part.keep = body.can_go_on()
            raise
        _flush(part)
        announce(_saved_as(part, target))
        _rename(part, final, overwrite=overwrite)
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
    final = final_place(target)
    with open_part(final, None) as part, on_disk(target, "cannot be written"), saved.path.open("rb") as original:
        while piece := original.read(PIECE):
            write_all(part.file, piece)
        put_in_place(part, final, overwrite=overwrite)
    return SavedFile.of(target)


def final_place(target: Path) -> Path:
    """Return where a file ends up: a link's own folder may be on another disk, which no rename crosses.

    Args:
        target: Where the file goes; see :func:`locate`.

    Raises:
        TargetError: The place cannot be used.
    """
    with on_disk(target, "cannot be written"):
        return target.resolve()


def tidy(target: Path) -> None:
    """Remove what a kill in the very last step left beside a file.

    Args:
        target: The file, in its place.
    """
    with suppress(OSError):
        sweep(target.resolve())


def _saved_as(part: Part, target: Path) -> SavedFile:
    found = os.fstat(part.file.fileno())
    return SavedFile(target, found.st_size, found.st_mtime_ns)


def _flush(part: Part) -> None:
    with on_disk(part.path, "cannot be written"):
        os.fsync(part.file.fileno())


def put_in_place(part: Part, target: Path, *, overwrite: bool) -> None:
    """Flush a file that is complete, and give it its name.

    Args:
        part: The file.
        target: Its place; see :func:`final_place`.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        TargetError: The disk does not take it.
    """
    _flush(part)
    _rename(part, target, overwrite=overwrite)


def _rename(part: Part, target: Path, *, overwrite: bool) -> None:
    """Rename what was flushed, and flush the folder: after a power loss the old file is there, or the new one."""
    with on_disk(target, "cannot be written"):
        part.forget()
        if os.name == "nt":
            part.file.close()  # Windows renames no open file; elsewhere the lock is held to the end
        if overwrite:
            part.path.replace(target)
        else:
            _rename_where_nothing_is(part.path, target)
        _sync_folder(target.parent)


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
