"""Time as a parameter: the only place that reads a clock or sleeps."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ._secrecy import unfinished

__all__ = ["GRAIN", "Clock", "Deadline"]

GRAIN = 0.001
"""What is nearer than this, in seconds, counts as now: seconds since 1970, as floats, leave no room for much less."""


class Clock:
    """The machine's own time. Hand another one to a client to decide yourself how time passes."""

    def time(self) -> float:
        """Return the seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never jump, from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Do nothing for so many seconds.

        Args:
            seconds: How long.
        """
        time.sleep(seconds)

    @contextmanager
    def alarm(self, seconds: float, expire: Callable[[], None]) -> Iterator[None]:
        """Call ``expire`` from another thread if the block is still running after so many seconds.

        Args:
            seconds: How long the block may take.
            expire: What to call then, once.
        """
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), expire)
        timer.daemon = True
        try:
            # Where no thread can be started, the timeouts of each read are all there is.
            with suppress(RuntimeError):
                timer.start()
            yield
        finally:
            timer.cancel()


class Deadline:
    """A moment on a clock after which nothing more may be tried.

    Args:
        clock: Whose time counts.
        seconds: How far away it is.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._at = clock.monotonic() + seconds

    @unfinished
    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.1f} s>"

    def remaining(self) -> float:
        """Return the seconds until it, negative once it has passed."""
        return self._at - self.clock.monotonic()

    def passed(self) -> bool:
        """Return whether it has passed."""
        return self.remaining() <= GRAIN

    def within(self, seconds: float) -> "Deadline":
        """Return the earlier of this deadline and one that is so many seconds away.

        Args:
            seconds: How far away the other one is.
        """
        return Deadline(self.clock, min(seconds, self.remaining()))
