"""The quota: so many requests to the API in any 60 seconds of the sandbox's clock, when asked for."""

import pytest

from khoros_analytics.sandbox import faults


def codes(caller, count):
    return [caller.call("GET", "/teams", params=caller.key).status_code for _ in range(count)]


def test_no_quota_unless_asked_for(caller):
    """By default a hundred calls at one moment are fine."""
    assert set(codes(caller, 100)) == {200}


def test_the_window_slides(run):
    """Of any 60 seconds at most so many calls are let through, and each makes room exactly 60 seconds later."""
    caller = run(requests_per_minute=3)
    assert codes(caller, 2) == [200, 200]
    caller.sandbox.clock.sleep(30)
    assert codes(caller, 3) == [200, 429, 429]
    caller.sandbox.clock.sleep(29.9)
    assert codes(caller, 1) == [429]
    caller.sandbox.clock.sleep(0.1)

    assert codes(caller, 3) == [200, 200, 429]


def test_a_refused_call_is_an_envelope_and_does_not_count(run):
    """What the API says is unknown: the sandbox says FAIL. Refused calls do not push the window on."""
    caller = run(requests_per_minute=1)
    codes(caller, 1)
    refused = caller.call("GET", "/teams", params=caller.key)
    caller.sandbox.clock.sleep(60)

    assert refused.json()["status"] == "FAIL"
    assert "Retry-After" not in refused.headers
    assert codes(caller, 2) == [200, 429]


def test_retry_after(run):
    """When asked for, a refusal says in whole seconds when there is room again, and that is true."""
    caller = run(requests_per_minute=2, retry_after=True)
    codes(caller, 1)
    caller.sandbox.clock.sleep(12.5)
    codes(caller, 1)
    refused = caller.call("GET", "/teams", params=caller.key)

    assert refused.headers["Retry-After"] == "48"
    caller.sandbox.clock.sleep(48)
    assert codes(caller, 1) == [200]


def test_every_call_to_the_api_counts(run):
    """Creation, status, download, look-ups and calls without credentials count alike."""
    caller = run(requests_per_minute=5, polls=1)
    url = caller.started()["statusUrl"]
    link = caller.status(url)["jobInfo"]["downloadUrl"]
    signed = caller.call("GET", link, allow_redirects=False).headers["Location"]
    assert caller.call("GET", "/config/timezones", params=caller.key).status_code == 200
    assert caller.call("GET", "/teams", auth=None).status_code == 401

    assert caller.call("GET", "/teams", params=caller.key).status_code == 429
    # The file host is another server.
    assert [caller.fetch(signed).status_code for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("limit", [1, 4])
def test_it_can_be_changed(run, limit):
    """The limit may be changed while the sandbox runs."""
    caller = run()
    codes(caller, 3)
    caller.sandbox.requests_per_minute = limit

    assert codes(caller, limit + 1) == [200] * limit + [429]


def test_a_refused_call_meets_no_fault(run):
    """A fault waits for a call that the quota lets through."""
    caller = run(requests_per_minute=1)
    codes(caller, 1)
    caller.sandbox.fail("teams", faults.HttpStatus(500))
    assert codes(caller, 1) == [429]
    caller.sandbox.clock.sleep(60)

    assert codes(caller, 1) == [500]
