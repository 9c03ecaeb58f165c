"""The types of columns: decided from one part of a file after the other, and the parts converted to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ..errors import ExportFormatError
from .column_types import NOTHING, TEXT, ColumnType, SchemaHints, join
from .inference import (
    Chunk,
    ColumnChunk,
    UnfitValueError,
    arrow_type,
    asked_type,
    cast_as_asked,
    cast_exactly,
    cast_if_known,
    infer,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "NOT_EXAMINED",
    "ColumnTypes",
    "Finding",
    "SchemaBuilder",
    "TooNarrowError",
    "arrow_schema",
    "converted",
    "converted_column",
    "joined",
    "unfit_error",
    "without_columns",
    "without_rows",
]

ColumnTypes = Mapping[str, ColumnType]
Cast = Callable[[ColumnChunk, ColumnType], "pa.ChunkedArray | None"]
"""Returns a part of a column in a type, or None where it does not fit."""


class TooNarrowError(Exception):
    """A guess does not hold for the rows behind those from which it was made."""


@frozen
class Finding:
    """The type of a part of a column, and its values in that type where they had to be converted to find out."""

    type: ColumnType
    values: "pa.ChunkedArray | None" = None


@define
class SchemaBuilder:
    """Decides which type each column gets, from one part of the file after the other."""

    hints: SchemaHints
    types: dict[str, ColumnType] = field(factory=dict)

    def examine_all(self, chunk: Chunk) -> dict[str, Finding]:
        """Find out what some rows hold, in any thread."""
        return {name: self.examine(name, column) for name, column in chunk.columns.items()}

    def examine(self, name: str, column: ColumnChunk) -> Finding:
        """Find out what a part of a column holds, in any thread."""
        if name in self.hints.overrides:
            return Finding(asked_type(self.hints.overrides[name], column))
        known = self.types.get(name, self.hints.initial(name))
        if self.hints.stays_text(name) or known == TEXT:
            return Finding(TEXT)
        values = cast_if_known(column, known)
        return Finding(*infer(column)) if values is None else Finding(known, values)

    def add(self, findings: Mapping[str, Finding]) -> None:
        """Learn what some rows hold, after those before them."""
        for name, found in findings.items():
            known = self.types.get(name, self.hints.initial(name))
            if name not in self.hints.overrides:
                self.types[name] = join(known, found.type)
            elif known.origin is None:  # the first value decides
                self.types[name] = found.type

    @property
    def texts(self) -> set[str]:
        """The columns that are text already, whatever else comes."""
        return {name for name, known in self.types.items() if known == TEXT}

    def finish(self, names: Iterable[str]) -> ColumnTypes:
        """Return the types of all columns; those named here are there even where no row has them."""
        nothing = Chunk({name: _without_values() for name in names if name not in self.types}, 0)
        self.add(self.examine_all(nothing))
        self.hints.check_columns(self.types)
        return {name: self.hints.allowed(found) for name, found in self.types.items()}


def _without_values() -> ColumnChunk:
    import pyarrow as pa

    return ColumnChunk(pa.nulls(0, pa.string()))


def arrow_schema(types: ColumnTypes) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, arrow_type(column)) for name, column in types.items()])


NOT_EXAMINED = Finding(NOTHING)


def converted(
    chunk: Chunk,
    types: ColumnTypes,
    hints: SchemaHints,
    findings: Mapping[str, Finding] | None = None,
    cast: Cast = cast_exactly,
) -> "pa.Table":
    """Return some rows in the types of the whole file; a TooNarrowError where they do not fit."""
    import pyarrow as pa

    if chunk.columns.keys() - types.keys():
        raise TooNarrowError
    missing = ColumnChunk(pa.nulls(chunk.rows, pa.string()))
    arrays = [
        converted_column(
            name, chunk.columns.get(name, missing), wanted, hints, (findings or {}).get(name, NOT_EXAMINED), cast=cast
        )
        for name, wanted in types.items()
    ]
    if not arrays:
        return without_columns(chunk.rows)
    return pa.table(arrays, schema=arrow_schema(types))


def converted_column(
    name: str, column: ColumnChunk, wanted: ColumnType, hints: SchemaHints, found: Finding, *, cast: Cast = cast_exactly
) -> "pa.ChunkedArray":
    if name in hints.overrides:
        if wanted.kind == "timestamp" and not wanted.origin and asked_type(wanted.kind, column).origin:
            raise TooNarrowError  # nothing stood here before, so nobody knew whether there are offsets
        return cast_as_asked(column, name, wanted)
    if found.values is not None and found.type == wanted:
        return found.values
    array = cast(column, wanted)
    if array is None:
        raise TooNarrowError
    return array


def without_rows(schema: "pa.Schema") -> "pa.Table":
    """Return a table without rows. Arrow's own way to make one imports pandas where it is installed, for nothing."""
    import pyarrow as pa

    return pa.Table.from_batches([], schema)


def joined(tables: Sequence["pa.Table"]) -> "pa.Table":
    """Return tables of one schema as one: Arrow's own way forgets the rows of those that have no columns."""
    import pyarrow as pa

    if tables[0].schema:
        return pa.concat_tables(tables)
    return without_columns(sum(table.num_rows for table in tables))


def without_columns(rows: int) -> "pa.Table":
    """Return so many empty rows: only a table that once had a column can have rows without any."""
    import pyarrow as pa

    return pa.table({"": pa.nulls(rows)}).select([])


def unfit_error(error: UnfitValueError, file: str, rows: int) -> ExportFormatError:
    row = rows + error.index + 1
    article = "an" if error.kind == "integer" else "a"
    return ExportFormatError(
        f"{file}: row {row}: {error.column} holds {error.value[:60]!r}, which is not {article} {error.kind}",
        row=row,
        advice=f"leave {error.column!r} out of types, or make it text",
    )
