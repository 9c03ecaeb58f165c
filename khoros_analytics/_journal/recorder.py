"""One line of the journal, as its job fills it in."""

import logging

from .._storage.atomic import SavedFile
from ..errors import ConfigurationError
from .entries import EntryState
from .store import Journal
from .token import JobIdentity

__all__ = ["Recorder"]

log = logging.getLogger("khoros_analytics")


class Recorder:
    """Writes what becomes of one export into its line; without a journal it writes nothing.

    A journal that cannot be written by now costs a line in the log, not the export.
    """

    def __init__(self, journal: Journal | None = None, number: int = 0) -> None:
        self._journal = journal
        self._number = number

    def __repr__(self) -> str:
        return f"<Recorder {self._number} of {self._journal.path}>" if self._journal else "<Recorder of nothing>"

    def started(self, identity: JobIdentity) -> None:
        """Note the ids."""
        self._note(
            state=EntryState.STARTED,
            workflow_id=identity.created.workflow_id,
            run_id=identity.created.run_id,
            started_at=identity.started,
        )

    def not_started(self, *, may_have_started: bool) -> None:
        """Note that no ids came back; an export whose ids are known stays what it is."""
        self._note(was=EntryState.CLAIMED, state=EntryState.UNKNOWN if may_have_started else EntryState.REFUSED)

    def ready(self, at: float) -> None:
        """Note since when the file is known to be ready, in seconds since 1970 UTC."""
        self._note(state=EntryState.READY, ready_at=at)

    def failed(self) -> None:
        """Note that the server gave it up."""
        self._note(state=EntryState.FAILED)

    def expired(self) -> None:
        """Note that the server has dropped it."""
        self._note(state=EntryState.EXPIRED)

    def complete(self, saved: SavedFile) -> None:
        """Note where the file is about to be put: after a kill in that very moment it is known whose it is."""
        self._note_file(EntryState.READY, saved)

    def saved(self, saved: SavedFile) -> None:
        """Note where the file is."""
        self._note_file(EntryState.SAVED, saved)

    def _note_file(self, state: EntryState, saved: SavedFile) -> None:
        self._note(state=state, file=str(saved.path), file_size=saved.size, file_modified_ns=saved.modified_ns)

    def _note(self, *, state: EntryState, was: EntryState | None = None, **values: object) -> None:
        if self._journal is None:
            return
        try:
            self._journal.update(self._number, state, was=was, **values)
        except ConfigurationError as error:
            log.error("%s; what was to be written down is lost, the export is not", error)  # noqa: TRY400 - no fault of ours
