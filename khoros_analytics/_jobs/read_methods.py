"""The methods of ``Job`` that read its file: rows, frames, Parquet, Excel."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from .._checks import as_flag, checked
from .._frames.arrow_reader import ExportFile
from .._frames.column_types import Types, parse_types
from .._frames.excel import open_workbook, write_workbook
from .._frames.pandas_frame import DtypeBackend, check_backend
from .._frames.parquet import write_parquet
from .._frames.read import batches, check_rows, require, to_arrow, to_pandas, to_polars
from .._rows.read import primed, read_rows
from .._secrecy import Hidden
from .._storage.destination import Destination, open_destination
from ..errors import FailedJob
from .file import JobFile, TemporaryFile
from .remote import RemoteJob

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["ReadMethods"]

Extra = Literal["arrow", "excel", "pandas", "polars"]
T = TypeVar("T")


class ReadMethods:
    """The methods of a job that read its file. Each waits for the export, and fetches the file if nobody has yet."""

    def __init__(self, remote: RemoteJob, file: JobFile) -> None:
        self._remote = remote
        self._file = file

    def to_arrow(self, *, types: Types | None = None, timeout: float | None = None) -> "pa.Table":
        """Wait until the file is ready, and read it into a table of Arrow.

        A column of text becomes one of numbers, booleans, dates or timestamps only where each of its values keeps its
        value exactly; columns whose name ends with the word ID stay text.

        Args:
            types: ``{column: type}`` for columns that should have another type: ``"text"``, ``"integer"``,
                ``"float"``, ``"boolean"``, ``"date"`` or ``"timestamp"``; or ``"text"`` to leave all columns text.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.

        Returns:
            A ``pyarrow.Table``, its columns in the order of the file.

        Raises:
            ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
            ParameterError: ``types`` names a column that is not there, or no type.
            ImportError: pyarrow is missing; the extra ``arrow`` installs it.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> job = client.conversation("2019-02-01", "2019-05-01", metrics=["CONVERSATION_ID", "POST_COUNT"])
            >>> table = job.to_arrow()
            >>> [str(column.type) for column in table.schema]
            ['string', 'int64']
        """
        return self._frame("arrow", to_arrow, types, timeout)

    def to_pandas(
        self,
        *,
        types: Types | None = None,
        dtype_backend: DtypeBackend = "pandas",
        timeout: float | None = None,
    ) -> "pd.DataFrame":
        """Wait until the file is ready, and read it into a DataFrame of pandas.

        Moments with several offsets, as in a window across a change of clocks, become one column of moments in the zone
        that the export was asked for, or in UTC.

        Args:
            types: As for :meth:`to_arrow`.
            dtype_backend: ``"pandas"`` for ``datetime64`` and pandas' own types that know missing values: ``Int64``,
                ``Float64``, ``boolean`` and ``string``; ``"pyarrow"`` for columns backed by Arrow.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.

        Returns:
            A ``pandas.DataFrame``, its columns in the order of the file. What is missing is ``pandas.NA``, or
            ``pandas.NaT`` among moments.

        Raises:
            ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
            ParameterError: ``types`` names a column that is not there, or no type; there is no such ``dtype_backend``.
            ImportError: pandas or pyarrow is missing; the extra ``pandas`` installs both.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> frame = client.conversation("2019-02-01", "2019-05-01", metrics=["STATUS"]).to_pandas()
            >>> sorted(frame["STATUS"].unique())
            ['CLOSED', 'OPEN', 'PENDING']
        """
        backend = check_backend(dtype_backend)
        return self._frame("pandas", lambda file: to_pandas(file, backend), types, timeout)

    def to_polars(self, *, types: Types | None = None, timeout: float | None = None) -> "pl.DataFrame":
        """Wait until the file is ready, and read it into a DataFrame of Polars.

        An offset of whole hours becomes Polars' zone of that offset: ``+02:00`` is ``Etc/GMT-2``. Moments with another
        one, such as ``+05:30``, stay text, since Polars has no zone that would keep it.

        Args:
            types: As for :meth:`to_arrow`.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.

        Returns:
            A ``polars.DataFrame``, its columns in the order of the file.

        Raises:
            ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
            ParameterError: ``types`` names a column that is not there, or no type.
            ImportError: Polars or pyarrow is missing; the extra ``polars`` installs both.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> client.conversation("2019-02-01", "2019-05-01", metrics=["STATUS"]).to_polars().columns
            ['STATUS']
        """
        return self._frame("polars", to_polars, types, timeout)

    def batches(
        self, rows: int = 65536, *, types: Types | None = None, timeout: float | None = None
    ) -> "Generator[pa.RecordBatch, None, None]":
        """Wait until the file is ready, and read it in batches: for files larger than the memory.

        All batches have the same schema, that of :meth:`to_arrow`. So all of the file is looked at before the first one
        comes.

        Args:
            rows: How many rows each has at most; there are fewer in the last one, and where so many rows would take
                more than a few megabytes.
            types: As for :meth:`to_arrow`.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.

        Returns:
            An iterator of ``pyarrow.RecordBatch``. Close it when you leave it early.

        Raises:
            ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
            ParameterError: ``types`` names a column that is not there, or no type, or ``rows`` is no such number.
            ImportError: pyarrow is missing; the extra ``arrow`` installs it.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> [batch.num_rows for batch in client.author("2019-02-01", "2019-02-02").batches(rows=64)]
            [64, 36]
        """
        with self._errors_about_this():
            require("arrow")
            check_rows(rows)
            hints = parse_types(types, self._remote.request.report.name)
        return self._stream(None, timeout, lambda path: batches(self._file.export_file(path, hints), rows))

    def rows(
        self, *, keep: str | os.PathLike[str] | None = None, timeout: float | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """Wait until the file is ready, and read it row by row, in constant memory.

        Each row is a dict from column to value. In CSV all values are texts, and None where nothing stands; JSON keeps
        the types that each row has. Unless the job has saved its file already, or ``keep`` is given, the file is
        fetched into the system's temporary folder, and removed after the last row, or when the iterator is closed.

        Args:
            keep: A file or folder, as for :meth:`download`, where the file should stay.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.

        Returns:
            An iterator of rows. The wait and the download are over when it is returned.

        Raises:
            ExportFormatError: The file is damaged. No row is left out silently.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> rows = client.conversation("2019-02-01", "2019-05-01", metrics=["CONVERSATION_ID", "STATUS"]).rows()
            >>> next(rows)
            {'CONVERSATION_ID': '55...', 'STATUS': 'CLOSED'}
            >>> rows.close()
        """
        return self._stream(keep, timeout, lambda path: read_rows(path, format=self._file.format()))

    @overload
    def to_parquet(
        self,
        path: os.PathLike[str],
        *,
        overwrite: bool = ...,
        types: Types | None = ...,
        timeout: float | None = ...,
        storage_options: Mapping[str, Any] | None = ...,
    ) -> Path: ...
    @overload
    def to_parquet(
        self,
        path: str,
        *,
        overwrite: bool = ...,
        types: Types | None = ...,
        timeout: float | None = ...,
        storage_options: Mapping[str, Any] | None = ...,
    ) -> Path | str: ...
    def to_parquet(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        types: Types | None = None,
        timeout: float | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Path | str:
        """Wait until the file is ready, and write it as Parquet, in constant memory. It is there whole, or not at all.

        It is compressed with zstd, and its metadata says what it is: ``khoros_analytics.report``, ``.window``,
        ``.arguments`` and ``.version``.

        Args:
            path: A file, a folder in which the file gets a name made of report and window, or a URL that fsspec knows,
                such as ``s3://bucket/file.parquet``.
            overwrite: Whether another file that is there may be replaced.
            types: As for :meth:`to_arrow`.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.
            storage_options: What fsspec should know of the storage that the URL names, such as its credentials.

        Returns:
            The absolute path of the file, or the URL.

        Raises:
            TargetExistsError: Another file is there.
            TargetError: There is no such folder, the disk is full, or the storage does not take the file.
            ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
            ParameterError: ``types`` names a column that is not there, or no type.
            ImportError: pyarrow or fsspec is missing; the extras ``arrow`` and ``fsspec`` install them.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> client.author("2019-02-01", "2019-02-02").to_parquet("authors.parquet").name
            'authors.parquet'
        """
        options = Hidden(storage_options)  # it may hold credentials, which a traceback with variables would show
        del storage_options
        place = partial(open_destination, path, self._file.name("parquet"), overwrite=overwrite)
        write = partial(write_parquet, about=self._file.metadata())
        return self._written("arrow", place, write, overwrite=overwrite, types=types, timeout=timeout, options=options)

    @overload
    def to_excel(
        self,
        path: os.PathLike[str],
        *,
        overwrite: bool = ...,
        types: Types | None = ...,
        timeout: float | None = ...,
        storage_options: Mapping[str, Any] | None = ...,
    ) -> Path: ...
    @overload
    def to_excel(
        self,
        path: str,
        *,
        overwrite: bool = ...,
        types: Types | None = ...,
        timeout: float | None = ...,
        storage_options: Mapping[str, Any] | None = ...,
    ) -> Path | str: ...
    def to_excel(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        types: Types | None = None,
        timeout: float | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Path | str:
        """Wait until the file is ready, and write it as a workbook of Excel, in constant memory.

        It is there whole, or not at all. Ids and other texts stay text, with every digit; numbers, booleans, dates and
        moments are real ones, the latter by the clock of the export's zone. An export of more than 1,048,575 rows goes
        on in further sheets.

        Args:
            path: A file whose name ends with ``.xlsx``, a folder in which the file gets a name made of report and
                window, or a URL that fsspec knows, such as ``s3://bucket/file.xlsx``.
            overwrite: Whether another file that is there may be replaced.
            types: As for :meth:`to_arrow`.
            timeout: How long the export and the download may take, in seconds; 6 hours when not given.
            storage_options: What fsspec should know of the storage that the URL names, such as its credentials.

        Returns:
            The absolute path of the file, or the URL.

        Raises:
            TargetExistsError: Another file is there.
            TargetError: There is no such folder, the disk is full, or the storage does not take the file.
            ExportFormatError: The file is damaged, a value is not of the type that was asked for, or Excel has no room
                for it: for more than 16,384 columns, or more than 32,767 characters in a cell. Nothing was written.
            ParameterError: ``types`` names a column that is not there, or no type; the name of the file does not end
                with ``.xlsx``.
            ImportError: XlsxWriter, pyarrow or fsspec is missing; the extras ``excel`` and ``fsspec`` install them.
            JobError: The export failed, or the time is over.
            KhorosError: As for :meth:`download`.

        Example:
            >>> client.author("2019-02-01", "2019-02-02").to_excel("authors.xlsx").name
            'authors.xlsx'
        """
        options = Hidden(storage_options)  # it may hold credentials, which a traceback with variables would show
        del storage_options
        place = partial(open_workbook, path, self._file.name("xlsx"), overwrite=overwrite)
        write = partial(write_workbook, title=self._remote.request.report.name, about=self._file.metadata())
        return self._written("excel", place, write, overwrite=overwrite, types=types, timeout=timeout, options=options)

    def _written(
        self,
        extra: Extra,
        place: Callable[..., Destination],
        write: Callable[[ExportFile, Destination], None],
        *,
        overwrite: object,
        types: object,
        timeout: float | None,
        options: Hidden[Mapping[str, Any] | None],
    ) -> Path | str:
        """Write the file in another form; what can be known to be wrong is, before anything is waited for."""
        with self._errors_about_this():
            require(extra)
            hints = parse_types(types, self._remote.request.report.name)
            checked("overwrite", as_flag, overwrite)
            deadline = self._remote.deadline(timeout)
            destination = place(storage_options=options.reveal())
            write(self._file.export_file(self._file.path(deadline), hints), destination)
        return destination.result()

    def _frame(self, extra: Extra, make: Callable[[ExportFile], T], types: object, timeout: float | None) -> T:
        with self._errors_about_this():
            require(extra)
            hints = parse_types(types, self._remote.request.report.name)
            deadline = self._remote.deadline(timeout)
            return make(self._file.export_file(self._file.path(deadline), hints))

    def _stream(
        self, keep: str | os.PathLike[str] | None, timeout: float | None, read: Callable[[Path], Iterator[T]]
    ) -> Generator[T, None, None]:
        with self._errors_about_this():
            deadline = self._remote.deadline(timeout)
            file = self._file.open(keep, deadline)
        return primed(self._read(file, read))

    def _read(self, file: TemporaryFile, read: Callable[[Path], Iterator[T]]) -> Generator[T, None, None]:
        try:
            yield cast("T", None)  # see `primed`
            with self._errors_about_this():
                yield from read(file.path)
        finally:
            file.close()

    def _errors_about_this(self) -> AbstractContextManager[None]:
        """Let errors of the block carry the job, which every instance of this class is."""
        return self._remote.errors_about(cast("FailedJob", self))
