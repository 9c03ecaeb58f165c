"""Parquet: an export as a file of columns, written in constant memory."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._storage.destination import Destination
from .arrow_reader import ExportFile, Tables, with_tables
from .read import POLARS_ZONES, require
from .workers import workers

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["write_parquet"]

_ROW_GROUP = 1 << 24
"""How many bytes are written at once: the memory that it takes is a few times as much."""


def write_parquet(file: ExportFile, destination: Destination, about: Mapping[str, object]) -> None:
    """Write a file as Parquet, compressed with zstd."""
    require("arrow")
    from pyarrow import parquet

    metadata = {f"khoros_analytics.{key}": json.dumps(value, default=str) for key, value in about.items()}

    def write(schema: "pa.Schema", tables: Tables) -> None:
        with (
            destination.whole() as target,
            parquet.ParquetWriter(target, _portable(schema).with_metadata(metadata), compression="zstd") as writer,
            _behind(lambda table: writer.write_table(table, row_group_size=max(1, table.num_rows))) as write_later,
        ):
            for group in _groups(schema, tables):
                write_later(group.cast(writer.schema))

    with_tables(file, write)


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


def _groups(schema: "pa.Schema", tables: Tables) -> Iterator["pa.Table"]:
    """Yield tables that are large enough to be written on their own, and at least one."""
    import pyarrow as pa

    waiting = [schema.empty_table()]
    for table in tables:
        waiting.append(table)
        if sum(part.nbytes for part in waiting) >= _ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def _behind(work: Callable[["pa.Table"], object]) -> Iterator[Callable[["pa.Table"], None]]:
    """Do work in a thread of its own, one table at a time, so that the next one can be made ready meanwhile."""
    pending: Future[object] | None = None
    with workers(1) as pool:

        def submit(table: "pa.Table") -> None:
            nonlocal pending
            if pending:
                pending.result()
            pending = pool.submit(work, table)

        yield submit
        if pending:
            pending.result()
