"""An answer whose body is still to be read: whatever breaks is one error, and a deadline ends every read."""

import io
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from attrs import define, field
from requests import Response
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from .._clock import Clock, Deadline
from .._protocol.messages import Reply
from .._protocol.replies import parse_date, parse_retry_after
from ..errors import JobTimeoutError, TransportError, UnexpectedReplyError
from .connections import root_cause
from .framing import Framing, StrictResponse, framing_of
from .redaction import Redactor, redact_urllib3_logs

__all__ = ["StreamedResponse", "body_of", "retry_after_of"]

MAX_REPLY_SIZE = 8 * 1024 * 1024  # its JSON takes twenty times as much memory
_CHUNK_SIZE = 64 * 1024
_BROKEN_BODY = (HTTPError, OSError, ValueError)

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""The content encodings that it reads."""
_UNREADABLE = frozenset(
    {"br", "bzip2", "compress", "dcb", "dcz", "exi", "lz4", "lzma", "pack200-gzip", "snappy", "x-bzip2", "x-compress"}
    | {"x-lzma", "x-snappy", "x-zstd", "xz", "zstd"}
)
"""Content encodings that nobody asks for; what is in neither set is no encoding, but a name in the place of one."""

_GZIP = b"\x1f\x8b"
_UNANNOUNCED = Framing("close")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Inflater:
    """Decompresses gzip and zlib data, of several members too."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        """Take compressed bytes."""
        self._waiting += data

    def take(self, size: int) -> bytes:
        """Return decompressed bytes; none when more must be fed first."""
        while self._waiting:
            if self._member.eof:
                self._waiting = self._waiting.lstrip(b"\0")  # padding, as gzip itself bears it
                if not self._waiting:
                    break
                self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
            piece = self._member.decompress(self._waiting, size)
            self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                return piece
        return b""

    def finished(self) -> bool:
        """Return whether all that was fed ends with a whole member."""
        return self._member.eof and not self._waiting


@define(eq=False)
class StreamedResponse:
    """One answer whose body is still to be read.

    Attributes:
        status_code: Its HTTP status.
        headers: Its headers; names in any letter case.
        is_api: Whether the API itself answered, and not a file host.
        host: Who answered.
        subject: What messages call the call.
        framing: What announces the end of its body.
    """

    status_code: int
    headers: Mapping[str, str]
    is_api: bool
    host: str
    _raw: Any = field(alias="raw", repr=False)
    _close: Callable[[], None] = field(alias="close", repr=False)
    _deadline: Deadline = field(alias="deadline", repr=False)
    _redact: Redactor = field(alias="redact", repr=False)
    subject: str = field(repr=False)
    framing: Framing = _UNANNOUNCED
    _expired: bool = field(default=False, init=False, repr=False)
    _inflater: Inflater | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.encoding in ENCODINGS:
            self._inflater = Inflater()

    @property
    def ragged(self) -> bool:
        """Whether the connection ended without TLS saying so, where nothing else announces the end."""
        return bool(getattr(getattr(self._raw, "_original_response", None), "ragged", False))

    @property
    def encoding(self) -> str:
        """The content encoding of its body; an empty text for none."""
        return ", ".join(name for name in self._encodings() if name in ENCODINGS or name in _UNREADABLE)

    def _encodings(self) -> list[str]:
        return [name.strip().lower() for name in self.headers.get("Content-Encoding", "").split(",")]

    def read(self, size: int) -> bytes:
        """Return the next bytes of the body, decoded; none at its end."""
        if self.encoding and self._inflater is None:
            # No repetition changes what a host packs with.
            raise TransportError(
                f"{self.subject}: {self.host} sent an encoding that nobody asked for ({self.encoding[:40]!r})",
                transient=False,
                advice="look for a proxy or a gateway that packs answers, and turn that off for this host",
            )
        if self._inflater is None:
            return self._read_raw(size)
        while not (piece := self._inflate(size)):
            data = self._read_raw(size)
            if not data and not self._inflater.finished():
                raise self._broke_off("the compressed data has no end")
            if not data:
                return b""
            self._inflater.feed(data)
        return piece

    def _inflate(self, size: int) -> bytes:
        try:
            return self._inflater.take(size) if self._inflater else b""
        except zlib.error as error:
            raise self._broke_off(f"the compressed data is damaged ({error})") from None

    def _read_raw(self, size: int) -> bytes:
        broken = ""
        piece = b""
        try:
            with redact_urllib3_logs(is_api=self.is_api):
                piece = self._raw.read(size, decode_content=False)
        except Exception as error:
            # A reader that the alarm woke may trip over anything.
            if not self._expired and not isinstance(error, _BROKEN_BODY):
                raise
            broken = root_cause(error, self._redact)
        if self._expired or self._deadline.passed():
            raise JobTimeoutError(f"{self.subject}: the time was up while reading from {self.host}")
        if broken:
            raise self._broke_off(broken)
        return piece

    def _broke_off(self, why: str) -> TransportError:
        return TransportError(f"{self.subject}: the answer of {self.host} broke off: {why}")

    def redacted(self, text: str) -> str:
        """Return a text without secrets."""
        return self._redact(text)

    def excerpt(self, body: bytes) -> str:
        """Return the beginning of the body for a message, without secrets."""
        return Reply(self.status_code, body, redact=self._redact).excerpt()

    @property
    def retry_after(self) -> float | None:
        """What the server asks to wait, in seconds, or None."""
        return retry_after_of(self.headers, self._deadline.clock)

    def read_reply(self) -> Reply:
        """Read the whole body of an answer that is small."""
        body = bytearray()
        while piece := self.read(_CHUNK_SIZE):
            body += piece
            if len(body) > MAX_REPLY_SIZE:
                raise UnexpectedReplyError(
                    f"{self.subject}: the answer of {self.host} is longer than any that is documented",
                    status_code=self.status_code,
                )
        return Reply(self.status_code, bytes(body), self.retry_after, self._redact)

    @contextmanager
    def open(self) -> Iterator["StreamedResponse"]:
        """Close the answer after the block. A read that is under way when the deadline passes returns at once."""
        try:
            with self._deadline.clock.alarm(max(0.0, self._deadline.remaining()), self._expire):
                yield self
        finally:
            self._close()

    def _expire(self) -> None:
        self._expired = True
        raw = self._raw
        # A shut-down socket is the only thing that wakes a reader; urllib3 offers it since 2.3.
        with suppress(Exception):
            if hasattr(raw, "shutdown"):
                raw.shutdown()
            else:
                raw._fp.fp.raw._sock.shutdown(socket.SHUT_RD)  # noqa: SLF001


def retry_after_of(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return what an answer asks to wait, in seconds, or None; a date is one of the server's own clock."""
    return parse_retry_after(headers.get("Retry-After"), parse_date(headers.get("Date"), clock.time()))


def body_of(response: Response) -> tuple[Any, Mapping[str, str], Framing]:
    """Return an answer's body to be read, its headers, and what announces its end; a FramingError where none can.

    A hook of the user's own session may have read the body, or put another in its place: then that is the body.
    """
    raw, headers = response.raw, response.headers
    framing = _framing(raw, headers)
    if framing.kind == "close" and not isinstance(getattr(raw, "_original_response", None), StrictResponse):
        framing = Framing("foreign")
    content: Any = getattr(response, "_content", False)
    if content is False and isinstance(getattr(raw, "_body", None), bytes):
        content = raw.data
    if content is not False:
        whole = content or b""
        if framing.length not in (None, len(whole)):
            framing = _UNANNOUNCED
        return _Body(io.BytesIO(whole)), _without_encoding(headers), framing
    if isinstance(raw, BaseHTTPResponse):
        return raw, headers, framing
    body = _Body(raw)
    return body, headers if body.begins_with(_GZIP) else _without_encoding(headers), framing


def _without_encoding(headers: Mapping[str, str]) -> Mapping[str, str]:
    return CaseInsensitiveDict({name: headers[name] for name in headers if name.lower() != "content-encoding"})


def _framing(raw: Any, headers: Mapping[str, str]) -> Framing:
    lines = getattr(getattr(raw, "headers", None), "getlist", None)

    def values(name: str) -> list[str]:
        return list(lines(name)) if lines else [headers[name]] if name in headers else []

    return framing_of(values("Transfer-Encoding"), values("Content-Length"))


class _Body:
    """Any stream of bytes, read as those of urllib3 are."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._held = b""

    def begins_with(self, start: bytes) -> bool:
        """Return whether these are its first bytes; nothing is taken."""
        self._held = self._stream.read(len(start)) or b""
        return self._held == start

    def read(self, size: int, *, decode_content: bool = False) -> bytes:  # noqa: ARG002 - as urllib3 has it
        """Return the next bytes as they are."""
        held, self._held = self._held, b""
        return held or self._stream.read(size) or b""
