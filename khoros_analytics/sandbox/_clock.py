"""The clocks of a sandbox: one that stands still until somebody sleeps on it, and the one a sandbox has by default."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._clock import Clock

__all__ = ["SandboxClock", "VirtualClock"]


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


class SandboxClock(VirtualClock):
    """A sandbox's own clock: it runs, in whole seconds, until a program uses it; from then on it is a virtual clock.

    It starts to run when the sandbox first asks for the time, so with the first request.

    A client that shares it (``Client(**sandbox.settings)``) and a test that sleeps on it decide alone how time passes.
    For curl, and for every other program that knows nothing of it, real time passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running = True
        self._began: float | None = None

    def time(self) -> float:
        """Return the seconds since 1970-01-01 UTC, and stand still from now on."""
        self._stand_still()
        return super().time()

    def monotonic(self) -> float:
        """Return the same seconds, and stand still from now on."""
        return self.time()

    def sleep(self, seconds: float) -> None:
        """Jump ahead, and stand still from now on.

        Args:
            seconds: How far.
        """
        self._stand_still()
        super().sleep(seconds)

    def peek(self) -> float:
        """Return the time for the sandbox itself, which does not count as a program that uses the clock."""
        with self._lock:
            if self._running and self._began is None:
                self._began = time.monotonic()
            return self._now + self._run()

    def jump(self, seconds: float) -> None:
        """Jump ahead for the sandbox itself."""
        super().sleep(seconds)

    def _run(self) -> float:
        """Return the real time that has passed so far and counts. Whole seconds: a short test sees it stand still."""
        return 0.0 if self._began is None else float(math.floor(time.monotonic() - self._began))

    def _stand_still(self) -> None:
        with self._lock:
            self._now += self._run()
            self._running, self._began = False, None
