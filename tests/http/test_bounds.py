"""Whatever a server does, one call ends in time and after few requests."""

import socket
import threading
import time

import pytest

from khoros_analytics import Clock, IncompleteDownloadError, JobTimeoutError, KhorosError, UnexpectedReplyError
from khoros_analytics._http import connections

WINDOW = ("2019-02-01", "2019-02-02")


def served(line):
    for request in iter(line.receive, ""):
        line.answer(line.server.right(request))


def failed(call):
    """Return the error of a call, and the real seconds until it came."""
    began = time.monotonic()
    with pytest.raises(KhorosError) as caught:
        call()
    return caught.value, time.monotonic() - began


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.fixture
def swallowing():
    """Addresses whose connections are never accepted: a full queue swallows every SYN."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


@pytest.fixture
def resolve(monkeypatch):
    """Let a host name have these addresses."""

    def to(*addresses):
        original = socket.getaddrinfo

        def getaddrinfo(host, port, *arguments, **options):
            if host != "many.example":
                return original(host, port, *arguments, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return to


def test_many_addresses_that_swallow(connect, resolve, monkeypatch):
    """A host name with eight addresses that swallow every SYN takes one deadline, not eight."""
    resolve(*[f"127.0.0.{number}" for number in range(2, 10)])
    tried, given = [], []

    def swallow(address, timeout, **_options):
        tried.append(address[0])
        given.append(timeout)
        time.sleep(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", swallow)
    client = connect("https://many.example", clock=Clock(), request_deadline=1.0)
    error, _ = failed(client.teams)
    assert isinstance(error, JobTimeoutError)
    assert sum(given) <= 1.0
    assert tried[:8] == [f"127.0.0.{number}" for number in range(2, 10)]


def test_an_address_that_swallows_beside_one_that_answers(serve, connect, resolve, monkeypatch):
    """Each address gets its part of the time, so that one that swallows leaves some for the others."""
    server = serve(served)
    resolve("127.0.0.2", "127.0.0.1")
    create = connections.socket.create_connection

    def some(address, timeout, **_options):
        if address[0] == "127.0.0.2":
            time.sleep(timeout)
            raise TimeoutError("timed out")
        return create(("127.0.0.1", server.port), timeout)

    monkeypatch.setattr("urllib3.util.connection.create_connection", some)
    context = connections.HTTPConnection("many.example", server.port, timeout=10)
    watchdog = connections.Watchdog(left=lambda: 0.4)
    connection = connections._with_watchdog(type(context))("many.example", server.port, timeout=10)
    with watchdog.on():
        connection.connect()
    assert connection.sock is not None
    assert (connection._dns_host, connection.timeout) == ("many.example", 10)
    connection.close()


def test_a_name_that_is_not_resolved(connect, monkeypatch):
    """A resolver that hangs is left alone at the deadline."""
    go = threading.Event()
    original = socket.getaddrinfo

    def hang(host, *arguments, **options):
        if host == "slow.example":
            go.wait(30)
        return original(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    client = connect("https://slow.example", clock=Clock(), request_deadline=0.5)
    error, took = failed(client.teams)
    go.set()
    assert isinstance(error, JobTimeoutError)
    assert took < 20


def test_a_creation_that_was_not_resolved(connect, monkeypatch):
    """A name that was not found proves that nothing was started."""

    def fail(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error, _ = failed(lambda: connect("https://none.example", retries=0).conversation(*WINDOW))
    assert error.may_have_started is False
    assert "Name or service not known" in str(error)


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
@pytest.mark.parametrize("count", [1, 3])
def test_interim_answers(serve, connect, status, count):
    """What only announces an answer is passed over."""

    def serving(line):
        for request in iter(line.receive, ""):
            line.send(f"HTTP/1.1 {status}\r\nLink: x\r\n\r\n" * count)
            line.answer(line.server.right(request))

    assert list(connect(serve(serving).origin).teams()) == []


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_endless_interim_answers(serve, connect, status):
    """A server that announces an answer for ever gives none."""

    def serving(line):
        line.receive()
        line.send(f"HTTP/1.1 {status}\r\n\r\n" * 5000)
        line.server.closing.wait(10)

    server = serve(serving)
    error, took = failed(connect(server.origin, retries=1).teams)
    assert "it announces an answer again and again" in str(error)
    assert server.connections == 2
    assert took < 10


def test_headers_that_trickle_during_a_download(serve, connect, tmp_path):
    """A file host whose headers trickle holds one attempt up for the request_deadline, not for the whole timeout."""

    def serving(line):
        request = line.receive()
        if "/download?" not in request:
            line.answer(line.server.right(request), "200 OK", "Connection: close")
        elif sum("/download?" in each for each in line.server.requests) == 1:
            line.drip("HTTP/1.1 200 OK\r\nX: " + "x" * 1000, 0.1)
        else:
            line.answer("ID\r\n1\r\n", "200 OK", "Connection: close")

    client = connect(serve(serving).origin, clock=Clock(), request_deadline=1.0)
    job = client.conversation(*WINDOW).refresh()
    began = time.monotonic()
    assert job.download(tmp_path / "file.csv", timeout=20).read_bytes() == b"ID\r\n1\r\n"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("circle", [True, False], ids=["circle", "chain"])
@pytest.mark.parametrize("phase", ["teams", "download"])
def test_redirects_at_home(api, connect, tmp_path, circle, phase):
    """A redirect within the API costs a request of the quota each time: a circle or a long chain ends soon."""
    links = [f"{api.url('download')}&step={0 if circle else number}" for number in range(1000)]
    api.next("download", *[(302, {"Location": link}, "") for link in links])
    api.next("teams", *[(302, {"Location": link}, "") for link in links])
    client = connect()
    if phase == "teams":
        error, _ = failed(client.teams)
    else:
        job = client.conversation(*WINDOW).refresh()
        error, _ = failed(lambda: job.download(tmp_path / "file.csv", timeout=3600))
    assert isinstance(error, UnexpectedReplyError)
    assert "redirects in a circle, or again and again" in str(error)
    assert len(api.requests) <= 26


CONTENT = b"ID,TEXT\r\n" + b"1,x\r\n" * 3000


@pytest.mark.parametrize("total", [True, False], ids=["total", "unknown total"])
def test_one_byte_an_answer(serve, connect, tmp_path, total):
    """A host that sends the file byte by byte, each in an answer of its own, is given up soon."""

    def serving(line):
        request = line.receive()
        if "/download?" not in request:
            line.answer(line.server.right(request), "200 OK", "Connection: close")
            return
        start = int(request.partition("Range: bytes=")[2].partition("-")[0] or 0)
        size = len(CONTENT) if total else "*"
        span = f"Content-Range: bytes {start}-{start}/{size}"
        if start:
            line.answer(CONTENT[start : start + 1].decode(), "206 Part", span, 'ETag: "1"', "Connection: close")
        elif total:
            line.send(f'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: {len(CONTENT)}\r\n\r\nI')
        else:
            line.send('HTTP/1.1 200 OK\r\nETag: "1"\r\nConnection: close\r\n\r\nI')

    server = serve(serving)
    job = connect(server.origin, requests_per_minute=1000).conversation(*WINDOW).refresh()
    error, _ = failed(lambda: job.download(tmp_path / "file.csv", timeout=6 * 3600))
    assert isinstance(error, IncompleteDownloadError)
    assert sum("/download?" in request for request in server.requests) <= 40


def test_a_cut_after_each_byte(serve, connect, tmp_path):
    """A host that breaks off after each byte is an outage: it is asked again with pauses that grow."""

    def serving(line):
        request = line.receive()
        if "/download?" not in request:
            line.answer(line.server.right(request), "200 OK", "Connection: close")
            return
        start = int(request.partition("Range: bytes=")[2].partition("-")[0] or 0)
        size = len(CONTENT)
        head = "HTTP/1.1 206 Part" if start else "HTTP/1.1 200 OK"
        span = f"Content-Range: bytes {start}-{size - 1}/{size}\r\n" if start else ""
        line.send(f'{head}\r\nETag: "1"\r\n{span}Content-Length: {size - start}\r\n\r\n')
        line.send(CONTENT[start : start + 1])

    server = serve(serving)
    job = connect(server.origin).conversation(*WINDOW).refresh()
    error, _ = failed(lambda: job.download(tmp_path / "file.csv", timeout=3600))
    assert isinstance(error, JobTimeoutError)
    assert sum("/download?" in request for request in server.requests) <= 130


# --- threads ---------------------------------------------------------------------------------------------------------


def test_no_thread_can_be_started(serve, connect, tmp_path, monkeypatch):
    """Where no thread can be started, an export goes its way without the threads that watch over it."""

    def serving(line):
        for request in iter(line.receive, ""):
            line.answer("ID\r\n1\r\n" if "/download?" in request else line.server.right(request))

    server = serve(serving)
    client = connect(server.origin, clock=Clock())
    client.teams()  # its server's threads are there
    start = threading.Thread.start

    def refuse(thread):
        if isinstance(thread, threading.Timer) or thread.name == "resolver":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    job = client.conversation(*WINDOW).refresh()
    assert job.download(tmp_path / "file.csv").read_bytes() == b"ID\r\n1\r\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "file.csv"]
