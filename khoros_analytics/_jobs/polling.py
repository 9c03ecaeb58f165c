"""When to poll at a job again: often enough to notice its end soon, seldom enough to leave the quota to others."""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_not_result

from .._clock import GRAIN, Deadline

__all__ = ["Durations", "pause", "poll_until"]

FIRST_PAUSE = 3.0
"""The shortest pause between two polls, in seconds, while nothing is known about the job."""
MAX_PAUSE = 15.0
"""The longest pause between two polls, in seconds, while nothing is known about the job."""
_GROWTH = 0.3

# Where past exports agree, the first poll comes just before the fastest of them would have been done.
_EARLY = 0.97
_FINE_GROWTH = 0.135
_SHORTEST_FINE_PAUSE = 1.0
_LONGEST_BLIND = 300.0  # a job may fail early: nobody waits longer than this without a poll

_REMEMBERED = 20
_ENOUGH = 5
_AGREEMENT = 0.35  # the standard deviation of the logarithms: all within about a third of each other
_LAST_POLL = 0.5  # how long before the deadline the last poll comes
_MOST_KEYS = 256

T = TypeVar("T")


class Durations:
    """Remembers how long the last exports of each kind took. Safe for threads.

    ``earlier`` knows how many seconds those of a kind took in earlier runs, oldest first; it is asked once a kind.
    """

    def __init__(self, earlier: Callable[[Any], list[float]] = lambda _: []) -> None:
        self._earlier = earlier
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def note(self, kind: Hashable, seconds: float) -> None:
        """Remember how many seconds one took; those of one kind are expected to take similar times."""
        with self._lock:
            self._of(kind).append(max(seconds, 0.001))

    def seen(self, kind: Hashable) -> list[float]:
        """Return how many seconds the last ones took, oldest first."""
        with self._lock:
            found = self._seen.get(kind) or self._earlier(kind)
            if found:
                self._of(kind)
            return list(found)

    def _of(self, kind: Hashable) -> deque[float]:
        if kind not in self._seen:
            self._seen[kind] = deque(self._earlier(kind), maxlen=_REMEMBERED)
        self._seen.move_to_end(kind)
        if len(self._seen) > _MOST_KEYS:
            self._seen.popitem(last=False)
        return self._seen[kind]

    def fastest(self, kind: Hashable) -> float | None:
        """Return how long the fastest of the last ones took, or None where too few are known or they do not agree."""
        seen = self.seen(kind)
        return min(seen) if len(seen) >= _ENOUGH and _spread(seen) <= _AGREEMENT else None


def _spread(durations: list[float]) -> float:
    """Return the standard deviation of their logarithms."""
    # Not the module statistics: it would make up a tenth of what the import of this package takes.
    logarithms = [math.log(duration) for duration in durations]
    mean = math.fsum(logarithms) / len(logarithms)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in logarithms) / (len(logarithms) - 1))


def pause(age: float, fastest: float | None = None) -> float:
    """Return how long to wait before the next poll, in seconds: about 30 percent of the job's age, between 3 and 15.

    Where the fastest of its kind is known: until just before then, and about 13 percent of the age from there on.

    Example:
        >>> pause(0), pause(20), pause(3600)
        (3.0, 6.0, 15.0)
        >>> pause(0, fastest=100)
        97.0
    """
    if fastest is None:
        return min(max(_GROWTH * age, FIRST_PAUSE), MAX_PAUSE)
    if age + GRAIN < _EARLY * fastest:
        return min(_EARLY * fastest - age, _LONGEST_BLIND)
    return min(max(_FINE_GROWTH * age, _SHORTEST_FINE_PAUSE), max(MAX_PAUSE, _FINE_GROWTH * fastest))


def poll_until(
    poll: Callable[[], T],
    done: Callable[[T], bool],
    *,
    sleep: Callable[[float], None],
    deadline: Deadline,
    age: Callable[[], float],
    fastest: float | None = None,
    pause_first: bool = True,
) -> T | None:
    """Poll again and again until the answer is done; None where the deadline comes first.

    The last poll comes shortly before the deadline. ``age`` and ``fastest`` are in seconds; ``pause_first`` is for a
    job that has just been started.
    """

    def wait(_state: RetryCallState | None) -> float:
        return max(0.0, min(pause(age(), fastest), deadline.remaining() - _LAST_POLL))

    if pause_first:
        sleep(wait(None))
    retrying = Retrying(
        retry=retry_if_not_result(done),
        wait=wait,
        stop=lambda _state: deadline.remaining() <= _LAST_POLL + GRAIN,
        sleep=sleep,
        retry_error_callback=lambda _state: None,
    )
    return retrying(poll)
