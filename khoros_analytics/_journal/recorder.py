"""One line of a journal, as an export's own diary."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from .._storage.atomic import SavedFile
from ..errors import ConfigurationError
from .entries import EntryState
from .store import Journal
from .token import JobIdentity

__all__ = ["Recorder"]

log = logging.getLogger("khoros_analytics")


class Recorder:
    """One line of a journal, as an export's own diary.

    A journal that cannot be written by now costs a line in the log, not the export.

    Args:
        journal: The journal.
        number: The line.
    """

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number

    def __repr__(self) -> str:
        return f"<Recorder {self._number} of {self._journal.path}>"

    def started(self, identity: JobIdentity) -> None:
        """Note the ids.

        Args:
            identity: The job.
        """
        with self._noting():
            self._journal.note_started(self._number, identity)

    def not_started(self, *, may_have_started: bool) -> None:
        """Note that no ids came back.

        Args:
            may_have_started: Whether the server may have started it all the same.
        """
        with self._noting():
            state = EntryState.UNKNOWN if may_have_started else EntryState.REFUSED
            self._journal.give_up(self._number, state)

    def ready(self, at: float) -> None:
        """Note that the file is ready.

        Args:
            at: Since when it is known, in seconds since 1970 UTC.
        """
        with self._noting():
            self._journal.note_state(self._number, EntryState.READY, ready_at=at)

    def failed(self) -> None:
        """Note that the server gave it up."""
        with self._noting():
            self._journal.note_state(self._number, EntryState.FAILED)

    def expired(self) -> None:
        """Note that the server has dropped it."""
        with self._noting():
            self._journal.note_state(self._number, EntryState.EXPIRED)

    def complete(self, saved: SavedFile) -> None:
        """Note where the file is about to be put.

        Args:
            saved: The file as it will be.
        """
        with self._noting():
            self._journal.note_complete(self._number, saved)

    def saved(self, saved: SavedFile) -> None:
        """Note where the file is.

        Args:
            saved: The file.
        """
        with self._noting():
            self._journal.note_saved(self._number, saved)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except ConfigurationError as error:
            log.error("%s; what was to be written down is lost, the export is not", error)  # noqa: TRY400 - no fault of ours
