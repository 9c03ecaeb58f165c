"""The rows of a CSV export: exact, in constant memory, and as fast as Python goes.

The standard library's reader is not used: it cannot tell an empty field from a quoted empty one, its limit on the
length of a field holds for the whole process, and cutting lines at their quotes is faster.
"""

import io
import re
from collections.abc import Iterator, Sequence

from attrs import define, frozen

from ._opening import Content
from .errors import ExportFormatError

__all__ = ["Header", "csv_records", "csv_rows", "read_header"]

_BLOCK = 1 << 17
_LONGEST_HEADER = 1 << 22
_LONGEST_ROW = 1 << 28
"""How many bytes a row may have: a quote that nobody closes would otherwise take the rest of the file to memory."""
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(r"[\r\n]")
_LINE_ENDS = "\r\n"

Cells = Sequence[str | None]


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


def read_header(content: Content) -> Header:
    """Take the header off a file, and find out what separates its fields.

    Args:
        content: The file, at its beginning.

    Raises:
        ExportFormatError: It is cut off, not in UTF-8, or names a column twice.
    """
    names, delimiter, size = _first_record(content)
    try:
        content.reader.read(size).decode()
    except UnicodeDecodeError as error:
        raise ExportFormatError(
            f"{content.name}: the header is not in UTF-8: {error.reason}", offset=content.skipped + error.start
        ) from None
    decoded = tuple((name or "").encode("latin-1").decode() for name in names)
    if twice := sorted({name for name in decoded if decoded.count(name) > 1}):
        raise ExportFormatError(
            f"{content.name} has columns of the same name, so no row can be told by names: {', '.join(twice)}", offset=0
        )
    return Header(decoded, delimiter, content.skipped + size)


def csv_records(content: Content, header: Header) -> Iterator[Cells]:
    """Yield the cells of each row. An empty field is None, a quoted empty one is an empty text.

    Args:
        content: The file, behind its header.
        header: The header.

    Raises:
        ExportFormatError: A row is broken; everything before it has been yielded.
    """
    place, rest = _Place(content.name, header, header.size), b""
    while True:
        wanted = max(_BLOCK, len(rest))
        piece = content.reader.read(wanted)
        data = rest + piece if rest else piece
        ended = len(piece) < wanted
        text, size, problem = _decoded(data if ended else data[: _last_line_end(data)])
        place.offset = place.begin + size
        yield from _records(text, place)
        rest = data[place.offset - place.begin :]
        if problem or (ended and rest):
            raise place.error(problem or "ends within quotes: the file is cut off")
        if len(rest) > _LONGEST_ROW:
            raise place.error(f"has more than {_LONGEST_ROW >> 20} MiB; is a quote in it never closed?")
        if ended:
            return
        place.begin = place.offset


def csv_rows(content: Content) -> Iterator[dict[str, str | None]]:
    """Yield each row by the names of its columns.

    Args:
        content: The file, at its beginning.

    Raises:
        ExportFormatError: The header or a row is broken; everything before it has been yielded.
    """
    header = read_header(content)
    names = header.names
    for cells in csv_records(content, header):
        yield dict(zip(names, cells, strict=True))


@define
class _Place:
    """How far the reading has come.

    Attributes:
        name: The file.
        header: Its header.
        begin: Where the block begins, in bytes.
        offset: Where the block ends or, as soon as that is known, where the row begins that is not whole.
        row: How many rows there were before the block, and at its end with it.
    """

    name: str
    header: Header
    begin: int
    offset: int = 0
    row: int = 0

    def error(self, problem: str) -> ExportFormatError:
        """Return an error about the next row.

        Args:
            problem: What it does.
        """
        row = self.row + 1
        return ExportFormatError(
            f"{self.name}: row {row}, at byte {self.offset}, {problem}", row=row, offset=self.offset
        )


class _UnfinishedError(Exception):
    """The text ends within a quoted field."""


class _BrokenError(Exception):
    """A row is not what it should be."""


def _first_record(content: Content) -> tuple[Cells, str, int]:
    """Look at the first record: its cells, its delimiter, its length.

    It is read as Latin-1, in which each byte is a character and all that CSV is made of the same as in UTF-8.
    """
    size = _BLOCK
    while True:
        data = content.reader.peek(size)
        ended = len(data) < size
        text = (data if ended else data[: _last_line_end(data)]).decode("latin-1")
        lines, end = _lines(text)
        delimiter = _delimiter(text)
        following = enumerate(lines)
        try:
            if lines:
                cells = _cells(next(following)[1], following, end, delimiter)
                taken = next(following, (len(lines),))[0]
                return cells, delimiter, min(len(text), _size(lines[:taken], end))
        except _UnfinishedError:
            pass
        except _BrokenError as error:
            raise ExportFormatError(f"{content.name}: the header {error}", offset=content.skipped) from None
        if ended or size > _LONGEST_HEADER:
            raise ExportFormatError(
                f"{content.name}: the header does not end; is a quote in it never closed?", offset=content.skipped
            )
        size *= 4


def _delimiter(text: str) -> str:
    """Return what separates the fields of a header; a comma where nothing does."""
    line = _LINE_END.split(_QUOTED.sub("", text), maxsplit=1)[0]
    return max(_DELIMITERS, key=line.count)


def _records(text: str, place: _Place) -> Iterator[Cells]:
    """Yield the records of a text that ends with a line, and move the place to the first row that is unfinished."""
    lines, end = _lines(text)
    delimiter, width = place.header.delimiter, len(place.header.names)
    row, following = place.row, enumerate(lines)
    for index, line in following:
        try:
            cells = _cells(line, following, end, delimiter)
        except _UnfinishedError:
            place.offset = place.begin + _size(lines[:index], end)
            break
        except _BrokenError as error:
            problem = str(error)
        else:
            if len(cells) == width:
                row += 1
                yield cells
                continue
            if cells == [None]:
                continue  # an empty line
            problem = f"has {len(cells)} fields in place of {width}"
        place.row, place.offset = row, place.begin + _size(lines[:index], end)
        raise place.error(problem)
    place.row = row


def _cells(line: str, following: Iterator[tuple[int, str]], end: str, delimiter: str) -> Cells:
    """Cut a record into its cells.

    Args:
        line: Its first line.
        following: The numbered lines after it, of which it takes those that belong to it.
        end: What was taken off the end of each line.
        delimiter: What stands between two fields.
    """
    quoted_empty: Sequence[int] = ()
    if '"' in line:
        cells, quoted_empty = _quoted(line, following, end, delimiter)
    else:
        cells = line.rstrip(_LINE_ENDS).split(delimiter)
    if "" not in cells:
        return cells
    filled = [cell or None for cell in cells]
    for index in quoted_empty:
        filled[index] = ""
    return filled


def _quoted(line: str, following: Iterator[tuple[int, str]], end: str, delimiter: str) -> tuple[list[str], list[int]]:
    """Cut a record at its quotes: the pieces are by turns outside and inside of quoted fields.

    A delimiter is put before it, so that every quoted field follows upon one.

    Returns:
        The cells, and which of them are quoted and empty.
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
        value, pieces, at = _value(pieces, at, following, end)
        if not value:
            empty.append(len(cells))
        cells.append(value)
        outside = pieces[at]
        at += 1
        if outside[:1] != delimiter and outside.rstrip(_LINE_ENDS):
            raise _BrokenError(f"has {outside[0]!r} behind a closing quote, where {delimiter!r} should be")
    outside = outside.rstrip(_LINE_ENDS)
    if outside:
        cells += outside[1:].split(delimiter)
    return cells, empty


def _value(pieces: list[str], at: int, following: Iterator[tuple[int, str]], end: str) -> tuple[str, list[str], int]:
    """Read a quoted field from its first piece on.

    Returns:
        What it says, and the pieces of the line in which it ends, with the number of the one behind it.
    """
    value = pieces[at]
    while True:
        while at == len(pieces) - 1:  # the line ends within it
            _, more = next(following, (0, None))
            if more is None:
                raise _UnfinishedError
            pieces, at = more.split('"'), 0
            value += end + pieces[0]
        at += 1
        if pieces[at] or at == len(pieces) - 1:
            return value, pieces, at
        at += 1
        value += '"' + pieces[at]  # a doubled quote


def _lines(text: str) -> tuple[list[str], str]:
    """Cut a text into its lines; return also what was taken off the end of each."""
    if text.count("\r") != text.count("\r\n"):
        return list(io.StringIO(text, newline="")), ""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines, "\n"


def _decoded(data: bytes) -> tuple[str, int, str]:
    """Decode whole lines; those up to the first that is not in UTF-8.

    Returns:
        The text, its length in bytes, and what is wrong behind it.
    """
    try:
        return data.decode(), len(data), ""
    except UnicodeDecodeError as error:
        size = _last_line_end(data[: error.start])
        problem = f"is not in UTF-8, {error.start - size} bytes into its line: {error.reason}"
        return data[:size].decode(), size, problem


def _size(lines: Sequence[str], end: str) -> int:
    return sum(len(line.encode()) + len(end) for line in lines)


def _last_line_end(data: bytes) -> int:
    """Return where the last whole line ends; a CR at the very end may be half of a line end."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
