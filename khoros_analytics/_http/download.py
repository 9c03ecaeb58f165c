"""Downloads: fills a partial file from as many answers as that takes."""

import logging
import math
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NoReturn, Protocol, TypeVar

from attrs import define, field

from .._clock import Deadline
from .._protocol.advice import INSTEAD_OF_FILE
from .._protocol.messages import Phase
from .._protocol.replies import parse_date
from .._storage.partial import PartialFile
from .._storage.system_errors import map_os_errors
from ..errors import (
    DownloadError,
    IncompleteDownloadError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from .response import StreamedResponse
from .retry import FailuresInARow, repeat

__all__ = ["Source", "Transfer", "download"]

_PARTIAL, _PRECONDITION_FAILED, _NOT_SATISFIABLE = 206, 412, 416
_MARKUP = rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:[!?]|html\b|head\b|body\b|error\b)"
_PAGES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
_ENVELOPE = rb'\s*\{\s*"status"\s*:'
_CHUNK_SIZE = 1024 * 1024
_SMALL_CHUNK_SIZE = 64 * 1024
_SOUND_AFTER = 8 * 1024 * 1024  # after so many bytes in one go a link counts as sound again
_PROGRESS = 16 * 1024  # fewer bytes than this are none: a host that sends one at a time would be asked for ever
_MOST_PIECES = 5  # so often a host of which nobody knows how much follows is asked on without a pause
_SURE_AFTER = 3  # so many fetches that end at one byte
_NO_RANGES = (501, 505)
_VERSION = ("ETag", "Last-Modified")

Ending = Literal["closed", "possible", "open"]
"""Whether a file's content shows that it is whole, or that it may be, or that something is missing."""

log = logging.getLogger("khoros_analytics")

T = TypeVar("T")


class _UnverifiedError(Exception):
    """Nothing shows that the file is whole, and its host always ends it at the same byte."""


class Source(Protocol):
    """Where the bytes come from."""

    def open(self, headers: Mapping[str, str]) -> AbstractContextManager[StreamedResponse]:
        """Ask for the file; the answer is a 200, 203, 206, 412 or 416."""
        ...


@define(eq=False)
class Transfer:
    """One file on its way into a partial file, which may hold the beginning of it already."""

    part: PartialFile
    max_bytes: int | None = None
    ending: Callable[[Path], Ending] = lambda _: "possible"
    accept_unverified: bool = False
    problem: Callable[[Path], str] = lambda _: ""
    subject: str = "the download"
    log: logging.Logger | logging.LoggerAdapter[logging.Logger] = log
    _size: int = field(init=False)
    _furthest: int = field(init=False)
    _interrupted: bool = field(init=False, default=False)
    _doubt: Ending | None = field(init=False, default=None)
    _ragged: bool = field(init=False, default=False)
    _ranges: bool = field(init=False, default=True)
    _ends: list[int] = field(init=False, factory=list)
    _sender: str = field(init=False, default="")
    _redact: Callable[[str], str] = field(init=False, default=str)

    def __attrs_post_init__(self) -> None:
        self._size = self._furthest = self.part.recall()
        if not self._size:
            self._restart()

    def can_resume(self) -> bool:
        """Return whether another request could ask for just the rest."""
        return bool(self._size and self.part.validator)

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest where that is certain to fit, else for everything."""
        return self._range_headers() if self.can_resume() else {"Accept-Encoding": "identity"}

    def _range_headers(self) -> dict[str, str]:
        condition = {} if self.part.validator is None else {"If-Range": self.part.validator}
        return {"Accept-Encoding": "identity", "Range": f"bytes={self._size}-", **condition}

    def receive(self, stream: StreamedResponse, on_progress: Callable[[], None]) -> None:
        """Write one answer's body behind what is there, or in its place.

        ``on_progress`` is called whenever the file is longer than it ever was.
        """
        self._sender, self._redact = f"{stream.subject}: {stream.host}", stream.redacted
        if stream.status_code == _NOT_SATISFIABLE:
            if self._is_all(stream):
                return
            self._begin_anew("the host cannot continue the file; beginning anew")
        if stream.status_code == _PRECONDITION_FAILED:
            self._begin_anew("the host has another version of the file by now; beginning anew")
        span = None
        if stream.status_code == _PARTIAL:
            span = self._check_range(stream)
        else:
            self._begin(stream)
        start = self._size
        self._copy(stream, on_progress)
        if span is not None and self._size - start > span:
            self._begin_anew("more of the file came than was announced; beginning anew")
        if span is not None and self._size - start < span:
            raise IncompleteDownloadError(
                f"the file ended in the middle: {self._size - start:,} bytes came of the {span:,} that were announced"
            )
        self._check_end(stream)

    def _begin(self, stream: StreamedResponse) -> None:
        """Note what the first answer, or the first of another version, says about the file."""
        self._restart()
        validator = None if stream.encoding else _validator(stream.headers)
        total = None if stream.encoding else stream.framing.length
        if total is None and validator is not None:
            total = self.part.announced.get(validator)
        self.part.remember(validator, total, _names(stream.headers))

    def _copy(self, stream: StreamedResponse, on_progress: Callable[[], None]) -> None:
        start, poor = self._size, self._interrupted
        self._interrupted = True
        # A chunk that is half read when the connection breaks is lost: on a poor link, smaller ones lose less.
        while chunk := stream.read(_SMALL_CHUNK_SIZE if poor and self._size - start < _SOUND_AFTER else _CHUNK_SIZE):
            self._check_chunk(chunk, stream)
            self.part.write(chunk)
            self._size += len(chunk)
            if self._size >= self._furthest + _PROGRESS:
                self._furthest = self._size
                on_progress()
            if self.part.total is not None and self._size > self.part.total:
                break  # it need not end at all

    def _check_range(self, stream: StreamedResponse) -> int | None:
        """Return how many bytes a part should have; an IncompleteDownloadError where it is not the next one."""
        unit, _, rest = stream.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        fits = (
            self._size > 0
            and unit.lower() == "bytes"
            and _parse_length(span.partition("-")[0]) == self._size
            and not stream.encoding
        )
        known = self.part.total
        if not fits or self._is_another(stream) or (known is not None and total not in ("*", str(known))):
            self._begin_anew("the rest of the file does not fit what had arrived; beginning anew")
        total_now = _parse_length(total) if known is None else known
        if total_now != known or not _names(stream.headers).items() <= self.part.named.items():
            self.part.remember(self.part.validator, total_now, _names(stream.headers))
        last = _parse_length(span.partition("-")[2])
        return None if last is None else last - self._size + 1

    def _is_another(self, stream: StreamedResponse) -> bool:
        """Return whether a rest names another version than what had arrived: not every host heeds If-Range."""
        return any(stream.headers.get(name, value) != value for name, value in self.part.named.items())

    def _is_all(self, stream: StreamedResponse) -> bool:
        """Return whether there is no rest: all had arrived, and the host would have sent another version whole."""
        unit, _, total = stream.headers.get("Content-Range", "").partition(" */")
        known = self._size if self.part.total is None else self.part.total
        fits = self._size > 0 and unit.lower() == "bytes" and not self._is_another(stream)
        return fits and self._size == known == _parse_length(total)

    def _check_chunk(self, chunk: bytes, stream: StreamedResponse) -> None:
        if not self._size and (re.match(_MARKUP, chunk) or _is_page(stream)):
            raise UnexpectedReplyError(
                f"{stream.subject}: {stream.host} sent a page or an error message in place of the file: "
                f"{stream.excerpt(chunk)}",
                status_code=stream.status_code,
                advice=INSTEAD_OF_FILE,
            )
        if not self._size and stream.is_api and re.match(_ENVELOPE, chunk):
            raise UnexpectedReplyError(
                f"{stream.subject}: the API sent a message in place of the file: {stream.excerpt(chunk)}",
                status_code=stream.status_code,
                advice=INSTEAD_OF_FILE,
            )
        if self.max_bytes is not None and self._size + len(chunk) > self.max_bytes:
            raise DownloadError(
                f"the file is larger than max_bytes ({self.max_bytes:,} bytes), so it was not saved",
                advice="make a client with a larger max_bytes, if the report may be that large, and call again",
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
        announced = stream.framing.kind in ("chunked", "length") or stream.encoding
        if total is not None or (announced and stream.status_code != _PARTIAL):
            return
        self._ragged = stream.ragged
        ending = self._judged_by(self.ending)
        if self._size < self.part.announced.get(self.part.validator or "", 0):
            ending = "open"
        if ending == "open" or (ending == "possible" and stream.framing.kind != "foreign"):
            self._doubt = ending

    def in_doubt(self) -> bool:
        """Return whether all came that was announced, but it is still to be asked whether that is the file."""
        return self._doubt is not None

    def settle(self, source: Source, on_progress: Callable[[], None]) -> None:
        """Ask once whether anything follows, where the content leaves a doubt."""
        if self._ranges:
            try:
                with source.open(self._range_headers()) as stream:
                    self._settle_by(stream, on_progress)
            except (RequestRejectedError, ServerError) as error:
                if isinstance(error, ServerError) and error.status_code not in _NO_RANGES:
                    raise
                self._ranges = False
        if not self._ranges and self._doubt is not None:
            self._settle_alone()

    def _settle_by(self, stream: StreamedResponse, on_progress: Callable[[], None]) -> None:
        if stream.status_code == _NOT_SATISFIABLE:
            total = _parse_length(stream.headers.get("Content-Range", "").partition(" */")[2])
            if total == self._size or (total is None and self._doubt == "possible" and not self._ragged):
                self._doubt = None
            elif total is None:
                self._ranges = False
            else:
                self._begin_anew("the host has more or less of the file than it sent; beginning anew")
        elif stream.status_code == _PARTIAL and self.part.validator is not None:
            self._doubt = None
            self.receive(stream, on_progress)
        elif stream.status_code == _PARTIAL and stream.framing.length == 0:
            self._doubt = None
        elif stream.status_code in (_PARTIAL, _PRECONDITION_FAILED):
            self._begin_anew("the host has more of the file than it sent; beginning anew")
        else:
            self._settle_by_whole(stream)

    def _settle_by_whole(self, stream: StreamedResponse) -> None:
        """Judge by the head of a second answer that is none to the question."""
        if stream.encoding or _is_page(stream):
            raise IncompleteDownloadError("something else came when the host was asked whether the file goes on")
        if self._is_another(stream):
            self._begin_anew("the host has another version of the file by now; beginning anew")
        if stream.framing.length == self._size:
            self._doubt = None
        elif stream.framing.length is not None:
            self._begin_anew("the file ended in the middle: now the host announces another length")
        else:
            self._ranges = False

    def _settle_alone(self) -> None:
        """Decide without the host: what may be whole is taken, and what ends thrice at one byte if asked for."""
        doubt, self._doubt = self._doubt, None
        if doubt == "possible" and not self._ragged:
            self.log.warning(
                "%s: the file was taken as it came, with %s bytes: its host announces no length and cannot send parts, "
                "so whether rows are missing behind the last one cannot be known",
                *(self.subject, f"{self._size:,}"),
            )
            return
        self._ends.append(self._size)
        if len(self._ends) >= _SURE_AFTER and len(set(self._ends[-_SURE_AFTER:])) == 1:
            if not self.accept_unverified:
                raise _UnverifiedError(self._size)
            self.log.warning(
                "%s: the file was taken unverified, as asked for, with %s bytes", self.subject, f"{self._size:,}"
            )
            return
        self._begin_anew("the file ended in the middle: the host announced no length and closed early")

    def check_export(self) -> None:
        """Raise an UnexpectedReplyError where all that came is something else than an export."""
        problem = self._judged_by(self.problem)
        if problem:
            self._restart()
            raise UnexpectedReplyError(
                f"{self._sender} sent something else in place of the file: {self._redact(problem)}",
                advice=INSTEAD_OF_FILE,
            )

    def _judged_by(self, judge: Callable[[Path], T]) -> T:
        self.part.check()
        with map_os_errors(self.part.path, "cannot be read"):
            return judge(self.part.path)

    def _begin_anew(self, why: str) -> NoReturn:
        self._doubt = None
        self._restart()
        raise IncompleteDownloadError(why)

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
    ending: Callable[[Path], Ending],
    problem: Callable[[Path], str] = lambda _: "",
    accept_unverified: bool = False,
) -> None:
    """Fill a partial file until it is whole, however often that breaks off before the deadline.

    A body that breaks is resumed where it broke when the host can do that, and begun anew when it cannot. Failures are
    counted from the last progress on. When it ends early, also by an error from outside, what has arrived is kept if
    the next download can resume it. ``ending`` judges by the content where nothing else announces the end; a file that
    it doubts, and that ends at the same byte again and again, is taken with ``accept_unverified``. ``problem`` tells by
    its beginning why a file is no export; that is fetched just once more.
    """
    transfer = Transfer(part, max_bytes, ending, accept_unverified, problem, failures.subject, failures.log)

    def attempt() -> None:
        if not transfer.in_doubt():
            with source.open(transfer.headers()) as stream:
                transfer.receive(stream, failures.progress)
        for _ in range(_MOST_PIECES):
            if transfer.in_doubt():
                transfer.settle(source, failures.progress)
        if transfer.in_doubt():
            raise IncompleteDownloadError("the host sends the file in small pieces, and does not say of how many")
        transfer.check_export()

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
    except _UnverifiedError as error:
        raise IncompleteDownloadError(
            f"the file ended {_SURE_AFTER} times after {error.args[0]:,} bytes, but nothing shows that it is whole: "
            "its host announces no length, and it looks cut off",
            advice="if you know that it is whole, take it with download(accept_unverified=True); otherwise call "
            "download() again later, or from another network",
        ) from None
    except BaseException as error:
        if isinstance(error, JobTimeoutError) and failures.last:
            error.add_last_attempt(failures.last_words())
        part.keep = transfer.can_resume() and (isinstance(error, _RESUMABLE) or not isinstance(error, KhorosError))
        raise


def _is_page(stream: StreamedResponse) -> bool:
    """Return whether an answer says of itself that it is a page."""
    return stream.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES


def _parse_length(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    """Return all that names a version of the file, for certain or not."""
    return {name: headers[name] for name in _VERSION if name in headers}


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what names this version of the file for certain: a strong ETag, or else its date.

    Not the date of a file that was just written: within the same second it may change again (RFC 9110, 8.8.2.2).
    """
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    modified, now = (parse_date(headers.get(name), math.nan) for name in ("Last-Modified", "Date"))
    return None if now - modified < 1 else headers.get("Last-Modified")
