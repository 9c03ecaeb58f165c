"""JSON rows to columns: of the types that JSON itself has where a column keeps to one, of text where it mixes them."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from .._rows.json_reader import json_blocks
from .._rows.source import ExportSource
from .arrays import number_array, text_array
from .inference import Chunk, ColumnChunk

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LARGEST_INTEGER", "JsonColumns", "columns_of"]

_ROWS_AT_ONCE = 2048
"""How many rows become columns at once, at the least."""
_FEWER_ROWS_AT_ONCE = 256
LARGEST_INTEGER = 10**15
"""The first integer with more digits than a float keeps for certain."""

Row = Mapping[str, object]


class JsonColumns:
    """Reads the rows of a JSON array of objects."""

    # Python itself does this work, so threads would only wait for one another.
    threads = 0

    def __init__(self, source: ExportSource, *, low_memory: bool = False) -> None:
        self._source = source
        self._rows = _FEWER_ROWS_AT_ONCE if low_memory else _ROWS_AT_ONCE

    def blocks(self) -> Generator[list[dict[str, object]], None, None]:
        """Yield rows, some thousands at a time."""
        rows: list[dict[str, object]] = []
        for block in json_blocks(self._source, exact_decimals=True):
            rows += block.rows
            if len(rows) >= self._rows:
                yield rows
                rows = []
        if rows:
            yield rows

    def chunk(self, block: Sequence[Row]) -> Chunk:
        """Turn rows into columns."""
        return columns_of(block)


def columns_of(rows: Sequence[Row]) -> Chunk:
    """Turn rows into columns; a field that some rows leave out is missing there."""
    columns = _transposed(rows)
    return Chunk({_encodable(name): _column(values) for name, values in columns.items()}, len(rows))


def _transposed(rows: Sequence[Row]) -> dict[str, Sequence[object]]:
    """Return the values of each column."""
    names = tuple(rows[0])
    if len(names) > 1 and {*map(len, rows)} == {len(names)}:
        # Usually all rows have all fields, and this is twice as fast as asking each row for each.
        with suppress(KeyError):
            return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain.from_iterable(rows))}


def _column(values: Sequence[object]) -> ColumnChunk:
    """Find out how JSON writes some values of a column."""
    import pyarrow as pa

    # To try costs less than to look at all types first, and Arrow makes no text of anything else.
    with suppress(TypeError, UnicodeEncodeError):
        return ColumnChunk(text_array(values))
    kinds = {*map(type, values)} - {type(None)}
    if kinds == {str}:
        return ColumnChunk(_texts(values))  # with half a surrogate pair, which no UTF-8 holds
    if kinds == {bool}:
        return ColumnChunk(number_array(values, pa.bool_()), "boolean")
    if kinds <= {int, float} and (numbers := _numbers(values, kinds)) is not None:
        # Arrow writes integers as JSON does, but not floats.
        return ColumnChunk(numbers, "number", partial(_texts, values) if float in kinds else None)
    return ColumnChunk(_texts(values), None)


def _numbers(values: Sequence[object], kinds: set[type]) -> "pa.Array | None":
    """Return values as integers or floats; None where neither keeps all of them."""
    import pyarrow as pa

    if kinds == {int}:
        try:
            return number_array(values, pa.int64())
        except OverflowError:
            return None
    if int in kinds and any(abs(value) >= LARGEST_INTEGER for value in values if isinstance(value, int)):
        return None
    return number_array(values, pa.float64())


def _texts(values: Sequence[object]) -> "pa.Array":
    return text_array([None if value is None else _text(value) for value in values])


def _text(value: object) -> str:
    return _encodable(value if isinstance(value, str) else _json(value))


def _json(value: object) -> str:
    """Return a value as JSON, its numbers with all their digits."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _encodable(text: str) -> str:
    """Return a text that UTF-8 holds: half of a surrogate pair, which JSON can write, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
