"""What to do with the next request: fetch what is ready, poll what should be done, or start another export."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Literal

from attrs import define, frozen

__all__ = ["MAX_ACTIVE", "Action", "Scheduler"]

MAX_ACTIVE = 40
"""How many exports run at once at the most where the caller does not say; the quota feeds no more of them."""

_SURE = 0.95  # an export that is done with this probability is polled before another one is started
_FEW, _MANY, _EASE = (
    0.9,
    0.1,
    3.0,
)  # the probability that a poll needs while the quota is nearly used up, and while it is unused
_REST, _SHORTEST_REST, _LONGEST_REST = 0.02, 0.02, 1.0  # how soon to decide again, of an export's time and in seconds
_MINUTE, _SHARE = 60.0, 0.5  # so much of what is left of the quota may go into polls that nothing else calls for
_OFTEN = 0.1  # such a poll comes no sooner than this part of an export's age after the last one
_REMEMBERED = 50
_FIRST_GUESS = (math.log(60.0), 1.0)  # mean and deviation of the logarithm of seconds, while nothing is known
_WEIGHT = 3.0  # how many durations the first guess is worth
_ROUNDS = 5
_LEAST_MASS = 1e-9
_NARROWEST = 0.2  # the least deviation that is believed
_PROBE_AFTER = 1800.0  # how long after a refusal one more export is dared, in seconds; doubled by each that fails


@frozen
class Action:
    """What to do next.

    Attributes:
        kind: Fetch the file of an export that is ready, poll one that runs, or start one.
        key: The name of its window.
    """

    kind: Literal["fetch", "poll", "start"]
    key: str


@define
class _Export:
    started: float
    seen: float  # when it was last known to be running


class Scheduler:
    """Decides, on times that it is told, and does nothing itself.

    Args:
        max_active: How many exports may run at once.
        durations: How many seconds earlier exports of this kind took, oldest first.
    """

    def __init__(self, max_active: int = MAX_ACTIVE, durations: Iterable[float] = ()) -> None:
        self.limit = self._most = max_active
        self._durations = deque(((each, each) for each in durations), _REMEMBERED)
        self._fit: tuple[float, float] | None = None
        self._pending: deque[str] = deque()
        self._active: OrderedDict[str, _Export] = OrderedDict()
        self._ready: deque[str] = deque()
        self._refused_at = -math.inf
        self._probe_after = _PROBE_AFTER

    @property
    def active(self) -> int:
        """How many exports run, as far as anybody knows."""
        return len(self._active)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return not (self._pending or self._active or self._ready)

    # --- what happened ---------------------------------------------------------------------------------------------

    def add(self, key: str, *, first: bool = False) -> None:
        """Note a window that is to be exported."""
        self._pending.insert(0 if first else len(self._pending), key)

    def started(self, key: str, now: float, age: float = 0.0) -> None:
        """Note an export that runs, maybe for some time."""
        self._active[key] = _Export(now - age, now - age)

    def running(self, key: str, now: float) -> None:
        """Note that a poll found it still running."""
        self._active[key].seen = now

    def ready(self, key: str, now: float) -> None:
        """Note that a poll found it done."""
        export = self._active.pop(key)
        self._durations.append((export.seen - export.started, now - export.started))
        self._fit = None
        self._ready.append(key)

    def gone(self, key: str) -> None:
        """Note that an export failed, or that nobody knows what came of it."""
        self._active.pop(key, None)

    def fetch_again(self, key: str) -> None:
        """Note that the file has to be fetched once more."""
        self._ready.append(key)

    def refused(self, now: float) -> None:
        """Note that the server refused to start one more export than run already."""
        if self.limit > len(self._active) + 1 or self._refused_at == -math.inf:
            self._probe_after = _PROBE_AFTER
        else:
            self._probe_after *= 2
        self.limit = max(1, min(self.limit, len(self._active)))
        self._refused_at = now

    # --- what to do ------------------------------------------------------------------------------------------------

    def next(self, now: float, spare: float, left: int = 0) -> Action | None:
        """Return what to do with the next request, or None to wait a moment.

        ``spare`` is the part of the quota that is free, from 0 to 1, and ``left`` how many requests that are.
        """
        if self._ready:
            return Action("fetch", self._ready.popleft())
        key, probability = self._likeliest(now)
        if key and probability >= _SURE:
            return Action("poll", key)
        if self._pending and len(self._active) < self._allowed(now):
            return Action("start", self._pending.popleft())
        if key and probability >= max(_MANY, _FEW - _EASE * spare):
            return Action("poll", key)
        if self._active and (overdue := self._long_unseen(now, left)):
            return Action("poll", overdue)
        return None

    def _long_unseen(self, now: float, left: int) -> str:
        """Return an export that can be polled with requests that nobody needs, whatever is known of durations."""
        pause = _MINUTE * len(self._active) / (_SHARE * left) if left else math.inf
        key, export = max(self._active.items(), key=lambda item: (now - item[1].seen) / (now - item[1].started + 1e-9))
        return key if now - export.seen >= max(pause, _OFTEN * (now - export.started)) else ""

    @property
    def pause(self) -> float:
        """How long to wait where nothing is worth a request, in seconds: a small part of what an export takes."""
        return min(_LONGEST_REST, max(_SHORTEST_REST, _REST * math.exp(self._distribution()[0])))

    def _allowed(self, now: float) -> int:
        if self.limit < self._most and now - self._refused_at >= self._probe_after:
            self.limit += 1
            self._refused_at = now
        return self.limit

    def _likeliest(self, now: float) -> tuple[str, float]:
        """Return the export that is done most probably, and with which probability."""
        mean, deviation = self._distribution()

        def runs_longer(seconds: float) -> float:
            if seconds <= 0:
                return 1.0
            return 0.5 * math.erfc((math.log(seconds) - mean) / (deviation * math.sqrt(2)))

        best, highest = "", -1.0
        for key, export in self._active.items():
            before = max(runs_longer(export.seen - export.started), 1e-12)
            probability = 1 - min(1.0, runs_longer(now - export.started) / before)
            if probability > highest:
                best, highest = key, probability
        return best, highest

    def _distribution(self) -> tuple[float, float]:
        """Return mean and deviation of the logarithm of how long exports take."""
        if self._fit is None:
            self._fit = fit(self._durations)
        return self._fit


def fit(durations: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return mean and deviation of the logarithms of durations that are known to lie between two numbers of seconds.

    A first guess counts like a few durations more. This is expectation maximization for a normal distribution.
    """
    bounds = [(math.log(max(low, 0.1)), math.log(max(high, 0.2))) for low, high in durations]
    mean, deviation = _FIRST_GUESS
    for _ in range(_ROUNDS if bounds else 0):
        first = second = 0.0
        for low, high in bounds:
            expected, variance = _truncated(mean, deviation, low, high)
            first += expected
            second += variance + expected**2
        total = len(bounds) + _WEIGHT
        new_mean = (first + _WEIGHT * _FIRST_GUESS[0]) / total
        square = (second + _WEIGHT * (_FIRST_GUESS[0] ** 2 + _FIRST_GUESS[1] ** 2)) / total
        mean, deviation = new_mean, max(_NARROWEST, math.sqrt(max(0.0, square - new_mean**2)))
    return mean, deviation


def _truncated(mean: float, deviation: float, low: float, high: float) -> tuple[float, float]:
    """Return mean and variance of a normal distribution between two bounds."""
    a, b = (low - mean) / deviation, (high - mean) / deviation
    mass = 0.5 * (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2)))
    if mass < _LEAST_MASS:
        return min(max(mean, low), high), 0.0
    density_a, density_b = (math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) for x in (a, b))
    shift = (density_a - density_b) / mass
    spread = 1 + (a * density_a - b * density_b) / mass - shift * shift
    return mean + deviation * shift, deviation**2 * max(0.0, spread)
