"""What goes out of a process, and what is shown: over every public class, without a secret."""

import base64
import copy
import inspect
import pickle
import pprint
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

import khoros_analytics
from khoros_analytics import (
    BackfillProgress,
    BackfillResult,
    Client,
    Clock,
    Column,
    Columns,
    Dataset,
    Job,
    Jobs,
    JournalLine,
    KhorosError,
    LandedWindow,
    Plan,
    PlannedWindow,
    Status,
    Teams,
    TimeZones,
    Verdict,
    Window,
    WindowFailure,
    WindowState,
    errors,
)
from khoros_analytics._backfill.dataset import DatasetFiles
from khoros_analytics._backfill.records import Identity
from khoros_analytics._clock import Deadline
from khoros_analytics._http.credentials import Credentials
from khoros_analytics._http.history import Attempt
from khoros_analytics._jobs.remote import RemoteJob
from khoros_analytics._journal.token import JobIdentity
from khoros_analytics._protocol.arguments import encode
from khoros_analytics._protocol.lookups import Team, TimeZone
from khoros_analytics._protocol.messages import Call, Created, Phase, Reply
from khoros_analytics._protocol.urls import Target
from khoros_analytics._secrecy import Hidden
from khoros_analytics._storage.folder import LocalFolder
from khoros_analytics.reports import REPORTS
from khoros_analytics.sandbox import VirtualClock

USER, PASSWORD, KEY, ACCESS = "analyst", "hush-Pässword", "hush/key+", "hush-access=="
LINK = f"https://files.example/export.csv?signature={quote(ACCESS)}"
STATUS_URL = f"https://api.example/api/public/reports/report/w/r/status?companyKey={quote(KEY, safe='')}"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECRETS = [PASSWORD, KEY, ACCESS, quote(PASSWORD), quote(KEY, safe=""), quote(ACCESS), BASIC, "hush"]

VARIABLES = {
    "KHOROS_ANALYTICS_USERNAME": USER,
    "KHOROS_ANALYTICS_PASSWORD": PASSWORD,
    "KHOROS_ANALYTICS_COMPANY_KEY": KEY,
    "KHOROS_ANALYTICS_URL": "https://api.example",
}


def make_client(**settings):
    return Client(USER, PASSWORD, KEY, base_url="https://api.example", **settings)


def make_job():
    """A job that has been looked at and knows its link."""
    request = encode(REPORTS["conversation"], "2019-03-01", "2019-03-02", {"metrics": ["STATUS"]})
    identity = JobIdentity(request, Created("w", "r/+=", STATUS_URL), 1551441600.0)
    export = RemoteJob(make_client()._account, identity)
    export.status = make_status()
    return Job(export)


def make_status():
    return Status("CLOSED", "COMPLETED", "ready", 1, 2, "now", LINK, STATUS_URL)


def make_line():
    window = Window(0, 86400000, "Europe/Berlin")
    asked_at = datetime(2019, 3, 1, tzinfo=UTC)
    return JournalLine("user", window, {"format": "csv"}, asked_at, "saved", Path("users.csv"), make_job().token)


# One of each public class; an error's message is made by the library, so a plain one will do.
def make_planned():
    """A window that is to be exported."""
    return PlannedWindow("2019-02-01", Window(0, 86400000), WindowState.MISSING)


def make_identity():
    """What a dataset says of itself."""
    return Identity(
        report="conversation", account="abc", arguments={}, zone="UTC", every="1 day", save_as="parquet", by_date=True
    )


SAMPLES = {
    "BackfillProgress": lambda: BackfillProgress(7, 3, 0, 4, 300, 9000, 12, 0.6, timedelta(seconds=36), None),
    "BackfillResult": lambda: BackfillResult(report="conversation", to="data", landed=("2019-02-01",), rows=100),
    "Dataset": lambda: Dataset(DatasetFiles(LocalFolder(Path("data")), make_identity())),
    "LandedWindow": lambda: LandedWindow("2019-02-01", Window(0, 86400000), 100, 3000),
    "Plan": lambda: Plan("conversation", "data", (make_planned(),), 3, timedelta(seconds=9)),
    "PlannedWindow": make_planned,
    "WindowFailure": lambda: WindowFailure("2019-02-01", Window(0, 86400000), make_error("JobFailedError")),
    "WindowState": lambda: WindowState.MISSING,
    "Attempt": lambda: Attempt(datetime(2019, 3, 1, tzinfo=UTC), "status", "HTTP 200"),
    "Client": make_client,
    "Clock": Clock,
    "Column": lambda: Column("STATUS", "Status", "text", 0.25, "OPEN"),
    "Columns": lambda: Columns([Column("STATUS")], "conversation", Window(0, 3_600_000), 1),
    "Job": make_job,
    "Jobs": lambda: Jobs([make_line()]),
    "JournalLine": make_line,
    "Status": make_status,
    "Team": lambda: Team("u", 1, "North West", None, 3),
    "Teams": lambda: Teams([Team("u", 1, "North West", None, 3)]),
    "TimeZones": lambda: TimeZones([TimeZone("Etc/GMT+12", "GMT-12:00", "GMT-12:00", "-12:00", -43200000)]),
    "TimeZone": lambda: TimeZone("Etc/GMT+12", "GMT-12:00", "GMT-12:00", "-12:00", -43200000),
    "Verdict": lambda: Verdict.READY,
    "Window": lambda: Window(0, 86400000, "Europe/Berlin"),
}
# What hides behind the public ones, and is shown when somebody looks inside.
INNER = {
    "Call": lambda: Call(Phase.STATUS, "job", "GET", Target(STATUS_URL, is_api=True), (("secret", KEY),)),
    "Call with a form": lambda: Call(Phase.CREATE, "x", "POST", Target(LINK, is_api=False), (), (("secret", KEY),)),
    "Created": lambda: Created("w", "r", STATUS_URL),
    "Credentials": lambda: Credentials(USER, Hidden(PASSWORD), Hidden(KEY)),
    "Authentication": lambda: make_client()._transport._authorization,
    "Deadline": lambda: Deadline(VirtualClock(), 5),
    "RemoteJob": lambda: make_job()._remote,
    "ExportRequest": lambda: make_job()._remote.request,
    "JobIdentity": lambda: make_job()._remote.identity,
    "Reply": lambda: Reply(200, f"{PASSWORD} {KEY} {LINK}".encode(), None, make_client()._transport.redact),
    "Account": lambda: make_client()._account,
    "Share": lambda: make_client()._transport._share,
    "Transport": lambda: make_client()._transport,
}
ERRORS = sorted(
    name for name in errors.__all__ if inspect.isclass(kind := getattr(errors, name)) and issubclass(kind, KhorosError)
)


def make_error(name):
    """An error of each kind with everything that it can carry."""
    kind = getattr(errors, name)
    known = {
        "status_code": 503,
        "retry_after": 7.5,
        "may_have_started": True,
        "transient": False,
        "problems": ("one", "two"),
        "path": Path("export.csv"),
        "errno": 28,
        "job": make_job(),
    }
    accepted = inspect.signature(kind).parameters
    return kind(
        "job w: it is broken; start it again", **{key: value for key, value in known.items() if key in accepted}
    )


def shown(value):
    """Every way in which a value usually gets into a text."""
    as_html = [value._repr_html_()] if hasattr(value, "_repr_html_") else []
    return [*as_html, repr(value), str(value), f"{value}", pprint.pformat(value), pprint.pformat([value, {"x": value}])]


def test_every_public_class_has_a_sample():
    """A class that becomes public needs a sample here, so that nothing escapes these tests."""
    public = {name for name in khoros_analytics.__all__ if inspect.isclass(getattr(khoros_analytics, name))}
    assert public == set(SAMPLES) | {name for name in ERRORS if name in khoros_analytics.__all__}
    assert set(ERRORS) <= set(khoros_analytics.__all__)


@pytest.mark.parametrize("make", [*SAMPLES.values(), *INNER.values()], ids=[*SAMPLES, *INNER])
def test_nothing_shows_a_secret(make):
    """No repr and no str of any class holds the password, the company key, a token, or a link with its signature."""
    for text in shown(make()):
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_show_no_secret(name):
    """Nor does an error that carries its job, nor its traceback."""
    error = make_error(name)
    try:
        raise error
    except KhorosError:
        printed = traceback.format_exc()
    for text in [*shown(error), printed]:
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"Client", "Job"}))
def test_pickles_hold_no_secret(name):
    """What can be pickled comes back, and its pickle holds no secret: no signed link lies about in a file."""
    value = SAMPLES[name]()
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        written = pickle.dumps(value, protocol)
        assert not [secret for secret in SECRETS if secret.encode() in written]
        assert type(pickle.loads(written)) is type(value)


@pytest.mark.parametrize("name", ["Attempt", "Team", "TimeZone", "Verdict", "Window"])
def test_values_survive_a_pickle(name):
    """Values come back from a pickle as they were."""
    value = SAMPLES[name]()
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value


@pytest.mark.parametrize("name", ERRORS)
def test_errors_survive_a_pickle(name):
    """An error comes back from another process with all it carries, but for the job, which belongs to a client."""
    error = make_error(name)
    written = pickle.dumps(error)
    back = pickle.loads(written)
    assert type(back) is type(error)
    assert str(back) == str(error) == "job w: it is broken; start it again"
    assert {**vars(back), "job": None} == {**vars(error), "job": None}
    assert back.job is None
    assert not [secret for secret in SECRETS if secret.encode() in written]
    if isinstance(error, OSError):
        assert (back.errno, back.strerror) == (error.errno, error.strerror)


def test_notes_survive_a_pickle():
    """What a caller has noted on an error goes along."""
    error = make_error("ServerError")
    error.add_note("while exporting March")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while exporting March"]


@pytest.mark.parametrize("name", ERRORS)
def test_any_message_can_be_printed(name):
    """Texts of servers and names of files need not be valid Unicode; what an error says of them always is."""
    error = getattr(errors, name)("cannot write \ud800.csv")
    error.add_subject("job \udcff")
    error.add_last_attempt("\udc80")
    error.add_history("\ud801")
    assert str(error).encode().decode() == str(error)
    assert r"job \udcff: cannot write \ud800.csv" in str(error)


def test_a_job_is_not_pickled():
    """A job refuses to be pickled, and says what to send instead."""
    with pytest.raises(TypeError, match=r"send job\.token.*client\.job\(token\)"):
        pickle.dumps(make_job())


# ---- the client


@pytest.fixture
def environment(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KHOROS_ANALYTICS_REGION", raising=False)


def test_client_with_credentials_of_its_own():
    """A client that was given credentials refuses to be pickled, and says what to do instead."""
    with pytest.raises(TypeError, match=r"that would write its credentials down.*KHOROS_ANALYTICS_USERNAME"):
        pickle.dumps(make_client())
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(make_client())


@pytest.mark.parametrize("given", [{"username": USER}, {"password": PASSWORD}, {"company_key": KEY}])
@pytest.mark.usefixtures("environment")
def test_client_with_a_part_of_its_credentials(given):
    """Nor is one pickled that was given only a part of them."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Client(**given))


@pytest.mark.parametrize("brought", [{"session": requests.Session()}, {"clock": VirtualClock()}])
@pytest.mark.usefixtures("environment")
def test_client_with_something_that_stays(brought):
    """Nor one that was given a session or a clock, which exist in this process alone."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Client(**brought))


SETTINGS = {
    "base_url": "https://other.example",
    "timezone": "Europe/Berlin",
    "requests_per_minute": 7,
    "timeout": (3, 4),
    "request_deadline": 99,
    "retries": 2,
}


@pytest.mark.parametrize("settings", [{}, SETTINGS, {"region": "emea"}])
def test_client_of_the_environment(settings, environment, monkeypatch):
    """A client that finds its credentials in the environment is pickled without them, and finds those of the other."""
    client = Client(**settings)
    written = pickle.dumps(client)
    assert not [secret for secret in SECRETS if secret.encode() in written]

    monkeypatch.setenv("KHOROS_ANALYTICS_USERNAME", "another analyst")
    back = pickle.loads(written)
    assert repr(back) == repr(client).replace(USER, "another analyst")
    assert back._settings == client._settings


def test_job_is_not_pickled():
    """A job is tied to its client and is not pickled; its token is what goes to another process."""
    with pytest.raises(TypeError):
        pickle.dumps(make_job())


def test_job_for_people():
    """A job's repr says what it is about: report, window with its zone, format and state."""
    text = repr(make_job())
    assert text == "<Job conversation 2019-03-01 to 2019-03-02 (UTC, end excluded), csv: started, not polled yet>"


def test_client_for_people():
    """A client's repr says who asks whom."""
    assert repr(make_client()) == "<Client analyst at https://api.example>"


@pytest.mark.parametrize(
    "settings",
    [
        {"password": 5},
        {"username": "with:colon"},
        {"base_url": f"https://{USER}:hush@api.example"},
        {"base_url": "https://api.example?companyKey=hush"},
        {"company_key": "hush\ud800"},
        {"password": "hush\ud800"},
        {"region": "mars"},
    ],
)
def test_configuration_errors_show_no_secret(settings):
    """A client that cannot be made says why, without repeating what is secret."""
    given = {"username": USER, "password": PASSWORD, "company_key": KEY, **settings}
    with pytest.raises(errors.ConfigurationError) as caught:
        Client(**given)
    hidden = [secret for secret in SECRETS if secret in str(caught.value)]
    assert hidden == []
