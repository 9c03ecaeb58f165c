"""Where somebody is looking: a notebook, or a terminal."""

import os
import sys
from functools import cache
from typing import Any, Protocol

from .._checks import needs
from .card import Card
from .line import line
from .snapshot import Snapshot

__all__ = ["Screen", "check_progress", "find_screen"]


class Screen(Protocol):
    """One place that is drawn again and again."""

    def draw(self, snapshot: Snapshot) -> None:
        """Show it in place of what was there."""
        ...

    def close(self) -> None:
        """Leave what was drawn last."""
        ...


def find_screen(progress: bool | None) -> Screen | None:  # noqa: FBT001 - it is what the caller of a client gave
    """Return a new place to draw on, or None where nobody is looking. None stands for: find that out."""
    if progress is False:
        return None
    if _in_notebook():
        return _Notebook()
    if progress or _on_terminal():
        try:
            return _Terminal()
        except ImportError:
            return None
    return None


def check_progress(progress: object) -> bool | None:
    """Return the flag, or None; a ValueError for anything else, and an ImportError where a line needs a library."""
    if progress is not None and not isinstance(progress, bool):
        raise ValueError(f"{progress!r} is not a flag; give True, False, or None for where somebody is looking")
    if progress and not _in_notebook():
        with needs("progress"):
            import tqdm  # noqa: F401
    return progress


def _in_notebook() -> bool:
    """Return whether a kernel of Jupyter runs this; IPython on a terminal is a terminal."""
    loaded: Any = sys.modules.get("IPython")  # a kernel has loaded it, and nobody else pays for it
    shell = loaded.get_ipython() if hasattr(loaded, "get_ipython") else None
    return hasattr(shell, "kernel")


def _on_terminal() -> bool:
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


class _Notebook:
    """An output of a cell, which is replaced."""

    def __init__(self) -> None:
        self._shown: Any = None

    def draw(self, snapshot: Snapshot) -> None:
        """Show it in place of what was there."""
        # A kernel has it; it is no requirement of anything else.
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        if self._shown is None:
            self._shown = display(Card(snapshot), display_id=True)
        else:
            self._shown.update(Card(snapshot))

    def close(self) -> None:
        """Leave what was drawn last."""


@cache
def _line_of_tqdm() -> Any:
    from tqdm import tqdm

    # tqdm's monitor redraws what hangs, in a thread that never ends.
    return type("Line", (tqdm,), {"monitor_interval": 0})


class _Terminal:
    """A line of the terminal; tqdm knows how wide that is, and keeps those of several threads apart."""

    def __init__(self) -> None:
        self._tqdm = _line_of_tqdm()
        self._bar: Any = None
        self._words = ""

    def draw(self, snapshot: Snapshot) -> None:
        """Show it in place of what was there."""
        known = snapshot.fraction is not None and not snapshot.outcome
        self._words, form = line(snapshot), "{desc} {percentage:3.0f}%|{bar:20}|" if known else "{desc}{bar:0}"
        done = snapshot.fraction or 0.0
        if self._bar is None:
            begin = {"desc": self._words, "bar_format": form, "initial": done, "total": 1.0}
            self._bar = self._tqdm(**begin, file=sys.stderr, dynamic_ncols=True, leave=False)
        else:
            self._bar.desc, self._bar.bar_format, self._bar.n = self._words, form, done
            self._bar.refresh()

    def close(self) -> None:
        """Leave what was drawn last, and go to the next line."""
        if self._bar is not None and not self._bar.disable:
            # What tqdm itself leaves of one line of several overwrites another one.
            self._bar.close()
            self._tqdm.write(f"\r{self._words}", file=self._bar.fp)
