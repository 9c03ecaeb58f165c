"""One line of the journal, as its job fills it in."""

import logging

from .._protocol.arguments import ExportRequest
from .._secrecy import unfinished
from .._storage.atomic import SavedFile
from ..errors import ConfigurationError
from .entries import EntryState
from .lines import write_path
from .store import Journal
from .token import JobIdentity

__all__ = ["Recorder"]

log = logging.getLogger("khoros_analytics")


class Recorder:
    """Writes what becomes of one export into its line; without a journal it writes nothing.

    A journal that cannot be written by now costs a line in the log, not the export: it is written at the next chance.
    """

    def __init__(self, journal: Journal | None = None, mark: str = "", request: ExportRequest | None = None) -> None:
        self._journal = journal
        self._mark = mark
        self.subject: str = request.subject if request else "an export"
        self.log: logging.Logger | logging.LoggerAdapter[logging.Logger] = log

    @unfinished
    def __repr__(self) -> str:
        return f"<Recorder {self._mark} of {self._journal.path}>" if self._journal else "<Recorder of nothing>"

    @property
    def keeps(self) -> bool:
        """Whether there is a journal."""
        return self._journal is not None

    def started(self, identity: JobIdentity) -> None:
        """Note the ids."""
        self._note(
            EntryState.STARTED,
            # Written late, it must not undo what another process has found out about the same job since.
            only_from=(EntryState.CLAIMED, EntryState.UNKNOWN),
            workflow_id=identity.created.workflow_id,
            run_id=identity.created.run_id,
            started_at=identity.started,
        )

    def not_started(self, *, may_have_started: bool) -> None:
        """Note that no ids came back; an export whose ids are known stays what it is."""
        state = EntryState.UNKNOWN if may_have_started else EntryState.REFUSED
        self._note(state, only_from=(EntryState.CLAIMED,))

    def ready(self, at: float) -> None:
        """Note since when the file is known to be ready, in seconds since 1970 UTC."""
        self._note(EntryState.READY, ready_at=at)

    def failed(self) -> None:
        """Note that the server gave it up."""
        self._note(EntryState.FAILED)

    def expired(self) -> None:
        """Note that the server has dropped it."""
        self._note(EntryState.EXPIRED)

    def complete(self, saved: SavedFile) -> None:
        """Note where the file is about to be put: after a kill in that very moment it is known whose it is."""
        self._note_file(EntryState.READY, saved)

    def saved(self, saved: SavedFile) -> None:
        """Note where the file is."""
        self._note_file(EntryState.SAVED, saved)

    def catch_up(self) -> None:
        """Write what could not be written before."""
        if self._journal is not None:
            self._journal.catch_up()

    def _note_file(self, state: EntryState, saved: SavedFile) -> None:
        self._note(state, file=write_path(saved.path), file_size=saved.size, file_modified_ns=saved.modified_ns)

    def _note(self, state: EntryState, *, only_from: tuple[EntryState, ...] = (), **values: object) -> None:
        if self._journal is None:
            return
        try:
            self._journal.note(self._mark, state, only_from=only_from, **values)
        except ConfigurationError as error:
            self.log.error(  # noqa: TRY400 - no fault of ours
                "%s: %s. What was to be written down waits for the next chance, and the export goes on",
                self.subject,
                error,
            )
