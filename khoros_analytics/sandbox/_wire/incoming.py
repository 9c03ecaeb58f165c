"""What comes in: the head and the body of a request, read within bounds of size and of real time.

The standard library's server bounds each line, but neither all of them nor their time, and leaves the body to whoever
wants it: what is left unread would be taken for the next request.
"""

import io
import re
import socket
import time
from collections.abc import Iterator
from email.message import Message

from attrs import frozen

__all__ = ["MAX_FIELDS", "Incoming", "Refused", "announced", "read_body", "read_head"]

MAX_HEAD = 64 * 1024
"""The bytes of a request line with its headers."""

MAX_BODY = 16 * 1024 * 1024
"""The bytes of a body, whether anybody wants it or not."""

MAX_FIELDS = 10_000
"""The parameters of a query or a form."""

IDLE = 300.0
"""Real seconds for which a connection may stay open between two requests."""

HEAD_SECONDS = 15.0
"""Real seconds from the first byte of a head to its last one."""

BODY_SECONDS = 60.0
"""Real seconds for a body."""

_PIECE = 64 * 1024
_CONTROL = re.compile(rb"\r(?!\n)|\0")  # what some take for a line's end, or for the end of all
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")


@frozen
class Refused(Exception):  # noqa: N818 - not a mistake of ours
    """A request that is answered without being looked at any further; the connection ends with it.

    Attributes:
        status: The HTTP status.
        reason: Why, without anything that came.
    """

    status: int
    reason: str


class Incoming(io.RawIOBase):
    """The bytes of a connection, until a deadline.

    Args:
        connection: Where they come from.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        """Set the deadline so many real seconds from now."""
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read what is there; TimeoutError once the deadline has passed."""
        self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(None)


def read_head(stream: io.BufferedIOBase, incoming: Incoming) -> bytes:
    """Return a request's head with its last blank line, or nothing when the client has gone or is silent for long."""
    line = _first_line(stream, incoming)
    if not line:
        return b""
    head = [line]
    size = len(line)
    try:
        while line not in (b"\r\n", b"\n"):
            line = stream.readline(MAX_HEAD + 1)
            size += len(line)
            if not line:
                raise Refused(400, "the head ends in the middle")
            if size > MAX_HEAD:
                raise Refused(431, f"the head is longer than {MAX_HEAD} bytes")
            head.append(line)
    except TimeoutError:
        raise Refused(408, f"the head took longer than {HEAD_SECONDS:.0f} seconds") from None
    whole = b"".join(head)
    if _CONTROL.search(whole):
        raise Refused(400, "a head with a bare CR or a NUL")
    return whole


def _first_line(stream: io.BufferedIOBase, incoming: Incoming) -> bytes:
    """Return the request line; blank lines before it count for nothing (RFC 9112 2.2)."""
    incoming.allow(IDLE)
    try:
        first = stream.read(1)
        incoming.allow(HEAD_SECONDS)
        while first in (b"\r", b"\n"):
            first = stream.read(1)
    except TimeoutError:
        return b""
    if not first:
        return b""
    try:
        line = first + stream.readline(MAX_HEAD)
    except TimeoutError:
        raise Refused(408, f"the head took longer than {HEAD_SECONDS:.0f} seconds") from None
    if not line.endswith(b"\n"):
        status = 414 if len(line) > MAX_HEAD else 400
        raise Refused(status, "the request line is too long" if status == 414 else "the head ends in the middle")
    return line


def announced(headers: "Message[str, str]") -> int | None:
    """Return the length of the body that a head announces; None for chunks, and Refused where that is not certain."""
    codings = [coding.strip().lower() for coding in headers.get_all("Transfer-Encoding", [])]
    lengths = {length.strip() for length in headers.get_all("Content-Length", [])}
    if codings and lengths:
        raise Refused(400, "Content-Length beside Transfer-Encoding")
    if codings:
        if codings != ["chunked"]:
            raise Refused(400, "a Transfer-Encoding other than chunked")
        return None
    if not lengths:
        return 0
    (length, *others) = lengths
    if others or not (length.isascii() and length.isdecimal()):
        raise Refused(400, "a Content-Length that is no number")
    if len(length.lstrip("0")) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        raise Refused(413, f"the body is longer than {MAX_BODY} bytes")
    return int(length)


def read_body(stream: io.BufferedIOBase, incoming: Incoming, length: int | None, keep: int) -> bytes | None:
    """Return a body, or None when it is longer than what is to be kept; all of it is read in any case."""
    incoming.allow(BODY_SECONDS)
    kept, size = bytearray(), 0
    try:
        for piece in _chunks(stream) if length is None else _exactly(stream, length):
            size += len(piece)
            if size > MAX_BODY:
                raise Refused(413, f"the body is longer than {MAX_BODY} bytes")
            if size <= keep:
                kept += piece
    except TimeoutError:
        raise Refused(408, f"the body took longer than {BODY_SECONDS:.0f} seconds") from None
    return bytes(kept) if size <= keep else None


def _exactly(stream: io.BufferedIOBase, length: int) -> Iterator[bytes]:
    """Yield so many bytes."""
    while length:
        piece = stream.read(min(length, _PIECE))
        if not piece:
            raise Refused(400, "the body is shorter than announced")
        length -= len(piece)
        yield piece


def _chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield the bytes of a chunked body, and read its trailers."""
    while True:
        found = _CHUNK_SIZE.fullmatch(stream.readline(1024))
        if found is None:
            raise Refused(400, "a chunk without a proper size")
        size = int(found[1], 16)
        if size == 0:
            break
        yield from _exactly(stream, size)
        if stream.readline(2) not in (b"\r\n", b"\n"):
            raise Refused(400, "a chunk that is longer than its size")
    left = MAX_HEAD
    while (line := stream.readline(left)) not in (b"\r\n", b"\n"):
        left -= len(line)
        if not line.endswith(b"\n") or left <= 0:
            raise Refused(400, "trailers that do not end")
