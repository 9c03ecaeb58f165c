"""Rhythm: how many conversations begin when. Weeks repeat in their shape, days differ in their size; all in UTC.

:class:`Rhythm` answers for any window at once, however long it is and whatever was asked before.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from .dice import Dice, lognormal, share

__all__ = ["DAY", "HOUR", "Rhythm", "weekday"]

HOUR = 3600
DAY = 24 * HOUR
_WEEK = 7 * DAY
_MONDAY = 4 * DAY  # 1970-01-05

_CONVERSATIONS_A_WEEK = 800
# Monday brings what the weekend left behind.
_DAYS = (1.22, 1.08, 1.02, 1.0, 0.92, 0.42, 0.34)
_WORKDAY = (6, 4, 3, 3, 4, 7, 15, 32, 58, 84, 96, 92, 80, 82, 93, 90, 80, 68, 56, 48, 41, 32, 21, 11)
_WEEKEND = (10, 7, 5, 4, 4, 5, 9, 16, 28, 42, 54, 60, 60, 57, 55, 54, 52, 50, 48, 46, 42, 33, 24, 15)


def weekday(second: int) -> int:
    """Return the day of the week of a moment, 0 for Monday.

    Example:
        >>> weekday(1_551_441_600)  # Friday, 1 March 2019
        4
    """
    return (second - _MONDAY) // DAY % 7


def _hours() -> list[float]:
    """Return the share of a week's conversations in each of its hours."""
    shapes = [_WORKDAY] * 5 + [_WEEKEND] * 2
    weights = [day * hour / sum(shape) for day, shape in zip(_DAYS, shapes, strict=True) for hour in shape]
    return [weight / sum(weights) for weight in weights]


_HOURS = _hours()
_UNTIL = [0.0, *accumulate(_HOURS)]
"""The share of a week's conversations before each of its hours, and before its end."""


class Rhythm:
    """When conversations begin under a seed.

    Example:
        >>> monday = 1_551_657_600
        >>> rhythm = Rhythm(0)
        >>> len(list(rhythm.moments(monday, monday + DAY - 1))) > len(list(rhythm.moments(monday - DAY, monday - 1)))
        True
    """

    def __init__(self, seed: int) -> None:
        self._size, self._surge, self._jitter = (Dice(seed, name) for name in ("day", "surge", "jitter"))

    def moments(self, start: int, end: int) -> Iterator[int]:
        """Yield the seconds in which a conversation begins, the first and the last included, in their order."""
        for day in range(start // DAY, end // DAY + 1):
            first = day * DAY
            if start <= first and first + DAY - 1 <= end:
                yield from self._moments_of_day(day)
            else:
                yield from (moment for moment in self._moments_of_day(day) if start <= moment <= end)

    def spread(self, start: int, end: int, count: int) -> list[int]:
        """Return so many seconds of a window in their order, as dense as the weeks' shape wants it."""
        low, high = _weeks(start), _weeks(end + 1)
        step = (high - low) / count
        keys = (self._jitter(start * 31 + number) for number in range(count))
        shares = (low + (number + share(key)) * step for number, key in enumerate(keys))
        return [min(max(_second(found), start), end) for found in shares]

    def expected(self, start: int, end: int) -> float:
        """Return about how many conversations begin from a second until before another one."""
        return (_weeks(end) - _weeks(start)) * _CONVERSATIONS_A_WEEK

    def _moments_of_day(self, day: int) -> Iterator[int]:
        first = day * DAY
        low, high = _weeks(first), _weeks(first + DAY)
        count = round((high - low) * _CONVERSATIONS_A_WEEK * self._weather(day))
        last = first - 1
        for number in range(count):
            place = (number + share(self._jitter(first + number))) / count
            # No two begin in the same second: it is what names them.
            last = max(last + 1, _second(low + place * (high - low)))
            yield last

    def _weather(self, day: int) -> float:
        """Return how busy a day is beside others of its kind: seasons, chance, and now and then an outage."""
        season = 1 + 0.12 * math.sin(2 * math.pi * day / 365.25)
        surge = 1.7 if share(self._surge(day)) < 0.025 else 1.0
        return season * surge * min(lognormal(self._size(day), 1.0, 0.11), 2.0)


def _weeks(second: int) -> float:
    """Return how many weeks' worth of conversations have begun by a moment, since the first Monday of 1970."""
    week, rest = divmod(second - _MONDAY, _WEEK)
    hour, seconds = divmod(rest, HOUR)
    return week + _UNTIL[hour] + _HOURS[hour] * seconds / HOUR


def _second(weeks: float) -> int:
    """Return the moment by which so many weeks' worth of conversations have begun."""
    week = math.floor(weeks)
    part = weeks - week
    hour = min(bisect_right(_UNTIL, part) - 1, len(_HOURS) - 1)
    return _MONDAY + week * _WEEK + hour * HOUR + int((part - _UNTIL[hour]) / _HOURS[hour] * HOUR)
