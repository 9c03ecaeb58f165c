"""Column types: which one holds all values of a column without loss, and what a caller may ask for instead."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache, reduce
from typing import Literal, get_args

from attrs import evolve, field, frozen

from ..errors import ParameterError
from ..reports import REPORTS, Metric, TypeName

__all__ = ["NOTHING", "TEXT", "ColumnType", "SchemaHints", "Types", "join", "parse_types", "words_of"]

Types = Mapping[str, TypeName] | Literal["text"]
"""What a caller may say of the types: those of single columns, or that all of them stay text."""

UNITS = ("s", "ms", "us", "ns")
"""How finely a timestamp is divided; each is a thousand times finer than the one before."""


@frozen
class ColumnType:
    """What is known of a column's values.

    Attributes:
        kind: The narrowest type that holds all of them; None where all are missing.
        origin: How the file writes them: ``string``, ``number`` or ``boolean``; CSV knows only strings. None for any.
        wide: For integers: some have more than 15 digits, so a float would not hold them. For timestamps: some lie so
            far away that nanoseconds would not reach them.
        unit: For timestamps: the finest unit that one of them uses.
        zone: For timestamps: the offset that all of them have, as Arrow writes a zone; None where they have none.
    """

    kind: TypeName | None
    origin: str | None = None
    wide: bool = False
    unit: str = "s"
    zone: str | None = None


NOTHING = ColumnType(None)
TEXT = ColumnType("text")


def join(one: ColumnType, other: ColumnType) -> ColumnType:
    """Return the narrowest type that holds the values of both without loss.

    Example:
        >>> join(ColumnType("integer"), ColumnType("float")).kind
        'float'
        >>> join(ColumnType("integer"), ColumnType("date")).kind
        'text'
    """
    if one.kind is None or other.kind is None:
        return other if one.kind is None else one
    origin = one.origin or other.origin
    if other.origin not in (None, origin):
        return TEXT
    if one.kind == other.kind:
        return _join_alike(evolve(one, origin=origin), other)
    if {one.kind, other.kind} == {"integer", "float"} and not (one.wide or other.wide):
        return ColumnType("float", origin)
    return TEXT


def _join_alike(one: ColumnType, other: ColumnType) -> ColumnType:
    if one.kind == "timestamp" and one.zone != other.zone:
        return TEXT
    both = evolve(one, wide=one.wide or other.wide, unit=max(one.unit, other.unit, key=UNITS.index))
    return TEXT if both.wide and both.unit == UNITS[-1] else both


def join_all(types: Iterable[ColumnType]) -> ColumnType:
    """Return the narrowest type that holds the values of all."""
    return reduce(join, types, NOTHING)


@lru_cache(4096)
def words_of(name: str) -> Sequence[str]:
    """Return the words of a column's name, in small letters; they are told apart by separators and by capitals."""
    parted = re.sub(r"(?<=[^\W\dA-Z_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+", " ", name)
    return parted.casefold().split()


@frozen
class SchemaHints:
    """Which types the columns of one frame should have, as far as anybody said.

    Attributes:
        all_text: Every column stays text.
        overrides: What the caller asks for; it is done or it is an error.
        defaults: What the table of reports knows of its metrics; it holds where the values allow it.
        zones: The offsets that moments may have, None for none at all; with another one they stay text. None: any.
    """

    all_text: bool = False
    overrides: Mapping[str, TypeName] = field(factory=dict)
    defaults: Mapping[str, TypeName] = field(factory=dict)
    zones: Collection[str | None] | None = None

    def stays_text(self, column: str) -> bool:
        """Return whether a column is not narrowed at all.

        Numbers of identity stay text: one window's could be all digits, the next one's not, and nobody adds them up.

        Example:
            >>> [SchemaHints().stays_text(name) for name in ("CONVERSATION_ID", "authorUuid", "Post ID", "POST_COUNT")]
            [True, True, True, False]
        """
        return self.all_text or words_of(column)[-1:] in (["id"], ["uuid"], ["guid"])

    def initial(self, column: str) -> ColumnType:
        """Return what is known of a column before any of its values."""
        kind = self.defaults.get(column)
        return ColumnType(kind) if kind else NOTHING

    def allowed(self, column: ColumnType) -> ColumnType:
        """Return a type, or text in its place where moments may not have its offset."""
        return column if self.zones is None or column.zone in self.zones else TEXT

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raise a ParameterError where a column that the caller named is not there."""
        present = list(columns)
        for name in self.overrides:
            if name not in present:
                close = get_close_matches(name, present, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"the columns are {', '.join(present) or 'none'}"
                raise ParameterError(f"types: there is no column {name!r}; {hint}")


def parse_types(types: object, report: str | None = None) -> SchemaHints:
    """Check what a caller says of the types; the report's table adds what it knows of its metrics."""
    defaults = _table_types(REPORTS[report].metrics) if report else {}
    if types is None:
        return SchemaHints(defaults=defaults)
    if types == "text":
        return SchemaHints(all_text=True)
    if not isinstance(types, Mapping):
        raise ParameterError(f'types: {types!r} is not understood; give {{column: type}}, or "text" for all columns')
    names = get_args(TypeName)
    for column, kind in types.items():
        if kind not in names:
            raise ParameterError(f"types: {kind!r} for {column!r} is not a type; choose among {', '.join(names)}")
    return SchemaHints(overrides=dict(types), defaults=defaults)


def _table_types(metrics: Iterable[Metric]) -> dict[str, TypeName]:
    return {name: metric.type for metric in metrics if metric.type for name in (metric.name, metric.label) if name}
