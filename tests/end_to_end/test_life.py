"""The life of a job: its history, its status, its token, and its second life in another client."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from khoros_analytics import Job, JobFailedError, ParameterError
from khoros_analytics.sandbox import Sandbox, VirtualClock, faults

WINDOW = ("2019-02-01", "2019-02-02")


def test_from_start_to_file(world, folder):
    """A job tells at any time what is known of it, and each request that was made for it."""
    began = datetime.fromtimestamp(world.clock.time(), UTC)
    job = world.start(format="json", metrics=["STATUS"])
    assert (job.report, job.arguments) == ("conversation", {"format": "json", "metrics": ["STATUS"]})
    assert (job.status.state, job.expires_at, job.reattached) == ("", None, False)
    assert "not polled yet" in repr(job)

    job.refresh()
    assert (job.status.state, job.status.detail) == ("RUNNING", "")
    assert "RUNNING" in repr(job)

    assert job.wait() is job
    assert (job.status.state, job.status.detail) == ("CLOSED", "COMPLETED")
    assert "CLOSED COMPLETED" in repr(job)
    assert job.expires_at == datetime.fromtimestamp(world.clock.time(), UTC) + timedelta(hours=24)

    job.download(folder)
    looks = world.sandbox.count("status")
    assert [attempt.phase for attempt in job.history] == ["create", *["status"] * looks, "download"]
    assert {attempt.outcome for attempt in job.history} == {"HTTP 200"}
    assert job.history[0].at == began
    assert [attempt.at for attempt in job.history] == sorted(attempt.at for attempt in job.history)
    (export,) = world.sandbox.exports
    assert (job.workflow_id, job.run_id) == (export.workflow_id, export.run_id)


def test_failures_are_in_the_history(world):
    """Attempts that failed stand in the history with what came of them."""
    world.sandbox.fail("create", faults.HttpStatus(429))
    world.sandbox.fail("status", faults.Reset())
    job = world.start().refresh()

    assert [(attempt.phase, attempt.outcome) for attempt in job.history] == [
        ("create", "HTTP 429, RateLimitError"),
        ("create", "HTTP 200"),
        ("status", "TransportError"),
        ("status", "HTTP 200"),
    ]


def test_the_status_is_a_value(world):
    """A status is frozen, equal to another one that says the same, and knows reason and counts where they are sent."""
    extra = {"currentCount": 5, "totalCount": 9, "lastAcknowledgeTime": "2019-02-01", "newField": {"a": 1}}
    world.sandbox.fail("status", faults.JobState("RUNNING", "", "in the queue", extra), times=2)
    job = world.start()
    first, second = job.refresh().status, job.refresh().status

    assert first == second
    assert first is not second
    assert (first.reason, first.current_count, first.total_count) == ("in the queue", 5, 9)
    assert first.last_acknowledge_time == "2019-02-01"
    with pytest.raises(AttributeError):
        first.state = "CLOSED"


def test_on_update(world):
    """on_update is called with the job after each look, the last one included."""
    seen = []
    job = world.start()
    job.wait(on_update=lambda given: seen.append((given is job, given.status.state)))

    assert len(seen) == world.sandbox.count("status") > 1
    assert seen[-1] == (True, "CLOSED")
    assert set(seen[:-1]) == {(True, "RUNNING")}


def test_an_error_in_on_update(world):
    """An error of the caller's own comes out as it is, and the job can be waited for again."""
    job = world.start()
    with pytest.raises(ZeroDivisionError):
        job.wait(on_update=lambda _: 1 / 0)

    assert job.wait().status.detail == "COMPLETED"


def test_waiting_again_asks_nothing(world):
    """A job that is ready is not asked for again by wait."""
    job = world.ready()
    before = world.counts()
    job.wait()

    assert world.counts() == before


@pytest.mark.parametrize("creation", ["urls", "ids"])
@pytest.mark.parametrize("moment", ["at once", "later"])
def test_a_token_in_another_client(run, folder, creation, moment):
    """A token finds the job again in another client, which asks first by the ids and the company key."""
    world = run({"creation": creation})
    job = world.start(format="json", metrics=["STATUS"], priorities=[1, 2])
    other = world.connect()
    if moment == "later":
        world.clock.sleep(3600)
    before = world.clock.time()

    again = other.job(job.token)
    assert world.counts() == world.Counts(create=1)
    assert again.reattached
    assert (again.report, again.window, again.arguments) == (job.report, job.window, job.arguments)
    assert (again.workflow_id, again.run_id, again.token) == (job.workflow_id, job.run_id, job.token)

    assert again.download(folder).read_bytes() == world.content()
    assert world.counts().create == 1
    first = world.of("status")[0]
    assert dict(first.query) == {"companyKey": world.sandbox.company_key}
    assert first.time == before  # who comes back looks at once


def test_a_token_is_one_line_of_text(world):
    """A token is plain ASCII without blanks, survives a copy with blanks around it, and holds no secret."""
    token = world.start().token

    assert token.isascii()
    assert len(token.split()) == 1
    assert token.startswith("khoros2.")
    assert world.client.job(f"  {token}\n").token == token


def test_a_token_through_a_pickle(world):
    """A token is an ordinary text: it goes through a pickle, a job does not."""
    job = world.start()

    assert pickle.loads(pickle.dumps(job.token)) == job.token
    with pytest.raises(TypeError):
        pickle.dumps(job)


def test_restart(world, folder):
    """restart starts a second export with the same arguments; the first job stays as it is."""
    job = world.ready(metrics=["STATUS"], business_hours="outside")
    again = job.restart()

    assert isinstance(again, Job)
    assert again.workflow_id != job.workflow_id
    assert (again.report, again.window, again.arguments) == (job.report, job.window, job.arguments)
    one, two = world.sandbox.exports
    assert one.arguments == two.arguments
    assert job.status.detail == "COMPLETED"
    assert again.status.state == ""
    assert again.download(folder).read_bytes() == world.content()


def test_restart_after_a_token(world):
    """A job that was found again by its token can be started anew with all it was started with."""
    job = world.start(locale="en_US", extra={"newThing": ["a", "b"]}, metrics=["Status"])
    world.connect().job(job.token).restart()

    one, two = world.sandbox.exports
    assert one.arguments == two.arguments
    assert one.arguments["newThing"] == ("a", "b")


@pytest.mark.parametrize("reason", [None, "the disk is full"])
@pytest.mark.parametrize("act", ["wait", "download"])
def test_a_failed_job(world, folder, reason, act):
    """A job that the server gave up is a JobFailedError with the reason, the job and the way on."""
    world.sandbox.fail("create", faults.JobFails(reason))
    job = world.start()

    with pytest.raises(JobFailedError, match=reason or "no reason given") as caught:
        getattr(job, act)(**({"path": folder} if act == "download" else {}))

    assert caught.value.job is job
    assert "restart" in str(caught.value)
    assert list(folder.iterdir()) == []
    assert job.restart().wait().status.detail == "COMPLETED"


def test_a_failed_job_is_not_asked_again(world):
    """What has failed stays failed: waiting again raises at once."""
    world.sandbox.fail("create", faults.JobFails())
    job = world.start()
    for _ in range(3):
        with pytest.raises(JobFailedError):
            job.wait()

    assert world.sandbox.count("status") == len([attempt for attempt in job.history if attempt.phase == "status"])
    before = world.counts()
    with pytest.raises(JobFailedError):
        job.wait()
    assert world.counts() == before


@pytest.mark.parametrize(
    ("state", "detail"), [("PAUSED", ""), ("QUEUED", "HALF"), ("running", ""), (None, None), ("", ""), ("RUNNING", "X")]
)
def test_unknown_states_are_survived(world, caplog, state, detail):
    """A state that no documentation knows is waited through, and noted in the log."""
    world.sandbox.fail("status", faults.JobState(state, detail), times=2)

    with caplog.at_level("WARNING", logger="khoros_analytics"):
        job = world.start().wait()

    assert job.status.detail == "COMPLETED"
    assert bool(caplog.records) is (state != "running")


@pytest.mark.parametrize("shape", ["urls", "ids", "download"])
def test_ready_is_what_the_status_says(run, shape):
    """A downloadUrl in the creation's answer means nothing: only the status says that a file is ready."""
    world = run({"creation": shape})
    job = world.start()

    assert job.expires_at is None
    assert job.refresh().status.state == "RUNNING"
    assert world.counts() == world.Counts(create=1, status=1)


def test_a_server_that_knows_nothing_of_the_job(run, world):
    """A job that the server does not know is a RequestRejectedError that says what to do."""
    job = world.start()
    port = int(world.sandbox.base_url.rpartition(":")[2])
    world.sandbox.stop()

    with (
        Sandbox(port=port, clock=VirtualClock()) as stranger,
        pytest.raises(Exception, match="does not know") as caught,
    ):
        world.client.job(job.token).refresh()

    assert (type(caught.value).__name__, caught.value.status_code) == ("RequestRejectedError", 404)
    assert stranger.count("status") == 1


SPOILED = {
    "cut": lambda token: token[:-1],
    "cut early": lambda token: token[:40],
    "changed": lambda token: token[:30] + ("A" if token[30] != "A" else "B") + token[31:],
    "newer": lambda token: token.replace("khoros2.", "khoros3."),
    "no dot": lambda token: token.replace("khoros2.", "khoros2"),
    "no prefix": lambda token: token[8:],
    "empty": lambda token: "",
    "prefix alone": lambda token: "khoros2.",
    "made up": lambda token: "khoros2.AAAA.00000000",
    "None": lambda token: None,
    "number": lambda token: 7,
    "bytes": lambda token: token.encode(),
    "longer": lambda token: token + "ü",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_tokens_that_are_none(world, spoil):
    """A token that was cut, changed, is of another version or none at all is a ParameterError; nothing is asked."""
    token = world.start().token

    with pytest.raises(ParameterError, match="token"):
        world.client.job(spoil(token))

    assert world.counts() == world.Counts(create=1)


@pytest.mark.parametrize("other", [{"company_key": "another"}, {"base_url": "https://127.0.0.1:1"}], ids=str)
def test_a_token_of_somebody_else(world, other):
    """A token belongs to one company on one server."""
    token = world.start().token

    with pytest.raises(ParameterError, match="another company"):
        world.connect(**other).job(token)


def test_a_token_does_not_depend_on_the_user(world):
    """A colleague with another user of the same company can go on."""
    token = world.start().token

    assert world.connect(username="colleague").job(token).token == token
