"""JSON exports, block by block: an array of rows is cut where one row surely ends, and each block is parsed at once.

The bytes ``},{"`` with none of ``,:}]`` or white space behind them can only be the edge of two objects: within a text,
the quote would end it, and one of those would follow. In an array of flat objects that is the edge of two rows. Where
rows hold arrays of objects, a cut may fall inside of a row; but then a bracket stays open in the block, which so cannot
be parsed, and the exact way takes over from there.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from ..errors import ExportFormatError
from .json_exact import Row, RowBlock, decoder, exact_blocks
from .source import ExportSource, PeekableReader

__all__ = [
    "DamagedBlockError",
    "RowBlock",
    "TextBlock",
    "edge_of",
    "json_blocks",
    "json_rows",
    "last_edge",
    "rows_of",
    "text_blocks",
]

_BLOCK_SIZE = 1 << 16
"""How many bytes are parsed at once: the parser is fastest while all of it stays in the processor's cache."""
_MAX_BLOCK_SIZE = 1 << 20
"""Where no row has ended after so many bytes, the exact way takes over."""
_SPACE = b" \t\r\n"
_EDGE = re.compile(rb'\}([ \t\r\n]*,[ \t\r\n]*)\{"')
_NO_EDGE = frozenset(b",:}] \t\r\n")

# In this shape of a block a run of zeros is a run of digits, or of digits behind a minus.
_SHAPE = bytes.maketrans(b"123456789-E", b"0000000000e")
_LONG_INTEGERS = (b"0" * 20,)
"""What every integer beyond 64 bits holds; up to that, orjson keeps integers exact, and makes floats of the others."""
_LONG_DECIMALS = (b"." + b"0" * 9, b"0" * 8 + b".", b"0" * 16 + b"e")
"""One of these is in every number with a fraction or an exponent that has 16 digits or more."""
_LARGE_EXPONENTS = (b"e000", b"e+000")
"""One of these is in every number that no float holds. Many ids have them, too, so a closer look has to follow."""
_LARGE_EXPONENT = re.compile(rb"[:,\[\s]-?[0-9.]+[eE][+-]?[0-9]{3}")

Parse = Callable[[bytes], list[Row]]


class DamagedBlockError(Exception):
    """A block cannot be parsed: the file is damaged, or the block was cut within a row."""


@frozen
class TextBlock:
    """The text of whole rows that follow upon one another.

    Attributes:
        text: The text, from the first row's brace to the last one's.
        edge: What stands between two rows, with the brace before it and the brace and quote after it. It may also
            stand elsewhere in a row, and something else between two rows.
        is_last: Whether it is the last row of the file instead, and what follows upon it up to the end.
    """

    text: bytes
    edge: bytes = b""
    is_last: bool = False


def json_blocks(source: ExportSource, *, exact_decimals: bool = False) -> Iterator[RowBlock]:
    """Yield the rows of a JSON array of objects, in constant memory. Of a field that a row has twice, the last counts.

    With ``exact_decimals`` a number of more than 15 digits with a fraction or an exponent becomes a Decimal. Where the
    file is damaged, every row before that is yielded, then an ExportFormatError raised.
    """
    reader, parse = source.reader, _parser(exact_decimals=exact_decimals)
    head = _after_opening(source)
    offset, first = source.skipped + head, 1
    data = b""
    edge = edge_of(reader.peek(_BLOCK_SIZE))
    while edge and len(data) <= _MAX_BLOCK_SIZE and len(piece := reader.read(max(_BLOCK_SIZE, len(data)))) > 0:
        data += piece
        end = last_edge(data, edge)
        if not end:
            continue
        try:
            rows = parse(b"[" + data[:end] + b"]")
        except (ValueError, RecursionError):
            break
        if {*map(type, rows)} != {dict}:
            break  # an element between rows is none; the exact way says which
        yield RowBlock(first, offset, rows)
        after = end + len(edge) - 3
        first, offset, data = first + len(rows), offset + after, data[after:]
    yield from exact_blocks(reader, data, name=source.name, first=first, offset=offset, exact_decimals=exact_decimals)


def text_blocks(source: ExportSource, size: int) -> Iterator[TextBlock]:
    """Yield the text of whole rows, in blocks of about so many bytes, in constant memory.

    What is not written as usual is a DamagedBlockError: ``json_blocks`` reads it, or says where it is damaged.
    """
    reader = source.reader
    _after_opening(source)
    edge = edge_of(reader.peek(_BLOCK_SIZE))
    if not edge:
        raise DamagedBlockError
    data = b""
    while piece := reader.read(max(size, len(data))):
        data += piece
        if end := last_edge(data, edge):
            yield TextBlock(data[:end], edge)
            data = data[end + len(edge) - 3 :]
        elif len(data) > size + _MAX_BLOCK_SIZE:
            raise DamagedBlockError
    yield TextBlock(data, is_last=True)


def rows_of(block: TextBlock) -> list[Row]:
    """Parse a block as ``json_blocks`` does with exact decimals."""
    if block.is_last:
        ended = PeekableReader(lambda _size: b"")
        # The second row: an array that ends before its first one has none, which is right only where nothing precedes.
        rows = exact_blocks(ended, block.text, name="", first=2, offset=0, exact_decimals=True)
        try:
            return [row for part in rows for row in part.rows]
        except ExportFormatError:
            raise DamagedBlockError from None
    try:
        parsed = _parser(exact_decimals=True)(b"[" + block.text + b"]")
    except (ValueError, RecursionError):
        raise DamagedBlockError from None
    if {*map(type, parsed)} != {dict}:
        raise DamagedBlockError
    return parsed


def json_rows(source: ExportSource) -> Iterator[dict[str, object]]:
    """Yield the rows of a JSON array of objects, one by one."""
    for block in json_blocks(source):
        yield from block.rows


def _after_opening(source: ExportSource) -> int:
    """Read up to the first row and return how many bytes that were; an ExportFormatError where no array begins."""
    size = _skip_space(source.reader)
    if source.reader.read(1) != b"[":
        raise ExportFormatError(f"{source.name} is not an array of rows, as an export is", offset=source.skipped)
    return size + 1 + _skip_space(source.reader)


def _skip_space(reader: PeekableReader) -> int:
    """Read white space; return how many bytes it was."""
    size = 0
    while (piece := reader.peek(_BLOCK_SIZE)) and piece[0] in _SPACE:
        size += len(reader.read(len(piece) - len(piece.lstrip(_SPACE))))
    return size


def edge_of(text: bytes) -> bytes:
    """Return what stands between the first two rows, with the brace before it and the brace and quote after it."""
    found = _EDGE.search(text)
    return found[0] if found else b""


def last_edge(data: bytes, edge: bytes, begin: int = 0, end: int | None = None) -> int:
    """Return where the last row ends within some bytes that another one surely follows there; 0 where there is none."""
    end = len(data) if end is None else end
    at = data.rfind(edge, begin, end)
    while at >= 0 and (at + len(edge) >= end or data[at + len(edge)] in _NO_EDGE):
        at = data.rfind(edge, begin, at)
    return at + 1


def _parser(*, exact_decimals: bool) -> Parse:
    """Return what parses a block: orjson where it is installed and keeps every number, else the standard library."""
    decode = decoder(exact_decimals=exact_decimals).decode

    def parse_exactly(block: bytes) -> Any:
        return decode(block.decode())

    try:
        import orjson
    except ImportError:
        return parse_exactly
    risks = _LONG_INTEGERS + (_LONG_DECIMALS if exact_decimals else ())

    def parse(block: bytes) -> Any:
        shape = block.translate(_SHAPE)
        risky = any(risk in shape for risk in risks) or (
            any(risk in shape for risk in _LARGE_EXPONENTS) and _LARGE_EXPONENT.search(block)
        )
        return parse_exactly(block) if risky else orjson.loads(block)

    return parse
