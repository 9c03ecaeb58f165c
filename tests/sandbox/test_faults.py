"""Faults: each does on the wire exactly what its name says."""

import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

import attrs
import pytest
import requests
import trustme
from urllib3.exceptions import ReadTimeoutError

from khoros_analytics.sandbox import PHASES, Sandbox, faults
from khoros_analytics.sandbox._wire import connection

BROKEN = requests.exceptions.ChunkedEncodingError
GONE = requests.exceptions.ConnectionError


def receive(connection):
    """Return all that a socket still gives, and how it ended."""
    content = bytearray()
    try:
        while chunk := connection.recv(1 << 16):
            content += chunk
    except ConnectionResetError:
        return bytes(content), "reset"
    return bytes(content), "closed"


def raw(link):
    """Fetch a link on a bare socket: the headers, the body as it came, and how the connection ended."""
    parts = urlsplit(link)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        content, end = receive(connection)
    head, _, body = content.partition(b"\r\n\r\n")
    return head.decode(), body, end


@pytest.fixture
def file(caller):
    """A finished export: its link, and the bytes that it should give."""
    link = caller.signed()
    return link, caller.sandbox.exports[0].content()


# --- another answer -------------------------------------------------------------------------------------------------


CALLS = {
    "create": lambda caller: caller.create(),
    "status": lambda caller: caller.call("GET", caller.started()["statusUrl"]),
    "download": lambda caller: caller.call("GET", caller.link(), allow_redirects=False),
    "file": lambda caller: caller.fetch(caller.signed()),
    "teams": lambda caller: caller.call("GET", "/teams", params=caller.key),
    "timezones": lambda caller: caller.call("GET", "/config/timezones", params=caller.key),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("code", [400, 404, 429, 500, 503, 599])
def test_status_codes_in_every_phase(caller, phase, code):
    """Any status can be answered in any phase, once; then all is well again."""
    caller.sandbox.fail(phase, faults.HttpStatus(code))

    assert CALLS[phase](caller).status_code == code
    assert CALLS[phase](caller).status_code in (200, 302)
    assert caller.sandbox.planned == []


def test_all_phases_are_tried():
    """The table of calls above knows every phase."""
    assert set(CALLS) == set(PHASES)


@pytest.mark.parametrize(
    ("body", "kind", "start"),
    [
        ("text", "text/plain", "sandbox: 503"),
        ("html", "text/html", "<html>"),
        ("envelope", "text/plain", '{"status": "FAIL"'),
    ],
)
def test_bodies_of_a_status(caller, body, kind, start):
    """A status comes with a text, a gateway's page or the API's envelope."""
    caller.sandbox.fail("teams", faults.HttpStatus(503, body=body))
    answer = CALLS["teams"](caller)

    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.text.startswith(start)


def test_a_status_without_a_body(caller):
    """A status can come without a single byte."""
    caller.sandbox.fail("teams", faults.HttpStatus(500, body="empty"))

    assert CALLS["teams"](caller).content == b""


@pytest.mark.parametrize("text", ["7", "Wed, 01 May 2019 12:00:30 GMT", "soon"])
def test_retry_after(caller, text):
    """A Retry-After header says what it was told, sense or nonsense; without a text there is none."""
    caller.sandbox.fail("teams", faults.HttpStatus(429, retry_after=text))
    caller.sandbox.fail("teams", faults.HttpStatus(429))

    assert CALLS["teams"](caller).headers["Retry-After"] == text
    assert "Retry-After" not in CALLS["teams"](caller).headers


def test_no_content(caller):
    """A 204 has neither a body nor a length, as HTTP wants it, and the connection goes on."""
    caller.sandbox.fail("teams", faults.HttpStatus(204))
    answer = CALLS["teams"](caller)

    assert (answer.status_code, answer.content, "Content-Length" in answer.headers) == (204, b"", False)
    assert CALLS["teams"](caller).status_code == 200


@pytest.mark.parametrize(
    "fault", [faults.HttpStatus(502), faults.HtmlPage(), faults.EmptyAnswer(), faults.Redirect("/x")]
)
def test_before_and_after_the_work(caller, fault):
    """Another answer starts no export, unless the server is to do its work first."""
    caller.sandbox.fail("create", fault)
    caller.sandbox.fail("create", attrs.evolve(fault, after=True))
    for expected in (0, 1):
        caller.session.request("POST", *post(caller), auth=caller.auth, allow_redirects=False, timeout=10)
        assert len(caller.sandbox.exports) == expected


def post(caller):
    """Return the URL and the parameters of a creation."""
    return f"{caller.sandbox.base_url}/api/public/reports/report/author", {**caller.key, **caller.window}


@pytest.mark.parametrize("after", [False, True])
def test_reset_before_any_byte(caller, after):
    """A reset before any byte is a true one; the export is started only when the reset comes after the work."""
    caller.sandbox.fail("create", faults.Reset(after=after))

    with pytest.raises(GONE, match="Connection reset"):
        caller.create()
    assert len(caller.sandbox.exports) == after
    (record,) = caller.sandbox.requests
    assert (record.status, record.sent, record.fault) == (0, 0, faults.Reset(after=after))


def test_reset_of_a_kept_connection(caller):
    """A reset may meet a connection that served a request before."""
    assert CALLS["teams"](caller).headers["Connection"] == "keep-alive"
    caller.sandbox.fail("teams", faults.Reset())

    with pytest.raises(GONE, match="Connection reset"):
        CALLS["teams"](caller)


def test_html_page(caller):
    """A gateway's page comes with 200."""
    caller.sandbox.fail("status", faults.HtmlPage())
    answer = CALLS["status"](caller)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html;charset=UTF-8")
    assert "<html>" in answer.text


def test_empty_answer(caller):
    """A 200 can be empty."""
    caller.sandbox.fail("status", faults.EmptyAnswer())
    answer = CALLS["status"](caller)

    assert (answer.status_code, answer.content) == (200, b"")


def test_redirect(caller):
    """A redirect goes wherever it was told, with any code."""
    caller.sandbox.fail("download", faults.Redirect("https://user@elsewhere.example/x", code=307))
    answer = CALLS["download"](caller)

    assert (answer.status_code, answer.headers["Location"]) == (307, "https://user@elsewhere.example/x")


def test_raw_answer(caller):
    """Any status, headers and bytes can be answered; its repr does not show the bytes."""
    fault = faults.RawAnswer(418, b"\x1f\x8b", (("Content-Encoding", "gzip"), ("X-A", "b")))
    caller.sandbox.fail("file", fault)
    head, body, _ = raw(caller.signed())

    assert head.startswith("HTTP/1.1 418 ")
    assert "X-A: b" in head
    assert body == b"\x1f\x8b"
    assert "<2 bytes>" in repr(fault)


# --- the true answer, damaged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "share"), [(0, 0), (10, None), (0.25, 0.25), (0.9, 0.9), (10**9, None)])
def test_reset_within_the_body(caller, file, at, share):
    """The body is reset after exactly so many bytes or that share of it, and before its last byte in any case."""
    link, content = file
    expected = int(share * len(content)) if share is not None else min(at, len(content) - 1)
    caller.sandbox.fail("file", faults.ResetWithin(at))
    head, body, end = raw(link)

    assert f"Content-Length: {len(content)}" in head
    assert (body, end) == (content[:expected], "reset")
    assert caller.sandbox.requests[-1].sent == expected


def test_a_reset_loses_nothing_that_was_sent_before(run):
    """All bytes before the reset arrive, also of a body that is larger than the socket's buffers."""
    caller = run(size=60_000_000)
    link = caller.signed()
    caller.sandbox.fail("file", faults.ResetWithin(50_000_000))
    _, body, end = raw(link)

    assert (len(body), end) == (50_000_000, "reset")


def test_a_reset_does_not_wait_for_nothing(caller, file, monkeypatch):
    """A reset waits for what has not left yet, and no longer."""
    monkeypatch.setattr(connection, "_DRAINED", 60.0)
    caller.sandbox.fail("file", faults.ResetWithin(0.5))
    began = time.perf_counter()
    raw(file[0])

    assert time.perf_counter() - began < 20


def test_a_reset_where_the_buffer_cannot_be_asked(caller, file, monkeypatch):
    """Systems that do not tell what is still unsent reset all the same."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    caller.sandbox.fail("file", faults.ResetWithin(0.5))

    assert raw(file[0])[2] == "reset"


def test_cut(caller, file):
    """A cut body announces its whole length and is closed politely before it."""
    link, content = file
    caller.sandbox.fail("file", faults.Cut(100))
    head, body, end = raw(link)

    assert f"Content-Length: {len(content)}" in head
    assert (body, end) == (content[:100], "closed")


def test_early_end(caller, file):
    """An early end announces no length at all: requests takes it for a whole body."""
    link, content = file
    caller.sandbox.fail("file", faults.EarlyEnd(0.5))
    answer = caller.fetch(link)

    assert answer.content == content[: len(content) // 2]
    assert not {"Content-Length", "Transfer-Encoding"} & set(answer.headers)


@pytest.mark.parametrize("fault", [faults.Cut(0.5), faults.ResetWithin(0.5)])
def test_a_chunked_body_ends_without_its_last_chunk(run, fault):
    """Where files come in chunks, a damaged one lacks the last chunk, and its sound part is right."""
    caller = run(framing="chunked")
    link = caller.signed()
    caller.sandbox.fail("file", fault)

    with pytest.raises(BROKEN):
        caller.fetch(link)
    head, body, _ = raw(link)
    assert "Transfer-Encoding: chunked" in head
    assert body.endswith(b"\r\n0\r\n\r\n")


def test_truncated(caller):
    """A truncated answer is sound HTTP around half a JSON text."""
    caller.sandbox.fail("status", faults.Truncated())
    answer = CALLS["status"](caller)

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 100


@pytest.mark.parametrize("by", [5, -5])
def test_wrong_length(caller, file, by):
    """The announced length is off by so many bytes; the body is whole."""
    link, content = file
    caller.sandbox.fail("file", faults.WrongLength(by))
    head, body, end = raw(link)

    assert f"Content-Length: {len(content) + by}" in head
    assert (body, end) == (content, "closed")


def test_slow(caller, file):
    """A slow body takes a rest after each piece, and is right in the end."""
    link, content = file
    caller.sandbox.fail("file", faults.Slow(pause=0.02, every=len(content) // 5 + 1))
    began = time.perf_counter()

    assert caller.fetch(link).content == content
    assert time.perf_counter() - began >= 0.1


def test_stall(caller, file):
    """A stalled body stops coming, while the connection stays open; the client's own patience ends it."""
    link, _ = file
    caller.sandbox.fail("file", faults.Stall(100))
    with caller.session.get(link, stream=True, timeout=1) as answer:
        assert answer.raw.read(100)
        with pytest.raises(ReadTimeoutError):
            answer.raw.read(1)

    assert caller.sandbox.requests[-1].sent == 100


@pytest.mark.parametrize("fault", [faults.Stall(0), faults.Slow(pause=60, every=1), faults.Endless()])
def test_stopping_ends_hanging_answers(fault):
    """A sandbox stops at once, whatever its clients wait for."""
    sandbox = Sandbox()
    sandbox.start()
    sandbox.fail("teams", fault)
    with socket.create_connection(urlsplit(sandbox.base_url).netloc.split(":")) as client:
        client.sendall(b"GET /api/public/teams HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(5) == b"HTTP/"
        began = time.perf_counter()
        sandbox.stop()

    assert time.perf_counter() - began < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sandbox")]


def test_a_stalled_answer_ends_with_its_client(caller, file):
    """The server's thread does not outlive a client that gives up."""
    caller.sandbox.fail("file", faults.Stall(1))
    before = threading.active_count()
    with socket.create_connection(urlsplit(file[0]).netloc.split(":")) as client:
        parts = urlsplit(file[0])
        client.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(1)
        assert threading.active_count() == before + 1
    deadline = time.monotonic() + 20
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_endless(caller, file):
    """An endless body goes on beyond the file's own length, without a length of its own."""
    link, content = file
    caller.sandbox.fail("file", faults.Endless())
    with caller.session.get(link, stream=True, timeout=10) as answer:
        received = answer.raw.read(20 * len(content))

    assert len(received) == 20 * len(content)
    assert received.startswith(content + b" " + content[:10])
    assert "Content-Length" not in answer.headers


def test_twice(caller, file):
    """An answer can come twice on one connection, head and all."""
    link, content = file
    caller.sandbox.fail("file", faults.Twice())
    _, body, end = raw(link)
    first, _, second = body.partition(b"HTTP/1.1 200 OK\r\n")

    assert (first, second.partition(b"\r\n\r\n")[2], end) == (content, content, "closed")


@pytest.mark.parametrize("fault", [faults.ResetWithin(), faults.Cut(), faults.EarlyEnd(), faults.Twice()])
def test_damaged_answers_are_answers_of_a_server_that_acted(caller, fault):
    """Damage happens on the way back: the export is started each time."""
    caller.sandbox.fail("create", fault)
    with contextlib.suppress(requests.RequestException):
        caller.create()

    assert len(caller.sandbox.exports) == 1


def test_damage_under_tls(run, tmp_path):
    """A reset and a cut work under TLS too."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    caller = run(ssl_context=context)
    caller.session.verify = str(tmp_path / "ca.pem")
    link = caller.signed()
    for fault in (faults.ResetWithin(0.5), faults.Cut(0.5)):
        caller.sandbox.fail("file", fault)
        with pytest.raises(BROKEN):
            caller.fetch(link)
    caller.sandbox.fail("file", faults.Reset())
    with pytest.raises(GONE):
        caller.fetch(link)

    assert caller.fetch(link).content == caller.sandbox.exports[0].content()


# --- what becomes of the export -------------------------------------------------------------------------------------


def test_an_expired_link_from_the_api(caller):
    """The API can hand out a link that is too old already; the next one is good."""
    link = caller.link()
    caller.sandbox.fail("download", faults.Expired())

    assert caller.call("GET", link).status_code == 403
    assert caller.call("GET", link).status_code == 200


def test_an_expired_link_at_the_file_host(caller, file):
    """The file host can find a link too old that is not."""
    caller.sandbox.fail("file", faults.Expired())
    answer = caller.fetch(file[0])

    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text
    assert caller.fetch(file[0]).status_code == 200


@pytest.mark.parametrize(("state", "detail"), [("CLOSED", ""), ("PAUSED", "WAITING"), (None, None)])
def test_job_states(run, state, detail):
    """One status can say any state and detail, with more fields, without a link; the job itself is not touched."""
    caller = run(polls=1)
    url = caller.started()["statusUrl"]
    caller.sandbox.fail("status", faults.JobState(state, detail, "why", {"queue": [1]}))
    job = caller.status(url)

    assert [job["result"][key] for key in ("runnerState", "detail", "reason", "queue")] == [state, detail, "why", [1]]
    assert job["jobInfo"]["downloadUrl"] == ""
    assert caller.status(url)["result"]["detail"] == "COMPLETED"


def test_more_fields_in_a_true_status(run):
    """A completed job's status can hold fields that nobody knows, and is the true one otherwise; no other job can."""
    caller = run(polls=2)
    url = caller.started()["statusUrl"]
    caller.sandbox.fail("status", faults.JobState("CLOSED", "COMPLETED", extra={"queue": 1}), times=2)
    early, strange, plain = (caller.call("GET", url).json()["result"] for _ in range(3))

    assert strange["result"].pop("queue") == 1
    assert strange == plain
    assert early["jobInfo"]["downloadUrl"] == ""


def test_delay(caller):
    """A delay moves the sandbox's clock before the server acts: on a virtual clock nobody waits."""
    caller.sandbox.fail("create", faults.Delay(3600))
    url = caller.started()["statusUrl"]
    (record,), (export,) = caller.sandbox.requests, caller.sandbox.exports
    assert export.started - record.time == 3600
    caller.sandbox.fail("status", faults.Delay(10))

    assert caller.status(url)["result"]["detail"] == "COMPLETED"


# --- the plan -------------------------------------------------------------------------------------------------------


def codes(caller, count):
    return [CALLS["teams"](caller).status_code for _ in range(count)]


def test_faults_come_in_order(caller):
    """Faults are used up one after the other, each so many times after so many calls that are let through."""
    caller.sandbox.fail("teams", faults.HttpStatus(501), times=2, skip=1)
    caller.sandbox.fail("teams", faults.HttpStatus(502), skip=1)

    assert codes(caller, 6) == [200, 501, 501, 200, 502, 200]


def test_phases_do_not_mix(caller):
    """A fault of one phase leaves the others alone."""
    caller.sandbox.fail("timezones", faults.HttpStatus(500))

    assert codes(caller, 2) == [200, 200]
    assert caller.sandbox.planned == [("timezones", faults.HttpStatus(500))]


def test_for_ever_and_healing(caller):
    """A fault with times=None meets all calls until the sandbox is healed."""
    caller.sandbox.fail("teams", faults.HttpStatus(500), times=None)
    assert codes(caller, 5) == [500] * 5
    caller.sandbox.heal()

    assert codes(caller, 2) == [200, 200]


def test_a_fault_is_taken_by_one_thread(caller):
    """Ten threads that call at once get exactly the seven faults that were planned."""
    caller.sandbox.fail("teams", faults.HttpStatus(500), times=7)
    found = []
    url = f"{caller.sandbox.base_url}/api/public/teams"
    threads = [
        threading.Thread(
            target=lambda: found.append(requests.get(url, params=caller.key, auth=caller.auth, timeout=10).status_code)
        )
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [200] * 3 + [500] * 7


@pytest.mark.parametrize(
    ("phase", "fault", "message"),
    [
        ("upload", faults.Reset(), "'upload' is not a phase; there are create, status"),
        ("status", faults.Expired(), r"Expired\(\) makes no sense in 'status', only in download, file"),
        ("file", faults.JobFails(), "only in create, status"),
        ("create", faults.JobState(), "only in status"),
    ],
)
def test_faults_that_make_no_sense(caller, phase, fault, message):
    """A fault that could never happen is refused when it is planned."""
    with pytest.raises(ValueError, match=message):
        caller.sandbox.fail(phase, fault)


def test_faults_are_values():
    """Every fault is a frozen value: equal to its like, hashable, and printed so that it can be typed in again."""
    needed = {faults.HttpStatus: {"code": 503}, faults.Redirect: {"url": "/x"}, faults.Delay: {"seconds": 1.0}}
    made = [
        kind(**needed.get(kind, {}))
        for kind in vars(faults).values()
        if isinstance(kind, type) and issubclass(kind, faults.Fault)
    ]

    assert len(set(made)) == len(made) > 20
    for fault in made:
        if not isinstance(fault, faults.RawAnswer):
            assert eval(repr(fault), vars(faults)) == fault
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made[-1].phases = ()
