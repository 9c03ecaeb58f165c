"""How long a job is waited for, how often it is asked for, and what ends the waiting."""

import itertools

import pytest

from khoros_analytics import JobFailedError, JobTimeoutError, ParameterError
from khoros_analytics.sandbox import VirtualClock, faults

ENDLESS = faults.JobNeverEnds()
CLOSED = ("COMPLETED", "", "ARCHIVED")
FOR_EVER = 1_000_000


def close_without_link(sandbox, detail, looks):
    """Let so many looks find a job CLOSED with no link yet."""
    if detail == "COMPLETED":
        sandbox.empty_links = looks
    else:
        sandbox.fail("status", faults.JobState("CLOSED", detail), times=looks)


@pytest.mark.parametrize("timeout", [0.2, 5, 60, 1000])
@pytest.mark.parametrize("act", ["wait", "download"])
def test_the_time_is_over(world, folder, timeout, act):
    """A passed deadline is a JobTimeoutError within a second of it, after a last look shortly before it; the job lives
    on, and is in the error.
    """
    world.sandbox.fail("create", ENDLESS)
    job = world.start()
    began = world.clock.time()

    with pytest.raises(JobTimeoutError) as caught:
        getattr(job, act)(**({"path": folder} if act == "download" else {}), timeout=timeout)

    assert abs(world.clock.time() - began - timeout) <= 1
    assert 0 <= began + timeout - world.of("status")[-1].time <= 1
    assert caught.value.job is job
    assert isinstance(caught.value, TimeoutError)
    assert "client.job" in str(caught.value)
    assert job.workflow_id in str(caught.value)
    assert caught.value.job.refresh().status.state == "RUNNING"
    assert list(folder.iterdir()) == []


def test_six_hours_by_default(world):
    """Nobody waits for ever: without a timeout six hours are the end."""
    world.sandbox.fail("create", ENDLESS)
    job, began = world.start(), world.clock.time()
    times = []

    def dawdle(_job):
        times.append(world.clock.time())
        world.clock.sleep(min(600, max(0, began + 6 * 3600 - 60 - times[-1])))

    with pytest.raises(JobTimeoutError):
        job.wait(on_update=dawdle)

    assert world.clock.time() - began == pytest.approx(6 * 3600, abs=1)
    assert times[-1] - began == pytest.approx(6 * 3600, abs=1)


@pytest.mark.parametrize("running", ["object", "list"])
def test_a_running_job_in_both_shapes(run, folder, running):
    """A running job is waited for whether its status comes as an object or in a list."""
    world = run({"polls": 3, "running": running})

    assert world.start().download(folder).read_bytes() == world.content()
    assert world.sandbox.count("status") == 3


def test_waiting_on(run):
    """After a passed deadline the same job can be waited for again, and is not started again."""
    world = run({"seconds": 10})
    job = world.start()
    with pytest.raises(JobTimeoutError):
        job.wait(timeout=4)

    assert job.wait().status.detail == "COMPLETED"
    assert world.sandbox.count("create") == 1


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "60", True, [60]])
@pytest.mark.parametrize("act", ["wait", "download"])
def test_timeouts_that_are_none(world, act, timeout):
    """A timeout that is not a number of seconds is a ParameterError, and nothing is asked."""
    job = world.start()

    with pytest.raises(ParameterError, match="timeout"):
        getattr(job, act)(timeout=timeout)

    assert world.counts() == world.Counts(create=1)


def test_no_time_at_all(world):
    """timeout=0 looks once at the most, without waiting."""
    job, began = world.start(), world.clock.time()

    with pytest.raises(JobTimeoutError):
        job.wait(timeout=0)

    assert world.clock.time() == began
    assert world.sandbox.count("status") <= 1


def test_a_server_that_fails_until_the_end(run):
    """A server that answers no look ends in the error of its last answer or of the deadline, never later than that."""
    world = run(retries=1000)
    world.sandbox.fail("status", faults.HttpStatus(503), times=None)
    job, began = world.start(), world.clock.time()

    with pytest.raises(JobTimeoutError) as caught:
        job.wait(timeout=200)

    assert abs(world.clock.time() - began - 200) <= 1
    assert caught.value.job is job


@pytest.mark.parametrize("phase", ["status", "download", "file"])
def test_an_answer_after_the_deadline(run, folder, phase):
    """An answer that comes when the time is over is too late, even a good one; asked again, the job is all right."""
    world = run({"polls": 1})
    world.sandbox.fail(phase, faults.Delay(1000))
    job = world.start()

    with pytest.raises(JobTimeoutError):
        job.download(folder, timeout=100)

    assert list(folder.iterdir()) == []
    assert job.download(folder).read_bytes() == world.content()


def test_the_pauses(run):
    """Looks come after about 30 percent of the job's age, between 3 and 15 seconds."""
    world = run({"seconds": 300})
    world.start().wait()

    times = [world.sandbox.exports[0].started, *(record.time for record in world.of("status"))]
    for before, after in itertools.pairwise(times):
        age = before - times[0]
        assert after - before == pytest.approx(min(max(0.3 * age, 3), 15), abs=0.2)


@pytest.mark.parametrize("detail", CLOSED)
def test_patience_with_a_closed_job(run, detail):
    """A job that is CLOSED without a file is asked again for ten minutes, then a JobFailedError says what was seen."""
    world = run({"seconds": 0})
    world.sandbox.fail("status", faults.JobState("RUNNING", ""), times=2)
    close_without_link(world.sandbox, detail, FOR_EVER)
    job = world.start()

    with pytest.raises(JobFailedError, match=f"CLOSED {detail}".strip()) as caught:
        job.wait()

    first = world.of("status")[2].time
    assert 600 <= world.clock.time() - first <= 616
    assert caught.value.job is job
    assert "10 minutes" in str(caught.value)
    assert job.expires_at is None


@pytest.mark.parametrize("detail", CLOSED)
def test_a_link_that_comes_late(run, detail, folder):
    """A link that comes within those ten minutes is as good as any."""
    world = run({"seconds": 0})
    close_without_link(world.sandbox, detail, 30)

    path = world.start().download(folder)

    assert path.read_bytes() == world.content()
    assert world.counts().status == 31


def test_patience_begins_anew(world, folder):
    """A job that runs again in between gets its ten minutes anew."""
    for _ in range(2):
        world.sandbox.fail("status", faults.JobState("CLOSED", ""), times=30)
        world.sandbox.fail("status", faults.JobState("RUNNING", ""))

    assert world.start().download(folder).read_bytes() == world.content()
    assert world.clock.time() - world.sandbox.exports[0].started > 601


def test_patience_ends_with_the_deadline(world):
    """The caller's deadline ends the patience, too."""
    world.sandbox.fail("status", faults.JobState("CLOSED", ""), times=None)

    with pytest.raises(JobTimeoutError, match="CLOSED"):
        world.start().wait(timeout=100)


def looks_of(world, **arguments):
    before = world.sandbox.count("status")
    world.start(**arguments).wait()
    return world.sandbox.count("status") - before


def test_learning(run):
    """Where five exports of one report and window length took the same time, the next one is asked for just before."""
    world = run({"seconds": 100})
    first = [looks_of(world) for _ in range(5)]

    assert min(first) == max(first) >= 10
    assert looks_of(world) <= 2
    assert 95 <= world.of("status")[-1].time - world.sandbox.exports[-1].started <= 115


@pytest.mark.parametrize("other", [{"name": "response"}, {"end": "2019-02-03"}], ids=str)
def test_learning_is_about_one_kind(run, other):
    """What was learned of one report and window length says nothing about another one."""
    world = run({"seconds": 100})
    for _ in range(5):
        looks_of(world)

    before = world.sandbox.count("status")
    world.client.start(other.get("name", "conversation"), "2019-02-01", other.get("end", "2019-02-02")).wait()

    assert world.sandbox.count("status") - before >= 10


def test_nothing_is_learned_from_disagreement(run):
    """Where past exports did not agree, the next one is asked for as if nothing were known."""
    world = run({"seconds": itertools.cycle([10, 100, 400, 30, 200]).__next__})
    for _ in range(10):
        looks_of(world)
    world.sandbox.seconds = 100

    assert looks_of(world) >= 10


def test_nothing_is_learned_from_who_looks_late(run):
    """Somebody who looks hours later has learned nothing about how long an export takes."""
    world = run({"seconds": 100})
    for _ in range(6):
        job = world.start()
        world.clock.sleep(7200)
        job.wait()

    assert looks_of(world) >= 10


class Interrupting(VirtualClock):
    """A clock on which somebody presses Ctrl-C in one of the sleeps."""

    after = 0

    def sleep(self, seconds):
        if self.after == 1:
            self.after = 0
            raise KeyboardInterrupt
        self.after = max(0, self.after - 1)
        super().sleep(seconds)


@pytest.mark.parametrize("sleep", [1, 2, 3])
@pytest.mark.parametrize("act", ["wait", "download"])
def test_ctrl_c_while_waiting(run, folder, act, sleep):
    """Ctrl-C leaves the job running: its message holds the token that finds it again, and no file is left."""
    world = run({"clock": Interrupting(), "seconds": 10})
    job = world.start()
    world.clock.after = sleep

    with pytest.raises(KeyboardInterrupt) as caught:
        getattr(job, act)(**({"path": folder} if act == "download" else {}))

    assert job.token in str(caught.value)
    assert "client.job(" in str(caught.value)
    assert job.workflow_id in str(caught.value)
    assert list(folder.iterdir()) == []
    again = world.connect().job(str(caught.value).split("'")[1])
    assert again.download(folder).read_bytes() == world.content()
    assert world.sandbox.count("create") == 1


def test_ctrl_c_in_the_middle_of_a_file(run, folder):
    """Ctrl-C within a download leaves no file, and the job can go on."""
    world = run({"clock": Interrupting()})
    job = world.ready()
    world.sandbox.fail("file", faults.ResetWithin(0.5))
    world.clock.after = 1

    with pytest.raises(KeyboardInterrupt, match=r"khoros2\."):
        job.download(folder)

    assert list(folder.iterdir()) == []
    assert job.download(folder).read_bytes() == world.content()


def test_a_creation_under_way_when_its_time_is_over(world):
    """An answer that comes after the deadline leaves open whether the export was started, and no refusal that came
    before it says otherwise.
    """
    world.sandbox.fail("create", faults.HttpStatus(429, retry_after="10"))
    world.sandbox.fail("create", faults.Delay(400))

    with pytest.raises(JobTimeoutError) as caught:
        world.start()

    assert len(world.sandbox.exports) == 1
    assert caught.value.may_have_started is True
