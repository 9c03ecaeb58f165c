"""What the end-to-end tests share: sandboxes as slow as the API, and a clock for many threads."""

import heapq
import itertools
import threading
import time
from contextlib import contextmanager
from typing import Any

import pytest

from khoros_analytics import Clock


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    """Sandboxes are as slow as the API."""
    return {}


class CrowdClock(Clock):
    """A virtual clock for many threads: it jumps to the next waking when all that take part are asleep.

    So the time that something real takes, such as a request under way, is no time at all.
    """

    def __init__(self) -> None:
        self._now = 1_556_712_000.0
        self._lock = threading.Lock()
        self._present = 0
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    @contextmanager
    def taking_part(self):
        """Count the block's thread among those that have to be asleep."""
        with self._lock:
            self._present += 1
        try:
            yield
        finally:
            with self._lock:
                self._present -= 1
                self._jump()

    def sleep(self, seconds: float) -> None:
        woken = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._numbers), woken))
            self._jump()
        assert woken.wait(30), "somebody sleeps for ever"

    def _jump(self) -> None:
        if self._sleepers and len(self._sleepers) >= self._present:
            self._now = self._sleepers[0][0]
            while self._sleepers and self._sleepers[0][0] <= self._now:
                heapq.heappop(self._sleepers)[2].set()

    @contextmanager
    def alarm(self, seconds, expire):
        yield


@pytest.fixture
def crowd(monkeypatch) -> CrowdClock:
    """A virtual clock for many threads. It never overtakes a request, so moments of the machine's own may be short."""
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: sleep(min(seconds, 0.001)))
    return CrowdClock()
