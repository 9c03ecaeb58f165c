"""A hostile front: it stands before the sandbox's API, and in the place of its file host, on sockets of its own."""

import atexit
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import formatdate
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme
from _forms import shape, version
from _wire import Bytes, Damage, Framing, Hop, Meddled, Message, NewVersion, Page, packed
from attrs import define, evolve, field, frozen

from khoros_analytics.sandbox import Sandbox

__all__ = ["Front", "Style", "Wrong", "authority"]

PART = 1 << 15
LEFT_ALONE = 0.5  # how long the sandbox may say nothing, in real seconds
MOMENT = 0.003  # in real seconds, for the client to write what it has
HOME = "/api/public/reports/report/conversation?startTime=1&endTime=2"
JUNK = "&pad=%2f%7E%41%c3%a4"


@frozen
class Style:
    """What the hosts are like.

    Attributes:
        form: In what form the file comes.
        framing: What tells a file's end.
        ranges: Whether the file host sends parts, or only ``some`` of what is asked for, or says ``*`` for the length.
        tags: What names the version: a ``strong`` or ``weak`` ETag, a ``date``, ``both``, nothing, or ``deaf``: an ETag
            in a host that does not look at If-Range.
        coding: The file's Content-Encoding, if any.
        tls: Whether both hosts speak TLS.
        goodbye: Whether TLS ends with close_notify.
        status: With which status a file comes.
        hops: So many redirects of the file host to itself.
        refusal: How it refuses a link that has expired.
        gateway: Whether something answers while the API is away.
        keep: Whether connections are kept.
    """

    form: str = "plain"
    framing: Framing = "length"
    ranges: str = "yes"
    tags: str = "strong"
    coding: str = ""
    tls: bool = False
    goodbye: bool = True
    status: int = 200
    hops: int = 0
    refusal: str = "AccessDenied"
    gateway: bool = False
    keep: bool = True


@frozen
class Wrong:
    """One thing that goes wrong at the front."""

    phase: str
    damage: Damage
    times: int | None = 1
    skip: int = 0


@define
class _Queue:
    waiting: deque[list] = field(factory=deque)

    def take(self) -> Damage | None:
        if not self.waiting:
            return None
        damage, times, skip = first = self.waiting[0]
        if skip:
            first[2] -= 1
            return None
        if times is not None:
            first[1] -= 1
            if first[1] <= 0:
                self.waiting.popleft()
        return damage


@frozen
class Request:
    """A request as it came."""

    raw: bytes = field(repr=False)
    method: str
    target: str
    headers: dict[str, str]


@cache
def authority() -> tuple[ssl.SSLContext, str]:
    """Return the server's side of TLS for this machine, and a file with whom to trust for it."""
    issuer, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("127.0.0.1").configure_cert(context)
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as file:
        file.write(issuer.cert_pem.bytes())
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return context, file.name


class Front:
    """Both hosts.

    Args:
        sandbox: What stands behind.
        style: What the hosts are like.
        wrong: What goes wrong.
    """

    def __init__(self, sandbox: Sandbox, style: Style, wrong: tuple[Wrong, ...]) -> None:
        self.sandbox, self.style = sandbox, style
        self._queues = {phase: _Queue() for phase in ("create", "status", "download", "file")}
        for each in wrong:
            self._queues[each.phase].waiting.append([each.damage, each.times, each.skip])
        self.meddle: Callable[[str], None] = lambda kind: None
        self.version = 0
        self.met: list[str] = []
        self.leaks: list[str] = []
        self._files: dict[int, bytes] = {}
        self._given: set[str] = set()
        self._lock = threading.Lock()
        self._listeners: list[tuple[socket.socket, threading.Thread]] = []
        self._open: dict[threading.Thread, socket.socket] = {}
        self._ports = [0, 0]
        self.start()

    # --- coming and going -------------------------------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        return "https" if self.style.tls else "http"

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._ports[0]}"

    @property
    def file_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._ports[1]}"

    def start(self) -> None:
        """Listen; an OSError where somebody has taken a port meanwhile."""
        for place, answer in enumerate((self._api, self._file)) if not self._listeners else ():
            listener = socket.create_server(("127.0.0.1", self._ports[place]), backlog=64)
            self._ports[place] = listener.getsockname()[1]
            thread = threading.Thread(target=self._accept, args=(listener, answer), name="front", daemon=True)
            self._listeners.append((listener, thread))
            thread.start()
        self.sandbox._world.origins.files = self.file_url

    def stop(self) -> None:
        """Go away, and reset all connections."""
        while self._listeners:
            listener, thread = self._listeners.pop()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in left:
            thread.join(5)

    def heal(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            for queue in self._queues.values():
                queue.waiting.clear()

    def _accept(self, listener: socket.socket, answer: Callable[[Request], Bytes]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection, answer), name="front line", daemon=True)
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, answer: Callable[[Request], Bytes]) -> None:
        try:
            if self.style.tls:
                connection = authority()[0].wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open[threading.current_thread()] = connection
            self._talk(connection, answer)
        except (OSError, ssl.SSLError):
            pass
        finally:
            with self._lock:
                del self._open[threading.current_thread()]
            connection.close()

    def _talk(self, connection: socket.socket, answer: Callable[[Request], Bytes]) -> None:
        while request := _receive(connection):
            sent = answer(request)
            end = sent.end
            if end == "keep" and not self.style.keep:
                end = "bye"
            if sent.pause:
                half = len(sent.content) // 2
                connection.sendall(sent.content[:half])
                time.sleep(MOMENT)
                sent.pause()
                connection.sendall(sent.content[half:])
            else:
                connection.sendall(sent.content)
            if end == "rst":
                _reset(connection)
            if end != "keep":
                if self.style.tls and end == "bye" and self.style.goodbye:
                    with suppress(OSError):
                        connection.settimeout(0)  # the client need not answer
                        connection.unwrap()
                return

    def _meet(self, phase: str) -> Damage | None:
        with self._lock:
            damage = self._queues[phase].take()
            if damage is not None:
                self.met.append(f"{phase}: {damage!r}")
        return damage

    # --- the API ------------------------------------------------------------------------------------------------------

    def _api(self, request: Request) -> Bytes:
        path = request.target.partition("?")[0]
        phase = next((name for name in ("status", "download") if path.endswith("/" + name)), "create")
        if "front" in request.headers.get("cookie", ""):
            self.leaks.append("the API was sent the file host's cookie")
        damage = self._meet(phase)
        if isinstance(damage, Page | Hop) and not getattr(damage, "after", False):
            return damage.spoil(Message(200))
        try:
            answer = self._behind(request)
        except OSError:
            return self._gateway()
        if damage is None:
            return Bytes(self._signed(answer), "bye")
        message = _parsed(self._signed(answer))
        return Bytes(answer, "rst") if message is None else damage.spoil(message)

    def _gateway(self) -> Bytes:
        if not self.style.gateway:
            return Bytes(b"", "rst")
        page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
        return Message(502, (("Content-Type", "text/html"),), page).write()

    def _behind(self, request: Request) -> bytes:
        """Let the sandbox answer; an OSError where it does not."""
        parts = urlsplit(self.sandbox.base_url)
        raw = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"\r\nConnection: close", request.raw, count=1)
        content = b""
        with socket.create_connection((parts.hostname, parts.port), timeout=LEFT_ALONE) as behind:
            behind.sendall(raw)
            while piece := behind.recv(65536):
                content += piece
        if not content:
            raise ConnectionResetError
        return content

    def _signed(self, answer: bytes) -> bytes:
        """Let a signed link hold escapes that nobody may write anew."""
        found = re.search(rb"\r\nLocation: (%b[^\r]*)" % re.escape(self.file_url.encode()), answer)
        if found is None or b"Signature=" not in found[1]:
            return answer
        link = found[1] + JUNK.encode()
        self._given.add(link.decode().removeprefix(self.file_url))
        return answer.replace(found[1], link)

    # --- the file host ----------------------------------------------------------------------------------------------

    def _file(self, request: Request) -> Bytes:
        query = dict(parse_qsl(urlsplit(request.target).query))
        self._look_for_leaks(request, query)
        damage = self._meet("file")
        if isinstance(damage, NewVersion):
            self.version += 1
        if isinstance(damage, Hop) and damage.location == "HOME":
            damage = Hop(f"{self.base_url}{HOME}")
        if isinstance(damage, Page | Hop):
            return damage.spoil(Message(200))
        answer = self._refused(request, query) or self._hop(request, query) or self._content(request)
        if damage is None or answer.status >= 300:
            return answer.write()
        spoilt = damage.spoil(answer)
        return evolve(spoilt, pause=lambda: self.meddle(damage.kind)) if isinstance(damage, Meddled) else spoilt

    def _look_for_leaks(self, request: Request, query: dict[str, str]) -> None:
        if "authorization" in request.headers or {"companyKey", "analyticsAccessToken"} & set(query):
            self.leaks.append("the file host was sent the credentials")
        link = request.target.partition("&hop=")[0]
        if "pad=" in link and link not in self._given:
            self.leaks.append("a signed link was not asked for as it was given")

    def _refused(self, request: Request, query: dict[str, str]) -> Message | None:
        path, world = request.target.partition("?")[0], self.sandbox._world
        now = self.sandbox.clock.time()
        if world.links.good(path, query.get("Expires", "0"), query.get("Signature", ""), now):
            return None
        code = 403 if self.style.refusal == "AccessDenied" else 400
        text = f"<?xml version='1.0'?><Error><Code>{self.style.refusal}</Code><Message>no</Message></Error>"
        return Message(code, (("Content-Type", "application/xml"),), text.encode())

    def _hop(self, request: Request, query: dict[str, str]) -> Message | None:
        hop = int(query.get("hop", 0))
        if hop >= self.style.hops:
            return None
        target = request.target.partition("&hop=")[0]
        place = f"{target}&hop={hop + 1}"
        return Message(302 + 5 * (hop % 2), (("Location", place if hop else self.file_url + place),))

    def _content(self, request: Request) -> Message:
        workflow = unquote(request.target).split("/")[2]
        export = self.sandbox._world.exports.find(workflow).export
        body = self.file(self.version, export.spec.format, export.content)
        headers = [("Content-Type", "application/octet-stream"), ("Set-Cookie", "front=1; Path=/"), *self._tags()]
        framing: Framing = self.style.framing
        if self.style.coding.startswith("gzip"):
            body = packed(body) + bytes(1000 if "padding" in self.style.coding else 0)
        if self.style.coding:
            headers.append(("Content-Encoding", self.style.coding.partition("+")[0]))
        answer = Message(self.style.status, tuple(headers), body, framing)
        return self._part(request, answer) or answer

    def file(self, number: int, format: str, content: Callable[[], bytes]) -> bytes:
        """Return a version of the file, as it is to be on disk."""
        with self._lock:
            if number not in self._files:
                self._files[number] = shape(format, self.style.form, version(format, number, content()))
            return self._files[number]

    def _tags(self) -> Iterator[tuple[str, str]]:
        tags, date = self.style.tags, formatdate(1_556_700_000 + 60 * self.version, usegmt=True)
        if tags in ("strong", "both", "deaf"):
            yield "ETag", f'"v{self.version}"'
        if tags == "weak":
            yield "ETag", f'W/"v{self.version}"'
        if tags in ("date", "both"):
            yield "Last-Modified", date

    def _part(self, request: Request, whole: Message) -> Message | None:
        """Return the part that was asked for, or None where all is to be sent."""
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if found is None or self.style.ranges == "no":
            return None
        condition = request.headers.get("if-range")
        if condition is not None and self.style.tags != "deaf":
            named = dict(whole.headers)
            strong = named.get("ETag", "W/").startswith('"') and condition == named["ETag"]
            if not strong and condition != named.get("Last-Modified"):
                return None
        start, total = int(found[1]), len(whole.body)
        if start >= total:
            return Message(416, (("Content-Range", f"bytes */{total}"),))
        body = whole.body[start:][: PART if self.style.ranges == "some" else None]
        span = f"bytes {start}-{start + len(body) - 1}/{'*' if self.style.ranges == 'star' else total}"
        return evolve(whole, status=206, headers=(*whole.headers, ("Content-Range", span)), body=body)


def _receive(connection: socket.socket) -> Request | None:
    """Read one request, or return None when the client has gone."""
    content = b""
    while b"\r\n\r\n" not in content:
        piece = connection.recv(65536)
        if not piece:
            return None
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    missing = int(headers.get("content-length", 0)) - len(body)
    while missing > 0:
        piece = connection.recv(missing)
        if not piece:
            return None
        content, missing = content + piece, missing - len(piece)
    method, target, _ = first.split(" ")
    return Request(content, method, target, headers)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _parsed(answer: bytes) -> Message | None:
    """Return a whole answer of the sandbox, or None for one that is damaged already."""
    head, found, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [tuple(line.split(": ", 1)) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    if not found or int(headers.get("content-length", -1)) != len(body):
        return None
    dropped = ("content-length", "connection")
    kept = tuple((name, value) for name, value in pairs if name.lower() not in dropped)
    return Message(int(first.split(" ")[1]), kept, body)
