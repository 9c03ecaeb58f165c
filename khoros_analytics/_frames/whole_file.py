"""All of a file at once, group by group in threads; a column for which the guess was too narrow is read once more."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import frozen

from .arrow_reader import ColumnReader, ExportFile, guessed, opened, with_tables
from .column_types import ColumnType
from .csv_arrow import ArrowCsv
from .inference import Chunk, ColumnChunk, UnfitValueError
from .pieces import UnusualCsvError
from .schema import (
    NOT_EXAMINED,
    ColumnTypes,
    Finding,
    SchemaBuilder,
    TooNarrowError,
    arrow_schema,
    converted_column,
    joined,
    unfit_error,
    without_rows,
)
from .workers import in_order

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_parts", "read_table"]

T = TypeVar("T")
Arrays = Mapping[str, "pa.ChunkedArray"]


def read_table(file: ExportFile) -> "pa.Table":
    """Read all of a file."""
    return joined(read_parts(file, lambda table: table))


def read_parts(file: ExportFile, make: Callable[["pa.Table"], T]) -> list[T]:
    """Read all of a file; return what a function makes of one table after the other, of which the first has no rows.

    Several threads may call the function at once, and more than once for the same rows.
    """
    with suppress(UnusualCsvError), opened(file) as (reader, names):
        if isinstance(reader, ArrowCsv) and reader.is_plain:
            return _parts(file, reader, names, make)
    return with_tables(file, lambda schema, tables: [make(without_rows(schema)), *map(make, tables)])


@frozen
class _Part(Generic[T]):
    """Some rows.

    Attributes:
        arrays: Those of their columns that have the types which were guessed.
        made: What was made of them; nothing where a column is missing.
    """

    arrays: Arrays
    made: list[T]


def _parts(file: ExportFile, reader: ColumnReader, names: tuple[str, ...], make: Callable[["pa.Table"], T]) -> list[T]:
    with closing(reader.blocks()) as blocks:
        guess = guessed(file, reader, names, blocks)
        schema = arrow_schema(guess.types)

        def part(chunk: Chunk, findings: Mapping[str, Finding]) -> _Part[T]:
            arrays = dict(_fitting(file, chunk, guess.types, findings))
            whole = len(arrays) == len(schema)
            return _Part(arrays, [make(_table(arrays, schema))] if whole else [])

        parts = list(in_order(lambda pair: part(*pair), guess.take_first(), reader.threads))
        parts += in_order(lambda block: part(reader.chunk(block), {}), blocks, reader.threads)
    if all(part.made for part in parts):
        return [make(without_rows(schema)), *(made for part in parts for made in part.made)]
    return [make(table) for table in _mended(file, guess.types, [part.arrays for part in parts])]


def _fitting(
    file: ExportFile, chunk: Chunk, types: ColumnTypes, findings: Mapping[str, Finding]
) -> Iterable[tuple[str, "pa.ChunkedArray"]]:
    """Return those columns of some rows that have the types which were guessed."""
    for name, column in chunk.columns.items():
        with suppress(TooNarrowError, UnfitValueError):
            yield name, converted_column(name, column, types[name], file.hints, findings.get(name, NOT_EXAMINED))


def _table(arrays: Arrays, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_arrays(list(arrays.values()), schema=schema)


def _mended(file: ExportFile, types: ColumnTypes, parts: list[Arrays]) -> list["pa.Table"]:
    """Read those columns again that do not have their types everywhere, and put them in the place of what there is."""
    import pyarrow as pa

    again = [name for name in types if any(name not in arrays for arrays in parts)]
    mended = _read_again(file, again)
    types = {name: mended[name][0] if name in mended else known for name, known in types.items()}
    schema = arrow_schema(types)
    arrays = {
        field.name: mended[field.name][1]
        if field.name in mended
        else pa.chunked_array([chunk for arrays in parts for chunk in arrays[field.name].chunks], field.type)
        for field in schema
    }
    return [without_rows(schema), _table(arrays, schema)]


def _read_again(file: ExportFile, names: list[str]) -> Mapping[str, tuple[ColumnType, "pa.ChunkedArray"]]:
    """Read some columns of a file; return each with the narrowest type that holds all of its values."""
    import pyarrow as pa

    with opened(file, names) as (reader, _), closing(reader.blocks()) as blocks:
        chunks = list(in_order(reader.chunk, blocks, reader.threads))
        threads = reader.threads

    def typed(name: str) -> tuple[ColumnType, "pa.ChunkedArray"]:
        column = ColumnChunk(pa.chunked_array([a for chunk in chunks for a in chunk.columns[name].values.chunks]))
        builder = SchemaBuilder(file.hints)
        finding = builder.examine(name, column)
        builder.add({name: finding})
        wanted = file.hints.allowed(builder.types[name])
        return wanted, converted_column(name, column, wanted, file.hints, finding)

    try:
        return dict(zip(names, in_order(typed, names, threads), strict=True))
    except UnfitValueError as error:
        unfit = error
    raise unfit_error(unfit, file.path.name, 0)
