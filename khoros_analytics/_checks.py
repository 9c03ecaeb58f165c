"""Checks that every room shares: flags, counts, seconds, did-you-mean, and which extra a missing library needs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import KhorosError, ParameterError

__all__ = ["as_count", "as_flag", "as_seconds", "checked", "close_matches", "did_you_mean", "needs"]

MAX_SECONDS = 366 * 86400.0
"""The longest time that may be asked for, in seconds."""

T = TypeVar("T")


def as_flag(value: object) -> bool:
    """Return a flag; a ValueError for anything else."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not a flag; give True or False")  # noqa: TRY004 - one error for all checks
    return value


def as_count(value: object, least: int = 1) -> int:
    """Return a whole number; a ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{value!r} is not a whole number of at least {least}")
    return value


def as_seconds(value: object, *, zero: bool = False) -> float:
    """Return a number of seconds, up to a year; a ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{value!r} is not a number of seconds; give one from 0 to {MAX_SECONDS:.0f}, which is a year")
    if value == 0 and not zero:
        raise ValueError(f"{value!r} is not a number of seconds above 0; give one")
    return float(value)


def checked(name: str, check: Callable[[Any], T], value: object, error: type[KhorosError] = ParameterError) -> T:
    """Return what a check returns; its ValueError becomes an error of the tree that names the argument."""
    try:
        return check(value)
    except ValueError as problem:
        text = f"{name}: {problem}"
    raise error(text)


def close_matches(given: object, known: Mapping[str, T], *, most: int = 1, cutoff: float = 0.6) -> list[T]:
    """Return what the names nearest to the given one stand for; letter case does not matter."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    by_lower = {name.lower(): meant for name, meant in known.items()}
    return [by_lower[name] for name in get_close_matches(str(given).lower(), by_lower, n=most, cutoff=cutoff)]


def did_you_mean(given: object, known: Mapping[str, str], cutoff: float = 0.6) -> str:
    """Return a hint at the nearest of the known names, as the end of a sentence; empty where none is near."""
    near = close_matches(given, known, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn the ImportError of the block into one that names the extra to install."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{error.name or error} is not installed: install it with  pip install "khoros_analytics[{extra}]"',
            name=error.name,
        ) from error
