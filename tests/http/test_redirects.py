"""Where credentials go: to the origin of base_url, and nowhere else."""

from urllib.parse import urlsplit

import pytest
import requests

from khoros_analytics import UnexpectedReplyError, UntrustedUrlError

WINDOW = ("2019-02-01", "2019-02-02")
ELSEWHERE = "https://elsewhere.example/api/public/teams?companyKey=theirs"


@pytest.fixture
def session():
    with requests.Session() as session:
        session.headers["X-Api-Key"] = "CANARY"
        session.auth = ("CANARY", "CANARY")
        session.params = {"companyKey": "CANARY"}
        session.cookies.set("sid", "CANARY", domain="")
        for host in ("api.example", "elsewhere.example", "files.example"):
            session.cookies.set("sid", "CANARY", domain=host)
        yield session


def nothing_secret(request, authorization):
    """Return whether a request to somebody else holds nothing of the API's, the session's or the form."""
    sent = [request.url, str(request.body), *request.headers, *request.headers.values()]
    names = {name.lower() for name in request.headers}
    return not any("CANARY" in text or authorization in text for text in sent) and not names & {
        "authorization",
        "cookie",
        "x-api-key",
    }


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("phase", ["status", "teams", "download"])
@pytest.mark.parametrize("location", [ELSEWHERE, "//elsewhere.example/x", "https://api.example:8443/api/public/teams"])
def test_to_another_origin_without_credentials(api, connect, ask, session, *, authorization, code, phase, location):
    """A redirect to another host or port, in any of its codes and from any call, loses all that is secret."""
    api.next(phase, (code, {"Location": location}, "see there"))
    api.abroad = "file" if phase == "download" else phase
    ask(connect(session=session), phase)

    (request,) = api.of("file")
    assert nothing_secret(request, authorization)


@pytest.mark.parametrize("location", ["/api/public/other", "https://api.example/api/public/other", "other", "?page=2"])
def test_at_home_with_credentials(api, connect, session, authorization, location):
    """A redirect that stays at the API keeps the credentials, and what the session adds."""
    api.next("teams", (302, {"Location": location}, ""))
    api.next("create", api.envelope([]))

    connect(session=session).teams()

    first, second = (request for _, request in api.requests)
    assert second.headers["Authorization"] == first.headers["Authorization"] == authorization
    assert second.headers["X-Api-Key"] == "CANARY"


def test_there_and_back(api, connect, authorization):
    """Credentials that a redirect lost do not appear at the next foreign host either."""
    api.next("download", (302, {"Location": "https://one.example/a"}, ""))
    api.next("file", (302, {"Location": "https://two.example/b"}, ""), (307, {"Location": "/c"}, ""), "A\n1\n")

    connect().conversation(*WINDOW).download()

    assert [request.url for request in api.of("file")] == [
        "https://one.example/a",
        "https://two.example/b",
        "https://two.example/c",
    ]
    assert all(nothing_secret(request, authorization) for request in api.of("file"))


UNTRUSTED = {
    "plain http": "http://files.example/x?Signature=CANARY",
    "ftp": "ftp://files.example/CANARY",
    "file": "file:///etc/passwd?CANARY",
    "user": "https://CANARY@files.example/x",
    "user and password": "https://somebody:CANARY@files.example/x",
    "user at home": "https://CANARY@api.example/api/public/x",
    "backslash": "https://api.example\\@files.example/CANARY",
    "data": "data:text/plain,CANARY",
    "no address": "https://[::CANARY",
    "bad port": "https://files.example:99999/CANARY",
}


@pytest.mark.parametrize("location", UNTRUSTED.values(), ids=UNTRUSTED)
@pytest.mark.parametrize("phase", ["download", "file", "teams", "status"])
def test_redirects_that_are_not_followed(api, connect, ask, location, phase):
    """A redirect to another scheme, or with a user in it, is an UntrustedUrlError that shows no secret."""
    api.next(phase, (302, {"Location": location}, ""))

    with pytest.raises(UntrustedUrlError) as caught:
        ask(connect(), phase)

    assert "CANARY" not in str(caught.value)
    assert caught.value.status_code == 302
    assert api.count(phase) == 1


UNUSABLE = {
    **UNTRUSTED,
    "no host": "https:///CANARY",
    "no URL": "CANARY",
    "bracket": "//[CANARY",
    "version": "https://[v1.a]/CANARY",
}


@pytest.mark.parametrize("url", UNUSABLE.values(), ids=UNUSABLE)
def test_links_that_are_not_followed(api, connect, url):
    """The same holds for the link to the file in the API's own answer."""
    done = {"runnerState": "CLOSED", "detail": "COMPLETED"}
    api.next("status", api.envelope({"jobInfo": {**api.ids, "downloadUrl": url}, "result": done}))

    with pytest.raises(UntrustedUrlError) as caught:
        connect().conversation(*WINDOW).download()

    assert str(caught.value).startswith("job w-1 (conversation, ")
    assert "CANARY" not in str(caught.value)
    assert api.count("download") == api.count("file") == 0


@pytest.mark.parametrize("url", UNUSABLE.values(), ids=UNUSABLE)
def test_status_urls_that_are_not_followed(api, connect, authorization, tmp_path, url):
    """A status URL that must not be followed is not: the API is asked by the job's ids, and the export is not lost."""
    done = {"runnerState": "CLOSED", "detail": "COMPLETED"}
    links = {"statusUrl": url, "downloadUrl": api.url("download")}
    api.next("create", api.envelope({**api.ids, "statusUrl": url}))
    api.next("status", *[api.envelope({"jobInfo": {**api.ids, **links}, "result": done})] * 2)

    connect().conversation(*WINDOW).refresh().refresh().download(tmp_path)

    asked = api.of("status")
    assert [urlsplit(request.url)._replace(query="").geturl() for request in asked] == [
        "https://api.example/api/public/reports/report/w-1/23a%2Fb%2Bc%3D/status"
    ] * 2
    assert {request.headers["Authorization"] for request in asked} == {authorization}


@pytest.mark.parametrize("origin", ["https://internal.example", "https://internal:8080", "https://api.example:8443"])
def test_the_apis_paths_are_asked_at_home(api, connect, authorization, tmp_path, origin):
    """A status or download URL with the API's path is asked at base_url, whatever host it names."""

    def moved(phase):
        return right(phase).replace(api.base, origin) if phase in ("create", "status") else right(phase)

    right, api.right = api.right, moved
    connect().conversation(*WINDOW).download(tmp_path)

    asked = [request for name, request in api.requests if name != "file"]
    assert len(asked) == 3
    assert {request.url[: len(api.base)] for request in asked} == {api.base}
    assert {request.headers["Authorization"] for request in asked} == {authorization}


@pytest.mark.parametrize(
    "path", ["/files/x", "/api/public/../x", "/api/publicity/x", "/API/public/x", "/api/public/%2e%2e/x"]
)
def test_other_paths_are_asked_without_credentials(api, connect, authorization, tmp_path, path):
    """A download URL with any other path is asked as it is, without credentials, even where its host is a stranger."""
    done = {"runnerState": "CLOSED", "detail": "COMPLETED"}
    info = {**api.ids, "downloadUrl": f"https://files.example{path}"}
    api.next("status", api.envelope({"jobInfo": info, "result": done}))

    connect().conversation(*WINDOW).download(tmp_path)

    (request,) = api.of("file")
    assert nothing_secret(request, authorization)


@pytest.mark.parametrize(("hops", "works"), [(10, True), (11, False)])
def test_too_many(api, connect, tmp_path, hops, works):
    """Ten redirects in a row are followed, the eleventh is an UnexpectedReplyError."""
    links = [f"https://files.example/{number}" for number in range(hops - 1)]
    api.next("file", *[(302, {"Location": link}, "") for link in links * (1 if works else 2)])
    job = connect(retries=0).conversation(*WINDOW).wait()

    if works:
        job.download(tmp_path)
    else:
        with pytest.raises(UnexpectedReplyError, match="redirects"):
            job.download(tmp_path)

    assert api.count("file") == (10 if works else 20)  # what came in place of the file is fetched once more


@pytest.mark.parametrize(("hops", "works"), [(3, True), (4, False)])
def test_too_many_at_home(api, connect, hops, works):
    """Within the API three redirects in a row are followed: each takes a request of the quota."""
    api.next("teams", *[(302, {"Location": f"/api/public/teams?step={number}"}, "") for number in range(hops)])

    if works:
        assert connect(retries=0).teams() == []
    else:
        with pytest.raises(UnexpectedReplyError, match="again and again"):
            connect(retries=0).teams()

    assert api.count("teams") == 4


def test_a_circle(api, connect):
    """An address that leads to itself is asked once more, for a gateway that wants its cookie, and not again."""
    api.next("teams", *[(302, {"Location": "/api/public/teams"}, "")] * 2)

    with pytest.raises(UnexpectedReplyError, match="in a circle"):
        connect(retries=0).teams()

    assert api.count("teams") == 2


def test_each_hop_at_home_counts(api, connect, clock):
    """Redirects within the API are requests of the quota like any other."""
    api.next("teams", *[(302, {"Location": f"/api/public/teams?step={number}"}, "") for number in range(3)])

    connect(requests_per_minute=2).teams()

    assert sum(clock.sleeps) == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [ELSEWHERE, "/api/public/reports/report/conversation", "http://x.example"])
@pytest.mark.parametrize("method", ["conversation", "user", "conversation_history_action"])
def test_a_creation_follows_no_redirect(api, connect, code, location, method):
    """A creation never follows a redirect: that could start a second export, or one somewhere else."""
    api.next("create", (code, {"Location": location}, "moved"))

    with pytest.raises(UnexpectedReplyError) as caught:
        getattr(connect(), method)(*WINDOW)

    assert len(api.requests) == 1
    assert caught.value.may_have_started is True


def test_no_redirect_without_an_address(api, connect):
    """A redirect that names no address is an answer that no documentation knows."""
    api.next("teams", (302, {}, "somewhere"))

    with pytest.raises(UnexpectedReplyError) as caught:
        connect(retries=0).teams()

    assert caught.value.status_code == 302


@pytest.mark.parametrize(
    "link",
    [
        "/a%2fb%7Ec?sig=a%2fb%2Bc%3d&X=~!*'()",
        "/a/../b//c/./d?sig=%7e%41",
        "/100%?sig=50%zz",
        "/[x]|{y}^`?a=[1]|{2}",
        "?sig=1",
    ],
)
@pytest.mark.parametrize("hops", [0, 1])
def test_signed_links_byte_for_byte(serve, connect, tmp_path, link, hops):
    """A file host is asked for the very text of the link, whether the API names it or a redirect leads there."""

    def hand_out(line):
        while line.receive():
            line.answer("A\n1\n")

    host = serve(hand_out)
    signed = f"{host.origin}{link}"

    def api(line):
        while request := line.receive():
            if "/download?" in request:
                line.answer("", "302 Found", f"Location: {signed}")
            else:
                ready = line.server.right(request)
                line.answer(ready if hops else ready.replace(line.server.url("download"), signed))

    client = connect(base_url=serve(api).origin)
    for name in ("first", "second over the same connections"):
        client.conversation(*WINDOW).download(tmp_path / name)

    assert [request.split(" ")[1] for request in host.requests] == [f"/{link.lstrip('/')}"] * 2


def test_the_cookies_of_others_stay_with_them(api, connect, session):
    """A cookie that another port of the API's host sets, or sets for all of its domain, never reaches the API."""
    api.next("teams", (302, {"Location": "https://api.example:8443/teams"}, ""))
    api.next("file", (200, {"Set-Cookie": "theirs=1; Path=/"}, api.envelope([])))
    client = connect(session=session)
    client.teams()

    client.teams()

    last = api.requests[-1][1]
    assert "theirs" not in last.headers["Cookie"]
    assert "theirs" not in session.cookies
