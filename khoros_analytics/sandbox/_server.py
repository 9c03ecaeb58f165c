"""The server: threads on a free port, which write each host's replies and are all gone after stop()."""

import contextlib
import errno
import io
import logging
import selectors
import socket
import ssl
import sys
import threading
import time
import traceback
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from attrs import define
from werkzeug.exceptions import NotFound
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request

from ._hosts.host import Host, Reply
from ._hosts.records import Entry
from ._wire.answers import Answer, text
from ._wire.connection import CLEAN, Line, part, write
from ._wire.incoming import HEAD_SECONDS, MAX_FIELDS, Incoming, Refused, announced, read_body, read_head

__all__ = ["Server", "listen"]

log = logging.getLogger("khoros_analytics.sandbox")

_LONGEST_STOP = 10.0
_BACKLOG = 256
_MOST = 256  # connections at one time; idle ones make room for new ones
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; an OSError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


class _Handler(WSGIRequestHandler):
    """One connection: reads requests within bounds, and writes the answers itself."""

    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride] - nobody sets another one
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Put bounds around what comes in."""
        super().setup()
        self.rfile.close()
        self.incoming = Incoming(self.connection)
        self.rfile = self.stream = io.BufferedReader(self.incoming)

    def handle_one_request(self) -> None:
        """Read one request and answer it."""
        self.close_connection = True
        self.command = ""
        try:
            if self._read_head():
                self.run_wsgi()
        except Refused as refused:
            self._refuse(refused)

    def _read_head(self) -> bool:
        """Read a head; return False when no request comes any more."""
        with self.server.waiting():
            head = read_head(self.stream, self.incoming)
        if not head:
            return False
        self.rfile = io.BytesIO(head)
        self.raw_requestline = self.rfile.readline()
        try:
            parsed = self.parse_request()
        finally:
            self.rfile = self.stream
        if not parsed:
            raise Refused(400, "the request line is empty")
        self._check_head()
        return True

    def _check_head(self) -> None:
        """Refuse a head that can be read in more than one way."""
        if self.headers.defects or self.headers.get_payload():
            raise Refused(400, "a header line that is no header")
        try:
            query = urlsplit(self.path).query
        except ValueError:
            raise Refused(400, "a request line without a proper address") from None
        if query.count("&") >= MAX_FIELDS:
            raise Refused(400, f"more than {MAX_FIELDS} parameters")

    def run_wsgi(self) -> None:
        """Answer one request."""
        length = announced(self.headers)
        environ = self.make_environ()
        request = Request(environ)
        if length != 0 and self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = read_body(self.stream, self.incoming, length, self.server.host_.body_limit(request))
        reply = self._reply(request, body)
        line = self._line(reply.entry, keep=self.server.host_.options.keep_alive and not self.close_connection)
        self.close_connection = not write(line, reply.answer, reply.spoil)

    def _line(self, entry: Entry, *, keep: bool) -> Line:
        """Return the line back to the client."""
        return Line(
            self.connection,
            self.server.closing,
            entry.count,
            self.server.host_.now,
            keep=keep,
            head_only=self.command == "HEAD",
        )

    def _reply(self, request: Request, body: bytes | None) -> Reply:
        """Return the host's reply. A mistake of the sandbox itself must not look like one of the client's."""
        try:
            return self.server.host_.reply(request, body)
        except Exception:  # noqa: BLE001 - whatever it is, it is shown
            traceback.print_exc(file=sys.stderr)
            return Reply(text(500, "The sandbox is broken: see its standard error.\n"), CLEAN, Entry.unknown())

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that is not looked at, say so in one line of the log, and end the connection."""
        self.server.report(f"answered {refused.status} to a request: {refused.reason}")
        self.close_connection = True
        with contextlib.suppress(OSError):
            write(self._line(Entry.unknown(), keep=False), _refusal(refused))
            part(self.connection)

    def handle_expect_100(self) -> bool:
        """Say nothing yet: the body may be too long."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuse what the standard library's parser cannot read; its message would quote the request."""
        status = 431 if code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE else 400
        raise Refused(status, "the request line or a header is broken")

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: requests are recorded, and a URL in a log would show its secrets."""


def _refusal(refused: Refused) -> Answer:
    phrase = HTTPStatus(refused.status).phrase
    return text(refused.status, f"{phrase}: {refused.reason}.\n")


@define(eq=False)
class _Connection:
    """One connection that is open.

    Attributes:
        socket: Where it can be ended from another thread.
        idle: Whether it waits for a request.
    """

    socket: socket.socket
    idle: bool = True


class Server(ThreadedWSGIServer):
    """One origin, listening.

    Args:
        host: What answers.
        listening: Sockets that listen; the server closes them. The first one's port is the origin's.
        name: The host of the origin, as clients write it.
    """

    def __init__(self, host: Host, listening: list[socket.socket], name: str) -> None:
        self.host_ = host
        self.closing = threading.Event()
        self._name = name
        self._open: dict[threading.Thread, _Connection] = {}
        self._lock = threading.Lock()
        self._listening = listening
        self._woken, self._wake = socket.socketpair()
        # Bound before: werkzeug would end the whole program when a port is in use.
        address, port = listening[0].getsockname()[:2]
        super().__init__(address, port, NotFound(), _Handler, fd=listening[0].fileno())
        self.ssl_context = host.options.ssl_context
        self._accepting = threading.Thread(target=self._accept, name=f"sandbox {host.name}", daemon=True)
        self._accepting.start()

    @property
    def origin(self) -> str:
        """The origin, such as ``http://127.0.0.1:40123``."""
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"{'http' if self.ssl_context is None else 'https'}://{name}:{self.port}"

    def stop(self) -> None:
        """Stop listening, end all connections, and wait until no thread is left."""
        self.closing.set()
        self._wake.close()
        self._accepting.join()
        self._woken.close()
        for listening in self._listening:
            listening.close()
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections.values():
            _end(connection.socket)
        for thread in connections:
            thread.join(_LONGEST_STOP)

    def _accept(self) -> None:
        """Start a thread for each connection until the sandbox stops."""
        with selectors.DefaultSelector() as selector:
            for listening in self._listening:
                listening.settimeout(0)
                selector.register(listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self.closing.is_set():
                for key, _ in selector.select():
                    if key.fileobj is not self._woken:
                        self._accept_one(cast(socket.socket, key.fileobj))

    def _accept_one(self, listening: socket.socket) -> None:
        """Take one connection, and make room for it where there is none."""
        try:
            connection, address = listening.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                self._make_room()
                time.sleep(0.02)  # until its thread has closed it
            return
        connection.settimeout(None)
        with self._lock:
            full = len(self._open) >= _MOST
        if full and not self._make_room():
            self._turn_away(connection)
        else:
            self.process_request(connection, address)

    def _make_room(self) -> bool:
        """End the connection that has been idle for longest; return whether there is one."""
        with self._lock:
            found = next((each for each in self._open.values() if each.idle), None)
            if found is not None:
                found.idle = False
        if found is None:
            return False
        _end(found.socket)
        return True

    def _turn_away(self, connection: socket.socket) -> None:
        """Refuse a connection for which there is no room."""
        self.report(f"turned a connection away: {_MOST} are busy")
        with contextlib.suppress(OSError):
            if self.ssl_context is None:
                connection.send(_BUSY)
        connection.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"sandbox {self.host_.name} connection",
            daemon=True,
        )
        with self._lock:
            self._open[thread] = _Connection(request)
        try:
            thread.start()
        except RuntimeError:  # this machine has no more threads
            with self._lock:
                del self._open[thread]
            self._turn_away(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        try:
            connection = self._secured(request)
            if connection is not None:
                super().process_request_thread(connection, client_address)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    @contextlib.contextmanager
    def waiting(self) -> Any:
        """Let this thread's connection count as idle in the block."""
        with self._lock:
            connection = self._open.pop(threading.current_thread())
            connection.idle = True
            self._open[threading.current_thread()] = connection  # the others have been idle for longer
        try:
            yield
        finally:
            connection.idle = False

    def _secured(self, connection: socket.socket) -> socket.socket | None:
        """Return the connection behind its TLS handshake, or None when that fails."""
        if self.ssl_context is None:
            return connection
        wrapped = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[threading.current_thread()].socket = wrapped
        wrapped.settimeout(HEAD_SECONDS)
        try:
            wrapped.do_handshake()
        except (ssl.SSLError, OSError, ValueError):
            wrapped.close()
            return None
        wrapped.settimeout(None)
        return wrapped

    def report(self, event: str) -> None:
        """Write one line to the log."""
        log.warning("The sandbox's %s host %s", self.host_.name, event)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show mistakes of the sandbox; connections that end early are no mistake."""
        if not self.closing.is_set() and not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _end(connection: socket.socket) -> None:
    """End a connection that another thread uses."""
    # TLS has its own shutdown, which would pull the rug from under a thread that is writing.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
