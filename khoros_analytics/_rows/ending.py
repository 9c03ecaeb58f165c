"""Whether a file ends where an export does, for files of which nothing else tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from attrs import define

from ..errors import ExportFormatError
from .csv_reader import csv_records, has_width, read_header
from .json_reader import edge_of, last_edge
from .source import ExportSource, Format, PeekableReader, unpacked

__all__ = ["Ending", "ending_of"]

Ending = Literal["closed", "possible", "open"]
"""Whether it is certain that no more belongs to a file, or possible, or certain that something is missing.

What reads as missing may yet be all there is: nothing makes a CSV file end its last line.
"""

_CHUNK_SIZE = 1 << 20
_TAIL_SIZE = 1 << 16
_LINE_ENDS = (b"\n", b"\r")
_SQUARE = (b"[", b"]")


def ending_of(path: Path, format: Format | None) -> Ending:
    """Judge a file by its content: gzip by its trailer, JSON by its last bracket, CSV by its quotes and last line."""
    try:
        with _opened(path) as (reader, packed, skipped):
            head = reader.peek(_TAIL_SIZE).lstrip(b" \t\r\n")
            if head[:1] in (b"[", b"{"):
                return "closed" if _is_closed(reader) else "open"
            if packed or format != "csv":
                for _ in _chunks(reader):
                    pass
                return "closed" if packed else "possible"
            return "possible" if _lines_end(ExportSource(reader, "csv", path.name, skipped), head, path) else "open"
    except ExportFormatError:
        return "open"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[PeekableReader, bool, int]]:
    with path.open("rb", buffering=0) as file:
        raw = PeekableReader(lambda size: file.read(size) or b"")
        packed = raw.peek(2) == b"\x1f\x8b"
        reader, skipped = unpacked(raw, path.name)
        yield reader, packed, skipped


def _chunks(reader: PeekableReader) -> Iterator[bytes]:
    while chunk := reader.read(_CHUNK_SIZE):
        yield chunk


def _is_closed(reader: PeekableReader) -> bool:
    """Return whether every bracket outside of texts is closed at the end of a JSON file.

    Between two edges of rows with no square bracket between them, no array begins or ends, so the second one lies as
    deep as the first: most of a file need not be looked at more closely.
    """
    brackets, edge = _Brackets(), edge_of(reader.peek(_TAIL_SIZE))
    rest, at_edge, size = b"", False, _TAIL_SIZE  # what comes before the first edge is short
    while chunk := reader.read(size):
        text, size = rest + chunk, _CHUNK_SIZE
        end = last_edge(text, edge) if edge else 0
        begin = end + len(edge) - 3 if end else len(text)  # where the last row's brace is
        if at_edge and end:
            _count_rows(brackets, text, begin, edge)
        else:
            brackets.count(text[:begin])
        rest, at_edge = text[begin:], end > 0
    brackets.count(rest)
    return brackets.are_closed()


def _count_rows(brackets: "_Brackets", text: bytes, end: int, edge: bytes) -> None:
    """Count the brackets of those rows up to an edge that have square ones; the first of them begins at an edge."""
    rows, at = [], 0
    places = [text.find(mark, 0, end) for mark in _SQUARE]
    while (found := min((place for place in places if place >= 0), default=-1)) >= 0:
        before = last_edge(text, edge, at, found)
        begin = before + len(edge) - 3 if before else at
        at = _next_row(text, found, end, edge)
        rows.append(text[begin:at])
        places = [
            text.find(mark, at, end) if 0 <= place < at else place for mark, place in zip(_SQUARE, places, strict=True)
        ]
    if rows:
        brackets.count(b"".join(rows))


def _next_row(text: bytes, at: int, end: int, edge: bytes) -> int:
    """Return where the next row begins that surely does, or the end."""
    while (at := text.find(edge, at, end)) >= 0:
        if last_edge(text, edge, at, at + len(edge) + 1):
            return at + len(edge) - 2
        at += 1
    return end


@define
class _Brackets:
    """How deep a JSON text is at the end of what has been counted, and whether it is inside of a text there."""

    depth: int = 0
    inside: bool = False
    held: bytes = b""

    def count(self, piece: bytes) -> None:
        """Go on with a piece of the text."""
        chunk = self.held + piece
        self.held = b"\\" if (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 else b""
        if b"\\" in chunk:
            chunk = chunk.removesuffix(self.held).replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = chunk.split(b'"')
        outside = b"".join(parts[self.inside :: 2])
        self.inside = (self.inside + len(parts) - 1) % 2 > 0
        self.depth += outside.count(b"[") + outside.count(b"{") - outside.count(b"]") - outside.count(b"}")

    def are_closed(self) -> bool:
        """Return whether all that was opened is closed."""
        return self.depth == 0 and not self.inside


def _lines_end(source: ExportSource, head: bytes, path: Path) -> bool:
    """Return whether the last line ends, outside of quotes, and has as many fields as the header."""
    try:
        header = read_header(source)
    except ExportFormatError:
        return head.endswith(_LINE_ENDS)
    quotes, tail = 0, b""
    for chunk in _chunks(source.reader):
        quotes += chunk.count(b'"')
        tail = (tail[-_TAIL_SIZE:] + chunk)[-_TAIL_SIZE:]
    if not (tail or head).endswith(_LINE_ENDS):
        return False
    row = _last_row(tail.rstrip(b"\r\n"))
    if quotes % 2 == 0 and (not row or has_width(row, header)):
        return True
    return quotes > 0 and _reads_whole(path)


def _last_row(tail: bytes) -> list[bytes]:
    """Return the lines of the last row: as many as have an even number of quotes, since a row ends outside of them."""
    lines, quotes = tail.splitlines(keepends=True), 0
    for number in reversed(range(len(lines))):
        quotes += lines[number].count(b'"')
        if quotes % 2 == 0:
            return lines[number:]
    return lines


def _reads_whole(path: Path) -> bool:
    """Return whether the reader gets to the end: a line alone tells little where quotes hold line ends."""
    try:
        with _opened(path) as (reader, _, skipped):
            source = ExportSource(reader, "csv", path.name, skipped)
            for _record in csv_records(source, read_header(source)):
                pass
    except ExportFormatError as error:
        return _is_within(path, error.offset or 0)
    return True


def _is_within(path: Path, offset: int) -> bool:
    """Return whether a row that cannot be read has others behind it, so that it is not the end that is missing."""
    with path.open("rb") as file:
        file.seek(offset)
        return b'"' not in (rest := file.read(_TAIL_SIZE)) and len(rest.splitlines()) > 1
