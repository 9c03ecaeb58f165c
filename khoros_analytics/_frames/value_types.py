"""The types of single values: what a column is, value by value, for those who want no frame of it.

It needs no library, and comes to the types that a frame of the same file has.
"""

from contextlib import suppress
from datetime import date, datetime

from .column_types import TEXT, UNITS, ColumnType
from .inference import FIRST_FAR_YEAR, FIRST_NEAR_YEAR, FRACTION, LONGEST_FLOAT, MORE_DIGITS, MOST_DIGITS, SHAPES

__all__ = ["type_of_text"]

_INT64 = 2**63


def type_of_text(text: str) -> ColumnType:
    """Return the narrowest type that keeps a value of CSV exactly."""
    kind = next((kind for kind, shape in SHAPES.items() if shape.fullmatch(text)), None)
    if kind == "integer":
        wide = len(text.lstrip("-")) > MOST_DIGITS
        return ColumnType(kind, "string", wide=wide) if -_INT64 <= int(text) < _INT64 else TEXT
    if kind == "float":
        exact = len(text) <= MOST_DIGITS or (len(text) <= LONGEST_FLOAT and not MORE_DIGITS.search(text))
        return ColumnType(kind, "string") if exact else TEXT
    if kind == "boolean":
        return ColumnType(kind, "string")
    with suppress(ValueError, OverflowError):
        if kind == "date":
            date.fromisoformat(text)
            return ColumnType(kind, "string")
        if kind == "timestamp":
            return _moment(text)
    return TEXT


def _moment(text: str) -> ColumnType:
    """Return the type of a moment; a ValueError for one that no calendar has."""
    found = SHAPES["timestamp"].fullmatch(text)
    zone = found[1] if found else None
    # Not all of it by `fromisoformat`: it knows a 24th hour in some versions, and no nanoseconds.
    plain = datetime.strptime(f"{text[:10]} {text[11:19]}", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - as it stands there
    if zone is not None and not date.min < plain.date() < date.max:
        return TEXT  # in another zone it could lie outside of the calendar
    fraction = FRACTION.search(text)
    unit = UNITS[-(-len(fraction[1]) // 3)] if fraction else UNITS[0]
    wide = not FIRST_NEAR_YEAR <= text[:4] < FIRST_FAR_YEAR
    if wide and unit == UNITS[-1]:
        return TEXT
    return ColumnType("timestamp", "string", wide=wide, unit=unit, zone="UTC" if zone == "Z" else zone)
