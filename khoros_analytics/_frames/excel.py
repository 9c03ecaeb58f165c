"""Excel: an export as a workbook, whose cells are what they look like, written in constant memory."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

from attrs import evolve

from .._checks import as_flag, checked
from .._secrecy import Hidden
from .._storage.destination import Destination, open_destination
from .._version import __version__
from ..errors import ExportFormatError, ParameterError
from ..times import parse_zone
from .arrow_reader import ExportFile, Settled, grouped, settle, tables_of
from .column_types import TEXT, Types
from .excel_book import BlankBook, blank_book
from .excel_cells import header_xml, rows_xml
from .excel_columns import Workbook, measure
from .read import given_file, require, seekable
from .schema import arrow_schema
from .workers import behind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["open_workbook", "write_excel", "write_workbook"]

_COMPRESSION = 6
_TABLE_SIZE = 1 << 18
"""How many bytes become cells at once, in Arrow."""
_CELLS = 1 << 14
"""How many cells are made at once."""


@overload
def write_excel(
    source: str | os.PathLike[str],
    path: os.PathLike[str],
    *,
    overwrite: bool = ...,
    types: Types | None = ...,
    timezone: str | ZoneInfo | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> Path: ...
@overload
def write_excel(
    source: str | os.PathLike[str],
    path: str,
    *,
    overwrite: bool = ...,
    types: Types | None = ...,
    timezone: str | ZoneInfo | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> Path | str: ...
def write_excel(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    types: Types | None = None,
    timezone: str | ZoneInfo | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Path | str:
    """Write a downloaded export as a workbook of Excel, in constant memory. It is there whole, or not at all.

    Ids and other texts stay text, with every digit; numbers, booleans, dates and moments are real ones.

    Args:
        source: The file: CSV or JSON, also compressed with gzip.
        path: Where the workbook goes: a file whose name ends with ``.xlsx``, a folder in which it gets the name of the
            source, or a URL that fsspec knows, such as ``s3://bucket/file.xlsx``.
        overwrite: Whether another file that is there may be replaced.
        types: As for :func:`read_arrow`.
        timezone: An IANA name such as ``"Europe/Berlin"``, or a ``ZoneInfo``: moments that the file writes with an
            offset are shown by the clock of this zone. When not given, they are shown as the file writes them, and a
            column with several offsets stays text. Moments without an offset are always shown as they are.
        storage_options: What fsspec should know of the storage that the URL names, such as its credentials.

    Returns:
        The absolute path of the workbook, or the URL.

    Raises:
        TargetExistsError: Another file is there.
        TargetError: There is no such folder, the disk is full, or the storage does not take the file.
        ExportFormatError: The file is damaged or no export, a value is not of the type that was asked for, or Excel has
            no room for it: for more than 16,384 columns, or more than 32,767 characters in a cell.
        ParameterError: ``types`` names a column that is not there, or no type; there is no such time zone; the name of
            the workbook does not end with ``.xlsx``.
        FileNotFoundError: There is no such file.
        ImportError: XlsxWriter, pyarrow or fsspec is missing; the extras ``excel`` and ``fsspec`` install them.

    Example:
        >>> path = client.user("2019-02-01", "2019-02-02").download("users.csv")
        >>> write_excel(path, "users.xlsx").name
        'users.xlsx'
    """
    options = Hidden(storage_options)  # it may hold credentials, which a traceback with variables would show
    del storage_options
    require("excel")
    file = given_file(source, types)
    checked("overwrite", as_flag, overwrite)
    zone = None if timezone is None else checked("timezone", parse_zone, timezone).key
    title = _stem(file.path)
    destination = open_workbook(path, f"{title}.xlsx", overwrite=overwrite, storage_options=options.reveal())
    with seekable(evolve(file, zone=zone)) as readable:
        write_workbook(readable, destination, title, {"version": __version__})
    return destination.result()


def _stem(path: Path) -> str:
    """Return the name of an export's file without what says how it is written."""
    name = path.name.removesuffix(".gz")
    return name.removesuffix(".csv").removesuffix(".json") or "export"


def open_workbook(
    path: str | os.PathLike[str], default_name: str, *, overwrite: bool, storage_options: Mapping[str, Any] | None
) -> Destination:
    """Decide where a workbook goes, as for any file; a ParameterError for a name that Excel would not open."""
    destination = open_destination(path, default_name, overwrite=overwrite, storage_options=storage_options)
    name = Path(destination.path).name
    if not name.lower().endswith(".xlsx"):
        raise ParameterError(f"path: Excel would not open {name!r}; give a name that ends with .xlsx")
    return destination


def write_workbook(file: ExportFile, destination: Destination, title: str, about: Mapping[str, object]) -> None:
    """Write a file as a workbook; an ExportFormatError, before anything is written, where Excel has no room for it."""
    require("excel")
    settled = _settled(evolve(file, low_memory=True))
    book = blank_book(settled.result, title, json.dumps({"khoros_analytics": about}, default=str))
    with (
        destination.whole() as target,
        ZipFile(target, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as archive,
        closing(tables_of(settled.file, settled.types)) as tables,
    ):
        # Programs that tell files by their first bytes expect this part first.
        for name in sorted(book.parts, key=lambda name: name != "[Content_Types].xml"):
            with archive.open(name, "w") as part:
                part.write(book.parts[name])
        _write_sheets(archive, book, _pieces(arrow_schema(settled.types), tables, file.path.name))


def _settled(file: ExportFile) -> Settled[Workbook]:
    """Find out what goes into the workbook; columns that Excel would not hold as they are typed are read as text."""
    settled = settle(file, lambda schema, tables: measure(file, schema, tables))
    while settled.result.inexact:
        types = {name: TEXT if name in settled.result.inexact else known for name, known in settled.types.items()}
        with closing(tables_of(settled.file, types)) as tables:
            settled = evolve(settled, types=types, result=measure(file, arrow_schema(types), tables))
    return settled


def _pieces(schema: "pa.Schema", tables: Iterator["pa.Table"], file: str) -> Iterator["pa.Table"]:
    """Yield tables of at most so many cells; an error behind the last one."""
    rows = max(1, _CELLS // max(1, len(schema)))
    for table in grouped(schema, tables, _TABLE_SIZE):
        for start in range(0, table.num_rows, rows):
            yield table.slice(start, rows)
    raise ExportFormatError(f"{file} was changed by somebody else while it was read", advice="call again")


def _write_sheets(archive: ZipFile, book: BlankBook, pieces: Iterator["pa.Table"]) -> None:
    waiting: list[pa.Table] = []
    for sheet in book.sheets:
        with archive.open(sheet.name, "w") as part, behind(part.write) as write_later:
            write_later(sheet.before)
            write_later(header_xml(book.columns))
            first = 2
            for table in _taken(pieces, waiting, sheet.rows):
                write_later(rows_xml(book.columns, table, first))
                first += table.num_rows
            write_later(sheet.behind)


def _taken(pieces: Iterator["pa.Table"], waiting: list["pa.Table"], rows: int) -> Iterator["pa.Table"]:
    """Yield so many of the rows; what is left of a table waits for the next sheet."""
    while rows:
        table = waiting.pop() if waiting else next(pieces)
        if table.num_rows > rows:
            waiting.append(table.slice(rows))
            table = table.slice(0, rows)
        rows -= table.num_rows
        yield table
