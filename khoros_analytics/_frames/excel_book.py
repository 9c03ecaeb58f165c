"""The workbook around the rows: XlsxWriter makes all of it but the cells, in memory, as it is small.

What it says of a sheet ends up before and behind the rows, which stream in between.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from zipfile import ZipFile

from attrs import field, frozen

from .excel_cells import PlacedColumn
from .excel_columns import Kind, SheetColumn, Workbook

__all__ = ["BlankBook", "BlankSheet", "blank_book"]

_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f\ufffe\uffff]")
_LONGEST_NAME = 31
_TEXT = 49
"""Excel's own number for its format Text."""
_BOOLEAN = '"TRUE";"TRUE";"FALSE"'
"""Excel needs no format for them; LibreOffice shows some as 1 and 0 without."""
_NUMBER_FORMATS: Mapping[Kind, str | int] = {
    "text": _TEXT,
    "integer": "0",
    "float": "General",
    "boolean": _BOOLEAN,
    "date": "yyyy-mm-dd",
}
_MOMENTS = "yyyy-mm-dd hh:mm:ss"


@frozen
class BlankSheet:
    """A sheet without its rows.

    Attributes:
        name: That of its part of the file.
        before: What stands before the rows.
        behind: What stands behind them.
        rows: How many there will be, without the header.
    """

    name: str
    before: bytes = field(repr=False)
    behind: bytes = field(repr=False)
    rows: int


@frozen
class BlankBook:
    """A workbook without its rows.

    Attributes:
        parts: The parts of the file that are no sheets, by their names.
        sheets: The sheets, in their order.
        columns: The columns, each with its styles.
    """

    parts: Mapping[str, bytes]
    sheets: Sequence[BlankSheet]
    columns: Sequence[PlacedColumn]


def blank_book(workbook: Workbook, title: str, about: str) -> BlankBook:
    """Make a workbook of which only the rows are missing."""
    with ZipFile(io.BytesIO(_written(workbook, title, about))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    numbered = {int(found[1]): name for name in parts if (found := _SHEET.fullmatch(name))}
    contents = [parts.pop(numbered[number]).decode() for number in sorted(numbered)]
    sheets = [
        _blank_sheet(numbered[number], content, rows, len(workbook.columns))
        for number, content, rows in zip(sorted(numbered), contents, workbook.sheets, strict=True)
    ]
    return BlankBook(parts, sheets, list(_placed(workbook.columns, contents[0])))


def _blank_sheet(name: str, content: str, rows: int, columns: int) -> BlankSheet:
    from xlsxwriter.utility import xl_range

    # XlsxWriter knows only the header. A blank cell in the last row would tell it, but cost memory for each row.
    area = xl_range(0, 0, rows, max(0, columns - 1))
    content = re.sub(r'<dimension ref="[^"]*"', f'<dimension ref="{area}"', content, count=1)
    before, _, rest = content.partition("<sheetData")
    behind = rest.partition("</sheetData>")[2] or rest.partition("/>")[2]
    return BlankSheet(name, f"{before}<sheetData>".encode(), f"</sheetData>{behind}".encode(), rows)


def _written(workbook: Workbook, title: str, about: str) -> bytes:
    """Return a workbook with blank cells for its header, and with all but the rows."""
    import xlsxwriter
    from xlsxwriter.utility import xl_range

    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        book.set_properties({"title": title, "comments": about})
        header = book.add_format({"bold": True, "bottom": 1})
        formats = [book.add_format({"num_format": _number_format(column)}) for column in workbook.columns]
        last = len(formats) - 1
        for name, rows in zip(_sheet_names(title, len(workbook.sheets)), workbook.sheets, strict=True):
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for index, (column, cells) in enumerate(zip(workbook.columns, formats, strict=True)):
                sheet.set_column(index, index, column.width, cells)
                sheet.write_blank(0, index, None, header)
            if formats:
                sheet.autofilter(0, 0, rows, last)
                sheet.ignore_errors({"number_stored_as_text": xl_range(0, 0, rows, last)})
    return target.getvalue()


def _number_format(column: SheetColumn) -> str | int:
    if column.kind == "moment":
        return f"{_MOMENTS}.000" if column.milliseconds else _MOMENTS
    return _NUMBER_FORMATS[column.kind]


def _placed(columns: Sequence[SheetColumn], content: str) -> Iterator[PlacedColumn]:
    """Yield the columns with the numbers that their styles have in a sheet."""
    from xlsxwriter.utility import xl_col_to_name

    header = re.search(r'<c r="[A-Z]+1" s="(\d+)"', content)
    styles = {}
    for tag in re.findall(r"<col [^>]*>", content):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        styles.update(dict.fromkeys(range(int(found["min"]), int(found["max"]) + 1), int(found.get("style", 0))))
    for index, column in enumerate(columns):
        yield PlacedColumn(column, xl_col_to_name(index), styles[index + 1], int(header[1]) if header else 0)


def _sheet_names(title: str, sheets: int) -> Iterator[str]:
    """Yield a name for each sheet, as Excel allows them."""
    title = _NO_SHEET_NAME.sub(" ", title).strip("' ")
    if title.casefold() == "history":  # Excel keeps this one for itself
        title += "_"
    for number in range(1, sheets + 1):
        suffix = f" {number}" if number > 1 else ""
        room = 2 * (_LONGEST_NAME - len(suffix))
        start = (title or "Export").encode("utf-16-le", "replace")[:room].decode("utf-16-le", "ignore")
        yield start.rstrip("' ") + suffix
