"""CSV cut into pieces of whole rows, whose quotes stand only where quotes may stand.

Whether an LF ends a row shows by the number of quotes before it. With numpy the places of all quotes are found at once,
and whether they are right can be seen in another thread than the one that reads; without it the rows are cut at them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from attrs import frozen

from .._rows.source import PeekableReader

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Piece", "UnusualCsvError", "pieces_of"]

_MAX_ROW_SIZE = 1 << 26
_MOST_REST = 16
"""The part of a piece that a row which is not whole, and stands behind it, usually takes at most."""
_QUOTE = 34
_FIRST, _LAST = itemgetter(0), itemgetter(-1)


class UnusualCsvError(Exception):
    """A file is damaged, or written as few programs do: only the row-by-row route can read it, or say what is wrong."""


@frozen
class Piece:
    """Some whole rows.

    Attributes:
        rows: They, with their line ends.
        check: Raises an UnusualCsvError where a quote stands where none may stand; any thread may call it.
        free: Gives the memory of the rows back for others; then nobody may look at them any more.
    """

    rows: memoryview
    check: Callable[[], None]
    free: Callable[[], None]

    def is_blank(self) -> bool:
        """Return whether there are only line ends in it."""
        return self.rows[0] in b"\r\n" and not bytes(self.rows).strip(b"\r\n")


Cutter = Callable[[bytearray, int], tuple[int, Callable[[], None]]]
"""Returns where the last whole row ends of so many bytes of memory, and the check of those rows."""


def pieces_of(reader: PeekableReader, delimiter: str, size: int) -> Iterator[Piece]:
    """Yield a file in pieces of about so many bytes; an UnusualCsvError where no row ends.

    New memory is dear, so that of pieces which have been read is used again.
    """
    cut = _cutter(delimiter.encode())
    spare: deque[bytearray] = deque()
    rest, wanted = b"", size
    while True:
        memory = spare.pop() if spare else bytearray(size + size // _MOST_REST)
        if len(rest) + wanted > len(memory):
            memory = bytearray(len(rest) + wanted)
        filled = len(rest)
        memory[:filled] = rest
        read = reader.readinto(memoryview(memory)[filled : filled + wanted])
        if not read:
            break
        end, check = cut(memory, filled + read)
        if end:
            yield Piece(memoryview(memory)[:end], check, partial(spare.append, memory))
        elif filled + read > _MAX_ROW_SIZE:
            raise UnusualCsvError
        # Twice as much each time, so that a long row is not looked at again and again.
        rest, wanted = bytes(memoryview(memory)[end : filled + read]), size if end else filled + read
    if rest:
        # Without the line end, Arrow takes an empty last field behind a quoted one for quoted, too.
        last = bytearray(rest + b"\n")
        end, check = cut(last, len(last))
        if end < len(last):
            raise UnusualCsvError
        yield Piece(memoryview(last), check, lambda: None)


def _cutter(delimiter: bytes) -> Cutter:
    try:
        import numpy as np
    except ImportError:
        return lambda memory, size: _cut_at_quotes(memory, size, delimiter)
    edges = np.zeros(256, bool)
    edges[[*delimiter, *b"\r\n"]] = True
    return lambda memory, size: _cut(memory, size, edges)


def _cut(memory: bytearray, size: int, edges: "np.ndarray") -> tuple[int, Callable[[], None]]:
    import numpy as np

    content = np.frombuffer(memory, np.uint8, size)
    quotes = np.flatnonzero(content == _QUOTE)
    end = memory.rfind(b"\n", 0, size) + 1
    before = int(quotes.searchsorted(end))
    while before % 2:  # this LF stands behind the last quote, and so within the field that it opens
        end = memory.rfind(b"\n", 0, int(quotes[before - 1])) + 1
        before = int(quotes.searchsorted(end))
    return end, lambda: _check_edges(content[:end], quotes[:before], edges)


def _check_edges(content: "np.ndarray", quotes: "np.ndarray", edges: "np.ndarray") -> None:
    """Raise an UnusualCsvError unless each quoted field begins behind a delimiter or line end, and ends before one.

    The quotes by turns open and close; where one opens right behind one that closes, the two are a doubled quote.
    """
    if not len(quotes):
        return
    opening, closing = quotes[::2], quotes[1::2]
    begins = edges[content[opening - 1]]
    begins[0] |= opening[0] == 0
    ends = edges[content[closing + 1]]  # behind the last one there is at least the line end
    if begins.all() and ends.all():
        return
    doubled = opening[1:] - closing[:-1] == 1
    begins[1:] |= doubled
    ends[:-1] |= doubled
    if not (begins.all() and ends.all()):
        raise UnusualCsvError


def _cut_at_quotes(memory: bytearray, size: int, delimiter: bytes) -> tuple[int, Callable[[], None]]:
    """Return the same as with numpy; here everything is checked at once."""
    end = memory.rfind(b"\n", 0, size) + 1
    parts = bytes(memoryview(memory)[:end]).split(b'"')
    if len(parts) % 2 == 0:
        quotes = len(parts) - 1
        while quotes % 2:
            before = memory.rfind(b"\n", 0, end - 1) + 1
            quotes -= memory.count(b'"', before, end)
            end = before
        parts = bytes(memoryview(memory)[:end]).split(b'"')
    _check_parts(parts, delimiter)
    return end, lambda: None


def _check_parts(parts: Sequence[bytes], delimiter: bytes) -> None:
    """Raise an UnusualCsvError unless each quoted field begins behind a delimiter or line end, and ends before one.

    ``parts`` is what stands between the quotes, by turns outside and inside of a field; nothing at all outside is a
    doubled quote.
    """
    outside = [b"\n" + parts[0], *filter(None, parts[2:-1:2]), parts[-1] + b"\n"]
    edges = {*delimiter, *b"\r\n"}
    # A list's slices and C's own loops: this looks at every quote of a file.
    if len(parts) > 1 and not ({*map(_LAST, outside[:-1])} <= edges and {*map(_FIRST, outside[1:])} <= edges):
        raise UnusualCsvError
