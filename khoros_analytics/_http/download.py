"""Downloads: fills a partial file from as many answers as that takes."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import define, field

from .._clock import Deadline
from .._protocol.messages import Phase
from .._storage.partial import PartialFile, map_os_errors
from ..errors import (
    DownloadError,
    IncompleteDownloadError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from .response import StreamedResponse
from .retry import FailuresInARow, repeat

__all__ = ["Source", "Transfer", "download"]

_PARTIAL, _NOT_SATISFIABLE = 206, 416
_MARKUP = rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:[!?]|html\b|head\b|body\b|error\b)"
_PAGES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
_ENVELOPE = rb'\s*\{\s*"status"\s*:'
_CHUNK_SIZE = 1024 * 1024
_SMALL_CHUNK_SIZE = 64 * 1024
_SOUND_AFTER = 8 * 1024 * 1024  # after so many bytes in one go a link counts as sound again
_TAIL_SIZE = 64


class Source(Protocol):
    """Where the bytes come from."""

    def open(self, headers: Mapping[str, str]) -> AbstractContextManager[StreamedResponse]:
        """Ask for the file; the answer is a 200, 206 or 416."""
        ...


@define(eq=False)
class Transfer:
    """One file on its way into a partial file, which may hold the beginning of it already."""

    part: PartialFile
    max_bytes: int | None = None
    _size: int = field(init=False)
    _furthest: int = field(init=False)
    _interrupted: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._size = self._furthest = self.part.recall()
        if not self._size:
            self._restart()

    def can_resume(self) -> bool:
        """Return whether another request could ask for just the rest."""
        return bool(self._size and self.part.validator)

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest where that is certain to fit, else for everything."""
        whole = {"Accept-Encoding": "identity"}
        if not self.can_resume() or self.part.validator is None:
            return whole
        return {**whole, "Range": f"bytes={self._size}-", "If-Range": self.part.validator}

    def receive(self, stream: StreamedResponse, on_progress: Callable[[], None]) -> None:
        """Write one answer's body behind what is there, or in its place.

        ``on_progress`` is called whenever the file is longer than it ever was.
        """
        if stream.status_code == _NOT_SATISFIABLE:
            if self._is_all(stream):
                return
            self._restart()
            raise IncompleteDownloadError("the host cannot continue the file; beginning anew")
        if stream.status_code == _PARTIAL:
            self._check_range(stream)
        else:
            self._restart()
            total = None if stream.encoding else stream.framing.length
            self.part.remember(None if stream.encoding else _validator(stream.headers), total)
        self._copy(stream, on_progress)
        self._check_end(stream)

    def _copy(self, stream: StreamedResponse, on_progress: Callable[[], None]) -> None:
        start, poor = self._size, self._interrupted
        self._interrupted = True
        # A chunk that is half read when the connection breaks is lost: on a poor link, smaller ones lose less.
        while chunk := stream.read(_SMALL_CHUNK_SIZE if poor and self._size - start < _SOUND_AFTER else _CHUNK_SIZE):
            self._check_chunk(chunk, stream)
            self.part.write(chunk)
            self._size += len(chunk)
            if self._size > self._furthest:
                self._furthest = self._size
                on_progress()
            if self.part.total is not None and self._size > self.part.total:
                break  # it need not end at all

    def _check_range(self, stream: StreamedResponse) -> None:
        unit, _, rest = stream.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        fits = (
            self._size > 0
            and unit == "bytes"
            and _parse_length(span.partition("-")[0]) == self._size
            and not stream.encoding
        )
        known = self.part.total
        if not fits or self._is_another(stream) or (known is not None and total not in ("*", str(known))):
            self._restart()
            raise IncompleteDownloadError("the rest of the file does not fit what had arrived; beginning anew")
        if known is None:
            self.part.remember(self.part.validator, _parse_length(total))

    def _is_another(self, stream: StreamedResponse) -> bool:
        """Return whether a rest names another version than what had arrived: not every host heeds If-Range."""
        validator = self.part.validator or ""
        named = stream.headers.get("ETag" if validator.startswith('"') else "Last-Modified")
        return named is not None and named != validator

    def _is_all(self, stream: StreamedResponse) -> bool:
        """Return whether there is no rest: all had arrived, and the host would have sent another version whole."""
        unit, _, total = stream.headers.get("Content-Range", "").partition(" */")
        return self._size > 0 and unit == "bytes" and self._size == self.part.total == _parse_length(total)

    def _check_chunk(self, chunk: bytes, stream: StreamedResponse) -> None:
        content_type = stream.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not self._size and (re.match(_MARKUP, chunk) or content_type in _PAGES):
            raise UnexpectedReplyError(
                f"{stream.subject}: a page or an error message came instead of the file", status_code=stream.status_code
            )
        if not self._size and stream.is_api and re.match(_ENVELOPE, chunk):
            raise UnexpectedReplyError(
                f"{stream.subject}: the API sent a message instead of the file", status_code=stream.status_code
            )
        if self.max_bytes is not None and self._size + len(chunk) > self.max_bytes:
            raise DownloadError(
                f"the file is larger than max_bytes ({self.max_bytes:,} bytes), so it was not saved; raise the "
                "client's max_bytes if that is what the report should be"
            )

    def _check_end(self, stream: StreamedResponse) -> None:
        """Find out whether the body was whole, by its length or else by its content."""
        if not self._size:
            # A file without rows has a header, or brackets.
            raise IncompleteDownloadError("the host sent nothing in place of the file")
        total = self.part.total
        if total is not None and self._size != total:
            size = self._size
            if size > total:
                self._restart()
            raise IncompleteDownloadError(f"{size:,} bytes came where {total:,} were announced")
        if total is None and stream.framing.kind == "close" and not stream.encoding and not self._looks_whole():
            self._restart()
            raise IncompleteDownloadError("the file ended in the middle: the host announced no length and closed early")

    def _looks_whole(self) -> bool:
        """Judge by the content, since nothing else tells: an array is closed, and so is every quote."""
        with map_os_errors(self.part.path, "cannot be read"):
            file = self.part.file
            file.seek(0)
            head = file.read(_TAIL_SIZE).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
            if head in (b"[", b"{"):
                file.seek(max(0, self._size - _TAIL_SIZE))
                return file.read(_TAIL_SIZE).rstrip()[-1:] == (b"]" if head == b"[" else b"}")
            file.seek(0)
            quotes = 0
            while chunk := file.read(_CHUNK_SIZE):
                quotes += chunk.count(b'"')
            return quotes % 2 == 0

    def _restart(self) -> None:
        self.part.restart()
        self._size = 0


_RESUMABLE = (TransportError, IncompleteDownloadError, ServerError, RateLimitError, JobTimeoutError)


def download(
    source: Source,
    part: PartialFile,
    *,
    failures: FailuresInARow,
    sleep: Callable[[float], None],
    deadline: Deadline,
    retries: int,
    max_bytes: int | None = None,
) -> None:
    """Fill a partial file until it is whole, however often that breaks off before the deadline.

    A body that breaks is resumed where it broke when the host can do that, and begun anew when it cannot. Failures are
    counted from the last progress on. When it ends early, also by an error from outside, what has arrived is kept if
    the next download can resume it.
    """
    transfer = Transfer(part, max_bytes)

    def attempt() -> None:
        with source.open(transfer.headers()) as stream:
            transfer.receive(stream, failures.progress)

    try:
        repeat(
            attempt,
            Phase.DOWNLOAD,
            sleep=sleep,
            deadline=deadline,
            retries=retries,
            failures=failures,
            patient=True,
        )
    except BaseException as error:
        if isinstance(error, JobTimeoutError) and failures.last:
            error.add_last_attempt(str(failures.last))
        part.keep = transfer.can_resume() and (isinstance(error, _RESUMABLE) or not isinstance(error, KhorosError))
        raise


def _parse_length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what names this version of the file: a strong ETag, or else its date."""
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return headers.get("Last-Modified")
