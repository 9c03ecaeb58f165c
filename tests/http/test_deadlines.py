"""The deadline holds on the real clock, whatever the server does with its bytes. The only tests that really wait."""

import threading
import time

import pytest
import requests

from khoros_analytics import Clock, JobTimeoutError

SECONDS = 1.2
BUSY = 20
"""How many seconds later a machine with other work may be: a fraction of what each call would take without its end."""
WINDOW = ("2019-02-01", "2019-02-02")
LONG = "x" * 1000


@pytest.fixture(params=["plain", "TLS"])
def start(request, serve, connect, server_context, bundle):
    """Start a server and a client for it, without and with TLS, on the real clock."""

    def make(serving, **settings):
        server = serve(serving, server_context if request.param == "TLS" else None)
        session = requests.Session()
        session.verify = bundle
        return server, connect(server.origin, clock=Clock(), session=session, **settings)

    return make


def slow(what, part):
    """Serve everything at once but one kind of request, whose head or body comes one byte a second, or not at all."""

    def serving(line):
        while request := line.receive():
            if what not in request:
                line.answer(line.server.right(request))
            elif part == "body":
                line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(LONG)}\r\n\r\n")
                line.drip(LONG)
            elif part == "head":
                line.drip(f"HTTP/1.1 200 OK\r\nX: {LONG}\r\n")

    return serving


def in_time(act):
    """Return the real seconds until the error of a passed deadline."""
    began = time.monotonic()
    with pytest.raises(JobTimeoutError):
        act()
    return time.monotonic() - began


def acts_against(start, part, folder):
    """Yield a look-up, a creation, a status call and a download that all have the same time."""
    for what, name in (("/teams?", "teams"), ("/conversation?", "conversation"), ("/status?", "refresh")):
        _, client = start(slow(what, part), request_deadline=SECONDS)
        if name == "refresh":
            yield f"{part} of refresh", client.conversation(*WINDOW).refresh
        else:
            window = WINDOW if name == "conversation" else ()
            yield f"{part} of {name}", lambda client=client, name=name, window=window: getattr(client, name)(*window)
    _, client = start(slow("/download?", part))
    job = client.conversation(*WINDOW).refresh()
    yield f"{part} of download", lambda: job.download(folder, timeout=SECONDS)


def test_a_server_that_takes_its_time(start, tmp_path):
    """A server that sends its head or its body one byte a second for minutes, or nothing at all, outlives no call's
    deadline, and no file is left. A busy machine may need seconds more.
    """
    acts = dict(act for part in ("head", "body", "silence") for act in acts_against(start, part, tmp_path))
    took = {}
    threads = [
        threading.Thread(target=lambda name=name, act=act: took.update({name: in_time(act)}), daemon=True)
        for name, act in acts.items()
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + SECONDS + BUSY
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))

    assert sorted(took) == sorted(acts)
    assert len(acts) == 12
    assert all(SECONDS - 0.1 <= seconds < SECONDS + BUSY for seconds in took.values()), took
    assert list(tmp_path.iterdir()) == []


def test_no_alarm_is_left_behind(start):
    """The threads that watch the deadlines end with their calls."""
    _, client = start(lambda line: [line.answer(line.server.right(request)) for request in iter(line.receive, "")])
    before = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}

    for _ in range(3):
        client.teams()

    deadline = time.monotonic() + BUSY
    while {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)} - before:
        assert time.monotonic() < deadline
        time.sleep(0.005)
