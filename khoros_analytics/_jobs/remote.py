"""An export as the server has it: its status, when it is ready, and the file behind its link."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from .._checks import as_seconds, checked
from .._clock import Deadline
from .._http.history import History
from .._http.response import StreamedResponse
from .._http.transport import Transport
from .._journal.recorder import Recorder
from .._journal.store import Journal
from .._journal.token import JobIdentity, write_token
from .._protocol.arguments import ExportRequest
from .._protocol.calls import download_call, status_call
from .._protocol.messages import Call, Created, Reply, Status, Verdict
from .._protocol.replies import parse_status, raise_for_status
from .._secrecy import emptied_frames, hidden_text, unfinished
from .._storage.atomic import SavedFile
from ..errors import (
    DownloadExpiredError,
    FailedJob,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    RequestRejectedError,
)
from .explain import explain, explain_missing_library
from .polling import Durations, pause, poll_until

__all__ = ["Account", "RemoteFile", "RemoteJob"]

log = logging.getLogger("khoros_analytics")

LINK_LIFETIME = timedelta(hours=24)
"""How long the server keeps a file (tutorial)."""
DEFAULT_TIMEOUT = 6 * 3600.0
"""How long a job is waited for when its caller does not say, in seconds."""
CLOSED_WITHOUT_FILE = 600.0
"""How long a job may be CLOSED without offering a file before it counts as failed, in seconds."""
FIRST_SIGN_OF_LIFE = 600.0
"""After how many seconds a line in the log says that a job is still running; then each time its age has doubled."""


@frozen(eq=False)
class Account:
    """What all jobs of one client share.

    ``id`` is the account's name in tokens and journals. ``progress`` says whether waits are shown: True, False, or None
    for where somebody is looking.
    """

    transport: Transport
    id: str
    journal: Journal | None = None
    max_bytes: int | None = None
    durations: Durations = field(factory=Durations)
    progress: bool | None = False


class RemoteJob:
    """One export on the server.

    Without a history it is one that was started earlier or elsewhere. ``earlier_file`` is where an earlier program put
    its file, as the journal says.
    """

    def __init__(
        self,
        account: Account,
        identity: JobIdentity,
        *,
        history: History | None = None,
        recorder: Recorder | None = None,
        ready_at: float | None = None,
        earlier_file: SavedFile | None = None,
    ) -> None:
        self.account = account
        self.transport: Transport = account.transport
        self.identity = identity
        self.reattached: bool = history is None
        self.history: History = history or History(self.transport.clock)
        about = {"khoros_job": identity.created.workflow_id, "khoros_report": identity.request.report.name}
        self.log: logging.LoggerAdapter[logging.Logger] = logging.LoggerAdapter(log, about)
        self.history.log = self.log
        self.recorder: Recorder = recorder or Recorder()
        self.recorder.subject, self.recorder.log = self.subject, self.log
        self.ready_at = ready_at
        self.earlier_file = earlier_file
        self.status: Status = Status()
        self._status_url = hidden_text(identity.created.status_url)
        self._last_poll: float | None = None
        self._closed_without_file_since: float | None = None
        self._next_sign_of_life = FIRST_SIGN_OF_LIFE
        clock = self.transport.clock
        # On the monotonic clock; the age of a job of another process is known by the calendar only.
        self._started = clock.monotonic() - max(0.0, clock.time() - identity.started)

    @unfinished
    def __repr__(self) -> str:
        return f"<RemoteJob {self.subject}: {self.state()}>"

    @property
    def request(self) -> ExportRequest:
        """What was asked for."""
        return self.identity.request

    @property
    def subject(self) -> str:
        """What messages call it."""
        ids = self.identity.created
        return f"job {ids.workflow_id} ({self.request.report.name}, {self.request.window}, run {ids.run_id})"

    @property
    def token(self) -> str:
        """The text with which another process finds it again."""
        return write_token(self.identity, self.account.id)

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest, or None while the file is not known to be there."""
        return None if self.ready_at is None else datetime.fromtimestamp(self.ready_at, UTC) + LINK_LIFETIME

    @property
    def verdict(self) -> Verdict:
        """What its last status means."""
        return self.status.verdict

    @property
    def is_found_again(self) -> bool:
        """Whether the same call finds it in the journal: not where rows may have come since it was started."""
        return self.recorder.keeps and self.request.window.end_ms <= self.identity.started * 1000

    def state(self) -> str:
        """Return what is known of it, in words."""
        return "started, not polled yet" if self._last_poll is None else str(self.status)

    def age(self) -> float:
        """Return the seconds since it was started."""
        return self.transport.clock.monotonic() - self._started

    def deadline(self, timeout: object) -> Deadline:
        """Return the deadline that a caller's timeout stands for; a ParameterError for what is not a time."""
        self.recorder.catch_up()
        if timeout is None:
            return self.transport.deadline(DEFAULT_TIMEOUT)
        seconds = checked("timeout", lambda value: as_seconds(value, zero=True), timeout)
        return self.transport.deadline(seconds)

    def poll(self, deadline: Deadline | None, *, retries: int | None = None) -> Verdict:
        """Ask for the status once, and remember what the answer says.

        Without a deadline the call is repeated ``retries`` times, as often as the client says when None.
        """
        self.recorder.catch_up()
        ids = self.identity.created
        known = Created(ids.workflow_id, ids.run_id, status_url=self._status_url)
        call = status_call(self.transport.base, self.subject, known)
        try:
            status = self.transport.send(
                call, lambda reply: parse_status(call, reply, ids), deadline, self.history, retries=retries
            )
        except RequestRejectedError as error:
            if error.status_code in (404, 410):
                self.recorder.expired()
            raise
        if not status.is_documented:
            self.log.warning("%s: the server says %r, which is not documented; waiting on", self.subject, str(status))
        self._note(status.verdict)
        self.status, self._last_poll = status, self.age()
        if status.status_url:
            self._status_url = hidden_text(status.status_url)
        return status.verdict

    def _note(self, verdict: Verdict) -> None:
        now = self.age()
        if verdict is not Verdict.UNSETTLED:
            self._closed_without_file_since = None
        elif self._closed_without_file_since is None:
            self._closed_without_file_since = now
        if verdict is Verdict.RUNNING and now >= self._next_sign_of_life:
            self.log.info("%s: still running after %s", self.subject, _minutes(now))
            self._next_sign_of_life = 2 * now
        if verdict is Verdict.FAILED:
            self.recorder.failed()
        if verdict is Verdict.READY and self.ready_at is None:
            self.ready_at = self.transport.clock.time()
            self.recorder.ready(self.ready_at)
            self.log.info("%s: ready after %s", self.subject, _minutes(now))
            last = self._last_poll or 0.0
            # A late poll says little about how long the export took.
            if now - last <= 1.5 * pause(last, self._fastest()):
                self.account.durations.note(self._similar_exports(), now)

    def _similar_exports(self) -> tuple[str, timedelta]:
        """Return what exports have in common that are expected to take similar times."""
        return (self.request.report.name, self.request.window.length)

    def _fastest(self) -> float | None:
        return self.account.durations.fastest(self._similar_exports())

    def wait(self, deadline: Deadline, on_poll: Callable[[], object] | None = None) -> None:
        """Wait until the file is ready; a JobError where it never will be, or the deadline comes first."""

        def poll() -> Verdict:
            verdict = self.poll(deadline)
            if on_poll:
                on_poll()
            return verdict

        if self.is_ready:
            return
        if self.status.verdict is not Verdict.FAILED:
            verdict = poll_until(
                poll,
                self.is_over,
                sleep=self.history.sleeper("next poll"),
                deadline=deadline,
                age=self.age,
                fastest=self._fastest(),
                pause_first=self._last_poll is None and not self.reattached,
            )
            if verdict is None:
                raise JobTimeoutError(
                    f"{self.subject}: not ready after {deadline.seconds:.0f} s, last seen as {self.state()}"
                )
        self.raise_failure()

    def is_over(self, verdict: Verdict) -> bool:
        """Return whether an export will not change any more, for all that is known of it."""
        if verdict is Verdict.UNSETTLED and self._closed_without_file_since is not None:
            return self.age() - self._closed_without_file_since >= CLOSED_WITHOUT_FILE
        return verdict is not Verdict.RUNNING

    @property
    def is_ready(self) -> bool:
        """Whether its file can be fetched, for all that is known here."""
        return self.status.verdict is Verdict.READY and not self._may_have_expired()

    def _may_have_expired(self) -> bool:
        expires = self.expires_at
        return expires is not None and self.transport.clock.time() >= expires.timestamp()

    def raise_failure(self) -> None:
        """Raise a JobFailedError where there will never be a file."""
        if self.status.verdict is Verdict.FAILED:
            why = self.status.reason or "no reason given"
            raise JobFailedError(f"{self.subject}: the server gave the export up ({why})")
        if self.status.verdict is Verdict.UNSETTLED:
            self.recorder.failed()
            raise JobFailedError(
                f"{self.subject}: closed for {CLOSED_WITHOUT_FILE / 60:.0f} minutes without a file, last seen as "
                f"{self.state()}",
                advice="start it again with job.restart(); job.refresh() asks once more whether there is a file by now",
            )

    @contextmanager
    def errors_about(self, job: FailedJob) -> Iterator[None]:
        """Let the block's errors carry the job, and say how it goes on."""
        try:
            with emptied_frames():
                yield
        except KhorosError as error:
            error.job = error.job or job
            explain(error, self)
            raise
        except ImportError as error:
            explain_missing_library(error, self)
            raise

    @contextmanager
    def detaching(self) -> Iterator[None]:
        """Say after a Ctrl-C how to go on: it does not stop the export."""
        try:
            yield
        except KeyboardInterrupt:
            pass  # what it interrupted would stand behind the new one
        else:
            return
        raise KeyboardInterrupt(f"{self.subject} goes on on the server; find it again with client.job({self.token!r})")


_EXPIRED = re.compile(
    rb"(?i)<Code>\s*(ExpiredToken|RequestExpired|ExpiredRequest|TokenRefreshRequired)\s*<|\bexpired\b"
)


def _says_expired(reply: Reply) -> bool:
    """Return whether a file host refuses a link for its age: with temporary credentials S3 and Google say so by 400."""
    return reply.status_code == 400 and bool(_EXPIRED.search(reply.body))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class RemoteFile:
    """The file behind the link of a ready job, as a source of bytes."""

    def __init__(self, remote: RemoteJob, deadline: Deadline) -> None:
        self._remote = remote
        self._deadline = deadline

    @contextmanager
    def open(self, headers: Mapping[str, str]) -> Iterator[StreamedResponse]:
        """Ask for the file; the answer is a 200, 203, 206, 412 or 416, and anything else an error."""
        remote, transport = self._remote, self._remote.transport
        if self._deadline.passed():
            raise JobTimeoutError(f"{remote.subject}: the time was up while fetching the file")
        call = download_call(transport.base, remote.subject, remote.status.download_url, headers)
        with transport.stream(call, self._deadline, remote.history) as response:
            if response.status_code in (401, 403, 404, 410):
                self._renew(call, response)
            if response.status_code not in (200, 203, 206, 416) and not (
                response.status_code == 412 and "Range" in headers
            ):
                reply = response.read_reply()
                if _says_expired(reply) and not response.is_api:
                    self._renew(call, response)
                raise_for_status(call, reply)
            yield response

    def _renew(self, call: Call, response: StreamedResponse) -> None:
        """Get a new link for one that is refused, or say that there is nothing behind it any more."""
        remote, old = self._remote, self._remote.status.download_url
        try:
            remote.poll(self._deadline)
        except RequestRejectedError:
            raise self._expired() from None
        remote.wait(self._deadline)
        if response.is_api and remote.status.download_url == old:
            if response.status_code in (404, 410):
                raise self._expired()
            raise_for_status(call, response.read_reply())
        raise IncompleteDownloadError(
            f"{remote.subject}: {response.host} refuses the link to the file (HTTP {response.status_code})",
            advice="look at the clock of this machine, and for a proxy or a firewall that changes links or blocks "
            f"{response.host}; if there is none, tell Khoros support",
        )

    def _expired(self) -> DownloadExpiredError:
        self._remote.recorder.expired()
        return DownloadExpiredError(
            f"{self._remote.subject}: the server has dropped the file, which it keeps for 24 hours"
        )
