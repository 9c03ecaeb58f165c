"""``Job``: one export on the server, from its start to its file."""

import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from attrs import field, frozen

from ._arguments import ExportRequest
from ._clock import Deadline
from ._download import SavedFile, check_place, copy, fetch, locate
from ._messages import Attempt, Call, Created, Status, Verdict
from ._polling import Durations, pause, watch
from ._protocol import create_call, download_call, parse_created, parse_status, raise_for_status, status_call
from ._token import JobIdentity, account_mark, write_token
from ._transport import Stream, Transport
from .errors import (
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
    RequestRejectedError,
)
from .times import Window

__all__ = ["Job", "Service", "start_export"]

log = logging.getLogger("khoros_analytics")

LONGEST_WAIT = 6 * 3600.0
"""How long a job is waited for when nobody says otherwise, in seconds."""
LINK_LIFE = timedelta(hours=24)
"""How long the server keeps a file (tutorial)."""
_PATIENCE = 600.0  # how long a job may be CLOSED without offering a file, in seconds
_LONGEST_HISTORY = 1000


@frozen
class Service:
    """What every job of one client shares.

    Attributes:
        transport: What sends.
        durations: How long past exports took.
    """

    transport: Transport
    durations: Durations = field(factory=Durations)

    @property
    def account(self) -> str:
        """The mark of the account in tokens."""
        return account_mark(self.transport.base.origin, self.transport.company_key)


def start_export(service: Service, request: ExportRequest) -> "Job":
    """Ask the server for an export.

    Args:
        service: Whose export it is.
        request: What to export.

    Raises:
        KhorosError: It was refused, or the server cannot be reached; ``may_have_started`` says whether it may run.
    """
    transport = service.transport
    history: list[Attempt] = []
    call = create_call(transport.base, request, transport.company_key)
    created = transport.send(call, lambda reply: parse_created(call, reply), None, history.append)
    job = Job(service, JobIdentity(request, created, transport.clock.time()))
    job._history.extend(history)
    log.info("%s: started", job._subject)
    return job


class Job:
    """One export on the server. A client's report methods return it; nobody makes one by hand.

    Everything after :meth:`wait` waits by itself. A job is safe to share among threads.

    Example:
        >>> job = client.conversation("2019-02-01", "2019-05-01", metrics=["CONVERSATION_ID", "STATUS"])
        >>> job.wait().status.detail
        'COMPLETED'
        >>> job.download(folder).name
        'conversation_2019-02-01_2019-05-01.csv'
    """

    def __init__(self, service: Service, identity: JobIdentity, *, reattached: bool = False) -> None:
        self._service = service
        self._transport = service.transport
        self._identity = identity
        self._status_url = identity.created.status_url
        self._reattached = reattached
        self._status = Status()
        self._looked_at: float | None = None
        self._unsettled_since: float | None = None
        self._ready_at: float | None = None
        self._saved: dict[Path, SavedFile] = {}
        self._history: deque[Attempt] = deque(maxlen=_LONGEST_HISTORY)
        self._downloading = threading.RLock()
        clock = self._transport.clock
        # On the clock that never jumps; a job of another process can only be dated by the calendar.
        self._born = clock.monotonic() - max(0.0, clock.time() - identity.started)

    def __repr__(self) -> str:
        return f"<Job {self.report} {self.window}, {self.arguments['format']}: {self._state()}>"

    def _state(self) -> str:
        return "started, not looked at yet" if self._looked_at is None else str(self._status)

    @property
    def _subject(self) -> str:
        return f"job {self.workflow_id} ({self.report}, {self.window})"

    @property
    def report(self) -> str:
        """The report's name on the wire."""
        return self._identity.request.report.name

    @property
    def window(self) -> Window:
        """The stretch of time that it covers."""
        return self._identity.request.window

    @property
    def arguments(self) -> dict[str, object]:
        """What was asked for beside the window, as keywords of the report's method."""
        return self._identity.request.arguments

    @property
    def workflow_id(self) -> str:
        """The first half of its identity on the server."""
        return self._identity.created.workflow_id

    @property
    def run_id(self) -> str:
        """The second half of its identity on the server; it may hold ``/``, ``+`` and ``=``."""
        return self._identity.created.run_id

    @property
    def status(self) -> Status:
        """What the server said when it was last asked; :meth:`refresh` asks again."""
        return self._status

    @property
    def token(self) -> str:
        """A text without secrets, for ``client.job(token)`` in another process."""
        return write_token(self._identity, self._service.account)

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest: 24 hours after it was first seen here. None before that."""
        if self._ready_at is None:
            return None
        return datetime.fromtimestamp(self._ready_at, UTC) + LINK_LIFE

    @property
    def history(self) -> tuple[Attempt, ...]:
        """Every request that was made for it, oldest first."""
        return tuple(self._history)

    @property
    def reattached(self) -> bool:
        """Whether this is a job that was started earlier, found again by its token."""
        return self._reattached

    def refresh(self) -> "Job":
        """Ask the server for the status once.

        Returns:
            The job itself.

        Raises:
            ApiError: The server does not know the job any more, or answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.response("2019-02-01", "2019-02-02").refresh().status.state
            'RUNNING'
        """
        with self._about_this():
            self._look(None)
        return self

    def wait(self, timeout: float | None = None, on_update: Callable[["Job"], object] | None = None) -> "Job":
        """Wait until the file is ready.

        It looks after a time that grows with the job's age, from 3 to about 15 seconds; where earlier exports of the same
        report and window length took similar times, just before the fastest of them would have been ready.

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
        with self._about_this(), self._detaching():
            self._wait(self._deadline(timeout), on_update)
        return self

    def download(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False, timeout: float | None = None
    ) -> Path:
        """Wait until the file is ready, and save it. The file is there whole, or not at all.

        A job fetches its file once: a second call copies what the first one saved, and one for the same place returns it.

        Args:
            path: A file, or a folder in which the file gets a name made of report and window; the current folder when not
                given.
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
            >>> client.author("2019-02-01", "2019-02-02", format="json").download(folder / "authors.json").name
            'authors.json'
        """
        with self._about_this(), self._detaching(), self._downloading:
            target = locate(path, self._file_name())
            if not self._is_mine(target):
                check_place(target, overwrite=overwrite)
                self._saved[target] = self._save(target, overwrite=overwrite, deadline=self._deadline(timeout))
                log.info("%s: saved as %s", self._subject, target)
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
        return start_export(self._service, self._identity.request)

    def _deadline(self, timeout: float | None) -> Deadline:
        seconds = LONGEST_WAIT if timeout is None else timeout
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ParameterError(f"timeout: {timeout!r} is no number of seconds; leave it out to wait up to 6 hours")
        return self._transport.deadline(seconds)

    def _age(self) -> float:
        return self._transport.clock.monotonic() - self._born

    def _look(self, deadline: Deadline | None) -> Verdict:
        """Ask for the status once, and remember what that says."""
        ids = self._identity.created
        known = Created(ids.workflow_id, ids.run_id, self._status_url)
        call = status_call(self._transport.base, self._subject, known, self._transport.company_key)
        status = self._transport.send(
            call, lambda reply: parse_status(call, reply, ids), deadline, self._history.append
        )
        self._learn(status.verdict)
        self._status, self._looked_at = status, self._age()
        self._status_url = status.status_url or self._status_url
        return status.verdict

    def _learn(self, verdict: Verdict) -> None:
        now, clock = self._age(), self._transport.clock
        if verdict is not Verdict.UNSETTLED:
            self._unsettled_since = None
        elif self._unsettled_since is None:
            self._unsettled_since = now
        if verdict is Verdict.READY and self._ready_at is None:
            self._ready_at = clock.time()
            before = self._looked_at or 0.0
            # Somebody who looks late learns nothing of how long it took.
            if now - before <= 1.5 * pause(before, self._fastest()):
                self._service.durations.note(self._kind(), now)

    def _kind(self) -> tuple[str, timedelta]:
        return (self.report, self.window.length)

    def _fastest(self) -> float | None:
        return self._service.durations.fastest(self._kind())

    def _wait(self, deadline: Deadline, on_update: Callable[["Job"], object] | None) -> None:
        if self._status.verdict is Verdict.READY and not self._is_old():
            return
        if self._status.verdict is not Verdict.FAILED:
            verdict = watch(
                lambda: self._tell(self._look(deadline), on_update),
                self._settled,
                clock=self._transport.clock,
                deadline=deadline,
                age=self._age,
                fastest=self._fastest(),
                fresh=self._looked_at is None and not self._reattached,
            )
            if verdict is None:
                raise JobTimeoutError(
                    f"{self._subject}: not ready after {deadline.seconds:.0f} s, last seen as {self._state()}; the export "
                    "goes on: wait() again, or later with client.job(job.token)"
                )
        self._check_failure()

    def _tell(self, verdict: Verdict, on_update: Callable[["Job"], object] | None) -> Verdict:
        if on_update:
            on_update(self)
        return verdict

    def _settled(self, verdict: Verdict) -> bool:
        if verdict is Verdict.UNSETTLED and self._unsettled_since is not None:
            return self._age() - self._unsettled_since >= _PATIENCE
        return verdict is not Verdict.RUNNING

    def _is_old(self) -> bool:
        expires = self.expires_at
        return expires is not None and self._transport.clock.time() >= expires.timestamp()

    def _check_failure(self) -> None:
        if self._status.verdict is Verdict.FAILED:
            why = self._status.reason or "no reason given"
            raise JobFailedError(
                f"{self._subject}: the server gave the export up ({why}); job.restart() starts it again"
            )
        if self._status.verdict is Verdict.UNSETTLED:
            raise JobFailedError(
                f"{self._subject}: closed for {_PATIENCE / 60:.0f} minutes without a file, last seen as {self._state()}; "
                "job.refresh() looks again, job.restart() starts it again"
            )

    def _file_name(self) -> str:
        ending = "".join(filter(str.isalnum, str(self.arguments["format"])))
        moments = [
            f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%dT%H%M%S}"
            for moment in (self.window.start, self.window.end)
        ]
        return f"{self.report}_{'_'.join(moments)}.{ending}"

    def _is_mine(self, target: Path) -> bool:
        return target in self._saved and self._saved[target].intact()

    def _save(self, target: Path, *, overwrite: bool, deadline: Deadline) -> SavedFile:
        for saved in self._saved.values():
            if saved.intact():
                return copy(saved, target, overwrite=overwrite)
        self._wait(deadline, None)
        return fetch(
            _LinkedFile(self, deadline),
            target,
            overwrite=overwrite,
            clock=self._transport.clock,
            deadline=deadline,
            retries=self._transport.retries,
        )

    @contextmanager
    def _about_this(self) -> Iterator[None]:
        """Let errors carry the job."""
        try:
            yield
        except KhorosError as error:
            error.job = error.job or self
            raise

    @contextmanager
    def _detaching(self) -> Iterator[None]:
        """Say after a Ctrl-C how to go on: the export is not stopped by it."""
        try:
            yield
        except KeyboardInterrupt:
            message = f"{self._subject} goes on on the server; find it again with client.job({self.token!r})"
            raise KeyboardInterrupt(message) from None


class _LinkedFile:
    """The file behind a job's link, as a source of bytes."""

    def __init__(self, job: Job, deadline: Deadline) -> None:
        self._job = job
        self._deadline = deadline

    @contextmanager
    def open(self, headers: Mapping[str, str]) -> Iterator[Stream]:
        job, transport = self._job, self._job._transport
        if self._deadline.passed():
            raise JobTimeoutError(
                f"{job._subject}: the time was up while fetching the file; the export is ready: download() again, or "
                "later with client.job(job.token)"
            )
        call = download_call(transport.base, job._subject, job.status.download_url, headers)
        with transport.stream(call, self._deadline, job._history.append) as stream:
            if stream.status_code in (401, 403, 404, 410):
                self._renew(call, stream)
            if stream.status_code not in (200, 206, 416):
                raise_for_status(call, stream.read_reply())
            yield stream

    def _renew(self, call: Call, stream: Stream) -> None:
        """Get a new link for one that is refused, or say that there is nothing behind it any more."""
        old = self._job.status.download_url
        gone = f"{self._job._subject}: the server has dropped the file, it keeps one for 24 hours; job.restart() exports anew"
        try:
            self._job._look(self._deadline)
        except RequestRejectedError as error:
            raise DownloadExpiredError(gone) from error
        self._job._wait(self._deadline, None)
        if stream.at_home and self._job.status.download_url == old:
            if stream.status_code in (404, 410):
                raise DownloadExpiredError(gone)
            raise_for_status(call, stream.read_reply())
        raise IncompleteDownloadError(
            f"{self._job._subject}: {stream.host} refuses the link (HTTP {stream.status_code}), a new one was fetched"
        )
