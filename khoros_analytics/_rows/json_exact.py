"""The rows of a JSON array, one after the other: exact for every array there is, and sure of where one is damaged.

A buffer moves over the text. It doubles when a row does not fit, so that no part of a long row is looked at more often
than a few times.
"""

import codecs
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import NoReturn

from attrs import define, field, frozen

from ..errors import ExportFormatError
from .source import PeekableReader

__all__ = ["MAX_ROW_SIZE", "Row", "RowBlock", "decoder", "exact_blocks"]

MAX_ROW_SIZE = 1 << 28
"""How many bytes a row may have, so that a damaged file does not take all the memory."""
_CHUNK_SIZE = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_SURE_DIGITS = 15
"""So many digits of a number always survive in a float."""
_MAX_TOKEN_LENGTH = 16
"""A literal or an escape that is cut in two is taken for wrong at its beginning: so far from the end, at most."""

Row = dict[str, object]


@frozen
class RowBlock:
    """Some rows that follow upon one another.

    Attributes:
        first: The number of the first one, from 1 on.
        offset: Where it begins, in bytes, or the white space before it.
        rows: The rows.
    """

    first: int
    offset: int
    rows: list[Row]


def decoder(*, exact_decimals: bool) -> json.JSONDecoder:
    """Return what parses JSON as its standard says, so without NaN and Infinity.

    A number that no float can hold becomes a Decimal; with ``exact_decimals`` also one with a fraction or an exponent
    that has more than 15 significant digits.
    """
    return json.JSONDecoder(parse_float=_exact if exact_decimals else _in_range, parse_constant=_refuse)


def _in_range(text: str) -> float | Decimal:
    """Return a float, or a Decimal where that would be infinite, or zero where the number is not."""
    value = float(text)
    if value and not math.isinf(value):
        return value
    exact = _decimal(text)
    return value if exact == value else exact


def _exact(text: str) -> float | Decimal:
    if len(text) > _SURE_DIGITS + 1:  # one of them is a point or an E
        exact = _decimal(text)
        if len(exact.as_tuple().digits) > _SURE_DIGITS:
            return exact
    return _in_range(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:
        raise ValueError("the exponent of a number is beyond all bounds") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def exact_blocks(
    reader: PeekableReader, head: bytes, *, name: str, first: int, offset: int, exact_decimals: bool
) -> Iterator[RowBlock]:
    """Yield rows up to the end of the array.

    ``head`` comes before the reader's bytes and begins with a row, or with the end of an array without rows; ``first``
    is the number of that row and ``offset`` where it begins, in bytes.
    """
    buffer = _TextBuffer(reader, name, first, offset, head)
    rows: list[Row] = []
    problem = None
    try:
        for row in _rows(buffer, decoder(exact_decimals=exact_decimals)):
            rows.append(row)
            if buffer.at - buffer.taken >= _CHUNK_SIZE:
                yield RowBlock(buffer.row - len(rows), offset, rows)
                rows, offset = [], buffer.place()
                buffer.taken = buffer.at
    except ExportFormatError as error:
        problem = error
    if rows:
        yield RowBlock(buffer.row - len(rows), offset, rows)
    if problem:
        raise problem


@define
class _TextBuffer:
    """A part of the text.

    Attributes:
        reader: What follows upon it.
        name: What to call the file.
        row: The number of the row that comes next.
        offset: Where the text begins, in bytes.
        undecoded: Bytes that come before those of the reader.
        text: The text.
        at: How far it has been read.
        taken: How far it has been handed on.
        ended: Whether nothing follows upon it.
        fault: Why the bytes behind it are no text, if they are none.
    """

    reader: PeekableReader
    name: str
    row: int
    offset: int
    undecoded: bytes
    text: str = ""
    at: int = 0
    taken: int = 0
    ended: bool = False
    fault: str = ""
    _decoder: codecs.IncrementalDecoder = field(factory=codecs.getincrementaldecoder("utf-8"))

    def grow(self) -> None:
        """Drop what has been read, and read on: at least as much as is left."""
        rest = self.text[self.at :]
        if len(rest) > MAX_ROW_SIZE:
            raise self.error(f"has more than {MAX_ROW_SIZE >> 20} MiB", self.at)
        self.offset, self.taken = self.place(), self.taken - self.at
        wanted = max(_CHUNK_SIZE, len(rest))
        piece, self.undecoded = self.undecoded or self.reader.read(wanted), b""
        self.ended = not piece
        try:
            more = self._decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError as error:
            more, self.ended = error.object[: error.start].decode(), True
            self.fault = f"is not in UTF-8: {error.reason}"
        self.text, self.at = rest + more, 0

    def skip_space(self) -> str:
        """Move on to the next character that is not white space; return it, or nothing at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.grow()

    def place(self) -> int:
        """Return how far it has been read, in bytes of the file."""
        return self.offset + len(self.text[: self.at].encode())

    def error(self, problem: str, at: int) -> ExportFormatError:
        """Return an error about the next row."""
        offset = self.offset + len(self.text[:at].encode())
        if self.ended and at >= len(self.text):
            problem = self.fault or "is not whole: the file is cut off"
        where = f"{self.name}: row {self.row}, at byte {offset}"
        return ExportFormatError(f"{where}, {problem}", row=self.row, offset=offset)


def _rows(buffer: _TextBuffer, parser: json.JSONDecoder) -> Iterator[Row]:
    if buffer.skip_space() == "]" and buffer.row == 1:
        _check_end(buffer)
        return
    while True:
        yield _row(buffer, parser)
        mark = buffer.skip_space()
        if mark == "]":
            _check_end(buffer)
            return
        if mark != ",":
            raise buffer.error("has no comma before it", buffer.at)
        buffer.at += 1
        buffer.skip_space()


def _row(buffer: _TextBuffer, parser: json.JSONDecoder) -> Row:
    """Parse the row at which the buffer is, and move behind it."""
    if buffer.text[buffer.at : buffer.at + 1] != "{":
        raise buffer.error("is not a JSON object", buffer.at)
    while True:
        try:
            row, end = parser.raw_decode(buffer.text, buffer.at)
        except json.JSONDecodeError as error:
            if not buffer.ended and _may_go_on(error):
                buffer.grow()
                continue
            raise _damaged(buffer, error) from None
        except ValueError as error:
            raise buffer.error(f"cannot be read: {error}", buffer.at) from None
        except RecursionError:
            raise buffer.error("is nested too deep", buffer.at) from None
        buffer.row += 1
        buffer.at = end
        return row  # type: ignore[no-any-return] # it begins with a brace


def _may_go_on(error: json.JSONDecodeError) -> bool:
    """Tell whether more text could make it right: a text is open, or it went wrong at the very end."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc) - _MAX_TOKEN_LENGTH


def _damaged(buffer: _TextBuffer, error: json.JSONDecodeError) -> ExportFormatError:
    if error.msg.startswith("Unterminated string") or "}" not in error.doc[error.pos :]:
        return buffer.error(buffer.fault or "is not whole: the file is cut off", buffer.at)
    return buffer.error(f"is damaged at character {error.pos - buffer.at}: {error.msg}", buffer.at)


def _check_end(buffer: _TextBuffer) -> None:
    buffer.at += 1
    if buffer.skip_space() or buffer.fault:
        place = buffer.place()
        raise ExportFormatError(
            f"{buffer.name}: something follows upon the end of the array, at byte {place}", offset=place
        )
