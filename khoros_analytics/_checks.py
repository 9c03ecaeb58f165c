"""Checks and hints that every room shares: did-you-mean, and what to install when an optional library is missing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["did_you_mean", "needs"]


def did_you_mean(given: str, known: Mapping[str, str], cutoff: float = 0.6) -> str:
    """Return a hint at the nearest of the known names, which are looked for in any letter case."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    by_lower = {name.lower(): meant for name, meant in known.items()}
    near = get_close_matches(str(given).lower(), by_lower, n=1, cutoff=cutoff)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Explain a missing library in the block.

    Args:
        extra: Which extra installs it.

    Raises:
        ImportError: It is missing.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{error.name or error} is not installed: install it with  pip install "khoros_analytics[{extra}]"',
            name=error.name,
        ) from error
