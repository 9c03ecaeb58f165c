"""What a backfill has done so far, and how it says so."""

from datetime import timedelta

from .._jobs.remote import Account
from .records import Line
from .result import BackfillProgress, BackfillResult, WindowFailure

__all__ = ["Tally"]


class Tally:
    """Counts the windows, rows and bytes of one run, and the requests and the time that it takes.

    Args:
        report: The report's name on the wire.
        to: The folder or URL of the dataset.
        account: Who asks.
    """

    def __init__(self, report: str, to: str, account: Account) -> None:
        self._report = report
        self._to = to
        self._transport = account.transport
        self._began = self._transport.clock.monotonic()
        self._requests_before = self._transport.requests_made
        self._rows = self._bytes = 0
        self.landed: list[str] = []
        self.empty: list[str] = []
        self.skipped: list[str] = []
        self.failed: list[WindowFailure] = []
        self.widened: list[str] = []

    def land(self, line: Line) -> None:
        """Count a window that has landed."""
        (self.landed if line.rows else self.empty).append(line.key)
        self._rows += line.rows
        self._bytes += line.bytes

    @property
    def done(self) -> int:
        """How many windows have landed, with rows or without."""
        return len(self.landed) + len(self.empty)

    @property
    def _requests(self) -> int:
        return self._transport.requests_made - self._requests_before

    @property
    def _seconds(self) -> float:
        return self._transport.clock.monotonic() - self._began

    def progress(self, windows: int, active: int) -> BackfillProgress:
        """Return how far it is, of so many windows, with so many exports running."""
        left = windows - self.done - len(self.failed)
        return BackfillProgress(
            windows=windows,
            landed=self.done,
            failed=len(self.failed),
            active=active,
            rows=self._rows,
            bytes=self._bytes,
            requests=self._requests,
            quota=1 - self._transport.room().spare,
            elapsed=timedelta(seconds=self._seconds),
            remaining=timedelta(seconds=self._seconds / self.done * left) if self.done else None,
        )

    def result(self) -> BackfillResult:
        """Return what was done."""
        return BackfillResult(
            report=self._report,
            to=self._to,
            landed=tuple(sorted(self.landed)),
            empty=tuple(sorted(self.empty)),
            skipped=tuple(self.skipped),
            failed=tuple(self.failed),
            widened=tuple(sorted(self.widened)),
            rows=self._rows,
            bytes=self._bytes,
            requests=self._requests,
            seconds=self._seconds,
        )
