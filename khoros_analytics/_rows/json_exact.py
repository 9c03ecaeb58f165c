"""The rows of a JSON array, one after the other: exact for every array there is, and sure of where one is damaged.

A window moves over the text. It doubles when a row does not fit, so that no part of a long row is looked at more often
than a few times.
"""

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import NoReturn

from attrs import define, field, frozen

from ..errors import ExportFormatError
from .source import PeekableReader

__all__ = ["LONGEST_ROW", "RowBlock", "decoder", "window_blocks"]

LONGEST_ROW = 1 << 28
"""How many bytes a row may have, so that a damaged file does not take all the memory."""
_PIECE = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_SURE_DIGITS = 15
"""So many digits of a number always survive in a float."""
_LONGEST_TOKEN = 16
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

    Args:
        exact_decimals: Whether a number with a fraction or an exponent becomes a Decimal where it has more than 15
            significant digits.
    """
    return json.JSONDecoder(parse_float=_exact if exact_decimals else None, parse_constant=_refuse)


def _exact(text: str) -> float | Decimal:
    if len(text) <= _SURE_DIGITS + 1:  # one of them is a point or an E
        return float(text)
    try:
        exact = Decimal(text)
    except DecimalException:
        raise ValueError("the exponent of a number is beyond all bounds") from None
    return exact if len(exact.as_tuple().digits) > _SURE_DIGITS else float(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def window_blocks(
    reader: PeekableReader, head: bytes, *, name: str, first: int, offset: int, exact_decimals: bool
) -> Iterator[RowBlock]:
    """Yield rows up to the end of the array.

    Args:
        reader: What follows upon ``head``.
        head: The first bytes; they begin with a row, or with the end of an array without rows.
        name: What to call the file.
        first: The number of the first row.
        offset: Where the first byte is.
        exact_decimals: As for :func:`decoder`.

    Raises:
        ExportFormatError: The array is damaged, or something follows upon it; everything before that was yielded.
    """
    window = _Window(reader, name, first, offset, head)
    rows: list[Row] = []
    problem = None
    try:
        for row in _rows(window, decoder(exact_decimals=exact_decimals)):
            rows.append(row)
            if window.at - window.taken >= _PIECE:
                yield RowBlock(window.row - len(rows), offset, rows)
                rows, offset = [], window.place()
                window.taken = window.at
    except ExportFormatError as error:
        problem = error
    if rows:
        yield RowBlock(window.row - len(rows), offset, rows)
    if problem:
        raise problem


@define
class _Window:
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
        if len(rest) > LONGEST_ROW:
            raise self.error(f"has more than {LONGEST_ROW >> 20} MiB", self.at)
        self.offset, self.taken = self.place(), self.taken - self.at
        wanted = max(_PIECE, len(rest))
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
        """Return an error about the next row.

        Args:
            problem: What is wrong with it.
            at: Where, in the text.
        """
        offset = self.offset + len(self.text[:at].encode())
        if self.ended and at >= len(self.text):
            problem = self.fault or "is not whole: the file is cut off"
        where = f"{self.name}: row {self.row}, at byte {offset}"
        return ExportFormatError(f"{where}, {problem}", row=self.row, offset=offset)


def _rows(window: _Window, parser: json.JSONDecoder) -> Iterator[Row]:
    if window.skip_space() == "]" and window.row == 1:
        _check_end(window)
        return
    while True:
        yield _row(window, parser)
        mark = window.skip_space()
        if mark == "]":
            _check_end(window)
            return
        if mark != ",":
            raise window.error("has no comma before it", window.at)
        window.at += 1
        window.skip_space()


def _row(window: _Window, parser: json.JSONDecoder) -> Row:
    """Parse the row at which the window is, and move behind it."""
    if window.text[window.at : window.at + 1] != "{":
        raise window.error("is not a JSON object", window.at)
    while True:
        try:
            row, end = parser.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            if not window.ended and _may_go_on(error):
                window.grow()
                continue
            raise _damaged(window, error) from None
        except ValueError as error:
            raise window.error(f"cannot be read: {error}", window.at) from None
        except RecursionError:
            raise window.error("is nested too deep", window.at) from None
        window.row += 1
        window.at = end
        return row  # type: ignore[no-any-return] # it begins with a brace


def _may_go_on(error: json.JSONDecodeError) -> bool:
    """Tell whether more text could make it right: a text is open, or it went wrong at the very end."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc) - _LONGEST_TOKEN


def _damaged(window: _Window, error: json.JSONDecodeError) -> ExportFormatError:
    if error.msg.startswith("Unterminated string") or "}" not in error.doc[error.pos :]:
        return window.error(window.fault or "is not whole: the file is cut off", window.at)
    return window.error(f"is damaged at character {error.pos - window.at}: {error.msg}", window.at)


def _check_end(window: _Window) -> None:
    window.at += 1
    if window.skip_space() or window.fault:
        place = window.place()
        raise ExportFormatError(
            f"{window.name}: something follows upon the end of the array, at byte {place}", offset=place
        )
