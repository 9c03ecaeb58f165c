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
from .remote import Export, Service

__all__ = ["reattach", "start_export"]

log = logging.getLogger("khoros_analytics")

_LEASE = 60.0  # how much longer than its request a claim holds, in seconds
_NAP = 0.2  # how soon to look again whether somebody else has started the same export, in seconds


def start_export(service: Service, request: ExportRequest, *, fresh: bool = False) -> Export:
    """Ask the server for an export, unless the journal knows the same one.

    Args:
        service: Whose export it is.
        request: What to export.
        fresh: Whether to start it whatever the journal knows.

    Raises:
        KhorosError: It was refused, or the server cannot be reached; ``may_have_started`` says whether it may run.
    """
    if service.journal is None:
        return _start(service, request, None)
    claim = _claim(service, service.journal, request, fresh=fresh)
    if claim.found is not None:
        return reattach(service, claim.found)
    if claim.lost is not None:
        asked = datetime.fromtimestamp(claim.lost.claimed_at, UTC)
        log.warning(
            "the %s export of %s was asked for at %s already, and whether the server started it is not known: starting "
            "a new one",
            request.report.name,
            request.window,
            f"{asked:%Y-%m-%d %H:%M:%S} UTC",
        )
    record = Recorder(service.journal, claim.number)
    try:
        return _start(service, request, record)
    except BaseException as error:
        # Also when interrupted: a claim that nobody works on would let the next one wait for it.
        record.not_started(may_have_started=getattr(error, "may_have_started", None) is not False)
        raise


def reattach(service: Service, entry: Entry) -> Export:
    """Return the export of a journal's line that has ids.

    Args:
        service: Whose export it is.
        entry: The line.
    """
    if entry.identity is None:
        raise LookupError(f"line {entry.number} of the journal has no ids")
    record = Recorder(service.journal, entry.number) if service.journal else None
    export = Export(service, entry.identity, record=record)
    export.ready_at = entry.ready_at
    if entry.saved is not None:
        export.saved[entry.saved.path] = entry.saved
        if record and entry.state is not EntryState.SAVED and entry.saved.intact():
            # Whoever put it there was killed before saying so.
            remove_leftovers(entry.saved.path)
            record.saved(entry.saved)
    log.info("%s: found in the journal, and not started again; fresh=True would", export.subject)
    return export


def _claim(service: Service, journal: Journal, request: ExportRequest, *, fresh: bool) -> Claim:
    """Get the right to start an export, or the export that somebody else has just started."""
    transport = service.transport
    deadline = Deadline(transport.clock, transport.request_deadline + _LEASE)
    while True:
        claim = journal.claim(request, fresh=fresh, lease=transport.request_deadline + _LEASE)
        if not claim.busy:
            return claim
        if deadline.passed():
            raise JobTimeoutError(
                f"the {request.report.name} export: another process has been starting the same export for "
                f"{deadline.seconds:.0f} s; fresh=True does not wait for it",
                may_have_started=False,
            )
        transport.clock.sleep(_NAP)


def _start(service: Service, request: ExportRequest, record: Recorder | None) -> Export:
    transport = service.transport
    history = History(transport.clock)
    call = create_call(transport.base, request, transport.company_key)
    try:
        created = transport.send(call, lambda reply: parse_created(call, reply), None, history)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{call.subject} of {request.window} was about to start; whether the server started it is not known"
        ) from None
    identity = JobIdentity(request, created, transport.clock.time())
    if record:
        record.started(identity)
    export = Export(service, identity, history, record)
    log.info("%s: started", export.subject)
    return export
