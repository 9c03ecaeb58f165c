"""Frames: an export's file as a table of Arrow, pandas or Polars. The libraries are extras, imported when needed."""

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from attrs import evolve

from .._checks import needs
from ..errors import ExportFormatError, ParameterError
from .arrow_reader import ExportFile, planned_tables
from .column_types import Types, parse_types
from .pandas_frame import DtypeBackend, check_backend, pandas_frame
from .schema import joined, without_columns
from .whole_file import read_parts, read_table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_BATCH = 1 << 20
"""From so many bytes on, a batch is given out."""
_LARGEST_BATCH = 1 << 22
"""How many bytes a batch has at most, more or less."""

__all__ = [
    "batches",
    "check_rows",
    "given_file",
    "read_arrow",
    "read_pandas",
    "read_polars",
    "require",
    "seekable",
    "to_arrow",
    "to_pandas",
    "to_polars",
]

# Offsets of whole hours are names in the time zone database, such as Etc/GMT-2. With any other one Polars panics.
POLARS_ZONES = {
    None,
    "UTC",
    *(f"+{hours:02}:00" for hours in range(15)),
    *(f"-{hours:02}:00" for hours in range(13)),
}


def require(extra: Literal["arrow", "pandas", "polars", "excel"]) -> None:
    """Raise an ImportError where a library of the extra is missing, before anything is waited for."""
    with needs(extra):
        import pyarrow as pa  # noqa: F401 - all of them need it

        if extra == "pandas":
            import pandas as pd  # noqa: F401
        elif extra == "polars":
            import polars as pl  # noqa: F401
        elif extra == "excel":
            import xlsxwriter  # noqa: F401


def read_arrow(path: str | os.PathLike[str], *, types: Types | None = None) -> "pa.Table":
    """Read a downloaded export into a table of Arrow.

    A column of text becomes one of numbers, booleans, dates or timestamps only where each of its values keeps its value
    exactly; columns whose name ends with the word ID stay text.

    Args:
        path: The file: CSV or JSON, also compressed with gzip.
        types: ``{column: type}`` for columns that should have another type: ``"text"``, ``"integer"``, ``"float"``,
            ``"boolean"``, ``"date"`` or ``"timestamp"``; or ``"text"`` to leave all columns text.

    Returns:
        A ``pyarrow.Table``, its columns in the order of the file.

    Raises:
        ExportFormatError: The file is damaged or no export, or a value is not of the type that was asked for.
        ParameterError: ``types`` names a column that is not there, or no type.
        FileNotFoundError: There is no such file.
        ImportError: pyarrow is missing; the extra ``arrow`` installs it.

    Example:
        >>> path = client.user("2019-02-01", "2019-02-02").download("users.csv")
        >>> read_arrow(path).num_rows
        100
    """
    with seekable(given_file(path, types)) as file:
        return to_arrow(file)


def read_pandas(
    path: str | os.PathLike[str], *, types: Types | None = None, dtype_backend: DtypeBackend = "pandas"
) -> "pd.DataFrame":
    """Read a downloaded export into a DataFrame of pandas.

    Moments with several offsets, as in a window across a change of clocks, become one column of moments in UTC.

    Args:
        path: The file: CSV or JSON, also compressed with gzip.
        types: As for :func:`read_arrow`.
        dtype_backend: ``"pandas"`` for ``datetime64`` and pandas' own types that know missing values: ``Int64``,
            ``Float64``, ``boolean`` and ``string``; ``"pyarrow"`` for columns backed by Arrow.

    Returns:
        A ``pandas.DataFrame``, its columns in the order of the file. What is missing is ``pandas.NA``, or
        ``pandas.NaT`` among moments.

    Raises:
        ExportFormatError: The file is damaged or no export, or a value is not of the type that was asked for.
        ParameterError: ``types`` names a column that is not there, or no type; there is no such ``dtype_backend``.
        FileNotFoundError: There is no such file.
        ImportError: pandas or pyarrow is missing; the extra ``pandas`` installs both.

    Example:
        >>> path = client.user("2019-02-01", "2019-02-02").download("users.csv")
        >>> len(read_pandas(path))
        100
    """
    check_backend(dtype_backend)
    with seekable(given_file(path, types)) as file:
        return to_pandas(file, dtype_backend)


def read_polars(path: str | os.PathLike[str], *, types: Types | None = None) -> "pl.DataFrame":
    """Read a downloaded export into a DataFrame of Polars.

    An offset of whole hours becomes Polars' zone of that offset: ``+02:00`` is ``Etc/GMT-2``. Moments with another one,
    such as ``+05:30``, stay text, since Polars has no zone that would keep it.

    Args:
        path: The file: CSV or JSON, also compressed with gzip.
        types: As for :func:`read_arrow`.

    Returns:
        A ``polars.DataFrame``, its columns in the order of the file.

    Raises:
        ExportFormatError: The file is damaged or no export, or a value is not of the type that was asked for.
        ParameterError: ``types`` names a column that is not there, or no type.
        FileNotFoundError: There is no such file.
        ImportError: Polars or pyarrow is missing; the extra ``polars`` installs both.

    Example:
        >>> path = client.user("2019-02-01", "2019-02-02").download("users.csv")
        >>> read_polars(path).height
        100
    """
    with seekable(given_file(path, types)) as file:
        return to_polars(file)


def given_file(path: str | os.PathLike[str], types: object) -> ExportFile:
    """Return a file on disk, with what its caller says of the types."""
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(f"{path!r} is not a path; give that of a downloaded export")
    return ExportFile(Path(path), hints=parse_types(types))


@contextmanager
def seekable(file: ExportFile) -> Iterator[ExportFile]:
    """Yield the file, or a temporary copy of what can be read only once: a pipe, or standard input."""
    try:
        with _copied(file) as seekable:
            yield seekable
    except ExportFormatError as error:
        error.add_advice()
        raise


@contextmanager
def _copied(file: ExportFile) -> Iterator[ExportFile]:
    if not file.path.exists() or file.path.is_file():
        yield file
        return
    descriptor, name = tempfile.mkstemp(prefix="khoros_analytics-")
    process = os.getpid()
    try:
        with os.fdopen(descriptor, "wb") as copy, file.path.open("rb") as original:
            shutil.copyfileobj(original, copy)
        yield evolve(file, path=Path(name))
    finally:
        if os.getpid() == process:  # and not the child of a fork
            Path(name).unlink(missing_ok=True)


def to_arrow(file: ExportFile) -> "pa.Table":
    """Read a file into a table of Arrow."""
    require("arrow")
    return read_table(file)


def to_pandas(file: ExportFile, backend: DtypeBackend) -> "pd.DataFrame":
    """Read a file into a DataFrame of pandas."""
    require("pandas")
    return pandas_frame(to_arrow(file), backend, file.hints, file.zone)


def to_polars(file: ExportFile) -> "pl.DataFrame":
    """Read a file into a DataFrame of Polars."""
    require("polars")
    import polars as pl

    hints = evolve(file.hints, zones=POLARS_ZONES)
    parts = read_parts(evolve(file, hints=hints), _polars_part)
    frames = [frame for _, frame in parts]
    frame = pl.concat([part for part in frames if part.height] or frames[:1], rechunk=False)
    frame.columns = parts[0][0]
    return frame


def _polars_part(table: "pa.Table") -> tuple[list[str], "pl.DataFrame"]:
    """Return a table's names and a frame with numbers in their place: Polars makes up names where one is empty."""
    import polars as pl

    names = table.column_names
    # Only an array would become a Series.
    return names, cast(
        "pl.DataFrame", pl.from_arrow(table.rename_columns(list(map(str, range(len(names))))), rechunk=False)
    )


def check_rows(rows: object) -> int:
    """Return the largest number of rows of a batch; a ParameterError for what cannot be one."""
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ParameterError(f"rows: {rows!r} is not a number of rows; give a whole number from 1 on")
    return rows


def batches(file: ExportFile, rows: int) -> Generator["pa.RecordBatch", None, None]:
    """Yield a file in batches that all have the same schema, in constant memory. The file is read twice."""
    waiting: deque[pa.Table] = deque()
    for table in planned_tables(evolve(file, low_memory=True)):
        waiting.append(table)
        while waiting and (_count(waiting) >= rows or sum(part.nbytes for part in waiting) >= _BATCH):
            yield _first_batch(waiting, rows)
    while waiting:
        yield _first_batch(waiting, rows)


def _count(tables: Iterable["pa.Table"]) -> int:
    return sum(table.num_rows for table in tables)


def _first_batch(waiting: deque["pa.Table"], rows: int) -> "pa.RecordBatch":
    """Take rows from what is waiting, as many as may be in one batch, and return them in one piece."""
    table = joined(waiting)
    waiting.clear()
    count = min(rows, table.num_rows, max(1, table.num_rows * _LARGEST_BATCH // max(1, table.nbytes)))
    # Of a table without columns, a slice forgets where its rows end.
    taken, rest = (
        (table.slice(0, count), table.slice(count))
        if table.schema
        else (without_columns(count), without_columns(table.num_rows - count))
    )
    if rest.num_rows:
        waiting.append(rest)
    return taken.combine_chunks().to_batches()[0]
