"""Answers as bytes, and what can be wrong with them: written by hand, so that no parser's idea of HTTP is in them."""

import gzip
from collections.abc import Callable
from typing import Literal

from attrs import evolve, field, frozen

__all__ = [
    "BadChunks",
    "BadHead",
    "BadLine",
    "BadPart",
    "Bytes",
    "Coding",
    "Damage",
    "End",
    "Framing",
    "Hop",
    "Meddled",
    "Message",
    "NewVersion",
    "Page",
    "Torn",
    "Unannounced",
]

Framing = Literal["length", "chunked", "close"]
End = Literal["keep", "bye", "fin", "rst"]
"""What becomes of the connection: kept, ended as it should be (TLS says goodbye), cut, or reset."""

CRLF = b"\r\n"


@frozen
class Bytes:
    """What goes over the wire, how the connection ends, and what happens when half of it is out."""

    content: bytes = field(repr=False)
    end: End = "keep"
    pause: Callable[[], object] | None = None


@frozen
class Message:
    """An answer, before it is written."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    framing: Framing = "length"

    def adding(self, *headers: tuple[str, str]) -> "Message":
        return evolve(self, headers=self.headers + headers)

    def lines(self) -> list[bytes]:
        """Return the status line and all headers but those that tell the body's end."""
        texts = [f"HTTP/1.1 {self.status} So"] + [f"{name}: {value}" for name, value in self.headers]
        return [text.encode("latin-1", "replace") for text in texts]

    def framed(self) -> tuple[list[bytes], bytes]:
        """Return the headers that tell the body's end, and the body as it is sent then."""
        if self.status in (204, 304):
            return [], b""
        if self.framing == "chunked":
            return [b"Transfer-Encoding: chunked"], chunked(self.body)
        if self.framing == "length":
            return [b"Content-Length: %d" % len(self.body)], self.body
        return [], self.body

    def write(self) -> Bytes:
        """Return it as it should be."""
        headers, body = self.framed()
        return Bytes(joined([*self.lines(), *headers], body), "bye" if self.framing == "close" else "keep")


def joined(lines: list[bytes], body: bytes) -> bytes:
    return CRLF.join([*lines, b"", body])


def chunked(body: bytes, size: int = 40_000) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def share(content: bytes, at: float) -> bytes:
    """Return the beginning of something; at least its last byte stays away."""
    return content[: max(0, min(int(at * len(content)), len(content) - 1))]


@frozen
class Damage:
    """Something that is wrong with one answer."""

    def spoil(self, message: Message) -> Bytes:
        """Return the answer with that damage."""
        return message.write()


@frozen
class Torn(Damage):
    """The body ends early, whatever was announced."""

    at: float
    end: End = "fin"

    def spoil(self, message: Message) -> Bytes:
        headers, body = message.framed()
        return Bytes(joined([*message.lines(), *headers], share(body, self.at)), self.end)


@frozen
class Unannounced(Damage):
    """This answer alone announces no length; its body may be cut."""

    at: float | None = None
    end: End = "bye"

    def spoil(self, message: Message) -> Bytes:
        body = message.body if self.at is None else share(message.body, self.at)
        return Bytes(joined(message.lines(), body), self.end)


@frozen
class BadLine(Damage):
    """One header line cannot be read; maybe the body is cut, too."""

    line: bytes
    place: Literal["first", "middle", "last"]
    at: float | None = None

    def spoil(self, message: Message) -> Bytes:
        headers, body = message.framed()
        first, *others = message.lines()
        middle, last = ([*others, *headers], []) if self.place == "last" else (others, headers)
        block = [self.line, *middle] if self.place == "first" else [*middle, self.line]
        body = body if self.at is None else share(body, self.at)
        return Bytes(joined([first, *block, *last], body), "bye")


@frozen
class BadHead(Damage):
    """The head is cut, or its first line is none."""

    first: bytes | None = None
    at: float | None = None

    def spoil(self, message: Message) -> Bytes:
        headers, body = message.framed()
        lines = [*message.lines(), *headers]
        if self.first is not None:
            lines[0] = self.first
        head = joined(lines, b"")
        return Bytes(share(head, self.at), "bye") if self.at is not None else Bytes(head + body, "bye")


@frozen
class Coding(Damage):
    """Headers that tell the body's end in a way that is wrong, odd, or contradicts itself."""

    encodings: tuple[bytes, ...] = ()
    lengths: tuple[bytes, ...] = ()
    body: Literal["plain", "chunked"] = "plain"
    at: float | None = None

    def spoil(self, message: Message) -> Bytes:
        numbers = {b"N": len(message.body), b"M": len(message.body) // 2}
        lengths = [
            b", ".join(b"%d" % numbers.get(part, 0) if part in numbers else part for part in each.split(b", "))
            for each in self.lengths
        ]
        headers = [b"Transfer-Encoding: " + each for each in self.encodings]
        headers += [b"Content-Length: " + each for each in lengths]
        body = chunked(message.body) if self.body == "chunked" else message.body
        body = body if self.at is None else share(body, self.at)
        return Bytes(joined([*message.lines(), *headers], body), "bye")


@frozen
class BadChunks(Damage):
    """Chunks that cannot be read, or that are odd but right."""

    kind: Literal["size", "minus", "plus", "edge", "short", "no last", "half last", "trailer", "extension", "blank"]

    def spoil(self, message: Message) -> Bytes:
        body = message.body
        half = len(body) // 2
        first, second = body[:half] or b"x", body[half:] or b"y"
        if not body:
            first, second = b"x", b"y"
        whole = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (len(first), first, len(second), second)
        written: dict[str, bytes] = {
            "size": b"%x\r\n%b\r\nzz\r\n%b\r\n0\r\n\r\n" % (len(first), first, second),
            "minus": b"%x\r\n%b\r\n-%x\r\n%b\r\n0\r\n\r\n" % (len(first), first, len(second), second),
            "plus": b"%x\r\n%b\r\n+%x\r\n%b\r\n0\r\n\r\n" % (len(first), first, len(second), second),
            "edge": b"%x\r\n%bXX%x\r\n%b\r\n0\r\n\r\n" % (len(first), first, len(second), second),
            "short": b"%x\r\n%b" % (len(first) + 5, first),
            "no last": whole,
            "half last": whole + b"0",
            "trailer": chunked(body)[:-2] + b"X-After: 1\r\n\r\n",
            "extension": chunked(body).replace(b"\r\n", b";x=y\r\n", 1),
            "blank": chunked(body).replace(b"\r\n", b"  \r\n", 1),
        }
        return Bytes(joined([*message.lines(), b"Transfer-Encoding: chunked"], written[self.kind]), "bye")


@frozen
class Page(Damage):
    """Something else comes in the place of the answer.

    Attributes:
        after: For the API: whether it has done its work before.
    """

    status: int
    kind: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()
    after: bool = True

    def spoil(self, message: Message) -> Bytes:
        return Message(self.status, (("Content-Type", self.kind), *self.headers), self.content).write()


@frozen
class Hop(Damage):
    """A redirect to somewhere."""

    location: str
    status: int = 302

    def spoil(self, message: Message) -> Bytes:
        return Message(self.status, (("Location", self.location),)).write()


@frozen
class NewVersion(Damage):
    """From this request on the file is another one, as when an export is written anew."""


@frozen
class Meddled(Damage):
    """Nothing is wrong with the answer, but in the middle of it somebody lays hands on the partial file.

    Attributes:
        kind: What is done to it: it is replaced, truncated, appended to or removed, a link is put in its place, or its
            note is spoiled.
    """

    kind: Literal["replace", "truncate", "append", "remove", "link", "note"]


@frozen
class BadPart(Damage):
    """A part that is none, or not the one that was asked for; without Range the answer is a part that nobody wanted."""

    kind: Literal["half", "star", "short", "wrong start", "no header", "mixed", "other total", "none left", "refused"]

    def spoil(self, message: Message) -> Bytes:
        return PARTS[self.kind](message)


def _span(message: Message) -> tuple[int, int]:
    """Return the first byte of a part, and the length of the whole."""
    span = dict(message.headers).get("Content-Range", "")
    try:
        return int(span.split()[1].split("-")[0]), int(span.split("/")[1])
    except (IndexError, ValueError):
        return 0, len(message.body)


def _part(message: Message, body: bytes, span: str | None) -> Message:
    others = tuple(pair for pair in message.headers if pair[0] != "Content-Range")
    named = () if span is None else (("Content-Range", span),)
    return Message(206, others + named, body, "length" if message.framing == "close" else message.framing)


def _half(message: Message, *, star: bool) -> Bytes:
    start, total = _span(message)
    body = message.body[: max(1, len(message.body) // 2)]
    return _part(message, body, f"bytes {start}-{start + len(body) - 1}/{'*' if star else total}").write()


def _short(message: Message) -> Bytes:
    start, total = _span(message)
    return _part(message, share(message.body, 0.5), f"bytes {start}-{total - 1}/{total}").write()


def _wrong_start(message: Message) -> Bytes:
    start, total = _span(message)
    return _part(message, message.body, f"bytes {start + 1}-{total - 1}/{total}").write()


def _mixed(message: Message) -> Bytes:
    start, total = _span(message)
    inner = b"--b\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%b\r\n--b--" % (start, total - 1, total, message.body)
    mixed = _part(message, inner, None)
    return evolve(mixed, headers=(("Content-Type", "multipart/byteranges; boundary=b"),)).write()


def _other_total(message: Message) -> Bytes:
    start, total = _span(message)
    return _part(message, message.body, f"bytes {start}-{total - 1}/{total + 7}").write()


PARTS: dict[str, Callable[[Message], Bytes]] = {
    "half": lambda message: _half(message, star=False),
    "star": lambda message: _half(message, star=True),
    "short": _short,
    "wrong start": _wrong_start,
    "no header": lambda message: _part(message, message.body, None).write(),
    "mixed": _mixed,
    "other total": _other_total,
    "none left": lambda message: Message(416, (("Content-Range", f"bytes */{_span(message)[1] + 3}"),)).write(),
    "refused": lambda message: Message(412).write(),
}


def packed(content: bytes) -> bytes:
    """Return content as gzip; the same content always gives the same bytes."""
    return gzip.compress(content, 1, mtime=0)
