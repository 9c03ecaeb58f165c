"""What an export costs in requests, and that no 60 seconds see more of them than the quota allows.

Clients and sandbox share a clock on which threads sleep side by side: it stands still while anybody works, and jumps to
the next moment at which somebody wakes as soon as all sleep. So hours of waiting for the quota pass in seconds, and the
sandbox's records show when each request would have arrived.
"""

import heapq
import math
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _figures import Figure, at_most, conclude, exactly, print_table

from khoros_analytics import Client
from khoros_analytics.reports import REQUESTS_PER_MINUTE
from khoros_analytics.sandbox import RecordedRequest, Sandbox, VirtualClock

MINUTE = 60.0
ROUNDING = 0.001  # a sum of floats may miss a full minute by a little
EXPORTS = 128
WINDOW = ("2019-02-01", "2019-05-01")
CROWDS = {"1 thread": (1, 1), "8 threads": (8, 1), "32 threads": (32, 1), "32 threads, a client each": (32, 32)}
"""How many threads there are, and how many clients they share."""


class SharedClock(VirtualClock):
    """A virtual clock for many threads: it jumps when all that work by it sleep, to the first who wakes."""

    def __init__(self) -> None:
        super().__init__()
        self._change = threading.Condition()
        self._awake = 0
        self._wakings: list[float] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count this thread among those that must sleep before time may pass."""
        with self._change:
            self._awake += 1
        try:
            yield
        finally:
            with self._change:
                self._awake -= 1
                self._jump_if_all_sleep()

    def sleep(self, seconds: float) -> None:
        with self._change:
            waking = self._now + max(seconds, 0.0)
            heapq.heappush(self._wakings, waking)
            self._awake -= 1
            self._jump_if_all_sleep()
            self._change.wait_for(lambda: self._now >= waking)

    def _jump_if_all_sleep(self) -> None:
        if self._awake or not self._wakings:
            return
        self._now = max(self._now, self._wakings[0])
        # Whoever wakes is awake from this moment on, even before its thread runs again.
        while self._wakings and self._wakings[0] <= self._now:
            heapq.heappop(self._wakings)
            self._awake += 1
        self._change.notify_all()


def to_the_api(sandbox: Sandbox) -> list[RecordedRequest]:
    """Return the requests that count; the file behind the link lies on another host, outside of the quota."""
    return [request for request in sandbox.requests if request.origin == "api"]


def busiest_minute(moments: list[float]) -> int:
    """Return the largest number of moments in any 60 seconds."""
    moments = sorted(moments)
    return max(bisect_left(moments, moment + MINUTE - ROUNDING) - number for number, moment in enumerate(moments))


def one_export() -> Figure:
    """Count the requests for an export that is done at the first poll."""
    with Sandbox(polls=1) as sandbox, Client(**sandbox.settings) as client, tempfile.TemporaryDirectory() as folder:
        client.conversation(*WINDOW).download(folder)
        return exactly("requests for one export", len(to_the_api(sandbox)), 3)


def crowd(threads: int, clients: int) -> list[float]:
    """Let threads make exports at once; return when each request arrived."""
    clock = SharedClock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(Sandbox(polls=1, rows=1, clock=clock))
        shared = [stack.enter_context(Client(**sandbox.settings)) for _ in range(clients)]
        started = threading.Barrier(threads)

        def work(number: int) -> None:
            with clock.at_work():
                started.wait()
                for export in range(number, EXPORTS, threads):
                    shared[number % clients].conversation(*WINDOW).download(folder / f"{export}.csv")

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        return [request.time for request in to_the_api(sandbox)]


def main() -> None:
    """Count, print the table, and judge."""
    figures, rows = [one_export()], []
    for name, (threads, clients) in CROWDS.items():
        moments = crowd(threads, clients)
        figures.append(at_most(f"requests in any minute, {name}", busiest_minute(moments), REQUESTS_PER_MINUTE))
        # The first minute's requests can all leave at its beginning.
        best = math.ceil(len(moments) / REQUESTS_PER_MINUTE) - 1
        rows.append((name, len(moments), f"{(max(moments) - min(moments)) / MINUTE:.1f}", best))
    print_table(f"{EXPORTS} exports at once", ("", "requests", "minutes", "at best"), rows)
    conclude(figures)


if __name__ == "__main__":
    main()
