"""The connections of one call: its own ones where that matters, and a watchdog on the socket that is waited on."""

import math
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar, cast

from requests import PreparedRequest
from requests.cookies import RequestsCookieJar
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from urllib3.util.connection import allowed_gai_family
from urllib3.util.retry import Retry

from .._protocol.advice import Obstacle
from .._protocol.messages import excerpt
from .._secrecy import Hidden
from .concealment import RequestHead, can_conceal, conceal
from .framing import StrictResponse
from .redaction import Redactor

__all__ = [
    "Watchdog",
    "call_session",
    "close_session",
    "is_certificate_error",
    "obstacle_of",
    "root_cause",
    "without_cookies",
]

S = TypeVar("S")
T = TypeVar("T")

MIN_CONNECT = 0.05
"""The shortest time that one of several addresses gets, in seconds."""

_MOST = 300  # how many characters of a reason a message may hold

_local = threading.local()


class Watchdog:
    """Ends the wait for an answer from another thread, and knows what is asked for and whether it was sent.

    A read has a timeout of its own, but all reads of an answer together have none.

    Attributes:
        sent: Whether a first byte of the request may have left; None as long as urllib3 was asked for no connection.
        path: Path and query as they are asked for, or None for what requests and urllib3 make of the URL: they write
            percent escapes anew, and a signature over the text then fails.
        left: How many seconds there are until the wait is to end.
        head: The secrets of the request, where stars stand in for them until its bytes leave.
    """

    def __init__(self, path: Hidden[str] | None = None, left: Callable[[], float] = lambda: math.inf) -> None:
        self.path = path
        self.left = left
        self.head: RequestHead | None = None
        self.sent: bool | None = None
        self._expired = False
        self._socket: socket.socket | None = None

    def may_have_sent(self, error: BaseException) -> bool:
        """Return whether the server may have seen the request that ended in this error.

        The connection knows. There is none where requests refused the request itself, or where an adapter does not go
        through urllib3: then the kind of the error has to tell.
        """
        return not _is_from_before_sending(error) if self.sent is None else self.sent

    def expire(self) -> None:
        """Shut the socket down that is waited on: nothing else wakes its reader."""
        self._expired = True
        waited_on = self._socket
        if waited_on is not None:
            with suppress(Exception):
                waited_on.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch the connections that this thread uses in the block."""
        _local.watchdog = self
        try:
            yield
        finally:
            _local.watchdog = None
            self._socket = None

    def wait_on(self, waited_on: socket.socket) -> None:
        """Note which socket is waited on from here on."""
        self._socket = waited_on
        if self._expired:
            self.expire()


def _current_watchdog() -> Watchdog | None:
    return getattr(_local, "watchdog", None)


class _WatchedConnection:
    """Mixed into a connection class of urllib3: tells the thread's watchdog what it sends and waits on."""

    sock: socket.socket | None
    connect: Callable[[], None]
    tunneling = False
    timeout: Any
    port: int
    _dns_host: str
    target: bytes | None = None
    response_class = StrictResponse

    def _new_conn(self) -> socket.socket:
        watchdog = _current_watchdog()
        connected = self._connect_to_one(watchdog) if watchdog else self._connect()
        # From here on a proxy or a TLS handshake is waited for, too.
        if watchdog:
            watchdog.wait_on(connected)
        return connected

    def _connect(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]  # urllib3's, which this is mixed into
        return connected

    def _connect_to_one(self, watchdog: Watchdog) -> socket.socket:
        """Try one address after the other, each with its part of the time: urllib3 gives its timeout to every one."""
        host, timeout = self._dns_host, self.timeout
        addresses = self._addresses(host, watchdog) if isinstance(timeout, int | float) else []
        for number, address in enumerate(addresses):
            self.timeout = min(timeout, max(MIN_CONNECT, watchdog.left() / (len(addresses) - number)))
            self._dns_host = address
            try:
                return self._connect()
            except (NewConnectionError, ConnectTimeoutError):
                if number == len(addresses) - 1 or watchdog.left() <= 0:
                    raise
            finally:
                self._dns_host, self.timeout = host, timeout
        return self._connect()

    def _addresses(self, host: str, watchdog: Watchdog) -> list[str]:
        """Return a host's addresses; none where urllib3 itself has to find them, such as by a SOCKS proxy."""
        if not _is_plain(type(self)):
            return []
        try:
            return within(watchdog.left(), lambda: _resolve(host.strip("[]"), self.port))
        except socket.gaierror as error:
            raise NameResolutionError(host, cast("Any", self), error) from error
        except TimeoutError:
            raise ConnectTimeoutError(self, f"the name {host} was not resolved in time") from None

    def _tunnel(self) -> None:
        # What goes to a proxy to reach the server is not the request yet.
        self.tunneling = True
        try:
            super()._tunnel()  # type: ignore[misc]  # urllib3's, which this is mixed into
        finally:
            self.tunneling = False

    def send(self, data: Any) -> None:
        """Connect where that is still to be done, put the secrets into the head, and note that the request leaves."""
        if self.sock is None:
            self.connect()
        watchdog = _current_watchdog()
        if watchdog and not self.tunneling:
            watchdog.sent = True
        if watchdog is None or watchdog.head is None or self.tunneling or self.target is None:
            super().send(data)  # type: ignore[misc]  # urllib3's, which this is mixed into
            return
        target, self.target = self.target, None
        wire = bytearray()
        try:
            watchdog.head.write(bytes(data), target, wire)
            cast("Any", self.sock).sendall(wire)
        finally:
            wire[:] = bytes(len(wire))  # whoever looks at a frame through which an error came finds zeros

    def putrequest(self, method: str, url: str, *arguments: Any, **options: Any) -> None:
        """Begin the request."""
        watchdog = _current_watchdog()
        self.target = url.encode("latin-1")
        if watchdog and watchdog.path and watchdog.head is None and url.startswith("/"):
            url = watchdog.path.reveal()
        super().putrequest(method, url, *arguments, **options)  # type: ignore[misc]  # urllib3's, as above

    def getresponse(self) -> Any:
        """Note which socket is waited on."""
        watchdog = _current_watchdog()
        if watchdog and self.sock is not None:
            watchdog.wait_on(self.sock)
        return super().getresponse()  # type: ignore[misc]  # urllib3's, which this is mixed into


def _is_plain(kind: type) -> bool:
    """Return whether a connection class connects as urllib3's own does."""
    return all("_new_conn" not in vars(each) or each in (_WatchedConnection, HTTPConnection) for each in kind.__mro__)


def _resolve(host: str, port: int) -> list[str]:
    try:
        host.encode("idna")
    except UnicodeError:
        return []  # urllib3 says what is wrong with it
    found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise a TimeoutError: nothing ends a resolver, but nobody has to wait for it.

    Where no thread can be started, it is waited for.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is waited for
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="resolver", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return call()
    return outcome.result(None if seconds == math.inf else min(max(0.0, seconds), threading.TIMEOUT_MAX))


def _without_watchdog(kind: type) -> type:
    """Return the class that a watched one was made from: a pool that was used before has a watched one already."""
    return kind.__bases__[1] if kind.__bases__[0] is _WatchedConnection else kind


@cache
def _with_watchdog(kind: type) -> type:
    return kind if issubclass(kind, _WatchedConnection) else type(kind.__name__, (_WatchedConnection, kind), {})


@contextmanager
def call_session(session: S, *, fresh: bool) -> Iterator[S]:
    """Yield the same session for one call; with ``fresh`` it has connections of its own, closed after the block.

    A kept-alive connection that turns out to be dead leaves open whether the server saw the request; a fresh one does
    not. Nor do the adapters of a fresh session retry on their own, whatever the session's do.
    """
    copy = _copy(session)
    copy.adapters = OrderedDict((prefix, _watched(each, fresh=fresh)) for prefix, each in copy.adapters.items())
    try:
        yield copy
    finally:
        for adapter in copy.adapters.values():
            if getattr(adapter, "owns_its_pools", False):
                _close(adapter)


def without_cookies(session: S) -> S:
    """Return the same session with a cookie jar of its own: the jar of the API's host does not tell ports apart."""
    copy: Any = _copy(session)
    copy.cookies = RequestsCookieJar()
    return cast("S", copy)


def _copy(original: Any) -> Any:
    """Return a shallow copy: ``copy.copy`` would ask for what pickles hold, and that is not all of it."""
    copy = object.__new__(type(original))
    copy.__dict__.update(original.__dict__)
    return copy


def close_session(session: Any) -> None:
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


def _watched(adapter: Any, *, fresh: bool) -> Any:
    """Return an adapter whose connections tell the thread's watchdog what they do."""
    if not hasattr(adapter, "get_connection_with_tls_context"):
        return adapter  # it does not go through urllib3
    copy = _copy(adapter)
    if fresh:
        copy.owns_its_pools = True
        copy.max_retries = Retry(0, read=False)
        copy.proxy_manager = {}
        copy.init_poolmanager(1, 1)
    choose = copy.get_connection_with_tls_context

    def get_connection_with_tls_context(request: PreparedRequest, *arguments: Any, **options: Any) -> Any:
        watchdog = _current_watchdog()
        pool = choose(request, *arguments, **options)
        if watchdog:
            watchdog.sent = bool(watchdog.sent)
            watchdog.head = (
                conceal(request, watchdog.path) if can_conceal(pool, _without_watchdog(pool.ConnectionCls)) else None
            )
        pool.ConnectionCls = _with_watchdog(pool.ConnectionCls)
        return pool

    copy.get_connection_with_tls_context = get_connection_with_tls_context
    return copy


def _is_from_before_sending(error: BaseException) -> bool:
    """Return whether only what comes before a request can end so, such as connecting.

    A ValueError is what requests raises for a URL, a header or a proxy that cannot be used.
    """
    if isinstance(error, ValueError):
        return True
    before = (NewConnectionError, ConnectTimeoutError, ProxyError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, before) for cause in _causes(error))


def is_certificate_error(error: BaseException) -> bool:
    """Return whether the server's certificate was not accepted, which no retry changes."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


_OBSTACLES: tuple[tuple[type[BaseException], Obstacle], ...] = (
    (ProxyError, "proxy"),
    (NameResolutionError, "name"),
    (socket.gaierror, "name"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (ConnectTimeoutError, "silent"),
    (NewConnectionError, "silent"),
    (TimeoutError, "slow"),
    (ReadTimeoutError, "slow"),
)


def obstacle_of(error: BaseException) -> Obstacle:
    """Return what kept a request from its answer."""
    causes = list(_causes(error))
    for kind, name in _OBSTACLES:
        if any(isinstance(cause, kind) for cause in causes):
            return name
    return "broken"


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
    text = excerpt(str(last), redact, _MOST)
    return f"{type(last).__name__}: {text}" if text else type(last).__name__
