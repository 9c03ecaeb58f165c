"""One export on the server: what its status says, when it is ready, and the file behind its link."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import field, frozen

from .._clock import Deadline
from .._http.history import History
from .._http.response import StreamedResponse
from .._http.transport import Transport
from .._journal.recorder import Recorder
from .._journal.store import Journal
from .._journal.token import JobIdentity
from .._protocol.calls import download_call, status_call
from .._protocol.messages import Call, Created, Status, Verdict
from .._protocol.replies import parse_status, raise_for_status
from .._storage.atomic import SavedFile
from ..errors import (
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    RequestRejectedError,
)
from .polling import Durations, pause, poll_until

__all__ = ["Export", "LinkedFile", "Service"]

log = logging.getLogger("khoros_analytics")

LINK_LIFE = timedelta(hours=24)
"""How long the server keeps a file (tutorial)."""
_PATIENCE = 600.0  # how long an export may be CLOSED without offering a file, in seconds


@frozen(eq=False)
class Service:
    """What all exports of one client share.

    Attributes:
        transport: What sends.
        account: The mark of the account in tokens and journals.
        journal: Where exports are written down, or None.
        max_bytes: How large a file may be, or None.
        durations: How long past exports took.
    """

    transport: Transport
    account: str
    journal: Journal | None = None
    max_bytes: int | None = None
    durations: Durations = field(factory=Durations)


class Export:
    """One export on the server.

    Args:
        service: Whose it is.
        identity: What was asked for, and the ids that the server gave.
        history: The requests that were made for it so far; None for one that was started earlier or elsewhere.
        record: Its line in the journal, or None.
    """

    def __init__(
        self,
        service: Service,
        identity: JobIdentity,
        history: History | None = None,
        record: Recorder | None = None,
    ) -> None:
        self.service = service
        self.transport = service.transport
        self.identity = identity
        self.reattached = history is None
        self.history = history or History(self.transport.clock)
        self.record = record
        self.saved: dict[Path, SavedFile] = {}
        self.status = Status()
        self.ready_at: float | None = None
        self._status_url = identity.created.status_url
        self._polled_at: float | None = None
        self._unsettled_since: float | None = None
        clock = self.transport.clock
        # On the clock that never jumps; an export of another process can only be dated by the calendar.
        self._born = clock.monotonic() - max(0.0, clock.time() - identity.started)

    def __repr__(self) -> str:
        return f"<Export {self.subject}: {self.state()}>"

    @property
    def subject(self) -> str:
        """What messages call it."""
        request = self.identity.request
        return f"job {self.identity.created.workflow_id} ({request.report.name}, {request.window})"

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest, or None while it is not known to be there."""
        return None if self.ready_at is None else datetime.fromtimestamp(self.ready_at, UTC) + LINK_LIFE

    def state(self) -> str:
        """Return what is known of it, in words."""
        return "started, not looked at yet" if self._polled_at is None else str(self.status)

    def age(self) -> float:
        """Return the seconds since it was started."""
        return self.transport.clock.monotonic() - self._born

    def poll(self, deadline: Deadline | None) -> Verdict:
        """Ask for the status once, and remember what the answer says.

        Args:
            deadline: When to give up, if that is earlier than the call's own deadline.

        Raises:
            KhorosError: There was no usable answer.
        """
        ids = self.identity.created
        known = Created(ids.workflow_id, ids.run_id, self._status_url)
        call = status_call(self.transport.base, self.subject, known, self.transport.company_key)
        try:
            status = self.transport.send(call, lambda reply: parse_status(call, reply, ids), deadline, self.history)
        except RequestRejectedError as error:
            if self.record and error.status_code in (404, 410):
                self.record.expired()
            raise
        self._learn(status.verdict)
        self.status, self._polled_at = status, self.age()
        self._status_url = status.status_url or self._status_url
        return status.verdict

    def _learn(self, verdict: Verdict) -> None:
        now, clock = self.age(), self.transport.clock
        if verdict is not Verdict.UNSETTLED:
            self._unsettled_since = None
        elif self._unsettled_since is None:
            self._unsettled_since = now
        if self.record and verdict is Verdict.FAILED:
            self.record.failed()
        if verdict is Verdict.READY and self.ready_at is None:
            self.ready_at = clock.time()
            if self.record:
                self.record.ready(self.ready_at)
            before = self._polled_at or 0.0
            # Somebody who looks late learns nothing of how long it took.
            if now - before <= 1.5 * pause(before, self._fastest()):
                self.service.durations.note(self._kind(), now)

    def _kind(self) -> tuple[str, timedelta]:
        request = self.identity.request
        return (request.report.name, request.window.length)

    def _fastest(self) -> float | None:
        return self.service.durations.fastest(self._kind())

    def wait(self, deadline: Deadline, on_poll: Callable[[], object] | None = None) -> None:
        """Wait until the file is ready.

        Args:
            deadline: When to give up.
            on_poll: Is called after each look.

        Raises:
            JobFailedError: The server gave the export up, or closed it without a file.
            JobTimeoutError: The deadline came first.
            KhorosError: There was no usable answer.
        """

        def poll() -> Verdict:
            verdict = self.poll(deadline)
            if on_poll:
                on_poll()
            return verdict

        if self.status.verdict is Verdict.READY and not self._is_old():
            return
        if self.status.verdict is not Verdict.FAILED:
            verdict = poll_until(
                poll,
                self._done,
                sleep=self.history.sleeper("next poll"),
                deadline=deadline,
                age=self.age,
                fastest=self._fastest(),
                pause_first=self._polled_at is None and not self.reattached,
            )
            if verdict is None:
                raise JobTimeoutError(
                    f"{self.subject}: not ready after {deadline.seconds:.0f} s, last seen as {self.state()}; the "
                    "export goes on: wait() again, or later with client.job(job.token)"
                )
        self._check_failure()

    def _done(self, verdict: Verdict) -> bool:
        if verdict is Verdict.UNSETTLED and self._unsettled_since is not None:
            return self.age() - self._unsettled_since >= _PATIENCE
        return verdict is not Verdict.RUNNING

    def _is_old(self) -> bool:
        expires = self.expires_at
        return expires is not None and self.transport.clock.time() >= expires.timestamp()

    def _check_failure(self) -> None:
        if self.status.verdict is Verdict.FAILED:
            why = self.status.reason or "no reason given"
            raise JobFailedError(
                f"{self.subject}: the server gave the export up ({why}); job.restart() starts it again"
            )
        if self.status.verdict is Verdict.UNSETTLED:
            if self.record:
                self.record.failed()
            raise JobFailedError(
                f"{self.subject}: closed for {_PATIENCE / 60:.0f} minutes without a file, last seen as "
                f"{self.state()}; job.refresh() looks again, job.restart() starts it again"
            )


class LinkedFile:
    """The file behind an export's link, as a source of bytes.

    Args:
        export: The export, ready.
        deadline: When to give up.
    """

    def __init__(self, export: Export, deadline: Deadline) -> None:
        self._export = export
        self._deadline = deadline

    @contextmanager
    def open(self, headers: Mapping[str, str]) -> Iterator[StreamedResponse]:
        """Ask for the file; the answer is a 200, 206 or 416.

        Args:
            headers: What to send beside the usual headers.

        Raises:
            DownloadExpiredError: The export is gone.
            KhorosError: There was another answer, or none.
        """
        export, transport = self._export, self._export.transport
        if self._deadline.passed():
            raise JobTimeoutError(
                f"{export.subject}: the time was up while fetching the file; the export is ready: download() again, or "
                "later with client.job(job.token)"
            )
        call = download_call(transport.base, export.subject, export.status.download_url, headers)
        with transport.stream(call, self._deadline, export.history) as stream:
            if stream.status_code in (401, 403, 404, 410):
                self._renew(call, stream)
            if stream.status_code not in (200, 206, 416):
                raise_for_status(call, stream.read_reply())
            yield stream

    def _renew(self, call: Call, stream: StreamedResponse) -> None:
        """Get a new link for one that is refused, or say that there is nothing behind it any more."""
        old = self._export.status.download_url
        gone = (
            f"{self._export.subject}: the server has dropped the file, it keeps one for 24 hours; "
            "job.restart() exports anew"
        )
        try:
            self._export.poll(self._deadline)
        except RequestRejectedError:
            raise self._gone(gone) from None
        self._export.wait(self._deadline)
        if stream.is_api and self._export.status.download_url == old:
            if stream.status_code in (404, 410):
                raise self._gone(gone)
            raise_for_status(call, stream.read_reply())
        raise IncompleteDownloadError(
            f"{self._export.subject}: {stream.host} refuses the link (HTTP {stream.status_code}), a new one was fetched"
        )

    def _gone(self, message: str) -> DownloadExpiredError:
        if self._export.record:
            self._export.record.expired()
        return DownloadExpiredError(message)
