"""Options: what is wrong with them is said at once, where they are given."""

import math
import ssl

import pytest

from khoros_analytics.sandbox import Options, Sandbox, faults

WRONG = [
    ("rows", "many", "give a whole number from 0"),
    ("rows", -1, "give a whole number from 0"),
    ("rows", 1.5, "give a whole number from 0"),
    ("rows", True, "give a whole number from 0"),
    ("size", "1 GB", "give a whole number from 0"),
    ("seed", "x", "give a whole number"),
    ("polls", 0.5, "give a whole number from 0"),
    ("seconds", -1, "give a number of seconds from 0 on"),
    ("seconds", math.nan, "give a number of seconds from 0 on"),
    ("seconds", "10", "give a number of seconds from 0 on"),
    ("framing", "zip", "give 'length' or 'chunked' or 'close'"),
    ("creation", "url", "give 'urls' or 'ids' or 'download'"),
    ("running", "dict", "give 'object' or 'list'"),
    ("running", [], "give 'object' or 'list'"),
    ("strict", "no", "give True or False"),
    ("gzip", 1, "give True or False"),
    ("requests_per_minute", 0, "give a whole number from 1"),
    ("port", 70_000, "give a whole number from 0 to 65535"),
    ("port", -1, "give a whole number from 0 to 65535"),
    ("username", "a:b", "give a text without a colon"),
    ("username", "", "give a text without a colon"),
    ("company_key", "", "give a text that is not empty"),
    ("password", b"bytes", "give a text"),
    ("password", "\ud800", "give a text"),
    ("clock", 5, "give a Clock"),
    ("url_origin", "api.example", "give a scheme and a host"),
    ("url_origin", "https://api.example/x", "give a scheme and a host"),
    ("url_origin", "https://[x", "give a scheme and a host"),
    ("link_seconds", None, "give a number of seconds from 0 on"),
    ("ssl_context", "cert.pem", r"give an ssl\.SSLContext"),
    ("remember", -1, "give a whole number from 0"),
    ("file_host", "", "give a text that is not empty"),
]


@pytest.mark.parametrize(("name", "value", "hint"), WRONG)
def test_wrong_values_are_refused_at_once(name, value, hint):
    """A value that cannot be is a ValueError that names the option and says what would be right."""
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=f"^{name} cannot be .*{hint}"):
        Sandbox(**{name: value})
    with pytest.raises(ValueError, match=f"^{name} cannot be .*{hint}"):
        setattr(sandbox, name, value)

    assert getattr(sandbox, name) == getattr(Sandbox(), name) or name == "clock"


@pytest.mark.parametrize("kind", [Sandbox, Options])
def test_unknown_names_are_refused_at_once(kind):
    """A misspelt option is an error with the nearest name, given or set."""
    with pytest.raises(TypeError, match=f"^{kind.__name__} has no option 'row'; did you mean 'rows'\\?$"):
        kind(row=3)
    with pytest.raises(TypeError, match=r"^\w+ has no option 'zzz'$"):
        kind(zzz=3)
    options = kind()
    with pytest.raises(AttributeError, match=f"^{kind.__name__} has no option 'row'; did you mean 'rows'\\?$"):
        options.row = 3


def test_good_values_are_taken():
    """Every kind of value that is documented is taken, at the start and later."""
    sandbox = Sandbox(
        seconds=lambda: 3.0,
        polls=0,
        rows=0,
        size=10**12,
        seed=-5,
        url_origin="https://[::1]:8080",
        link_seconds=math.inf,
        ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        password="",
        remember=0,
    )
    sandbox.rows, sandbox.running, sandbox.seconds = 7, "list", None

    assert (sandbox.rows, sandbox.running, sandbox.lasting()) == (7, "list", (0, math.inf))


def test_a_secret_is_not_quoted():
    """What is wrong with a password is said without it."""
    with pytest.raises(ValueError, match=r"^password cannot be that value: give a text$"):
        Sandbox(password=12345)


def test_a_subclass_may_have_more():
    """What a subclass of the user's own adds is its own affair."""

    class Ours(Sandbox):
        pass

    ours = Ours(rows=3)
    ours.scenario = "outage"

    assert (ours.scenario, ours.rows) == ("outage", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("state", faults.HttpStatus(500)), "'state' is not a phase; there are .*; did you mean 'status'"),
        (("status", faults.HtmlPage), "is not a fault"),
        (("status", 503), "503 is not a fault"),
        (("status", faults.HttpStatus(500), 0), "times cannot be 0"),
        (("status", faults.HttpStatus(500), "2"), "times cannot be '2'"),
        (("status", faults.HttpStatus(500), 1, -1), "skip cannot be -1"),
    ],
)
def test_wrong_faults_are_refused_at_once(arguments, message):
    """A fault that cannot happen is an error where it is planned."""
    with pytest.raises(ValueError, match=message):
        Sandbox().fail(*arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (faults.HttpStatus, {"code": "503"}, "code cannot be '503': give a whole number from 100 to 999"),
        (faults.HttpStatus, {"code": 5030}, "code cannot be 5030"),
        (faults.HttpStatus, {"code": 503, "body": "xml"}, "body cannot be 'xml': give 'text' or 'html'"),
        (faults.HttpStatus, {"code": 503, "retry_after": 7}, "retry_after cannot be 7: give a text"),
        (faults.HtmlPage, {"after": "yes"}, "after cannot be 'yes': give True or False"),
        (faults.RawAnswer, {"content": "text"}, "content cannot be 'text': give bytes"),
        (faults.Redirect, {"url": None}, "url cannot be None: give a text"),
        (faults.Delay, {"seconds": -1}, "seconds cannot be -1: give a number of seconds from 0 on"),
        (faults.Cut, {"at": "half"}, "at cannot be 'half': give a number of bytes, or a share of the body"),
        (faults.Cut, {"at": -1}, "at cannot be -1"),
        (faults.WrongLength, {"by": 0.5}, "by cannot be 0.5: give a whole number"),
        (faults.Slow, {"every": 0}, "every cannot be 0: give a whole number from 1"),
        (faults.JobFails, {"reason": 5}, "reason cannot be 5: give a text"),
    ],
)
def test_wrong_values_of_a_fault_are_refused_at_once(kind, arguments, message):
    """A fault that cannot be is an error where it is made, not in the thread that meets it."""
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
