"""Threads for work on parts of a file, as far as the system has any."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TypeVar

__all__ = ["behind", "workers"]

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
