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
from .column_types import NOTHING, TEXT, ColumnType, SchemaHints, join
from .csv_arrow import THREADS, ArrowCsv, RowCsv, UnusualCsvError, whole_csv
from .inference import (
    Chunk,
    ColumnChunk,
    UnfitValueError,
    arrow_type,
    asked_type,
    cast_as_asked,
    cast_exactly,
    infer,
)
from .json_arrow import JsonColumns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ExportFile", "Tables", "planned_tables", "read_table", "with_tables"]

_BLOCKS_FOR_GUESS = 2
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
        zone: The IANA name of the zone in which its moments were asked for; None where nobody knows.
    """

    path: Path
    format: Format | None = None
    hints: SchemaHints = field(factory=SchemaHints)
    columns: tuple[str, ...] = ()
    row_by_row: bool = False
    low_memory: bool = False
    zone: str | None = None


def read_table(file: ExportFile) -> "pa.Table":
    """Read all of a file."""
    with suppress(UnusualCsvError), open_export(file.path, file.format) as source:
        if source.format == "csv" and source.path:
            return _whole_table(whole_csv(source, read_header(source), source.path), file)
    return with_tables(file, _joined)


def _joined(schema: "pa.Schema", tables: Tables) -> "pa.Table":
    import pyarrow as pa

    if not schema:
        return _without_columns(sum(table.num_rows for table in tables))
    return pa.concat_tables([schema.empty_table(), *tables])


def _without_columns(rows: int) -> "pa.Table":
    """Return so many empty rows: only a table that once had a column can have rows without any."""
    import pyarrow as pa

    return pa.table({"": pa.nulls(rows)}).select([])


def _whole_table(chunk: Chunk, file: ExportFile) -> "pa.Table":
    """Return all of a file, read as one chunk, in the narrowest types: one column a thread."""
    import pyarrow as pa

    schema = _SchemaBuilder(file.hints)
    names = list(chunk.columns)
    found = _in_order(lambda name: schema.examine(name, chunk.columns[name]), names, THREADS)
    findings = dict(zip(names, found, strict=True))
    schema.add(findings)
    types = schema.finish(names)

    def array(name: str) -> "pa.ChunkedArray":
        return _converted_column(name, chunk.columns[name], types[name], file.hints, findings[name])

    try:
        return pa.Table.from_arrays(list(_in_order(array, names, THREADS)), names=names)
    except UnfitValueError as error:
        unfit = error
    raise _unfit(unfit, file.path.name, 0)


def with_tables(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> T:
    """Read a file, and give its schema and its tables to a function: again from the start where a guess was wrong.

    When the function is called again, what it did before must not show.
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
    """Look at all of a file, and return its tables: for those who cannot take a table back."""
    file, types = _scan(file)
    return _tables(file, types)


class _TooNarrowError(Exception):
    """A guess does not hold for the rows behind those from which it was made."""


class _ColumnReader(Protocol):
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


ColumnTypes = Mapping[str, ColumnType]


@frozen
class _Finding:
    """The type of a part of a column, and its values in that type where they had to be converted to find out."""

    type: ColumnType
    values: "pa.ChunkedArray | None" = None


@define
class _SchemaBuilder:
    """Decides which type each column gets, from one part of the file after the other."""

    hints: SchemaHints
    types: dict[str, ColumnType] = field(factory=dict)

    def examine_all(self, chunk: Chunk) -> dict[str, _Finding]:
        """Find out what some rows hold, in any thread."""
        return {name: self.examine(name, column) for name, column in chunk.columns.items()}

    def examine(self, name: str, column: ColumnChunk) -> _Finding:
        """Find out what a part of a column holds, in any thread."""
        if name in self.hints.overrides:
            return _Finding(asked_type(self.hints.overrides[name], column))
        if self.hints.stays_text(name) or self.types.get(name, self.hints.initial(name)) == TEXT:
            return _Finding(TEXT)
        return _Finding(*infer(column))

    def add(self, findings: Mapping[str, _Finding]) -> None:
        """Learn what some rows hold, after those before them."""
        for name, found in findings.items():
            known = self.types.get(name, self.hints.initial(name))
            if name not in self.hints.overrides:
                self.types[name] = join(known, found.type)
            elif known.origin is None:  # the first value decides
                self.types[name] = found.type

    def finish(self, names: Iterable[str]) -> ColumnTypes:
        """Return the types of all columns; those named here are there even where no row has them."""
        nothing = Chunk({name: _without_values() for name in names if name not in self.types}, 0)
        self.add(self.examine_all(nothing))
        self.hints.check_columns(self.types)
        return self.types


def _without_values() -> ColumnChunk:
    import pyarrow as pa

    return ColumnChunk(pa.nulls(0, pa.string()))


def _optimistic(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> T:
    """Guess the types from the first blocks; a _TooNarrowError where they do not hold for the others."""
    with _opened(file) as (reader, names), closing(reader.blocks()) as blocks:
        first = list(_in_order(reader.chunk, islice(blocks, _BLOCKS_FOR_GUESS), reader.threads))
        schema = _SchemaBuilder(file.hints)
        findings = list(_in_order(schema.examine_all, first, reader.threads))
        for found in findings:
            schema.add(found)
        types = schema.finish(names if names or first else file.columns)

        def convert_examined(pair: tuple[Chunk, Mapping[str, _Finding]]) -> "pa.Table":
            return _converted(pair[0], types, file.hints, pair[1])

        examined = _in_order(convert_examined, zip(first, findings, strict=True), reader.threads)
        others = _in_order(lambda block: _converted(reader.chunk(block), types, file.hints), blocks, reader.threads)
        with closing(examined), closing(others):
            return use(_schema(types), _numbered(chain(examined, others), file.path.name))


def _scan(file: ExportFile) -> tuple[ExportFile, ColumnTypes]:
    """Examine all rows; return the types of all columns, and the file with what was learnt of how to read it."""
    with suppress(UnusualCsvError):
        return file, _types_of_all(file)
    row_by_row = evolve(file, row_by_row=True)
    return row_by_row, _types_of_all(row_by_row)


def _types_of_all(file: ExportFile) -> ColumnTypes:
    schema = _SchemaBuilder(file.hints)
    with _opened(file) as (reader, names), closing(reader.blocks()) as blocks:
        for found in _in_order(lambda block: schema.examine_all(reader.chunk(block)), blocks, reader.threads):
            schema.add(found)
        return schema.finish(names or (() if schema.types else file.columns))


def _tables(file: ExportFile, types: ColumnTypes) -> Tables:
    with _opened(file) as (reader, _), closing(reader.blocks()) as blocks:
        converted = _in_order(lambda block: _converted(reader.chunk(block), types, file.hints), blocks, reader.threads)
        with closing(converted):
            yield from _numbered(converted, file.path.name)


@contextmanager
def _opened(file: ExportFile) -> Iterator[tuple[_ColumnReader, tuple[str, ...]]]:
    """Open a file; yield what reads its columns, and their names, if they stand before all rows."""
    with open_export(file.path, file.format) as source:
        if source.format == "json":
            yield JsonColumns(source, low_memory=file.low_memory), ()
        else:
            header = read_header(source)
            row_by_row = RowCsv(source, header) if file.row_by_row else None
            yield row_by_row or ArrowCsv(source, header, low_memory=file.low_memory), header.names


def _schema(types: ColumnTypes) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, arrow_type(column)) for name, column in types.items()])


_NOT_EXAMINED = _Finding(NOTHING)


def _converted(
    chunk: Chunk, types: ColumnTypes, hints: SchemaHints, findings: Mapping[str, _Finding] | None = None
) -> "pa.Table":
    """Return some rows in the types of the whole file; a _TooNarrowError where they do not fit."""
    import pyarrow as pa

    if chunk.columns.keys() - types.keys():
        raise _TooNarrowError
    missing = ColumnChunk(pa.nulls(chunk.rows, pa.string()))
    arrays = [
        _converted_column(
            name, chunk.columns.get(name, missing), wanted, hints, (findings or {}).get(name, _NOT_EXAMINED)
        )
        for name, wanted in types.items()
    ]
    if not arrays:
        return _without_columns(chunk.rows)
    return pa.table(arrays, schema=_schema(types))


def _converted_column(
    name: str, column: ColumnChunk, wanted: ColumnType, hints: SchemaHints, found: _Finding
) -> "pa.ChunkedArray":
    if name in hints.overrides:
        if wanted.kind == "timestamp" and not wanted.origin and asked_type(wanted.kind, column).origin:
            raise _TooNarrowError  # nothing stood here before, so nobody knew whether there are offsets
        return cast_as_asked(column, name, wanted)
    if found.values is not None and found.type == wanted:
        return found.values
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
