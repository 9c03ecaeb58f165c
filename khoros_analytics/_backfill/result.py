"""How a backfill goes, and how it went."""

from datetime import timedelta

from attrs import frozen

from .._tables import Table, as_html
from ..errors import KhorosError
from ..times import Window

__all__ = ["BackfillProgress", "BackfillResult", "WindowFailure"]


@frozen
class BackfillProgress:
    """How far a backfill is, for ``on_update``.

    Attributes:
        windows: How many windows it has to land.
        landed: How many of them have landed, with rows or without.
        failed: How many have failed for good.
        active: How many exports run on the server.
        rows: How many rows have landed.
        bytes: How many bytes have landed.
        requests: How many requests of the quota it has used.
        quota: The part of the quota that the last minute used, from 0 to 1.
        elapsed: How long it has been running.
        remaining: About how much longer it takes; None while nothing is known.
    """

    windows: int
    landed: int
    failed: int
    active: int
    rows: int
    bytes: int
    requests: int
    quota: float
    elapsed: timedelta
    remaining: timedelta | None


@frozen
class WindowFailure:
    """A window that did not land.

    Attributes:
        key: Its name in the dataset.
        window: The stretch of time.
        error: Why.
        uncertain: Whether the server may have started an export for it that nobody can find.
    """

    key: str
    window: Window
    error: KhorosError
    uncertain: bool = False


@frozen(repr=False, kw_only=True)
class BackfillResult:
    """What a backfill did.

    Attributes:
        report: The report's name on the wire.
        to: The folder or URL of the dataset.
        landed: The names of the windows that landed with rows.
        empty: The names of the windows that landed without any.
        skipped: The names of the windows that were there already.
        failed: The windows that did not land.
        widened: The names of the windows whose file was written anew, because columns of the dataset became wider.
        rows: How many rows landed.
        bytes: How many bytes landed.
        requests: How many requests of the quota it took.
        seconds: How long it took.
    """

    report: str
    to: str
    landed: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    failed: tuple[WindowFailure, ...] = ()
    widened: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    requests: int = 0
    seconds: float = 0.0

    def raise_if_failed(self) -> "BackfillResult":
        """Raise the error of the first window that did not land.

        Returns:
            The result itself, where all have landed.

        Raises:
            KhorosError: The window's error; its ``result`` is this one.
        """
        if not self.failed:
            return self
        error = self.failed[0].error
        error.result = self
        raise error

    def __repr__(self) -> str:
        counts = (
            ("landed", self.landed), ("empty", self.empty), ("skipped", self.skipped), ("failed", self.failed),
        )  # fmt: skip
        parts = ", ".join(f"{len(windows):,} {name}" for name, windows in counts)
        return (
            f"<BackfillResult of {self.report} in {self.to}: {parts}; {self.rows:,} rows, {self.bytes:,} bytes, "
            f"{self.requests:,} requests, {self.seconds:,.0f} s>"
        )

    def _repr_html_(self) -> str:
        """Return a table of what it did, and one of what failed, for notebooks."""
        numbers = (
            ("dataset", self.to),
            ("landed", f"{len(self.landed):,} windows, {self.rows:,} rows, {self.bytes:,} bytes"),
            ("without rows", f"{len(self.empty):,} windows"),
            ("there already", f"{len(self.skipped):,} windows"),
            ("failed", f"{len(self.failed):,} windows"),
            ("took", f"{self.requests:,} requests, {timedelta(seconds=round(self.seconds))}"),
        )
        tables = [Table(f"Backfill of {self.report}", (), numbers, len(numbers))]
        if self.failed:
            rows = ((failure.key, str(failure.window), str(failure.error)) for failure in self.failed)
            tables.append(Table("Windows that failed", ("window", "time", "error"), rows, len(self.failed)))
        return "".join(map(as_html, tables))
