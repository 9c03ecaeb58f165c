"""Narrowing: from text to numbers, dates and timestamps, only where every value keeps its value exactly."""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..reports import TypeName
from .arrays import length_scalar, text_scalar
from .byte_types import look_exact
from .column_types import NOTHING, TEXT, UNITS, ColumnType
from .spelling import (
    FIRST_FAR_YEAR,
    FIRST_NEAR_YEAR,
    FRACTION,
    LONGEST_FLOAT,
    MOMENT,
    MORE_DIGITS,
    MOST_DIGITS,
    PATTERNS,
    SHAPES,
)
from .value_types import types_of_few

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Chunk",
    "ColumnChunk",
    "UnfitValueError",
    "arrow_type",
    "asked_type",
    "cast_as_asked",
    "cast_exactly",
    "cast_if_known",
    "cast_known",
    "infer",
]

_DIGITS = "0123456789"
_PLAIN_MOMENT = len("2019-02-01 00:00:00")
_SAMPLE = 20
_FEW = 256
"""Of so many texts Python itself looks at each, in less time than it takes to call numpy or Arrow."""
_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))


@frozen
class ColumnChunk:
    """A part of a column, as the file has it.

    Attributes:
        values: Its values: text, or what JSON knows.
        origin: How the file writes them, as in ``ColumnType``; None where this part alone
            mixes several ways. Such values stand here as text.
        written: Returns the values as text, where they no longer show how the file writes them: 1 beside 1.5.
    """

    values: "pa.ChunkedArray"
    origin: str | None = "string"
    written: "Callable[[], pa.ChunkedArray] | None" = None


@frozen
class Chunk:
    """Some rows of an export, as columns.

    Attributes:
        columns: Each column's part by its name, in the order of the file.
        rows: How many rows they are.
    """

    columns: Mapping[str, ColumnChunk]
    rows: int


class UnfitValueError(ValueError):
    """A value is none of the type that the caller asks for.

    Attributes:
        column: The column's name.
        index: Where in its part of the column the value stands.
        value: It, as text.
        kind: The type.
    """

    def __init__(self, column: str, index: int, value: str, kind: str | None) -> None:
        super().__init__(column, index, value, kind)
        self.column = column
        self.index = index
        self.value = value
        self.kind = kind


@cache
def arrow_type(column: ColumnType) -> "pa.DataType":
    """Return Arrow's type for a column; one without any value is text."""
    import pyarrow as pa

    if column.kind == "timestamp":
        return pa.timestamp(column.unit, column.zone)
    types = {"integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "date": pa.date32()}
    return types.get(column.kind or "text", pa.string())


def infer(column: ColumnChunk) -> "tuple[ColumnType, pa.ChunkedArray]":
    """Find the narrowest type that holds all values of a part of a column without loss, and return them in it."""
    values = column.values
    if values.null_count == len(values):
        return NOTHING, cast_exactly(column, NOTHING)
    if column.origin != "string":
        found = _native_type(column)
        return found, cast_exactly(column, found)
    if len(values) <= _FEW:
        return _inferred_of_few(values)
    for found in _guesses(values):
        converted = cast_exactly(column, found)
        if converted is not None:
            return found, converted
    return TEXT, values


def _inferred_of_few(values: "pa.ChunkedArray") -> "tuple[ColumnType, pa.ChunkedArray]":
    import pyarrow as pa

    texts = [text for text in values.to_pylist() if text is not None]
    for found in types_of_few(texts):
        # An error says that a number is beyond 64 bits, or that there is no such day.
        with suppress(pa.ArrowInvalid):
            parsed = _parsed_booleans(values) if found.kind == "boolean" else values.cast(arrow_type(found))
            if (found.kind == "timestamp" and not found.wide) or _in_calendar(parsed, found):
                return found, parsed
    return TEXT, values


def cast_if_known(column: ColumnChunk, known: ColumnType) -> "pa.ChunkedArray | None":
    """Return texts in the type of those before them; None where they may need another one, and have to be examined."""
    if not column.origin == known.origin == "string":
        return None
    values = cast_exactly(column, known)
    if values is None or known.wide or values.null_count == len(values):
        return values
    if known.kind == "timestamp" and _is_far(column.values):
        return None
    return None if known.kind == "integer" and _is_wide(values) else values


def cast_exactly(column: ColumnChunk, wanted: ColumnType) -> "pa.ChunkedArray | None":
    """Return a part of a column in a type, or None where that would change one of its values."""
    import pyarrow as pa

    values = column.values
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), arrow_type(wanted))])
    if wanted.kind == "text":
        return _as_text(column)
    if wanted.kind is None or wanted.origin not in (None, column.origin):
        return None
    return _parsed_exactly(values, wanted) if column.origin == "string" else _native(column, wanted)


def cast_known(column: ColumnChunk, wanted: ColumnType) -> "pa.ChunkedArray | None":
    """Return a part of a column in a type that keeps its values, as somebody has found out before."""
    values = column.values
    if column.origin != "string" or wanted.kind in (None, "text") or values.null_count == len(values):
        return cast_exactly(column, wanted)
    return _parsed_booleans(values) if wanted.kind == "boolean" else values.cast(arrow_type(wanted))


def cast_as_asked(column: ColumnChunk, name: str, wanted: ColumnType) -> "pa.ChunkedArray":
    """Return a part of a column in the type that the caller asks for, also where that changes how a value is written.

    A value that is not of that type is an UnfitValueError.
    """
    import pyarrow as pa

    text = _as_text(column)
    if wanted.kind == "text":
        return text
    try:
        return _parsed(text, wanted)
    except pa.ArrowInvalid:
        index = next(index for index in range(len(text)) if not _fits(text.slice(index, 1), wanted))
        raise UnfitValueError(name, index, str(text[index]), wanted.kind) from None


def asked_type(kind: TypeName, column: ColumnChunk) -> ColumnType:
    """Return the type of a column for which the caller asks, without looking at all of it.

    For timestamps the first value decides about the zone; without any value the type has no origin yet.
    """
    if kind != "timestamp":
        return ColumnType(kind)
    # Microseconds hold the years 1 to 9999. Moments with offsets of all kinds can only meet in UTC.
    sample = _sample(_as_text(column))
    found = SHAPES["timestamp"].fullmatch(sample[0]) if sample else None
    return ColumnType(kind, "string" if sample else None, unit="us", zone="UTC" if found and found[1] else None)


def _sample(values: "pa.ChunkedArray") -> list[str]:
    """Return the first values that are not missing."""
    first = [text for text in values.slice(0, 2 * _SAMPLE).to_pylist() if text is not None]
    if len(first) < _SAMPLE < len(values):
        first = values.slice(0, 10 * _SAMPLE).drop_null().to_pylist() or values.drop_null().to_pylist()
    return first[:_SAMPLE]


def _guesses(values: "pa.ChunkedArray") -> Iterator[ColumnType]:
    """Yield the types that the first values have, and wider ones that the others may need."""
    sample = _sample(values)
    for kind, shape in SHAPES.items():
        if not all(map(shape.fullmatch, sample)):
            continue
        if kind == "integer":
            wide = _longest(values) > MOST_DIGITS and _any_match(values, f"[0-9]{{{MOST_DIGITS + 1}}}")
            yield ColumnType(kind, "string", wide=wide)
        elif kind == "timestamp":
            yield from _moment_types(values, sample)
        else:
            yield ColumnType(kind, "string")


def _moment_types(values: "pa.ChunkedArray", sample: Sequence[str]) -> Iterator[ColumnType]:
    """Yield timestamps in the unit that the first values need, and in finer ones."""
    found = [FRACTION.search(text) for text in sample]
    digits = max((len(fraction[1]) for fraction in found if fraction), default=0)
    zone = _zone(sample[0]) if sample else None
    known = ColumnType("timestamp", "string", wide=_is_far(values), zone="UTC" if zone == "Z" else zone)
    yield from (evolve(known, unit=unit) for unit in UNITS[-(-digits // 3) :])


def _zone(moment: str) -> str | None:
    found = SHAPES["timestamp"].fullmatch(moment)
    return found[1] if found else None


def _is_far(moments: "pa.ChunkedArray") -> bool:
    """Return whether a moment lies outside of the years that 64 bits of nanoseconds reach."""
    import pyarrow.compute as pc

    bounds = pc.min_max(moments).as_py()
    return bool(bounds["min"] < FIRST_NEAR_YEAR or bounds["max"] >= FIRST_FAR_YEAR)


def _parsed_exactly(values: "pa.ChunkedArray", wanted: ColumnType) -> "pa.ChunkedArray | None":
    import pyarrow as pa

    try:
        if wanted.kind == "boolean":
            return _parsed_booleans(values)
        if (texts := _joined(values)) is not None and look_exact(texts, wanted):
            return pa.chunked_array([texts.cast(arrow_type(wanted))])
        parsed = _parsed(values, wanted) if _is_exact(values, wanted) else None
    except pa.ArrowInvalid:
        return None  # beyond 64 bits, the 30th of February, a finer unit
    return parsed if parsed is not None and _in_calendar(parsed, wanted) else None


def _joined(values: "pa.ChunkedArray") -> "pa.StringArray | None":
    """Return a part of a column in one piece; None where it does not fit into one."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        # Arrow copies a single chunk, too.
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    return values if isinstance(values, pa.StringArray) else None


def _in_calendar(moments: "pa.ChunkedArray", wanted: ColumnType) -> bool:
    """Return whether Python has all of the moments, too: its years are 1 to 9999, in every zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted.kind not in ("date", "timestamp"):
        return True
    day = 1 if wanted.kind == "date" else 86400 * 1000 ** UNITS.index(wanted.unit)
    bounds = pc.min_max(moments.cast(pa.int32() if wanted.kind == "date" else pa.int64())).as_py()
    margin = 1 if wanted.zone else 0
    return bool((_FIRST_DAY + margin) * day <= bounds["min"] and bounds["max"] < (_LAST_DAY + 1 - margin) * day)


def _is_exact(values: "pa.ChunkedArray", wanted: ColumnType) -> bool:
    """Return whether every text is one that the type keeps, as far as its shape shows."""
    import pyarrow.compute as pc

    longest = _longest(values)
    if wanted.kind in ("integer", "float"):
        if not _is_plain(values, longest) and not _all_match(values, PATTERNS[wanted.kind]):
            return False
        if wanted.kind == "integer" or longest <= MOST_DIGITS:
            return True
        return longest <= LONGEST_FLOAT and not _any_match(values, MORE_DIGITS.pattern)
    if wanted.kind != "timestamp":
        return _all_match(values, PATTERNS[wanted.kind or "text"])
    if (wanted.unit, wanted.zone, longest) == ("s", None, _PLAIN_MOMENT):
        # Of so many characters there is only one form that Arrow reads, and to count them is ten times as fast.
        return bool(pc.min(pc.binary_length(values)).as_py() == longest)
    return _all_match(values, MOMENT + ("Z" if wanted.zone == "UTC" else re.escape(wanted.zone or "")))


def _longest(values: "pa.ChunkedArray") -> int:
    import pyarrow.compute as pc

    return int(pc.max(pc.binary_length(values)).as_py())


def _is_plain(values: "pa.ChunkedArray", longest: int) -> bool:
    """Return whether all are digits with at most one point between them, and no zero in front: the usual case, fast."""
    import pyarrow.compute as pc

    point = pc.ascii_trim(values, _DIGITS)
    lengths = pc.binary_length(point)
    with_point = pc.max(lengths).as_py()
    if with_point > 1 or pc.min(pc.binary_length(values)).as_py() == 0:
        return False
    if with_point:
        # What is left is a point where anything is, and no value begins or ends with it.
        rest = pc.or_(pc.equal(lengths, length_scalar(0)), pc.equal(point, text_scalar(".")))
        if not pc.all(rest).as_py() or pc.any(pc.or_(pc.starts_with(values, "."), pc.ends_with(values, "."))).as_py():
            return False
    zero = pc.starts_with(values, "0")
    if longest == 1 or not pc.any(zero).as_py():
        return True
    alone = pc.or_(pc.starts_with(values, "0."), pc.equal(values, text_scalar("0")))
    return not pc.any(pc.and_not(zero, alone)).as_py()


def _all_match(values: "pa.ChunkedArray", pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(values, rf"\A(?:{pattern})\z")).as_py())


def _any_match(values: "pa.ChunkedArray", pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())


def _parsed(values: "pa.ChunkedArray", wanted: ColumnType) -> "pa.ChunkedArray":
    """Return texts as values of a type; an ArrowInvalid where one of them is none."""
    import pyarrow as pa

    if wanted.kind == "boolean":
        return _parsed_booleans(values, any_case=True)
    if wanted.kind == "integer" and _any_match(values, "[xX]"):
        raise pa.ArrowInvalid  # Arrow reads 0x1F as well
    parsed = values.cast(arrow_type(wanted))
    if wanted.kind == "float" and _is_out_of_range(values, parsed):
        raise pa.ArrowInvalid
    return parsed


def _is_out_of_range(values: "pa.ChunkedArray", parsed: "pa.ChunkedArray") -> bool:
    """Return whether a number is too large or too small for a float: it became infinite, or zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds = pc.min_max(parsed).as_py()
    if bounds["min"] is None or (bounds["min"] > 0 and not math.isinf(bounds["max"])):
        return False
    zeros = values.filter(pc.invert(parsed.cast(pa.bool_())))
    infinite = values.filter(pc.is_inf(parsed))
    return _any_match(zeros, r"^[^eE]*[1-9]") or _any_match(infinite, "[0-9]")


def _parsed_booleans(values: "pa.ChunkedArray", *, any_case: bool = False) -> "pa.ChunkedArray":
    """Return texts as booleans; not by Arrow's own way, which reads 1 and 0, too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    true, false = text_scalar("true"), text_scalar("false")
    yes, no = pc.equal(values, true), pc.equal(values, false)
    if pc.all(pc.or_(yes, no)).as_py() is not False:
        return yes
    if not any_case and not _all_match(values, PATTERNS["boolean"]):
        raise pa.ArrowInvalid
    lower = pc.utf8_lower(values)
    yes, no = pc.equal(lower, true), pc.equal(lower, false)
    if not pc.all(pc.or_(yes, no)).as_py():
        raise pa.ArrowInvalid
    return yes


def _fits(text: "pa.ChunkedArray", wanted: ColumnType) -> bool:
    import pyarrow as pa

    try:
        _parsed(text, wanted)
    except pa.ArrowInvalid:
        return False
    return True


def _native_type(column: ColumnChunk) -> ColumnType:
    """Return the type of values that JSON itself has one for."""
    import pyarrow as pa

    values = column.values
    if column.origin == "boolean":
        return ColumnType("boolean", "boolean")
    if pa.types.is_integer(values.type):
        return ColumnType("integer", "number", wide=_is_wide(values))
    # Numbers with more digits than a float keeps were never made floats: they are texts.
    return ColumnType("float", "number") if pa.types.is_floating(values.type) else TEXT


def _is_wide(integers: "pa.ChunkedArray") -> bool:
    """Return whether one has more digits than a float keeps."""
    import pyarrow.compute as pc

    bounds = pc.min_max(integers).as_py()
    return bool(max(bounds["max"], -bounds["min"]) >= 10**MOST_DIGITS)


def _native(column: ColumnChunk, wanted: ColumnType) -> "pa.ChunkedArray | None":
    values, found = column.values, _native_type(column)
    if found.kind == wanted.kind:
        return values
    if (found.kind, wanted.kind) == ("integer", "float") and not found.wide:
        return values.cast(arrow_type(wanted))
    return None


def _as_text(column: ColumnChunk) -> "pa.ChunkedArray":
    """Return values as the file writes them."""
    import pyarrow as pa

    if column.written:
        return column.written()
    return column.values if column.values.type == pa.string() else column.values.cast(pa.string())
