"""What the next request is spent on: decided from times alone, so nothing has to be waited for."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics._backfill.scheduler import Action, Scheduler, fit


def running(scheduler, *keys, now=0.0):
    """Start exports, one after the other."""
    for key in keys:
        scheduler.add(key)
        assert scheduler.next(now, 1.0) == Action("start", key)
        scheduler.started(key, now)


def test_fetch_comes_first():
    """A file that is ready is fetched before anything is polled or started."""
    scheduler = Scheduler()
    running(scheduler, "a")
    scheduler.add("b")
    scheduler.ready("a", 60.0)
    assert scheduler.next(60.0, 1.0) == Action("fetch", "a")
    assert scheduler.next(60.0, 1.0) == Action("start", "b")


def test_what_should_be_done_is_polled_before_more_is_started():
    """An export that is almost certainly done is polled first; one that has just been started is not."""
    scheduler = Scheduler()
    running(scheduler, "a")
    scheduler.add("b")
    assert scheduler.next(1.0, 1.0) == Action("start", "b")
    scheduler.started("b", 1.0)
    scheduler.add("c")
    assert scheduler.next(3600.0, 0.0).kind == "poll"


def test_no_more_run_than_allowed():
    """With as many exports as may run, nothing else is started, however long the list is."""
    scheduler = Scheduler(max_active=2)
    running(scheduler, "a", "b")
    scheduler.add("c")
    assert scheduler.next(0.1, 1.0) is None
    scheduler.ready("a", 50.0)
    assert [scheduler.next(50.0, 0.0) for _ in range(2)] == [Action("fetch", "a"), Action("start", "c")]


@pytest.mark.parametrize(("spare", "polls"), [(0.0, False), (1.0, True)])
def test_an_unused_quota_is_spent_on_early_polls(spare, polls):
    """A poll that is a toss-up is made where the quota is unused, and waits where it is nearly used up."""
    scheduler = Scheduler(max_active=1)
    running(scheduler, "a")
    assert bool(scheduler.next(60.0, spare)) is polls


@pytest.mark.parametrize(("left", "polled"), [(10**6, 0.02), (20, 7.0), (0, None)])
def test_requests_that_nobody_needs_become_polls(left, polled):
    """However long exports seem to take, one that runs is polled as often as the free part of the quota allows."""
    scheduler = Scheduler(1, [3000.0] * 20)
    running(scheduler, "a")
    moments = [each / 50 for each in range(1, 501)]
    assert next((now for now in moments if scheduler.next(now, 0.5, left)), None) == (
        polled and pytest.approx(polled, abs=1.1)
    )
    scheduler.running("a", 100.0)
    assert scheduler.next(105.0, 0.5, 10**6) is None  # a tenth of its age later, not sooner
    assert scheduler.next(112.0, 0.5, 10**6) == Action("poll", "a")


def test_the_likeliest_is_polled():
    """Of two exports the one that is likelier to be done is polled: the older one, or the one not polled for longer."""
    scheduler = Scheduler(max_active=2)
    running(scheduler, "old", now=0.0)
    running(scheduler, "young", now=50.0)
    assert scheduler.next(100.0, 1.0) == Action("poll", "old")
    scheduler.running("old", 100.0)
    assert scheduler.next(101.0, 1.0) == Action("poll", "young")


def test_a_refusal_lowers_the_number_and_time_raises_it():
    """The server refused a third export: two run from then on, and one more is dared after half an hour."""
    scheduler = Scheduler(max_active=10)
    running(scheduler, "a", "b")
    scheduler.add("c")
    scheduler.refused(10.0)
    assert scheduler.limit == 2
    assert scheduler.next(11.0, 0.0) is None
    scheduler.running("a", 1900.0)
    scheduler.running("b", 1900.0)
    assert scheduler.next(1900.0, 0.0) == Action("start", "c")
    assert scheduler.limit == 3


def test_each_dare_that_fails_is_followed_by_a_longer_wait():
    """Where the server goes on refusing one export more, it is asked less and less often."""
    scheduler = Scheduler(max_active=10)
    running(scheduler, "a")
    now, waits = 0.0, []
    scheduler.refused(now)
    for _ in range(3):
        scheduler.add("b", first=True)
        began = now
        while scheduler.next(now, 0.0) != Action("start", "b"):
            now += 60.0
            scheduler.running("a", now)
        scheduler.refused(now)
        waits.append(now - began)
    assert waits == [1800.0, 3600.0, 7200.0]


def test_one_always_runs():
    """However often the server refuses, one export is tried again."""
    scheduler = Scheduler()
    scheduler.add("a")
    for _ in range(5):
        assert scheduler.next(0.0, 1.0) == Action("start", "a")
        scheduler.refused(0.0)
        scheduler.add("a", first=True)
    assert scheduler.limit == 1


@given(st.integers(0, 1000), st.floats(2.0, 2000.0), st.floats(0.3, 1.2))
def test_durations_are_found_again(seed, median, deviation):
    """From fifty durations that are known to a third, their median is found to about a half."""
    draw = random.Random(seed)
    drawn = [median * math.exp(draw.gauss(0, deviation)) for _ in range(50)]
    mean, _ = fit([(seconds / 1.3, seconds) for seconds in drawn])
    assert abs(mean - math.log(median)) < 0.4 + 0.5 * deviation


def test_late_polls_do_not_pass_for_long_durations():
    """Exports that were first polled after six minutes may have taken a minute; the guess before holds for them."""
    mean, deviation = fit([(0.0, 360.0)] * 48 + [(360.0, 720.0)] * 2)
    assert 30 < math.exp(mean) < 150
    assert deviation > 0.5


def test_earlier_runs_count():
    """Durations of earlier runs decide from the first poll on."""
    quick, slow = Scheduler(1, [5.0] * 20), Scheduler(1, [3000.0] * 20)
    for scheduler in (quick, slow):
        running(scheduler, "a")
    assert quick.next(60.0, 0.0) == Action("poll", "a")
    assert slow.next(300.0, 1.0) is None
    assert quick.pause < slow.pause


def test_over():
    """It is over when nothing is to be started, runs, or is to be fetched."""
    scheduler = Scheduler()
    assert scheduler.over
    running(scheduler, "a", "b")
    scheduler.gone("b")
    scheduler.ready("a", 1.0)
    assert not scheduler.over
    scheduler.next(1.0, 1.0)
    assert scheduler.over
