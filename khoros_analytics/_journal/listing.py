"""The journal as people see it: lines, and a table of them in a notebook."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import SupportsIndex, overload

from attrs import frozen

from .._display.listing import Listing
from .._tables import Table, in_words
from ..times import Window
from .entries import Entry, EntryState
from .token import write_token

__all__ = ["Jobs", "JournalLine", "list_jobs"]


@frozen
class JournalLine:
    """One export in the journal, from ``client.jobs()``.

    Attributes:
        report: The report's name on the wire.
        window: The stretch of time that it covers.
        arguments: What was asked for beside the window, as keywords of the report's method.
        asked_at: When it was asked for.
        state: How far it came: claimed, started, ready, saved, failed, expired, refused (the server did not start it),
            or unknown (nobody knows whether the server did).
        file: Where its file was put last, or None.
        token: A text for ``client.job(token)``, or None where the server gave no ids.
    """

    report: str
    window: Window
    arguments: dict[str, object]
    asked_at: datetime
    state: str
    file: Path | None
    token: str | None


class Jobs(Listing, tuple[JournalLine, ...]):
    """The lines of the journal, newest first."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> JournalLine: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Jobs": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "JournalLine | Jobs":
        """Return one line, or a list of some of them that looks the same."""
        found = super().__getitem__(index)
        return Jobs(found) if isinstance(found, tuple) else found

    def _table(self) -> Table:
        head = ("asked at", "report", "window", "arguments", "state", "file")
        caption = f"{len(self) or 'no'} export{'' if len(self) == 1 else 's'} in the journal"
        return Table(caption, head, map(_cells, self), len(self))


def list_jobs(entries: Iterable[Entry], account: str) -> Jobs:
    """Return the entries of a journal as people see them."""
    return Jobs(
        JournalLine(
            entry.request.report.name,
            entry.request.window,
            entry.request.arguments,
            datetime.fromtimestamp(entry.claimant.at, UTC),
            entry.state.value,
            entry.saved.path if entry.saved and entry.state is EntryState.SAVED else None,
            write_token(entry.identity, account) if entry.identity else None,
        )
        for entry in entries
    )


def _cells(line: JournalLine) -> list[str]:
    arguments = ", ".join(f"{name}={in_words(value)}" for name, value in line.arguments.items())
    asked = f"{line.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    return [asked, line.report, str(line.window), arguments, line.state, str(line.file or "")]
