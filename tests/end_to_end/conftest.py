"""What the end-to-end tests share: a sandbox, clients for it, and clocks on which nothing waits for real."""

import threading
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
        self._condition = threading.Condition()
        self._present = 0
        self._wakings: list[float] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    @contextmanager
    def taking_part(self):
        """Count the block's thread among those that have to be asleep."""
        with self._condition:
            self._present += 1
        try:
            yield
        finally:
            with self._condition:
                self._present -= 1
                self._jump()

    def sleep(self, seconds: float) -> None:
        with self._condition:
            waking = self._now + max(seconds, 0.0)
            self._wakings.append(waking)
            self._jump()
            while self._now < waking:
                assert self._condition.wait(30), "somebody sleeps for ever"
            self._wakings.remove(waking)

    def _jump(self) -> None:
        asleep = [waking for waking in self._wakings if waking > self._now]
        if asleep and len(self._wakings) >= self._present and len(asleep) == len(self._wakings):
            self._now = min(asleep)
            self._condition.notify_all()

    @contextmanager
    def alarm(self, seconds, expire):
        yield


@pytest.fixture
def crowd() -> CrowdClock:
    """A virtual clock for many threads."""
    return CrowdClock()
