"""Dice without memory: the number that a key gives under a seed, so that any row can be made first."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar
from zlib import crc32

__all__ = ["Dice", "choose", "lognormal", "share", "shares"]

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_NORMAL = NormalDist()


def _mixed(number: int) -> int:
    """Return 64 bits in which each bit of the number has its say (the finalizer of SplitMix64)."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Dice:
    """A number of 64 bits for each key. Dice of other seeds or names have nothing to do with each other.

    Example:
        >>> die = Dice(0, "weather")
        >>> die(17) == Dice(0, "weather")(17), die(17) == die(18)
        (True, False)
    """

    def __init__(self, seed: int, name: str) -> None:
        self._salt = _mixed((_mixed(seed & _MASK) + crc32(name.encode("utf-8", "replace")) * _GOLDEN) & _MASK)

    def __call__(self, key: int) -> int:
        """Return the number of a key."""
        return _mixed((self._salt + key * _GOLDEN) & _MASK)


def share(number: int) -> float:
    """Return a number of 64 bits as a share, above 0 and below 1.

    Example:
        >>> round(share(1 << 63), 6)
        0.5
    """
    return ((number >> 12) + 0.5) / (1 << 52)


def shares(number: int) -> tuple[float, float, float, float]:
    """Return a number of 64 bits as four coarse shares, each above 0 and below 1."""
    return (
        ((number & 0xFFFF) + 0.5) / 65536,
        ((number >> 16 & 0xFFFF) + 0.5) / 65536,
        ((number >> 32 & 0xFFFF) + 0.5) / 65536,
        ((number >> 48) + 0.5) / 65536,
    )


def choose(number: int, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[(number >> 16) % len(options)]


def lognormal(number: int, median: float, sigma: float) -> float:
    """Return a value of a log-normal distribution: most are small, and some are very large."""
    return float(median * 2.718281828459045 ** (sigma * _NORMAL.inv_cdf(share(number))))
