"""A folder of files that are whole or absent, on disk or at a URL that fsspec knows, each named by its path inside."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from attrs import field, frozen

from .._checks import needs
from ..errors import TargetError
from .atomic import sync_folder
from .destination import map_remote_errors, without_credentials
from .system_errors import map_os_errors

__all__ = ["Folder", "Found", "LocalFolder", "RemoteFolder", "open_folder"]


@frozen
class Found:
    """A file of a folder.

    Attributes:
        name: Its path inside the folder, with ``/`` between the parts.
        size: Its length in bytes.
    """

    name: str
    size: int


@frozen
class LocalFolder:
    """A folder on disk. What it makes is for its owner alone: files 0600, folders 0700."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def check(self) -> None:
        """Make the folder where there is none, and find out whether it can be written to."""
        with map_os_errors(self.root, "cannot be used"):
            self.root.mkdir(0o700, parents=True, exist_ok=True)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise TargetError(f"{self.root} cannot be used: the folder is read-only for you", path=self.root)

    def path(self, name: str) -> Path:
        """Return where a file is, or would be."""
        return self.root.joinpath(*name.split("/"))

    def url(self, name: str) -> str:
        """Return where a file is, as people and other programs name it."""
        return str(self.path(name))

    def read(self, name: str) -> bytes | None:
        """Return a small file's content, or None where there is none."""
        path = self.path(name)
        with map_os_errors(path, "cannot be read"):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of small files, without those that are gone by now."""
        contents = {name: self.read(name) for name in names}
        return {name: content for name, content in contents.items() if content is not None}

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading."""
        with map_os_errors(self.path(name), "cannot be read"):
            file = self.path(name).open("rb")
        with file:
            yield file

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of one that is there."""
        with self._placing(name) as file:
            file.write(content)

    def put(self, name: str, source: Path) -> None:
        """Copy a file from elsewhere on this machine, in place of one that is there."""
        with self._placing(name) as file, source.open("rb") as original:
            shutil.copyfileobj(original, file, 1 << 20)

    @contextmanager
    def _placing(self, name: str) -> Iterator[BinaryIO]:
        target = self.path(name)
        part = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
        with map_os_errors(target, "cannot be written"):
            target.parent.mkdir(0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
                    yield file
                    file.flush()
                    os.fsync(descriptor)
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            sync_folder(target.parent)

    def remove(self, name: str) -> None:
        """Remove a file, and the folder that it leaves empty."""
        target = self.path(name)
        with map_os_errors(target, "cannot be removed"):
            target.unlink(missing_ok=True)
        if target.parent != self.root:
            with suppress(OSError):
                target.parent.rmdir()

    def names(self, below: str = "") -> list[Found]:
        """Return all files below a folder of it, in no order."""
        top = self.path(below) if below else self.root
        with map_os_errors(top, "cannot be read"):
            return list(_files(str(top), f"{below}/" if below else ""))


def _files(folder: str, prefix: str) -> Iterator[Found]:
    """Yield what is in a folder and below; none where it is not there."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            else:
                yield Found(prefix + entry.name, entry.stat().st_size)


@frozen
class RemoteFolder:
    """A folder in object storage. Nothing is renamed there: each file is one complete upload."""

    address: str = field(repr=without_credentials)
    system: Any = field(repr=False)
    root: str

    def __str__(self) -> str:
        return without_credentials(self.address)

    def check(self) -> None:
        """Find out whether the place is there."""
        with map_remote_errors(self, "cannot be read"):
            self.system.ls(self.root.partition("/")[0], detail=False)

    def path(self, name: str) -> str:
        """Return where a file is in the file system."""
        return f"{self.root}/{name}"

    def url(self, name: str) -> str:
        """Return where a file is, as people and other programs name it."""
        return f"{str(self).rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return a small file's content, or None where there is none."""
        with map_remote_errors(self, "cannot be read"):
            try:
                return bytes(self.system.cat_file(self.path(name)))
            except FileNotFoundError:
                return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of small files, many at once where the store can, without those that are gone by now."""
        by_path = {self.path(name): name for name in names}
        if not by_path:
            return {}
        with map_remote_errors(self, "cannot be read"):
            found = self.system.cat(list(by_path), on_error="omit")
        contents = found if isinstance(found, dict) else {next(iter(by_path)): found}
        return {by_path[path]: bytes(content) for path, content in contents.items()}

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading."""
        with map_remote_errors(self, "cannot be read"):
            file = self.system.open(self.path(name), "rb")
        with file:
            yield file

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in place of one that is there."""
        with map_remote_errors(self):
            self.system.pipe_file(self.path(name), content)

    def put(self, name: str, source: Path) -> None:
        """Copy a file from this machine, in place of one that is there."""
        with map_remote_errors(self):
            self.system.put_file(str(source), self.path(name))

    def remove(self, name: str) -> None:
        """Remove a file."""
        with map_remote_errors(self), suppress(FileNotFoundError):
            self.system.rm_file(self.path(name))

    def names(self, below: str = "") -> list[Found]:
        """Return all files below a folder of it, in no order."""
        top = self.path(below) if below else self.root
        with map_remote_errors(self, "cannot be read"):
            self.system.invalidate_cache()
            try:
                found = self.system.find(top, detail=True)
            except FileNotFoundError:
                return []
        inside = len(self.system._strip_protocol(self.root).rstrip("/")) + 1  # noqa: SLF001 - fsspec has no other
        return [Found(path[inside:], int(about["size"])) for path, about in found.items() if about["type"] == "file"]


Folder = LocalFolder | RemoteFolder


def open_folder(path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Folder:
    """Decide what a path or a URL such as ``s3://`` means; nothing is made or asked for yet.

    ``storage_options`` is what fsspec needs for a URL.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or not os.fspath(path):
        raise TargetError(f"{path!r} is not a path; give that of a folder, or a URL")
    text = os.fspath(path)
    if "://" not in text:
        try:
            return LocalFolder(Path(text).expanduser().absolute())
        except (RuntimeError, OSError) as error:
            raise TargetError(f"{text} cannot be used: {error}") from None
    with needs("fsspec"):
        import fsspec
    with map_remote_errors(without_credentials(text)):
        system, root = fsspec.core.url_to_fs(text, **(storage_options or {}))
    if getattr(system, "local_file", False):
        return LocalFolder(Path(root))
    return RemoteFolder(text.rstrip("/"), system, root.rstrip("/"))
