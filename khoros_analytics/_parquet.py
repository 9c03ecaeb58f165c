"""Parquet: an export as a file of columns, written in constant memory, whole or absent, here or in object storage."""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ._columns import ExportFile, Tables, with_tables
from ._download import check_place, final_place, locate, put_in_place
from ._checks import needs
from ._frames import require
from ._parts import on_disk, open_part
from .errors import KhorosError, TargetError, TargetExistsError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LocalPlace", "Place", "RemotePlace", "find_place", "write_parquet"]

_ROW_GROUP = 1 << 24
"""How many bytes are written at once: the memory that it takes is a few times as much."""


@frozen
class LocalPlace:
    """A place on disk.

    Attributes:
        path: The file's path.
        overwrite: Whether a file that is there may be replaced.
    """

    path: Path
    overwrite: bool

    def check(self) -> None:
        """Find out whether the file could go there.

        Raises:
            TargetError: It could not.
        """
        check_place(self.path, overwrite=self.overwrite)

    @contextmanager
    def whole(self) -> Iterator[str]:
        """Yield the path of a temporary file, which gets its name when the block ends well.

        Raises:
            TargetError: The disk does not take it.
        """
        final = final_place(self.path)
        with open_part(final, None) as part, on_disk(self.path, "cannot be written"):
            yield str(part.path)
            put_in_place(part, final, overwrite=self.overwrite)

    def result(self) -> Path:
        """Return what the caller gets."""
        return self.path


def _without_credentials(url: str) -> str:
    return re.sub(r"//[^/]*@", "//...@", url)


@frozen
class RemotePlace:
    """A place that fsspec knows, such as object storage.

    Attributes:
        url: The file's URL.
        overwrite: Whether a file that is there may be replaced.
        system: The file system, of fsspec.
        path: The file's path there.
    """

    url: str = field(repr=_without_credentials)
    overwrite: bool
    system: Any = field(repr=False)
    path: str

    def __str__(self) -> str:
        return _without_credentials(self.url)

    def check(self) -> None:
        """Find out whether the file could go there.

        Raises:
            TargetError: It could not.
        """
        with _remote(self):
            if not self.overwrite and self.system.exists(self.path):
                raise TargetExistsError(f"{self} is there already; give another URL, or overwrite=True to replace it")

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """Yield a file to write to, which is committed when the block ends well, and otherwise never was.

        Raises:
            TargetError: The file system does not take it.
        """
        with _remote(self):
            file = self._open(self.path)
            try:
                yield file
                file.close()
            except BaseException:
                file.discard()
                raise
            self.check()
            file.commit()

    def check_way_back(self) -> None:
        """Find out whether the file system can take back a file that is not whole, with another file than this one.

        Raises:
            TargetError: It cannot.
        """
        with _remote(self):
            probe = f"{self.path}.{secrets.token_hex(6)}.part"
            file = self._open(probe)
            if isinstance(getattr(file, "autocommit", None), bool) and not file.autocommit:
                file.discard()
                return
            file.close()
            with suppress(OSError):
                self.system.rm(probe)
            raise TargetError(
                f"{self}: its file system cannot take back a file that is not whole; write to disk and copy it"
            )

    def _open(self, path: str) -> Any:
        """Return a file that is nowhere to be seen before it is committed."""
        from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

        if isinstance(self.system, MemoryFileSystem):
            file: Any = MemoryFile(self.system, path)  # its own `open` puts a file in its place at once
            file.autocommit = False
            return file
        # Without this, closing the file commits it, also when that is because of an error.
        return self.system.open(path, "wb", autocommit=False)

    def result(self) -> str:
        """Return what the caller gets."""
        return self.url


Place = LocalPlace | RemotePlace


def find_place(
    path: str | os.PathLike[str], default_name: str, *, overwrite: bool, storage_options: Mapping[str, Any] | None
) -> Place:
    """Decide where a file goes, and find out whether it could go there.

    Args:
        path: A file, a folder, or a URL with a scheme such as ``s3://``.
        default_name: The file's name in a folder.
        overwrite: Whether a file that is there may be replaced.
        storage_options: What fsspec needs to know of the file system of a URL.

    Raises:
        TargetError: It cannot go there.
        ImportError: fsspec, or what it needs for the scheme, is missing.
    """
    if isinstance(path, str) and "://" in path:
        with needs("fsspec"):
            import fsspec
        # fsspec itself says what a scheme needs beside it, such as s3fs.
        with _remote(_without_credentials(path)):
            system, inner = fsspec.core.url_to_fs(path, **(storage_options or {}))
        remote = RemotePlace(path, overwrite, system, inner)
        remote.check()
        remote.check_way_back()
        return remote
    local = LocalPlace(locate(path, default_name), overwrite)
    local.check()
    return local


@contextmanager
def _remote(place: object) -> Iterator[None]:
    """Turn what a file system says into an error of the tree."""
    try:
        yield
    except (KhorosError, ImportError):
        raise
    except (OSError, ValueError) as error:
        raise TargetError(f"{place} cannot be written: {error}", errno=getattr(error, "errno", None)) from error


def write_parquet(file: ExportFile, place: Place, about: Mapping[str, object]) -> None:
    """Write a file as Parquet, compressed with zstd.

    Args:
        file: The file.
        place: Where to.
        about: What to note in the file's metadata.

    Raises:
        ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
        ParameterError: A type was asked for a column that is not there.
        TargetError: The place does not take it.
        ImportError: pyarrow is missing.
    """
    require("arrow")
    from pyarrow import parquet

    metadata = {f"khoros_analytics.{key}": json.dumps(value, default=str) for key, value in about.items()}

    def write(schema: "pa.Schema", tables: Tables) -> None:
        with (
            place.whole() as target,
            parquet.ParquetWriter(target, schema.with_metadata(metadata), compression="zstd") as writer,
            _behind(lambda table: writer.write_table(table, row_group_size=max(1, table.num_rows))) as write_later,
        ):
            for group in _groups(schema, tables):
                write_later(group)

    with_tables(file, write)


def _groups(schema: "pa.Schema", tables: Tables) -> Iterator["pa.Table"]:
    """Yield tables that are large enough to be written on their own, and at least one."""
    import pyarrow as pa

    waiting = [schema.empty_table()]
    for table in tables:
        waiting.append(table)
        if sum(part.nbytes for part in waiting) >= _ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def _behind(work: Callable[["pa.Table"], object]) -> Iterator[Callable[["pa.Table"], None]]:
    """Do work in a thread of its own, one table at a time, so that the next one can be made ready meanwhile."""
    pending: Future[object] | None = None
    with ThreadPoolExecutor(1) as pool:

        def submit(table: "pa.Table") -> None:
            nonlocal pending
            if pending:
                pending.result()
            pending = pool.submit(work, table)

        yield submit
        if pending:
            pending.result()
