"""Load: many threads and many exports on one client, and a day of waiting; nothing is mixed up, and nothing grows."""

import gc
import threading
import time
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from khoros_analytics import JobTimeoutError
from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")
THREADS, EXPORTS = 32, 500
QUOTA, MINUTE = 20, 60.0
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


def test_32_threads_500_exports(run, folder, crowd):
    """32 threads get 500 exports from one client: every file is right, each export is started once, no 60 seconds
    hold more requests than the quota, the server refuses none, and no connection, descriptor or thread is left.
    """
    threads, open_before = threading.active_count(), descriptors()
    world = run({"clock": crowd, "requests_per_minute": QUOTA, "rows": 20}, request_deadline=DAY)
    numbers = iter(range(EXPORTS))
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

    assert len(results) == len({workflow_id for workflow_id, _, _ in results}) == EXPORTS
    assert len(world.sandbox.exports) == world.sandbox.count("create") == EXPORTS
    contents = {export.workflow_id: export.content() for export in world.sandbox.exports}
    for workflow_id, number, path in results:
        assert path.read_bytes() == contents[workflow_id]
        assert path.read_bytes().startswith(f"Number {number}\r\n".encode())
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{number}.csv" for number in range(EXPORTS))
    records = world.sandbox.requests
    assert {record.status for record in records} == {200, 302}
    assert busiest_minute([record.time for record in records if record.origin == "api"]) <= QUOTA

    world.client.close()
    world.sandbox.stop()
    assert settled(threading.active_count, threads) <= threads
    assert settled(descriptors, open_before) <= open_before


def test_a_day_of_polling_does_not_grow(run):
    """A job that never ends is waited for a whole day: the memory is the same at noon as in the evening, the history
    keeps its last thousand attempts, and the looks stay within the quota.
    """
    world = run({"remember": 10}, requests_per_minute=QUOTA)
    world.sandbox.fail("create", faults.JobNeverEnds())
    job = world.start()
    began, sizes, looks = world.clock.time(), [], Counter()

    def measure(job):
        hour = int((world.clock.time() - began) // 3600)
        looks[hour] += 1
        if looks[hour] == 1 and hour in (12, 18, 23):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        with pytest.raises(JobTimeoutError, match="86400 s") as caught:
            job.wait(timeout=DAY, on_update=measure)
    finally:
        tracemalloc.stop()

    assert DAY - 2 <= world.clock.time() - began <= DAY + 1
    noon, *later = sizes
    assert len(later) == 2
    assert max(later) - noon < 100_000
    assert len(job.history) == 1000
    assert len(str(caught.value)) < 2000
    assert set(looks) == set(range(24))
    assert max(looks.values()) <= QUOTA * 60
