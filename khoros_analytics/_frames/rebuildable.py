"""Parquet files of a dataset: a column has a type only where the export's own text can be made of its values again."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import evolve, frozen

from .._rows.read import read_rows
from .arrow_reader import ExportFile, planned_tables
from .column_types import SchemaHints
from .forms import (
    NOTHING,
    TEXT,
    Columns,
    Form,
    arrow_type_of,
    candidates,
    dump_columns,
    form_metadata,
    join_columns,
    load_columns,
    parse,
    to_text,
)
from .read import require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Converted", "column_names", "convert", "count_rows", "join", "text_of", "widen"]

_IN_MEMORY = 1 << 26
"""Up to how many bytes of text are kept between the two passes."""
_ROW_GROUP = 1 << 18


@frozen
class Converted:
    """What became of an export.

    Attributes:
        rows: How many rows it has.
        schema: The columns of its file, written down.
    """

    rows: int
    schema: str


def join(one: str, other: str) -> str:
    """Return the columns that hold the values of both, all of them written down."""
    return dump_columns(join_columns(load_columns(one), load_columns(other)))


def convert(file: ExportFile, target: Path, schema: str | None, zone: str | None = None) -> Converted:
    """Write an export as Parquet, with the columns of a dataset as far as its own allow.

    ``zone`` is the IANA zone in which the export's moments are written, where that is known.
    """
    require("arrow")
    kept = _Kept(file)
    known = load_columns(schema) if schema else ()
    rows, found = _look_at_all(kept.tables(), _Known(file.hints, zone, dict(known)))
    columns = join_columns(known, found)
    with _writer(target, columns) as writer:
        for table in kept.tables():
            writer.write_table(_conform_text(table, columns), row_group_size=_ROW_GROUP)
    return Converted(rows, dump_columns(columns))


def column_names(file: ExportFile) -> list[str]:
    """Return the names of an export's columns, as far as its first row tells."""
    with closing(read_rows(file.path)) as rows:
        return list(next(rows, {}))


def count_rows(file: ExportFile) -> int:
    """Return how many rows an export has, which is read to its end for that; an ExportFormatError for a damaged one."""
    return sum(1 for _ in read_rows(file.path))


class _Kept:
    """The text of an export, read again for each pass unless it is small."""

    def __init__(self, file: ExportFile) -> None:
        self._file = evolve(file, hints=SchemaHints(all_text=True), low_memory=True)
        self._tables: list[pa.Table] | None = None

    def tables(self) -> "Iterator[pa.Table]":
        """Yield it, all columns text."""
        if self._tables is not None:
            yield from self._tables
            return
        kept: list[pa.Table] | None = []
        size = 0
        for table in planned_tables(self._file):
            size += table.nbytes
            if kept is not None:
                kept.append(table)
            if size > _IN_MEMORY:
                kept = None
            yield table
        self._tables = kept


@frozen
class _Known:
    """What is known of an export's columns before it is read.

    Attributes:
        hints: Which types they should have.
        zone: The IANA zone in which its moments are written; None where nobody knows.
        forms: How they are written in the dataset so far.
    """

    hints: SchemaHints
    zone: str | None
    forms: Mapping[str, Form]

    def candidates(self, name: str, values: "pa.ChunkedArray") -> list[Form]:
        """Return the forms that a column may have: that of the dataset, then the narrowest first."""
        forms = candidates(values.drop_null().slice(0, 1).to_pylist(), self.zone)
        known = self.forms.get(name, NOTHING)
        return forms if known in (NOTHING, TEXT) else [known, *(form for form in forms if form != known)]


def _look_at_all(tables: "Iterable[pa.Table]", known: _Known) -> tuple[int, Columns]:
    """Return how many rows there are, and the form of each column: the known one where it fits, else the narrowest."""
    rows = 0
    left: dict[str, list[Form] | None] = {}
    for table in tables:
        rows += table.num_rows
        for name in table.column_names:
            left[name] = _narrowed(left.get(name), table[name], name, known)
    return rows, tuple((name, _narrowest(forms)) for name, forms in left.items())


def _narrowed(forms: list[Form] | None, values: "pa.ChunkedArray", name: str, known: _Known) -> list[Form] | None:
    """Return which forms are left for a column; None while it has had no value."""
    if forms == [TEXT] or values.null_count == len(values):
        return forms
    if known.hints.stays_text(name) or known.hints.defaults.get(name) == "text":
        return [TEXT]
    if forms is None:
        forms = known.candidates(name, values)
    return [form for form in forms if parse(values, form) is not None] or [TEXT]


def _narrowest(forms: list[Form] | None) -> Form:
    return NOTHING if forms is None else forms[0]


def _writer(target: Path | BinaryIO, columns: Columns) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    fields = [pa.field(name, arrow_type_of(form), metadata=form_metadata(form)) for name, form in columns]
    return parquet.ParquetWriter(target, pa.schema(fields), compression="zstd")


def _conform_text(table: "pa.Table", columns: Columns) -> "pa.Table":
    """Return text with the columns of a dataset, in which all of its values can be written."""
    import pyarrow as pa

    arrays = []
    for name, form in columns:
        if name not in table.column_names:
            arrays.append(pa.nulls(table.num_rows, arrow_type_of(form)))
            continue
        values = parse(table[name], form)
        if values is None:
            raise ValueError(f"column {name!r} does not have the form that all of it was found to have")
        arrays.append(values.cast(arrow_type_of(form)))
    return _table(arrays, columns, table.num_rows)


def _table(arrays: "list[pa.ChunkedArray]", columns: Columns, rows: int) -> "pa.Table":
    import pyarrow as pa

    if not columns:
        return pa.table({"": pa.nulls(rows)}).select([])
    fields = [pa.field(name, arrow_type_of(form), metadata=form_metadata(form)) for name, form in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def widen(source: BinaryIO, target: Path, schema: str) -> None:
    """Write a file of a dataset anew with wider columns; its text stays what the export wrote."""
    from pyarrow import parquet

    columns = load_columns(schema)
    with parquet.ParquetFile(source) as file, _writer(target, columns) as writer:
        for batch in file.iter_batches():
            writer.write_table(_conform_text(_batch_as_text(batch, file.schema_arrow), columns))


def text_of(table: "pa.Table") -> "pa.Table":
    """Return rows of a dataset as the exports wrote them, all columns text."""
    import pyarrow as pa

    names = table.column_names
    return pa.table([to_text(table[name], _form_of(table.schema.field(name))) for name in names], names=names)


def _batch_as_text(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return text_of(pa.Table.from_arrays(batch.columns, schema=schema))


def _form_of(field: "pa.Field") -> Form:
    """Return the form that a column of a dataset's file has."""
    import json

    noted = (field.metadata or {}).get(b"khoros_analytics.form")
    if noted is None:
        return TEXT
    values = json.loads(noted)
    return Form(**{**values, "spelling": tuple(values["spelling"])})
