"""When to poll at a job again: the law of the pauses, what is learned, and the figures that come of it."""

import random
import statistics
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics._clock import Deadline
from khoros_analytics._jobs.polling import Durations, pause, poll_until
from khoros_analytics.sandbox import VirtualClock

MANY = 5000
"""More polls than any wait of these tests needs."""

ages = st.floats(0, 10**6)
durations = st.floats(0.01, 10**5)


def polls(done_after, *, fastest=None, seconds=10**6, pause_first=True):
    """Watch a job that is done after so many seconds; return the times of all polls, and what came of it."""
    clock = VirtualClock()
    born = clock.monotonic()

    def age():
        return clock.monotonic() - born

    seen = []

    def poll():
        seen.append(age())
        assert len(seen) < MANY, "it polls again and again without any pause"
        return age() >= done_after

    found = poll_until(
        poll,
        bool,
        sleep=clock.sleep,
        deadline=Deadline(clock, seconds),
        age=age,
        fastest=fastest,
        pause_first=pause_first,
    )
    return seen, found, age()


# ---- the pause


@given(ages)
def test_pause(age):
    """While nothing is known, the pause is 30 % of the age, between 3 and 15 seconds."""
    assert pause(age) == pytest.approx(min(max(0.3 * age, 3.0), 15.0))


@given(durations, ages)
def test_pause_before_the_fastest(fastest, age):
    """Where the fastest is known, the first poll comes just before it; nobody waits 5 minutes without one."""
    if age < 0.97 * fastest:
        assert age + pause(age, fastest) <= fastest
        assert pause(age, fastest) == pytest.approx(min(0.97 * fastest - age, 300.0))


@given(durations, ages)
def test_pause_after_the_fastest(fastest, age):
    """From there on it polls more finely: about 10 % of the age, and never more than that of the fastest or 15 s."""
    if age >= 0.97 * fastest:
        assert 1.0 <= pause(age, fastest) <= max(15.0, 0.135 * fastest)
        if 1.0 < pause(age, fastest) < 15.0:
            assert 0.05 * age <= pause(age, fastest) <= 0.15 * age


# ---- what is learned


def known(*seconds):
    found = Durations()
    for each in seconds:
        found.note("kind", each)
    return found.fastest("kind")


AGREEING = [100.0, 110.0, 120.0, 95.0, 105.0]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], None),
        (AGREEING[:4], None),
        (AGREEING, 95.0),
        ([*AGREEING, 4000.0], None),
        ([10.0, 60.0, 360.0, 20.0, 100.0], None),
        ([60.0, 90.0, 130.0, 60.0, 150.0], None),  # all within a factor of 2.5, and still no agreement
        ([60.0] * 5, 60.0),
        ([4000.0, *AGREEING * 4], 95.0),
        ([50.0, *[100.0] * 20], 100.0),
        ([0.0] * 5, 0.001),
    ],
)
def test_durations(seconds, expected):
    """Only the last 20 count, only five and more say something, and only where they agree."""
    assert known(*seconds) == expected


def test_kinds_are_apart():
    """What one kind of export took says nothing of another."""
    found = Durations()
    for each in AGREEING:
        found.note(("conversation", 1), each)
    assert found.fastest(("conversation", 1)) == 95.0
    assert found.fastest(("conversation", 2)) is None


def test_memory_is_bounded():
    """Of many kinds the longest unused are forgotten."""
    found = Durations()
    for kind in range(1000):
        for each in AGREEING:
            found.note(kind, each)
    assert found.fastest(0) is None
    assert found.fastest(999) == 95.0
    assert sum(found.fastest(kind) is not None for kind in range(1000)) == 256


def test_durations_of_threads():
    """Threads may note and ask at the same time."""
    found = Durations()

    def work():
        for _ in range(300):
            found.note("kind", 60.0)
            found.fastest("kind")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.fastest("kind") == 60.0


# ---- watching


def test_looks_of_a_new_job():
    """A new job is looked at after 3 seconds first, then ever more seldom, until it is done."""
    seen, found, _ = polls(60)
    assert found is True
    assert seen[:4] == pytest.approx([3.0, 6.0, 9.0, 12.0])
    assert all(later - earlier == pytest.approx(pause(earlier)) for earlier, later in pairwise(seen))
    assert seen[-2] < 60 <= seen[-1]


def test_a_job_is_new_unless_somebody_knows_better():
    """A wait begins with a pause: a poll right after the start would be wasted."""
    clock = VirtualClock()
    began = clock.monotonic()
    poll_until(lambda: True, bool, sleep=clock.sleep, deadline=Deadline(clock, 100), age=lambda: 0.0)
    assert clock.monotonic() - began == pytest.approx(3.0)


def test_looks_of_a_known_job():
    """A job that was started earlier is looked at without a pause."""
    assert polls(0, pause_first=False) == ([0.0], True, 0.0)


def test_looks_of_a_learned_job():
    """Where the fastest is known, the first poll comes just before it."""
    seen, _, _ = polls(100, fastest=100.0)
    assert seen[0] == pytest.approx(97.0)
    assert len(seen) == 2


@given(st.floats(0.6, 4000), durations | st.none())
def test_last_look(seconds, fastest):
    """Polling that ends without success polls last half a second before its deadline, and is over in time."""
    seen, found, end = polls(float("inf"), fastest=fastest, seconds=seconds)
    assert found is None
    assert seen[-1] == pytest.approx(seconds - 0.5, abs=1e-3)
    assert end <= seconds


@pytest.mark.parametrize("seconds", [0.0, 0.3, -5.0])
@pytest.mark.parametrize("pause_first", [True, False])
def test_no_time(seconds, pause_first):
    """Without any time there is still one poll: a job that is done is found."""
    assert polls(0, seconds=seconds, pause_first=pause_first) == ([0.0], True, 0.0)
    assert polls(9, seconds=seconds, pause_first=pause_first) == ([0.0], None, 0.0)


def test_errors_of_a_look():
    """An error of a poll ends the wait as it is."""
    clock = VirtualClock()

    def poll():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        poll_until(poll, bool, sleep=clock.sleep, deadline=Deadline(clock, 100), age=lambda: 0.0)


# ---- the figures

JOBS = 3000
MEDIAN = 60.0


def overshoot(done_after, seen):
    return seen[-1] / done_after - 1


def test_figures_without_knowledge(seed):
    """Log-normal jobs (median 60 s, sigma 1): at most 10 polls in a first minute, 14 in all, 13 % late, on average."""
    dice = random.Random(seed)
    first_minutes, counts, late, lasted = [], [], 0.0, 0.0
    for _ in range(JOBS):
        done_after = dice.lognormvariate(4.0943, 1.0)
        seen, _, _ = polls(done_after)
        first_minutes.append(sum(at <= MEDIAN for at in seen))
        counts.append(len(seen))
        late += seen[-1] - done_after
        lasted += done_after
    assert max(first_minutes) <= 10
    assert statistics.mean(counts) <= 14
    assert late / lasted <= 0.13


def test_figures_with_knowledge(seed):
    """After 20 exports whose durations vary by sigma 0.2: at most 5 polls, 8 % late, on average."""
    dice = random.Random(seed)
    counts, lates = [], []
    for _ in range(JOBS):
        typical = dice.lognormvariate(4.0943, 1.0)
        past = Durations()
        for _ in range(20):
            past.note("kind", typical * dice.lognormvariate(0, 0.2))
        done_after = typical * dice.lognormvariate(0, 0.2)
        seen, _, _ = polls(done_after, fastest=past.fastest("kind"))
        counts.append(len(seen))
        lates.append(overshoot(done_after, seen))
    assert statistics.mean(counts) <= 5
    assert statistics.mean(lates) <= 0.08
