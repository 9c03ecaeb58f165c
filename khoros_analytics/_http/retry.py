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
MAX_RETRY_AFTER = 120.0
"""The longest wait that a server's Retry-After is granted, in seconds."""
_LAST_ATTEMPT = 0.5  # how long before the deadline the last attempt starts

_NOT_NOW = frozenset({408, 425})
_NEVER = frozenset({501, 505, 511})

T = TypeVar("T")


class FailuresInARow:
    """Counts failures since the last progress."""

    def __init__(self) -> None:
        self.count = 0
        self.last: BaseException | None = None

    def progress(self) -> None:
        """Start counting anew: something came through."""
        self.count = 0


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
) -> T:
    """Call until it works, until it may not be repeated, or until the retries without progress are used up.

    The attempt raises a timeout itself once the deadline has passed, and that is never repeated; one more attempt is
    made shortly before. ``failures`` counts for an attempt that can tell progress.
    """
    row = failures or FailuresInARow()

    def repeatable(error: BaseException) -> bool:
        row.last = error
        row.count += 1
        return may_repeat(phase, error)

    def used_up(_state: RetryCallState) -> bool:
        return row.count > retries

    def wait(_state: RetryCallState) -> float:
        return _wait(row, deadline)

    retrying = Retrying(
        retry=retry_if_exception(repeatable),
        stop=used_up,
        wait=wait,
        sleep=sleep,
        before_sleep=_log_retry,
        reraise=True,
    )
    return retrying(lambda: _without_traces(attempt))


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


def _wait(row: FailuresInARow, deadline: Deadline) -> float:
    """Return how long to wait: what the server asks for, or full jitter under an exponential ceiling."""
    asked = getattr(row.last, "retry_after", None)
    if asked is not None:
        # Earlier would be pointless: what is left of the time is waited for, and the deadline ends it.
        return min(float(asked), MAX_RETRY_AFTER, max(0.0, deadline.remaining()))
    ceiling = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(row.count - 1, 10))
    jitter = random.uniform(0, ceiling)  # noqa: S311 - it spreads load, it hides nothing
    remaining = max(0.0, deadline.remaining())
    return min(jitter, remaining - _LAST_ATTEMPT) if remaining > _LAST_ATTEMPT else remaining


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    log.info("%s; trying again in %.1f s", error, pause)
