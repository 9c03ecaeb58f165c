"""Bad input: each is a clear error of the tree, nothing is sent, and nothing is written."""

import datetime as dt
from datetime import timedelta

import pytest

from khoros_analytics import (
    AuthenticationError,
    Client,
    ConfigurationError,
    KhorosError,
    ParameterError,
    RequestRejectedError,
    TargetError,
    TargetExistsError,
)

WINDOW = ("2019-02-01", "2019-02-02")


def call(client, method="conversation", window=WINDOW, **arguments):
    return getattr(client, method)(*window, **arguments)


WINDOWS = {
    "start after end": (("2019-02-02", "2019-02-01"), "after end"),
    "empty": (("2019-02-01", "2019-02-01"), "end='2019-02-02'"),
    "empty in milliseconds": ((1551441600000, 1551441600000), "empty"),
    "no time": (("yesterday", "2019-02-01"), "yesterday"),
    "no such day": (("2019-02-30", "2019-03-01"), "2019-02-30"),
    "seconds": ((1551441600, 1556712000), "1551441600000"),
    "float": ((1551441600000.5, 1556712000000), "1551441600000.5"),
    "None": ((None, "2019-02-01"), "start"),
    "True": ((True, "2019-02-01"), "start"),
    "before 1970": (("1969-12-31", "2019-02-01"), "1969"),
    "negative": ((-5, "2019-02-01"), "-5"),
    "far away": (("2019-02-01", dt.date.max), "9999"),
    "in a gap": (("2019-03-31T02:30", "2019-04-01"), "does not exist"),
}


@pytest.mark.parametrize(("window", "told"), WINDOWS.values(), ids=WINDOWS)
def test_windows(world, window, told):
    """A window that is none is a ParameterError that shows what was given or what would do."""
    with pytest.raises(ParameterError) as caught:
        call(world.client, window=window, timezone="Europe/Berlin")

    assert told in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert world.sandbox.requests == []


ARGUMENTS = {
    "unknown name": ("conversation", {"metric": ["STATUS"]}, "metrics"),
    "wire name": ("conversation", {"workqueueIds": [1]}, "workqueue_ids"),
    "of another report": ("user", {"priorities": [1]}, "priorities"),
    "format": ("conversation", {"format": "xlsx"}, "csv"),
    "format None-like": ("conversation", {"format": ""}, "csv"),
    "locale": ("conversation", {"locale": "pt_BR"}, "'en'"),
    "timezone": ("conversation", {"timezone": "Europe/Berlim"}, "Europe/Berlin"),
    "timezone of the wrong type": ("conversation", {"timezone": 3}, "IANA"),
    "priority": ("conversation", {"priorities": [6]}, "6"),
    "priorities with a comma": ("conversation", {"priorities": "1,2"}, "['1', '2']"),
    "business hours": ("conversation", {"business_hours": "inside"}, "within"),
    "business hours as a flag": ("conversation", {"business_hours": True}, "within"),
    "report type": ("conversation", {"conversation_report_type": "OPEN_AT_START"}, "OPEN_AT_END"),
    "empty metrics": ("conversation", {"metrics": []}, "leave the argument out"),
    "metrics of the wrong type": ("conversation", {"metrics": [7.5]}, "7.5"),
    "blank metric": ("conversation", {"metrics": [" "]}, "metric"),
    "smart views": ("conversation", {"smart_view_id": [1, 2]}, "smart_view_id"),
    "lone surrogate": ("conversation", {"smart_view_id": "\ud800"}, "smart_view_id"),
    "flag": ("team_performance", {"include_disabled": "yes"}, "True or False"),
    "offset": ("conversation", {"timezone_offset": timedelta(days=1)}, "range"),
    "offset as a number": ("conversation", {"timezone_offset": 3600}, "timedelta"),
    "no interval": ("team_performance_interval", {}, "time_interval"),
    "interval": ("team_performance_interval", {"time_interval": timedelta(minutes=7)}, "0:05:00"),
    "no interval at all": ("team_performance_interval", {"time_interval": timedelta(0)}, "0:05:00"),
    "negative interval": ("team_performance_interval", {"time_interval": timedelta(hours=-1)}, "0:05:00"),
    "interval as a number": ("team_performance_interval", {"time_interval": 3_600_000}, "timedelta"),
    "extra": ("conversation", {"extra": ["a"]}, "mapping"),
    "extra with a credential": ("conversation", {"extra": {"companyKey": "x"}}, "credential"),
    "extra with None": ("conversation", {"extra": {"a": None}}, "a=None"),
}


@pytest.mark.parametrize(("method", "arguments", "told"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments(world, method, arguments, told):
    """A wrong argument is a ParameterError that says what is allowed or meant; by name and by method alike."""
    with pytest.raises(ParameterError) as caught:
        world.client.start(method, *WINDOW, **arguments)

    assert told in str(caught.value)
    assert world.sandbox.requests == []


def test_a_missing_required_argument(world):
    """What a report's own method requires, Python itself asks for."""
    with pytest.raises(TypeError, match="time_interval"):
        call(world.client, "team_performance_interval")

    assert world.sandbox.requests == []


def test_all_mistakes_at_once(world):
    """All mistakes of one call stand in one error, one sentence each."""
    with pytest.raises(ParameterError) as caught:
        world.client.start("conversation", "now", "then", format="xls", priorities=[9], nonsense=1)

    assert [problem.partition(":")[0] for problem in sorted(caught.value.problems)] == [
        "end",
        "format",
        "nonsense",
        "priorities",
        "start",
    ]
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    assert world.sandbox.requests == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("conversations", "'conversation'"),
        ("Raw Conversation", "'conversation'"),
        ("", "author"),
        ("nothing like it", "author"),
        (None, "author"),
        (7, "author"),
    ],
)
def test_unknown_reports(world, name, told):
    """An unknown report is a ParameterError with the nearest name, or all of them."""
    with pytest.raises(ParameterError) as caught:
        world.client.start(name, *WINDOW)

    assert told in str(caught.value)
    assert world.sandbox.requests == []


@pytest.mark.parametrize(
    ("metrics", "sent"),
    [
        ("STATUS", ("STATUS",)),
        ("Conversation ID", ("CONVERSATION_ID",)),
        (["STATUS", "STATUS"], ("STATUS",)),
        (["STATUS", "Status", "CONVERSATION_ID"], ("STATUS", "CONVERSATION_ID")),
        (("A", "b c", "ü&="), ("A", "b c", "ü&=")),
        pytest.param(iter(["A", "B"]), ("A", "B"), id="iterator"),
        ("A,B", ("A,B",)),
    ],
    ids=str,
)
def test_metrics_that_are_forgiven(world, metrics, sent):
    """One text is one metric, a known label stands for its name, and no metric is sent twice; any text may be one."""
    call(world.client, metrics=metrics)

    assert world.sandbox.exports[0].arguments["reportMetrics"] == sent


@pytest.mark.parametrize("act", [lambda client: client.teams(), call], ids=["teams", "conversation"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"username": "wrong"},
        {"company_key": "wrong"},
        {"password": "sandbox-password "},
        {"company_key": "ü&=/+"},
    ],
    ids=str,
)
def test_credentials_that_are_not_accepted(world, act, wrong):
    """Wrong credentials and an unknown company key are an AuthenticationError after a single request."""
    with pytest.raises(AuthenticationError, match="the user, the password or the company key") as caught:
        act(world.connect(**wrong))

    assert caught.value.status_code in (401, 403)
    assert caught.value.may_have_started in (False, None)
    assert len(world.sandbox.requests) == 1
    assert world.sandbox.exports == []


VARIABLES = {
    "username": "KHOROS_ANALYTICS_USERNAME",
    "password": "KHOROS_ANALYTICS_PASSWORD",
    "company_key": "KHOROS_ANALYTICS_COMPANY_KEY",
}


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize("missing", [("username",), ("password", "company_key"), tuple(VARIABLES)], ids=str)
def test_missing_credentials(world, monkeypatch, missing, empty):
    """Missing credentials are a ConfigurationError that names each argument and each variable."""
    if empty is not None:
        for name in missing:
            monkeypatch.setenv(VARIABLES[name], empty)

    with pytest.raises(ConfigurationError) as caught:
        Client(**{**world.sandbox.settings, **dict.fromkeys(missing, empty)})

    for name, variable in VARIABLES.items():
        assert (variable in str(caught.value)) is (name in missing)
        assert (f"{name} (" in str(caught.value)) is (name in missing)
    assert world.sandbox.requests == []


def test_the_environment(world, monkeypatch, folder):
    """What is omitted comes from the environment; an argument beats it, and a URL beats a region."""
    settings = world.sandbox.settings
    for name, variable in VARIABLES.items():
        monkeypatch.setenv(variable, settings[name])
    monkeypatch.setenv("KHOROS_ANALYTICS_URL", settings["base_url"])
    monkeypatch.setenv("KHOROS_ANALYTICS_REGION", "emea")

    with Client(clock=world.clock) as client:
        assert call(client).download(folder).read_bytes() == world.content()
    with Client(clock=world.clock, password="wrong") as client, pytest.raises(AuthenticationError):
        client.teams()
    with Client(region="us") as client:
        assert "https://analytics-api.app.lithium.com" in repr(client)
    monkeypatch.delenv("KHOROS_ANALYTICS_URL")
    with Client() as client:
        assert "https://analytics-api-emea.app.lithium.com" in repr(client)


def test_what_only_the_server_can_judge(world):
    """What the server refuses comes as a RequestRejectedError with the server's own words; it is not repeated."""
    with pytest.raises(RequestRejectedError, match="Too many buckets") as caught:
        world.client.team_performance_interval("2019-02-01", "2019-05-01", time_interval=timedelta(hours=1))

    assert caught.value.may_have_started is False
    assert len(world.sandbox.requests) == 1
    assert world.sandbox.exports == []


def test_targets(world, folder):
    """A folder that does not exist and a file that does are told before the job is waited for."""
    job = call(world.client)
    (folder / "here.csv").write_text("old")
    asked = len(world.sandbox.requests)

    for path, error in ((folder / "no" / "x.csv", TargetError), (folder / "here.csv", TargetExistsError)):
        with pytest.raises(error) as caught:
            job.download(path)
        assert type(caught.value) is error

    assert len(world.sandbox.requests) == asked
    assert [path.name for path in folder.iterdir()] == ["here.csv"]
    assert (folder / "here.csv").read_text() == "old"


def test_everything_is_a_khoros_error(world):
    """One except clause catches whatever this library raises on purpose."""
    for act in (
        lambda: call(world.client, window=("x", "y")),
        lambda: world.client.start("nothing", *WINDOW),
        lambda: world.client.job("nothing"),
        lambda: Client(base_url="nothing"),
        lambda: world.connect(password="wrong").teams(),
    ):
        with pytest.raises(KhorosError):
            act()
