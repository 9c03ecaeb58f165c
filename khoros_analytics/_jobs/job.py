"""``Job``: what a caller sees of one export, from its start to its file."""

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path

from .._clock import Deadline
from .._http.download import download
from .._http.history import Attempt
from .._journal.token import write_token
from .._protocol.messages import Status
from .._storage.atomic import SavedFile, check_target, copy, resolve_target
from .._storage.partial import map_os_errors
from ..errors import DownloadError, JobError, JobTimeoutError, KhorosError, ParameterError
from ..times import Window
from .read_methods import LentFile, Results
from .remote import Export, LinkedFile
from .start import start_export

__all__ = ["Job"]

log = logging.getLogger("khoros_analytics")

MAX_TIMEOUT = 366 * 86400.0
"""The longest time that anybody may ask to wait, in seconds."""
DEFAULT_TIMEOUT = 6 * 3600.0
"""How long a job is waited for when nobody says otherwise, in seconds."""


class Job(Results):
    """One export on the server. A client's report methods return it; nobody makes one by hand.

    Everything after :meth:`wait` waits by itself. A job is safe to share among threads.

    Example:
        >>> job = client.conversation("2019-02-01", "2019-05-01", metrics=["CONVERSATION_ID", "STATUS"])
        >>> job.wait().status.detail
        'COMPLETED'
        >>> job.download().name
        'conversation_2019-02-01_2019-05-01.csv'
    """

    def __init__(self, export: Export) -> None:
        self._export = export
        self._request = export.identity.request
        self._downloading = threading.RLock()
        super().__init__()

    def __repr__(self) -> str:
        return f"<Job {self.report} {self.window}, {self.arguments['format']}: {self._export.state()}>"

    @property
    def report(self) -> str:
        """The report's name on the wire."""
        return self._request.report.name

    @property
    def window(self) -> Window:
        """The stretch of time that it covers."""
        return self._request.window

    @property
    def arguments(self) -> dict[str, object]:
        """What was asked for beside the window, as keywords of the report's method."""
        return self._request.arguments

    @property
    def workflow_id(self) -> str:
        """The first half of its identity on the server."""
        return self._export.identity.created.workflow_id

    @property
    def run_id(self) -> str:
        """The second half of its identity on the server; it may hold ``/``, ``+`` and ``=``."""
        return self._export.identity.created.run_id

    @property
    def status(self) -> Status:
        """What the server said when it was last asked; :meth:`refresh` asks again."""
        return self._export.status

    @property
    def token(self) -> str:
        """A text without secrets, for ``client.job(token)`` in another process."""
        return write_token(self._export.identity, self._export.service.account)

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest, 24 hours after it was first seen here; None before that."""
        return self._export.expires_at

    @property
    def history(self) -> tuple[Attempt, ...]:
        """Every request that was made for it, oldest first."""
        return self._export.history.attempts()

    @property
    def reattached(self) -> bool:
        """Whether this is a job that was started earlier, found again by its token or in the journal."""
        return self._export.reattached

    def refresh(self) -> "Job":
        """Ask the server for the status once.

        Returns:
            The job itself.

        Raises:
            ApiError: The server does not know the job any more, or answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.response("2019-02-01", "2019-02-02").refresh().status.state in ("RUNNING", "CLOSED")
            True
        """
        with self._about_this(), self._detaching():
            self._export.poll(None)
        return self

    def wait(self, timeout: float | None = None, on_update: Callable[["Job"], object] | None = None) -> "Job":
        """Wait until the file is ready.

        It looks after a time that grows with the job's age, from 3 to about 15 seconds; where earlier exports of the
        same report and window length took similar times, just before the fastest of them would have been ready.

        Args:
            timeout: How long, in seconds; 6 hours when not given.
            on_update: Is called with the job after each look.

        Returns:
            The job itself.

        Raises:
            JobFailedError: The server gave the export up, or closed it without a file.
            JobTimeoutError: The time is over. The export goes on: wait again, in this process or another.
            ApiError: The server does not know the job any more, or answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.user("2019-02-01", "2019-02-02").wait(timeout=3600)
            <Job user 2019-02-01 to 2019-02-02 (UTC, end excluded), csv: CLOSED COMPLETED>
        """
        if on_update is not None and not callable(on_update):
            raise ParameterError(f"on_update: {on_update!r} is no function")
        with self._about_this(), self._detaching():
            self._export.wait(self._deadline(timeout), (lambda: on_update(self)) if on_update else None)
        return self

    def download(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False, timeout: float | None = None
    ) -> Path:
        """Wait until the file is ready, and save it. The file is there whole, or not at all.

        A job fetches its file once: a second call copies what the first one saved, and one for the same place returns
        it.

        Args:
            path: A file, or a folder in which the file gets a name made of report and window; the current folder when
                not given.
            overwrite: Whether another file that is there may be replaced.
            timeout: How long all of it may take, in seconds; 6 hours when not given.

        Returns:
            The absolute path of the file.

        Raises:
            TargetExistsError: Another file is there.
            TargetError: There is no such folder, it is read-only, or the disk is full.
            DownloadExpiredError: The server has dropped the file; it keeps one for 24 hours.
            IncompleteDownloadError: The file did not arrive whole, again and again.
            JobFailedError: The server gave the export up.
            JobTimeoutError: The time is over.
            ApiError: The server answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.author("2019-02-01", "2019-02-02", format="json").download("authors.json").name
            'authors.json'
        """
        deadline = self._deadline(timeout)
        if not isinstance(overwrite, bool):
            raise ParameterError(f"overwrite: {overwrite!r} is no flag; give True or False")
        with self._about_this(), self._detaching(), self._alone(deadline):
            target = resolve_target(path, self._file_name())
            if not self._is_mine(target):
                check_target(target, overwrite=overwrite)
                self._note_saved(
                    self._save(target, overwrite=overwrite, deadline=deadline, announce=self._note_complete)
                )
                log.info("%s: saved as %s", self._export.subject, target)
        return target

    def restart(self) -> "Job":
        """Start a new export with the same arguments; this job stays as it is.

        Returns:
            The new job.

        Raises:
            KhorosError: As for the report's method.

        Example:
            >>> client.combined("2019-02-01", "2019-02-02").restart().window.length
            datetime.timedelta(days=1)
        """
        return Job(start_export(self._export.service, self._request, fresh=True))

    def _deadline(self, timeout: float | None) -> Deadline:
        seconds = DEFAULT_TIMEOUT if timeout is None else timeout
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_TIMEOUT:
            raise ParameterError(f"timeout: {timeout!r} is no number of seconds; leave it out to wait up to 6 hours")
        return self._export.transport.deadline(seconds)

    def _file_name(self, ending: str | None = None) -> str:
        ending = ending or "".join(filter(str.isalnum, str(self.arguments["format"])))
        moments = [
            f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%dT%H%M%S}"
            for moment in (self.window.start, self.window.end)
        ]
        return f"{self.report}_{'_'.join(moments)}.{ending}"

    def _lend(self, keep: str | os.PathLike[str] | None, deadline: Deadline, *, lasting: bool) -> LentFile:
        if keep is not None:
            return LentFile(self.download(keep, timeout=deadline.remaining()))
        with self._detaching(), self._alone(deadline):
            if self._lent and self._lent.saved and self._lent.saved.intact():
                return self._lent
            saved = self._at_hand()
            lent = LentFile(saved.path, saved) if saved else self._fetch_for_now(deadline)
            if lasting:
                self._lent = lent
            return lent

    def _fetch_for_now(self, deadline: Deadline) -> LentFile:
        with map_os_errors(Path(tempfile.gettempdir()), "cannot be used"):
            folder = tempfile.mkdtemp(prefix="khoros_analytics-")
        lent = LentFile(Path(folder) / self._file_name(), folder=folder)
        # Nobody else will find this file, so it is not noted in the journal either.
        lent.saved = self._save(lent.path, overwrite=False, deadline=deadline, announce=lambda _: None)
        return lent

    def _at_hand(self) -> SavedFile | None:
        """Return a place where the file is already, as it came."""
        lent = self._lent.saved if self._lent else None
        return next((saved for saved in (*self._export.saved.values(), lent) if saved and saved.intact()), None)

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        """Let one thread at a time fetch the file."""
        if not self._downloading.acquire(timeout=min(max(0.0, deadline.remaining()), threading.TIMEOUT_MAX)):
            raise JobTimeoutError(
                f"{self._export.subject}: the time was up while another thread downloads the same job"
            )
        try:
            yield
        finally:
            self._downloading.release()

    def _note_saved(self, saved: SavedFile) -> None:
        self._export.saved[saved.path] = saved
        if self._export.record:
            self._export.record.saved(saved)

    def _note_complete(self, saved: SavedFile) -> None:
        if self._export.record:
            self._export.record.complete(saved)

    def _is_mine(self, target: Path) -> bool:
        return target in self._export.saved and self._export.saved[target].intact()

    def _save(
        self, target: Path, *, overwrite: bool, deadline: Deadline, announce: Callable[[SavedFile], object]
    ) -> SavedFile:
        saved = self._at_hand()
        if saved:
            return copy(saved, target, overwrite=overwrite)
        self._export.wait(deadline)
        return download(
            LinkedFile(self._export, deadline),
            target,
            owner=f"{self.workflow_id} {self.run_id}",
            overwrite=overwrite,
            sleep=self._export.history.sleeper("repetition"),
            deadline=deadline,
            retries=self._export.transport.retries,
            announce=announce,
            max_bytes=self._export.service.max_bytes,
        )

    @contextmanager
    def _about_this(self) -> Iterator[None]:
        """Let errors carry the job, and those of the job and its file tell what was tried."""
        try:
            yield
        except KhorosError as error:
            error.job = error.job or self
            if isinstance(error, JobError | DownloadError):
                error.add_subject(self._export.subject)
                error.add_history(self._export.history.summary())
            raise

    @contextmanager
    def _detaching(self) -> Iterator[None]:
        """Say after a Ctrl-C how to go on: the export is not stopped by it."""
        try:
            yield
        except KeyboardInterrupt:
            message = f"{self._export.subject} goes on on the server; find it again with client.job({self.token!r})"
            raise KeyboardInterrupt(message) from None
