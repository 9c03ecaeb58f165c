"""Load: many threads and many exports on one client, and a day of waiting; nothing is mixed up, and nothing grows."""

import gc
import io
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from khoros_analytics import JobTimeoutError
from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")
THREADS = 32
QUOTA, MINUTE = 200, 60.0  # the true quota makes this an hour on the clock, and ten times as many wakings
DAY = 24 * 3600
PRIORITIES = 6


def descriptors():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def settled(measure, least):
    """Measure again until it is down to so much: a thread that is just ending may take its moment."""
    limit = time.monotonic() + 10
    while measure() > least and time.monotonic() < limit:
        time.sleep(0.02)
    return measure()


def busiest_minute(times):
    """Return the largest number of moments in any 60 seconds."""
    times = sorted(times)
    return max(
        sum(start <= moment < start + MINUTE - 0.001 for moment in times[at : at + 100])
        for at, start in enumerate(times)
    )


class Replay(HTTPAdapter):
    """Gives the sandbox's first answer to a status request to all others: a day of them takes seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies = []

    def send(self, request, **settings):
        if "/status" not in request.url:
            return super().send(request, **settings)
        if not self.bodies:
            self.bodies.append(super().send(request, **settings).content)
        raw = HTTPResponse(io.BytesIO(self.bodies[0]), status=200, preload_content=False)
        return self.build_response(request, raw)


@pytest.mark.slow
@pytest.mark.parametrize("exports", [100, 500])
def test_32_threads(run, folder, crowd, exports):
    """32 threads get all exports from one client: every file is right, each export is started once, no 60 seconds
    hold more requests than the quota, the server refuses none, and no connection, descriptor or thread is left.
    """
    threads, open_before = threading.active_count(), descriptors()
    world = run(
        {"clock": crowd, "requests_per_minute": QUOTA, "rows": 20}, requests_per_minute=QUOTA, request_deadline=DAY
    )
    numbers = iter(range(exports))
    taking = threading.Lock()
    barrier = threading.Barrier(THREADS)

    def work(_):
        done = []
        with crowd.taking_part():
            barrier.wait(30)
            while True:
                with taking:
                    number = next(numbers, None)
                if number is None:
                    return done
                # Each number asks for columns of its own, so that a mixed-up file would show.
                job = world.client.response(*WINDOW, metrics=[f"Number {number}"], priorities=[number % PRIORITIES])
                done.append((job.workflow_id, number, job.download(folder / f"{number}.csv", timeout=DAY)))

    with ThreadPoolExecutor(THREADS) as pool:
        results = [each for done in pool.map(work, range(THREADS)) for each in done]

    assert len(results) == len({workflow_id for workflow_id, _, _ in results}) == exports
    assert len(world.sandbox.exports) == world.sandbox.count("create") == exports
    contents = {export.workflow_id: export.content() for export in world.sandbox.exports}
    for workflow_id, number, path in results:
        assert path.read_bytes() == contents[workflow_id]
        assert path.read_bytes().startswith(f"Number {number}\r\n".encode())
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{number}.csv" for number in range(exports))
    records = world.sandbox.requests
    assert {record.status for record in records} == {200, 302}
    assert busiest_minute([record.time for record in records if record.origin == "api"]) <= QUOTA

    world.client.close()
    world.sandbox.stop()
    assert settled(threading.active_count, threads) <= threads
    assert settled(descriptors, open_before) <= open_before


@pytest.mark.slow
def test_a_day_of_polling_does_not_grow(run):
    """A job that never ends is waited for a whole day: the memory is the same at night as in the morning, the history
    keeps its last thousand attempts, and the looks stay within the quota.
    """
    world = run()
    session = Session()
    session.trust_env = False  # looking for proxies takes longer than all the rest
    session.mount("http://", Replay())
    world.sandbox.fail("create", faults.JobNeverEnds())
    job = world.start(client=world.connect(session=session))
    began, blocks, looks = world.clock.time(), [], Counter()

    def measure(job):
        hour = int((world.clock.time() - began) // 3600)
        looks[hour] += 1
        if looks[hour] == 1 and hour in (8, 13, 18, 23):
            gc.collect()
            blocks.append(sys.getallocatedblocks())

    with pytest.raises(JobTimeoutError, match="86400 s") as caught:
        job.wait(timeout=DAY, on_update=measure)

    assert DAY - 2 <= world.clock.time() - began <= DAY + 1
    first, *later = blocks
    assert len(later) == 3
    # One object that each poll left behind would be 1,200 more every time.
    assert max(later) - first < 600
    assert len(job.history) == 1000
    assert len(str(caught.value)) < 2000
    assert set(looks) == set(range(24))
    assert sum(looks.values()) > 5000
    assert max(looks.values()) <= 20 * 60
    session.close()
