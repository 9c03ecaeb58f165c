"""Files that are whole or absent: checked targets, a flush, and a rename at the very end."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from ..errors import KhorosError, TargetError, TargetExistsError
from .access import grant
from .own_files import resolve_own
from .partial import PartialFile, open_partial, remove_abandoned
from .system_errors import map_os_errors, map_path_errors

__all__ = ["SavedFile", "check_target", "commit", "copy", "remove_leftovers", "resolve_target", "sync_folder"]

_CHUNK_SIZE = 1024 * 1024
"""How much is read at once, in bytes: as fast as larger pieces, and small in memory."""
_MAKE_FOLDER = "make that folder, or give another path; then call again"
_OVERWRITE = "give another path, or overwrite=True to replace it"


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
        """Return what a file looks like now."""
        found = path.stat()
        return cls(path, found.st_size, found.st_mtime_ns)

    @classmethod
    def of_open(cls, path: Path, descriptor: int) -> "SavedFile":
        """Return what an open file looks like, which has this path, or is to have it."""
        found = os.fstat(descriptor)
        return cls(path, found.st_size, found.st_mtime_ns)

    def intact(self) -> bool:
        """Return whether it is still there as it was."""
        try:
            return SavedFile.of(self.path) == self
        except OSError:
            return False


def resolve_target(path: str | os.PathLike[str] | None, default_name: str) -> Path:
    """Return the absolute path that a caller means: a file, a folder for the default name, or None for this folder."""
    if not isinstance(path, str | os.PathLike | None) or not isinstance(os.fspath(path or ""), str):
        raise TargetError(f"{path!r} is not a path", advice="give a text or a pathlib.Path")
    try:
        given = Path("." if path is None else path).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # ~somebody who is not there, or a current folder that is gone
        raise TargetError(
            f"{path or 'the current folder'} cannot be used: {error}", advice="give a path from the root on"
        ) from None
    with map_path_errors(given, "cannot be used"):
        if given.is_dir():
            return given / default_name
        if path is not None and os.fspath(path).endswith(("/", os.sep)):
            raise TargetError(f"there is no folder {given}", path=given, advice=_MAKE_FOLDER)
    return given


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise a TargetError where a file could not go, before anything is asked of the server."""
    with map_path_errors(target, "cannot be written"):
        folder = target.parent
        if not folder.is_dir():
            raise TargetError(
                f"{target} cannot be written: there is no folder {folder}", path=target, advice=_MAKE_FOLDER
            )
        if not os.access(folder, os.W_OK):
            raise TargetError(
                f"{target} cannot be written: the folder {folder} is read-only for you",
                path=target,
                advice="give a folder where you may write, or have its permissions changed; then call again",
            )
        resolve_own(target)
        if not _is_there(target):
            return
        if not _may_replace(target, folder):
            raise TargetError(
                f"{target} cannot be written: it is somebody else's in a shared folder",
                path=target,
                advice="give another path, or have its owner remove it",
            )
        if not target.is_file():
            raise TargetError(
                f"{target} cannot be written: it is not an ordinary file",
                path=target,
                advice="give the path of a file or of a folder",
            )
        if not overwrite:
            raise TargetExistsError(f"{target} is there already", path=target, advice=_OVERWRITE)


def _may_replace(target: Path, folder: Path) -> bool:
    """Return whether a folder whose files only their owners may replace, such as /tmp, lets us."""
    about = folder.stat()
    owners = (0, about.st_uid, target.lstat().st_uid)
    return not (about.st_mode & stat.S_ISVTX and hasattr(os, "geteuid")) or os.geteuid() in owners


def _is_there(target: Path) -> bool:
    """Tell whether a link leads somewhere; `exists` says nothing of one that leads in a circle."""
    try:
        target.stat()
    except FileNotFoundError:
        return False
    return True


def copy(saved: SavedFile, target: Path, *, overwrite: bool) -> SavedFile:
    """Put a second copy of a file into another place, whole or not at all."""
    with (
        open_partial(target, None) as part,
        map_os_errors(target, "cannot be written"),
        open(saved.path, "rb", opener=_open_at_once) as original,
    ):
        if SavedFile.of_open(saved.path, original.fileno()) != saved:
            raise TargetError(
                f"{saved.path} was replaced by somebody else while it was copied", path=saved.path, advice="call again"
            )
        while chunk := original.read(_CHUNK_SIZE):
            part.write(chunk)
        return commit(part, overwrite=overwrite)


def remove_leftovers(target: Path) -> None:
    """Remove what a kill in the very last step left beside a finished file."""
    with suppress(OSError):
        remove_abandoned(resolve_own(target))


def _flush(part: PartialFile) -> None:
    with map_os_errors(part.target, "cannot be written"):
        grant(part.file.fileno(), part.final, part.mode)
        os.fsync(part.file.fileno())


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, and wait for nobody at the other end of a pipe that has taken its place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def commit(
    part: PartialFile, *, overwrite: bool, announce: Callable[[SavedFile], object] = lambda _: None
) -> SavedFile:
    """Flush a file that is complete and give it its name; ``announce`` is called between the two.

    A TargetError where what stands there by now is not what was written.
    """
    part.check()
    _flush(part)
    part.check()
    saved = SavedFile.of_open(part.target, part.file.fileno())
    announce(saved)
    part.check()
    _rename(part, part.final, overwrite=overwrite)
    part.forget()
    return saved


def _rename(part: PartialFile, target: Path, *, overwrite: bool) -> None:
    """Rename what was flushed, and flush the folder: after a power loss the old file is there, or the new one."""
    with map_os_errors(target, "cannot be written"):
        if target.is_dir():
            raise TargetError(
                f"{target} cannot be written: a folder has taken its place", path=target, advice="give another path"
            )
        if os.name == "nt":
            part.file.close()  # Windows renames no open file; elsewhere the lock is held to the end
        if overwrite:
            part.path.replace(target)
        else:
            _rename_where_nothing_is(part, target)
        sync_folder(target.parent)


def _rename_where_nothing_is(part: PartialFile, target: Path) -> None:
    try:
        _link(part, target)
    except FileExistsError:
        raise TargetExistsError(f"{target} has appeared in the meantime", path=target, advice=_OVERWRITE) from None
    except KhorosError:
        raise
    except OSError:
        # This file system knows no hard links, so the check and the rename are two steps.
        check_target(target, overwrite=False)
        part.path.rename(target)


def _link(part: PartialFile, target: Path) -> None:
    """Link what was written, whatever has its name by now, where the system can do that."""
    try:
        descriptor = part.file.fileno()
        # An absolute path needs no folder, but only with one Python calls the linkat that follows this link.
        os.link(f"/proc/self/fd/{descriptor}", target, src_dir_fd=descriptor)
    except FileExistsError:
        raise
    except (OSError, ValueError, NotImplementedError):  # no such folder, or closed for Windows
        if not part.file.closed:
            part.check()
        target.hardlink_to(part.path)


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that its names survive a power loss."""
    with suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
