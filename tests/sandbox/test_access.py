"""Access: who may call the API, and what everybody else is told."""

import pytest
import requests

CALLS = [("POST", "/reports/report/conversation"), ("GET", "/teams"), ("GET", "/config/timezones"), ("GET", "/nothing")]


@pytest.mark.parametrize(("verb", "path"), CALLS)
@pytest.mark.parametrize("auth", [None, ("sandbox", "wrong"), ("wrong", "sandbox-password"), ("", "")])
def test_basic_is_needed_everywhere(caller, verb, path, auth):
    """Without the right user and password every call gets 401 and a challenge, before anything else is looked at."""
    answer = caller.call(verb, path, auth=auth, params=caller.key)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Bearer abc", "Basic", "Basic !!!", "Basic YWJj", "basic"])
def test_other_authorization_is_refused(caller, header):
    """A header that is not a proper Basic is refused, and breaks nothing."""
    answer = caller.call("GET", "/teams", auth=None, headers={"Authorization": header}, params=caller.key)

    assert answer.status_code == 401


def test_status_and_download_need_basic(caller):
    """The URLs of an export are no secret by themselves."""
    link = caller.link()

    assert caller.call("GET", link, auth=None, allow_redirects=False).status_code == 401
    assert caller.call("GET", link.replace("/download", "/status"), auth=None).status_code == 401


def test_any_unicode_password(run):
    """User and password may hold any text; Basic carries it as UTF-8."""
    caller = run(username="Zoë", password="pässwörd:🔑", company_key="K&Y /+ü")

    assert caller.call("GET", "/teams", params=caller.key).status_code == 200
    assert caller.status(caller.started()["statusUrl"])["result"]["runnerState"] == "RUNNING"


@pytest.mark.parametrize(("verb", "path"), CALLS[:3])
def test_company_key(caller, verb, path):
    """Without a company key a call is bad (400, documented), with a wrong one forbidden (403, the sandbox's choice)."""
    assert caller.call(verb, path, params=caller.window).status_code == 400
    assert caller.call(verb, path, params={**caller.window, "companyKey": "other"}).status_code == 403


def test_a_status_needs_the_key_or_the_token(caller):
    """Either the company key or the job's own access token opens a status, neither and wrong ones do not."""
    plain = caller.started()["statusUrl"].split("?")[0]
    token = caller.sandbox.exports[0].token
    caller.started()
    other = caller.sandbox.exports[1].token

    def status(**query):
        return caller.call("GET", plain, params=query).status_code

    assert status(**caller.key) == status(analyticsAccessToken=token) == 200
    assert status(**caller.key, analyticsAccessToken=token) == 200
    assert status() == 400
    assert status(companyKey="other") == status(analyticsAccessToken=other) == 403
    assert status(**caller.key, analyticsAccessToken=other) == status(companyKey="x", analyticsAccessToken=token) == 403


def test_both_documented_status_paths(caller):
    """The path of real answers and the one in the OpenAPI file lead to the same job."""
    caller.sandbox.seconds = 10
    url = caller.started()["statusUrl"]

    assert caller.status(url.replace("/reports/report/", "/report/reports/")) == caller.status(url)


@pytest.mark.parametrize("action", ["status", "download"])
def test_unknown_ids(caller, action):
    """Ids that belong to no export, or not together, get 404."""
    first, second = caller.started(), caller.started()
    mixed = second["statusUrl"].replace(second["workflowId"], first["workflowId"]).replace("/status", f"/{action}")

    assert caller.call("GET", mixed).status_code == 404
    assert caller.call("GET", f"/reports/report/a/b/{action}", params=caller.key).status_code == 404


def test_a_run_id_must_be_encoded_whole(caller):
    """A slash of the runId that is left unencoded makes another path, which does not exist."""
    url = caller.started()["statusUrl"]

    assert caller.call("GET", url.replace("%2F", "/")).status_code == 404
    assert caller.call("GET", url.replace("%2B", "+").replace("%3D", "=")).status_code == 200


@pytest.mark.parametrize("path", ["/teams", "/config/timezones"])
def test_lookups_are_read_only(caller, path):
    """Look-ups answer GET alone."""
    answer = caller.call("POST", path, params=caller.key)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("action", ["status", "download"])
def test_jobs_are_read_only(caller, action):
    """Status and download answer GET alone."""
    url = caller.started()["statusUrl"].replace("/status", f"/{action}")

    assert caller.call("POST", url).status_code == 405


@pytest.mark.parametrize("path", ["", "/", "/api/publicteams", "/x/api/public/teams", "/api/public/reports/jobs/x"])
def test_other_paths(caller, path):
    """What the API does not have is 404."""
    answer = caller.call("GET", caller.sandbox.base_url + path, params=caller.key)

    assert answer.status_code == 404
    assert caller.sandbox.requests[-1].phase is None


def test_requests_without_a_session(caller):
    """Nothing depends on cookies or on a connection: each call stands alone."""
    answer = requests.get(
        f"{caller.sandbox.base_url}/api/public/teams", params=caller.key, auth=caller.auth, timeout=10
    )

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
