"""The rows of a CSV export: exact, in constant memory, and as fast as Python goes.

The standard library's reader is not used: it cannot tell an empty field from a quoted empty one, its limit on the
length of a field holds for the whole process, and cutting lines at their quotes is faster.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import compress

from attrs import define, frozen

from ..errors import ExportFormatError
from .source import ExportSource

__all__ = ["Header", "csv_records", "csv_rows", "has_width", "read_header"]

_BLOCK_SIZE = 1 << 17
_MAX_HEADER_SIZE = 1 << 20
_MAX_ROW_SIZE = 1 << 28
"""How many bytes a row may have: a quote that nobody closes would otherwise take the rest of the file to memory."""
_DELIMITERS = ",;\t|"
_SAMPLE_SIZE, _SAMPLED_ROWS = 1 << 16, 50
"""From how many bytes, and how many rows, the delimiter is found out."""
_QUOTED = re.compile(rb'"[^"]*"')
_LINE_ENDS = "\r\n"

Record = list[str] | tuple[str | None, ...]
"""The cells of a row: a list where every empty text stands for nothing, a tuple where the cells are what they are."""
Lines = Iterator[tuple[int, bytes]]


@frozen
class Header:
    """The header of a CSV file.

    Attributes:
        names: The columns, in their order.
        delimiter: What stands between two fields.
        size: How many bytes it takes, with its line end and a byte order mark before it.
    """

    names: tuple[str, ...]
    delimiter: str
    size: int


def read_header(source: ExportSource) -> Header:
    """Take the header off a file, and find out what separates its fields."""
    try:
        header = _header(source)
    except UnicodeDecodeError as error:
        problem = f"is not in UTF-8: {error.reason}"
    except _UnfinishedError:
        problem = "does not end; is a quote in it never closed?"
    except _BrokenError as error:
        problem = str(error)
    else:
        source.reader.read(header.size - source.skipped)
        if len(set(header.names)) == len(header.names):
            return header
        twice = sorted({name for name in header.names if header.names.count(name) > 1})
        problem = f"names columns twice, so no row can be told by names: {', '.join(twice)}"
    raise ExportFormatError(f"{source.name}: the header {problem}", offset=source.skipped)


def csv_records(source: ExportSource, header: Header) -> Iterator[list[str | None]]:
    """Yield the cells of each row. An empty field is None, a quoted empty one is an empty text."""
    for record in _records(source, header):
        yield [cell or None for cell in record] if isinstance(record, list) else [*record]


def csv_rows(source: ExportSource) -> Iterator[dict[str, str | None]]:
    """Yield each row by the names of its columns."""
    header = read_header(source)
    names = header.names
    empty: dict[str, str | None] = dict.fromkeys(names)
    for record in _records(source, header):
        row = empty.copy()
        # A row that has all its names already is filled faster than one that grows.
        pairs = zip(names, record)  # noqa: B905 - they are as many; to have that checked again is dear
        row.update(compress(pairs, record) if isinstance(record, list) else pairs)
        yield row


def has_width(lines: list[bytes], header: Header) -> bool:
    """Return whether these lines together are one row with as many fields as the header."""
    following = enumerate(lines[1:])
    with suppress(_UnfinishedError, _BrokenError, UnicodeDecodeError):
        record = _quoted(lines[0].decode(), following, header.delimiter)
        return len(record) == len(header.names) and next(following, None) is None
    return False


@define
class _Position:
    """How far the reading has come; it is moved on at the end of each block, and where a row is broken.

    Attributes:
        name: The file.
        header: Its header.
        offset: Where the next row begins, in bytes.
        row: How many rows there were.
    """

    name: str
    header: Header
    offset: int
    row: int = 0

    def error(self, problem: str) -> ExportFormatError:
        """Return an error about the next row."""
        row = self.row + 1
        return ExportFormatError(
            f"{self.name}: row {row}, which begins at byte {self.offset}, {problem}", row=row, offset=self.offset
        )


class _UnfinishedError(Exception):
    """The lines end within a quoted field."""


class _BrokenError(Exception):
    """A record is not what it should be."""


def _header(source: ExportSource) -> Header:
    size = _BLOCK_SIZE
    while True:
        data = source.reader.peek(size)
        ended = len(data) < size
        lines = (data if ended else data[: _last_line_end(data)]).splitlines(keepends=True)
        delimiter = _delimiter(source.reader.peek(max(size, _SAMPLE_SIZE)))
        following = enumerate(lines)
        try:
            record = _quoted(_next(following), following, delimiter)
        except _UnfinishedError:
            if ended or size > _MAX_HEADER_SIZE:
                raise
            size *= 4
        else:
            taken = next(following, (len(lines),))[0]
            return Header(tuple(cell or "" for cell in record), delimiter, source.skipped + _size(lines[:taken]))


def _delimiter(data: bytes) -> str:
    """Return what separates the fields: of what stands in the header, what makes the most rows as long as it.

    Where several do, the comma goes first.
    """
    line = b"".join(_QUOTED.sub(b"", data).lstrip(b"\r\n").splitlines()[:1])
    present = [delimiter for delimiter in _DELIMITERS if delimiter.encode() in line]
    if len(present) < 2:
        return present[0] if present else _DELIMITERS[0]
    return max(present, key=lambda delimiter: _fitting_rows(data.splitlines(keepends=True), delimiter))


def _fitting_rows(lines: list[bytes], delimiter: str) -> int:
    """Return how many of the first rows have as many fields as the header."""
    following = enumerate(lines)
    widths: list[int] = []
    with suppress(_UnfinishedError, _BrokenError, UnicodeDecodeError):
        while len(widths) <= _SAMPLED_ROWS:
            line = _next(following)
            if line.strip(_LINE_ENDS) or not widths:
                widths.append(len(_quoted(line, following, delimiter)))
    return widths[1:].count(widths[0]) if widths else 0


def _records(source: ExportSource, header: Header) -> Iterator[Record]:
    position, rest = _Position(source.name, header, header.size), b""
    while True:
        wanted = max(_BLOCK_SIZE, len(rest))
        piece = source.reader.read(wanted)
        data = rest + piece if rest else piece
        ended = len(piece) < wanted
        begin = position.offset
        yield from _whole_records(data if ended else data[: _last_line_end(data)], position)
        rest = data[position.offset - begin :]
        if ended and rest:
            raise position.error("ends within quotes: the file is cut off")
        if len(rest) > _MAX_ROW_SIZE:
            raise position.error(f"has more than {_MAX_ROW_SIZE >> 20} MiB; is a quote in it never closed?")
        if ended:
            return


def _whole_records(data: bytes, position: _Position) -> Iterator[Record]:
    """Yield the records of some whole lines, and move the position to the first one that does not end in them."""
    lines = data.splitlines(keepends=True)
    delimiter, width = position.header.delimiter, len(position.header.names)
    row, following = position.row, enumerate(lines)
    record: Record
    for index, line in following:
        problem = ""
        try:
            text = line.decode()
            if '"' not in text:
                record = text.rstrip(_LINE_ENDS).split(delimiter)
            else:
                record = _regular(text, delimiter) or _quoted(text, following, delimiter)
        except _UnfinishedError:
            position.row, position.offset = row, position.offset + _size(lines[:index])
            return
        except UnicodeDecodeError as error:
            problem = f"is not in UTF-8: {error.reason}"
        except _BrokenError as error:
            problem = str(error)
        else:
            if len(record) == width:
                row += 1
                yield record
            elif not _blank(line):
                problem = f"has {len(record)} fields in place of {width}"
        if problem:
            position.row, position.offset = row, position.offset + _size(lines[:index])
            raise position.error(problem)
    position.row, position.offset = row, position.offset + len(data)


def _regular(line: str, delimiter: str) -> Record | None:
    """Cut a record at its quotes: the pieces are by turns outside and inside of quoted fields.

    This is the faster half of :func:`_quoted`. None where a quote stands anywhere but around a field or doubled in it.
    """
    pieces = line.split('"')
    end = len(pieces)
    cells = pieces[0].split(delimiter)
    if cells[-1] or not end % 2:
        return None
    empty: list[int] = []
    at = 1
    while at < end:
        value, outside = pieces[at], pieces[at + 1]
        at += 2
        while not outside and at < end:  # a doubled quote
            value += '"' + pieces[at]
            outside = pieces[at + 1]
            at += 2
        if not value:
            empty.append(len(cells) - 1)
        cells[-1] = value
        if at == end:
            outside = outside.rstrip(_LINE_ENDS)
        elif outside[-1] != delimiter:
            return None
        if outside:
            if outside[0] != delimiter:
                return None
            cells += outside[1:].split(delimiter)
    return _with_gaps(cells, empty) if empty else cells


def _quoted(line: str, following: Lines, delimiter: str) -> Record:
    """Cut any record at its quotes, taking the following lines that belong to it.

    A delimiter is put before it, so that every quoted field follows one.
    """
    cells: list[str] = []
    empty: list[int] = []
    pieces = (delimiter + line).split('"')
    outside, at = pieces[0], 1
    while at < len(pieces):
        if outside[-1] != delimiter:
            outside += '"' + pieces[at]  # within an unquoted field a quote is just a character
            at += 1
            continue
        if len(outside) > 1:
            cells += outside[1:-1].split(delimiter)
        value = pieces[at]
        if at + 1 == len(pieces) or not pieces[at + 1]:
            value, pieces, at = _long_value(pieces, at, following)
        if not value:
            empty.append(len(cells))
        cells.append(value)
        outside = pieces[at + 1]
        at += 2
        if outside[:1] != delimiter and outside.rstrip(_LINE_ENDS):
            raise _BrokenError(f"has {outside[0]!r} behind a closing quote, where {delimiter!r} should be")
    outside = outside.rstrip(_LINE_ENDS)
    if outside:
        cells += outside[1:].split(delimiter)
    return _with_gaps(cells, empty)


def _long_value(pieces: list[str], at: int, following: Lines) -> tuple[str, list[str], int]:
    """Read a quoted field that may have doubled quotes and line ends in it.

    Returns what it says, and the pieces of the line in which it ends, with the number of its last one.
    """
    value = [pieces[at]]
    while True:
        while at + 1 == len(pieces):  # the line ends within it
            pieces, at = _next(following).split('"'), 0
            value.append(pieces[0])
        if pieces[at + 1] or at + 2 == len(pieces):
            return "".join(value), pieces, at
        at += 2
        value.append('"' + pieces[at])  # a doubled quote


def _next(following: Lines) -> str:
    for _, line in following:
        return line.decode()
    raise _UnfinishedError


def _with_gaps(cells: list[str], quoted_empty: list[int]) -> tuple[str | None, ...]:
    """Return the cells with None for the empty ones, unless they were quoted."""
    filled = [cell or None for cell in cells]
    for index in quoted_empty:
        filled[index] = ""
    return tuple(filled)


def _blank(line: bytes) -> bool:
    return line in (b"\n", b"\r\n", b"\r")


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines))


def _last_line_end(data: bytes) -> int:
    """Return where the last whole line ends; a CR at the very end may be half of a line end."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
