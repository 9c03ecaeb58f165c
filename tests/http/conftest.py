"""What the tests of HTTP share: the API as `responses` plays it, and bare socket servers for what it cannot."""

import base64
import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses
import trustme

from khoros_analytics import Client
from khoros_analytics.sandbox import VirtualClock

PHASES = {"/status": "status", "/download": "download", "/teams": "teams", "/config/timezones": "timezones"}
WINDOW = ("2019-02-01", "2019-02-02")


class SteppedClock(VirtualClock):
    """A virtual clock that remembers each sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def clock() -> SteppedClock:
    """A clock on which nothing waits for real."""
    return SteppedClock()


@pytest.fixture
def secrets() -> dict[str, str]:
    """The credentials of every client here."""
    return {"username": "analyst", "password": "CANARY/pä ß+wörd=%😀", "company_key": "CANARY KEY+/=&ü"}


@pytest.fixture
def authorization(secrets) -> str:
    """The only Authorization header that is right."""
    return "Basic " + base64.b64encode(f"{secrets['username']}:{secrets['password']}".encode()).decode()


@pytest.fixture
def connect(clock, secrets) -> Iterator[Callable[..., Client]]:
    """Make clients. All are closed with the test."""
    with ExitStack() as stack:

        def make(base_url="https://api.example", **settings):
            return stack.enter_context(Client(**{**secrets, "base_url": base_url, "clock": clock, **settings}))

        yield make


# --- the API as `responses` plays it --------------------------------------------------------------------------------


def envelope(result, status="PASS"):
    return json.dumps({"status": status, "request": None, "message": None, "result": result})


class Api:
    """Answers what was put into its script for a kind of call, and what is right once that is used up."""

    base = "https://api.example"
    files = "https://files.example/export.csv?Signature=CANARYSIGNATURE"
    envelope = staticmethod(envelope)

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.mock = mock
        self.scripts: dict[str, deque[object]] = {}
        self.requests: list[tuple[str, object]] = []
        self.ids = {"workflowId": "w-1", "runId": "23a/b+c="}
        self.abroad = "file"  # what other hosts have to give
        for method in ("GET", "POST"):
            mock.add_callback(method, re.compile(".*"), self._answer)

    def next(self, phase, *answers):
        """Put answers into the script: an error, a body, or a status with headers and a body."""
        self.scripts.setdefault(phase, deque()).extend(answers)

    def of(self, phase):
        """Return the requests of one kind that came."""
        return [request for name, request in self.requests if name == phase]

    def count(self, phase):
        return len(self.of(phase))

    @staticmethod
    def query(request):
        return parse_qsl(urlsplit(request.url).query, keep_blank_values=True)

    def url(self, phase):
        return f"{self.base}/api/public/reports/report/w-1/23a%2Fb%2Bc%3D/{phase}?analyticsAccessToken=CANARYTOKEN"

    def _answer(self, request):
        parts = urlsplit(request.url)
        ending = next((name for name in PHASES if parts.path.endswith(name)), None)
        phase = "file" if parts.netloc != "api.example" else PHASES[ending] if ending else "create"
        self.requests.append((phase, request))
        script = self.scripts.get(phase)
        answer = script.popleft() if script else self.right(phase)
        if isinstance(answer, Exception):
            raise answer
        return (200, {}, answer) if isinstance(answer, str | bytes) else answer

    def right(self, phase):
        """Return the documented answer."""
        links = {"downloadUrl": self.url("download"), "statusUrl": self.url("status")}
        done = {"runnerState": "CLOSED", "detail": "COMPLETED"}
        answers = {
            "create": envelope({**self.ids, **links, "downloadUrl": ""}),
            "status": envelope({"jobInfo": {**self.ids, **links}, "result": done}),
            "download": (302, {"Location": self.files}, ""),
            "teams": envelope([]),
            "timezones": envelope([]),
            "file": (200, {"ETag": '"1"'}, "CONVERSATION_ID\n1\n"),
        }
        return answers[self.abroad if phase == "file" else phase]


@pytest.fixture
def api() -> Iterator[Api]:
    """The API behind `responses`; nothing leaves the process."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Api(mock)


@pytest.fixture
def ask(tmp_path) -> Callable[..., object]:
    """Make one call of a kind, with all that has to go before it."""

    def make(client, phase):
        if phase in ("teams", "timezones"):
            return getattr(client, phase)()
        job = client.conversation(*WINDOW)
        if phase == "status":
            return job.refresh()
        # Long enough for some repetitions, and soon over where nothing else comes.
        return job.download(tmp_path / "file.csv", timeout=600) if phase in ("download", "file") else job

    return make


# --- servers on bare sockets ----------------------------------------------------------------------------------------


class Line:
    """One connection of a bare server."""

    def __init__(self, connection: socket.socket, server: "BareServer") -> None:
        self.socket = connection
        self.server = server
        self.number = 0  # how many requests have come on it

    def receive(self) -> str:
        """Return the next request whole, or nothing when the client has gone."""
        content = b""
        while b"\r\n\r\n" not in content:
            piece = self.socket.recv(65536)
            if not piece:
                return ""
            content += piece
        head, _, body = content.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += self.socket.recv(65536)
        self.number += 1
        self.server.requests.append(head.decode())
        return head.decode()

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def answer(self, body: str, status: str = "200 OK", *headers: str) -> None:
        """Send an answer whole, and keep the connection."""
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers])
        self.send(f"{head}\r\n\r\n{body}")

    def drip(self, text: str, seconds: float = 1.0) -> None:
        """Send a text byte by byte, until the client leaves or the server stops."""
        for byte in text.encode():
            self.send(bytes([byte]))
            if self.server.closing.wait(seconds):
                return


class BareServer:
    """A server on loopback whose connections are served by a function of the test."""

    def __init__(self, serve: Callable[[Line], object], context: ssl.SSLContext | None = None) -> None:
        self._serve, self._context = serve, context
        self.closing = threading.Event()
        self.requests: list[str] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}" if self._context is None else f"https://localhost:{self.port}"

    def url(self, action: str) -> str:
        return f"{self.origin}/api/public/reports/report/w-1/r-1/{action}?analyticsAccessToken=CANARYTOKEN"

    def created(self) -> str:
        return envelope({"workflowId": "w-1", "runId": "r-1", "downloadUrl": "", "statusUrl": self.url("status")})

    def ready(self) -> str:
        info = {"workflowId": "w-1", "runId": "r-1", "downloadUrl": self.url("download"), "statusUrl": ""}
        return envelope({"jobInfo": info, "result": {"runnerState": "CLOSED", "detail": "COMPLETED"}})

    def right(self, request: str) -> str:
        """Return the documented answer to a request."""
        if "/status?" in request:
            return self.ready()
        return envelope([]) if "/teams?" in request else self.created()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            if self._context is not None:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    self._open.append(secured)
                    self._serve(Line(secured, self))
            else:
                self._serve(Line(connection, self))

    def stop(self) -> None:
        self.closing.set()
        for one in (self._listener, *self._open):
            # TLS has its own shutdown, which would say goodbye first.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., BareServer]]:
    """Start bare servers. All stop with the test."""
    with ExitStack() as stack:

        def start(function, context=None):
            server = BareServer(function, context)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts by default."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority) -> ssl.SSLContext:
    """The server side of TLS for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def bundle(authority, tmp_path_factory) -> str:
    """A file with that authority's certificate."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    """Return the real seconds since the test began."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
