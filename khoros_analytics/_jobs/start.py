"""Starts an export, or finds the one that was started already: at most one, whatever dies in between."""

import logging
import os
from datetime import UTC, datetime

from .._clock import Deadline
from .._http.history import History
from .._journal.entries import Claim, Entry, EntryState
from .._journal.recorder import Recorder
from .._journal.store import Journal, new_mark
from .._journal.token import JobIdentity, read_token, write_token
from .._protocol.arguments import ExportRequest
from .._protocol.calls import create_call
from .._protocol.messages import Call, Reply
from .._protocol.replies import parse_created
from .._storage.atomic import remove_leftovers
from ..errors import ConfigurationError, JobTimeoutError, KhorosError
from .explain import explain_claim, explain_creation
from .remote import Account, RemoteJob
from .watch_call import watched_call

__all__ = ["find_job", "start_export"]

log = logging.getLogger("khoros_analytics")

_CLAIM_MARGIN = 60.0  # how much longer than its request a claim holds, in seconds
_CLAIM_PAUSE = 0.2  # how soon to ask again whether another process has started the same export, in seconds


def start_export(
    account: Account,
    request: ExportRequest,
    *,
    fresh: bool = False,
    retries: int | None = None,
    progress: bool | None = False,
) -> RemoteJob:
    """Ask the server for an export, unless the journal knows the same one and ``fresh`` is not set.

    The call is repeated ``retries`` times where that is safe; as often as the client says when None. ``progress`` says
    whether it is shown.
    """
    mark = new_mark()
    recorder = Recorder() if account.journal is None else Recorder(account.journal, mark, request)
    creation = _Creation(account, request, recorder, retries)
    with watched_call(account.transport, creation.history, request.subject, progress=progress):
        return creation.run() if account.journal is None else _start_once(account.journal, creation, mark, fresh=fresh)


def _start_once(journal: Journal, creation: "_Creation", mark: str, *, fresh: bool) -> RemoteJob:
    """Start an export unless the journal has the same one, and leave no claim behind that nobody works on."""
    account, request = creation.account, creation.request
    try:
        claim = _claim(account, journal, request, mark, fresh=fresh)
        if claim.found is not None:
            return reattach(account, claim.found)
        if claim.lost is not None:
            _warn_of(claim.lost)
        return creation.run()
    except BaseException as error:
        if isinstance(error, KhorosError):
            explain_claim(error, request.subject)
        # Also after a Ctrl-C: the next call would wait for a claim that nobody works on.
        creation.broken_off(error)
        raise


def _warn_of(lost: Entry) -> None:
    log.warning(
        "%s was asked for at %s already, and whether the server started it is not known: starting a new one",
        lost.request.subject,
        f"{datetime.fromtimestamp(lost.claimant.at, UTC):%Y-%m-%d %H:%M:%S} UTC",
        extra={"khoros_report": lost.request.report.name},
    )


def find_job(account: Account, token: str) -> RemoteJob:
    """Return the job of a token, with what the journal knows of it; a ParameterError for one that is damaged."""
    identity = read_token(token, account.id)
    entry = account.journal.find(identity) if account.journal else None
    return reattach(account, entry) if entry else RemoteJob(account, identity)


def reattach(account: Account, entry: Entry) -> RemoteJob:
    """Return the job of a journal's line that has ids."""
    if entry.identity is None:
        raise LookupError(f"line {entry.number} of the journal has no ids")
    recorder = Recorder(account.journal, entry.mark, entry.request)
    saved = entry.saved
    if saved is not None and entry.state is not EntryState.SAVED and saved.intact():
        # The program that put it there was killed before it could say so.
        remove_leftovers(saved.path)
        recorder.saved(saved)
    job = RemoteJob(account, entry.identity, recorder=recorder, ready_at=entry.ready_at, earlier_file=saved)
    job.log.info("%s: found in the journal, and not started again; fresh=True would", job.subject)
    return job


def _claim(account: Account, journal: Journal, request: ExportRequest, mark: str, *, fresh: bool) -> Claim:
    """Get the right to start an export, or the export that another process has just started."""
    transport = account.transport
    lease = transport.request_deadline + _CLAIM_MARGIN
    deadline = Deadline(transport.clock, lease)
    while True:
        try:
            claim = journal.claim(request, mark, fresh=fresh, lease=lease)
        except ConfigurationError as error:
            error.may_have_started = False
            raise
        if not claim.busy:
            return claim
        if deadline.passed():
            raise JobTimeoutError(
                f"{request.subject}: another process has been starting the same "
                f"export for {deadline.seconds:.0f} s, and does not get on",
                may_have_started=False,
                advice="look at that process: client.jobs(state='claimed') shows its line; "
                "fresh=True does not wait for it",
            )
        transport.clock.sleep(_CLAIM_PAUSE)


class _Creation:
    """One request for an export: whatever breaks off after its answer, the ids are not lost."""

    def __init__(
        self, account: Account, request: ExportRequest, recorder: Recorder, retries: int | None = None
    ) -> None:
        self.account = account
        self.request = request
        self.history = History(account.transport.clock, khoros_report=request.report.name)
        self._recorder = recorder
        self._retries = retries
        self._process = os.getpid()
        self._sent = False
        self._identity: JobIdentity | None = None

    def run(self) -> RemoteJob:
        """Send it, and return the job."""
        history, call = self.history, create_call(self.account.transport.base, self.request)
        try:
            identity = self._send(call, history)
            self._recorder.started(identity)
        except KhorosError as error:
            explain_creation(error, call.subject, history)
            raise
        except KeyboardInterrupt:
            pass  # what it interrupted would stand behind the new one
        else:
            job = RemoteJob(self.account, identity, history=history, recorder=self._recorder)
            job.log.info("%s: started", job.subject)
            return job
        raise KeyboardInterrupt(self._interrupted(call))

    def _send(self, call: Call, history: History) -> JobIdentity:
        transport = self.account.transport

        def read(reply: Reply) -> JobIdentity:
            self._identity = JobIdentity(self.request, parse_created(call, reply), transport.clock.time())
            return self._identity

        self._sent = True
        try:
            return transport.send(call, read, None, history, retries=self._retries)
        except KhorosError:
            if self._identity is None:
                raise
            return self._identity  # what broke behind the answer costs nothing

    def _interrupted(self, call: Call) -> str:
        if self._identity is None:
            return f"{call.subject} was about to start; whether the server started it is not known"
        token = write_token(self._identity, self.account.id)
        return f"{call.subject} was started, and goes on on the server; find it again with client.job({token!r})"

    def broken_off(self, error: BaseException) -> None:
        """Note what is known after an error, so that nobody waits for a claim without an owner."""
        if os.getpid() != self._process:
            return  # the child of a fork ends; its parent goes on
        if self._identity is not None:
            self._recorder.started(self._identity)
        elif self._sent:
            self._recorder.not_started(may_have_started=getattr(error, "may_have_started", None) is not False)
        elif not isinstance(error, KhorosError):  # after one of those there is no claim
            self._recorder.not_started(may_have_started=False)
