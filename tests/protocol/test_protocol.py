"""Requests and replies without a network: what each call sends, and what each answer means."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import (
    ApiError,
    AuthenticationError,
    KhorosError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    Team,
    TimeZone,
    UnexpectedReplyError,
    UntrustedUrlError,
)
from khoros_analytics._http.history import Attempt
from khoros_analytics._http.redaction import Redactor
from khoros_analytics._protocol.arguments import encode
from khoros_analytics._protocol.calls import create_call, download_call, status_call
from khoros_analytics._protocol.lookups import lookup_call, parse_rows
from khoros_analytics._protocol.messages import EXCERPT, Call, Created, Phase, Reply, Status, Verdict
from khoros_analytics._protocol.replies import parse_created, parse_retry_after, parse_status, raise_for_status
from khoros_analytics._protocol.urls import BaseUrl, Target
from khoros_analytics.reports import REPORTS

FACTS_FOLDER = Path(__file__).parents[1] / "facts"
FACTS = yaml.safe_load((FACTS_FOLDER / "analytics-reports.yaml").read_text(encoding="utf-8"))
SAMPLES = {path.stem: path.read_bytes() for path in sorted((FACTS_FOLDER / "samples").glob("*.json"))}

KEY = "SeCrEt-company/key="
PASSWORD = "pässword & more"
REDACTOR = Redactor([KEY, PASSWORD])
BASE = BaseUrl.parse(FACTS["servers"]["us"])
NOW = 1_556_712_000.0


def call(phase=Phase.STATUS):
    return Call(phase, "job w (conversation)", "GET", Target(BASE.api("x"), is_api=True))


def reply(body=b"", status=200, **more):
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    return Reply(status, body, **{"redact": REDACTOR, **more})


def envelope(result, status="PASS", message=None):
    return {"status": status, "request": None, "message": message, "result": result}


def status_body(info=(), about=(), *, listed=False):
    job = {
        "jobInfo": {"workflowId": "w", "runId": "r", "downloadUrl": "", "statusUrl": "", **dict(info)},
        "result": {"runnerState": "RUNNING", "reason": None, "detail": "", **dict(about)},
    }
    return envelope([job] if listed else job)


CREATED = Created("w", "r")

# Every reader of an answer, with the call that it belongs to.
READERS = {
    "create": lambda answer: parse_created(call(Phase.CREATE), answer),
    "status": lambda answer: parse_status(call(Phase.STATUS), answer, CREATED),
    "teams": lambda answer: parse_rows(call(Phase.LOOKUP), answer, Team),
    "timezones": lambda answer: parse_rows(call(Phase.LOOKUP), answer, TimeZone),
}
readers = pytest.mark.parametrize("reader", READERS)


def failure(reader, answer):
    with pytest.raises(ApiError) as caught:
        READERS[reader](answer)
    return caught.value


# ---- what is sent


def arguments_for(report):
    """One argument for every parameter of a report."""
    samples = {
        "metrics": ["A", "B"],
        "format": "json",
        "locale": "de",
        "timezone": "Europe/Berlin",
        "timezone_offset": timedelta(hours=1),
        "business_hours": "outside",
        "priorities": [0, 1],
        "smart_view_id": "v",
        "workqueue_ids": ["q1", "q2"],
        "team_ids": [1, 2],
        "agent_ids": ["a1", "a2"],
        "include_disabled": True,
        "conversation_report_type": "CLOSED",
        "time_interval": timedelta(days=1),
        "raise_limit": True,
        "campaign_id": "c",
    }
    return {row.name: samples[row.name] for row in report.parameters if row.name in samples}


@pytest.mark.parametrize("name", FACTS["reports"])
def test_creation_call(name):
    """A creation call has the facts' verb and path; its arguments travel where the facts say; it needs the key."""
    fact, report = FACTS["reports"][name], REPORTS[name]
    request = encode(report, "2019-03-01", "2019-03-02", arguments_for(report))
    made = create_call(BASE, request)
    path = FACTS["prefix"] + FACTS["paths"][fact.get("path", "default")].format(report=name)

    assert (made.phase, made.method) == (Phase.CREATE, fact["verb"])
    assert made.target == Target(FACTS["servers"]["us"] + path, is_api=True)
    assert made.needs_key
    if fact["sends"].startswith("form body"):
        assert made.query == (("raiselimit", "true"),)
        assert sorted(made.query + made.form) == sorted(request.pairs)
    else:
        assert made.form is None
        assert made.query == request.pairs
    sent = {"companyKey"} | {wire for wire, _ in made.query + (made.form or ())}
    assert sent == {*fact["parameters"], *fact.get("also", [])}


def test_extra_travels_with_the_arguments():
    """What ``extra`` holds goes into the query, or into the body of the report whose arguments travel there."""
    by_query, by_body = (
        create_call(BASE, encode(REPORTS[name], "2019-03-01", "2019-03-02", {"extra": {"new": "1"}}))
        for name in ("conversation", "conversation_history_action")
    )
    assert ("new", "1") in by_query.query
    assert ("new", "1") in by_body.form
    assert by_body.query == ()


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("create")])
def test_status_call_of_the_samples(name):
    """The status URL of a creation answer is asked exactly as given; without one the ids and the key make it."""
    result = json.loads(SAMPLES[name])["result"]
    made = status_call(BASE, "a job", parse_created(call(Phase.CREATE), reply(SAMPLES[name])))
    assert (made.phase, made.method, made.target.is_api) == (Phase.STATUS, "GET", True)
    if result.get("statusUrl"):
        assert (made.target.url, made.query, made.needs_key) == (result["statusUrl"], (), False)
    else:
        assert made.target.url.endswith(f"/reports/report/{result['workflowId']}/{result['runId']}/status")
        assert (made.query, made.needs_key) == ((), True)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("create-") or name == "create"])
def test_ids_are_percent_encoded_whole(name):
    """A run id with / + = stands in the path as the vendor writes it: the URL made of the ids is the one given."""
    result = json.loads(SAMPLES[name])["result"]
    made = status_call(BASE, "a job", Created(result["workflowId"], result["runId"]))
    workflow_id, run_id = made.target.url.split("/")[-3:-1]
    assert (unquote(workflow_id), unquote(run_id)) == (result["workflowId"], result["runId"])
    if result.get("statusUrl"):
        assert f"{made.target.url}?companyKey=COMPANY_KEY" == result["statusUrl"]


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_ids(workflow_id, run_id):
    """Whatever the ids hold, they are two segments of the path."""
    url = status_call(BASE, "a job", Created(workflow_id, run_id)).target.url
    path = url.removeprefix(BASE.api("reports", "report") + "/").split("/")
    assert [unquote(part) for part in path] == [workflow_id, run_id, "status"]


def test_status_url_of_another_host():
    """A status URL whose path is the API's is asked at the base URL."""
    created = Created("w", "r", "https://inside.example/api/public/reports/report/w/r/status?analyticsAccessToken=t")
    made = status_call(BASE, "a job", created)
    assert made.target.url == f"{BASE}/api/public/reports/report/w/r/status?analyticsAccessToken=t"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://api.example/status",
        "http://elsewhere.example/status",
        "https://user@elsewhere.example/status",
        "//[",
        "http://[v1.a]/",
        "status",
        "/a b",
        "https://ü.example/status",
        "https://[v1.a]/status",
        "//[v1.a]/status",
        "https://a..b/status",
        "https://.example/status",
        "https://*.example/status",
        "https://a%2eb/status",
        f"https://{'a' * 64}.example/status",
        f"https://{'a.' * 127}example/status",
    ],
)
def test_status_url_that_cannot_be_used(url):
    """A status URL that must not or cannot be followed costs nothing: the status is asked for by the job's ids."""
    made = status_call(BASE, "a job", Created("w", "r", url))
    assert made.target == status_call(BASE, "a job", Created("w", "r")).target
    assert made.needs_key


def test_download_call():
    """A link is asked exactly as given, with credentials only where its path is the API's."""
    link = json.loads(SAMPLES["status-ready"])["result"]["jobInfo"]["downloadUrl"]
    made = download_call(BASE, "a job", link, {"Range": "bytes=1-"})
    assert (made.phase, made.method, made.query) == (Phase.DOWNLOAD, "GET", ())
    assert (made.target, dict(made.headers)) == (Target(link, is_api=True), {"Range": "bytes=1-"})
    assert not download_call(BASE, "a job", "https://files.example/a?s=1", {}).target.is_api
    with pytest.raises(UntrustedUrlError):
        download_call(BASE, "a job", "", {})


@pytest.mark.parametrize("name", FACTS["lookups"])
def test_lookup_call(name):
    """A look-up asks the facts' path with the company key."""
    fact = FACTS["lookups"][name]
    made = lookup_call(BASE, name, tuple(fact["path"].strip("/").split("/")))
    assert (made.phase, made.method, made.target.is_api, made.needs_key) == (Phase.LOOKUP, fact["verb"], True, True)
    assert made.target.url == f"{BASE}{FACTS['prefix']}{fact['path']}"


# ---- the vendor's samples


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("create")])
def test_created_samples(name):
    """Every creation sample gives the ids that it holds, with URLs or without."""
    result = json.loads(SAMPLES[name])["result"]
    created = parse_created(call(Phase.CREATE), reply(SAMPLES[name]))
    assert created == Created(result["workflowId"], result["runId"], result.get("statusUrl", ""))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("status-running", Verdict.RUNNING),
        ("status-ready", Verdict.READY),
        ("status-failed", Verdict.FAILED),
        ("legacy-jobs", Verdict.RUNNING),
    ],
)
def test_status_samples(name, verdict):
    """Every status sample, in a list or not, with detail or details, is read and means what it says."""
    result = json.loads(SAMPLES[name])["result"]
    job = result[0] if isinstance(result, list) else result
    info, about = job["jobInfo"], job["result"]
    status = parse_status(call(), reply(SAMPLES[name]), Created(info["workflowId"], info["runId"]))
    assert status.verdict is verdict
    assert (status.state, status.detail) == (about["runnerState"], about.get("detail") or "")
    assert (status.download_url, status.status_url) == (info.get("downloadUrl", ""), info.get("statusUrl", ""))


def test_teams_sample():
    """The teams of the sample are read with all their fields."""
    teams = parse_rows(call(Phase.LOOKUP), reply(SAMPLES["teams"]), Team)
    assert teams[0] == Team("4c1d5194-8946-4e7f-aa8e-6315b3379bf3", 6222, "North West", None, 3)
    assert [team.team_id for team in teams] == [6222, 7031]


def test_timezones_sample():
    """The time zones of the sample are read with all their fields."""
    zones = parse_rows(call(Phase.LOOKUP), reply(SAMPLES["timezones"]), TimeZone)
    assert zones[1] == TimeZone("Pacific/Apia", "Samoa Daylight Time", "SDT", "+14:00", 50400000)
    assert [zone.offset_millis for zone in zones] == [-43200000, 50400000]


@readers
def test_rejected_sample(reader):
    """The sample of a refusal is a RequestRejectedError in the server's own words, whatever was asked."""
    error = failure(reader, reply(SAMPLES["rejected-too-many-buckets"]))
    assert type(error) is RequestRejectedError
    assert str(error).count("Too many buckets (745) requested. Select a larger interval?") == 1
    assert error.status_code == 200


def test_every_sample_is_replayed():
    """A sample that is added to the facts needs a place in these tests."""
    assert set(SAMPLES) == {
        *("create", "create-slash-in-run-id", "create-with-download-url", "create-without-urls"),
        *("status-running", "status-ready", "status-failed", "legacy-jobs"),
        *("teams", "timezones", "rejected-too-many-buckets"),
    }


# ---- bad replies

HTML = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
REFUSALS = [
    # status, body, the error, a part of its message, whether a creation may have started all the same
    (400, "{}", RequestRejectedError, "refuses the request (HTTP 400", False),
    (401, "", AuthenticationError, "does not accept the user, the password or the company key (HTTP 401", False),
    (403, "no", AuthenticationError, "(HTTP 403", False),
    (405, "no", RequestRejectedError, "(HTTP 405", False),
    (408, "", RequestRejectedError, "(HTTP 408", True),
    (425, "", RequestRejectedError, "(HTTP 425", True),
    (429, "slow down", RateLimitError, "too many requests (HTTP 429", False),
    (500, "oops", ServerError, "failed (HTTP 500", True),
    (501, "oops", ServerError, "failed (HTTP 501", True),
    (502, HTML, ServerError, "502 Bad Gateway", True),
    (503, HTML, ServerError, "failed (HTTP 503", True),
    (504, "", ServerError, "failed (HTTP 504", True),
    (599, "", ServerError, "failed (HTTP 599", True),
    (300, "", UnexpectedReplyError, "is base_url right?", True),
    (302, "", UnexpectedReplyError, "is base_url right?", True),
    (304, "", UnexpectedReplyError, "(HTTP 304", True),
    (200, HTML, UnexpectedReplyError, "its answer is not JSON", True),
    (200, "", UnexpectedReplyError, "its answer is empty", True),
    (204, " \n", UnexpectedReplyError, "its answer is empty", True),
    (200, '{"status": "PASS", "resu', UnexpectedReplyError, "its answer is not JSON", True),
    (200, b"\xff\xfe\x00", UnexpectedReplyError, "its answer is not JSON", True),
    (200, "[" * 100_000, UnexpectedReplyError, "its answer is not JSON", True),
    (200, "null", UnexpectedReplyError, "not in the API's envelope", True),
    (200, "[]", UnexpectedReplyError, "not in the API's envelope", True),
    (200, "{}", UnexpectedReplyError, "not in the API's envelope", True),
    (200, envelope("You may not"), RequestRejectedError, "refuses the request: You may not", False),
    (200, envelope(None, "FAIL", "Not you"), RequestRejectedError, "refuses the request: Not you", False),
    (200, envelope({}, "fail"), RequestRejectedError, "it gives no reason", False),
    (200, envelope({"a": 1}, "FAIL", {"b": 2}), RequestRejectedError, "it gives no reason", False),
    (200, envelope(None), UnexpectedReplyError, "not documented", True),
    (200, envelope(7), UnexpectedReplyError, "not documented", True),
    (200, envelope([[1]]), UnexpectedReplyError, "not documented", True),
]


@readers
@pytest.mark.parametrize(("status", "body", "kind", "message", "started"), REFUSALS)
def test_bad_reply(reader, status, body, kind, message, started):  # noqa: PLR0917 - the columns of the table
    """Each bad reply is exactly the right error, with its status, its subject, and whether an export may run."""
    error = failure(reader, reply(body, status))
    assert type(error) is kind
    assert message in str(error)
    assert str(error).startswith("job w (conversation): the server ")
    assert error.status_code == status
    assert error.may_have_started is (started if reader == "create" else None)


@pytest.mark.parametrize("status", [404, 410])
def test_not_found(status):
    """A 404 to a status call means that the job is gone; to any other call that the request is refused."""
    gone = failure("status", reply("nothing here", status))
    assert type(gone) is RequestRejectedError
    assert "does not know this job; it keeps an export for 24 hours" in str(gone)
    refused = failure("create", reply("nothing here", status))
    assert "refuses the request" in str(refused)
    assert refused.may_have_started is False


NO_JOB = [
    envelope({}),
    envelope([]),
    envelope({"workflowId": "w"}),
    envelope({"workflowId": "w", "runId": None}),
    envelope({"workflowId": "w", "runId": ""}),
    envelope({"workflowId": 5, "runId": 6}),
    envelope({"workflowId": "w", "runId": "\ud800"}),
    envelope({"workflowId": "w\0", "runId": "r"}),
    envelope({"workflowId": "..", "runId": "r"}),
    envelope({"workflowId": "w", "runId": "."}),
    envelope({"jobInfo": None}),
    envelope({"jobInfo": {"workflowId": "w"}}),
]


@pytest.mark.parametrize("body", NO_JOB)
def test_creation_without_ids(body):
    """A creation answer without both ids is unexpected, and the export may run all the same."""
    error = failure("create", reply(body))
    assert type(error) is UnexpectedReplyError
    assert error.may_have_started is True


@pytest.mark.parametrize(
    "body",
    [
        envelope({"jobInfo": {}, "result": None}),
        envelope({"jobInfo": {}}),
        envelope({"jobInfo": "x", "result": {}}),
        envelope({"jobInfo": {}, "result": []}),
        status_body({"workflowId": "another"}),
        status_body({"runId": "another"}),
    ],
)
def test_status_of_nothing(body):
    """A status answer without a status, or about another job, is unexpected."""
    assert type(failure("status", reply(body))) is UnexpectedReplyError


@pytest.mark.parametrize("body", [envelope({}), envelope([1]), envelope([None]), envelope([["x"]])])
@pytest.mark.parametrize("reader", ["teams", "timezones"])
def test_no_rows(reader, body):
    """A look-up that lists no objects is unexpected."""
    assert type(failure(reader, reply(body))) is UnexpectedReplyError


def test_creation_in_other_shapes():
    """A creation answer may come in a list, or with the ids in a jobInfo, as status answers do."""
    ids = {"workflowId": "w", "runId": "r/+="}
    for result in (
        ids,
        [ids],
        {"jobInfo": ids},
        [{"jobInfo": ids}],
        {**ids, "statusUrl": None},
        {**ids, "statusUrl": 5},
    ):
        assert READERS["create"](reply(envelope(result))) == Created("w", "r/+=")


def test_byte_order_mark_and_white_space():
    """JSON is JSON, with a byte order mark or white space around it."""
    body = b"\xef\xbb\xbf\r\n" + SAMPLES["create-without-urls"] + b"\n"
    assert READERS["create"](reply(body)).run_id == "23Sh5Bd9Y9UAehNOtA"


# ---- what a status says

VERDICTS = [
    # runnerState, detail, whether there is a link, what it means
    ("RUNNING", "", False, Verdict.RUNNING),
    ("RUNNING", "COMPLETED", True, Verdict.RUNNING),
    ("RUNNING", "FAILED", False, Verdict.RUNNING),
    ("CLOSED", "COMPLETED", True, Verdict.READY),
    ("closed", "completed", True, Verdict.READY),
    ("CLOSED", "COMPLETED", False, Verdict.UNSETTLED),
    ("CLOSED", "FAILED", False, Verdict.FAILED),
    ("CLOSED", "FAILED", True, Verdict.FAILED),
    ("CLOSED", "", False, Verdict.UNSETTLED),
    ("CLOSED", "", True, Verdict.UNSETTLED),
    ("CLOSED", None, True, Verdict.UNSETTLED),
    ("CLOSED", "ARCHIVED", True, Verdict.UNSETTLED),
    ("PAUSED", "", False, Verdict.RUNNING),
    (None, "COMPLETED", True, Verdict.RUNNING),
    (5, ["x"], True, Verdict.RUNNING),
]


@pytest.mark.parametrize(("state", "detail", "link", "verdict"), VERDICTS)
def test_verdict(state, detail, link, verdict):
    """Done is decided on the pair of runnerState and detail, and ready needs a link."""
    body = status_body({"downloadUrl": "https://x.example/f" if link else ""}, {"runnerState": state, "detail": detail})
    assert READERS["status"](reply(body)).verdict is verdict


def test_details():
    """The legacy list of jobs says details where others say detail: both are read."""
    body = status_body({"downloadUrl": "https://x.example/f"}, {"runnerState": "CLOSED", "details": "COMPLETED"})
    del body["result"]["result"]["detail"]
    assert READERS["status"](reply(body)).verdict is Verdict.READY


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"runnerState": "PAUSED"}, "PAUSED"),
        ({"detail": "ARCHIVED"}, "ARCHIVED"),
        ({"runnerState": None}, "no state"),
        ({}, None),
        ({"runnerState": "CLOSED", "detail": "COMPLETED"}, None),
    ],
)
def test_unknown_states_are_survived(about, told):
    """A state or a detail that nobody documents is survived, and known for what it is."""
    status = READERS["status"](reply(status_body(about=about)))
    assert status.is_documented is (told is None)
    assert told is None or told in str(status)


def test_unknown_fields_are_survived():
    """Fields that nobody documents are left out, everywhere."""
    assert READERS["status"](reply(status_body({"new": 1}, {"newer": {"a": 1}}, listed=True))).state == "RUNNING"
    row = {"uuid": "u", "teamId": 1, "name": "n", "description": None, "numberOfMembers": 0, "new": True}
    assert READERS["teams"](reply(envelope([row]))) == [Team("u", 1, "n", None, 0)]
    body = {**envelope({"workflowId": "w", "runId": "r", "new": 1}), "newer": 2}
    assert READERS["create"](reply(body)) == Created("w", "r")


def test_counts_and_reason():
    """Counts, reason and time are passed on as the server sends them; a count that is not a number is none."""
    about = {"currentCount": 3, "totalCount": "9", "reason": "too\n  large", "lastAcknowledgeTime": 1551441600000}
    status = READERS["status"](reply(status_body(about=about)))
    assert (status.current_count, status.total_count) == (3, None)
    assert (status.reason, status.last_acknowledge_time) == ("too large", "1551441600000")
    assert str(status) == "RUNNING (too large)"


# ---- messages


@readers
@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500, 503])
def test_no_secret_in_messages(reader, status):
    """A server that echoes credentials, tokens or links does not get them into a message."""
    link = "https://files.example/f?X-Signature=0123456789abcdef"
    echo = f"no {KEY} / {PASSWORD} / companyKey=Another1 / {link} / Basic dXNlcjpwYXNzd29yZA=="
    secrets = (KEY, PASSWORD, "Another1", "0123456789abcdef", "dXNlcjpwYXNzd29yZA")
    bodies = (echo, envelope(echo), envelope(None, "FAIL", echo), envelope({"jobInfo": echo}))
    for body in bodies:
        if status == 200 and body == bodies[-1] and reader in ("teams", "timezones"):
            continue
        text = str(failure(reader, reply(body, status)))
        assert not [secret for secret in secrets if secret in text], text


def test_no_secret_in_a_reason():
    """Nor does one get into the reason of a status."""
    status = READERS["status"](reply(status_body(about={"reason": f"bad key {KEY}", "lastAcknowledgeTime": KEY})))
    assert KEY not in f"{status!r} {status} {status.reason} {status.last_acknowledge_time}"


def test_excerpts_are_short():
    """A long answer is cut: a message stays readable, and so does a refusal in the server's words."""
    for answer in (reply("x" * 100_000, 500), reply(envelope("x" * 100_000)), reply("x " * 100_000)):
        assert len(str(failure("create", answer))) < 3 * EXCERPT + 200


def test_excerpt_is_one_line():
    """Line breaks of a page do not break up a message; an empty body leaves nothing behind."""
    assert reply("<p>\r\n\t a  b</p>").excerpt() == "<p> a b</p>"
    assert "it sent" not in str(failure("status", reply("{}", 400)))


def test_secret_across_the_cut():
    """A secret is hidden before the text is cut: no half of it is left at the end."""
    for start in range(EXCERPT - len(KEY) - 2, EXCERPT + 1):
        text = str(failure("status", reply("x" * start + " " + KEY, 500)))
        assert KEY[:6] not in text


# ---- Retry-After

RETRY_AFTER = [
    # the header, the seconds
    (None, None),
    ("", None),
    ("0", 0.0),
    ("120", 120.0),
    (" 7 ", 7.0),
    ("-5", None),
    ("1.5", None),
    ("soon", None),
    ("Wed, 01 May 2019 12:00:30 GMT", 30.0),
    ("Wed, 01 May 2019 11:00:00 GMT", 0.0),
    ("Wed, 01 May 2019 14:00:30 +0200", 30.0),
    ("Wed, 01 May 2019 12:00:30 -0000", 30.0),
    ("Wed, 99 May 2019 12:00:30 GMT", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_retry_after(header, seconds):
    """Retry-After is read in both its forms, a past date is now, and nonsense is nothing."""
    assert parse_retry_after(header, NOW) == seconds


@given(st.text() | st.integers().map(str))
@example("9" * 400)
@example("9" * 5000)
@example("Wed, 01 May 99999 12:00:30 GMT")
@example("Sat, 01 Jan 0001 00:00:00 +2359")
def test_any_retry_after(header):
    """Whatever the header holds, it is a finite number of seconds from now on, or nothing."""
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 10**9))
def test_retry_after_round_trip(seconds):
    """Both forms of the same wait are the same."""
    date = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(str(seconds), NOW) == parse_retry_after(date, NOW) == seconds


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (503, ServerError), (500, ServerError)])
def test_retry_after_in_errors(status, kind):
    """The wait that a server asks for is an attribute of the error, and in its message."""
    error = failure("create", reply("", status, retry_after=90.0))
    assert type(error) is kind
    assert error.retry_after == 90.0
    assert "asks to wait 90 s" in str(error)
    assert failure("create", reply("", status)).retry_after is None


# ---- the law

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from(
    [
        "jobInfo",
        "result",
        "workflowId",
        "runId",
        "statusUrl",
        "downloadUrl",
        "runnerState",
        "detail",
        "details",
        "status",
        "reason",
        "currentCount",
        "message",
        "uuid",
        "teamId",
        "id",
        "offsetMillis",
    ]
)
known_values = st.sampled_from(
    ["w", "r", "RUNNING", "CLOSED", "COMPLETED", "FAILED", "PASS", "FAIL", "", "https://x/y"]
)
likely = st.recursive(
    json_values | known_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(known_keys, inner, max_size=6),
    max_leaves=12,
)
envelopes = st.builds(envelope, likely, known_values | json_values, json_values)
bodies = st.binary() | st.text().map(str.encode) | (likely | envelopes).map(json.dumps).map(str.encode)
statuses = st.integers(100, 599) | st.sampled_from([200, 200, 200, 201])


@given(st.sampled_from(sorted(READERS)), statuses, bodies, st.none() | st.floats(0, 1e9))
@example("status", 200, json.dumps(envelope([[]])).encode(), None)
@example("teams", 200, b'{"result": [{"uuid": 1e999}]}', None)
def test_any_reply(reader, status, body, retry_after):
    """Any status and body gives a value or exactly one error of the tree, never anything else."""
    try:
        found = READERS[reader](reply(body, status, retry_after=retry_after))
    except KhorosError as error:
        found = error
    assert repr(found)
    if isinstance(found, KhorosError):
        assert isinstance(found, ApiError)
        assert found.status_code == status
        assert (found.may_have_started is None) == (reader != "create")
    else:
        assert 200 <= status < 300
        assert isinstance(found, Created | Status | list)


@given(statuses, bodies)
def test_any_file_status(status, body):
    """A download's answer passes with a 2xx, and is an ApiError otherwise."""
    answer = reply(body, status)
    if 200 <= status < 300:
        raise_for_status(call(Phase.DOWNLOAD), answer)
    else:
        with pytest.raises(ApiError):
            raise_for_status(call(Phase.DOWNLOAD), answer)


def test_attempts_for_people():
    """A line of a job's history says when, what and with which outcome; a wait shows with its reason."""
    at = datetime(2019, 5, 1, 12, 0, 5, tzinfo=UTC)
    assert str(Attempt(at, "status", "HTTP 200", 0.5)) == "12:00:05 status: HTTP 200"
    assert str(Attempt(at, "create", "HTTP 429", 12.34, "quota")) == "12:00:05 create after 12.3 s (quota): HTTP 429"


@pytest.mark.parametrize("before", [0, 190, 8178, 8191, 24570, 32760, 65530])
@pytest.mark.parametrize("filler", [" ", "x", "\u00e4"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_a_secret_at_any_cut(before, filler, encoding):
    """Wherever the body of an error is cut, no beginning of a secret is left over."""
    for cut in range(0, 12, 3):
        body = (filler * (before - cut) + PASSWORD + filler * 100).encode(encoding)
        shown = Reply(500, body, None, REDACTOR).excerpt()
        assert PASSWORD[:3] not in shown
