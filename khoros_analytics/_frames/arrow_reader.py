"""A file's columns, each of one type for all rows: guessed from the first rows, and checked with every value.

Where the guess turns out too narrow, all of the file is looked at once, and read once more.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import evolve, field, frozen

from .._rows.csv_reader import read_header
from .._rows.json_reader import DamagedBlockError
from .._rows.source import Format, open_export
from ..errors import ExportFormatError
from .column_types import SchemaHints
from .csv_arrow import ArrowCsv, RowCsv
from .inference import Chunk, UnfitValueError, arrow_type, cast_known
from .json_arrow import JsonColumns
from .json_lines import JsonLines
from .json_numbers import has_numpy
from .pieces import UnusualCsvError
from .schema import (
    ColumnTypes,
    Finding,
    SchemaBuilder,
    TooNarrowError,
    arrow_schema,
    converted,
    joined,
    unfit_error,
    without_rows,
)
from .workers import in_order

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ColumnReader",
    "ExportFile",
    "Guess",
    "Settled",
    "Tables",
    "grouped",
    "guessed",
    "opened",
    "planned_tables",
    "settle",
    "tables_of",
    "with_tables",
]

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
        row_by_row: Whether to read it row by row, with its own parsers alone.
        low_memory: Whether to have as few rows in memory as possible, which takes longer.
        zone: The IANA name of the zone in which its moments were asked for; None where nobody knows.
        stamp: What it was like when it was first looked at, for those who look at it again.
    """

    path: Path
    format: Format | None = None
    hints: SchemaHints = field(factory=SchemaHints)
    columns: tuple[str, ...] = ()
    row_by_row: bool = False
    low_memory: bool = False
    zone: str | None = None
    stamp: tuple[int, int] | None = None

    def stamped(self) -> "ExportFile":
        """Return it with what it is like now, unless that is known already."""
        return self if self.stamp else evolve(self, stamp=_stamp(self.path))

    def was_changed(self) -> bool:
        """Return whether another file is there by now; what is gone can still be read by whoever has it open."""
        now = _stamp(self.path)
        return None not in (now, self.stamp) and now != self.stamp


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return a file's size and time. Its number would say more, but some file systems make up another one each time."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


@frozen
class Settled(Generic[T]):
    """A file whose types are no guess any more, so that it can be read again.

    Attributes:
        file: It, with what was learnt of how to read it.
        types: The types of its columns.
        result: What was made of its tables.
    """

    file: ExportFile
    types: ColumnTypes
    result: T


def with_tables(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> T:
    """Read a file, and give its schema and its tables to a function: again from the start where a guess was wrong.

    When the function is called again, what it did before must not show.
    """
    return settle(file, use).result


def settle(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> Settled[T]:
    """Do the same, and return what it takes to read all of the file once more."""
    file = file.stamped()
    try:
        return _optimistic(file, use)
    except (UnusualCsvError, DamagedBlockError):
        row_by_row = True
    except TooNarrowError:
        row_by_row = False
    if row_by_row:
        return settle(evolve(file, row_by_row=True), use)
    file, types = _scan(file)
    with closing(tables_of(file, types)) as tables:
        return Settled(file, types, use(arrow_schema(types), tables))


def planned_tables(file: ExportFile) -> Tables:
    """Look at all of a file, and return its tables: for those who cannot take a table back."""
    file, types = _scan(file.stamped())
    return tables_of(file, types)


class ColumnReader(Protocol):
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


@frozen
class Guess:
    """The types that the first rows of a file have.

    Attributes:
        types: They, for all columns.
        first: The parts from which they were guessed, and what was found in each.
    """

    types: ColumnTypes
    first: list[tuple[Chunk, Mapping[str, Finding]]]

    def take_first(self) -> Iterator[tuple[Chunk, Mapping[str, Finding]]]:
        """Yield the first parts, and forget them: their texts take memory."""
        while self.first:
            yield self.first.pop(0)


def guessed(
    file: ExportFile, reader: ColumnReader, names: tuple[str, ...], blocks: Generator[Any, None, None]
) -> Guess:
    """Read the first blocks, and guess the types from them; a TooNarrowError where they cannot say enough."""
    chunks = list(in_order(reader.chunk, islice(blocks, _BLOCKS_FOR_GUESS), reader.threads))
    schema = SchemaBuilder(file.hints)
    findings = list(in_order(schema.examine_all, chunks, reader.threads))
    for found in findings:
        schema.add(found)
    if chunks and not names and file.hints.overrides.keys() - schema.types.keys():
        raise TooNarrowError  # a field of JSON may come later
    types = schema.finish(names if names or chunks else file.columns)
    return Guess(types, list(zip(chunks, findings, strict=True)))


def _optimistic(file: ExportFile, use: Callable[["pa.Schema", Tables], T]) -> Settled[T]:
    """Guess the types from the first blocks; a TooNarrowError where they do not hold for the others."""
    with opened(file) as (reader, names), closing(reader.blocks()) as blocks:
        guess = guessed(file, reader, names, blocks)
        types = guess.types

        def convert_examined(pair: tuple[Chunk, Mapping[str, Finding]]) -> "pa.Table":
            return converted(pair[0], types, file.hints, pair[1])

        examined = in_order(convert_examined, guess.take_first(), reader.threads)
        others = in_order(lambda block: converted(reader.chunk(block), types, file.hints), blocks, reader.threads)
        with closing(examined), closing(others):
            result = use(arrow_schema(types), _numbered(chain(examined, others), file.path.name))
            return Settled(file, types, result)


def _scan(file: ExportFile) -> tuple[ExportFile, ColumnTypes]:
    """Examine all rows; return the types of all columns, and the file with what was learnt of how to read it."""
    with suppress(UnusualCsvError, DamagedBlockError):
        return file, _types_of_all(file)
    row_by_row = evolve(file, row_by_row=True)
    return row_by_row, _types_of_all(row_by_row)


def _types_of_all(file: ExportFile) -> ColumnTypes:
    schema = SchemaBuilder(file.hints)
    with opened(file) as (reader, names), closing(reader.blocks()) as blocks:
        for found in in_order(lambda block: schema.examine_all(reader.chunk(block)), blocks, reader.threads):
            known = schema.texts
            schema.add(found)
            if isinstance(reader, ArrowCsv) and schema.texts != known:
                reader.leave_out(schema.texts)
        return schema.finish(names or (() if schema.types else file.columns))


def tables_of(file: ExportFile, types: ColumnTypes) -> Tables:
    """Yield the tables of a file whose types are known; an ExportFormatError where it was changed since then."""
    import pyarrow as pa

    changed = ExportFormatError(f"{file.path.name} was changed by somebody else while it was read", advice="call again")
    try:
        with opened(file) as (reader, _), closing(reader.blocks()) as blocks:
            tables = in_order(_converter(reader, types, file.hints), blocks, reader.threads)
            with closing(tables):
                yield from _numbered(tables, file.path.name)
    except ExportFormatError as error:
        if file.was_changed():
            raise changed from error
        raise
    except (UnusualCsvError, DamagedBlockError, TooNarrowError, pa.ArrowException) as error:
        raise changed from error
    if file.was_changed():
        raise changed


def _converter(reader: ColumnReader, types: ColumnTypes, hints: SchemaHints) -> Callable[[Any], "pa.Table"]:
    """Return what makes a table of a block whose types are known."""
    if isinstance(reader, ArrowCsv) and types and not hints.overrides:
        return reader.typed({name: arrow_type(known) for name, known in types.items()})
    return lambda block: converted(reader.chunk(block), types, hints, cast=cast_known)


@contextmanager
def opened(file: ExportFile, columns: Collection[str] = ()) -> Iterator[tuple[ColumnReader, tuple[str, ...]]]:
    """Open a file; yield what reads its columns, and their names, if they stand before all rows.

    Where it can, the reader of CSV leaves out all columns but those that are given, if any are.
    """
    with open_export(file.path, file.format) as source:
        if source.format == "json":
            exactly = file.row_by_row or not has_numpy()
            yield (JsonColumns if exactly else JsonLines)(source, low_memory=file.low_memory), ()
        else:
            header = read_header(source)
            row_by_row = RowCsv(source, header) if file.row_by_row else None
            by_pieces = ArrowCsv(source, header, low_memory=file.low_memory, columns=columns)
            yield row_by_row or by_pieces, header.names


def grouped(schema: "pa.Schema", tables: Iterable["pa.Table"], size: int) -> Iterator["pa.Table"]:
    """Yield tables of at least so many bytes, but for the last one; and at least one."""
    waiting = [without_rows(schema)]
    for table in tables:
        waiting.append(table)
        if sum(part.nbytes for part in waiting) >= size:
            yield joined(waiting)
            waiting = []
    if waiting:
        yield joined(waiting)


def _numbered(tables: Iterable["pa.Table"], file: str) -> Tables:
    """Pass tables on, and say in which row a value is that does not fit."""
    rows = 0
    try:
        for table in tables:
            yield table
            rows += table.num_rows
    except UnfitValueError as error:
        raise unfit_error(error, file, rows) from None
