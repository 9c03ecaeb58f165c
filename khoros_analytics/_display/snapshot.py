"""What somebody who waits is shown at one moment, in a notebook or on a terminal alike."""

from datetime import timedelta
from typing import Literal

from attrs import field, frozen

__all__ = ["Fact", "Outcome", "Snapshot", "bytes_in_words", "error_in_words", "one_line", "time_in_words"]

_LONGEST = 400  # how many characters of one text are shown

Outcome = Literal["", "done", "stopped", "failed"]
"""How it ended: as it should, early, or badly; empty while it goes on."""


def one_line(text: str) -> str:
    """Return a text that is safe to show: texts of servers and names of files may hold anything, escapes included."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    shown = shown.encode("utf-8", "backslashreplace").decode("utf-8")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in shown).split())


@frozen
class Fact:
    """One line of a card.

    Attributes:
        name: What it is.
        text: What there is to say.
        in_line: The same where all has to fit into one line; empty where it is not said there.
    """

    name: str
    text: str = field(converter=one_line)
    in_line: str = field(default="", converter=one_line)


@frozen(kw_only=True)
class Snapshot:
    """What is shown.

    Attributes:
        title: What is waited for, in short.
        state: How it stands.
        facts: What else there is to say, the most important first.
        fraction: How much is done, from 0 to 1; None where nobody knows.
        outcome: How it ended, or empty.
        advice: What to do next, for one that did not end as it should.
        code: The Python expression that goes on.
    """

    title: str = field(converter=one_line)
    state: str = field(converter=one_line)
    facts: tuple[Fact, ...] = ()
    fraction: float | None = None
    outcome: Outcome = ""
    advice: str = ""
    code: str = ""


def error_in_words(error: BaseException, subject: str = "") -> str:
    """Return what ended a wait: the first line of its message, which says the rest, without what it is about."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    first = str(error).partition("\n")[0]
    words = first.replace(subject, "").lstrip(":, ") if subject else first
    return ": ".join(filter(None, (type(error).__name__, words)))


def time_in_words(seconds: float) -> str:
    """Return a stretch of time as people say it: the longer it is, the coarser."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    days, rest = divmod(timedelta(seconds=whole), timedelta(days=1))
    hours, minutes = rest // timedelta(hours=1), rest // timedelta(minutes=1) % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def bytes_in_words(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:.0f} bytes"
