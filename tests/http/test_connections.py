"""Which connection a call goes over, and what a broken one means, on real sockets."""

import socket
import struct

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from khoros_analytics import ServerError, TransportError

WINDOW = ("2019-02-01", "2019-02-02")
METHODS = ("conversation", "user")


def lines_of(server, what):
    return [request for request in server.requests if what in request.partition("\r\n")[0]]


def keeps(line):
    """Answer all that comes on one connection."""
    while request := line.receive():
        line.answer(line.server.right(request))


def leaves_when_asked_again(line):
    """Keep the connection after the first answer, and close it at the worst moment: when the next request is there."""
    line.answer(line.server.right(line.receive()))
    line.socket.recv(1)


def test_connections_are_kept(connect, serve):
    """Look-ups and status calls share one kept-alive connection."""
    server = serve(keeps)
    client = connect(server.origin)
    job = client.conversation(*WINDOW)
    before = server.connections

    for _ in range(3):
        client.teams()
        job.refresh()

    assert server.connections == before + 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("own", [True, False], ids=["own session", "user's session"])
def test_a_creation_goes_over_a_fresh_connection(connect, serve, method, own):
    """A stale kept-alive connection cannot make a creation ambiguous: it never goes over one."""
    server = serve(leaves_when_asked_again)
    with requests.Session() as session:
        client = connect(server.origin, **({} if own else {"session": session}))
        for _ in range(3):
            client.teams()
            assert getattr(client, method)(*WINDOW).workflow_id == "w-1"

    assert len(lines_of(server, f"/{method}?")) == 3


@pytest.mark.parametrize("times", [1, 4])
def test_other_calls_survive_a_stale_connection(connect, serve, times):
    """A look-up over a connection that died meanwhile is simply sent again."""
    server = serve(leaves_when_asked_again)
    client = connect(server.origin)

    for _ in range(times + 1):
        assert client.teams() == []

    assert server.connections >= times + 1


def test_a_creation_leaves_no_connection_open(connect, serve):
    """The fresh connection of a creation is closed as soon as its answer has been read."""
    goodbyes = []

    def answer(line):
        line.answer(line.server.right(line.receive()))
        goodbyes.append(line.receive())

    server = serve(answer)
    client = connect(server.origin)
    client.conversation(*WINDOW)
    for thread in server._threads:
        thread.join(5)

    assert goodbyes == [""]


def goes_silently(line):
    line.receive()


def resets(line):
    line.receive()
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def fails(line):
    while line.receive():
        line.answer("{}", "500 Internal Server Error")


def is_busy(line):
    while line.receive():
        line.answer("{}", "502 Bad Gateway", "Retry-After: 0")


class Insistent(HTTPAdapter):
    """An adapter that repeats everything, whatever happened."""

    def __init__(self):
        retry = Retry(5, status_forcelist=range(400, 600), allowed_methods=None, backoff_factor=0)
        super().__init__(max_retries=retry)


@pytest.mark.parametrize("serving", [goes_silently, resets, fails, is_busy])
@pytest.mark.parametrize("insistent", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_creation_is_sent_once(connect, serve, serving, insistent, method):
    """A creation that the server may have seen is sent once, although the session's own adapter would repeat it."""
    server = serve(serving)
    with requests.Session() as session:
        if insistent:
            session.mount("http://", Insistent())
        with pytest.raises((TransportError, ServerError)) as caught:
            getattr(connect(server.origin, session=session), method)(*WINDOW)

    assert caught.value.may_have_started is True
    assert len(server.requests) == 1


def test_the_sessions_own_retries_are_left_to_other_calls(connect, serve):
    """What the user's adapter repeats on its own stays as it is for calls that may be repeated."""

    def serving(line):
        while line.receive():
            line.answer("{}", "500 Internal Server Error") if len(server.requests) < 4 else line.answer(
                line.server.right("/teams?")
            )

    server = serve(serving)
    with requests.Session() as session:
        session.mount("http://", Insistent())
        assert connect(server.origin, session=session, retries=0).teams() == []

    assert len(server.requests) == 4


def test_nobody_listens(connect, serve, clock):
    """A refused connection is a TransportError after the retries: the export certainly was not started."""
    server = serve(keeps)
    server.stop()

    with pytest.raises(TransportError, match="no connection to 127") as caught:
        connect(server.origin).conversation(*WINDOW)

    assert (caught.value.may_have_started, caught.value.transient) == (False, True)
    assert len(clock.sleeps) == 5


def test_a_body_that_breaks(connect, serve):
    """A creation whose answer breaks off within its body is not repeated; a look-up is."""

    def cuts(line):
        body = line.server.right(line.receive())
        if len(server.requests) in (1, 2):
            line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body[:-2]}")
        else:
            line.answer(body)

    server = serve(cuts)
    client = connect(server.origin)
    with pytest.raises(TransportError, match="broke off") as caught:
        client.conversation(*WINDOW)

    assert caught.value.may_have_started is True
    assert client.teams() == []
    assert len(lines_of(server, "/teams?")) == 2


@pytest.mark.parametrize("method", ["conversation", "teams"])
def test_a_certificate_that_nobody_trusts(connect, serve, server_context, clock, method):
    """A certificate that is not accepted is a TransportError at once, with the way out; nothing was sent."""
    server = serve(keeps, server_context)

    with pytest.raises(TransportError, match="REQUESTS_CA_BUNDLE") as caught:
        getattr(connect(server.origin), method)(*(WINDOW if method == "conversation" else ()))

    assert caught.value.transient is False
    assert caught.value.may_have_started is (False if method == "conversation" else None)
    assert (server.connections, server.requests, clock.sleeps) == (1, [], [])


def test_a_certificate_of_another_host(connect, serve, server_context, bundle, monkeypatch):
    """A trusted certificate for another name is not accepted either."""
    server = serve(keeps, server_context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    with pytest.raises(TransportError, match="no safe connection"):
        connect(f"https://127.0.0.1:{server.port}").teams()

    assert server.requests == []


@pytest.mark.parametrize(
    "garbage",
    ["NOT HTTP AT ALL\r\n\r\n", "HTTP/1.1 2x0 ?\r\n\r\n", "\x00\x01\x02", "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 200],
)
def test_answers_that_are_not_http(connect, serve, garbage):
    """What is not HTTP ends in a TransportError after the retries."""

    def serving(line):
        line.receive()
        line.send(garbage)

    server = serve(serving)
    with pytest.raises(TransportError):
        connect(server.origin, retries=1).teams()

    assert len(server.requests) == 2
