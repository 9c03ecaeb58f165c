"""Whether and when a request is sent again, on a clock that only sleeping moves."""

import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics import (
    AuthenticationError,
    ConfigurationError,
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TargetError,
    TransportError,
    UnexpectedReplyError,
    UntrustedUrlError,
)
from khoros_analytics import errors as all_errors
from khoros_analytics._clock import Deadline
from khoros_analytics._http.retry import FailuresInARow, is_transient, may_repeat, repeat
from khoros_analytics._protocol.messages import Phase
from khoros_analytics.sandbox import VirtualClock

NEVER, SAFE, ALWAYS = "never", "safe", "always"
RULES = [
    # the error, and whether its request may be sent again; "safe": a creation only if it cannot have started
    (TransportError("broke"), SAFE),
    (TransportError("certificate", transient=False), NEVER),
    (RateLimitError("429"), SAFE),
    (ServerError("500", status_code=500), SAFE),
    (ServerError("502", status_code=502), SAFE),
    (ServerError("503", status_code=503), SAFE),
    (ServerError("504", status_code=504), SAFE),
    (ServerError("501", status_code=501), NEVER),
    (ServerError("505", status_code=505), NEVER),
    (ServerError("511", status_code=511), NEVER),
    (UnexpectedReplyError("empty", status_code=200), SAFE),
    (RequestRejectedError("408", status_code=408), SAFE),
    (RequestRejectedError("425", status_code=425), SAFE),
    (RequestRejectedError("400", status_code=400), NEVER),
    (RequestRejectedError("404", status_code=404), NEVER),
    (RequestRejectedError("FAIL", status_code=200), NEVER),
    (AuthenticationError("401", status_code=401), NEVER),
    (UntrustedUrlError("ftp"), NEVER),
    (IncompleteDownloadError("cut"), SAFE),
    (DownloadExpiredError("gone"), NEVER),
    (TargetError("full"), NEVER),
    (JobTimeoutError("late"), NEVER),
    (JobFailedError("failed"), NEVER),
    (ParameterError("wrong"), NEVER),
    (ConfigurationError("wrong"), NEVER),
    (KeyboardInterrupt(), NEVER),
    (ValueError("a bug"), NEVER),
]


class RecordingClock(VirtualClock):
    """Remembers how long each sleep was."""

    def __init__(self):
        super().__init__()
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def clock():
    return RecordingClock()


def failing(*outcomes, log=None):
    """An attempt that ends in one outcome after the other; the last one again and again."""
    calls = log if log is not None else []

    def attempt():
        outcome = outcomes[min(len(calls), len(outcomes) - 1)]
        calls.append(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    attempt.calls = calls
    return attempt


def run(attempt, clock, *, phase=Phase.STATUS, seconds=10_000.0, retries=5, failures=None):
    deadline = Deadline(clock, seconds)
    return repeat(attempt, phase, sleep=clock.sleep, deadline=deadline, retries=retries, failures=failures)


@pytest.mark.parametrize(("error", "rule"), RULES)
@pytest.mark.parametrize("phase", [Phase.STATUS, Phase.DOWNLOAD, Phase.LOOKUP])
def test_what_changes_nothing(phase, error, rule):
    """Whatever starts no export is repeated on anything transient."""
    assert is_transient(error) is (rule != NEVER)
    assert may_repeat(phase, error) is (rule != NEVER)


@pytest.mark.parametrize("may_have_started", [None, True, False])
@pytest.mark.parametrize(("error", "rule"), RULES)
def test_creation(error, rule, may_have_started, monkeypatch):
    """A creation call is repeated only when the server certainly did not act on it."""
    monkeypatch.setattr(error, "may_have_started", may_have_started, raising=False)
    assert may_repeat(Phase.CREATE, error) is (rule == SAFE and may_have_started is False)


def test_every_error_has_a_rule():
    """An error that is added to the tree needs a place in the table, or one below it or above it has one."""
    ruled = tuple({type(error) for error, _ in RULES})
    tree = [getattr(all_errors, name) for name in all_errors.__all__]
    leaves = [kind for kind in tree if kind is not all_errors.FailedJob and not kind.__subclasses__()]
    assert [kind for kind in leaves if not issubclass(kind, ruled)] == []


def test_success_at_once(clock):
    """What works is done once, without any wait."""
    attempt = failing("value")
    assert run(attempt, clock) == "value"
    assert (attempt.calls, clock.slept) == (["value"], [])


def test_success_in_the_end(clock):
    """What works after a few failures returns its value."""
    attempt = failing(TransportError("a"), ServerError("b", status_code=502), "value")
    assert run(attempt, clock) == "value"
    assert len(clock.slept) == 2


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_retries_are_counted(clock, retries):
    """After the first attempt come as many as the retries allow; then the last error itself is raised."""
    errors = [TransportError(str(number)) for number in range(20)]
    attempt = failing(*errors)
    with pytest.raises(TransportError) as caught:
        run(attempt, clock, retries=retries)
    assert len(attempt.calls) == retries + 1
    assert caught.value is errors[retries]


def test_progress_starts_the_count_anew(clock):
    """Where something came through in between, failures are counted from there."""
    row = FailuresInARow()
    calls = []

    def attempt():
        calls.append(1)
        if len(calls) < 30:
            row.progress()
            raise TransportError("cut")
        return "value"

    assert run(attempt, clock, retries=1, failures=row) == "value"
    assert len(calls) == 30


def test_not_repeatable_is_raised_at_once(clock):
    """What may not be repeated is raised as it is, without a wait."""
    error = ServerError("500", status_code=500, may_have_started=True)
    attempt = failing(error)
    with pytest.raises(ServerError) as caught:
        run(attempt, clock, phase=Phase.CREATE)
    assert caught.value is error
    assert (len(attempt.calls), clock.slept) == (1, [])


def test_ceilings_of_the_backoff(clock, monkeypatch):
    """The wait is anything up to a ceiling, which doubles from half a second to 20 seconds."""
    ranges = []
    monkeypatch.setattr(random, "uniform", lambda low, high: ranges.append((low, high)) or high)
    with pytest.raises(TransportError):
        run(failing(TransportError("x")), clock, retries=9)
    ceilings = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]
    assert ranges[: len(ceilings)] == [(0, ceiling) for ceiling in ceilings]
    assert clock.slept == ceilings


def test_full_jitter(monkeypatch, seed):
    """The jitter is full: waits spread evenly from nothing to the ceiling."""
    monkeypatch.setattr(random, "uniform", random.Random(seed).uniform)
    firsts = []
    for _ in range(2000):
        clock = RecordingClock()
        run(failing(TransportError("x"), "value"), clock)
        firsts += clock.slept
    assert 0 <= min(firsts) < 0.01
    assert 0.49 < max(firsts) <= 0.5
    assert sum(firsts) / len(firsts) == pytest.approx(0.25, abs=0.015)


@given(st.integers(1, 200))
def test_many_retries(retries):
    """However often is repeated, no wait is longer than 20 seconds and no number overflows."""
    clock = RecordingClock()
    with pytest.raises(TransportError):
        run(failing(TransportError("x")), clock, retries=retries, seconds=10**9)
    assert max(clock.slept) <= 20.0
    assert min(clock.slept) >= 0.0


@pytest.mark.parametrize(
    ("asked", "waited"), [(0.0, 0.0), (0.2, 0.2), (7.0, 7.0), (60.0, 60.0), (120.0, 120.0), (9000.0, 120.0)]
)
@pytest.mark.parametrize("kind", [RateLimitError, ServerError])
def test_retry_after(clock, kind, asked, waited):
    """What a server asks to wait is waited exactly, up to two minutes."""
    error = kind("busy", retry_after=asked, status_code=429 if kind is RateLimitError else 503, may_have_started=False)
    assert run(failing(error, "value"), clock, phase=Phase.CREATE) == "value"
    assert clock.slept == [waited]


def test_retry_after_of_the_last_failure(clock, monkeypatch):
    """Only the last failure's wish counts."""
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    attempt = failing(RateLimitError("429", retry_after=60.0), TransportError("x"), "value")
    assert run(attempt, clock) == "value"
    assert clock.slept == [60.0, 1.0]


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 10.0])
@pytest.mark.parametrize("error", [TransportError("x"), RateLimitError("429", retry_after=100.0)])
def test_deadline_ends_the_waiting(clock, monkeypatch, seconds, error):
    """No wait goes beyond the deadline: what is tried there says itself that the time is over."""
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    deadline = Deadline(clock, seconds)

    def attempt():
        if deadline.passed():
            raise JobTimeoutError("the time is over")
        raise error

    with pytest.raises(JobTimeoutError):
        repeat(attempt, Phase.STATUS, sleep=clock.sleep, deadline=deadline, retries=1000)
    assert -1.0 < deadline.remaining() <= 0.0


def test_last_attempt_before_the_deadline(clock, monkeypatch):
    """One more attempt is made shortly before the deadline."""
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    deadline = Deadline(clock, 5.0)
    left = []

    def attempt():
        left.append(round(deadline.remaining(), 3))
        if deadline.passed():
            raise JobTimeoutError("the time is over")
        raise TransportError("x")

    with pytest.raises(JobTimeoutError):
        repeat(attempt, Phase.STATUS, sleep=clock.sleep, deadline=deadline, retries=1000)
    assert left == [5.0, 4.5, 3.5, 1.5, 0.5, 0.0]


def test_each_repetition_is_logged(clock, caplog):
    """Each repetition is logged with its reason and its wait."""
    caplog.set_level(logging.INFO, "khoros_analytics")
    run(failing(RateLimitError("job w: too many requests", retry_after=7.0), "value"), clock)
    assert caplog.messages == ["job w: too many requests; trying again in 7.0 s"]


@given(st.lists(st.sampled_from([error for error, _ in RULES if isinstance(error, KhorosError)]), max_size=8))
def test_always_a_value_or_the_last_error(outcomes):
    """Whatever happens, the caller gets the value or the very error of the last attempt: nothing of tenacity's."""
    clock = RecordingClock()
    attempt = failing(*outcomes, "value")
    try:
        found = run(attempt, clock, retries=3)
    except KhorosError as error:
        found = error
    assert found is attempt.calls[-1]
    assert sum(not isinstance(outcome, RateLimitError) for outcome in attempt.calls) <= 4


def test_an_outage_after_something_else_than_the_file(clock):
    """What came in place of the file is fetched once more; an outage on the way there is waited out, not counted."""
    page, outage = UnexpectedReplyError("a page"), TransportError("reset")
    attempt = failing(page, outage, outage, "the file")

    deadline = Deadline(clock, 10_000.0)
    found = repeat(attempt, Phase.DOWNLOAD, sleep=clock.sleep, deadline=deadline, retries=0, patient=True)

    assert found == "the file"


@pytest.mark.parametrize("phase", Phase)
def test_refusals_do_not_use_up_the_retries(clock, phase):
    """However often others spend the quota, a call goes on until its deadline, and then its retries are all there."""
    refusals = [RateLimitError("429", may_have_started=False)] * 20
    broken = [TransportError("no connection", may_have_started=False)] * 2
    attempt = failing(*refusals, broken[0], *refusals, broken[1], "value")
    assert run(attempt, clock, phase=phase, retries=2) == "value"


def test_a_refusal_where_nothing_is_to_be_repeated(clock):
    """Without retries the first refusal is the answer."""
    attempt = failing(RateLimitError("429"), "value")
    with pytest.raises(RateLimitError):
        run(attempt, clock, retries=0)
    assert len(attempt.calls) == 1
