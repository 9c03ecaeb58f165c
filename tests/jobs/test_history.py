"""One honest deadline, and where the time went: in the job's history, and in the text of every error of a job."""

import re
import threading
import time
from datetime import UTC, datetime

import pytest

from khoros_analytics import (
    DownloadError,
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    TargetError,
    TargetExistsError,
)
from khoros_analytics.sandbox import Clock, faults

PIECE = 1024 * 1024
HISTORY = "What was tried: "


def seconds_of(text, reason):
    """Return the seconds that an error's text gives for a reason."""
    found = re.search(rf"([\d.]+) s {reason}", text.partition(HISTORY)[2])
    return float(found[1]) if found else 0.0


# --- one deadline -------------------------------------------------------------------------------------------------


def use_up_the_quota(world, _folder):
    """The quota is used up by others: three look-ups where three are allowed."""
    for _ in range(3):
        world.client.teams()


SPENT = {
    "next poll": (
        lambda world, _: world.sandbox.fail("status", faults.JobState("RUNNING", ""), times=None),
        "next poll",
    ),
    "failing looks": (lambda world, _: world.sandbox.fail("status", faults.HttpStatus(503), times=None), "repetition"),
    "Retry-After": (
        lambda world, _: world.sandbox.fail("status", faults.HttpStatus(429, retry_after="1000"), times=None),
        "repetition",
    ),
    "slow answers": (lambda world, _: world.sandbox.fail("status", faults.Delay(20.0), times=None), "asking"),
    "failing file": (lambda world, _: world.sandbox.fail("file", faults.HttpStatus(503), times=None), "repetition"),
    "dying links": (lambda world, _: world.sandbox.fail("file", faults.Expired(), times=None), "repetition"),
    "quota": (use_up_the_quota, "quota"),
}


ROUTES = {
    "download": lambda job, folder: job.download(folder, timeout=0),
    "rows": lambda job, folder: job.rows(timeout=0),
    "rows, kept": lambda job, folder: job.rows(keep=folder, timeout=0),
    "batches": lambda job, folder: job.batches(timeout=0),
    "to_arrow": lambda job, folder: job.to_arrow(timeout=0),
    "to_pandas": lambda job, folder: job.to_pandas(timeout=0),
    "to_polars": lambda job, folder: job.to_polars(timeout=0),
    "to_parquet": lambda job, folder: job.to_parquet(folder / "x.parquet", timeout=0),
    "to_excel": lambda job, folder: job.to_excel(folder / "x.xlsx", timeout=0),
}


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_no_time_at_all(world, folder, route, ready):
    """A deadline that has passed is a JobTimeoutError on every way to the file, also on a clock that moves on."""
    job = world.start(client=world.connect(clock=Clock()))
    if ready:
        job.refresh()
    with pytest.raises(JobTimeoutError) as caught:
        route(job, folder)
    assert caught.value.job is job
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("timeout", [40, 50.5])
@pytest.mark.parametrize(("spend", "reason"), SPENT.values(), ids=SPENT)
def test_the_time_is_over(run, folder, spend, reason, timeout):
    """Whatever the time is spent on, the error comes within a second of the deadline, carries the job, which lives on,
    and says on what most of the time was spent.
    """
    looks = 5 if reason == "asking" else 1
    world = run({"polls": looks}, retries=10_000, requests_per_minute=4 if reason == "quota" else 10_000)
    job = world.start()
    spend(world, folder)
    began = world.clock.time()

    with pytest.raises(JobTimeoutError) as caught:
        job.download(folder, timeout=timeout)

    # On a virtual clock no request can be interrupted: one that takes 20 seconds takes 20 seconds.
    took = world.clock.time() - began
    assert timeout - 1 <= took <= timeout + (20 if reason == "asking" else 1)
    text = str(caught.value)
    assert caught.value.job is job
    assert job.workflow_id in text
    assert text.count(HISTORY) == 1
    parts = {name: seconds_of(text, name) for name in ("asking", "next poll", "repetition", "quota")}
    assert max(parts, key=parts.get) == reason, text
    assert sum(parts.values()) == pytest.approx(took, abs=1), text
    world.sandbox.heal()
    world.clock.sleep(60)
    assert job.download(folder).read_bytes() == world.content()
    assert world.count("create") == 1


def test_a_slow_body(run, folder):
    """A body that comes byte by byte, for hours, is left alone at the deadline; a busy machine needs some seconds."""
    world = run({"clock": Clock(), "rows": 1000}, timeout=(5, 5))
    job = world.client.job(world.start().refresh().token).wait()
    world.sandbox.fail("file", faults.Slow(pause=0.3, every=1))
    began = time.monotonic()

    with pytest.raises(JobTimeoutError) as caught:
        job.download(folder, timeout=0.7)

    assert 0.6 <= time.monotonic() - began < 20
    assert caught.value.job is job
    assert "download" in str(caught.value).partition(HISTORY)[2]
    world.sandbox.heal()
    assert job.download(folder).read_bytes() == world.content()


@pytest.mark.parametrize("where", ["status", "file"])
def test_a_host_that_says_nothing(run, folder, where):
    """A host that takes the request and never answers is left alone at the deadline, not after a read timeout."""
    world = run({"clock": Clock()}, timeout=(5, 60))
    job = world.client.job(world.start().refresh().token).wait()
    if where == "status":
        job = world.client.job(job.token)
    world.sandbox.fail(where, faults.Stall(0), times=None)
    began = time.monotonic()

    with pytest.raises(JobTimeoutError) as caught:
        job.download(folder, timeout=0.7)

    assert 0.1 <= time.monotonic() - began < 20
    assert caught.value.job is job
    assert [path.suffix for path in folder.iterdir()] == []


def test_the_default(run, folder):
    """Without a timeout there is still an end: six hours, as documented."""
    world = run(retries=10_000)
    world.sandbox.fail("file", faults.HttpStatus(429, retry_after="120"), times=None)
    job = world.start()
    began = world.clock.time()

    with pytest.raises(JobTimeoutError):
        job.download(folder)

    assert world.clock.time() - began == pytest.approx(6 * 3600, abs=1)
    assert "6 hours" in type(job).download.__doc__
    assert "6 hours" in type(job).wait.__doc__


# --- history ------------------------------------------------------------------------------------------------------


def test_every_attempt(run, folder):
    """Each attempt stands in the history with its time, phase and outcome, and the wait before it with its reason."""
    world = run({"polls": 2, "size": 3 * PIECE})
    world.sandbox.fail("create", faults.HttpStatus(429, retry_after="7"))
    world.fail_in_turn("status", faults.JobState("RUNNING", ""), faults.HtmlPage())
    world.fail_in_turn("file", faults.Cut(PIECE), faults.HttpStatus(403))
    began = world.clock.time()

    job = world.start()
    job.download(folder)

    found = [(attempt.phase, attempt.outcome, attempt.reason) for attempt in job.history]
    assert found == [
        ("create", "HTTP 429, RateLimitError", ""),
        ("create", "HTTP 200", "repetition"),
        ("status", "HTTP 200", "next poll"),
        ("status", "HTTP 200, UnexpectedReplyError", "next poll"),
        ("status", "HTTP 200", "repetition"),
        ("download", "HTTP 200, TransportError", ""),
        ("status", "HTTP 200", "repetition"),
        ("download", "HTTP 403, IncompleteDownloadError", ""),
        ("download", "HTTP 206", "repetition"),
    ]
    assert job.history[0].at == datetime.fromtimestamp(began, UTC)
    assert (job.history[1].waited, job.history[2].waited) == (7.0, 3.0)
    assert sum(attempt.waited for attempt in job.history) == pytest.approx(world.clock.time() - began)


def test_waits_for_the_quota(run):
    """A wait for the quota is the wait of the attempt that it held up, and not a part of that attempt."""
    world = run(requests_per_minute=1)
    job = world.start()
    job.refresh()

    one, two = job.history
    assert (one.waited, one.reason) == (0.0, "")
    assert (two.phase, two.reason) == ("status", "quota")
    assert two.waited == pytest.approx(60, abs=1)
    assert two.at == datetime.fromtimestamp(world.clock.time(), UTC)


def test_the_history_of_one_that_was_found_again(run, journal):
    """A job that was found again tells what was done for it since, and nothing that it cannot know."""
    world = run(journal=journal)
    world.start()
    job = world.start()
    assert job.history == ()

    assert [attempt.phase for attempt in job.refresh().history] == ["status"]


def test_a_history_without_end(run):
    """The history of a job that is asked for very often stays small: the last thousand attempts."""
    world = run(requests_per_minute=1_000_000)
    world.sandbox.fail("status", faults.JobState("RUNNING", ""), times=None)
    job = world.start()
    attempt = job.refresh().history[-1]
    for _ in range(1100):
        job._remote.history.attempted("status", world.clock.monotonic(), "HTTP 200")

    assert len(job.history) == 1000
    assert job.history[-1].phase == attempt.phase
    assert "1102 requests" in job._remote.history.summary()


ENDS = {
    JobFailedError: lambda world, folder: world.sandbox.fail("status", faults.JobFails("why not")),
    JobTimeoutError: lambda world, folder: world.sandbox.fail("status", faults.JobNeverEnds()),
    DownloadExpiredError: lambda world, folder: world.sandbox.fail("download", faults.HttpStatus(410), times=None),
    IncompleteDownloadError: lambda world, folder: world.sandbox.fail("file", faults.EmptyAnswer(), times=None),
    DownloadError: lambda world, folder: world.sandbox.fail("file", faults.Endless()),
    TargetExistsError: lambda world, folder: (folder / "file.csv").touch(),
    TargetError: lambda world, folder: (folder / "file.csv").mkdir(),
}


@pytest.mark.parametrize(("error", "end"), ENDS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_errors_of_a_job(run, folder, error, end):
    """Every error of a job or its file carries the live job, and ends with a short form of the history, once; what was
    asked of the server says nothing about a place on disk.
    """
    world = run(max_bytes=10 * PIECE, retries=1)
    job = world.start()
    end(world, folder)
    target = folder / "file.csv"
    if error is TargetError:
        target = folder / "file.csv" / "no" / "x.csv"

    with pytest.raises(error) as caught:
        job.download(target, timeout=1000)

    text = str(caught.value)
    assert type(caught.value) is error
    first, _, story = text.partition(HISTORY)
    assert first.strip()
    assert text.count(HISTORY) == (not issubclass(error, TargetError))
    assert not story or f"{len(job.history)} requests" in story
    assert not story or str(job.history[-1]) in story
    assert caught.value.job is job
    assert isinstance(job.refresh().status.state, str)


def test_the_story_is_short(run):
    """However much was tried, the text of an error stays short."""
    world = run(retries=10_000)
    job = world.start()
    world.sandbox.fail("status", faults.HttpStatus(503), times=None)

    with pytest.raises(JobTimeoutError) as caught:
        job.wait(timeout=3000)

    assert len(job.history) > 20
    assert len(str(caught.value).replace(job.token, "")) < 1000


def test_errors_in_threads(run, folder):
    """Threads that share a failing job each get an error with a history of its own."""
    world = run(retries=0)
    job = world.start().wait()
    world.sandbox.fail("file", faults.HttpStatus(410), times=None)
    world.sandbox.fail("status", faults.HttpStatus(404), times=None)
    errors = []

    def fetch():
        try:
            job.download(folder)
        except KhorosError as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [type(error) for error in errors] == [DownloadExpiredError] * 4
    assert len({id(error) for error in errors}) == 4
    assert all(str(error).count(HISTORY) == 1 for error in errors)
