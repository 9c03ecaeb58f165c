"""What goes into a workbook, found out from all rows before the first cell is written: columns, widths, and sheets.

A column is one of numbers or moments only where Excel holds each of its values exactly; otherwise it is text, as the
file writes it.
"""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from attrs import define, field, frozen

from ..errors import ExportFormatError
from .arrow_reader import ExportFile
from .pandas_frame import may_be_moments, moments_in

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Kind", "SheetColumn", "Workbook", "measure", "values_of"]

MOST_ROWS = 1_048_576
"""Of a sheet, the header included."""
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""Of a cell, in units of UTF-16."""
MOST_BYTES = 1 << 31
"""Of a sheet as it is in the file: a larger one takes a form of ZIP that Excel wants to repair."""
_LARGEST_INTEGER = 10**15 - 1
"""Excel keeps 15 digits."""
_WIDEST = 60
_NARROWEST = 8
_CELL_BYTES = 100
"""What a cell takes at most, without its text."""
_ESCAPABLE = r"[&<>_\x00-\x08\x0b-\x1f\x{FFFE}\x{FFFF}]"
"""Characters that may need more than one in XML; at most seven bytes."""
# What is as wide as two letters: East Asian characters and pictures.
_WIDE = (
    r"[\x{1100}-\x{115F}\x{2E80}-\x{A4CF}\x{AC00}-\x{D7A3}\x{F900}-\x{FAFF}\x{FE30}-\x{FE6F}\x{FF00}-\x{FF60}"
    r"\x{FFE0}-\x{FFE6}\x{1F300}-\x{1FAFF}\x{20000}-\x{3FFFD}]"
)

Kind = Literal["text", "integer", "float", "boolean", "date", "moment"]


@frozen
class SheetColumn:
    """A column of the workbook.

    Attributes:
        name: What its header says.
        kind: What its cells are.
        width: How wide it is, in digits.
        zone: For moments that the file writes with an offset: the zone whose clock the cells show.
        milliseconds: Whether one of the moments has some.
    """

    name: str
    kind: Kind
    width: int
    zone: str | None = None
    milliseconds: bool = False


@frozen
class Workbook:
    """What goes into a workbook.

    Attributes:
        columns: Its columns.
        sheets: How many rows each of its sheets has, without the header.
        inexact: The columns that Excel would not hold as they are typed: they have to be read as text.
    """

    columns: tuple[SheetColumn, ...]
    sheets: tuple[int, ...]
    inexact: frozenset[str]


def measure(file: ExportFile, schema: "pa.Schema", tables: Iterable["pa.Table"]) -> Workbook:
    """Find out what all of a file takes; an ExportFormatError where that is more than Excel has."""
    _check_header(file, schema.names)
    columns = [_Column(file, field.name, field.type) for field in schema]
    sheets = _Sheets()
    rows = 0
    for table in tables:
        size = sum(column.add(values, rows) for column, values in zip(columns, table.columns, strict=True))
        sheets.add(table.num_rows if columns else 0, size)
        rows += table.num_rows
    inexact = frozenset(column.name for column in columns if not column.exact)
    return Workbook(tuple(column.result() for column in columns), tuple(sheets.rows), inexact)


def values_of(column: SheetColumn, values: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Return a part of a column with moments that have no offset: they show the clock of the column's zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.zone is None:
        return values
    moments = moments_in(values, column.zone) if pa.types.is_string(values.type) else values
    if moments is None:
        return pa.chunked_array([pa.nulls(len(values), pa.timestamp("s"))])
    return pc.local_timestamp(moments.cast(pa.timestamp(moments.type.unit, column.zone)))


def _check_header(file: ExportFile, names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise ExportFormatError(
            f"{file.path.name}: {len(names):,} columns do not fit into a sheet of Excel, which has {MOST_COLUMNS:,}",
            advice="ask for fewer metrics, or take Parquet in place of Excel",
        )
    for number, name in enumerate(names, 1):
        if _units(name) > MOST_CHARACTERS:
            raise ExportFormatError(
                f"{file.path.name}: the name of column {number}, {name[:60]!r}..., has {_units(name):,} characters, "
                f"and a cell of Excel holds {MOST_CHARACTERS:,}",
                advice="ask for other metrics, or take Parquet in place of Excel",
            )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@define
class _Sheets:
    """Shares the rows out among sheets."""

    rows: list[int] = field(factory=lambda: [0])
    _size: int = 0

    def add(self, rows: int, size: int) -> None:
        """Put so many rows of so many bytes behind the others."""
        if self._size + size > MOST_BYTES and self._size:
            self._begin()
        while self.rows[-1] + rows > MOST_ROWS - 1:
            rows -= MOST_ROWS - 1 - self.rows[-1]
            self.rows[-1] = MOST_ROWS - 1
            self._begin()
        self.rows[-1] += rows
        self._size += size

    def _begin(self) -> None:
        self.rows.append(0)
        self._size = 0


@define
class _Column:
    """Learns what a column holds, from one part after the other.

    Attributes:
        exact: Whether Excel holds all values as what they are.
        moments: Whether a column of text holds nothing but moments, with several offsets.
    """

    file: ExportFile
    name: str
    type: "pa.DataType"
    exact: bool = True
    moments: bool = field(init=False)
    _widest: int = 0
    _milliseconds: bool = False
    _seen: bool = False

    def __attrs_post_init__(self) -> None:
        self.moments = self.file.zone is not None and may_be_moments(self.name, self.file.hints)

    def add(self, values: "pa.ChunkedArray", rows: int) -> int:
        """Learn from some values, behind so many rows; return how many bytes they take at most in the file."""
        import pyarrow as pa

        size = _CELL_BYTES * len(values)
        if values.null_count == len(values):
            return size
        self._seen = True
        if pa.types.is_string(self.type):
            size += self._add_text(values, rows)
        elif pa.types.is_integer(self.type):
            self._add_integers(values)
        elif pa.types.is_timestamp(self.type):
            self._add_moments(values)
        elif pa.types.is_floating(self.type):
            self._widen(values.cast(pa.string()))
        return size

    def result(self) -> SheetColumn:
        """Return what it is."""
        import pyarrow as pa

        kind: Kind = "text"
        if pa.types.is_timestamp(self.type) or (pa.types.is_string(self.type) and self.moments and self._seen):
            kind = "moment"
        elif not pa.types.is_string(self.type):
            kinds: dict[pa.DataType, Kind] = {
                pa.int64(): "integer",
                pa.float64(): "float",
                pa.bool_(): "boolean",
                pa.date32(): "date",
            }
            kind = kinds[self.type]
        zone = self.file.zone if kind == "moment" else None
        if pa.types.is_timestamp(self.type):
            zone = self.type.tz and (self.file.zone or self.type.tz)
        return SheetColumn(self.name, kind, self._width(kind), zone, self._milliseconds)

    def _width(self, kind: Kind) -> int:
        content = {"boolean": 5, "date": 10, "moment": 23 if self._milliseconds else 19}.get(kind, self._widest)
        if kind == "float":
            content = min(content, 12)  # Excel shows no more of one
        header = sum(2 if unicodedata.east_asian_width(letter) in "FW" else 1 for letter in self.name)
        # The header is bold, mostly capitals, and has the button of the filter.
        return max(_NARROWEST, min(_WIDEST, max(content + 2, round(header * 1.2) + 3)))

    def _add_text(self, values: "pa.ChunkedArray", rows: int) -> int:
        import pyarrow.compute as pc

        sizes = pc.binary_length(values)
        if pc.max(sizes).as_py() > MOST_CHARACTERS:
            self._check_lengths(values, rows)
        self._widen(values)
        if self.moments:
            found = moments_in(values, self.file.zone or "UTC")
            self.moments = found is not None
            if found is not None:
                self._add_moments(found)
        return int(pc.sum(sizes).as_py() + 6 * pc.sum(pc.count_substring_regex(values, _ESCAPABLE)).as_py())

    def _check_lengths(self, values: "pa.ChunkedArray", rows: int) -> None:
        for index, text in enumerate(values.to_pylist()):
            if text is not None and len(text) * 2 > MOST_CHARACTERS and _units(text) > MOST_CHARACTERS:
                raise ExportFormatError(
                    f"{self.file.path.name}: row {rows + index + 1}: {self.name} holds {_units(text):,} characters, "
                    f"and a cell of Excel holds {MOST_CHARACTERS:,}",
                    row=rows + index + 1,
                    advice=f"leave {self.name!r} out of the metrics, or take Parquet in place of Excel",
                )

    def _add_integers(self, values: "pa.ChunkedArray") -> None:
        import pyarrow.compute as pc

        bounds = pc.min_max(values).as_py()
        self.exact &= bounds["min"] >= -_LARGEST_INTEGER and bounds["max"] <= _LARGEST_INTEGER
        self._widest = max(self._widest, *(len(str(bound)) for bound in bounds.values()))

    def _add_moments(self, values: "pa.ChunkedArray") -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            values.cast(pa.timestamp("ms", values.type.tz))
            numbers = values.cast(pa.timestamp("s", values.type.tz), safe=False).cast(values.type)
            self._milliseconds |= not pc.all(pc.equal(numbers, values)).as_py()
        except pa.ArrowInvalid:
            self.exact = False  # finer than Excel's moments

    def _widen(self, texts: "pa.ChunkedArray") -> None:
        import pyarrow.compute as pc

        lengths = pc.utf8_length(texts)
        if pc.sum(lengths).as_py() != pc.sum(pc.binary_length(texts)).as_py():
            lengths = pc.add(lengths, pc.count_substring_regex(texts, _WIDE))
        self._widest = max(self._widest, pc.max(lengths).as_py())
