"""What somebody sees of an export that is waited for: how it stands, and how it ended."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .._display.live import shown
from .._display.snapshot import Fact, Snapshot, bytes_in_words, error_in_words, time_in_words
from .._storage.partial import PartialFile
from ..errors import JobTimeoutError
from .explain import has_ended, keeps
from .remote import RemoteJob
from .watch_call import pause_facts, quota_left

__all__ = ["Watch", "watched"]

_SAMPLES = 20  # the speed is that of the last few seconds


class Watch:
    """One wait for an export, and maybe for its file. It is looked at from another thread, and changes nothing.

    Attributes:
        part: The file while it arrives.
        saved_as: What the file is called at the end, and how long it is in bytes.
    """

    def __init__(self, remote: RemoteJob) -> None:
        self._remote = remote
        self._clock = remote.transport.clock
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self.part: PartialFile | None = None
        self.saved_as: tuple[str, int] | None = None

    # --- while it goes on ------------------------------------------------------------------------------------------

    def look(self) -> Snapshot:
        """Return how it stands."""
        part = self.part
        return Snapshot(
            title=self._title(),
            state=self._state(part),
            facts=(
                *self._arrived(part),
                *pause_facts(self._remote.history, self._clock),
                *self._counts(),
                self._elapsed(),
                quota_left(self._remote.transport.room()),
                *self._about(),
            ),
            fraction=min(1.0, part.size / part.total) if part is not None and part.total else None,
        )

    def _state(self, part: PartialFile | None) -> str:
        if part is not None:
            return "downloading"
        return "ready" if self._remote.is_ready else self._remote.state()

    def _title(self) -> str:
        request = self._remote.request
        return f"{request.report.name} {str(request.window).partition(' (')[0]}"

    def _elapsed(self) -> Fact:
        elapsed = time_in_words(self._remote.age())
        return Fact("elapsed", elapsed, elapsed)

    def _about(self) -> tuple[Fact, ...]:
        request = self._remote.request
        return (
            Fact("report", f"{request.report.title} ({request.report.name}), {request.format}"),
            Fact("window", str(request.window)),
        )

    def _arrived(self, part: PartialFile | None) -> Iterator[Fact]:
        if part is None:
            return
        size = bytes_in_words(part.size)
        of = f" of {bytes_in_words(part.total)}" if part.total else ""
        yield Fact("downloaded", size + of, size + of)
        self._samples.append((self._clock.monotonic(), part.size))
        (began, before), (now, size_now) = self._samples[0], self._samples[-1]
        if now > began and size_now > before:
            speed = f"{bytes_in_words((size_now - before) / (now - began))}/s"
            yield Fact("speed", speed, speed)

    def _counts(self) -> Iterator[Fact]:
        status = self._remote.status
        if self.part is None and status.current_count is not None and status.total_count is not None:
            yield Fact("server's count", f"{status.current_count:,} of {status.total_count:,}")

    # --- at the end ------------------------------------------------------------------------------------------------

    def ended(self, error: BaseException | None) -> Snapshot:
        """Return how it ended."""
        if error is None:
            return self._succeeded()
        gone = has_ended(error, self._remote)
        stopped = isinstance(error, KeyboardInterrupt | JobTimeoutError)
        return Snapshot(
            title=self._title(),
            state=self._remote.transport.redact(error_in_words(error, self._remote.subject)),
            facts=(*self._arrived(self.part), self._elapsed(), *self._about()),
            outcome="stopped" if stopped else "failed",
            advice=f"The export: {gone or keeps(self._remote)}." + ("" if gone else " Go on with it:"),
            code="" if gone else f"client.job({self._remote.token!r})",
        )

    def _succeeded(self) -> Snapshot:
        state, facts = "ready", (self._elapsed(), *self._about())
        if self.saved_as is not None:
            name, size = self.saved_as
            words = f"{name}, {bytes_in_words(size)}"
            state, facts = "downloaded", (Fact("file", words, words), *facts)
        return Snapshot(title=self._title(), state=state, facts=facts, outcome="done")


@contextmanager
def watched(remote: RemoteJob, progress: bool | None) -> Iterator[Watch]:  # noqa: FBT001 - what the client was given
    """Show the wait of the block, where somebody is looking."""
    watch = Watch(remote)
    with shown(progress, watch.look, watch.ended):
        yield watch
