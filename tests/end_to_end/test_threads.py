"""One client, many threads: all get their files, and the quota holds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")
MINUTE = 60.0


def busiest_minute(world):
    """Return the largest number of requests to the API in any 60 seconds of the sandbox's clock."""
    times = sorted(record.time for record in world.sandbox.requests if record.origin == "api")
    return max(sum(start <= moment < start + MINUTE - 0.001 for moment in times) for start in times)


@pytest.fixture
def all_together(crowd):
    """Run a function in so many threads that share the clock."""

    def run(count, act):
        barrier = threading.Barrier(count)

        def one(number):
            with crowd.taking_part():
                barrier.wait(30)
                return act(number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run


@pytest.mark.parametrize(("count", "limit"), [(32, 20), (8, 5)])
def test_many_threads_share_a_client(run, folder, crowd, all_together, count, limit):  # noqa: PLR0917 - fixtures
    """Many threads each get their own file from one client; no 60 seconds hold more requests than the quota, which is
    used up all the same, and the server refuses none.
    """
    world = run({"clock": crowd, "requests_per_minute": limit}, requests_per_minute=limit, request_deadline=3600)
    began = crowd.time()

    def one(number):
        job = world.client.response(*WINDOW, priorities=[number % 6])
        return job, job.download(folder / f"{number}.csv")

    results = all_together(count, one)

    assert len({job.workflow_id for job, _ in results}) == count
    contents = {export.workflow_id: export.content() for export in world.sandbox.exports}
    assert all(path.read_bytes() == contents[job.workflow_id] for job, path in results)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{number}.csv" for number in range(count))
    assert {record.status for record in world.sandbox.requests} == {200, 302}
    assert busiest_minute(world) == limit
    requests = sum(record.origin == "api" for record in world.sandbox.requests)
    assert crowd.time() - began <= MINUTE * (requests / limit + 1)


def test_threads_with_clients_of_their_own(run, crowd, all_together):
    """Clients of one account share its quota, however many there are."""
    world = run({"clock": crowd})
    clients = [world.connect(request_deadline=3600) for _ in range(8)]

    all_together(8, lambda number: [clients[number].teams() for _ in range(6)])

    assert len(world.sandbox.requests) == 48
    assert busiest_minute(world) == 20


@pytest.mark.slow
def test_first_come_first_served(run, crowd, all_together):
    """Nobody is overtaken for long: with one request a minute, each of the threads gets its turn."""
    world = run({"clock": crowd}, requests_per_minute=1, request_deadline=3600)

    all_together(6, lambda _: [world.client.teams(), world.client.timezones()])

    phases = [record.phase for record in world.sandbox.requests]
    assert phases == ["teams"] * 6 + ["timezones"] * 6


@pytest.mark.slow
def test_faults_among_threads(run, folder, crowd, all_together):
    """Faults that meet some of the threads disturb no other, and no creation happens twice."""
    world = run({"clock": crowd}, request_deadline=36_000)
    for phase, fault in (
        ("create", faults.HttpStatus(429, retry_after="5")),
        ("status", faults.Reset()),
        ("status", faults.EmptyAnswer()),
        ("download", faults.Expired()),
        ("file", faults.ResetWithin(0.5)),
        ("file", faults.HtmlPage()),
    ):
        world.sandbox.fail(phase, fault, times=4, skip=2)

    paths = all_together(16, lambda number: world.client.author(*WINDOW).download(folder / f"{number}.csv"))

    assert len(world.sandbox.exports) == 16
    assert {path.read_bytes() for path in paths} == {world.content()}
    assert len(list(folder.iterdir())) == 16
    assert world.sandbox.planned == []
    assert busiest_minute(world) <= 20
