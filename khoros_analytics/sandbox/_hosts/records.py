"""What came in: a record of every request, in the order of arrival."""

import threading
from collections import deque
from collections.abc import Callable

from attrs import evolve, field, frozen

from .._fault_queue import Fault, Phase
from .._options import Options

__all__ = ["Entry", "Log", "Pairs", "RecordedRequest"]

_MOST = 32 * 1024 * 1024  # bytes of the records that are kept, where not all are
_PAIR = 200  # bytes that a pair takes beside its letters

Pairs = tuple[tuple[str, str], ...]


@frozen
class RecordedRequest:
    """One request that reached the sandbox.

    Attributes:
        time: When it arrived, in seconds on the sandbox's clock.
        origin: ``api`` or ``file``.
        phase: The kind of call; None for a path that the API does not have.
        method: The HTTP verb.
        path: The path, still percent-encoded.
        query: The pairs of the query, in their order.
        form: The pairs of a body that is a form or a JSON object, in their order.
        headers: All headers, as pairs. Not in the repr, like the query and the form: they may hold secrets.
        has_authorization: Whether it carried an Authorization header.
        fault: The fault that met it.
        status: The HTTP status of the answer; 0 while, and when, none was sent.
        sent: The number of body bytes that were sent.
    """

    time: float
    origin: str
    phase: Phase | None
    method: str
    path: str
    query: Pairs = field(repr=False)
    form: Pairs = field(repr=False)
    headers: Pairs = field(repr=False)
    has_authorization: bool
    fault: Fault | None = None
    status: int = 0
    sent: int = 0

    def header(self, name: str) -> str | None:
        """Return a header's value, or None; its name may be in any letter case.

        Example:
            >>> RecordedRequest(0.0, "api", None, "GET", "/", (), (), (("Range", "bytes=0-"),), False).header("range")
            'bytes=0-'
        """
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Entry:
    """A record that is still being filled in."""

    def __init__(self, request: RecordedRequest) -> None:
        self.request = request
        self.fault: Fault | None = None
        self.status = 0
        self.sent = 0
        pairs = (*request.query, *request.form, *request.headers)
        self.size = len(request.path) + sum(len(name) + len(value) + _PAIR for name, value in pairs)

    @classmethod
    def unknown(cls) -> "Entry":
        """Return the entry of a request that could not be recorded."""
        return cls(RecordedRequest(0.0, "", None, "", "", (), (), (), has_authorization=False))

    def count(self, size: int) -> None:
        """Add to the number of bytes that were sent."""
        self.sent += size

    def record(self) -> RecordedRequest:
        """Return the record as it is now."""
        return evolve(self.request, fault=self.fault, status=self.status, sent=self.sent)


class Log:
    """All records. Safe for any number of threads.

    Args:
        options: The sandbox's options: how many of the last records to keep.
    """

    def __init__(self, options: Options) -> None:
        self._lock = threading.Lock()
        self._options = options
        self._entries: deque[Entry] = deque()
        self._size = 0

    def open(self, make: Callable[[], RecordedRequest]) -> Entry:
        """Add a record."""
        with self._lock:
            entry = Entry(make())
            self._entries.append(entry)
            self._size += entry.size
            if self._options.remember is not None:
                self._forget(self._options.remember)
        return entry

    def _forget(self, remember: int) -> None:
        """Drop the oldest records, until neither their number nor their size is too large."""
        while len(self._entries) > remember or self._size > _MOST:
            self._size -= self._entries.popleft().size

    def records(self) -> list[RecordedRequest]:
        """Return all of them, in the order of arrival."""
        with self._lock:
            return [entry.record() for entry in self._entries]
