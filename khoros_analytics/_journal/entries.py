"""What a journal says: its lines, how far an export came, and the answer to a claim."""

from enum import Enum

from attrs import frozen

from .._checks import did_you_mean
from .._protocol.arguments import ExportRequest
from .._storage.atomic import SavedFile
from .process import Claimant
from .token import JobIdentity

__all__ = ["ALIVE", "Claim", "Entry", "EntryState", "as_state"]


class EntryState(Enum):
    """How far an export came, as far as the journal knows."""

    CLAIMED = "claimed"
    """Somebody is about to start it."""
    STARTED = "started"
    READY = "ready"
    SAVED = "saved"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    """The server did not start it."""
    UNKNOWN = "unknown"
    """Nobody knows whether the server started it: the process ended, or the answer was lost."""


def as_state(name: object) -> EntryState:
    """Return the state of that name; a ValueError suggests the nearest."""
    known = {state.value: state.value for state in EntryState}
    if not isinstance(name, str) or name.lower() not in known:
        hint = did_you_mean(name, known) or f"; the states are {', '.join(known)}"
        raise ValueError(f"{name!r} is not a state{hint}")
    return EntryState(name.lower())


ALIVE = (EntryState.STARTED, EntryState.READY, EntryState.SAVED)
"""The states of an export that can be gone on with."""


@frozen
class Entry:
    """One export in the journal.

    Attributes:
        number: Its place in the journal.
        mark: What names its line, and no other in any journal.
        request: What was asked for.
        state: How far it came.
        claimant: Who asked for it, and when.
        identity: The job, or None where no ids are known.
        ready_at: When it was first seen ready, in seconds since 1970 UTC, or None.
        saved: Where its file was put last, or None. While the state is not SAVED, it was only about to be put there.
    """

    number: int
    mark: str
    request: ExportRequest
    state: EntryState
    claimant: Claimant
    identity: JobIdentity | None = None
    ready_at: float | None = None
    saved: SavedFile | None = None


@frozen
class Claim:
    """The answer to somebody who wants to start an export; where nothing else is set, it is the caller's to start.

    Attributes:
        found: An export that is there already, to be used instead.
        lost: An earlier claim of which nobody knows what came of it.
        busy: Somebody else is starting the same export right now: ask again in a moment.
    """

    found: Entry | None = None
    lost: Entry | None = None
    busy: bool = False
