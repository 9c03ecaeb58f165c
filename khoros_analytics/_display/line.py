"""The line of a terminal."""

from .snapshot import Snapshot

__all__ = ["line"]


def line(snapshot: Snapshot) -> str:
    """Return all of it that matters, the most important first: a narrow terminal cuts off the end."""
    parts = (snapshot.state, *(fact.in_line for fact in snapshot.facts))
    return f"{snapshot.title}: {', '.join(filter(None, parts))}"
