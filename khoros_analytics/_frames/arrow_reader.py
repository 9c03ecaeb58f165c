"""A file's columns, each of one type for all rows: guessed from the first rows, and checked with every value.

Where the guess turns out too narrow, all of the file is looked at once, and read once more.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import define, evolve, field, frozen

from .._rows.csv_reader import read_header
from .._rows.source import Format, open_export
from ..errors import ExportFormatError
from .column_types import TEXT, ColumnType, SchemaHints, join
from .csv_arrow import THREADS, ArrowCsv, RowCsv, UnusualCsvError, whole_csv
from .inference import (
    Chunk,
    ColumnChunk,
    UnfitValueError,
    arrow_type,
    asked_type,
    cast_as_asked,
    cast_exactly,
    examine,
    infer,
)
from .json_arrow import JsonColumns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ExportFile", "Tables", "planned_tables", "read_table", "with_tables"]

_GUESSED_FROM = 2
"""From how many blocks the types are guessed."""

T = TypeVar("T")
U = TypeVar("U")
Tables = Generator["pa.Table", None, None]


@frozen
class ExportFile:
    """A file to be read as a frame.

    Attributes:
        path: Where it is.
        format: What it is; found out when None.
        hints: Which types its columns should have.
        columns: What its columns are called, in case that it has no rows and cannot say.
        row_by_row: Whether to read CSV row by row.
        low_memory: Whether to have as few rows in memory as possible, which takes longer.
    """

    path: Path
    format: Format | None = None
    hints: SchemaHints = field(factory=SchemaHints)
    columns: tuple[str, ...] = ()
    row_by_row: bool = False
    low_memory: bool = False


def read_table(file: ExportFile) -> "pa.Table":
    """Read all of a file.

    Args:
        file: The file.

    Raises:
        ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
        ParameterError: A type was asked for a column that is not there.
    """
    import pyarrow as pa

    with suppress(UnusualCsvError), open_export(file.path, file.format) as content:
        if content.format == "csv" and content.path:
            return _narrowed(whole_csv(content, read_header(content), content.path), file)
    return with_tables(file, lambda schema, tables: pa.concat_tables([schema.empty_table(), *tables]))


def _narrowed(chunk: Chunk, file: ExportFile) -> "pa.Table":
    """Return a whole file in the narrowest types."""
    import pyarrow as pa

    def column(name: str) -> "pa.ChunkedArray":
        values = chunk.columns[name]
        if name in file.hints.overrides:
            return cast_as_asked(values, name, asked_type(file.hints.overrides[name], values))
        known = file.hints.initial(name)
        if known == TEXT or file.hints.stays_text(name):
            return values.values
        found, converted = infer(values)
        joined = join(known, found)
        return converted if joined == found else cast_exactly(values, joined)

    file.hints.check_columns(chunk.columns)
    try:
        return pa.Table.from_arrays(list(_in_order(column, chunk.columns, THREADS)), names=list(chunk.columns))
    except UnfitValueError as error:
        unfit = error
    raise _unfit(unfit, file.path.name, 0)


def with_tables(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> T:
    """Read a file, and give its schema and its tables to a function: again from the start where a guess was wrong.

    Args:
        file: The file.
        use: What to do with them. When it is called again, what it did before must not show.

    Returns:
        What the function returned in the end.

    Raises:
        ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
        ParameterError: A type was asked for a column that is not there.
    """
    try:
        return _optimistic(file, use)
    except UnusualCsvError:
        row_by_row = True
    except _TooNarrowError:
        row_by_row = False
    if row_by_row:
        return with_tables(evolve(file, row_by_row=True), use)
    file, types = _scan(file)
    with closing(_tables(file, types)) as tables:
        return use(_schema(types), tables)


def planned_tables(file: ExportFile) -> Tables:
    """Look at all of a file, and return its tables: for those who cannot take a table back.

    Args:
        file: The file.

    Raises:
        ExportFormatError: The file is damaged, or a value is not of the type that was asked for.
        ParameterError: A type was asked for a column that is not there.
    """
    file, types = _scan(file)
    return _tables(file, types)


class _TooNarrowError(Exception):
    """A guess does not hold for the rows behind those from which it was made."""


class _Columns(Protocol):
    """Reads a file of one format.

    Attributes:
        threads: How many threads besides the one that reads are of use.
    """

    @property
    def threads(self) -> int: ...

    def blocks(self) -> Generator[Any, None, None]:
        """Yield parts of the file, one after the other."""
        ...

    def chunk(self, block: Any) -> Chunk:
        """Turn a part into columns, in any thread."""
        ...


Found = Mapping[str, ColumnType]


@define
class _Findings:
    """What is known of the columns after some of the rows."""

    hints: SchemaHints
    types: dict[str, ColumnType] = field(factory=dict)

    def look(self, chunk: Chunk) -> Found:
        """Find out what some rows hold, in any thread."""
        return {name: self._look(name, column) for name, column in chunk.columns.items()}

    def _look(self, name: str, column: ColumnChunk) -> ColumnType:
        if name in self.hints.overrides:
            return asked_type(self.hints.overrides[name], column)
        if self.hints.stays_text(name) or self.types.get(name) == TEXT:
            return TEXT
        return examine(column)

    def add(self, found: Found) -> None:
        """Learn what some rows hold, after those before them."""
        for name, column in found.items():
            known = self.types.get(name, self.hints.initial(name))
            if name not in self.hints.overrides:
                self.types[name] = join(known, column)
            elif known.origin is None:  # the first value decides
                self.types[name] = column

    def finish(self, names: Iterable[str]) -> Found:
        """Return the types of all columns; those named here are there even where no row has them."""
        nothing = Chunk({name: _without_values() for name in names if name not in self.types}, 0)
        self.add(self.look(nothing))
        self.hints.check_columns(self.types)
        return self.types


def _without_values() -> ColumnChunk:
    import pyarrow as pa

    return ColumnChunk(pa.nulls(0, pa.string()))


def _optimistic(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> T:
    with _opened(file) as (columns, names), closing(columns.blocks()) as blocks:
        first = list(_in_order(columns.chunk, islice(blocks, _GUESSED_FROM), columns.threads))
        findings = _Findings(file.hints)
        for found in _in_order(findings.look, first, columns.threads):
            findings.add(found)
        types = findings.finish(names if names or first else file.columns)
        looked_at = _in_order(lambda chunk: _converted(chunk, types, file.hints), first, columns.threads)
        others = _in_order(lambda block: _converted(columns.chunk(block), types, file.hints), blocks, columns.threads)
        with closing(looked_at), closing(others):
            return use(_schema(types), _numbered(chain(looked_at, others), file.path.name))


def _scan(file: ExportFile) -> tuple[ExportFile, Found]:
    """Look at all rows; return the types of all columns, and the file with what was learnt of how to read it."""
    with suppress(UnusualCsvError):
        return file, _types_of_all(file)
    row_by_row = evolve(file, row_by_row=True)
    return row_by_row, _types_of_all(row_by_row)


def _types_of_all(file: ExportFile) -> Found:
    findings = _Findings(file.hints)
    with _opened(file) as (columns, names), closing(columns.blocks()) as blocks:
        for found in _in_order(lambda block: findings.look(columns.chunk(block)), blocks, columns.threads):
            findings.add(found)
        return findings.finish(names or (() if findings.types else file.columns))


def _tables(file: ExportFile, types: Found) -> Tables:
    with _opened(file) as (columns, _), closing(columns.blocks()) as blocks:
        converted = _in_order(
            lambda block: _converted(columns.chunk(block), types, file.hints), blocks, columns.threads
        )
        with closing(converted):
            yield from _numbered(converted, file.path.name)


@contextmanager
def _opened(file: ExportFile) -> Iterator[tuple[_Columns, tuple[str, ...]]]:
    """Open a file; yield what reads its columns, and their names, if they stand before all rows."""
    with open_export(file.path, file.format) as content:
        if content.format == "json":
            yield JsonColumns(content, low_memory=file.low_memory), ()
        else:
            header = read_header(content)
            row_by_row = RowCsv(content, header) if file.row_by_row else None
            yield row_by_row or ArrowCsv(content, header, low_memory=file.low_memory), header.names


def _schema(types: Found) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, arrow_type(column)) for name, column in types.items()])


def _converted(chunk: Chunk, types: Found, hints: SchemaHints) -> "pa.Table":
    """Return some rows in the types of the whole file.

    Raises:
        _TooNarrowError: They do not fit.
        UnfitValueError: They do not fit a type that the caller asks for.
    """
    import pyarrow as pa

    if chunk.columns.keys() - types.keys():
        raise _TooNarrowError
    missing = ColumnChunk(pa.nulls(chunk.rows, pa.string()))
    arrays = [
        _array(name, chunk.columns.get(name, missing), column, forced=name in hints.overrides)
        for name, column in types.items()
    ]
    return pa.table(arrays, schema=_schema(types))


def _array(name: str, column: ColumnChunk, wanted: ColumnType, *, forced: bool) -> "pa.Array":
    if forced:
        if wanted.kind == "timestamp" and not wanted.origin and asked_type(wanted.kind, column).origin:
            raise _TooNarrowError  # nothing stood here before, so nobody knew whether there are offsets
        return cast_as_asked(column, name, wanted)
    array = cast_exactly(column, wanted)
    if array is None:
        raise _TooNarrowError
    return array


def _numbered(tables: Iterable["pa.Table"], file: str) -> Tables:
    """Pass tables on, and say in which row a value is that does not fit."""
    rows = 0
    try:
        for table in tables:
            yield table
            rows += table.num_rows
    except UnfitValueError as error:
        raise _unfit(error, file, rows) from None


def _unfit(error: UnfitValueError, file: str, rows: int) -> ExportFormatError:
    row = rows + error.index + 1
    article = "an" if error.kind == "integer" else "a"
    return ExportFormatError(
        f"{file}: row {row}: {error.column} holds {error.value[:60]!r}, which is not {article} {error.kind}; "
        f"leave {error.column!r} out of types, or make it text",
        row=row,
    )


def _in_order(work: Callable[[U], T], items: Iterable[U], threads: int) -> Generator[T, None, None]:
    """Do work on some items at a time, and yield the results in the order of the items."""
    if not threads:
        yield from map(work, items)
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
