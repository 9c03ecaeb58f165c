"""Which URL may be asked, and which of them may see the credentials."""

from urllib.parse import quote, unquote, urlsplit

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from khoros_analytics import ConfigurationError, UntrustedUrlError
from khoros_analytics._protocol.urls import BaseUrl, Target

HOME = "https://analytics-api.app.lithium.com"
BASES = [
    HOME,
    "https://api.example:8443",
    "https://api.example/proxy",
    "http://127.0.0.1:8000",
    "http://[::1]:8000/a/b",
]

BASE_URLS = [
    # what is given, what it becomes
    (HOME, HOME),
    (f"{HOME}/", HOME),
    (f"{HOME}/api/public", HOME),
    (f"{HOME}/api/public/", HOME),
    ("https://api.example/proxy/api/public", "https://api.example/proxy"),
    ("HTTPS://API.Example", "https://api.example"),
    ("https://api.example:443", "https://api.example"),
    ("https://api.example:8443", "https://api.example:8443"),
    ("https://10.1.2.3", "https://10.1.2.3"),
    ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ("http://127.9.9.9", "http://127.9.9.9"),
    ("http://localhost:80", "http://localhost"),
    ("http://[::1]:8000", "http://[::1]:8000"),
]

NO_BASE_URLS = [
    "",
    "analytics-api.app.lithium.com",
    "//analytics-api.app.lithium.com",
    "https://",
    "https:///api/public",
    "ftp://api.example",
    "file:///etc/passwd",
    "http://api.example",  # plain http carries the password in the open
    "http://10.0.0.1",
    "http://127.1",  # spellings of 127.0.0.1 that not everybody reads so
    "http://2130706433",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.0.0.1.example",
    "http://localhost.example",
    "http://[::2]",
    "https://user@api.example",
    "https://user:hush-hush@api.example",
    "https://api.example?companyKey=hush-hush",
    "https://api.example#part",
    "https://api.example:99999",
    "https://api.example:port",
    "https://api.example:0",
    "https://[::1",
    "https://api.example\\@evil.example",
    "https://api.example/\tx",
    " https://api.example",
    "https://api .example",
    "https://äpi.example",
    b"https://api.example",
    None,
    5,
]


@pytest.mark.parametrize(("given_url", "expected"), BASE_URLS)
def test_base_url(given_url, expected):
    """A base URL is https, or http on this machine; it is written in one way, without the API's own path."""
    assert str(BaseUrl.parse(given_url)) == expected


@pytest.mark.parametrize("given_url", NO_BASE_URLS)
def test_no_base_url(given_url):
    """Anything else is not a base URL, and the message repeats no secret of it."""
    with pytest.raises(ConfigurationError, match=r"base_url .*must") as caught:
        BaseUrl.parse(given_url)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("base_url", BASES)
def test_paths_of_the_api(base_url):
    """A path of the API stands under the base URL and its prefix; each segment is percent-encoded whole."""
    base = BaseUrl.parse(base_url)
    assert base.api("teams") == f"{base_url}/api/public/teams"
    assert base.api("a/b+c=", "ä ?#&") == f"{base_url}/api/public/a%2Fb%2Bc%3D/%C3%A4%20%3F%23%26"


AT_HOME = [
    # what the server names, what is asked with credentials
    ("http://behind-a-proxy.example/api/public/x", "/x"),
    (
        f"{HOME}/api/public/reports/report/w/r%2Fx%3D/status?companyKey=K",
        "/reports/report/w/r%2Fx%3D/status?companyKey=K",
    ),
    (
        "https://other.example/api/public/reports/report/w/r/download?t=a%2Bb%3D",
        "/reports/report/w/r/download?t=a%2Bb%3D",
    ),
    ("https://other.example:8443/api/public/x", "/x"),
    ("https://10.0.0.7/api/public/x", "/x"),
    ("https://[2001:db8::7]/api/public/x", "/x"),
    ("https://127.1/api/public/x", "/x"),
    ("/api/public/x?y=z", "/x?y=z"),
    ("//other.example/api/public/x", "/x"),
    (f"{HOME}/api/public/x#part", "/x"),
    (f"{HOME}/api/public/a..b/...", "/a..b/..."),
]


@pytest.mark.parametrize(("url", "path"), AT_HOME)
def test_path_of_the_api_is_asked_at_home(url, path):
    """A URL whose path is the API's is asked at the base URL, exactly as given, whatever host it names."""
    assert BaseUrl.parse(HOME).target(url) == Target(f"{HOME}/api/public{path}", is_api=True)


@pytest.mark.parametrize("path", ["/api/public/x", "/proxy/api/public/x"])
@pytest.mark.parametrize("origin", ["https://api.example", "https://inside.example:8443"])
def test_folder_of_the_base_url(origin, path):
    """A server behind a proxy may name its paths with the proxy's folder or without; either is asked below it."""
    base = BaseUrl.parse("https://api.example/proxy")
    assert base.target(origin + path) == Target("https://api.example/proxy/api/public/x", is_api=True)


NOT_THE_API = [
    "https://bucket.s3.example/export.csv?X-Amz-Signature=abc",
    f"{HOME}/export.csv",
    f"{HOME}/api/publicity/x",
    f"{HOME}/api/public",
    f"{HOME}//api/public/x",
    f"{HOME}/API/PUBLIC/x",
    f"{HOME}/x/api/public/x",
    "https://other.example/api/public/../../export.csv",
    "https://other.example/api/public/%2e%2e/export.csv",
    "https://other.example/api/public/.%2E/export.csv",
    "https://other.example/api/public/a/..",
    "https://other.example/api/public/./x",
    "https://evil.example/?next=/api/public/x",
    "https://evil.example/#/api/public/x",
]


@pytest.mark.parametrize("url", NOT_THE_API)
def test_other_paths_see_no_credentials(url):
    """A URL with another path, or with dots that lead out of the API, is fetched as it is and without credentials."""
    assert BaseUrl.parse(HOME).target(url) == Target(url, is_api=False)


UNTRUSTED = [
    "",
    "export.csv",
    "ftp://files.example/export.csv",
    "file:///etc/passwd",
    "data:text/csv,a",
    "javascript:alert(1)",
    "http://files.example/export.csv",
    "http://analytics-api.app.lithium.com/elsewhere/x",
    "https://user:secret@files.example/export.csv",
    "https://user@analytics-api.app.lithium.com/api/public/x",
    "https://@files.example/x",
    f"{HOME}@evil.example/api/public/x",
    "https://analytics-api.app.lithium.com\\@evil.example/api/public/x",
    "https:\\\\evil.example/api/public/x",
    "/\\evil.example/export.csv",
    "https://files.example/a b",
    "https://files.example/a\r\nHost: evil.example",
    "https://files.example/\x00",
    "https://files.example/ä",
    "https://f\u0131les.example/",
    "https:///api/public/x",
    "https:/api/public/x",
    "https://files.example:99999/x",
    "https://files.example:x/x",
    "https://[::1/x",
    "https://[not-an-ip]/x",
]


@pytest.mark.parametrize("url", UNTRUSTED)
def test_untrusted(url):
    """Other schemes, users in the URL, and whatever two parsers could read differently are not followed at all."""
    base = BaseUrl.parse(HOME)
    with pytest.raises(UntrustedUrlError, match="the server named a") as caught:
        base.target(url)
    assert "secret" not in str(caught.value)
    assert caught.value.status_code is None


def test_http_beside_http():
    """Where the base URL is http (this machine only), other URLs may be so too; where it is https, none may."""
    url = "http://127.0.0.1:9000/export.csv"
    assert BaseUrl.parse("http://127.0.0.1:8000").target(url) == Target(url, is_api=False)
    with pytest.raises(UntrustedUrlError, match="only https is followed"):
        BaseUrl.parse(HOME).target(url)


REDIRECTS = [
    # where to, what is asked, with credentials or without
    ("/api/public/y", f"{HOME}/api/public/y", True),
    (f"{HOME}/api/public/y?t=1", f"{HOME}/api/public/y?t=1", True),
    (f"{HOME}:443/api/public/y", f"{HOME}/api/public/y", True),
    ("y", f"{HOME}/api/public/a/y", True),
    ("?t=1", f"{HOME}/api/public/a/b?t=1", True),
    ("../../../export.csv", f"{HOME}/export.csv", False),
    ("/export.csv", f"{HOME}/export.csv", False),
    ("https://files.example/export.csv?sig=1", "https://files.example/export.csv?sig=1", False),
    ("https://files.example/api/public/y", "https://files.example/api/public/y", False),
    (f"{HOME}:8443/api/public/y", f"{HOME}:8443/api/public/y", False),
    (f"{HOME}.evil.example/api/public/y", f"{HOME}.evil.example/api/public/y", False),
    ("//files.example/y", "https://files.example/y", False),
]


@pytest.mark.parametrize(("location", "url", "is_api"), REDIRECTS)
def test_redirect(location, url, is_api):
    """A redirect keeps the credentials only to a path of the API at the base URL's own origin."""
    assert BaseUrl.parse(HOME).redirect(f"{HOME}/api/public/a/b", location) == Target(url, is_api=is_api)


@pytest.mark.parametrize("location", ["http://files.example/x", "ftp://files.example/x", "https://u:p@files.example/x"])
def test_untrusted_redirect(location):
    """A redirect away from https, or to a URL with a user in it, is not followed."""
    with pytest.raises(UntrustedUrlError):
        BaseUrl.parse(HOME).redirect(f"{HOME}/api/public/a", location)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://files.example/a b?c=d e", "https://files.example/a%20b?c=d%20e"),
        ("https://files.example/\u00c3\u00bc%2f", "https://files.example/%C3%BC%2f"),
        ("  https://files.example/x ", "https://files.example/x"),
    ],
)
def test_redirects_with_blanks_and_letters(location, url):
    """Blanks and letters in a Location are percent-encoded byte by byte; what is encoded already stays as it is."""
    assert BaseUrl.parse(HOME).redirect(f"{HOME}/api/public/a", location) == Target(url, is_api=False)


def test_redirect_from_elsewhere_back_home():
    """A relative redirect of another host stays there, and one that leads back to the API is not followed."""
    base = BaseUrl.parse(HOME)
    assert not base.redirect("https://files.example/a", "/api/public/x").is_api
    assert not base.redirect("https://files.example/a", f"{HOME}/files/x").is_api
    with pytest.raises(UntrustedUrlError, match="back to the API"):
        base.redirect("https://files.example/a", f"{HOME}/api/public/x")


# Pieces out of which an attacker would build a URL, beside plain text.
SCHEMES = ["https://", "http://", "//", "HTTPS://", "https:/", "https:\\\\", "ftp://", "javascript:", "", "/"]
USERS = ["", "", "", "user@", "user:pass@", "@", f"{HOME.removeprefix('https://')}@", "a%40b@"]
HOSTS = [
    "analytics-api.app.lithium.com",
    "evil.example",
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "api.example",
    "api.example.evil.example",
    "\uff41pi.example",
    "",
]
PORTS = ["", "", ":443", ":80", ":8443", ":8000", ":0", ":", ":99999", ":4a"]
SEGMENTS = [
    "api",
    "public",
    "proxy",
    "a",
    "b",
    "..",
    ".",
    "%2e%2e",
    ".%2E",
    "",
    "x\\y",
    "@evil.example",
    "%2f",
    "x y",
    "ü",
]
TAILS = ["", "?t=1", "?next=https://evil.example/", "#x", "?a#b", "\t", "\r\n", "\x00", "%00", " "]

crafted = st.builds(
    lambda scheme, user, host, port, start, segments, tail: (
        f"{scheme}{user}{host}{port}{start}/{'/'.join(segments)}{tail}"
    ),
    st.sampled_from(SCHEMES),
    st.sampled_from(USERS),
    st.sampled_from(HOSTS),
    st.sampled_from(PORTS),
    st.sampled_from(["", "/api/public", "/proxy/api/public", "/a/b/api/public", "/api/public/.."]),
    st.lists(st.sampled_from(SEGMENTS), max_size=5),
    st.sampled_from(TAILS),
)
anything = st.text() | crafted | st.builds("https://{}".format, st.text()) | st.builds("/{}".format, st.text())
bases = st.sampled_from(BASES)


def where_it_goes(url):
    """What requests would really ask: it requotes the URL, and urllib3 normalises its path."""
    prepared = requests.Request("GET", url).prepare()
    return parse_url(prepared.url)


def check(base, target):
    """With credentials a URL begins with the base origin and stays in the API, for every parser that has a say."""
    try:
        sent = where_it_goes(target.url)
    except requests.exceptions.InvalidURL:
        assert not target.is_api  # and it goes nowhere at all
        return
    if target.is_api:
        home = f"{base.origin}{base.folder}/api/public/"
        assert target.url.startswith(home)
        assert f"{sent.scheme}://{sent.netloc}" == base.origin
        assert sent.path.startswith(f"{base.folder}/api/public/")
        assert f"{urlsplit(target.url).scheme}://{urlsplit(target.url).netloc}" == base.origin
    else:
        assert sent.scheme in {"https", urlsplit(base.origin).scheme}
        assert sent.auth is None
        assert "@" not in urlsplit(target.url).netloc


@given(bases, anything)
@example(HOME, f"{HOME}\\@evil.example/api/public/x")
@example(HOME, "https://evil.example/api/public/%2e%2e/%2e%2e/x")
@example("https://api.example/proxy", "https://api.example/proxy/api/public/../../x")
def test_any_url(base_url, url):
    """Any text is either refused, or asked at home with credentials, or asked elsewhere without any."""
    base = BaseUrl.parse(base_url)
    try:
        target = base.target(url)
    except UntrustedUrlError:
        return
    check(base, target)


@given(bases, anything, anything)
def test_any_redirect(base_url, current, location):
    """Any redirect is either refused, or keeps the credentials at home."""
    base = BaseUrl.parse(base_url)
    try:
        target = base.redirect(current, location)
    except UntrustedUrlError:
        return
    check(base, target)


@given(bases, st.lists(st.text(min_size=1), min_size=1))
def test_any_segments(base_url, segments):
    """Whatever an id holds, it stays one segment of the API's path."""
    base = BaseUrl.parse(base_url)
    url = base.api(*segments)
    path = url.removeprefix(f"{base}/api/public/")
    assert [unquote(part) for part in path.split("/")] == segments
    assert not set(path) & set("?#@\\ ")
    assert quote(segments[0], safe="") in path


@given(st.text() | crafted)
def test_any_base_url(text):
    """Any text is a base URL without credentials, query and plain http in the open, or a ConfigurationError."""
    try:
        base = BaseUrl.parse(text)
    except ConfigurationError:
        return
    parts = urlsplit(str(base))
    assert parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1"}
    assert "@" not in parts.netloc
    assert not parts.query
    assert BaseUrl.parse(str(base)) == base


def test_repr_hides_tokens():
    """A target's repr does not show its URL: it may carry a token."""
    assert "token" not in repr(Target("https://files.example/?token=1", is_api=False))
