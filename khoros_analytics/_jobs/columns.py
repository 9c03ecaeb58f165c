"""``Column`` and ``Columns``: what the columns of a report are, found out from a file of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, SupportsIndex, cast, get_args, overload

from attrs import asdict, define, evolve, frozen

from .._display.listing import Listing
from .._frames.column_types import TEXT, ColumnType, SchemaHints, join, parse_types
from .._frames.value_types import type_of_text
from .._rows.csv_reader import csv_records, read_header
from .._rows.source import open_export
from .._tables import Table
from ..reports import REPORTS, TypeName
from ..times import Window
from .personal import has_personal_name, is_personal_value

__all__ = ["Column", "Columns", "examine", "from_json", "to_json"]

_VERSION = 1
_LONGEST_EXAMPLE = 200


@frozen
class Column:
    """One column of a report, from ``client.columns(...)``.

    Attributes:
        name: Its name, as the export writes it, and as ``metrics`` takes it.
        label: Its name in the vendor's user interface, where a source gives it.
        type: The type that its values have in a frame; None where the file held no value.
        empty: The share of rows in which nothing stands, from 0 to 1; None where the file held no row.
        example: One of its values, as the file writes it; None where there is none, and where the column looks like
            personal data and nobody asked for examples.
        personal: Whether it looks like personal data, by its name or by one of its values.
    """

    name: str
    label: str | None = None
    type: TypeName | None = None
    empty: float | None = None
    example: str | None = None
    personal: bool = False


class Columns(Listing, tuple[Column, ...]):  # noqa: SLOT001 - it has attributes
    """The columns of a report, from ``client.columns(...)``, in the order of the export. A notebook shows a table.

    Attributes:
        report: The report's name on the wire.
        window: The window of the export in which they were found.
        rows: How many rows it had.
        found_at: When they were found.
    """

    report: str
    window: Window
    rows: int
    found_at: datetime

    def __new__(
        cls,
        columns: Iterable[Column] = (),
        report: str = "",
        window: Window = Window(0, 0),  # noqa: B008 - it is frozen
        rows: int = 0,
        found_at: datetime = datetime.fromtimestamp(0, UTC),  # noqa: B008 - so is this
    ) -> Self:
        """Make the list; ``client.columns(...)`` does."""
        self = super().__new__(cls, columns)
        self.report, self.window, self.rows, self.found_at = report, window, rows, found_at
        return self

    def without_personal_examples(self) -> "Columns":
        """Return the same columns, without a value of those that look like personal data.

        Returns:
            The list.
        """
        return self._of(evolve(column, example=None) if column.personal else column for column in self)

    def _of(self, columns: Iterable[Column]) -> "Columns":
        return Columns(columns, self.report, self.window, self.rows, self.found_at)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, as ``metrics`` takes them."""
        return tuple(column.name for column in self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Column: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Columns": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "Column | Columns":
        """Return one column, or a list of some of them that looks the same."""
        found = super().__getitem__(index)
        return self._of(found) if isinstance(found, tuple) else found

    def _table(self) -> Table:
        head = ("column", "label", "type", "empty", "example")
        if not self.rows:
            where = f"no rows in {self.window}"
        else:
            where = f"{self.rows:,} row{'s' if self.rows > 1 else ''} of {self.window}"
        caption = f"{len(self):,} column{'' if len(self) == 1 else 's'} of {self.report}, from {where}"
        return Table(caption, head, map(_cells, self), len(self))


def _cells(column: Column) -> list[str]:
    empty = "" if column.empty is None else _percent(column.empty)
    hidden = "(looks personal)" if column.personal else ""
    return [column.name, column.label or "", column.type or "", empty, column.example or hidden]


def _percent(share: float) -> str:
    """Return a share in whole per cent; what is neither none nor all does not look like it."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


# --- from a file -----------------------------------------------------------------------------------------------------


@define
class _Tally:
    """What the rows so far say of one column."""

    name: str
    type: ColumnType
    missing: int = 0
    example: str | None = None
    personal: bool = False

    def add(self, cell: str | None) -> None:
        """Count one more row."""
        if not cell:
            self.missing += 1
            return
        if self.example is None:
            self.example = cell
        if self.type != TEXT:
            self.type = join(self.type, type_of_text(cell))
        self.personal = self.personal or is_personal_value(cell)

    def column(self, rows: int, labels: Mapping[str, str], *, examples: bool) -> Column:
        """Return what is known now; with ``examples``, also a value that looks personal."""
        personal = self.personal or has_personal_name(self.name, self.type.kind)
        shown = self.example if examples or not personal else None
        return Column(
            name=self.name,
            label=labels.get(self.name),
            type=self.type.kind,
            empty=self.missing / rows if rows else None,
            example=None if shown is None else shown[:_LONGEST_EXAMPLE],
            personal=personal,
        )


def examine(path: Path, report: str, window: Window, found_at: float, *, examples: bool) -> Columns:
    """Read an export in CSV, and return what its columns are; ``found_at`` is in seconds since 1970 UTC."""
    rows = 0
    tallies: list[_Tally] = []
    if path.stat().st_size:
        hints = parse_types(None, report)
        with open_export(path, "csv") as source:
            header = read_header(source)
            tallies = [_Tally(name, _known_type(hints, name)) for name in header.names]
            for record in csv_records(source, header):
                rows += 1
                for tally, cell in zip(tallies, record, strict=True):
                    tally.add(cell)
    labels = _labels(report)
    columns = [tally.column(rows, labels, examples=examples) for tally in tallies]
    return Columns(columns, report, window, rows, datetime.fromtimestamp(found_at, UTC))


def _known_type(hints: SchemaHints, name: str) -> ColumnType:
    return TEXT if hints.stays_text(name) else hints.initial(name)


def _labels(report: str) -> dict[str, str]:
    """Return the known labels by the names that an export may write: whether it writes names or labels is not known."""
    metrics = [metric for metric in REPORTS[report].metrics if metric.label]
    return {name: cast("str", metric.label) for metric in metrics for name in (metric.name, cast("str", metric.label))}


# --- from and to a journal -------------------------------------------------------------------------------------------


def to_json(columns: Columns) -> dict[str, object]:
    """Return what may be written down: no value of a column that looks like personal data."""
    return {
        "version": _VERSION,
        "window": [columns.window.start_ms, columns.window.end_ms, columns.window.zone],
        "rows": columns.rows,
        "columns": [asdict(column) for column in columns.without_personal_examples()],
    }


def from_json(report: str, found_at: float, content: Any) -> Columns | None:
    """Return the columns of what :func:`to_json` made; None for anything else."""
    try:
        if content["version"] != _VERSION:
            return None
        columns = [_checked(Column(**values)) for values in content["columns"]]
        start_ms, end_ms, zone = content["window"]
        window = Window(int(start_ms), int(end_ms), str(zone))
        str(window)  # an error for moments that no calendar has
        return Columns(columns, report, window, int(content["rows"]), datetime.fromtimestamp(found_at, UTC))
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


def _checked(column: Column) -> Column:
    """Return a column whose attributes are what they should be; a TypeError for any other."""
    texts: Sequence[object] = (column.name, column.label or "", column.example or "")
    share = column.empty is None or (isinstance(column.empty, int | float) and math.isfinite(column.empty))
    kind = column.type is None or column.type in get_args(TypeName)
    if not (all(isinstance(text, str) for text in texts) and share and kind and isinstance(column.personal, bool)):
        raise TypeError("not a column")
    return column
