"""The sandbox's answers have the shape of the vendor's samples."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from khoros_analytics.sandbox import faults


def shape(value):
    """Return what a value looks like without what it says: keys in order, types, and the empty text as such."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return "" if value == "" else type(value).__name__


def url_shape(url):
    """Return the fixed parts of a URL: the path around the two ids, and the query's names."""
    parts = urlsplit(url)
    segments = parts.path.split("/")
    assert len(segments) == 8
    return segments[:5] + segments[7:], [name for name, _ in parse_qsl(parts.query)]


@pytest.fixture
def sample(facts):
    return lambda name: json.loads((facts / "samples" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "creation"), [("create", "urls"), ("create-without-urls", "ids"), ("create-with-download-url", "download")]
)
def test_creation(run, sample, name, creation):
    """A creation answer has the vendor's keys in its three variants, and URLs of the vendor's form."""
    answer = run(creation=creation).create().json()

    assert shape(answer) == shape(sample(name))
    for key in {"statusUrl", "downloadUrl"} & {key for key, value in answer["result"].items() if value}:
        assert url_shape(answer["result"][key]) == url_shape(sample(name)["result"][key])


@pytest.mark.parametrize(
    ("name", "looks", "fault"),
    [("status-running", 2, None), ("status-ready", 1, None), ("status-failed", 1, faults.JobFails())],
)
def test_status(run, sample, name, looks, fault):
    """A status is a list while the job runs and when it failed, an object when it is ready, with the vendor's URLs."""
    caller = run(polls=looks, running="list")
    if fault is not None:
        caller.sandbox.fail("create", fault)
    answer = caller.call("GET", caller.started()["statusUrl"]).json()
    expected = sample(name)

    assert shape(answer) == shape(expected)
    unlisted, model = (each[0] if isinstance(each, list) else each for each in (answer["result"], expected["result"]))
    assert unlisted["result"] == model["result"]
    for key in ("statusUrl", "downloadUrl"):
        if model["jobInfo"][key]:
            assert url_shape(unlisted["jobInfo"][key]) == url_shape(model["jobInfo"][key])


def test_ids(run, sample):
    """Ids look like the vendor's: a UUID of version 3, and a runId that needs percent-encoding in every URL."""
    caller = run()
    for model in (caller.started(), sample("create")["result"], sample("create-slash-in-run-id")["result"]):
        assert model["workflowId"][14] == "3"
        assert model["runId"].startswith("23")
        assert model["runId"].endswith("=")
        assert model["statusUrl"].split("/")[8].endswith("%3D")
    for made in (caller.started()["runId"] for _ in range(20)):
        assert all(needed in made for needed in "/+=")


@pytest.mark.parametrize(("name", "path"), [("teams", "/teams"), ("timezones", "/config/timezones")])
def test_lookups(caller, sample, name, path):
    """The look-ups start with the vendor's rows, and all others have the same fields."""
    answer, expected = caller.call("GET", path, params=caller.key).json(), sample(name)
    count = len(expected["result"])

    assert {**answer, "result": answer["result"][:count]} == expected
    assert len(answer["result"]) > count
    assert {tuple(row) for row in answer["result"]} == {tuple(expected["result"][0])}


def test_too_many_buckets(caller, sample):
    """Hours over 31 days are refused in the vendor's own words."""
    month = {"startTime": "1551398400000", "endTime": "1554076800000", "timeInterval": "3600000"}

    assert caller.create("team_performance_interval", **month).json() == sample("rejected-too-many-buckets")
    assert caller.sandbox.exports == []


def test_a_running_job_as_an_object(run, sample):
    """By default a running job's status is an object, as a consumer reads it, and holds what the list does."""
    caller = run(polls=2)
    answer = caller.call("GET", caller.started()["statusUrl"]).json()
    expected = sample("status-running")

    assert shape(answer) == {**shape(expected), "result": shape(expected["result"][0])}


def test_the_list_of_jobs(run, sample):
    """/reports/jobs has the vendor's shape: a running job without a link, a finished one with it, and ``details``."""
    caller = run(polls=2)
    caller.started()
    url = caller.started()["statusUrl"]
    caller.status(url)
    caller.status(url)
    answer = caller.call("GET", "/reports/jobs", params=caller.key)
    running, finished = answer.json()["result"]

    assert shape({**answer.json(), "result": [running]}) == shape(sample("legacy-jobs"))
    assert finished["result"] == {**running["result"], "runnerState": "CLOSED"}
    assert url_shape(finished["jobInfo"].pop("downloadUrl"))[1] == ["companyKey"]
    assert finished["jobInfo"].keys() == running["jobInfo"].keys()


def test_the_list_of_jobs_is_no_poll(run):
    """Looking at the list does not count as looking at a status, and a failed job is closed, without a link."""
    caller = run(polls=1)
    caller.sandbox.fail("create", faults.JobFails())
    url = caller.started()["statusUrl"]
    looks = [caller.call("GET", "/reports/jobs").json()["result"][0] for _ in range(3)]
    caller.status(url)
    failed = caller.call("GET", "/reports/jobs").json()["result"][0]

    assert {look["result"]["runnerState"] for look in looks} == {"RUNNING"}
    assert (failed["result"]["runnerState"], "downloadUrl" in failed["jobInfo"]) == ("CLOSED", False)


def test_the_list_of_jobs_needs_access(caller):
    """It is for those who sign in, by GET; its company key may be left out, but not be wrong."""
    assert caller.call("GET", "/reports/jobs", auth=None).status_code == 401
    assert caller.call("POST", "/reports/jobs").status_code == 405
    assert caller.call("GET", "/reports/jobs", params={"companyKey": "other"}).status_code == 403


@pytest.mark.parametrize("path", ["/teams", "/config/timezones", "/reports/jobs", "status", "bad"])
def test_json_is_declared_where_the_vendor_does(caller, path):
    """Look-ups, the list of jobs, a status and a bad request are declared as JSON in the vendor's file."""
    if path == "bad":
        answer = caller.create(startTime=None)
    else:
        url = caller.started()["statusUrl"] if path == "status" else path
        answer = caller.call("GET", url, params=None if path == "status" else caller.key)

    assert answer.headers["Content-Type"] == "application/json"


def test_bad_request_body(caller, facts):
    """A bad request is answered by 400 with the documented body, and a header says why."""
    documented = yaml.safe_load((facts / "analytics-reports.yaml").read_text())["envelope"]["http_400_body"]
    answer = caller.create(startTime=None)

    assert (answer.status_code, answer.text) == (400, documented)
    assert answer.headers["X-Sandbox-Reason"] == "startTime is required"
