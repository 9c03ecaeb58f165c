"""The server: connections as HTTP clients expect them, and mistakes that are not hidden."""

import socket
from urllib.parse import urlsplit

import pytest
import requests

from khoros_analytics.sandbox._hosts import api
from khoros_analytics.sandbox._wire import connection


def connect(sandbox):
    return socket.create_connection(urlsplit(sandbox.base_url).netloc.split(":"), timeout=10)


def test_a_connection_serves_many_requests(caller):
    """Connections are kept open: two requests of one session come from the same port."""
    with connect(caller.sandbox) as client:
        for _ in range(3):
            client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Connection: keep-alive" in client.recv(4096)


def test_a_client_may_want_it_closed(caller):
    """A client that asks for the end of the connection, or speaks HTTP/1.0, gets it."""
    for request in (b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET /x HTTP/1.0\r\n\r\n"):
        with connect(caller.sandbox) as client:
            client.sendall(request)
            content = b"".join(iter(lambda client=client: client.recv(4096), b""))
        assert b"Connection: close" in content


def test_without_keep_alive(run):
    """With keep_alive=False each answer closes its connection."""
    caller = run(keep_alive=False)

    assert caller.call("GET", "/teams").headers["Connection"] == "close"


def test_the_date_is_the_sandbox_s(caller):
    """The Date header follows the sandbox's clock."""
    caller.sandbox.clock.sleep(60)

    assert caller.call("GET", "/teams").headers["Date"] == "Wed, 01 May 2019 12:01:00 GMT"


def test_nonsense_is_survived(caller):
    """What is not HTTP gets an error, and others are served as before."""
    with connect(caller.sandbox) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in client.recv(4096)

    assert caller.call("GET", "/teams", params=caller.key).status_code == 200


def test_expect_continue(caller):
    """A client that waits for 100 Continue before its form gets it."""
    body = b"startTime=0&endTime=1"
    with connect(caller.sandbox) as client:
        client.sendall(
            b"POST /api/public/reports/report/user?companyKey=SANDBOX-COMPANY HTTP/1.1\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert b" 401 " in client.recv(4096)

    assert caller.sandbox.requests[0].form == (("startTime", "0"), ("endTime", "1"))


def test_a_mistake_of_the_sandbox_is_shown(caller, monkeypatch, capfd):
    """An exception in the sandbox answers 500 and is printed: it must not look like a fault that was asked for."""
    monkeypatch.setattr(api, "envelope", None)
    answer = caller.call("GET", "/teams", params=caller.key)

    assert (answer.status_code, answer.text) == (500, "The sandbox is broken: see its standard error.\n")
    assert "TypeError" in capfd.readouterr().err


def test_a_mistake_while_writing_is_shown(caller, monkeypatch, capfd):
    """An exception that is not a lost connection is printed too, and ends the connection."""
    monkeypatch.setattr(connection, "http_date", None)
    with pytest.raises(requests.exceptions.ConnectionError):
        caller.call("GET", "/teams")
    caller.sandbox.stop()

    assert "TypeError" in capfd.readouterr().err


def test_requests_are_not_logged(caller, caplog, capfd):
    """Requests are not logged, since a line could show a secret; a broken one leaves a line that quotes nothing."""
    with caplog.at_level("DEBUG"):
        requests.get(f"{caller.sandbox.base_url}/api/public/teams", params=caller.key, timeout=10)
        with connect(caller.sandbox) as client:
            client.sendall(b"GET /teams?companyKey=SANDBOX-COMPANY nonsense\r\n\r\n")
            assert client.recv(4096)

    (line,) = (record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert line.endswith("answered 400 to a request: the request line or a header is broken")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_request_body_is_read_whole(caller, size):
    """However large a request's body is, the answer comes and the connection goes on."""
    for _ in range(2):
        answer = caller.call("POST", "/teams", data=b"x" * size, params=caller.key)
        assert (answer.status_code, answer.headers["Connection"]) == (405, "keep-alive")
