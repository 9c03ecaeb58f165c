"""What a backfill would do: its windows, which of them are there, and what the rest takes."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum

from attrs import frozen

from .._tables import Table, as_html
from ..errors import TargetError
from ..times import Window
from .dataset import Contents, DatasetFiles
from .records import Line, key_of

__all__ = ["Plan", "PlannedWindow", "WindowState", "make_plan"]

REQUESTS_PER_EXPORT = 3
"""How many requests an export takes at the least: one that starts it, one poll, one for its file."""


class WindowState(Enum):
    """How far a window is."""

    LANDED = "landed"
    """Its rows are in the dataset."""
    EMPTY = "empty"
    """It has landed, and has no rows."""
    RUNNING = "running"
    """Its export was started earlier and can be gone on with."""
    UNCERTAIN = "uncertain"
    """Nobody knows whether an earlier run started its export."""
    MISSING = "missing"
    """It is to be exported."""
    REFRESH = "refresh"
    """It has landed, and is to be exported anew."""
    DAMAGED = "damaged"
    """Its file is gone or another one."""


@frozen
class PlannedWindow:
    """One window of a plan.

    Attributes:
        key: Its name in the dataset.
        window: The stretch of time.
        state: How far it is.
    """

    key: str
    window: Window
    state: WindowState


@frozen(repr=False)
class Plan:
    """What a backfill would do, from ``client.plan(...)``.

    Attributes:
        report: The report's name on the wire.
        to: The folder or URL of the dataset.
        windows: Its windows, oldest first.
        requests: How many requests the rest takes at the least.
        time: How long those take at the quota, at the least.
    """

    report: str
    to: str
    windows: tuple[PlannedWindow, ...]
    requests: int
    time: timedelta

    def count(self, state: WindowState) -> int:
        """Return how many windows are in a state.

        Args:
            state: The state.

        Returns:
            Their number.
        """
        return sum(window.state is state for window in self.windows)

    def counts(self) -> dict[str, int]:
        """Return how many windows are in each state.

        Returns:
            The numbers by the states' names, without those that no window is in.
        """
        found = {state.value: self.count(state) for state in WindowState}
        return {name: number for name, number in found.items() if number}

    def __repr__(self) -> str:
        parts = ", ".join(f"{number:,} {name}" for name, number in self.counts().items())
        return (
            f"<Plan of {self.report} in {self.to}: {len(self.windows):,} windows ({parts}); at least {self.requests:,} "
            f"requests, {_rounded(self.time)}>"
        )

    def _repr_html_(self) -> str:
        """Return a table of what a run would do, and one of its windows, for notebooks."""
        to_do = [window for window in self.windows if window.state not in (WindowState.LANDED, WindowState.EMPTY)]
        numbers = (
            ("dataset", self.to),
            *((name, f"{number:,} windows") for name, number in self.counts().items()),
            ("takes at least", f"{self.requests:,} requests, {_rounded(self.time)}"),
        )
        tables = [Table(f"Plan of a backfill of {self.report}", (), numbers, len(numbers))]
        if to_do:
            rows = ((window.key, str(window.window), window.state.value) for window in to_do)
            tables.append(Table("Windows to export", ("window", "time", "state"), rows, len(to_do)))
        return "".join(map(as_html, tables))


def _rounded(time: timedelta) -> str:
    return str(timedelta(seconds=round(time.total_seconds())))


def make_plan(
    *,
    report: str,
    to: str,
    windows: Iterable[Window],
    by_date: bool,
    dataset: DatasetFiles | None,
    contents: Contents,
    refresh_from: int | None,
    requests_per_minute: int,
) -> Plan:
    """Compare windows with what a dataset holds. ``refresh_from`` is in epoch milliseconds."""
    wanted = tuple(windows)
    if dataset is not None:
        _check_overlaps(dataset, wanted, contents.lines)
    keys = [key_of(window, by_date=by_date) for window in wanted]
    planned = tuple(
        PlannedWindow(key, window, _state(key, window, contents, refresh_from))
        for key, window in zip(keys, wanted, strict=True)
    )
    to_export = sum(
        window.state not in (WindowState.LANDED, WindowState.EMPTY, WindowState.RUNNING) for window in planned
    )
    running = sum(window.state is WindowState.RUNNING for window in planned)
    requests = to_export * REQUESTS_PER_EXPORT + running * (REQUESTS_PER_EXPORT - 1)
    return Plan(report, to, planned, requests, timedelta(minutes=requests / requests_per_minute))


def _state(key: str, window: Window, contents: Contents, refresh_from: int | None) -> WindowState:
    line, running = contents.lines.get(key), contents.running.get(key)
    if running is not None and running.end_ms == window.end_ms:
        return WindowState.UNCERTAIN if running.token is None else WindowState.RUNNING
    if line is None:
        return WindowState.MISSING
    if key in contents.damaged:
        return WindowState.DAMAGED
    was_over = line.landed_at * 1000 >= window.end_ms
    if not was_over or line.end_ms < window.end_ms or (refresh_from is not None and window.end_ms > refresh_from):
        return WindowState.REFRESH
    return WindowState.LANDED if line.rows else WindowState.EMPTY


def _check_overlaps(dataset: DatasetFiles, wanted: tuple[Window, ...], lines: Mapping[str, Line]) -> None:
    """Raise a TargetError where a window would hold rows that another one of the dataset has already."""
    landed = sorted((line.start_ms, line.end_ms, line.key) for line in lines.values())
    place = 0
    for window in wanted:
        while place < len(landed) and landed[place][1] <= window.start_ms:
            place += 1
        if place < len(landed):
            start, _, key = landed[place]
            if start != window.start_ms and start < window.end_ms:
                raise TargetError(
                    f"{dataset.folder}: the window {window} would overlap the one that has landed as {key}",
                    advice="begin where one of its windows begins, or give another folder or URL",
                )
