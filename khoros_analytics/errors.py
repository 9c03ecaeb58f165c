"""The exception tree: everything that this library raises on purpose.

::

    KhorosError
    |- ConfigurationError (ValueError)      a client that cannot work
    |- ParameterError (ValueError)          wrong arguments; nothing was sent
    |- TransportError (ConnectionError)     no usable answer came back
    |- ApiError                             the server answered, but not with what was asked for
    |  |- AuthenticationError               401, 403
    |  |- RequestRejectedError              the request itself is refused
    |  |- RateLimitError                    429
    |  |- ServerError                       5xx
    |  |- UnexpectedReplyError              an answer that no documentation knows
    |  '- UntrustedUrlError                 a URL that must not be followed
    |- JobError
    |  |- JobFailedError                    the server gave the export up
    |  '- JobTimeoutError (TimeoutError)    every passed deadline
    '- DownloadError
       |- DownloadExpiredError              the export is gone
       |- IncompleteDownloadError           the file did not arrive whole
       |- TargetError (OSError)             the place on disk
       |  '- TargetExistsError (FileExistsError)
       '- ExportFormatError (ValueError)    the file is there, but it is not what an export looks like

Each message says what happened, to which job, and what to do next; and where there is an export, whether it goes on,
how to pick it up, and what was tried. None holds a password, a company key or a signed link.
"""

# Their underscores keep these out of what Tab and editors offer after the module's name.
from pathlib import Path as _Path
from typing import Any as _Any
from typing import Protocol as _Protocol
from typing import TypedDict as _TypedDict
from typing import Unpack as _Unpack

__all__ = [
    "ApiError",
    "AuthenticationError",
    "ConfigurationError",
    "DownloadError",
    "DownloadExpiredError",
    "ExportFormatError",
    "FailedJob",
    "IncompleteDownloadError",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "KhorosError",
    "ParameterError",
    "RateLimitError",
    "RequestRejectedError",
    "ServerError",
    "TargetError",
    "TargetExistsError",
    "TransportError",
    "UnexpectedReplyError",
    "UntrustedUrlError",
]

_ADVICE = "\nWhat to do: "
_EXPORT = "\nThe export: "
_HISTORY = "\nWhat was tried: "


class FailedJob(_Protocol):
    """What an error knows of its job: enough to look at it again. Every :class:`~khoros_analytics.Job` is one."""

    @property
    def report(self) -> str:
        """The report's name on the wire."""
        ...

    @property
    def workflow_id(self) -> str:
        """The first half of the job's identity."""
        ...

    @property
    def run_id(self) -> str:
        """The second half of the job's identity."""
        ...

    @property
    def token(self) -> str:
        """A text for ``client.job(token)``."""
        ...


def _printable(text: str) -> str:
    """Return a text that every terminal and log takes: names of files and texts of servers need not be valid."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _About(_TypedDict, total=False):
    """What every error may be told beside its message."""

    job: FailedJob | None
    may_have_started: bool | None
    advice: str


class KhorosError(Exception):
    """The root of the tree: catch it to catch everything that this library raises on purpose.

    Attributes:
        may_have_started: For an error of the call that starts an export: True when the server may have started it all
            the same, False when it certainly did not. None for every other call.
        job: The job that the error is about, or None when there is none.
        advice: What to do, where this error knows more about that than its class; an empty text otherwise.
        result: For an error that ended a backfill: what had landed by then. None otherwise.
    """

    args: tuple[_Any, ...]

    def __init__(
        self,
        message: str,
        *,
        job: FailedJob | None = None,
        may_have_started: bool | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(_printable(message))
        self.job = job
        self.may_have_started = may_have_started
        self.advice = advice
        self.result: object | None = None

    def add_subject(self, text: str) -> None:
        """Say in the message what it is about, unless it does already.

        Args:
            text: What it is about.
        """
        message = str(self)
        if text not in message:
            self.args = (_printable(f"{text}: {message}"),)

    def add_advice(self, default: str = "") -> None:
        """Add to the message what to do; only once, however far up it is asked for.

        Args:
            default: What to do if the error itself does not know.
        """
        self._add_line(_ADVICE, self.advice or default)

    def add_export(self, text: str) -> None:
        """Add to the message what becomes of the export; only once, however far up it is asked for.

        Args:
            text: Whether it goes on, and how to pick it up.
        """
        self._add_line(_EXPORT, text)

    def add_history(self, text: str) -> None:
        """Add to the message what was tried; only once, however far up it is asked for.

        Args:
            text: A short form of the job's history.
        """
        self._add_line(_HISTORY, text)

    def _add_line(self, label: str, text: str) -> None:
        message = str(self)
        if text and label not in message:
            self.args = (_printable(f"{message}{label}{text}"),)

    def add_last_attempt(self, text: str) -> None:
        """Add to the message what the last attempt ended in, unless it says so already.

        Args:
            text: What it ended in.
        """
        message = str(self)
        if text not in message:
            self.args = (_printable(f"{message}; the last attempt ended so: {text}"),)

    def __reduce__(self) -> tuple[type["KhorosError"], tuple[str], dict[str, object]]:
        """Leave the job behind: it is tied to a client and its credentials. Its token is in most messages."""
        return (type(self), (str(self),), {**self.__dict__, "job": None})


def _callers_lines(error: BaseException) -> list[str]:
    """Return what a notebook shows of a mistake that the caller's own line explains best."""
    from ._tracebacks import callers_lines  # noqa: PLC0415 - only a notebook asks for it

    return callers_lines(error)


class ConfigurationError(KhorosError, ValueError):
    """The client cannot work with what it was given: a missing credential, an unusable URL or limit."""

    def _render_traceback_(self) -> list[str]:
        return _callers_lines(self)


class ParameterError(KhorosError, ValueError):
    """One or more arguments of a call are wrong. Nothing was sent.

    Attributes:
        problems: One sentence for each wrong argument.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **about: _Unpack[_About]) -> None:
        super().__init__(message, **about)
        self.problems: tuple[str, ...] = problems or (message,)

    def _render_traceback_(self) -> list[str]:
        return _callers_lines(self)


class TransportError(KhorosError, ConnectionError):
    """No usable answer came back: no connection, a broken one, or a wait that was too long for one read.

    Attributes:
        transient: Whether the same call may well succeed a little later.
    """

    def __init__(self, message: str, *, transient: bool = True, **about: _Unpack[_About]) -> None:
        super().__init__(message, **about)
        self.transient = transient


class ApiError(KhorosError):
    """The server answered, but not with what was asked for.

    Attributes:
        status_code: The HTTP status of that answer, or None where no request was made.
        retry_after: The seconds that the server asks to wait, or None where it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        retry_after: float | None = None,
        **about: _Unpack[_About],
    ) -> None:
        super().__init__(message, **about)
        self.status_code = status_code
        self.retry_after = retry_after


class AuthenticationError(ApiError):
    """The server does not accept the user, the password or the company key (401, 403)."""


class RequestRejectedError(ApiError):
    """The server refuses the request itself: a FAIL in its envelope, or a status such as 400 or 404."""


class RateLimitError(ApiError):
    """The server says that there were too many requests (429); ``retry_after`` where it says when to come back."""


class ServerError(ApiError):
    """The server or a gateway before it failed (5xx); ``retry_after`` where it says when to come back."""


class UnexpectedReplyError(ApiError):
    """The answer is none that the API's documentation knows: an HTML page, nothing at all, broken JSON."""


class UntrustedUrlError(ApiError):
    """The server named a URL that must not be followed: another scheme, credentials in it, or no host."""


class JobError(KhorosError):
    """Something is wrong with an export on the server."""


class JobFailedError(JobError):
    """The server gave the export up, or closed it without ever offering a file."""


class JobTimeoutError(JobError, TimeoutError):
    """The time that was given is over. The export itself goes on: look at it again with the job or its token."""


class DownloadError(KhorosError):
    """The export is ready, but its file could not be brought to disk. The target is as it was before."""


class DownloadExpiredError(DownloadError):
    """The export is gone from the server: it keeps a file for 24 hours."""


class IncompleteDownloadError(DownloadError):
    """The file did not arrive whole, again and again."""


class TargetError(DownloadError, OSError):
    """The place on disk cannot take the file: no such folder, read-only, full.

    Attributes:
        path: The place.
    """

    def __init__(
        self,
        message: str,
        *,
        path: _Path | None = None,
        errno: int | None = None,
        **about: _Unpack[_About],
    ) -> None:
        super().__init__(message, **about)
        self.path = path
        self.errno = errno

    def __reduce__(self) -> tuple[type[KhorosError], tuple[str], dict[str, object]]:
        """Keep the operating system's number, which lives outside of the attributes."""
        kind, arguments, state = super().__reduce__()
        return (kind, arguments, {**state, "errno": self.errno})


class TargetExistsError(TargetError, FileExistsError):
    """A file is already there, and nobody said that it may be overwritten."""


class ExportFormatError(DownloadError, ValueError):
    """The file is whole, but its content is damaged, cut off, or no export at all. No row was left out silently.

    Attributes:
        row: The number of the row, from 1 on, not counting the header; None where it is about no row.
        offset: Where it is, in bytes from the beginning: of the row, or of the very place where that is known. In a
            compressed file or one in UTF-16 it counts the bytes of the plain text in UTF-8. None where it is about no
            place.
    """

    def __init__(
        self,
        message: str,
        *,
        row: int | None = None,
        offset: int | None = None,
        **about: _Unpack[_About],
    ) -> None:
        super().__init__(message, **about)
        self.row = row
        self.offset = offset
