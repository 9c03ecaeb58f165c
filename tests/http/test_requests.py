"""What every request to the API looks like."""

import base64
from urllib.parse import parse_qsl

import pytest
import requests

import khoros_analytics
from khoros_analytics import Client, ConfigurationError

EVERY_CALL = ("create", "status", "download", "teams", "timezones")


@pytest.mark.parametrize("password", ["plain", "pä ß", "пароль", "密码😀", "a:b:c", " spaces ", "%41%", 'quo"te\\'])
@pytest.mark.parametrize("phase", EVERY_CALL)
def test_basic_with_any_password_on_every_call(api, connect, ask, phase, password):
    """Every call to the API carries user and password by HTTP Basic in UTF-8, whatever the password's characters."""
    ask(connect(username="üser", password=password), phase)

    kind, _, given = api.of(phase)[0].headers["Authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(given).decode() == f"üser:{password}"


@pytest.mark.parametrize("phase", [*EVERY_CALL, "file"])
def test_who_asks(api, connect, ask, phase):
    """Every request names this library and its version in User-Agent."""
    ask(connect(), phase)

    assert api.of(phase)[0].headers["User-Agent"].startswith(f"khoros_analytics/{khoros_analytics.__version__} ")


@pytest.mark.parametrize("phase", ["create", "teams", "timezones"])
def test_the_company_key_is_in_the_query(api, connect, ask, secrets, phase):
    """The company key comes first in the query, percent-encoded, of each call whose URL the client makes itself."""
    ask(connect(), phase)

    query = api.query(api.of(phase)[0])
    assert query[0] == ("companyKey", secrets["company_key"])
    assert [name for name, _ in query].count("companyKey") == 1


def test_urls_of_the_api_are_followed_as_given(api, connect, ask):
    """Nothing is added to a status or download URL that the API gave: it carries its own token."""
    ask(connect(), "file")

    for phase in ("status", "download"):
        assert [request.url for request in api.of(phase)] == [api.url(phase)]


def test_the_form_body(api, connect, secrets):
    """conversation_history_action sends its arguments as a form; company key and raiselimit stay in the query."""
    connect().conversation_history_action(
        "2019-02-01", "2019-02-02", metrics=["A", "B & C"], raise_limit=True, workqueue_ids=[1, 2]
    )

    (request,) = api.of("create")
    assert request.method == "POST"
    assert api.query(request) == [("companyKey", secrets["company_key"]), ("raiselimit", "true")]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sorted(parse_qsl(request.body)) == [
        ("endTime", "1549065599999"),
        ("reportFormat", "csv"),
        ("reportMetrics", "A"),
        ("reportMetrics", "B & C"),
        ("startTime", "1548979200000"),
        ("workqueueIds", "1,2"),
    ]


def test_all_other_reports_have_no_body(api, connect):
    """Arguments of the other reports travel in the query, even where the verb is POST."""
    connect().conversation("2019-02-01", "2019-02-02", metrics=["STATUS"])

    (request,) = api.of("create")
    assert (request.method, request.body) == ("POST", None)
    assert ("reportMetrics", "STATUS") in api.query(request)


@pytest.mark.parametrize(
    ("timeout", "expected"), [((3, 7), (3, 7)), (5, (5, 5)), (0.5, (0.5, 0.5)), ((10, 900), (10, 30))]
)
def test_timeouts(api, connect, timeout, expected):
    """timeout is for one connect and one read, and neither is longer than what is left of the call's deadline."""
    connect(timeout=timeout, request_deadline=30).teams()

    assert api.of("teams")[0].req_kwargs["timeout"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 0},
        {"timeout": (1, 2, 3)},
        {"timeout": "5"},
        {"timeout": (1, None)},
        {"timeout": True},
        {"request_deadline": -1},
        {"request_deadline": float("inf")},
        {"request_deadline": float("nan")},
        {"retries": -1},
        {"retries": 1.5},
        {"requests_per_minute": 0},
        {"requests_per_minute": True},
        {"session": "a session"},
        {"session": requests.Session},
        {"timezone": "Mars/Olympus"},
        {"region": "mars", "base_url": None},
        {"base_url": "http://api.example"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "https://user:CANARY@api.example"},
        {"base_url": "https://api.example?companyKey=CANARY"},
        {"base_url": ""},
        {"username": "with:colon"},
        {"password": "\ud800CANARY"},
        {"password": b"CANARY"},
    ],
    ids=str,
)
def test_settings_that_cannot_work(secrets, settings):
    """A setting that cannot work is a ConfigurationError that names it, and shows no secret."""
    with pytest.raises(ConfigurationError) as caught:
        Client(**{**secrets, "base_url": "https://api.example", **settings})

    assert next(iter(settings)) in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_no_network_in_the_constructor(api, connect):
    """Making a client asks nothing of the server."""
    connect()

    assert api.requests == []
