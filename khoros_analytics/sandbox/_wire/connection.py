"""The wire: how an answer's bytes reach the socket, whole or spoiled on purpose.

The hosts write to the socket themselves instead of handing an iterable to werkzeug, since a fault is exactly what no
server offers: a length that lies, an end that comes too early, a reset.
"""

import contextlib
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from threading import Event
from typing import Literal

from attrs import frozen
from werkzeug.http import http_date

from .answers import Answer

__all__ = ["CLEAN", "Line", "Spoil", "part", "reset", "write"]

_LOOK = 0.05
_DRAINED = 2.0
_PARTING = 2.0  # real seconds for what a client still sends after the last answer
_NO_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@frozen
class Spoil:
    """What is to go wrong while an answer is sent.

    Attributes:
        at: The body ends here: so many bytes (int), or that share of it (float). None is its true end.
        end: What happens there: the answer is over (``finish``), the connection is closed or reset, or nothing more
            comes (``stall``).
        length: What the answer says of its length: ``true``, ``none`` at all, or the length that is ``sent``.
        by: So many bytes are added to the length that is said.
        pause: Real seconds of rest after each ``every`` bytes.
        every: See ``pause``.
        copies: How often the whole answer is sent.
        endless: The body starts again and again.
    """

    at: int | float | None = None
    end: Literal["finish", "close", "reset", "stall"] = "finish"
    length: Literal["true", "none", "sent"] = "true"
    by: int = 0
    pause: float = 0.0
    every: int = 0
    copies: int = 1
    endless: bool = False

    def limit(self, length: int) -> int:
        """Return how many bytes of a body are sent.

        A body that is to be spoiled somewhere is never sent whole: its last byte stays away at least.
        """
        if self.at is None:
            return length
        wanted = int(self.at * length) if isinstance(self.at, float) else self.at
        return max(0, min(wanted, length - 1))


CLEAN = Spoil()
"""Nothing goes wrong."""


@frozen
class Line:
    """One connection, as far as writing to it goes.

    Attributes:
        socket: Where the bytes go.
        closing: Is set when the server stops.
        count: Is told the number of body bytes that are about to be sent.
        now: The time of the Date header, in seconds since 1970-01-01 UTC.
        keep: Whether the client would like to use the connection again.
        head_only: Whether the request was a HEAD, so that no body may follow.
    """

    socket: socket.socket
    closing: Event
    count: Callable[[int], None]
    now: float
    keep: bool
    head_only: bool


def write(line: Line, answer: Answer, spoil: Spoil = CLEAN) -> bool:
    """Send an answer."""
    keep = line.keep and _keepable(answer, spoil)
    for _ in range(spoil.copies):
        _send(line, _head(line, answer, spoil, keep=keep), _frames(line, answer, spoil))
    if spoil.end == "reset":
        reset(line.socket)
    elif spoil.end == "stall":
        _stall(line)
    return keep


def reset(connection: socket.socket) -> None:
    """End a connection by a true TCP reset, once all that was written has left."""
    _drain(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # close() would wait for the file objects on this socket, and a shutdown before it would say goodbye politely.
    socket.close(connection.detach())


def part(connection: socket.socket) -> None:
    """End a connection so that its last answer arrives: one closed over unread bytes is reset, and the answer lost."""
    connection.shutdown(socket.SHUT_WR)
    deadline, piece = time.monotonic() + _PARTING, bytearray(1 << 16)
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv_into(piece):
            return


def _keepable(answer: Answer, spoil: Spoil) -> bool:
    """Return whether the client can tell where this answer ends."""
    return spoil == CLEAN and answer.framing != "close"


def _head(line: Line, answer: Answer, spoil: Spoil, *, keep: bool) -> bytes:
    """Return the status line and the headers."""
    phrase = HTTPStatus(answer.status).phrase if answer.status in HTTPStatus._value2member_map_ else "Unknown"
    headers = [
        f"HTTP/1.1 {answer.status} {phrase}",
        "Server: khoros-analytics-sandbox",
        f"Date: {http_date(line.now)}",
        *(f"{name}: {value}" for name, value in answer.headers),
        *_ending(answer, spoil),
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    return "\r\n".join([*headers, "", ""]).encode("latin-1", "replace")


def _ending(answer: Answer, spoil: Spoil) -> Iterator[str]:
    """Yield the header that tells where the body ends, if any does."""
    if answer.status in _NO_BODY or spoil.length == "none" or answer.framing == "close":
        return
    if answer.framing == "chunked":
        yield "Transfer-Encoding: chunked"
    else:
        said = spoil.limit(answer.length) if spoil.length == "sent" else answer.length
        yield f"Content-Length: {max(0, said + spoil.by)}"


def _frames(line: Line, answer: Answer, spoil: Spoil) -> Iterator[tuple[bytes, int]]:
    """Yield what follows the head, each with the number of body bytes in it."""
    if line.head_only or answer.status in _NO_BODY:
        return
    chunked = answer.framing == "chunked" and spoil.length != "none"
    for piece in _pieces(line, answer, spoil):
        yield (b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece), len(piece)
    if chunked and spoil.end == "finish":
        yield b"0\r\n\r\n", 0


def _pieces(line: Line, answer: Answer, spoil: Spoil) -> Iterator[bytes]:
    """Yield the body's bytes at the pace and to the end that are wanted."""
    stop = answer.start + spoil.limit(answer.length)
    while True:
        for chunk in answer.body.chunks(answer.start, stop):
            yield from _paced(line, chunk, spoil) if spoil.every else (chunk,)
        if not spoil.endless:
            return
        # An empty body repeated would never send anything, nor notice that the client has gone.
        yield b" "


def _paced(line: Line, chunk: bytes, spoil: Spoil) -> Iterator[bytes]:
    """Yield a chunk in small pieces, with a rest after each."""
    for start in range(0, len(chunk), spoil.every):
        yield chunk[start : start + spoil.every]
        if line.closing.wait(spoil.pause):
            raise ConnectionAbortedError("the sandbox stops")


def _send(line: Line, head: bytes, frames: Iterator[tuple[bytes, int]]) -> None:
    """Send a head and its body, the first piece of it in the same packet.

    Bytes are counted before they leave: whoever has received them can rely on the count.
    """
    first, size = next(frames, (b"", 0))
    line.count(size)
    line.socket.sendall(head + first)
    for frame, size in frames:
        line.count(size)
        line.socket.sendall(frame)


def _stall(line: Line) -> None:
    """Say nothing more until the client leaves or the server stops."""
    with selectors.DefaultSelector() as selector:
        # The client has nothing to say in the middle of an answer: readable means that it has gone.
        selector.register(line.socket, selectors.EVENT_READ)
        while not line.closing.is_set() and not selector.select(_LOOK):
            pass


def _drain(connection: socket.socket) -> None:
    """Wait until the peer's machine has all that was written: a reset throws away what has not left yet."""
    deadline = time.monotonic() + _DRAINED
    while _unsent(connection) and time.monotonic() < deadline:
        time.sleep(0.001)


def _unsent(connection: socket.socket) -> int:
    """Return the number of bytes that wait in the socket's buffer, or 0 where the system cannot tell."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl  # noqa: PLC0415 - Windows has neither
        import termios  # noqa: PLC0415

        (waiting,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        return int(waiting)
    return 0
