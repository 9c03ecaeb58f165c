"""Rows of a sheet as the file has them, in XML: made by Arrow, for thousands of cells at once.

XlsxWriter itself would cut a float to 16 digits, take a text between ``<r>`` and ``</r>`` for markup, and write
``_x0001_x0002_`` so that Excel reads something else; and it takes ten times as long.
"""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import re
import struct
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from .arrays import text_array, text_scalar
from .excel_columns import SheetColumn, values_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PlacedColumn", "header_xml", "rows_xml"]

_FORBIDDEN = r"\x00-\x08\x0b-\x1f"
# What XML forbids, and what looks like the way in which Excel writes that; the latter also where it only comes to look
# so because of a forbidden character behind it.
_TO_ESCAPE = re.compile(f"[{_FORBIDDEN}\ufffe\uffff]|_(?=x[0-9a-fA-F]{{4}}[_{_FORBIDDEN}\ufffe\uffff])")
_MAY_NEED_ESCAPE = rf"[{_FORBIDDEN}\x{{FFFE}}\x{{FFFF}}]|_x[0-9a-fA-F]{{4}}_"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LARGEST = 9.99999999999999e307
_SMALLEST = 2.2250738585072014e-308
_DAY = 86_400_000
"""In milliseconds."""
_FIRST_DAY = 25569
"""The day of 1970 as Excel counts, whose day 1 is the first one of 1900."""
_MARCH_1900 = 61
"""Excel counts a 29th of February in 1900, so the days before this one have a number less."""


@frozen
class PlacedColumn:
    """A column in its place.

    Attributes:
        column: It.
        letters: The column of the sheet: ``A``, ``B``, ..., ``XFD``.
        style: The number of the style of its cells.
        header_style: The same for its header.
    """

    column: SheetColumn
    letters: str
    style: int
    header_style: int


def header_xml(columns: Sequence[PlacedColumn]) -> bytes:
    """Return the first row: the names of the columns."""
    cells = (
        f'<c r="{place.letters}1" s="{place.header_style}" t="inlineStr"><is><t xml:space="preserve">'
        f"{_escaped_text(place.column.name)}</t></is></c>"
        for place in columns
    )
    return f'<row r="1">{"".join(cells)}</row>'.encode()


def rows_xml(columns: Sequence[PlacedColumn], table: "pa.Table", first: int) -> memoryview:
    """Return some rows, of which the first one has this number in the sheet."""
    import pyarrow.compute as pc

    numbers = _numbers(first, table.num_rows)
    cells = [
        _cells(place, _joined(values_of(place.column, values)), numbers)
        for place, values in zip(columns, table.columns, strict=True)
    ]
    begin, middle, end, nothing = map(text_scalar, ('<row r="', '">', "</row>", ""))
    rows = pc.binary_join_element_wise(
        begin, numbers, middle, *cells, end, nothing, null_handling="replace", null_replacement=""
    )
    return _content(rows)


def _numbers(first: int, count: int) -> "pa.StringArray":
    import pyarrow as pa

    numbers = array("q", range(first, first + count))
    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(numbers)]).cast(pa.string())


def _joined(values: "pa.ChunkedArray") -> "pa.Array":
    import pyarrow as pa

    found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _content(rows: "pa.StringArray") -> memoryview:
    """Return the texts of an array that was just made, one behind the other."""
    _, ends, content = rows.buffers()
    (size,) = struct.unpack_from("=i", ends, 4 * len(rows))
    return memoryview(content)[:size]


def _cells(place: PlacedColumn, values: "pa.Array", numbers: "pa.StringArray") -> "pa.StringArray":
    """Return the cells of some values; none where one is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    match place.column.kind:
        case "text":
            return _text_cells(place, values, numbers)
        case "integer":
            return _number_cells(place, values.cast(pa.string()), numbers)
        case "float":
            return _float_cells(place, values, numbers)
        case "boolean":
            spelled = pc.if_else(values, text_scalar("1"), text_scalar("0"))
            return _number_cells(place, spelled, numbers, ' t="b"')
        case "date":
            return _day_cells(place, values, numbers)
        case "moment":
            return _moment_cells(place, values, numbers)


def _assemble(place: PlacedColumn, kind: str, values: "pa.StringArray", end: str, numbers: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc

    begin, middle = f'<c r="{place.letters}', f'" s="{place.style}"{kind}'
    pieces = text_scalar(begin), numbers, text_scalar(middle), values, text_scalar(end), text_scalar("")
    return pc.binary_join_element_wise(*pieces)


def _number_cells(
    place: PlacedColumn, values: "pa.StringArray", numbers: "pa.StringArray", kind: str = ""
) -> "pa.StringArray":
    return _assemble(place, f"{kind}><v>", values, "</v></c>", numbers)


def _text_cells(place: PlacedColumn, values: "pa.StringArray", numbers: "pa.StringArray") -> "pa.StringArray":
    begin = ' t="inlineStr"><is><t xml:space="preserve">'
    return _assemble(place, begin, _escaped(values), "</t></is></c>", numbers)


def _float_cells(place: PlacedColumn, values: "pa.DoubleArray", numbers: "pa.StringArray") -> "pa.StringArray":
    """Return floats; those that Excel does not have, such as infinity, as texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = values.cast(pa.string())
    size = pc.abs(values)
    inside = pc.and_(pc.greater_equal(size, _float(_SMALLEST)), pc.less_equal(size, _float(_LARGEST)))
    known = pc.or_(inside, pc.equal(size, _float(0.0)))
    return _where(known, _number_cells(place, texts, numbers), lambda: _text_cells(place, texts, numbers))


def _day_cells(place: PlacedColumn, values: "pa.Date32Array", numbers: "pa.StringArray") -> "pa.StringArray":
    """Return dates; those before 1900, which Excel does not have, as texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = _days_of_excel(pc.add(values.cast(pa.int32()).cast(pa.int64()), _integer(_FIRST_DAY)))
    cells = _number_cells(place, days.cast(pa.string()), numbers)
    return _where(_since_1900(days), cells, lambda: _text_cells(place, values.cast(pa.string()), numbers))


def _moment_cells(place: PlacedColumn, values: "pa.TimestampArray", numbers: "pa.StringArray") -> "pa.StringArray":
    """Return moments; those before 1900, which Excel does not have, as texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    milliseconds = values.cast(pa.timestamp("ms")).cast(pa.int64())
    since = pc.add(milliseconds, _integer(_FIRST_DAY * _DAY))
    whole = pc.divide(since, _integer(_DAY))
    rest = pc.subtract(since, pc.multiply(whole, _integer(_DAY)))
    days = _days_of_excel(whole)
    serial = pc.add(days.cast(pa.float64()), pc.divide(rest.cast(pa.float64()), _float(_DAY)))
    cells = _number_cells(place, serial.cast(pa.string()), numbers)
    return _where(_since_1900(days), cells, lambda: _text_cells(place, values.cast(pa.string()), numbers))


def _days_of_excel(days: "pa.Int64Array") -> "pa.Int64Array":
    import pyarrow.compute as pc

    early = pc.less(days, _integer(_MARCH_1900))
    return pc.if_else(early, pc.subtract(days, _integer(1)), days) if pc.any(early).as_py() else days


def _since_1900(days: "pa.Int64Array") -> "pa.BooleanArray":
    import pyarrow.compute as pc

    return pc.greater(days, _integer(0))


def _where(
    known: "pa.BooleanArray", cells: "pa.StringArray", others: Callable[[], "pa.StringArray"]
) -> "pa.StringArray":
    import pyarrow.compute as pc

    return cells if pc.all(known).as_py() is not False else pc.if_else(known, cells, others())


def _integer(value: int) -> "pa.Int64Scalar":
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(struct.pack("=q", value))])[0]


def _float(value: float) -> "pa.DoubleScalar":
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(struct.pack("=d", value))])[0]


def _escaped(values: "pa.StringArray") -> "pa.StringArray":
    """Return texts as they stand in XML."""
    import pyarrow.compute as pc

    if pc.any(pc.match_substring_regex(values, _MAY_NEED_ESCAPE)).as_py():
        return text_array([None if text is None else _escaped_text(text) for text in values.to_pylist()])
    for character, written in _ENTITIES.items():
        values = pc.replace_substring(values, character, written)
    return values


def _escaped_text(text: str) -> str:
    text = _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    for character, written in _ENTITIES.items():
        text = text.replace(character, written)
    return text
