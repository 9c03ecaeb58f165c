"""Whatever an error came through: nothing that can be reached from it holds a secret, in no frame and no attribute."""

import socket
import sys
import traceback
import types
from http.client import HTTPConnection
from urllib.parse import quote, quote_plus

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict

from khoros_analytics import Client, KhorosError

WINDOW = ("2019-02-01", "2019-02-02")
CANARIES = ("CANARY", "Q0FOQVJZ", "5hbHlzdDpDQU5BUl", "FOQVJZ")  # and in base64, also behind the user's name
LEAVES = (types.ModuleType, type, types.BuiltinFunctionType, int, float, bool)


def reachable(error):
    """Yield what can be reached from an error, each with the way to it; frames of the tests themselves are left out."""
    pending, seen = [(type(error).__name__, error)], {}
    while pending and len(seen) < 50_000:
        path, one = pending.pop()
        if isinstance(one, LEAVES) or one is None or id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, str | bytes | bytearray | memoryview):
            yield path, one if isinstance(one, str) else bytes(one).decode("latin-1")
            continue
        pending += [(f"{path}{step}", each) for step, each in steps(one)]


def steps(one):
    """Return what hangs on an object: locals of frames, items, attributes, closures."""
    module = type(one).__module__
    if module.startswith(("conftest", "tests", "test_", "_pytest", "pluggy", "responses", "pytest")):
        return []
    if isinstance(one, types.FrameType):
        own = str(one.f_globals["__name__"])
        if own.startswith(("conftest", "tests", "test_", "_pytest", "pluggy")):
            return []
        return [*((f":{own}.{one.f_code.co_name}.{k}", v) for k, v in one.f_locals.items()), ("<", one.f_back)]
    if isinstance(one, types.TracebackType):
        return [("", one.tb_frame), ("", one.tb_next)]
    found = [("()", repr(one))]
    if isinstance(one, BaseException):
        names = ("__cause__", "__context__", "__traceback__", "args", "__notes__")
        found += [(f".{name}", getattr(one, name, None)) for name in names]
    if isinstance(one, dict | CaseInsensitiveDict):
        found += [(f"[{key!r:.20}]", each) for pair in list(one.items()) for key, each in [(pair[0], list(pair))]]
    elif isinstance(one, list | tuple | set | frozenset):
        found += [("[]", each) for each in one]
    elif isinstance(one, types.FunctionType):
        found += [("{}", cell.cell_contents) for cell in one.__closure__ or () if cell_is_full(cell)]
        found += [("=", one.__defaults__)]
    elif isinstance(one, types.MethodType):
        found += [("", one.__self__), ("", one.__func__)]
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()) or ()]
    attributes = {**getattr(one, "__dict__", {}), **{name: getattr(one, name, None) for name in slots}}
    return [*found, *((f".{name}", each) for name, each in attributes.items())]


def cell_is_full(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def leaks(error):
    """Return the ways on which secrets can be reached from an error."""
    text = "".join(traceback.TracebackException.from_exception(error).format())
    return [path for path, text in [("text", text), *reachable(error)] if any(canary in text for canary in CANARIES)]


# --- clients that cannot be made ---------------------------------------------------------------------------------


def breaks():
    raise ZeroDivisionError


BROKEN_CLIENTS = {
    "a number that is none": {"retries": -1},
    "a zone that is none": {"timezone": "Mars/Olympus"},
    "a colon in the user": {"username": "CANARY:CANARY"},
    "a line break": {"password": "CANARY\n"},
    "half a character": {"company_key": "CANARY\ud800"},
    "bytes": {"password": b"CANARY"},
    "a URL with a password": {"base_url": "https://a:CANARY@api.example"},
    "a URL with a key": {"base_url": "https://api.example/?companyKey=CANARY"},
    "plain http": {"base_url": "http://CANARY.example"},
    "a region": {"region": "mars", "base_url": None},
    "a journal": {"journal": "/dev/null/x"},
    "a clock": {"clock": 5},
    "a session": {"session": 5},
    "a function that fails": {"username": breaks},
}


@pytest.mark.parametrize("settings", BROKEN_CLIENTS.values(), ids=BROKEN_CLIENTS)
@pytest.mark.parametrize("source", ["argument", "function", "environment"])
def test_a_client_that_cannot_be_made(secrets, settings, source, monkeypatch):
    """Its error leads to no secret, wherever they come from, and the repr of what was made of it works."""
    given = {"function": {name: (lambda value=value: value) for name, value in secrets.items()}, "argument": secrets}
    for name, value in secrets.items() if source == "environment" else ():
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", value)
    with pytest.raises((KhorosError, ZeroDivisionError)) as caught:
        Client(**{"base_url": "https://api.example", **given.get(source, {}), **settings})

    del given
    # The function is the caller's own, and its default is the value.
    assert [path for path in leaks(caught.value) if not path.endswith("=[]")] == []
    made = [frame.f_locals["self"] for frame, _ in traceback.walk_tb(caught.tb) if "self" in frame.f_locals]
    assert [repr(one) for one in made if type(one) is Client] in (
        ["<Client, not finished>"],
        ["<Client analyst, not finished>"],
    )


# --- calls that fail in the middle ------------------------------------------------------------------------------


class BrokenError(Exception):
    """What somebody's own code raises."""


def serving(line):
    for request in iter(line.receive, ""):
        target = request.split(" ")[1]
        if "/download?" in target:
            line.answer("", "302 Found", f"Location: {line.server.origin}/file?Signature=CANARYSIGNATURE")
        elif target.startswith("/file"):
            line.answer("A\n1\n")
        else:
            line.answer(line.server.right(request))


def interrupting(wanted, error):
    """Return a trace function that raises when a function of that name is entered below requests or this package."""

    def trace(frame, event, _argument):
        name = f"{frame.f_globals.get('__name__')!s}.{frame.f_code.co_name}"
        if event == "call" and name == wanted:
            sys.settrace(None)
            raise error

    return trace


PLACES = [
    "khoros_analytics._http.transport._prepare",
    "khoros_analytics._http.transport._whole_url",
    "khoros_analytics._http.concealment.write",
    "khoros_analytics._http.concealment.conceal",
    "khoros_analytics._http.connections.send",
    "khoros_analytics._protocol.replies.parse_status",
    "khoros_analytics._protocol.replies.parse_created",
    "khoros_analytics._protocol.replies.unwrap",
    "khoros_analytics._protocol.urls._joined",
    "khoros_analytics._protocol.urls._split",
    "json.loads",
    "http.client.putheader",
    "http.client.begin",
    "http.client._read_status",
    "requests.models.prepare_url",
    "requests.models.prepare_auth",
    "requests.adapters.build_response",
    "requests.sessions.get_adapter",
    "urllib3.connectionpool._make_request",
]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, BrokenError])
@pytest.mark.parametrize("place", PLACES)
def test_an_error_from_outside(connect, serve, tmp_path, place, error):
    """A Ctrl-C, a signal's error or a limit of Celery, wherever it strikes, stays what it is and leads to no secret."""
    client = connect(serve(serving).origin)
    with pytest.raises(error) as caught:  # noqa: PT012 - where it strikes is what is tried
        sys.settrace(interrupting(place, error("from outside")))
        try:
            client.conversation(*WINDOW).download(tmp_path / "file.csv")
        finally:
            sys.settrace(None)

    assert type(caught.value) is error
    assert leaks(caught.value) == []


class BrokenAdapter(HTTPAdapter):
    def __init__(self, when):
        super().__init__()
        self.when = when

    def send(self, request, **options):
        url, header = request.url, request.headers.get("Authorization")
        if self.when == "after":
            super().send(request, **options)
        raise BrokenError(f"cannot send {url} with {header}")


class OwnAdapter(BaseAdapter):
    def send(self, request, **options):
        url = request.url
        raise BrokenError(url)

    def close(self):
        pass


class BrokenSession(requests.Session):
    def send(self, request, **options):
        url = request.url
        raise BrokenError from requests.ConnectionError(url, request=request)


def broken_session(how):
    session = BrokenSession() if how == "session" else requests.Session()
    if how == "hook":

        def fails(response, **_options):
            url, header = response.request.url, response.request.headers
            raise BrokenError(f"{url} {header}")

        session.hooks["response"].append(fails)
    if how in ("before", "after"):
        session.mount("http://", BrokenAdapter(how))
    if how == "own":
        session.mount("http://", OwnAdapter())
    return session


@pytest.mark.parametrize("phase", ["create", "status", "teams", "file"])
@pytest.mark.parametrize("how", ["hook", "before", "after", "own", "session"])
def test_code_of_ones_own_that_fails(connect, serve, ask, how, phase):
    """What a hook, an adapter or a session of one's own raises comes out as it is, and leads to no secret."""
    server = serve(serving)
    client = connect(server.origin)
    job = client.conversation(*WINDOW)
    client._transport._session = broken_session(how)
    with pytest.raises(BrokenError) as caught:
        {"create": lambda: client.user(*WINDOW), "status": job.refresh, "teams": client.teams, "file": job.wait}[
            phase
        ]()

    assert leaks(caught.value) == []
    assert any(frame.f_globals["__name__"] == __name__ for frame, _ in traceback.walk_tb(caught.tb))


@pytest.mark.parametrize("phase", ["create", "status", "teams", "download"])
@pytest.mark.parametrize(
    ("status", "body"),
    [("401 No", "{}"), ("403 No", "{}"), ("500 No", "x"), ("200 OK", "<html>"), ("302 Found", "")],
)
def test_an_answer_that_is_an_error(connect, serve, tmp_path, *, phase, status, body, secrets):
    """An error of this library's own leads to no secret either."""
    kinds = {"create": "POST", "status": "/status", "teams": "/teams", "download": "/download"}

    headers = ["Location: ftp://x/?a=CANARY"] if status.startswith("302") else []

    def answering(line):
        for request in iter(line.receive, ""):
            if kinds[phase] in request.split("\r\n")[0]:
                line.answer(f"{body} {secrets['password']}", status, *headers)
            else:
                line.answer(line.server.right(request))

    client = connect(serve(answering).origin, retries=0)
    with pytest.raises(KhorosError) as caught:
        client.teams() if phase == "teams" else client.conversation(*WINDOW).download(tmp_path / "x.csv", timeout=30)

    assert leaks(caught.value) == []


@pytest.mark.parametrize("how", ["refused", "DNS", "TLS", "silence", "reset", "garbage"])
def test_a_connection_that_fails(connect, serve, monkeypatch, how, server_context):
    """Nor does an error about the connection."""
    answers = {"garbage": b"HTTP/1.1 200 CANARY\r\nbroken\r\n\r\n", "reset": b""}

    def answering(line):
        line.receive()
        if how in answers:
            line.send(answers[how])
        else:
            line.server.closing.wait(3)

    server = serve(answering, server_context if how == "TLS" else None)
    if how == "refused":
        server.stop()
    client = connect(server.origin, retries=0, timeout=0.2)
    if how == "DNS":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: (_ for _ in ()).throw(socket.gaierror(-2, "no")))
    with pytest.raises(KhorosError) as caught:
        client.teams()

    assert leaks(caught.value) == []


# --- while a call is under way ------------------------------------------------------------------------------------


def test_what_requests_and_urllib3_hold(connect, serve, secrets, authorization, monkeypatch):
    """The server gets everything; what http.client was told, and may log or have recorded, has stars in its place."""
    told = []
    for name in ("putrequest", "putheader"):
        original = getattr(HTTPConnection, name)

        def telling(self, *arguments, original=original, **options):
            told.append(repr(arguments))
            return original(self, *arguments, **options)

        telling.__module__ = "http.client"
        monkeypatch.setattr(HTTPConnection, name, telling)
    server = serve(serving)
    client = connect(server.origin)
    client.conversation(*WINDOW).refresh()
    client.teams()

    assert f"companyKey={quote_plus(secrets['company_key'])}" in server.requests[-1]
    assert all(f"Authorization: {authorization}" in request for request in server.requests)
    assert quote("CANARYTOKEN") in server.requests[1]
    assert any("***" in one for one in told)
    assert not [one for one in told if any(canary in one for canary in CANARIES)]
