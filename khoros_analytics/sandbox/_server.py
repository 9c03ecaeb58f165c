"""The server: threads on a free port, which write each host's replies and are all gone after stop()."""

import contextlib
import socket
import ssl
import sys
import threading
import traceback
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request

from ._hosts.host import Host, Reply
from ._hosts.records import Entry
from ._wire.answers import text
from ._wire.connection import CLEAN, Line, write

__all__ = ["Server"]

_HERE = "127.0.0.1"
_LOOK = 0.01  # how often the accepting thread asks whether it should stop, so how long a stop takes at most
_LONGEST_STOP = 10.0
_BACKLOG = 256


class _Handler(WSGIRequestHandler):
    """One connection: reads requests as werkzeug does, writes the answers itself."""

    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride] - nobody sets another one
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        request = Request(self.make_environ())
        reply = self._reply(request)
        line = Line(
            self.connection,
            self.server.closing,
            reply.entry.count,
            self.server.host_.now,
            keep=self.server.host_.options.keep_alive and not self.close_connection,
            head_only=request.method == "HEAD",
        )
        self.close_connection = not write(line, reply.answer, reply.spoil)

    def _reply(self, request: Request) -> Reply:
        """Return the host's reply. A mistake of the sandbox itself must not look like one of the client's."""
        # What is left unread would be taken for the next request, or turn the closing into a reset.
        request.get_data()
        try:
            return self.server.host_.reply(request)
        except Exception:  # noqa: BLE001 - whatever it is, it is shown
            traceback.print_exc(file=sys.stderr)
            return Reply(text(500, "The sandbox is broken: see its standard error.\n"), CLEAN, Entry.unknown())

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: requests are recorded, and a URL in a log would show its secrets."""


class Server(ThreadedWSGIServer):
    """One origin, listening.

    Args:
        host: What answers.
        port: The port; 0 for any free one.

    Raises:
        OSError: The port is in use.
    """

    def __init__(self, host: Host, port: int = 0) -> None:
        self.host_ = host
        self.closing = threading.Event()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        # Bound here: werkzeug would end the whole program when the port is in use.
        with socket.create_server((_HERE, port), backlog=_BACKLOG) as listening:
            super().__init__(_HERE, port, NotFound(), _Handler, fd=listening.fileno())
        self.ssl_context = host.options.ssl_context
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(_LOOK,), name=f"sandbox {host.name}", daemon=True
        )
        self._accepting.start()

    @property
    def origin(self) -> str:
        """The origin, such as ``http://127.0.0.1:40123``."""
        return f"{'http' if self.ssl_context is None else 'https'}://{_HERE}:{self.port}"

    def stop(self) -> None:
        """Stop listening, end all connections, and wait until no thread is left."""
        self.closing.set()
        self.shutdown()
        self._accepting.join()
        with self._lock:
            connections = dict(self._open)
        for connection in connections.values():
            # TLS has its own shutdown, which would pull the rug from under a thread that is writing.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in connections:
            thread.join(_LONGEST_STOP)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"sandbox {self.host_.name} connection",
            daemon=True,
        )
        with self._lock:
            self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        try:
            connection = self._secured(request)
            if connection is not None:
                super().process_request_thread(connection, client_address)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    def _secured(self, connection: socket.socket) -> socket.socket | None:
        """Return the connection behind its TLS handshake, or None when that fails."""
        if self.ssl_context is None:
            return connection
        wrapped = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[threading.current_thread()] = wrapped
        try:
            wrapped.do_handshake()
        except (ssl.SSLError, OSError):
            wrapped.close()
            return None
        return wrapped

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show mistakes of the sandbox; connections that end early are no mistake."""
        if not self.closing.is_set() and not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
