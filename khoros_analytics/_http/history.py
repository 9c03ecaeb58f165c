"""What was done for one job, and where its time went."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby

from attrs import frozen

from .._clock import Clock
from .._secrecy import unfinished

__all__ = ["Attempt", "History", "Pause"]

log = logging.getLogger("khoros_analytics")

_MAX_ATTEMPTS = 1000
_SHOWN_ATTEMPTS = 4


@frozen
class Attempt:
    """One line of a job's history.

    Attributes:
        at: When it began.
        phase: What it was for: create, status or download.
        outcome: What came of it.
        waited: The seconds that were waited for it.
        reason: What they were waited for: the next poll, the quota, a repetition; an empty text for nothing.
    """

    at: datetime
    phase: str
    outcome: str
    waited: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        waited = f" after {self.waited:.1f} s ({self.reason})" if self.reason else ""
        return f"{self.at:%H:%M:%S} {self.phase}{waited}: {self.outcome}"


@frozen
class Pause:
    """What is being waited for just now.

    Attributes:
        reason: What for: the next poll, the quota, a repetition.
        until: Until when, on the monotonic clock; None where nobody knows.
    """

    reason: str
    until: float | None = None


def _in_short(attempts: Iterable[Attempt]) -> list[str]:
    """Return each attempt as a text, and of those in a row that came to the same only the last, with their number."""
    rows = [list(row) for _, row in groupby(attempts, lambda attempt: (attempt.phase, attempt.outcome))]
    return [str(row[-1]) if len(row) == 1 else f"{len(row)} times, lastly {row[-1]}" for row in rows]


class History:
    """The attempts of one job, and the waits before each. Appending is safe for threads.

    ``log`` adds ``about`` to each line, for those who filter by job or report.
    """

    def __init__(self, clock: Clock, **about: str) -> None:
        self._clock = clock
        self.log: logging.LoggerAdapter[logging.Logger] = logging.LoggerAdapter(log, about)
        self._lock = threading.RLock()
        self._attempts: deque[Attempt] = deque(maxlen=_MAX_ATTEMPTS)
        self._pending: Counter[str] = Counter()
        self._waited: Counter[str] = Counter()
        self._held_up = 0.0
        self._asked = 0.0
        self._count = 0
        self.pause: Pause | None = None

    @unfinished
    def __repr__(self) -> str:
        return f"<History: {self.summary()}>"

    def attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts, oldest first; of very many, the last thousand."""
        with self._lock:
            return tuple(self._attempts)

    def waited(self, reason: str, seconds: float) -> None:
        """Note a wait; it belongs to the attempt that follows."""
        with self._lock:
            if seconds > 0:
                self._pending[reason] += seconds  # type: ignore[assignment]  # a Counter counts seconds as well
                self._waited[reason] += seconds  # type: ignore[assignment]

    def held_up(self, reason: str, seconds: float) -> None:
        """Note a wait within the attempt that is under way; it is not a part of the time that the attempt takes."""
        with self._lock:
            self.waited(reason, seconds)
            self._held_up += seconds

    def sleeper(self, reason: str) -> Callable[[float], None]:
        """Return a function that sleeps, and notes what for."""

        def sleep(seconds: float) -> None:
            with self.pausing(reason, seconds):
                self._clock.sleep(seconds)
            self.waited(reason, seconds)

        return sleep

    @contextmanager
    def pausing(self, reason: str, seconds: float | None = None) -> Iterator[None]:
        """Let it be known, for those who look meanwhile, what the block waits for and how long."""
        self.pause = Pause(reason, None if seconds is None else self._clock.monotonic() + seconds)
        try:
            yield
        finally:
            self.pause = None

    def attempted(self, phase: str, began: float, outcome: str) -> None:
        """Note an attempt that has just ended."""
        with self._lock:
            took = max(0.0, self._clock.monotonic() - began - self._held_up)
            self._held_up = 0.0
            at = datetime.fromtimestamp(self._clock.time() - took, UTC)
            pending, self._pending = self._pending, Counter()
            waited = float(sum(pending.values()))
            self._attempts.append(Attempt(at, phase, outcome, waited, ", ".join(pending)))
            self._asked += took
            self._count += 1

    def summary(self) -> str:
        """Return the last attempts and where the time went, in one line."""
        with self._lock:
            times = [
                f"{self._asked:.1f} s asking",
                *(f"{seconds:.1f} s {why}" for why, seconds in self._waited.items()),
            ]
            last = "; ".join(_in_short(self._attempts)[-_SHOWN_ATTEMPTS:]) or "none"
            count = f"{self._count} request{'' if self._count == 1 else 's'}"
            return f"{count}, {', '.join(times)}; the last: {last}"
