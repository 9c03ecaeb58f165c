"""JSON rows to columns at the speed of Arrow: blocks of rows as lines, with a schema from the rows before them.

Arrow's reader of lines is not as exact as the rest of this room, so a block that it cannot read, or may read in
another way, is parsed exactly. A block may hold fields that no row before it had, values of another kind than those
before them, numbers beyond 64 bits or with more digits than a float keeps.
"""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, cast

from attrs import frozen

from .._rows.json_reader import TextBlock, rows_of, text_blocks
from .._rows.source import ExportSource
from .inference import Chunk, ColumnChunk
from .json_arrow import LARGEST_INTEGER, columns_of
from .json_numbers import has_long_numbers
from .workers import THREADS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["JsonLines"]

_BLOCK_SIZE = 1 << 20
"""How many bytes are parsed at once."""
_BLOCKS_AT_ONCE = 4
"""How many blocks get their types at once: in smaller parts, finding out costs more than it has to."""
_SMALL_BLOCK_SIZE = 17 << 15
"""So many take little memory: a little more than a power of two, in which Arrow's memory is counted."""
_FEWER_BLOCKS_AT_ONCE = 2
_MANY_FIELDS = 200
"""With more of them, small blocks have too few rows."""
_FEWER_THREADS = 2
_TRIES = 16
"""After so many blocks, Arrow has to have read half of them, or it gets no more."""


class JsonLines:
    """Reads the rows of a JSON array of objects; a file that is not written as usual is a DamagedBlockError."""

    def __init__(self, source: ExportSource, *, low_memory: bool = False) -> None:
        # To start threads takes longer than to read a small file, and each one keeps memory of its own.
        head = source.reader.peek(_BLOCK_SIZE)
        low_memory = low_memory and head[: head.find(b"}")].count(b'":') <= _MANY_FIELDS
        self.threads = 0 if len(head) < _BLOCK_SIZE else _FEWER_THREADS if low_memory else THREADS
        self._size, self._blocks_at_once = (
            (_SMALL_BLOCK_SIZE, _FEWER_BLOCKS_AT_ONCE) if low_memory else (_BLOCK_SIZE, _BLOCKS_AT_ONCE)
        )
        self._source = source
        self._schema = _LearntSchema()

    def blocks(self) -> Generator[list["Chunk | _Numbered"], None, None]:
        """Yield parts of the file, several at a time: the first one as columns, since it says what the others hold."""
        blocks = text_blocks(self._source, self._size)
        parts: Iterator[Chunk | _Numbered] = chain([self._exact(0, next(blocks))], enumerate(blocks, 1))
        while block := list(islice(parts, self._blocks_at_once)):
            yield block

    def chunk(self, block: "Sequence[Chunk | _Numbered]") -> Chunk:
        """Turn parts into columns; several threads may do so at once."""
        return _joined(list(_chunks_of(part if isinstance(part, Chunk) else self._parsed(*part) for part in block)))

    def _parsed(self, number: int, block: TextBlock) -> "Chunk | _Lines":
        schema = None if block.is_last else self._schema.before(number)
        if schema is None:
            return self._exact(number, block)
        table = _fast_table(block, schema)
        self._schema.count(read=table is not None)
        return self._exact(number, block) if table is None else _Lines(block, table)

    def _exact(self, number: int, block: TextBlock) -> Chunk:
        chunk = columns_of(rows_of(block))
        self._schema.learn(chunk, number)
        return chunk


class _LearntSchema:
    """What is known of the columns so far. Several threads may use it at once.

    In which order they learn does not show. A schema decides how a block is read, not what is read; and it has no
    fields but those of the blocks before that one, or they would come in the order of a later block.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, pa.DataType | None] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._tries = self._hits = 0

    def before(self, number: int) -> "pa.Schema | None":
        """Return the type of each field of the blocks before one, that of text where no value is known yet.

        None where Arrow is of no use.
        """
        import pyarrow as pa

        with self._lock:
            if self._tries >= _TRIES and 2 * self._hits < self._tries:
                return None
            places = sorted((place, name) for name, place in self._places.items() if place[0] < number)
            return pa.schema([(name, self._kinds[name] or pa.string()) for _, name in places]) if places else None

    def count(self, *, read: bool) -> None:
        """Note whether Arrow has read a block."""
        with self._lock:
            self._tries += 1
            self._hits += read

    def learn(self, chunk: Chunk, number: int) -> None:
        """Learn from a block that was parsed exactly: the first type of each counts, and floats hold integers, too."""
        import pyarrow as pa

        with self._lock:
            for index, (name, column) in enumerate(chunk.columns.items()):
                place = number, index
                self._places[name] = min(self._places.get(name, place), place)
                known = self._kinds.get(name)
                is_empty = column.values.null_count == len(column.values)
                found = None if is_empty or column.origin is None else column.values.type
                is_wider = known == pa.int64() and found == pa.float64()
                self._kinds[name] = found if known is None or is_wider else known


_Numbered = tuple[int, TextBlock]
"""A block, and which one of the file it is."""


@frozen
class _Lines:
    """A block, and the rows that Arrow has read from it."""

    block: TextBlock
    table: "pa.Table"


def _fast_table(block: TextBlock, schema: "pa.Schema") -> "pa.Table | None":
    """Return a block's rows as Arrow reads them; None where the exact way might see anything else."""
    import pyarrow as pa

    floats = [index for index, kind in enumerate(schema.types) if kind == pa.float64()]
    if floats and has_long_numbers(block.text):
        return None
    table = _read_lines(block, schema)
    return table if table is not None and _are_sure([table.column(index) for index in floats]) else None


def _chunks_of(parts: Iterable[Chunk | _Lines]) -> Iterator[Chunk]:
    """Yield parts as columns; at once where they follow upon one another and were read in the same way."""
    for schema, several in groupby(parts, lambda part: None if isinstance(part, Chunk) else part.table.schema):
        if schema is None:
            yield from cast("Iterator[Chunk]", several)
        else:
            yield _columns_of_lines(cast("list[_Lines]", list(several)))


def _columns_of_lines(lines: Sequence[_Lines]) -> Chunk:
    """Return blocks of the same schema as columns. Where no row has a field, blocks before them have it."""
    import pyarrow as pa

    table = pa.concat_tables([part.table for part in lines])
    exact = _ExactColumns([part.block for part in lines])
    origins = {pa.string(): "string", pa.bool_(): "boolean", pa.int64(): "number", pa.float64(): "number"}
    columns = {}
    for field, values in zip(table.schema, table.columns, strict=True):
        if values.null_count < table.num_rows:
            written = partial(exact.written, field.name) if field.type == pa.float64() else None
            columns[field.name] = ColumnChunk(values, origins[field.type], written)
        else:
            columns[field.name] = _without_values(table.num_rows)
    return Chunk(columns, table.num_rows)


def _read_lines(block: TextBlock, schema: "pa.Schema") -> "pa.Table | None":
    """Return a block's rows, or None where it holds anything but such rows."""
    import pyarrow as pa
    from pyarrow import json as lines

    if not block.text.startswith(b"{"):
        return None  # where null comes first, Arrow's reader takes the whole process down
    rows = block.text.split(block.edge)
    # An LF never stands within a text, so where one is in the edge, the comma can go.
    text = block.edge.replace(b",", b" " if b"\n" in block.edge else b"\n").join(rows)
    try:
        table = lines.read_json(
            pa.BufferReader(text),
            read_options=lines.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=lines.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
        table.validate(full=True)  # it takes any bytes for UTF-8
    except pa.ArrowException:
        return None
    # It does not miss commas between rows, and takes null for one.
    return table if table.num_rows == len(rows) else None


def _are_sure(columns: "Sequence[pa.ChunkedArray]") -> bool:
    """Return whether floats of at most 15 digits are those that the text has, with no longer integers among them."""
    import numpy as np

    parts = [
        np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset)
        for column in columns
        for chunk in column.chunks
        if len(chunk)
    ]
    if not parts:
        return True
    values = np.concatenate(parts)  # where one is missing, 0.0 stands
    # Arrow also takes NaN and Infinity for numbers, and makes -0.0 of the integer -0.
    is_short = values.min() > -LARGEST_INTEGER and values.max() < LARGEST_INTEGER
    return bool(is_short and not (np.signbit(values) & (values == 0)).any())


class _ExactColumns:
    """The columns of some blocks as the exact way sees them, for those who want numbers as they are written."""

    def __init__(self, blocks: Sequence[TextBlock]) -> None:
        self._blocks = blocks
        self._lock = threading.Lock()

    def written(self, name: str) -> "pa.ChunkedArray":
        """Return the values of a column as texts."""
        with self._lock:
            return _all_written([chunk.columns.get(name) or _without_values(chunk.rows) for chunk in self._chunks])

    @cached_property
    def _chunks(self) -> list[Chunk]:
        return [columns_of(rows_of(block)) for block in self._blocks]


def _written(column: ColumnChunk) -> "pa.ChunkedArray":
    """Return values as the file writes them."""
    import pyarrow as pa

    return column.written() if column.written else column.values.cast(pa.string())


def _without_values(rows: int) -> ColumnChunk:
    import pyarrow as pa

    return ColumnChunk(pa.nulls(rows, pa.string()))


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    """Return the columns of chunks that follow upon one another, as if they had been one from the start."""
    if len(chunks) == 1:
        return chunks[0]
    names = dict.fromkeys(chain.from_iterable(chunk.columns for chunk in chunks))
    columns = {
        name: _joined_column([chunk.columns.get(name) or _without_values(chunk.rows) for chunk in chunks])
        for name in names
    }
    return Chunk(columns, sum(chunk.rows for chunk in chunks))


def _joined_column(parts: Sequence[ColumnChunk]) -> ColumnChunk:
    import pyarrow as pa

    known = [part for part in parts if part.values.null_count < len(part.values)]
    kinds = {part.values.type for part in known}
    origins = {part.origin for part in known}
    is_written = len(origins) > 1 or None in origins
    if kinds == {pa.int64(), pa.float64()}:
        kinds = {pa.float64()}
        is_written = is_written or any(map(_has_long_integers, known))
    if is_written:
        return ColumnChunk(_end_to_end([_written(part) for part in parts], pa.string()), None)
    if not known:
        return _without_values(sum(len(part.values) for part in parts))
    (kind,) = kinds
    values = _end_to_end([part.values for part in parts], kind)
    written = partial(_all_written, parts) if kind == pa.float64() else None
    return ColumnChunk(values, known[0].origin, written)


def _has_long_integers(part: ColumnChunk) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if part.values.type != pa.int64():
        return False
    bounds = pc.min_max(part.values).as_py()
    return bool(max(bounds["max"], -bounds["min"]) >= LARGEST_INTEGER)


def _all_written(parts: Sequence[ColumnChunk]) -> "pa.ChunkedArray":
    import pyarrow as pa

    return _end_to_end([_written(part) for part in parts], pa.string())


def _end_to_end(parts: Sequence["pa.ChunkedArray"], kind: "pa.DataType") -> "pa.ChunkedArray":
    """Return arrays as one; those of another type are without values, or integers among floats."""
    import pyarrow as pa

    arrays: list[pa.Array] = []
    for part in parts:
        of_kind = part.cast(kind) if part.type != kind else part
        arrays += of_kind.chunks if isinstance(of_kind, pa.ChunkedArray) else [of_kind]
    return pa.chunked_array(arrays, kind)
