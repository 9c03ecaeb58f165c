"""What somebody sees of a backfill: how far it is, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from .._clock import Clock
from .._display.live import shown
from .._display.snapshot import Fact, Outcome, Snapshot, bytes_in_words, error_in_words, time_in_words
from ..errors import JobTimeoutError
from .driver import Backfill
from .result import BackfillProgress, BackfillResult

__all__ = ["Watch", "watched"]

_FEW = 120.0  # what takes longer is estimated in whole minutes
_SAME_CALL = "What landed stays, and what runs is written down there: the same call goes on from here."


class Watch:
    """One run of a backfill. It is looked at from another thread, and changes nothing.

    Args:
        report: The report's name on the wire.
        to: The folder or URL of the dataset.
        clock: Whose time counts.

    Attributes:
        backfill: The run, once it is known what is to be done.
        result: What it did, at the end.
    """

    def __init__(self, report: str, to: str, clock: Clock) -> None:
        self._title = f"backfill of {report}"
        self._to = to
        self._clock = clock
        self._began = clock.monotonic()
        self.backfill: Backfill | None = None
        self.result: BackfillResult | None = None

    def look(self) -> Snapshot:
        """Return how it stands."""
        if self.backfill is None:
            facts = (self._elapsed(), Fact("dataset", self._to))
            return Snapshot(title=self._title, state="looking at what is there", facts=facts)
        progress = self.backfill.progress()
        over = progress.landed + progress.failed
        return Snapshot(
            title=self._title,
            state=f"{over:,} of {progress.windows:,} windows",
            facts=(*self._left(progress), *_counts(progress), Fact("dataset", self._to)),
            fraction=over / progress.windows if progress.windows else None,
        )

    def _left(self, progress: BackfillProgress) -> Iterator[Fact]:
        if progress.remaining is not None:
            seconds = progress.remaining.total_seconds()
            left = f"about {time_in_words(seconds if seconds < _FEW else 60 * round(seconds / 60))}"
            yield Fact("time left", left, f"{left} left")
        yield self._elapsed()

    def _elapsed(self) -> Fact:
        return Fact("elapsed", time_in_words(self._clock.monotonic() - self._began))

    def ended(self, error: BaseException | None) -> Snapshot:
        """Return how it ended."""
        if error is not None:
            counts = _counts(self.backfill.progress()) if self.backfill else ()
            facts = (*counts, self._elapsed(), Fact("dataset", self._to))
            outcome: Outcome = "stopped" if isinstance(error, KeyboardInterrupt | JobTimeoutError) else "failed"
            return Snapshot(
                title=self._title, state=error_in_words(error), facts=facts, outcome=outcome, advice=_SAME_CALL
            )
        return self._succeeded()

    def _succeeded(self) -> Snapshot:
        result = self.result or BackfillResult(report="", to="")
        landed, failed, there = len(result.landed) + len(result.empty), len(result.failed), len(result.skipped)
        took = time_in_words(self._clock.monotonic() - self._began)
        state = f"{landed:,} windows landed" + (f", {failed:,} failed" if failed else "")
        facts = (
            Fact("rows", f"{result.rows:,}", f"{result.rows:,} rows"),
            Fact("size", bytes_in_words(result.bytes), bytes_in_words(result.bytes)),
            *([Fact("there already", f"{there:,} windows", f"{there:,} there already")] if there else ()),
            Fact("requests", f"{result.requests:,}"),
            Fact("elapsed", took, took),
            Fact("dataset", self._to),
        )
        advice = "result.failed says why each failed; the same call tries them again." if failed else ""
        return Snapshot(
            title=self._title, state=state, facts=facts, outcome="failed" if failed else "done", advice=advice
        )


def _counts(progress: BackfillProgress) -> tuple[Fact, ...]:
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    return (
        Fact("windows", f"{progress.landed:,} landed{failed}", failed.lstrip(", ")),
        Fact("running", f"{progress.active:,} exports on the server", f"{progress.active:,} running"),
        Fact("rows", f"{progress.rows:,}", f"{progress.rows:,} rows"),
        Fact("size", bytes_in_words(progress.bytes)),
        Fact("requests", f"{progress.requests:,}"),
        Fact("quota used", f"{100 * progress.quota:.0f} % in the last minute", f"quota {100 * progress.quota:.0f} %"),
    )


@contextmanager
def watched(
    report: str,
    to: str,
    clock: Clock,
    progress: bool | None,  # noqa: FBT001 - what the client was given
) -> Iterator[Watch]:
    """Show the run of the block, where somebody is looking."""
    watch = Watch(report, to, clock)
    with shown(progress, watch.look, watch.ended):
        yield watch
