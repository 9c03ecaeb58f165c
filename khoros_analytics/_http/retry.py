"""Whether and when a request is sent again, after what it was for: starting an export twice is worse than an error."""

import logging
import random
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from .._clock import Deadline
from .._protocol.messages import Phase
from ..errors import (
    IncompleteDownloadError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

__all__ = ["FailuresInARow", "is_transient", "may_repeat", "repeat"]

log = logging.getLogger("khoros_analytics")

FIRST_PAUSE = 0.5
"""The longest wait before the first repetition, in seconds; it doubles each time."""
MAX_PAUSE = 20.0
"""The longest wait before any repetition, in seconds."""
MAX_PATIENT_PAUSE = 60.0
"""The longest wait before a repetition of a call that goes on until its deadline, in seconds."""
MAX_RETRY_AFTER = 120.0
"""The longest wait that a server's Retry-After is granted, in seconds."""
_LAST_ATTEMPT = 0.5  # how long before the deadline the last attempt starts

_NOT_NOW = frozenset({408, 425})
_NEVER = frozenset({501, 505, 511})

T = TypeVar("T")


class FailuresInARow:
    """Counts failures since the last progress, and says in the log when a row of them begins and ends.

    ``rejected`` counts those in which an answer came, but not the file: to wait does not mend that.
    """

    def __init__(self, subject: str = "", log: logging.Logger | logging.LoggerAdapter[logging.Logger] = log) -> None:
        self.count = 0
        self.rejected = 0
        self.last: BaseException | None = None
        self.subject = subject
        self.log = log

    def add(self, error: BaseException, *, outage: bool) -> None:
        """Count one more."""
        self.last = error
        self.count += 1
        self.rejected += not outage

    def last_words(self) -> str:
        """Return what the last error said, without what it is about."""
        text = str(self.last)
        return text.removeprefix(self.subject).lstrip(":, ") if self.subject else text

    def progress(self) -> None:
        """Start counting anew: something came through."""
        if self.count and self.subject:
            self.log.info("%s: it goes on after %d failed attempts", self.subject, self.count)
        self.count = self.rejected = 0


def is_transient(error: BaseException) -> bool:
    """Return whether the same request may well succeed a little later."""
    if isinstance(error, TransportError):
        return error.transient
    if isinstance(error, ServerError):
        return error.status_code not in _NEVER
    if isinstance(error, RequestRejectedError):
        return error.status_code in _NOT_NOW
    return isinstance(error, RateLimitError | UnexpectedReplyError | IncompleteDownloadError)


def may_repeat(phase: Phase, error: BaseException) -> bool:
    """Return whether a request may be sent again.

    Starting an export is repeated only when the server certainly did not act on it; all else on anything transient.
    """
    if phase is not Phase.CREATE:
        return is_transient(error)
    return is_transient(error) and getattr(error, "may_have_started", None) is False


def repeat(
    attempt: Callable[[], T],
    phase: Phase,
    *,
    sleep: Callable[[float], None],
    deadline: Deadline,
    retries: int,
    failures: FailuresInARow | None = None,
    patient: bool = False,
) -> T:
    """Call until it works, until it may not be repeated, or until the retries without progress are used up.

    A patient call goes on through every outage until the deadline, and so does any call that has retries through 429.
    The attempt raises a timeout itself once the deadline has passed, and that is never repeated; one more attempt is
    made shortly before. ``failures`` counts for an attempt that can tell progress.
    """
    row = failures or FailuresInARow()

    def repeatable(error: BaseException) -> bool:
        if isinstance(error, JobTimeoutError):
            return False
        row.add(error, outage=_is_outage(phase, error) if patient else retries > 0 and _is_refusal(error))
        return may_repeat(phase, error)

    def used_up(_state: RetryCallState) -> bool:
        if patient and row.last is not None and _is_outage(phase, row.last):
            return False
        return row.rejected > (1 if patient and _is_no_export(phase, row.last) else retries)

    def wait(_state: RetryCallState) -> float:
        return _wait(row, deadline, patient=patient)

    def before_sleep(state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        begins = patient and row.count == 1
        level = logging.WARNING if begins else logging.DEBUG if patient else logging.INFO
        until = f", and again for up to {deadline.remaining():.0f} s" if begins else ""
        about = f"{row.subject}: " if row.subject not in str(row.last) else ""
        row.log.log(level, "%s%s; trying again in %.1f s%s", about, row.last, pause, until)

    retrying = Retrying(
        retry=retry_if_exception(repeatable),
        stop=used_up,
        wait=wait,
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )
    result = retrying(lambda: _without_traces(attempt))
    if patient:
        row.progress()
    return result


def _is_outage(phase: Phase, error: BaseException) -> bool:
    """Return whether to wait may mend it, however long: everything but an answer of the file's host that is no file."""
    return not isinstance(error, IncompleteDownloadError) and not _is_no_export(phase, error)


def _is_refusal(error: BaseException) -> bool:
    """Return whether somebody else spends the quota: there is room again, but after how many attempts nobody knows."""
    return isinstance(error, RateLimitError)


def _is_no_export(phase: Phase, error: BaseException | None) -> bool:
    """Return whether something else came in place of the file, such as a page that asks to sign in."""
    return phase is Phase.DOWNLOAD and isinstance(error, UnexpectedReplyError)


def _without_traces(attempt: Callable[[], T]) -> T:
    """Call, and let an error bring nothing along but its own words.

    The frames that it came through, and the errors that it came from, hold URLs and bodies with secrets in them; crash
    reporters write all of that down.
    """
    try:
        return attempt()
    except KhorosError as error:
        failure = error.with_traceback(None)
    failure.__cause__ = failure.__context__ = None
    raise failure


def _wait(row: FailuresInARow, deadline: Deadline, *, patient: bool) -> float:
    """Return how long to wait: what the server asks for, or jitter under an exponential ceiling."""
    asked = getattr(row.last, "retry_after", None)
    if asked is not None:
        # Earlier would be pointless: what is left of the time is waited for, and the deadline ends it.
        return min(float(asked), MAX_RETRY_AFTER, max(0.0, deadline.remaining()))
    ceiling = min(MAX_PATIENT_PAUSE if patient else MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(row.count - 1, 10))
    jitter = random.uniform(ceiling / 2 if patient else 0.0, ceiling)  # noqa: S311 - it spreads load, it hides nothing
    remaining = max(0.0, deadline.remaining())
    return min(jitter, remaining - _LAST_ATTEMPT) if remaining > _LAST_ATTEMPT else remaining
