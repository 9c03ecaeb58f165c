"""Starts an export, or finds the one that was started already: at most one, whatever dies in between."""

import logging
from datetime import UTC, datetime

from .._clock import Deadline
from .._http.history import History
from .._journal.entries import Claim, Entry, EntryState
from .._journal.recorder import Recorder
from .._journal.store import Journal
from .._journal.token import JobIdentity
from .._protocol.arguments import ExportRequest
from .._protocol.calls import create_call
from .._protocol.replies import parse_created
from .._storage.atomic import remove_leftovers
from ..errors import JobTimeoutError
from .remote import Account, RemoteJob

__all__ = ["reattach", "start_export"]

log = logging.getLogger("khoros_analytics")

_CLAIM_MARGIN = 60.0  # how much longer than its request a claim holds, in seconds
_CLAIM_PAUSE = 0.2  # how soon to ask again whether another process has started the same export, in seconds


def start_export(account: Account, request: ExportRequest, *, fresh: bool = False) -> RemoteJob:
    """Ask the server for an export, unless the journal knows the same one and ``fresh`` is not set."""
    if account.journal is None:
        return _create(account, request, Recorder())
    claim = _claim(account, account.journal, request, fresh=fresh)
    if claim.found is not None:
        return reattach(account, claim.found)
    if claim.lost is not None:
        asked = datetime.fromtimestamp(claim.lost.claimed_at, UTC)
        log.warning(
            "the %s export of %s was asked for at %s already, and whether the server started it is not known: starting "
            "a new one",
            request.report.name,
            request.window,
            f"{asked:%Y-%m-%d %H:%M:%S} UTC",
        )
    recorder = Recorder(account.journal, claim.number)
    try:
        return _create(account, request, recorder)
    except BaseException as error:
        # Also after a Ctrl-C: the next call would wait for a claim that nobody works on.
        recorder.not_started(may_have_started=getattr(error, "may_have_started", None) is not False)
        raise


def reattach(account: Account, entry: Entry) -> RemoteJob:
    """Return the job of a journal's line that has ids."""
    if entry.identity is None:
        raise LookupError(f"line {entry.number} of the journal has no ids")
    recorder = Recorder(account.journal, entry.number)
    saved = entry.saved
    if saved is not None and entry.state is not EntryState.SAVED and saved.intact():
        # The program that put it there was killed before it could say so.
        remove_leftovers(saved.path)
        recorder.saved(saved)
    job = RemoteJob(account, entry.identity, recorder=recorder, ready_at=entry.ready_at, earlier_file=saved)
    job.log.info("%s: found in the journal, and not started again; fresh=True would", job.subject)
    return job


def _claim(account: Account, journal: Journal, request: ExportRequest, *, fresh: bool) -> Claim:
    """Get the right to start an export, or the export that another process has just started."""
    transport = account.transport
    deadline = Deadline(transport.clock, transport.request_deadline + _CLAIM_MARGIN)
    while True:
        claim = journal.claim(request, fresh=fresh, lease=transport.request_deadline + _CLAIM_MARGIN)
        if not claim.busy:
            return claim
        if deadline.passed():
            raise JobTimeoutError(
                f"the {request.report.name} export: another process has been starting the same export for "
                f"{deadline.seconds:.0f} s; fresh=True does not wait for it",
                may_have_started=False,
            )
        transport.clock.sleep(_CLAIM_PAUSE)


def _create(account: Account, request: ExportRequest, recorder: Recorder) -> RemoteJob:
    transport = account.transport
    history = History(transport.clock, khoros_report=request.report.name)
    call = create_call(transport.base, request)
    try:
        created = transport.send(call, lambda reply: parse_created(call, reply), None, history)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{call.subject} of {request.window} was about to start; whether the server started it is not known"
        ) from None
    identity = JobIdentity(request, created, transport.clock.time())
    recorder.started(identity)
    job = RemoteJob(account, identity, history=history, recorder=recorder)
    job.log.info("%s: started", job.subject)
    return job
