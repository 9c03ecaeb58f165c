"""A clock for the sandbox and for tests: it stands still until somebody sleeps on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._clock import Clock

__all__ = ["VirtualClock"]


class VirtualClock(Clock):
    """A clock that stands still until somebody sleeps, and then jumps: nothing ever waits for real.

    Args:
        now: Its first moment, in seconds since 1970-01-01 UTC.
    """

    def __init__(self, now: float = 1_556_712_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def time(self) -> float:
        """Return the seconds since 1970-01-01 UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the same seconds: this clock never jumps back."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Jump ahead.

        Args:
            seconds: How far.
        """
        with self._lock:
            self._now += max(seconds, 0.0)

    @contextmanager
    def alarm(self, seconds: float, expire: Callable[[], None]) -> Iterator[None]:  # noqa: ARG002 - as in Clock
        """Never expire: while a block waits for something real, this clock stands still.

        Args:
            seconds: Not used.
            expire: Not used.
        """
        yield
