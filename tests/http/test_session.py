"""The user's own session is respected, and gives nothing away."""

import io
import json
import ssl
import threading

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

WINDOW = ("2019-02-01", "2019-02-02")
AT_HOME = ("create", "status", "download", "teams")
ALL = (*AT_HOME, "file")


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("phase", AT_HOME)
def test_headers_of_the_session(api, connect, ask, session, phase):
    """What the session adds to each request goes to the API too."""
    session.headers["X-Team"] = "north"
    session.cookies.set("route", "7", domain="api.example")
    ask(connect(session=session), phase)

    headers = api.of(phase)[0].headers
    assert (headers["X-Team"], headers["Cookie"]) == ("north", "route=7")


@pytest.mark.parametrize("phase", ALL)
def test_proxies_of_the_session(api, connect, ask, session, phase):
    """The session's proxies are used for every request, whoever is asked."""
    session.proxies["https"] = "http://proxy.example:3128"
    ask(connect(session=session), phase)

    assert api.of(phase)[0].req_kwargs["proxies"]["https"] == "http://proxy.example:3128"


def test_proxies_of_the_environment(api, connect, ask, monkeypatch):
    """Without a session of one's own, the environment's proxies are used."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    ask(connect(), "create")

    assert api.of("create")[0].req_kwargs["proxies"]["https"] == "http://proxy.example:3128"


@pytest.mark.parametrize("phase", ALL)
@pytest.mark.parametrize("variable", [None, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("wanted", [False, "own.pem", True])
def test_certificates_of_the_session(api, connect, ask, session, monkeypatch, *, phase, variable, wanted):
    """session.verify beats the variables when it says something of its own; else they count, as with requests."""
    if variable:
        monkeypatch.setenv(variable, "bundle.pem")
    session.verify = wanted
    ask(connect(session=session), phase)

    expected = "bundle.pem" if wanted is True and variable else wanted
    assert api.of(phase)[0].req_kwargs["verify"] == expected


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("phase", ["create", "teams"])
def test_no_verification_for_real(connect, ask, serve, session, *, server_context, monkeypatch, phase):
    """verify=False lets a real TLS connection through although a variable names other authorities."""
    server = serve(lambda line: line.answer(line.server.right(line.receive())), server_context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/hostname")
    session.verify = False

    ask(connect(server.origin, session=session), phase)

    assert len(server.requests) == 1


def test_an_authority_in_the_environment(connect, serve, server_context, bundle, monkeypatch):
    """A company's own certificate authority in REQUESTS_CA_BUNDLE is trusted, for creation calls too."""
    server = serve(lambda line: line.answer(line.server.right(line.receive())), server_context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    assert connect(server.origin).conversation(*WINDOW).workflow_id == "w-1"


@pytest.mark.parametrize("phase", ALL)
def test_the_client_certificate_stays_at_home(api, connect, ask, session, phase):
    """A TLS client certificate is a credential: the API sees it, a file host does not."""
    session.cert = "client.pem"
    ask(connect(session=session), phase)

    assert api.of(phase)[0].req_kwargs["cert"] == (None if phase == "file" else "client.pem")


class CountingSession(requests.Session):
    closed = 0

    def close(self):
        CountingSession.closed += 1
        super().close()


def test_a_session_that_was_brought_stays_open(connect, monkeypatch):
    """Closing a client closes no session that was brought to it."""
    monkeypatch.setattr(CountingSession, "closed", 0)
    with CountingSession() as session:
        with connect(session=session):
            pass
        connect(session=session).close()

        assert CountingSession.closed == 0


def test_a_session_of_the_clients_own_is_closed(connect, serve):
    """Closing a client ends the connection that it kept."""
    ended = threading.Event()

    def answer(line):
        line.answer(line.server.right(line.receive()))
        if not line.receive():
            ended.set()

    client = connect(serve(answer).origin)
    client.teams()
    assert not ended.is_set()

    client.close()

    assert ended.wait(5)


class Recorder(BaseAdapter):
    """An adapter that is not an HTTPAdapter at all."""

    def __init__(self, body):
        super().__init__()
        self.body, self.seen, self.closed = body, [], 0

    def send(self, request, **options):
        self.seen.append(request)
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, request, request.url
        answer.raw = HTTPResponse(io.BytesIO(self.body.encode()), preload_content=False)
        return answer

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("phase", ["create", "teams"])
def test_adapters_of_the_session(connect, ask, session, phase):
    """Whatever adapter the session has mounted does the sending, for creation calls too, and is not closed."""
    result = [] if phase == "teams" else {"workflowId": "w-1", "runId": "r-1"}
    recorder = Recorder(json.dumps({"status": "PASS", "result": result}))
    session.mount("https://", recorder)

    client = connect(session=session)
    ask(client, phase)
    client.close()

    assert (len(recorder.seen), recorder.closed) == (1, 0)


class OwnAuthority(HTTPAdapter):
    """An adapter with an SSL context of its own, as requests' documentation shows."""

    def __init__(self, bundle):
        self.bundle = bundle
        super().__init__()

    def init_poolmanager(self, *args, **settings):
        super().init_poolmanager(*args, ssl_context=ssl.create_default_context(cafile=self.bundle), **settings)


@pytest.mark.parametrize("phase", ["create", "teams"])
def test_an_adapter_with_its_own_context(connect, ask, serve, session, *, server_context, bundle, phase):
    """An HTTPAdapter with its own SSL context keeps it on the fresh connections of creation calls."""
    server = serve(lambda line: line.answer(line.server.right(line.receive())), server_context)
    session.mount("https://", OwnAuthority(bundle))
    session.verify = bundle  # the context alone does not stop requests from loading its own authorities

    ask(connect(server.origin, session=session), phase)

    assert len(server.requests) == 1


@pytest.mark.parametrize("phase", ALL)
@pytest.mark.parametrize("where", ["NETRC", "home"])
def test_netrc_is_never_used(api, connect, ask, session, *, authorization, monkeypatch, tmp_path, phase, where):
    """netrc gives no credentials: neither instead of the client's own, nor to a file host."""
    path = tmp_path / ".netrc"
    lines = [f"machine {host} login intruder password netrc" for host in ("api.example", "files.example")]
    path.write_text("\n".join([*lines, "default login intruder password netrc", ""]))
    path.chmod(0o600)
    monkeypatch.setenv("NETRC" if where == "NETRC" else "HOME", str(path if where == "NETRC" else tmp_path))
    assert requests.utils.get_netrc_auth("https://files.example") == ("intruder", "netrc")  # it would be found

    ask(connect(session=session), phase)

    assert api.of(phase)[0].headers.get("Authorization") == (None if phase == "file" else authorization)


def test_the_sessions_own_credentials_do_not_travel(api, connect, ask, session, authorization):
    """The client's credentials beat session.auth, and a file host gets neither."""
    session.auth = ("somebody", "else")
    ask(connect(session=session), "file")

    assert "Authorization" not in api.of("file")[0].headers
    assert api.of("create")[0].headers["Authorization"] == authorization
