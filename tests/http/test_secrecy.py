"""No fault lets a secret out: not in its error, not behind its error, not in any log."""

import logging
import pickle
import traceback
from pathlib import Path

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

import khoros_analytics
from khoros_analytics import ConfigurationError, KhorosError, TransportError
from khoros_analytics._http.redaction import redact_urllib3_logs

WINDOW = ("2019-02-01", "2019-02-02")
URL = "/api/public/teams?companyKey=CANARY+KEY%2B%2F%3D%26&analyticsAccessToken=CANARY"
PACKAGE = str(Path(khoros_analytics.__file__).parent)

FAULTS = {
    "refused": requests.ConnectionError(MaxRetryError(None, URL, NewConnectionError(None, "Connection refused"))),
    "silence": requests.ReadTimeout(ReadTimeoutError(None, URL, f"Read timed out. {URL}")),
    "reset": requests.ConnectionError(ProtocolError(f"Connection aborted at https://x{URL}", OSError(104, "reset"))),
    "unreadable": requests.exceptions.InvalidURL(f"Failed to parse: https://api.example{URL}"),
    "header": requests.exceptions.InvalidHeader("Basic Q0FOQVJZ"),
    "OS": OSError(f"cannot open https://api.example{URL}"),
    "500": (500, {}, f"error at https://api.example{URL}"),
    "400": (400, {}, '{"companyKey": "CANARY KEY+/=&ü", "token" : "CANARY"}'),
    "401": (401, {}, "wrong password CANARY/pä ß+wörd=%😀"),
    "FAIL": '{"status": "FAIL", "result": "no company CANARY KEY+/=&ü, CANARY%20KEY%2B%2F%3D%26%C3%BC"}',
    "HTML": "<html><a href='https://files.example/x?Signature=CANARY&X-Amz=CANARY'>CANARY KEY+/=&ü</a></html>",
    "redirect": (302, {"Location": f"ftp://files.example{URL}"}, ""),
}


PROVOKED = {
    f"{phase}-{name}": (phase, fault)
    for phase in ("create", "status", "teams", "download")
    for name, fault in FAULTS.items()
    if (phase, name) != ("download", "FAIL")  # which is not to be told from a file
}


def behind(error):
    """Yield an error and all that stand behind it, shown or not."""
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def told(error):
    """Return all that an error tells by itself: its texts, its traceback, its pickle."""
    texts = [f"{one!s} {one!r} {one.args!r} {vars(one)!r}" for one in behind(error)]
    return "\n".join(["".join(traceback.format_exception(error)), *texts, repr(pickle.dumps(error))])


def shown_to_a_crash_reporter(error):
    """Return what a traceback with local variables shows of this library's frames, as crash reporters collect it."""
    return "\n".join(
        f"{frame.f_code.co_name}: {name} = {value!r}"
        for one in behind(error)
        for frame, _ in traceback.walk_tb(one.__traceback__)
        if frame.f_code.co_filename.startswith(PACKAGE)
        for name, value in frame.f_locals.items()
    )


@pytest.fixture
def everything_logged(caplog):
    for name in ("", "khoros_analytics", "urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@pytest.mark.parametrize(("phase", "fault"), PROVOKED.values(), ids=PROVOKED)
def test_faults_keep_secrets(api, connect, ask, everything_logged, *, phase, fault):
    """Whatever goes wrong in a call, its error and the log tell no password, company key, token or signature."""
    api.next(phase, *[fault] * 30)

    with pytest.raises(KhorosError) as caught:
        ask(connect(), phase)

    assert "CANARY" not in told(caught.value)
    assert "Q0FOQVJZ" not in told(caught.value)  # CANARY in base64
    assert "CANARY" not in everything_logged.text


@pytest.mark.parametrize(("phase", "fault"), PROVOKED.values(), ids=PROVOKED)
def test_local_variables_keep_secrets(api, connect, ask, phase, fault):
    """A traceback with local variables, as crash reporters collect it, shows no secret in any frame of this library."""
    api.next(phase, *[fault] * 30)

    with pytest.raises(KhorosError) as caught:
        ask(connect(), phase)

    leaks = [line for line in shown_to_a_crash_reporter(caught.value).splitlines() if "CANARY" in line]
    assert leaks == []


@pytest.mark.parametrize("fault", ["refused", "silence", "reset", "unreadable", "header", "OS"])
@pytest.mark.parametrize("phase", ["create", "status", "teams", "file"])
def test_nothing_of_requests_behind_an_error(api, connect, ask, fault, phase):
    """Behind an error stands no exception of requests or urllib3: those carry the request with all its secrets."""
    api.next(phase, *[FAULTS[fault]] * 30)

    with pytest.raises(KhorosError) as caught:
        ask(connect(), phase)

    assert [type(one).__module__ for one in behind(caught.value)] == ["khoros_analytics.errors"]


@pytest.mark.parametrize("fault", ["unreadable", "header"])
def test_what_requests_cannot_send(api, connect, fault):
    """What requests refuses to send is a ConfigurationError at once: no repetition would change it."""
    api.next("create", FAULTS[fault])

    with pytest.raises(ConfigurationError) as caught:
        connect().conversation(*WINDOW)

    assert caught.value.may_have_started is False
    assert api.count("create") == 1


def test_headers_that_cannot_be_sent(api, connect):
    """A session header that is no header is a ConfigurationError too."""
    with requests.Session() as session:
        session.headers["X-Team"] = "a\r\nb"
        with pytest.raises(ConfigurationError):
            connect(session=session).conversation(*WINDOW)

    assert api.requests == []


def test_no_query_in_urllib3s_log(connect, serve, everything_logged):
    """urllib3's DEBUG lines show which paths were asked, without their queries, for every call."""

    def serving(line):
        for request in iter(line.receive, ""):
            line.answer(line.server.right(request))

    client = connect(serve(serving).origin)
    client.teams()
    client.conversation(*WINDOW).refresh()

    lines = [record.getMessage() for record in everything_logged.records if record.name.startswith("urllib3")]
    for path in ("/api/public/teams", "/reports/report/conversation", "/w-1/r-1/status"):
        assert any(path in line for line in lines)
    assert "CANARY" not in everything_logged.text
    assert "companyKey" not in everything_logged.text


def test_the_log_of_others_is_left_alone(serve, everything_logged):
    """What other code in the process asks for is logged by urllib3 as ever."""
    server = serve(lambda line: line.receive() and line.answer("[]"))
    with redact_urllib3_logs():
        pass
    with requests.Session() as session:
        session.get(f"{server.origin}/x?mine=1", timeout=5)

    assert "/x?mine=1" in everything_logged.text


def test_no_proxy_password(connect, serve):
    """The password of a proxy does not appear when the proxy cannot be reached."""
    closed = serve(lambda line: None)
    closed.stop()
    with requests.Session() as session:
        session.proxies["https"] = f"http://user:CANARY@127.0.0.1:{closed.port}"
        with pytest.raises(TransportError) as caught:
            connect("https://api.example", session=session, retries=0).conversation(*WINDOW)

    assert "CANARY" not in told(caught.value)
    assert caught.value.may_have_started is False
