"""Where a body ends: decided from the whole header block, before a byte of the body is read (RFC 9112, section 6)."""

import http
import http.client
import re
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NoReturn, cast

from attrs import frozen

__all__ = ["Framing", "FramingError", "StrictResponse", "framing_of"]

_BLANKS = " \t"
_LENGTH = re.compile(r"[0-9]{1,18}")
_FOLD = re.compile(r"\r?\n[ \t]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_MAX_LINE = 65536
_MAX_INTERIM = 20
_WITHOUT_BODY = (204, 304)


class FramingError(http.client.HTTPException):
    """Nobody can say where the body of this answer ends."""


@frozen
class Framing:
    """What announces the end of a body: its last chunk, its length in bytes, or nothing but the connection's end.

    ``foreign`` is a body that came from elsewhere than a connection, such as a cache, which knows its own end.
    """

    kind: Literal["chunked", "length", "close", "foreign"]
    length: int | None = None


def framing_of(encodings: Sequence[str], lengths: Sequence[str]) -> Framing:
    """Return what the values of Transfer-Encoding and Content-Length announce; a FramingError where it is uncertain."""
    if encodings:
        coding = ", ".join(map(_unfolded, encodings))
        if coding.lower() != "chunked":
            raise FramingError(f"its Transfer-Encoding is {coding!r}, where only 'chunked' is certain")
        return Framing("chunked")  # the length beside it does not count
    announced = {part.strip(_BLANKS) for value in lengths for part in _unfolded(value).split(",")}
    if not announced:
        return Framing("close")
    if not all(map(_LENGTH.fullmatch, announced)) or len(set(map(int, announced))) > 1:
        raise FramingError(f"its Content-Length is {', '.join(lengths)!r}, which is no number of bytes")
    return Framing("length", int(announced.pop()))


def _unfolded(value: str) -> str:
    return _FOLD.sub(" ", value).strip(_BLANKS)


class _HeaderLines:
    """A file whose lines are those of a header block: each has its end, and nothing that parsers read differently."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._begun = False

    def readline(self, size: int) -> bytes:
        line: bytes = self._file.readline(size)
        if len(line) < size and not line.endswith(b"\n") and (line or self._begun):
            raise FramingError("it broke off within its headers")
        if b"\0" in line or b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
            raise FramingError("a header line holds a NUL or a bare CR")
        self._begun = True
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class StrictResponse(http.client.HTTPResponse):
    """An answer of the standard library that is none where its headers or its chunks leave any doubt.

    The library's own drops every header behind a damaged one, knows only the exact word ``chunked``, and reads ``1_0``
    as a number; whatever comes then counts as a whole body.

    Attributes:
        ragged: Whether the connection ended without TLS saying so, where nothing else announces the end.
    """

    ragged = False
    fp: Any
    chunk_left: int | None
    _close_conn: Callable[[], None]
    _read_and_discard_trailer: Callable[[], None]
    _socket: Any = None
    _interim = 0

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._socket = sock

    def begin(self) -> None:
        """Read the headers, and decide where the body ends."""
        if self.headers is not None:
            return
        file = self.fp
        self.fp = _HeaderLines(file)
        try:
            super().begin()
            while 100 <= self.status < 200 and self.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
                cast("Any", self).headers = None
                super().begin()
        finally:
            self.fp = file
        if cast("Any", self.headers).defects:
            raise FramingError("a header line cannot be read")
        if self.status >= 200 and self.status not in _WITHOUT_BODY and cast("Any", self)._method != "HEAD":  # noqa: SLF001
            self._apply(framing_of(self._values("Transfer-Encoding"), self._values("Content-Length")))

    def _read_status(self) -> tuple[str, int, str]:
        """Read a status line; a server may announce an answer, but not for ever."""
        self._interim += 1
        if self._interim > _MAX_INTERIM:
            raise FramingError("it announces an answer again and again, and none comes")
        status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # the library's own
        return status

    def _values(self, name: str) -> list[str]:
        return self.headers.get_all(name) or []

    def _apply(self, framing: Framing) -> None:
        self.chunked, self.chunk_left = framing.kind == "chunked", None
        self.length = framing.length
        if framing.kind == "close":
            self.will_close = True
            if hasattr(self._socket, "suppress_ragged_eofs"):
                self._watch_end(self._socket)

    def _watch_end(self, connection: Any) -> None:
        """Note whether TLS says goodbye: somebody who cuts it cannot, and nothing else tells that from the end."""
        connection.suppress_ragged_eofs = False
        receive = connection.recv_into

        def recv_into(*arguments: Any) -> int:
            try:
                size: int = receive(*arguments)
            except ssl.SSLEOFError:
                self.ragged = True
                return 0
            return size

        connection.recv_into = recv_into

    def _get_chunk_left(self) -> int | None:
        """Return how much of this chunk is left, or None behind the last one; the library passes over what is wrong."""
        if self.chunk_left == 0 and self.fp.read(2) != b"\r\n":
            self._lost("a chunk does not end where it should")
        if not self.chunk_left:
            size = _CHUNK_SIZE.fullmatch(self.fp.readline(_MAX_LINE))
            if size is None:
                self._lost("the size of a chunk cannot be read")
            self.chunk_left = int(size[1], 16) or None
            if self.chunk_left is None:
                self._read_and_discard_trailer()
                self._close_conn()
        return self.chunk_left

    def close(self) -> None:
        """Let go of the connection, also where that is closed already: Python 3.13 prints what a collection meets."""
        with suppress(ValueError):
            super().close()

    def _lost(self, why: str) -> NoReturn:
        self._close_conn()
        raise FramingError(why)
