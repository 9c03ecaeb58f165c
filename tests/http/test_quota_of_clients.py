"""The quota: at most so many requests in any 60 seconds, for all clients of an account."""

import gc

import pytest

from khoros_analytics import Client, JobTimeoutError

WINDOW = ("2019-02-01", "2019-02-02")


@pytest.fixture
def times(api, clock):
    """The moments at which the API's requests came."""
    seen = []
    right = api.right

    def noting(phase):
        if phase != "file":
            seen.append(clock.time())
        return right(phase)

    api.right = noting
    return seen


def most_in_a_minute(times):
    return max(sum(start <= moment < start + 60 for moment in times) for start in times)


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_pacing(connect, times, limit):
    """Calls are paced so that no 60 seconds hold more than the limit, and no slower than that."""
    client = connect(requests_per_minute=limit)
    for _ in range(4 * limit):
        client.teams()

    assert most_in_a_minute(times) == limit
    assert times[-1] - times[0] == pytest.approx(180, abs=1)


def test_clients_of_one_account_share_it(connect, times, clock, secrets):
    """All clients of one account count together, and the lowest of their limits holds as long as they live."""
    generous = connect(requests_per_minute=10)
    strict = Client(**secrets, base_url="https://api.example", clock=clock, requests_per_minute=4)
    for _ in range(6):
        generous.teams()
        strict.teams()

    assert most_in_a_minute(times) == 4

    strict.close()
    del strict
    gc.collect()
    times.clear()
    for _ in range(20):
        generous.teams()

    assert most_in_a_minute(times) in range(5, 11)


@pytest.mark.parametrize(
    ("other", "paced"),
    [
        ({"username": "somebody"}, True),
        ({"base_url": "https://API.example:443/"}, True),
        ({"company_key": "another"}, False),
        ({"base_url": "https://127.0.0.1"}, False),
    ],
    ids=str,
)
def test_what_an_account_is(api, connect, clock, other, paced):
    """An account is the base URL's origin and the company key: others have a quota of their own."""
    right, api.right = api.right, lambda phase: right("teams")
    first, second = connect(requests_per_minute=1), connect(**{"requests_per_minute": 1, **other})

    first.teams()
    second.teams()

    assert (sum(clock.sleeps) >= 59) is paced


def test_repetitions_count(api, connect, clock):
    """Each attempt is a request of its own for the quota."""
    api.next("teams", *[(503, {"Retry-After": "0"}, "")] * 3)

    connect(requests_per_minute=2).teams()

    assert sum(clock.sleeps) >= 60


def test_attempts_that_never_got_through_count(api, connect, clock):
    """A request that ended in an error counts as well: the server may have seen it."""
    api.next("teams", *[OSError("network is down")] * 3)

    connect(requests_per_minute=2).teams()

    assert sum(clock.sleeps) >= 60


def test_the_file_host_does_not_count(api, connect, clock, tmp_path):
    """An export that is ready at the first look takes three requests of the quota; the file itself takes none."""
    connect(requests_per_minute=3).conversation(*WINDOW).download(tmp_path)

    assert api.count("file") == 1
    assert sum(clock.sleeps) == 3  # the pause before the first look, and nothing for the quota


@pytest.mark.parametrize(("before", "lines"), [(19, 0), (20, 1)])
def test_a_line_in_the_log(connect, caplog, before, lines):
    """A call that waits more than a second for the quota says so once."""
    client = connect()
    for _ in range(before):
        client.teams()

    with caplog.at_level("INFO", logger="khoros_analytics"):
        client.teams()

    waiting = [record for record in caplog.records if "quota" in record.getMessage()]
    assert len(waiting) == lines
    assert all("waiting 60 s for the quota of 20 requests a minute" in record.getMessage() for record in waiting)
    assert all(record.getMessage().startswith("the teams, lookup call: ") for record in waiting)


@pytest.fixture(autouse=True)
def played(api):
    """The API answers in all these tests."""
    return api


def test_the_history_tells_the_wait(connect):
    """A job's history tells how long each of its requests waited for the quota."""
    client = connect(requests_per_minute=1)
    job = client.conversation(*WINDOW).refresh()

    assert [attempt.waited for attempt in job.history] == [pytest.approx(0, abs=1), pytest.approx(60, abs=1)]


@pytest.mark.parametrize("method", ["conversation", "teams"])
def test_no_turn_before_the_deadline(api, connect, clock, method):
    """Who gets no turn before the deadline is told so within a second of it, and nothing was sent."""
    client = connect(requests_per_minute=1, request_deadline=30)
    client.teams()
    began = clock.time()

    with pytest.raises(JobTimeoutError, match="quota") as caught:
        getattr(client, method)(*(WINDOW if method == "conversation" else ()))

    assert 29 <= clock.time() - began <= 31
    assert len(api.requests) == 1
    assert caught.value.may_have_started is (False if method == "conversation" else None)
