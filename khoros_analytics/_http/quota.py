"""At most so many requests in any 60 seconds, for all clients and threads of one account in this process."""

import logging
import math
import threading
import weakref
from collections import deque

from .._clock import Clock, Deadline
from ..errors import JobTimeoutError

__all__ = ["Quota", "Share", "quota_for"]

log = logging.getLogger("khoros_analytics")

WINDOW = 60.0
"""The length of the sliding window, in seconds."""
MAX_PAUSE = 120.0
"""The longest pause that a server's Retry-After is granted, in seconds."""
SLOW_TIME = 600.0
"""How long it takes until the limit has grown back after a refusal, from half of it, in seconds."""

_QUEUE_POLL = 0.005  # how soon to look again whether those ahead in the queue have gone
_MAX_SLEEP = 5.0  # how long to sleep at the most before looking again: limits and queues change meanwhile
_ANSWER_POLL = 0.02  # how long to wait for the answers of others by the machine's own time
_ANSWER_POLL_OF_OTHER_CLOCKS = 1.0  # and by another clock, before looking again
_MAX_SILENCE = 60.0  # who has not looked for so long has left the queue without a word
_MAX_REQUEST = 900.0  # and no answer takes longer than this to begin
_MACHINE_CLOCK = Clock()
_MIN_LOGGED_PAUSE = 1.0


class Share:
    """One client's part in the quota of its account.

    Args:
        quota: The account's quota.
        limit: How many requests in 60 seconds this client allows.
    """

    def __init__(self, quota: "Quota", limit: int) -> None:
        self.quota = quota
        self.limit = limit

    def acquire(self, deadline: Deadline) -> float:
        """Wait until one more request may start; return the seconds that it took. Then :meth:`release` must follow."""
        self.quota.add(self)
        return self.quota.acquire(deadline)

    def release(self) -> None:
        """Note that the answer to the request has begun, or never will."""
        self.quota.release()

    def refused(self, retry_after: float | None) -> None:
        """Note that the server refused a request because there were too many."""
        self.quota.refused(retry_after)

    def close(self) -> None:
        """Let the limit of this client count no more."""
        self.quota.remove(self)


class Quota:
    """The sliding window of one account. First come, first served; the lowest limit among its clients holds.

    A request counts from its start until 60 seconds after its answer began: whenever within that time the server saw
    it, no 60 seconds of the server's hold more than the limit.

    Args:
        clock: Whose time counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shares: weakref.WeakSet[Share] = weakref.WeakSet()
        self._queue: dict[int, float] = {}
        self._under_way: list[tuple[int, float]] = []
        self._done: deque[float] = deque()
        self._paused_until = self._slow_since = -math.inf

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

    def idle(self) -> bool:
        """Return whether nobody takes part any more and no past request counts."""
        with self._lock:
            self._forget_old()
            return not (self._shares or self._done or self._under_way)

    def acquire(self, deadline: Deadline) -> float:
        """Wait until one more request may start; return the seconds that it took."""
        started = self._clock.monotonic()
        # A thread waits for one turn at a time: what a Ctrl-C left of it in the queue is taken up by its next one.
        ticket, logged = threading.get_ident(), False
        try:
            while (pause := self._try(ticket)) > 0:
                if _MIN_LOGGED_PAUSE < pause < math.inf and not logged:
                    logged = True
                    log.info("waiting %.0f s for the quota of %d requests a minute", pause, self._limit())
                self._sleep(pause, deadline)
        except BaseException:
            with self._lock:
                self._queue.pop(ticket, None)
            raise
        return self._clock.monotonic() - started

    def release(self) -> None:
        """Note that the answer to this thread's request has begun, or never will."""
        thread = threading.get_ident()
        with self._lock:
            for place in reversed(range(len(self._under_way))):
                if self._under_way[place][0] == thread:
                    del self._under_way[place]
                    break
            # Also one that was forgotten meanwhile, since the machine slept in the middle of it: it was made only now.
            self._done.append(self._clock.monotonic())

    def refused(self, retry_after: float | None) -> None:
        """Pause everybody after a 429, until the server has room again.

        Without a Retry-After nobody knows when that is, but another program spends the quota: all wait for a whole
        window, and are slow for a while.
        """
        with self._lock:
            now = self._clock.monotonic()
            begins = now >= self._paused_until
            pause = WINDOW if retry_after is None else min(retry_after, MAX_PAUSE)
            self._paused_until = max(self._paused_until, now + pause)
            if retry_after is None:
                self._slow_since = self._paused_until
        if begins:
            log.warning(
                "the server says that there were too many requests: does another program use this account? "
                "Waiting %.0f s%s",
                pause,
                ", then going slower for a while" if retry_after is None else "",
            )

    def _sleep(self, pause: float, deadline: Deadline) -> None:
        remaining = max(0.0, deadline.remaining())
        if pause == math.inf:
            # Other threads are asking the server, and no clock brings their answers nearer: they get a moment first.
            _MACHINE_CLOCK.sleep(_ANSWER_POLL)
            pause = 0.0 if type(self._clock) is Clock else _ANSWER_POLL_OF_OTHER_CLOCKS
        self._clock.sleep(min(pause, _MAX_SLEEP, remaining))
        if deadline.passed():
            raise JobTimeoutError(
                f"the time was up while waiting for the quota of {self._limit()} requests a minute; "
                "other exports of this account use it, too"
            )

    def _try(self, ticket: int) -> float:
        """Start a request and return 0, or return how long to wait; infinity stands for until an answer has come."""
        with self._lock:
            now = self._clock.monotonic()
            self._forget_old()
            self._queue[ticket] = now
            ahead = list(self._queue).index(ticket)
            if now < self._paused_until:
                return max(_QUEUE_POLL, self._paused_until - now)
            too_many = len(self._under_way) + len(self._done) + ahead + 1 - self._lowest()
            if too_many <= 0 and ahead == 0:
                del self._queue[ticket]
                self._under_way.append((ticket, now))
                return 0.0
            if too_many <= 0:
                return _QUEUE_POLL
            if too_many > len(self._done):
                return math.inf
            return max(_QUEUE_POLL, self._done[too_many - 1] + WINDOW - now)

    def _limit(self) -> int:
        with self._lock:
            return self._lowest()

    def _lowest(self) -> int:
        lowest = min((share.limit for share in self._shares), default=1)
        slow_for = max(0.0, self._clock.monotonic() - self._slow_since)
        return lowest if slow_for >= SLOW_TIME else max(1, int(lowest * (0.5 + 0.5 * slow_for / SLOW_TIME)))

    def _forget_old(self) -> None:
        """Drop what counts no more, and what an interrupt left behind: nobody waits, or asks, for so long unseen."""
        now = self._clock.monotonic()
        while self._done and self._done[0] + WINDOW <= now:
            self._done.popleft()
        self._under_way = [(thread, since) for thread, since in self._under_way if since + _MAX_REQUEST > now]
        for ticket in [ticket for ticket, seen in self._queue.items() if seen + _MAX_SILENCE <= now]:
            del self._queue[ticket]


_Quotas = dict[str, Quota]

_quotas: _Quotas = {}
_quotas_lock = threading.Lock()


def quota_for(account: str, clock: Clock, limit: int) -> Share:
    """Take part in the quota of an account.

    All clocks that show the machine's time are one; what happens on any other clock has nothing to do with that.
    """
    # What counts on another clock lives as long as that clock, and no longer.
    quotas: _Quotas = _quotas if type(clock) is Clock else vars(clock).setdefault("_quotas", {})
    with _quotas_lock:
        for idle in [name for name, quota in quotas.items() if quota.idle()]:
            del quotas[idle]
        return quotas.setdefault(account, Quota(clock)).share(limit)
