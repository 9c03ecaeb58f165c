"""From a downloaded export to a window's file in its place: what a worker does, in a thread or on another machine."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from .._frames.arrow_reader import ExportFile
from .._frames.rebuildable import column_names, convert, count_rows
from .._storage.system_errors import map_os_errors
from ..errors import ParameterError
from .dataset import DatasetFiles, digest
from .records import Line, fingerprint

__all__ = ["Placed", "WindowFile", "place", "temporary_folder"]


@frozen
class WindowFile:
    """Where a window's rows go.

    Attributes:
        dataset: The dataset.
        key: The window's name in it.
        start_ms: The window's first moment, in epoch milliseconds.
        end_ms: The moment at which it ends, in epoch milliseconds.
        job: The export's ids.
        old: The line of the file that is to be replaced, or None.
    """

    dataset: DatasetFiles
    key: str
    start_ms: int
    end_ms: int
    job: tuple[str, str]
    old: Line | None = None


@frozen
class Placed:
    """What became of a window.

    Attributes:
        line: What the dataset is to say of it.
        schema: The columns of its file, as the frames write them down, or None where there is no such file.
    """

    line: Line
    schema: str | None = field(default=None, repr=False)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for the files that are on their way, for its owner alone."""
    with map_os_errors(Path(tempfile.gettempdir()), "cannot be used"):
        folder = Path(tempfile.mkdtemp(prefix="khoros_analytics-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(window: WindowFile, export: ExportFile, landed_at: float, check: Callable[[], None]) -> Placed:
    """Put an export's rows into the dataset, whole or not at all. ``landed_at`` is in seconds since 1970 UTC.

    ``check`` is called before the dataset is touched, and raises an error where it must not be any more.
    """
    with temporary_folder() as folder:
        path, rows, schema = _written(window, export, folder)
        values: dict[str, Any] = {
            "key": window.key,
            "start_ms": window.start_ms,
            "end_ms": window.end_ms,
            "landed_at": landed_at,
            "rows": rows,
            "job": window.job,
        }
        if not rows:
            return Placed(Line(**values), schema)
        line = Line(**values, bytes=path.stat().st_size, sha256=digest(path), schema=fingerprint(schema))
        check()
        if window.old is not None:
            window.dataset.will_replace(window.old, line)
        window.dataset.put(window.key, path)
        return Placed(line, schema)


def _written(window: WindowFile, export: ExportFile, folder: Path) -> tuple[Path, int, str | None]:
    """Return a window's file, how many rows it has, and its columns."""
    identity = window.dataset.identity
    _check_columns(export)
    if identity.save_as != "parquet":
        return export.path, count_rows(export), None
    target = folder / "window.parquet"
    converted = convert(export, target, identity.schema, export.zone)
    return target, converted.rows, converted.schema


def _check_columns(export: ExportFile) -> None:
    """Raise a ParameterError where an export has a column of the name that the folders of a dataset have."""
    taken = [name for name in column_names(export) if name.casefold() == "window"]
    if taken:
        raise ParameterError(
            f"the export has a column {taken[0]!r}, and so has every dataset: it is read off the names of its folders",
            advice="leave that column out of metrics, or download the exports one by one",
        )
