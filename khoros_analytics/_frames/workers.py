"""Threads for work on parts of a file, as far as the system has any."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TypeVar

__all__ = ["THREADS", "behind", "in_order", "workers"]

THREADS = max(2, min(4, os.cpu_count() or 1))
"""How many threads have Arrow work for them."""

T = TypeVar("T")
U = TypeVar("U")


class _Caller(Executor):
    """Does work at once, in the thread that asks for it."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> "Future[T]":
        future: Future[T] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
            future.set_exception(error)
        return future


@contextmanager
def workers(threads: int) -> Iterator[Executor]:
    """Yield what does work in up to so many threads; in the caller's own where the system starts none."""
    started = _startable(threads)
    with ThreadPoolExecutor(started) if started else _Caller() as executor:
        yield executor


@contextmanager
def behind(work: Callable[[U], object]) -> Iterator[Callable[[U], None]]:
    """Do work in a thread of its own, one item at a time, so that the next one can be made ready meanwhile."""
    pending: Future[object] | None = None
    with workers(1) as pool:

        def submit(item: U) -> None:
            nonlocal pending
            if pending:
                pending.result()
            pending = pool.submit(work, item)

        yield submit
        if pending:
            pending.result()


def in_order(work: Callable[[U], T], items: Iterable[U], threads: int) -> Generator[T, None, None]:
    """Do work on some items at a time, and yield the results in the order of the items."""
    if not threads:
        yield from map(work, items)
        return
    waiting: deque[Future[T]] = deque()
    with workers(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _startable(threads: int) -> int:
    """Return how many threads can be started now. A pool that cannot start one has queued its work all the same."""
    enough = Event()
    started: list[Thread] = []
    try:
        for _ in range(threads):
            thread = Thread(target=enough.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        pass
    finally:
        enough.set()
    for thread in started:
        thread.join()
    return len(started)
