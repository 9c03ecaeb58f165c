"""Broken requests: whatever comes, the answer is a clean 4xx and one line in the log, within bounds."""

import base64
import random
import socket
import threading
import time
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

from khoros_analytics.sandbox import _server
from khoros_analytics.sandbox._wire import connection, incoming

BASIC = b"Basic " + base64.b64encode(b"sandbox:sandbox-password")
USER = b"/api/public/reports/report/user?companyKey=SANDBOX-COMPANY"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(autouse=True)
def quiet(caplog, capfd):
    """Nothing of all this may print anything: what there is to say is one line in the log."""
    caplog.set_level("DEBUG", "khoros_analytics.sandbox")
    yield
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def impatient(monkeypatch):
    """Shorten one of the times that a client has, and the time for which its last bytes are waited for."""
    monkeypatch.setattr(connection, "_PARTING", 0.05)
    return lambda bound, seconds: monkeypatch.setattr(incoming, bound, seconds)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "khoros_analytics.sandbox"]


def connect(sandbox, origin="base_url"):
    parts = urlsplit(getattr(sandbox, origin))
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def ask(sandbox, content, *, close=True, origin="base_url"):
    """Send some bytes and return all that comes back."""
    with connect(sandbox, origin) as client:
        client.sendall(content)
        if close:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def post(body=b"", headers=b"", path=USER, auth=BASIC):
    return b"POST %b HTTP/1.1\r\nAuthorization: %b\r\n%b\r\n%b" % (path, auth, headers, body)


REFUSED = {
    "nonsense": (b"nonsense\r\n\r\n", 400, "the request line or a header is broken"),
    "TLS at a plain port": (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        400,
        "a head with a bare CR or a NUL",
    ),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\n", 400, "the request line or a header is broken"),
    "no version that exists": (b"GET / HTTP/x.y\r\n\r\n", 400, "the request line or a header is broken"),
    "no address": (b"GET http://[ HTTP/1.1\r\n\r\n", 400, "a request line without a proper address"),
    "a long request line": (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, "the request line is too long"),
    "many parameters": (b"GET /?" + b"&" * 10_001 + b" HTTP/1.1\r\n\r\n", 400, "more than 10000 parameters"),
    "a head that ends early": (b"GET / HTTP/1.1\r\nHost: x\r\n", 400, "the head ends in the middle"),
    "half a request line": (b"GET / HT", 400, "the head ends in the middle"),
    "many headers": (
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        431,
        "the request line or a header is broken",
    ),
    "long headers": (b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 9000 + b"\r\n") * 9 + b"\r\n", 431, "the head is longer"),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost x\r\nA: b\r\n\r\n", 400, "a header line that is no header"),
    "a bare CR": (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400, "a head with a bare CR or a NUL"),
    "NUL": (b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400, "a head with a bare CR or a NUL"),
    "two lengths": (post(b"ab", b"Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "a Content-Length that is no"),
    "a length that is no number": (post(b"ab", b"Content-Length: 1_0\r\n"), 400, "a Content-Length that is no"),
    "a negative length": (post(b"ab", b"Content-Length: -1\r\n"), 400, "a Content-Length that is no number"),
    "a length of 5,000 digits": (post(b"", b"Content-Length: " + b"9" * 5000 + b"\r\n"), 413, "the body is longer"),
    "a length and chunks": (
        post(b"0\r\n\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        400,
        "Content-Length beside Transfer-Encoding",
    ),
    "another coding": (post(b"", b"Transfer-Encoding: gzip, chunked\r\n"), 400, "a Transfer-Encoding other than"),
    "a cut body": (post(b"a=1", FORM + b"Content-Length: 50\r\n"), 400, "the body is shorter than announced"),
    "a bad chunk": (post(b"zz\r\na=1\r\n", b"Transfer-Encoding: chunked\r\n"), 400, "a chunk without a proper size"),
    "a negative chunk": (post(b"-1\r\na\r\n", b"Transfer-Encoding: chunked\r\n"), 400, "a chunk without a proper size"),
    "a long chunk": (post(b"1\r\nabc\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"), 400, "a chunk that is longer"),
    "a cut chunk": (post(b"9\r\na=1", b"Transfer-Encoding: chunked\r\n"), 400, "the body is shorter than announced"),
    "a huge chunk": (post(b"fffffffffffff\r\na=1", b"Transfer-Encoding: chunked\r\n"), 400, "the body is shorter"),
    "no last chunk": (post(b"1\r\na\r\n", b"Transfer-Encoding: chunked\r\n"), 400, "a chunk without a proper size"),
    "cut trailers": (post(b"0\r\nA: b", b"Transfer-Encoding: chunked\r\n"), 400, "trailers that do not end"),
    "endless trailers": (
        post(b"0\r\n" + b"A: b\r\n" * 20_000, b"Transfer-Encoding: chunked\r\n"),
        400,
        "trailers that do not end",
    ),
}


@pytest.mark.parametrize("origin", ["base_url", "file_url"])
@pytest.mark.parametrize("name", REFUSED)
def test_broken_requests(caller, caplog, name, origin):
    """A request that cannot be read is refused, with one line in the log that quotes nothing of it."""
    content, status, reason = REFUSED[name]
    answer = ask(caller.sandbox, content, origin=origin)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    (line,) = lines(caplog)
    host = "api" if origin == "base_url" else "file"
    assert line.startswith(f"The sandbox's {host} host answered {status} to a request: {reason}")
    assert caller.call("GET", "/teams", params=caller.key).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        b"\xff\xfe",
        b"\xff:\xff",
        b"sandbox:\xff\xfe",
        "ü:ü".encode("latin-1"),
        b":",
        b"",
        b"sandbox",
        b"\x00",
        b"a:" * 9000,
    ],
)
def test_credentials_that_are_no_text(caller, caplog, token):
    """Whatever bytes stand in Basic, the answer to wrong ones is 401."""
    for header in (b"Basic " + base64.b64encode(token), b"Basic " + token.replace(b"\x00", b"")):
        answer = ask(caller.sandbox, b"GET /api/public/teams HTTP/1.1\r\nAuthorization: %b\r\n\r\n" % header)
        assert answer.startswith(b"HTTP/1.1 401 ")
    assert lines(caplog) == []


@pytest.mark.parametrize("wire", ["startTime", "endTime", "timezoneOffset", "timeInterval"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_numbers_of_any_length(caller, wire, sign):
    """A number of 5,000 digits is a bad request."""
    asked = {"timeInterval": "86400000", wire: sign + "1" * 5000}
    answer = caller.create("team_performance_interval", **asked)

    assert (answer.status_code, answer.headers["X-Sandbox-Reason"][: len(wire)]) == (400, wire)


def test_ranges_of_any_length(caller):
    """A Range that nobody can read is none."""
    signed = caller.signed()
    for wanted in (
        "bytes=" + "1" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "bytes=0-" + "9" * 5000,
        "bytes=" + "0-0," * 90,
    ):
        assert caller.fetch(signed, Range=wanted).status_code == 200


@pytest.mark.parametrize("auth", [BASIC, b"Basic none"])
def test_a_body_without_end(caller, caplog, auth):
    """A body of more than 16 MiB is refused as soon as that is certain, whoever sends it, and its sender is told."""
    with connect(caller.sandbox) as client:
        client.sendall(post(headers=FORM + b"Transfer-Encoding: chunked\r\n", auth=auth))
        piece = b"100000\r\n" + b"a" * (1 << 20) + b"\r\n"
        for _ in range(20):
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert len(lines(caplog)) == 1
    announced = ask(caller.sandbox, post(headers=b"Content-Length: 200000000\r\nExpect: 100-continue\r\n", auth=auth))
    assert announced.startswith(b"HTTP/1.1 413 ")


def test_a_body_is_not_kept_before_the_sign_in(caller):
    """Whoever has not signed in gets 401, and of a form of megabytes nothing is kept; a small one is recorded."""
    form = b"a=" + b"x" * 3_000_000
    answers = [
        ask(caller.sandbox, post(body, FORM + b"Content-Length: %d\r\n" % len(body), auth=b"Basic none"))
        for body in (form, b"a=1")
    ]

    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 401 "] * 2
    assert [record.form for record in caller.sandbox.requests] == [(), (("a", "1"),)]


def test_blank_lines_before_a_request(caller):
    """Blank lines before a request count for nothing, as HTTP says."""
    answer = ask(caller.sandbox, b"\r\n\r\nGET /api/public/teams HTTP/1.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401 ")


@contextmanager
def served(caller, count):
    """Open idle connections until a request of another one has been answered."""
    opened = [connect(caller.sandbox) for _ in range(count)]
    try:
        yield opened
    finally:
        for client in opened:
            client.close()


def test_idle_connections_make_room(caller, monkeypatch, caplog):
    """However many connections are open and idle, the next one is served: the oldest idle one ends."""
    monkeypatch.setattr(_server, "_MOST", 10)
    with served(caller, 40) as opened:
        assert caller.call("GET", "/teams", params=caller.key).status_code == 200
        assert opened[0].recv(1) == b""
        opened[-1].sendall(b"GET /x HTTP/1.1\r\n\r\n")
        assert opened[-1].recv(12) == b"HTTP/1.1 401"
        assert threading.active_count() < 30
    assert lines(caplog) == []


def test_when_all_are_busy(run, monkeypatch, caplog):
    """When no connection is idle, one more is turned away with 503 and a line in the log."""
    caller = run(size=1 << 30)
    signed = caller.signed()
    caller.session.close()
    monkeypatch.setattr(_server, "_MOST", 2)
    with caller.session.get(signed, stream=True, timeout=10), caller.session.get(signed, stream=True, timeout=10):
        answer = ask(caller.sandbox, b"", origin="file_url")

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert lines(caplog) == ["The sandbox's file host turned a connection away: 2 are busy"]


def test_no_more_threads(caller, monkeypatch, caplog):
    """Where the machine has no thread for a connection it is turned away, and the sandbox goes on."""

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert ask(caller.sandbox, b"").startswith(b"HTTP/1.1 503 ")
    assert len(lines(caplog)) == 1
    assert caller.call("GET", "/teams", params=caller.key).status_code == 200


@pytest.mark.parametrize(
    ("bound", "content"),
    [
        ("HEAD_SECONDS", b"GET / HTTP/1.1\r\nA: b\r\n"),
        ("HEAD_SECONDS", b"GET"),
        ("BODY_SECONDS", post(b"a", b"Content-Length: 5\r\n")),
        ("IDLE", b""),
    ],
)
def test_slow_requests(caller, impatient, caplog, bound, content):
    """A head or a body that comes too slowly ends with 408, a connection that stays idle for long without a word."""
    impatient(bound, 0.05)

    assert ask(caller.sandbox, content, close=False)[:13] == (b"HTTP/1.1 408 " if content else b"")
    assert len(lines(caplog)) == bool(content)


def test_drops_do_not_help(caller, impatient):
    """A head that comes byte by byte ends at its time all the same: each byte does not start it anew."""
    impatient("HEAD_SECONDS", 0.2)
    began = time.monotonic()
    with connect(caller.sandbox) as client:
        client.settimeout(0.02)
        answer = b""
        while not answer:
            client.sendall(b"x")
            try:
                answer = client.recv(100)
            except TimeoutError:
                assert time.monotonic() - began < 20

    assert answer.startswith(b"HTTP/1.1 408 ")


PIECES = (
    *(b"GET ", b"POST ", b"/api/public/teams", USER, b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\n", b"\r", b"\0"),
    *(b"Content-Length: 3\r\n", b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n", FORM, b"%ff%00"),
    *(b"Authorization: " + BASIC + b"\r\n", b"Authorization: Basic /w==\r\n", b"Range: bytes=0-", b"5\r\nabcde\r\n"),
    *(
        b"0\r\n\r\n",
        b"startTime=0&endTime=1",
        b"Content-Type: application/json\r\n",
        b'{"a":',
        b"[",
        b"]}",
        b"\xff\xfe",
    ),
    *(b"Expect: 100-continue\r\n", b"//[", b"http://", b"?&=&", b"Host: [\r\n", b" ", b":", b"9" * 4400),
)


@pytest.mark.parametrize("seed", range(20))
def test_random_requests(caller, seed):
    """Whatever is put together from pieces of requests is answered or dropped: no 500, nothing printed, no hang."""
    draw = random.Random(seed)
    for _ in range(15):
        content = b"".join(draw.choices(PIECES, k=draw.randint(1, 25)))
        with closing(connect(caller.sandbox, draw.choice(["base_url", "file_url"]))) as client:
            try:
                client.sendall(content)
                client.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda client=client: client.recv(1 << 16), b""))
            except ConnectionError:
                continue
        assert b"HTTP/1.1 500" not in answer
    assert caller.call("GET", "/teams", params=caller.key).status_code == 200
