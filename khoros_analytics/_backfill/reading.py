"""A dataset that is there: what it holds, its rows, and the end of those that are too old."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from attrs import frozen

from .._checks import checked
from .._frames.dataset import open_files, read_texts
from .._storage.folder import LocalFolder, open_folder
from .._storage.lease import hold_lease
from ..errors import TargetError
from ..times import Moment, Window, parse_moment
from .dataset import LEASE, DatasetFiles
from .placing import temporary_folder
from .records import Line

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["Dataset", "LandedWindow", "open_dataset", "read_dataset"]


@frozen
class LandedWindow:
    """A window that a dataset holds.

    Attributes:
        key: Its name in the dataset.
        window: The stretch of time.
        rows: How many rows it has.
        bytes: How long its file is, in bytes; 0 for one without rows, which has none.
    """

    key: str
    window: Window
    rows: int
    bytes: int


class Dataset:
    """A dataset of a backfill, from :func:`open_dataset`."""

    def __init__(self, files: DatasetFiles) -> None:
        self._files = files

    def __repr__(self) -> str:
        return f"<Dataset of {self.report} in {self._files.folder}>"

    @property
    def report(self) -> str:
        """The report's name on the wire."""
        return self._files.identity.report

    @property
    def timezone(self) -> str:
        """The zone in which its windows were cut."""
        return self._files.identity.zone

    def windows(self) -> tuple[LandedWindow, ...]:
        """List what it holds.

        Returns:
            Its windows, oldest first.

        Raises:
            TargetError: The place cannot be read.
        """
        lines = sorted(self._files.contents().lines.values(), key=lambda line: line.start_ms)
        return tuple(self._landed(line) for line in lines)

    def read(self, start: Moment | None = None, end: Moment | None = None) -> "ds.Dataset":
        """Open its rows for Arrow; of Parquet nothing is read yet. CSV and JSON are read into memory, all columns text.

        Args:
            start: Only windows that end later than this; all when not given. A moment without a zone is read in the
                dataset's own.
            end: Only windows that begin earlier than this; all when not given.

        Returns:
            A ``pyarrow.dataset.Dataset`` with a column ``window``, the name of each row's window.

        Raises:
            ParameterError: A moment cannot be used.
            TargetError: The place cannot be read.
            ImportError: pyarrow is missing; the extra ``arrow`` installs it.
        """
        first, last = self._moment("start", start), self._moment("end", end)
        folder, files = self._files.folder, self._files
        keys = [
            line.key
            for line in sorted(files.contents().lines.values(), key=lambda line: line.start_ms)
            if line.sha256 and (first is None or line.end_ms > first) and (last is None or line.start_ms < last)
        ]
        if files.identity.save_as != "parquet":
            return read_texts(self._on_this_machine(keys))
        paths = [str(folder.path(files.file_of(key))) for key in keys]
        system = None if isinstance(folder, LocalFolder) else folder.system
        return open_files(paths, system, str(folder.root))

    def _on_this_machine(self, keys: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """Yield the windows with the paths of their files, or of copies that last until the next one."""
        folder = self._files.folder
        for key in keys:
            name = self._files.file_of(key)
            if isinstance(folder, LocalFolder):
                yield key, folder.path(name)
                continue
            with temporary_folder() as here, folder.open(name) as file:
                copy = here / name.rpartition("/")[2]
                with copy.open("wb") as target:
                    shutil.copyfileobj(file, target, 1 << 20)
                yield key, copy

    def forget(self, before: Moment) -> tuple[LandedWindow, ...]:
        """Remove the windows that were over by a moment, with all that the dataset says of them.

        Args:
            before: The moment. One without a zone is read in the dataset's own.

        Returns:
            The windows that were removed, oldest first. Each is in the log as well.

        Raises:
            ParameterError: The moment cannot be used.
            TargetError: A backfill works on the dataset, or it cannot be written.
        """
        moment = self._moment("before", before)
        with hold_lease(self._files.folder, LEASE):
            gone = self._files.forget(moment or 0)
        return tuple(self._landed(line) for line in sorted(gone, key=lambda line: line.start_ms))

    def _landed(self, line: Line) -> LandedWindow:
        return LandedWindow(line.key, self._files.window_of(line), line.rows, line.bytes)

    def _moment(self, name: str, moment: Moment | None) -> int | None:
        zone = ZoneInfo(self._files.identity.zone)
        return None if moment is None else checked(name, lambda value: parse_moment(value, zone), moment)


def open_dataset(path: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None) -> Dataset:
    """Open a dataset that a backfill made.

    Args:
        path: Its folder, or a URL that fsspec knows.
        storage_options: What fsspec needs for a URL.

    Returns:
        The dataset.

    Raises:
        TargetError: There is no dataset, or it cannot be read.
        ImportError: fsspec is missing; the extra ``fsspec`` installs it.

    Example:
        >>> result = client.backfill("user", "2019-02-01", "2019-02-03", every="1 day", to="users")
        >>> [window.rows for window in open_dataset("users").windows()]
        [100, 100]
    """
    folder = open_folder(path, storage_options)
    files = DatasetFiles.find(folder)
    if files is None:
        error = TargetError(f"{folder} holds no dataset", advice="client.backfill(..., to=...) makes one")
        error.add_advice()
        raise error
    return Dataset(files)


def read_dataset(
    path: str | os.PathLike[str],
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> "ds.Dataset":
    """Open the rows of a backfill's dataset for Arrow.

    Of Parquet nothing is read yet. Datasets of CSV and JSON are read into memory, all columns text.

    Args:
        path: Its folder, or a URL that fsspec knows.
        start: Only windows that end later than this; all when not given. A moment without a zone is read in the
            dataset's own.
        end: Only windows that begin earlier than this; all when not given.
        storage_options: What fsspec needs for a URL.

    Returns:
        A ``pyarrow.dataset.Dataset`` with a column ``window``, the name of each row's window.

    Raises:
        TargetError: There is no dataset, or it cannot be read.
        ParameterError: A moment cannot be used.
        ImportError: pyarrow or fsspec is missing; the extra ``arrow`` or ``fsspec`` installs it.

    Example:
        >>> result = client.backfill("user", "2019-02-01", "2019-02-03", every="1 day", to="users")
        >>> read_dataset("users", start="2019-02-02").count_rows()
        100
    """
    return open_dataset(path, storage_options=storage_options).read(start, end)
