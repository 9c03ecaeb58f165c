"""What somebody sees of one call that does not get through at once, and what any wait of a history is for."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from .._clock import Clock
from .._display.live import shown
from .._display.snapshot import Fact, Snapshot, error_in_words, time_in_words
from .._http.history import History, Pause
from .._http.quota import Room
from .._http.transport import Transport
from ..errors import JobTimeoutError

__all__ = ["pause_facts", "quota_left", "watched_call"]

_DELAY = 1.0  # most calls are answered before anybody could read a card about them


def quota_left(room: Room) -> Fact:
    """Return how much of the quota is unused."""
    left = f"{room.left} of {room.limit}"
    return Fact("quota left", f"{left} requests a minute", f"quota {left}")


def pause_facts(history: History, clock: Clock) -> Iterator[Fact]:
    """Yield what is waited for just now, if anything is."""
    pause = history.pause
    if pause is None:
        return
    if pause.reason == "quota":
        yield Fact("waiting for", "the quota: its next request", "waiting for the quota")
    elif pause.reason == "next poll":
        yield Fact("next poll", _until(pause, clock), f"next poll {_until(pause, clock)}")
    else:
        attempts = history.attempts()
        last = f" (the last one: {attempts[-1].outcome})" if attempts else ""
        yield Fact("next attempt", _until(pause, clock) + last, f"next attempt {_until(pause, clock)}{last}")


def _until(pause: Pause, clock: Clock) -> str:
    return f"in {time_in_words((pause.until or 0.0) - clock.monotonic())}"


class _Call:
    """One call on its way."""

    def __init__(self, transport: Transport, history: History, subject: str) -> None:
        self._transport = transport
        self._history = history
        self._subject = subject
        self._began = transport.clock.monotonic()

    def look(self) -> Snapshot:
        """Return how it stands."""
        facts = (*pause_facts(self._history, self._transport.clock), self._elapsed(), self._quota())
        return Snapshot(title=self._subject, state="asking the server", facts=facts)

    def ended(self, error: BaseException | None) -> Snapshot:
        """Return how it ended."""
        facts = (self._elapsed(),)
        if error is None:
            return Snapshot(title=self._subject, state="answered", facts=facts, outcome="done")
        return Snapshot(
            title=self._subject,
            state=self._transport.redact(error_in_words(error, self._subject)),
            facts=facts,
            outcome="stopped" if isinstance(error, KeyboardInterrupt | JobTimeoutError) else "failed",
        )

    def _elapsed(self) -> Fact:
        elapsed = time_in_words(self._transport.clock.monotonic() - self._began)
        return Fact("elapsed", elapsed, elapsed)

    def _quota(self) -> Fact:
        return quota_left(self._transport.room())


def watched_call(
    transport: Transport, history: History, subject: str, *, progress: bool | None
) -> AbstractContextManager[None]:
    """Show the call of the block where somebody is looking, once it has taken longer than a moment."""
    call = _Call(transport, history, subject)
    return shown(progress, call.look, call.ended, delay=_DELAY)
