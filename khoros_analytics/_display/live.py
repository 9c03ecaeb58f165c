"""Keeps what is shown up to date while somebody else waits, and never gets into their way."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context

from .screens import Screen, find_screen
from .snapshot import Snapshot

__all__ = ["shown"]

log = logging.getLogger("khoros_analytics")

_EVERY = 0.5  # how often it is looked at, in seconds of the machine's own time; only what has changed is drawn
_PATIENCE = 1.0  # how long the end of a wait is held up by a screen that takes nothing, in seconds


@contextmanager
def shown(
    progress: bool | None,  # noqa: FBT001 - it is what the caller of a client gave
    look: Callable[[], Snapshot],
    ended: Callable[[BaseException | None], Snapshot],
    *,
    delay: float = 0.0,
) -> Iterator[None]:
    """Show how the block goes on, where somebody is looking, and how it ended.

    A block that takes less than ``delay`` seconds is not worth it. ``look`` is called from another thread. An error of
    it, or of the place where it is shown, ends the showing and nothing else.
    """
    live = None if progress is False else _start(progress, look, delay)
    if live is None:
        yield
        return
    try:
        yield
    except BaseException as error:
        live.end(ended, error)
        raise
    live.end(ended, None)


def _start(
    progress: bool | None,  # noqa: FBT001 - as above
    look: Callable[[], Snapshot],
    delay: float,
) -> "_Live | None":
    try:
        screen = find_screen(progress)
    except Exception as error:  # noqa: BLE001 - whatever IPython or tqdm may raise, the wait goes on
        _give_up(error)
        return None
    return None if screen is None else _Live(screen, look, delay)


def _give_up(error: Exception) -> None:
    log.debug("the progress is not shown: %s: %s", type(error).__name__, error)


class _Live:
    """One place on a screen, and the thread that keeps it up to date."""

    def __init__(self, screen: Screen, look: Callable[[], Snapshot], delay: float) -> None:
        self._screen = screen
        self._look = look
        self._delay = delay
        self._drawn: Snapshot | None = None
        self._broken = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        if not delay:
            self._draw(look)
        # In the context of who waits: a kernel finds the cell by it.
        thread = threading.Thread(
            target=copy_context().run, args=(self._keep,), name="khoros_analytics progress", daemon=True
        )
        with suppress(RuntimeError):  # where no thread can be started, the beginning and the end are shown
            thread.start()

    def end(self, ended: Callable[[BaseException | None], Snapshot], error: BaseException | None) -> None:
        """Show how it ended, and nothing more."""
        self._over.set()
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                if self._drawn is not None:
                    self._draw(lambda: ended(error))
                    self._safely(self._screen.close)
            finally:
                self._lock.release()

    def _keep(self) -> None:
        while not self._over.wait(_EVERY if self._drawn else self._delay):
            self.refresh()

    def refresh(self) -> None:
        """Draw how it stands, unless it is over."""
        with self._lock:
            if not self._over.is_set():
                self._draw(self._look)

    def _draw(self, look: Callable[[], Snapshot]) -> None:
        def draw_what_changed() -> None:
            snapshot = look()
            if snapshot != self._drawn:
                self._drawn = snapshot
                self._screen.draw(snapshot)

        self._safely(draw_what_changed)

    def _safely(self, act: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever a screen may raise, the wait goes on
            self._broken = True
            _give_up(error)
