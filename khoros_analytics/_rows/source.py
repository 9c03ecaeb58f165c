"""Opening an export's file: whatever it is packed in, what comes out is plain UTF-8, and whether it is CSV or JSON."""

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

from attrs import evolve, frozen

from ..errors import ExportFormatError, ParameterError

__all__ = ["ExportSource", "Format", "PeekableReader", "open_export", "problem_of", "unpacked"]

Format = Literal["csv", "json"]

_SNIFF_SIZE = 1 << 16
"""How many bytes are looked at to find out what a file is."""
_CHUNK_SIZE = 1 << 18
_GZIP = b"\x1f\x8b"
# Those of UTF-32 come first: one of them begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKUP = re.compile(
    rb"<(!--|(!doctype|\?xml|html|head|body|error|title)\b"
    # A column may be called so, too, but then a delimiter follows.
    rb"|(article|base|br|center|code|div|font|footer|form|frameset|h[1-6]|header|hr|iframe|img|li|link|main|meta|nav|ol|p"
    rb"|pre|response|script|section|soap:\w+|span|style|svg|table|ul)\b[^>]*>(?!\s*[,;|\t]))",
    re.IGNORECASE,
)
# What no header of a CSV file begins with: an object with a key or without any, an array of objects or an empty one.
_JSON = re.compile(rb'\{\s*["}]|\[\s*[\[{\]]')
_QUOTED_SIZE = 60
_REDACTED_SIZE = 32768  # much more than is quoted: a secret that was cut off is not known for one


class PeekableReader:
    """Bytes that can be read, and looked at before they are."""

    def __init__(self, fill: Callable[[int], bytes], fill_into: Callable[[memoryview], int] | None = None) -> None:
        self._fill = fill
        self._fill_into = fill_into
        self._held = b""

    def peek(self, size: int) -> bytes:
        """Return so many of the next bytes without taking them; fewer only at the end."""
        while len(self._held) < size and (piece := self._fill(size - len(self._held))):
            self._held += piece
        return self._held[:size]

    def read(self, size: int) -> bytes:
        """Return so many of the next bytes; fewer only at the end. Damaged packing is an ExportFormatError."""
        pieces, missing = [], size
        if self._held:
            pieces.append(self._held[:size])
            self._held = self._held[size:]
            missing -= len(pieces[0])
        while missing > 0 and (piece := self._fill(missing)):
            pieces.append(piece)
            missing -= len(piece)
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if missing < 0:
            self._held = content[size:]
        return content[:size]

    def readinto(self, target: memoryview) -> int:
        """Put the next bytes where they should be, and return how many they are: fewer than fit only at the end."""
        if not self._fill_into:
            content = self.read(len(target))
            target[: len(content)] = content
            return len(content)
        filled = min(len(self._held), len(target))
        target[:filled] = self._held[:filled]
        self._held = self._held[filled:]
        while filled < len(target) and (more := self._fill_into(target[filled:])):
            filled += more
        return filled


@frozen
class ExportSource:
    """What stands in an export's file, ready to be read from its first byte.

    Attributes:
        reader: Its bytes in UTF-8, without a byte order mark.
        format: What it is.
        name: What to call it in messages.
        skipped: How many bytes of a byte order mark stand before the first one.
        path: Where the same bytes stand in a file, with the mark; None where they had to be unpacked or turned first.
    """

    reader: PeekableReader
    format: Format
    name: str
    skipped: int
    path: Path | None = None


@contextmanager
def open_export(source: str | os.PathLike[str] | IO[bytes], format: Format | None = None) -> Iterator[ExportSource]:
    """Open a file or a stream: gzip is unpacked, a byte order mark skipped, UTF-16 and UTF-32 turned into UTF-8.

    The format is found out by the first bytes when not given. A stream stays open. What is empty, or a page of HTML or
    XML, is an ExportFormatError.
    """
    if format not in (None, "csv", "json"):
        raise ParameterError(f"format: {format!r} is none that can be read; give 'csv' or 'json', or leave it out")
    try:
        with _opened(source, format) as content:
            yield content
    except ExportFormatError as error:
        error.add_advice(_LOOK)
        raise


_LOOK = (
    "look at that place of the file with an editor (job.download() saves it as it came); if it is damaged, export it "
    "again with job.restart(), or by the same call with fresh=True"
)


@contextmanager
def _opened(source: str | os.PathLike[str] | IO[bytes], format: Format | None) -> Iterator[ExportSource]:
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        with path.open("rb", buffering=0) as file:
            reader = PeekableReader(lambda size: file.read(size) or b"", lambda memory: file.readinto(memory) or 0)
            content = _content(reader, path.name, format)
            again = content.reader is reader and path.is_file()  # a pipe can be read once only
            yield evolve(content, path=path if again else None)
    elif callable(getattr(source, "read", None)) and not isinstance(source, io.TextIOBase):
        yield _content(PeekableReader(lambda size: source.read(size) or b""), _name_of(source), format)
    else:
        what = "a stream of text" if isinstance(source, io.TextIOBase) else repr(source)
        raise ParameterError(f"{what} cannot be read as an export; give a path, or a stream opened in binary mode")


def _name_of(stream: IO[bytes]) -> str:
    name = getattr(stream, "name", None)
    return Path(name).name if isinstance(name, str) and name else "the stream"


def _content(
    reader: PeekableReader, name: str, format: Format | None, redact: Callable[[str], str] = str
) -> ExportSource:
    reader, skipped = unpacked(reader, name)
    head = reader.peek(_SNIFF_SIZE).lstrip(b" \t\r\n")
    if not head and len(reader.peek(_SNIFF_SIZE)) < _SNIFF_SIZE:
        raise ExportFormatError(f"{name} is empty: there is not even a header", offset=0)
    found = format or ("json" if head[:1] in (b"[", b"{") else "csv")
    if problem := _problem(head, found, redact):
        raise ExportFormatError(f"{name} {problem}", offset=0)
    return ExportSource(reader, found, name, skipped)


def problem_of(path: Path, format: Format | None, redact: Callable[[str], str] = str) -> str:
    """Return why a file that has just come is no export of that format, by its beginning; an empty text if it may be.

    A format of None is one that cannot be read here, and so not judged. ``redact`` masks what must not be quoted.
    """
    if format is None:
        return ""
    try:
        with path.open("rb", buffering=0) as file:
            _content(PeekableReader(lambda size: file.read(size) or b""), "it", format, redact)
    except ExportFormatError as error:
        return str(error)
    return ""


def unpacked(reader: PeekableReader, name: str) -> tuple[PeekableReader, int]:
    """Return a file's text in UTF-8, and how many bytes of a byte order mark were taken off it."""
    if reader.peek(2) == _GZIP:
        reader = _unzipped(reader, name)
    encoding = next((encoding for mark, encoding in _MARKS if reader.peek(4).startswith(mark)), None)
    if encoding:
        reader = _decoded(reader, encoding, name)
    skipped = 0
    if reader.peek(3) == codecs.BOM_UTF8:
        skipped = len(reader.read(3))
    return reader, skipped


def _problem(head: bytes, format: Format, redact: Callable[[str], str]) -> str:
    """Return why a file that begins so is not an export of that format; an empty text where it may be one."""
    if _MARKUP.match(head):
        return f"is a page of HTML or XML, not an export; it begins with {_excerpt(head, redact)}"
    if head.startswith(b"\0"):
        return "holds zeros in place of an export, as a disk or a network that failed leaves them"
    if format == "csv" and _JSON.match(head):
        return f"is JSON, where an export in CSV was expected; it begins with {_excerpt(head, redact)}"
    if format == "json" and head and not head.startswith(b"["):
        what = "a single JSON object" if head.startswith(b"{") else "not JSON"
        return f"is {what}, where an export is an array of rows; it begins with {_excerpt(head, redact)}"
    return ""


def _excerpt(head: bytes, redact: Callable[[str], str]) -> str:
    text = redact(head[:_REDACTED_SIZE].decode("utf-8", "replace"))
    return repr(text) if len(text) <= _QUOTED_SIZE else f"{text[:_QUOTED_SIZE]!r}..."


def _unzipped(packed: PeekableReader, name: str) -> PeekableReader:
    taken = 0
    file = gzip.GzipFile(fileobj=cast("IO[bytes]", packed), mode="rb")  # it only reads

    def fill(size: int) -> bytes:
        nonlocal taken
        try:
            piece: bytes = file.read1(max(size, _CHUNK_SIZE))
        except (EOFError, OSError, zlib.error) as error:
            raise ExportFormatError(
                f"{name}: its compression is damaged or cut off after {taken} bytes of text: {error}", offset=taken
            ) from error
        taken += len(piece)
        return piece

    return PeekableReader(fill)


def _decoded(raw: PeekableReader, encoding: str, name: str) -> PeekableReader:
    decoder = codecs.getincrementaldecoder(encoding)()
    taken = 0

    def fill(size: int) -> bytes:
        nonlocal taken
        text, ended = "", False
        while not text and not ended:
            piece = raw.read(max(size, _CHUNK_SIZE))
            ended = not piece
            try:
                text = decoder.decode(piece, final=ended)
            except UnicodeDecodeError as error:
                raise ExportFormatError(
                    f"{name} is not valid {encoding.upper()} after {taken} bytes of text: {error.reason}", offset=taken
                ) from error
        encoded = text.encode("utf-8")
        taken += len(encoded)
        return encoded

    return PeekableReader(fill)
