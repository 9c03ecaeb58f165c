"""The connections of one call: fresh ones for a creation, and always a hand on the socket that is waited on."""

import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError
from urllib3.util.retry import Retry

from .redaction import Redactor

__all__ = ["Watchdog", "close_all", "connections_for", "is_certificate_error", "never_sent", "release", "root_cause"]

S = TypeVar("S")

_local = threading.local()


class Watchdog:
    """Ends the wait for an answer from another thread: reads time out one by one, but not all of them together.

    Attributes:
        expired: Whether the time was up.
        used: Whether the call went through urllib3 at all, so that ``sent`` means something.
        sent: Whether a first byte of the request may have left.
    """

    def __init__(self) -> None:
        self.expired = False
        self.used = False
        self.sent = False
        self._socket: socket.socket | None = None

    def expire(self) -> None:
        """Shut the socket down that is waited on: nothing else wakes its reader."""
        self.expired = True
        waited_on = self._socket
        if waited_on is not None:
            with suppress(Exception):
                waited_on.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watchdog what this thread waits for in the block."""
        _local.watch = self
        try:
            yield
        finally:
            _local.watch = None
            self._socket = None

    def wait_on(self, waited_on: socket.socket) -> None:
        """Note which socket is waited on from here on."""
        self._socket = waited_on
        if self.expired:
            self.expire()


class _WatchedConnection:
    """Added to a connection class of urllib3: tells the thread's watch which socket it waits on."""

    sock: socket.socket | None
    connect: Callable[[], None]
    tunneling = False

    def _new_conn(self) -> socket.socket:
        # From here on a proxy or a TLS handshake is waited for, too.
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]  # urllib3's, which this is mixed with
        watch: Watchdog | None = getattr(_local, "watch", None)
        if watch is not None:
            watch.wait_on(connected)
        return connected

    def _tunnel(self) -> None:
        # What goes to a proxy to reach the server is not the request yet.
        self.tunneling = True
        try:
            super()._tunnel()  # type: ignore[misc]  # urllib3's, which this is mixed with
        finally:
            self.tunneling = False

    def send(self, data: Any) -> None:
        """Connect where that is still to be done, and note that the request leaves."""
        if self.sock is None:
            self.connect()
        watch: Watchdog | None = getattr(_local, "watch", None)
        if watch is not None and not self.tunneling:
            watch.sent = True
        super().send(data)  # type: ignore[misc]  # urllib3's, which this is mixed with

    def getresponse(self) -> Any:
        """Tell the watch which socket is waited on."""
        watch: Watchdog | None = getattr(_local, "watch", None)
        if watch is not None and self.sock is not None:
            watch.wait_on(self.sock)
        return super().getresponse()  # type: ignore[misc]  # urllib3's, which this is mixed with


@cache
def _with_watchdog(kind: type) -> type:
    return kind if issubclass(kind, _WatchedConnection) else type(kind.__name__, (_WatchedConnection, kind), {})


def connections_for(session: S, *, fresh: bool) -> S:
    """Return the same session for one call; with ``fresh`` it has connections of its own, for :func:`release` to close.

    A kept-alive connection that turns out to be dead leaves open whether the server saw the request; a fresh one does
    not. Nor do the adapters of a fresh session repeat on their own, whatever the session's do.
    """
    copy: Any = object.__new__(type(session))
    copy.__dict__.update(session.__dict__)
    copy.adapters = OrderedDict((prefix, _adapter(each, fresh=fresh)) for prefix, each in copy.adapters.items())
    return copy  # type: ignore[no-any-return]  # made of the very same class


def release(session: Any) -> None:
    """Close the connections of a fresh session."""
    for adapter in session.adapters.values():
        if getattr(adapter, "owns_its_pools", False):
            _close(adapter)


def close_all(session: Any) -> None:
    """Close a session, and its idle connections at once."""
    for adapter in session.adapters.values():
        _close(adapter)
    session.close()


def _close(adapter: Any) -> None:
    """Close an adapter, and its idle connections at once: urllib3 leaves those to the garbage collector.

    That may come late: what a Ctrl-C interrupted refers to itself in a circle, by its traceback.
    """
    for manager in (getattr(adapter, "poolmanager", None), *getattr(adapter, "proxy_manager", {}).values()):
        if manager is None:
            continue
        for key in manager.pools.keys():  # noqa: SIM118 - it forbids to be iterated over itself
            pool = manager.pools.get(key)
            if pool is not None:
                pool.close()
    adapter.close()


def _adapter(adapter: Any, *, fresh: bool) -> Any:
    if not hasattr(adapter, "get_connection_with_tls_context"):
        return adapter  # it speaks through something else than urllib3
    copy: Any = object.__new__(type(adapter))
    copy.__dict__.update(adapter.__dict__)
    if fresh:
        copy.owns_its_pools = True
        copy.max_retries = Retry(0, read=False)
        copy.proxy_manager = {}
        copy.init_poolmanager(1, 1)
    choose = copy.get_connection_with_tls_context

    def get_connection_with_tls_context(*arguments: Any, **options: Any) -> Any:
        watch: Watchdog | None = getattr(_local, "watch", None)
        if watch is not None:
            watch.used = True
        pool = choose(*arguments, **options)
        pool.ConnectionCls = _with_watchdog(pool.ConnectionCls)
        return pool

    copy.get_connection_with_tls_context = get_connection_with_tls_context
    return copy


def never_sent(error: BaseException) -> bool:
    """Return whether a request that ended so cannot have reached the server.

    A ValueError is what requests raises for a URL, a header or a proxy that cannot be used.
    """
    if isinstance(error, ValueError):
        return True
    never = (NewConnectionError, ConnectTimeoutError, ProxyError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, never) for cause in _causes(error))


def is_certificate_error(error: BaseException) -> bool:
    """Return whether the server's certificate was not accepted, which no repetition changes."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from what requests raised to what happened below it."""
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        yield current
        # Not __context__: it may be anything that the caller was handling when it called.
        pending += [current.__cause__, getattr(current, "reason", None), *current.args]


def root_cause(error: BaseException, redact: Redactor) -> str:
    """Return the reason at the bottom of an error, in words and without secrets."""
    last = list(_causes(error))[-1]
    text = redact(str(last)).strip()
    return f"{type(last).__name__}: {text}" if text else type(last).__name__
