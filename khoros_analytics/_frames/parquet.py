"""Parquet: an export as a file of columns, written in constant memory."""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import json
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from .._storage.destination import Destination
from .arrow_reader import ExportFile, Tables, grouped, with_tables
from .read import POLARS_ZONES, require
from .workers import behind

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

__all__ = ["write_parquet"]

_ROW_GROUP = 1 << 24
"""How many bytes are written at once: the memory that it takes is a few times as much."""
_SAMPLE = 10_000
"""From how many rows it is found out which columns repeat their values."""


def write_parquet(file: ExportFile, destination: Destination, about: Mapping[str, object]) -> None:
    """Write a file as Parquet, compressed with zstd."""
    require("arrow")
    from pyarrow import parquet

    metadata = {f"khoros_analytics.{key}": json.dumps(value, default=str) for key, value in about.items()}

    def write(schema: "pa.Schema", tables: Tables) -> None:
        written = _portable(schema).with_metadata(metadata)
        with destination.whole() as target:
            groups = grouped(schema, tables, _ROW_GROUP)
            first = next(groups)
            repeating: Any = _repeating(first)  # its stubs know no names of columns here
            with (
                parquet.ParquetWriter(target, written, compression="zstd", use_dictionary=repeating) as writer,
                behind(partial(_write_group, writer)) as write_later,
            ):
                for group in chain([first], groups):
                    write_later(group.cast(written))

    with_tables(file, write)


def _write_group(writer: "parquet.ParquetWriter", table: "pa.Table") -> None:
    writer.write_table(table, row_group_size=max(1, table.num_rows))


def _portable(schema: "pa.Schema") -> "pa.Schema":
    """Return a schema that every reader opens: Polars has no zone such as ``+05:30``, so those moments are in UTC."""
    import pyarrow as pa

    fields = []
    for field in schema:
        offset = getattr(field.type, "tz", None)
        if offset in POLARS_ZONES:
            fields.append(field)
        else:
            noted = {"khoros_analytics.offset": offset}
            fields.append(pa.field(field.name, pa.timestamp(field.type.unit, "UTC"), metadata=noted))
    return pa.schema(fields)


def _repeating(table: "pa.Table") -> list[str]:
    """Return the columns that get a dictionary: half of their first values repeat others.

    For ids and texts that all differ one would only take time, and be given up when it is full; for floats and moments
    it makes the file larger.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    sample = table.slice(0, _SAMPLE)
    return [
        field.name
        for field, values in zip(sample.schema, sample.columns, strict=True)
        if (pa.types.is_string(field.type) or pa.types.is_integer(field.type) or pa.types.is_date(field.type))
        and 2 * pc.count_distinct(values).as_py() <= len(values)
    ]
