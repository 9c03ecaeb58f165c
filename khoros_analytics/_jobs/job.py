"""``Job``: what a caller sees of one export."""

import os
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from .._checks import as_flag, checked
from .._http.history import Attempt
from .._protocol.messages import Status
from .._secrecy import unfinished
from .._tables import Table, as_html, in_words
from ..errors import ParameterError
from ..times import Window
from .file import JobFile
from .read_methods import ReadMethods
from .remote import RemoteJob
from .start import start_export
from .watch import watched
from .watch_call import watched_call

__all__ = ["Job"]


class Job(ReadMethods):
    """One export on the server. A client's report methods return it; nobody makes one by hand.

    Everything after :meth:`wait` waits by itself. A job is safe to share among threads.

    Example:
        >>> job = client.conversation("2019-02-01", "2019-05-01", metrics=["CONVERSATION_ID", "STATUS"])
        >>> job.wait().status.detail
        'COMPLETED'
        >>> job.download().name
        'conversation_2019-02-01_2019-05-01.csv'
    """

    def __init__(self, remote: RemoteJob) -> None:
        super().__init__(remote, JobFile(remote, remote.account.progress))

    @unfinished
    def __repr__(self) -> str:
        return f"<Job {self.report} {self.window}, {self._remote.request.format}: {self._remote.state()}>"

    def _repr_html_(self) -> str:
        """Return a table of what is known of it, for notebooks; nothing is asked of the server."""
        report, expires = self._remote.request.report, self.expires_at
        rows = [
            ("report", f"{report.name} ({report.title})"),
            ("window", str(self.window)),
            *((name, in_words(value)) for name, value in self.arguments.items()),
            ("state", self._remote.state()),
            ("workflow id", self.workflow_id),
        ]
        if expires is not None:
            rows.append(("file", f"on the server until {expires:%Y-%m-%d %H:%M} UTC"))
        return as_html(Table(f"Export of {report.title}", (), rows, len(rows)))

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "a Job is not pickled, since it is tied to a client and its credentials; send job.token, and get it back "
            "with client.job(token)"
        )

    @property
    def report(self) -> str:
        """The report's name on the wire."""
        return self._remote.request.report.name

    @property
    def window(self) -> Window:
        """The stretch of time that it covers."""
        return self._remote.request.window

    @property
    def arguments(self) -> dict[str, object]:
        """What was asked for beside the window, as keywords of the report's method."""
        return deepcopy(self._remote.request.arguments)

    @property
    def workflow_id(self) -> str:
        """The first half of its identity on the server."""
        return self._remote.identity.created.workflow_id

    @property
    def run_id(self) -> str:
        """The second half of its identity on the server; it may hold ``/``, ``+`` and ``=``."""
        return self._remote.identity.created.run_id

    @property
    def status(self) -> Status:
        """What the server said when it was last asked; :meth:`refresh` asks again."""
        return self._remote.status

    @property
    def token(self) -> str:
        """A text without secrets, for ``client.job(token)`` in another process."""
        return self._remote.token

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest, 24 hours after it was first seen here; None before that."""
        return self._remote.expires_at

    @property
    def history(self) -> tuple[Attempt, ...]:
        """Every request that was made for it, oldest first."""
        return self._remote.history.attempts()

    @property
    def reattached(self) -> bool:
        """Whether this is a job that was started earlier, found again by its token or in the journal."""
        return self._remote.reattached

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
        remote = self._remote
        watched = watched_call(remote.transport, remote.history, remote.subject, progress=remote.account.progress)
        with self._errors_about_this(), remote.detaching(), watched:
            remote.poll(None)
        return self

    def wait(self, timeout: float | None = None, on_update: Callable[["Job"], object] | None = None) -> "Job":
        """Wait until the file is ready.

        It polls after a time that grows with the job's age, from 3 to about 15 seconds; where earlier exports of the
        same report and window length took similar times, just before the fastest of them would have been ready.

        Args:
            timeout: How long, in seconds; 6 hours when not given.
            on_update: Is called with the job after each poll.

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
        with self._errors_about_this(), self._remote.detaching():
            if on_update is not None and not callable(on_update):
                raise ParameterError(f"on_update: {on_update!r} is not a function; give one that takes the job")
            deadline = self._remote.deadline(timeout)
            with watched(self._remote, not self._remote.is_ready and self._remote.account.progress):
                self._remote.wait(deadline, (lambda: on_update(self)) if on_update else None)
        return self

    def download(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        timeout: float | None = None,
        accept_unverified: bool = False,
    ) -> Path:
        """Wait until the file is ready, and save it. The file is there whole, or not at all.

        A job fetches its file once: a second call copies what the first one saved, and one for the same place returns
        it.

        Args:
            path: A file, or a folder in which the file gets a name made of report and window; the current folder when
                not given.
            overwrite: Whether another file that is there may be replaced.
            timeout: How long all of it may take, in seconds; 6 hours when not given.
            accept_unverified: Whether a file that looks cut off is taken, if its host announces no length and ends it
                at the same byte three times.

        Returns:
            The absolute path of the file.

        Raises:
            TargetExistsError: Another file is there.
            TargetError: There is no such folder, it is read-only, or the disk is full.
            DownloadExpiredError: The server has dropped the file; it keeps one for 24 hours.
            IncompleteDownloadError: The file did not arrive whole, again and again, or nothing shows that it is whole.
            JobFailedError: The server gave the export up.
            JobTimeoutError: The time is over.
            ApiError: The server answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.author("2019-02-01", "2019-02-02", format="json").download("authors.json").name
            'authors.json'
        """
        with self._errors_about_this():
            deadline = self._remote.deadline(timeout)
            checked("overwrite", as_flag, overwrite)
            unverified = checked("accept_unverified", as_flag, accept_unverified)
            return self._file.download(path, overwrite=overwrite, deadline=deadline, accept_unverified=bool(unverified))

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
        account = self._remote.account
        return Job(start_export(account, self._remote.request, fresh=True, progress=account.progress))
