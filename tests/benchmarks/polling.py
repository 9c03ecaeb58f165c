"""How soon the end of a job is noticed, and what that costs in polls.

The library's own policy watches jobs on a virtual clock. Durations are log-normal with a median of 60 seconds. In the
first part they spread widely (sigma 1: 5 % take longer than 310 seconds), and every job is the first of its kind. In
the second part they are alike (sigma 0.2), and 20 exports of the same kind went before. *Overshoot* is the time between
a job's end and the poll that notices it, as a share of the job's duration.
"""

import random
import statistics
from collections.abc import Callable, Iterator

from _figures import at_most, conclude, print_table
from attrs import frozen

from khoros_analytics import Clock
from khoros_analytics._clock import Deadline
from khoros_analytics._jobs.polling import Durations, poll_until
from khoros_analytics.sandbox import VirtualClock

JOBS = 20_000
MEDIAN = 60.0
WIDE, NARROW = 1.0, 0.2
EARLIER, LATER = 20, 20
SEED = 20190201

Watcher = Callable[[Clock, Callable[[], bool]], object]
"""Polls until a poll returns true, sleeping on the clock in between."""


@frozen
class Watched:
    """What became of one job.

    Attributes:
        duration: How long it took, in seconds.
        polls: The seconds after its start at which somebody polled.
    """

    duration: float
    polls: tuple[float, ...]

    @property
    def overshoot(self) -> float:
        """The share of its duration that passed between its end and the last poll."""
        return self.polls[-1] / self.duration - 1

    @property
    def polls_in_first_minute(self) -> int:
        """How often somebody polled in its first 60 seconds."""
        return sum(moment <= 60 for moment in self.polls)


@frozen
class Summary:
    """What became of many jobs."""

    mean_polls: float
    mean_overshoot: float
    most_polls_in_first_minute: int

    @classmethod
    def of(cls, jobs: list[Watched]) -> "Summary":
        """Sum them up."""
        return cls(
            statistics.fmean(len(job.polls) for job in jobs),
            100 * statistics.fmean(job.overshoot for job in jobs),
            max(job.polls_in_first_minute for job in jobs),
        )


def run(duration: float, watcher: Watcher) -> Watched:
    """Let somebody watch a job that takes so many seconds."""
    clock = VirtualClock(0.0)
    polls: list[float] = []

    def poll() -> bool:
        polls.append(clock.monotonic())
        return clock.monotonic() >= duration

    watcher(clock, poll)
    return Watched(duration, tuple(polls))


def ours(fastest: float | None = None) -> Watcher:
    """Return the library's way to watch a job."""
    return lambda clock, poll: poll_until(
        poll,
        lambda done: done,
        sleep=clock.sleep,
        deadline=Deadline(clock, 1e9),
        age=clock.monotonic,
        fastest=fastest,
    )


def fixed(seconds: float) -> Watcher:
    """Return the usual loop: sleep, poll, sleep, poll."""

    def watcher(clock: Clock, poll: Callable[[], bool]) -> None:
        clock.sleep(seconds)
        while not poll():
            clock.sleep(seconds)

    return watcher


def draw(count: int, sigma: float, source: random.Random) -> list[float]:
    """Return so many durations."""
    return [MEDIAN * source.lognormvariate(0, sigma) for _ in range(count)]


def learning(source: random.Random) -> Iterator[Watched]:
    """Yield the later exports of one kind; it goes on learning from each, as the client does."""
    durations = Durations()
    for number, duration in enumerate(draw(EARLIER + LATER, NARROW, source)):
        job = run(duration, ours(durations.fastest("a kind")))
        durations.note("a kind", job.polls[-1])
        if number >= EARLIER:
            yield job


def compare(title: str, policy: Summary, jobs: list[float]) -> None:
    """Print what our policy does beside fixed intervals on the same jobs."""
    others = {f"every {seconds} s": Summary.of([run(job, fixed(seconds)) for job in jobs]) for seconds in (5, 15, 30)}
    rows = [
        (name, f"{summary.mean_polls:.1f}", f"{summary.mean_overshoot:.1f} %", summary.most_polls_in_first_minute)
        for name, summary in {"khoros_analytics": policy, **others}.items()
    ]
    print_table(title, ("", "mean polls", "mean overshoot", "most polls in a first minute"), rows)


def main() -> None:
    """Watch all jobs, print the tables, and judge."""
    source = random.Random(SEED)
    wide = [run(duration, ours()) for duration in draw(JOBS, WIDE, source)]
    narrow = [job for _ in range(JOBS // LATER) for job in learning(source)]
    unknown, learnt = Summary.of(wide), Summary.of(narrow)
    compare(f"{JOBS:,} jobs, sigma {WIDE:g}, nothing to learn", unknown, [job.duration for job in wide])
    compare(f"{JOBS:,} jobs, sigma {NARROW:g}, {EARLIER} of a kind before", learnt, [job.duration for job in narrow])
    conclude(
        [
            at_most("polls in any job's first minute", unknown.most_polls_in_first_minute, 10),
            at_most("mean polls, nothing to learn", unknown.mean_polls, 14),
            at_most("mean overshoot, nothing to learn", unknown.mean_overshoot, 13, " %"),
            at_most("mean polls after 20 alike", learnt.mean_polls, 5),
            at_most("mean overshoot after 20 alike", learnt.mean_overshoot, 8, " %"),
        ]
    )


if __name__ == "__main__":
    main()
