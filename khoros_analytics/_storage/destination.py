"""Where a file goes: a path on this machine, or a URL that fsspec knows. There, too, it is whole or absent."""

import io
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from .._checks import needs
from ..errors import KhorosError, TargetError, TargetExistsError
from .atomic import check_target, commit, resolve_target
from .partial import open_partial
from .system_errors import map_path_errors

__all__ = [
    "Destination",
    "LocalDestination",
    "RemoteDestination",
    "map_remote_errors",
    "open_destination",
    "without_credentials",
]

_MAKERS = ("builtins", "khoros_analytics", "pyarrow", "xlsxwriter")  # whose errors are none of a store


@frozen
class LocalDestination:
    """A destination on disk.

    Attributes:
        path: The file's path.
        overwrite: Whether a file that is there may be replaced.
    """

    path: Path
    overwrite: bool

    def check(self) -> None:
        """Find out whether the file could go there."""
        check_target(self.path, overwrite=self.overwrite)

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """Yield a file to write to, which gets its name when the block ends well."""
        with open_partial(self.path, None) as part, map_path_errors(self.path, "cannot be written"):
            # Not its path: somebody else may have put a link there by the time that it is opened.
            buffered = io.BufferedRandom(part.file)
            yield buffered
            buffered.flush()
            buffered.detach()
            part.size = os.fstat(part.file.fileno()).st_size
            commit(part, overwrite=self.overwrite)

    def result(self) -> Path:
        """Return what the caller gets."""
        return self.path


def without_credentials(url: str) -> str:
    """Return a URL as it may be shown."""
    return re.sub(r"//[^/]*@", "//...@", url)


@frozen
class RemoteDestination:
    """A destination that fsspec knows, such as object storage.

    Attributes:
        url: The file's URL.
        overwrite: Whether a file that is there may be replaced.
        system: The file system, of fsspec.
        path: The file's path there.
    """

    url: str = field(repr=without_credentials)
    overwrite: bool
    system: Any = field(repr=False)
    path: str

    def __str__(self) -> str:
        return without_credentials(self.url)

    def check(self) -> None:
        """Find out whether the file could go there."""
        with map_remote_errors(self):
            if not self.overwrite and self.system.exists(self.path):
                raise TargetExistsError(
                    f"{self} is there already", advice="give another URL, or overwrite=True to replace it"
                )

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """Yield a file to write to, which is committed when the block ends well, and otherwise never was."""
        with map_remote_errors(self):
            file = self._open(self.path)
            try:
                yield file
                written = file.tell()
                file.close()
            except BaseException:
                file.discard()
                raise
            self.check()
            file.commit()
            self._check_size(written)

    def _check_size(self, written: int) -> None:
        """Find out whether what is there has as many bytes as were written, where the file system tells."""
        self.system.invalidate_cache()
        size = self.system.info(self.path).get("size")
        if size not in (None, written):
            raise TargetError(
                f"{self} was replaced or damaged by somebody else while it was written: {size:,} bytes are there "
                f"instead of {written:,}",
                advice="write it again, to a URL that nobody else writes to",
            )

    def check_can_discard(self) -> None:
        """Find out whether the file system can take back a file that is not whole, with another file than this one."""
        with map_remote_errors(self):
            probe = f"{self.path}.{secrets.token_hex(6)}.part"
            file = self._open(probe)
            if isinstance(getattr(file, "autocommit", None), bool) and not file.autocommit:
                file.discard()
                return
            file.close()
            with suppress(OSError):
                self.system.rm(probe)
            raise TargetError(
                f"{self}: its file system cannot take back a file that is not whole",
                advice="write to a path on disk, and copy the file from there",
            )

    def _open(self, path: str) -> Any:
        """Return a file that is nowhere to be seen before it is committed."""
        from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

        if isinstance(self.system, MemoryFileSystem):
            file: Any = MemoryFile(self.system, path)  # its own `open` puts a file in its destination at once
            file.autocommit = False
            return file
        # Without this, closing the file commits it, also when that is because of an error.
        return self.system.open(path, "wb", autocommit=False)

    def result(self) -> str:
        """Return what the caller gets."""
        return self.url


Destination = LocalDestination | RemoteDestination


def open_destination(
    path: str | os.PathLike[str], default_name: str, *, overwrite: bool, storage_options: Mapping[str, Any] | None
) -> Destination:
    """Decide where a file goes, a path or a URL such as ``s3://``, and find out whether it could go there.

    ``storage_options`` is what fsspec needs for a URL. A TargetError where it cannot go there.
    """
    if isinstance(path, str) and "://" in path:
        with needs("fsspec"):
            import fsspec
        # fsspec itself says what a scheme needs beside it, such as s3fs.
        with map_remote_errors(without_credentials(path)):
            system, inner = fsspec.core.url_to_fs(path, **(storage_options or {}))
        remote = RemoteDestination(path, overwrite, system, inner)
        remote.check()
        remote.check_can_discard()
        return remote
    local = LocalDestination(resolve_target(path, default_name), overwrite)
    local.check()
    return local


@contextmanager
def map_remote_errors(destination: object, problem: str = "cannot be written") -> Iterator[None]:
    """Turn what a file system says into an error of the tree."""
    try:
        yield
    except (KhorosError, ImportError):
        raise
    except Exception as error:
        # What stores raise is of their own kinds; what those raise who make the file is no fault of a store.
        if not isinstance(error, OSError | ValueError) and type(error).__module__.partition(".")[0] in _MAKERS:
            raise
        raise TargetError(
            f"{destination} {problem}: {error}",
            errno=getattr(error, "errno", None),
            advice="check the URL, and the credentials in storage_options; then call again",
        ) from error
