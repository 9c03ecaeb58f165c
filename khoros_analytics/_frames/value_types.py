"""The types of values, seen by Python alone: without a library, and faster than with one where there are few.

They are the types that a frame of the same file has.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime

from ..reports import TypeName
from .column_types import TEXT, UNITS, ColumnType
from .spelling import FIRST_FAR_YEAR, FIRST_NEAR_YEAR, LONGEST_FLOAT, MORE_DIGITS, MOST_DIGITS, PATTERNS, SHAPES

__all__ = ["type_of_text", "types_of_few"]

_INT64 = 2**63
# Each value ends with an LF, so that an empty one behind the others shows.
_LINES = {kind: re.compile(rf"(?:(?:{pattern})\n)*+") for kind, pattern in PATTERNS.items()}
_SECONDS = len("2019-02-01 00:00:00")
_FRACTION = ".0123456789"


def type_of_text(text: str) -> ColumnType:
    """Return the narrowest type that keeps a value of CSV exactly."""
    found = next(types_of_few([text]), TEXT)
    if found.kind == "integer":
        return found if -_INT64 <= int(text) < _INT64 else TEXT
    with suppress(ValueError, OverflowError):
        if found.kind == "date":
            date.fromisoformat(text)
        elif found.kind == "timestamp":
            _check_moment(text, found)
        return found
    return TEXT


def _check_moment(text: str, found: ColumnType) -> None:
    """Raise a ValueError for a moment that no calendar has, or no number of 64 bits."""
    # Not all of it by `fromisoformat`: it knows a 24th hour in some versions, and no nanoseconds.
    plain = datetime.strptime(f"{text[:10]} {text[11:19]}", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - as it stands there
    # In another zone it could lie outside of the calendar.
    if (found.zone and not date.min < plain.date() < date.max) or (found.wide and found.unit == UNITS[-1]):
        raise ValueError


def types_of_few(texts: Sequence[str]) -> Iterator[ColumnType]:
    """Yield the types as which all of some texts are written, so that each keeps its value.

    Whether there is such a day, and whether 64 bits hold such a number, is not looked at.
    """
    lines = "\n".join([*texts, ""])
    if lines.count("\n") > len(texts):
        return
    for kind, shape in SHAPES.items():
        # Most columns show by their first value what they are not; then all values at once take the least time.
        if shape.fullmatch(texts[0]) and _LINES[kind].fullmatch(lines):
            found = _SPECIAL[kind](texts) if kind in _SPECIAL else ColumnType(kind, "string")
            if found:
                yield found


def _integers(texts: Sequence[str]) -> ColumnType:
    wide = max(map(len, texts)) > MOST_DIGITS and any(len(text.lstrip("-")) > MOST_DIGITS for text in texts)
    return ColumnType("integer", "string", wide=wide)


def _floats(texts: Sequence[str]) -> ColumnType | None:
    """Return the type of floats, or None where a float would not keep all digits of one."""
    longest = max(map(len, texts))
    exact = longest <= MOST_DIGITS or (longest <= LONGEST_FLOAT and not any(map(MORE_DIGITS.search, texts)))
    return ColumnType("float", "string") if exact else None


def _moments(texts: Sequence[str]) -> ColumnType | None:
    """Return the type of moments, or None where they have several offsets."""
    offsets = {text[_SECONDS:].lstrip(_FRACTION) for text in texts}
    if len(offsets) > 1:
        return None
    offset = offsets.pop()
    digits = max(map(len, texts)) - _SECONDS - len(offset) - 1
    return ColumnType(
        "timestamp",
        "string",
        wide=not FIRST_NEAR_YEAR <= min(texts) <= max(texts) < FIRST_FAR_YEAR,
        unit=UNITS[-(-max(digits, 0) // 3)],
        zone="UTC" if offset == "Z" else offset or None,
    )


_SPECIAL: dict[TypeName, Callable[[Sequence[str]], ColumnType | None]] = {
    "integer": _integers,
    "float": _floats,
    "timestamp": _moments,
}
