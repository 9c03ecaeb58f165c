"""At most so many requests in any 60 seconds, for all clients and threads of one account in this process."""

import logging
import math
import os
import threading
import weakref
from collections import deque
from typing import Protocol

from attrs import define, field, frozen

from .._clock import GRAIN, Clock, Deadline
from ..errors import JobTimeoutError

__all__ = ["Quota", "Room", "Share", "SharedCount", "quota_for"]

Lines = logging.Logger | logging.LoggerAdapter[logging.Logger]

log = logging.getLogger("khoros_analytics")

WINDOW = 60.0
"""The length of the sliding window, in seconds."""
MAX_PAUSE = 120.0
"""The longest pause that a server's Retry-After is granted, in seconds."""
SLOW_TIME = 600.0
"""How long it takes until the limit, which a refusal halves, has doubled again, in seconds."""

_TOO_MANY = 429
_MAX_SLEEP = 5.0  # how long another clock sleeps at the most before looking again: limits and queues change meanwhile
# By the machine's own clock one is woken; but who waits shows now and then that it still does. And on Windows, Ctrl-C
# interrupts no such wait.
_MAX_WAIT = 15.0 if os.name == "posix" else 0.5
_ANSWER_POLL = 0.02  # how long another clock waits for other threads by the machine's own time
_ANSWER_POLL_OF_OTHER_CLOCKS = 1.0  # and then by itself, before looking again
_MAX_SILENCE = 60.0  # who has not looked for so long has left the queue without a word
_MAX_REQUEST = 900.0  # and no answer takes longer than this to begin
_MIN_LOGGED_PAUSE = 1.0


@frozen
class Room:
    """How much of a quota is free.

    Attributes:
        seconds: How long until one more request may start.
        spare: The part of the window's requests that is unused, from 0 to 1.
        left: How many requests of the window are unused.
        limit: How many it has.
    """

    seconds: float
    spare: float
    left: int
    limit: int


class SharedCount(Protocol):
    """A count of requests that other processes add to as well."""

    def take(self, limit: int) -> tuple[float, str]:
        """Count one more request where there is room, and return 0 and its mark; else how many seconds to wait."""
        ...

    def answered(self, mark: str) -> None:
        """Note that the answer to a request has begun, or never will."""
        ...

    def leave(self) -> None:
        """Give up the place in the queue of processes."""
        ...


class Share:
    """One client's part in the quota of its account.

    Args:
        quota: The account's quota.
        limit: How many requests in 60 seconds this client allows.
    """

    def __init__(self, quota: "Quota", limit: int) -> None:
        self.quota = quota
        self.limit = limit
        self.requests: int = 0

    def room(self) -> Room:
        """Return how much of the account's quota is free."""
        return self.quota.room()

    def acquire(self, deadline: Deadline, lines: Lines = log, subject: str = "a request") -> float:
        """Wait until one more request may start; return the seconds that it took. Then :meth:`release` must follow."""
        self.quota.add(self)
        waited = self.quota.acquire(deadline, lines, subject)
        self.requests += 1
        return waited

    def release(
        self, status_code: int | None = None, retry_after: float | None = None, lines: Lines = log, subject: str = ""
    ) -> None:
        """Note how the answer to the request has begun, or that it never will."""
        self.quota.release(status_code, retry_after, lines, subject)

    def close(self) -> None:
        """Let the limit of this client count no more."""
        self.quota.remove(self)


@define(eq=False)
class _Turn:
    """A thread's place in the queue: when it last looked, and what wakes it."""

    seen: float
    woken: threading.Event = field(factory=threading.Event)


class Quota:
    """The sliding window of one account. First come, first served; the lowest limit among its clients holds.

    A request counts from its start until 60 seconds after its answer began: whenever within that time the server saw
    it, no 60 seconds of the server's hold more than the limit.

    Where the server refuses a request all the same, somebody else spends the quota, too. All pause, then one asks
    alone; once it is let through the others follow, with half the limit, which then grows again.

    Args:
        clock: Whose time counts.
        shared: The count of all processes, or None where this one counts alone.
    """

    def __init__(self, clock: Clock, shared: SharedCount | None = None) -> None:
        self._clock = clock
        self.shared = shared
        self._lock = threading.Lock()
        self._shares: weakref.WeakSet[Share] = weakref.WeakSet()
        self._queue: dict[int, _Turn] = {}
        self._under_way: list[
            tuple[int, float, str]
        ] = []  # the thread, when it began, and its mark in the shared count
        self._done: deque[float] = deque()
        self._refusals = 0  # in a row
        self._refused_at = self._paused_until = -math.inf
        self._fraction = 1.0  # of the limit, when the pause was over

    def share(self, limit: int) -> Share:
        """Let one more client take part."""
        share = Share(self, limit)
        self.add(share)
        return share

    def add(self, share: Share) -> None:
        """Let a client's limit count, also that of one that was closed and is used again."""
        with self._lock:
            self._shares.add(share)

    def remove(self, share: Share) -> None:
        """Let a client go."""
        with self._lock:
            self._shares.discard(share)
            self._wake_first()

    def idle(self) -> bool:
        """Return whether nobody takes part any more and no past request counts."""
        with self._lock:
            self._forget_old()
            return not (self._shares or self._done or self._under_way)

    def acquire(self, deadline: Deadline, lines: Lines = log, subject: str = "a request") -> float:
        """Wait until one more request may start; return the seconds that it took."""
        started = self._clock.monotonic()
        # A thread waits for one turn at a time: what a Ctrl-C left of it in the queue is taken up by its next one.
        ticket, turn, logged = threading.get_ident(), _Turn(started), False
        try:
            while (pause := self._try(ticket, turn)) > 0:
                if _MIN_LOGGED_PAUSE < pause < math.inf and not logged:
                    logged = True
                    lines.info(
                        "%s: waiting %.0f s for the quota of %d requests a minute", subject, pause, self._limit()
                    )
                self._wait(turn, pause, deadline)
        except BaseException:
            with self._lock:
                self._queue.pop(ticket, None)
                self._wake_first()
            if self.shared is not None and not self._queue:
                self.shared.leave()
            raise
        return self._clock.monotonic() - started

    def room(self) -> Room:
        """Return how much of the quota is free, without a place in the queue."""
        with self._lock:
            self._forget_old()
            now, limit = self._clock.monotonic(), self._lowest()
            counted = len(self._under_way) + len(self._done)
            too_many = counted + len(self._queue) + 1 - limit
            wait = max(0.0, self._paused_until - now)
            if too_many > 0:
                oldest = self._done[min(too_many, len(self._done)) - 1] if self._done else now
                wait = max(wait, oldest + WINDOW - now if self._done else _MAX_SLEEP)
            return Room(wait, max(0.0, 1 - counted / limit), max(0, limit - counted), limit)

    def release(
        self, status_code: int | None = None, retry_after: float | None = None, lines: Lines = log, subject: str = ""
    ) -> None:
        """Note how the answer to this thread's request has begun, or that it never will."""
        thread, began, mark, warning = threading.get_ident(), self._clock.monotonic(), "", ""
        with self._lock:
            for place in reversed(range(len(self._under_way))):
                if self._under_way[place][0] == thread:
                    _, began, mark = self._under_way.pop(place)
                    break
            # Also one that was forgotten meanwhile, since the machine slept in the middle of it: it was made only now.
            self._done.append(self._clock.monotonic())
            if status_code == _TOO_MANY:
                warning = self._refuse(began, retry_after)
            elif status_code is not None:
                self._refusals = 0
            self._wake_first()
        if self.shared is not None and mark:
            self.shared.answered(mark)
        if warning:
            lines.warning("%s%s", f"{subject}: " if subject else "", warning)

    def _refuse(self, began: float, retry_after: float | None) -> str:
        """Pause everybody after a 429, until the server has room again; return what is worth a line in the log.

        Without a Retry-After nobody knows when that is: all wait for a whole window. Nor does one that was wrong before
        tell. What was under way already when the pause began says nothing new.
        """
        now = self._clock.monotonic()
        pause = WINDOW if retry_after is None else min(retry_after, MAX_PAUSE)
        if now < self._paused_until or began < self._refused_at:
            if retry_after is not None:
                self._paused_until = max(self._paused_until, now + pause)
            return ""
        slower = "" if self._refusals else ", then going slower for a while"
        if self._refusals:
            pause = max(pause, min(WINDOW, 2.0**self._refusals))
        else:
            self._fraction = max(self._current_fraction() / 2, 1 / self._lowest_share())
        self._refusals += 1
        self._refused_at, self._paused_until = now, now + pause
        return (
            "the server says that there were too many requests: does another program use this account? "
            f"Waiting {pause:.0f} s{slower}"
        )

    def _wait(self, turn: _Turn, pause: float, deadline: Deadline) -> None:
        """Wait until something has changed, at the most for so long; infinity stands for what other threads do next."""
        remaining = max(0.0, deadline.remaining())
        if type(self._clock) is Clock:
            turn.woken.wait(min(pause, _MAX_WAIT, remaining))
        elif pause < math.inf:
            self._clock.sleep(min(pause, _MAX_SLEEP, remaining))
        elif not turn.woken.wait(_ANSWER_POLL):
            # No clock brings the answers of others nearer: they got a moment first.
            self._clock.sleep(min(_ANSWER_POLL_OF_OTHER_CLOCKS, remaining))
        if deadline.passed():
            raise JobTimeoutError(self._time_is_up())

    def _time_is_up(self) -> str:
        if self._refusals:
            return (
                "the time was up while waiting for room in the account's quota: the server says that there were too "
                "many requests; does another program use this account?"
            )
        return (
            f"the time was up while waiting for the quota of {self._limit()} requests a minute; other exports of this "
            "account use it, too"
        )

    def _try(self, ticket: int, turn: _Turn) -> float:
        """Start a request and return 0, or return how long to wait; infinity stands for what other threads do next."""
        with self._lock:
            now = self._clock.monotonic()
            self._forget_old()
            self._queue[ticket] = turn
            turn.seen = now
            turn.woken.clear()
            ahead = list(self._queue).index(ticket)
            if now < self._paused_until:
                return max(GRAIN, self._paused_until - now)
            too_many = len(self._under_way) + len(self._done) + ahead + 1 - self._lowest()
            if too_many > 0:
                return math.inf if too_many > len(self._done) else max(GRAIN, self._done[too_many - 1] + WINDOW - now)
            if ahead or self._asks_alone(now):
                return math.inf
            wait, mark = (0.0, "") if self.shared is None else self.shared.take(self._lowest())
            if wait > 0:
                return wait
            del self._queue[ticket]
            self._under_way.append((ticket, now, mark))
            self._wake_first()
            return 0.0

    def _wake_first(self) -> None:
        """Let the first one in the queue look again, which is the only one whose turn it can be."""
        for turn in self._queue.values():
            turn.woken.set()
            break

    def _asks_alone(self, now: float) -> bool:
        """Return whether one request finds out, after a refusal, whether there is room again."""
        return self._refusals > 0 and any(
            max(self._refused_at, now - WINDOW) <= began for _, began, _ in self._under_way
        )

    def _limit(self) -> int:
        with self._lock:
            return self._lowest()

    def _lowest(self) -> int:
        return max(1, int(self._lowest_share() * self._current_fraction()))

    def _lowest_share(self) -> int:
        return min((share.limit for share in self._shares), default=1)

    def _current_fraction(self) -> float:
        passed = max(0.0, self._clock.monotonic() - self._paused_until)
        return 1.0 if self._fraction == 1 else min(1.0, self._fraction * 2.0 ** min(passed / SLOW_TIME, 100))

    def _forget_old(self) -> None:
        """Drop what counts no more, and what an interrupt left behind: nobody waits, or asks, for so long unseen."""
        now = self._clock.monotonic()
        while self._done and self._done[0] + WINDOW <= now:
            self._done.popleft()
        self._under_way = [each for each in self._under_way if each[1] + _MAX_REQUEST > now]
        for ticket in [ticket for ticket, turn in self._queue.items() if turn.seen + _MAX_SILENCE <= now]:
            del self._queue[ticket]
            self._wake_first()


_Quotas = dict[str, Quota]

_quotas: _Quotas = {}
_quotas_lock = threading.Lock()


def quota_for(account: str, clock: Clock, limit: int, shared: SharedCount | None = None) -> Share:
    """Take part in the quota of an account; where a client brings a count of all processes, its quota uses that.

    All clocks that show the machine's time are one; what happens on any other clock has nothing to do with that.
    """
    # What counts on another clock lives as long as that clock, and no longer.
    quotas: _Quotas = _quotas if type(clock) is Clock else vars(clock).setdefault("_quotas", {})
    with _quotas_lock:
        for idle in [name for name, quota in quotas.items() if quota.idle()]:
            del quotas[idle]
        quota = quotas.setdefault(account, Quota(clock))
        quota.shared = quota.shared or shared
        return quota.share(limit)
