"""Backfills: how well the quota is spent, how near a run comes to the ideal, and what many windows cost.

The simulation runs the library's own scheduler against a modelled server: exports take log-normal times (median 60 s,
95 % under 316 s), 20 requests a minute, and a refusal makes everybody pause for a minute, as the client does. Beside it
stand fixed policies that know how many exports the server bears, and two naive ways.
"""

import heapq
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from _figures import Figure, at_least, at_most, conclude, exactly, print_table
from attrs import define, field, frozen

from khoros_analytics import Client, Clock
from khoros_analytics._backfill.records import Line, dump
from khoros_analytics._backfill.scheduler import Action, Scheduler
from khoros_analytics.sandbox import Sandbox, faults
from khoros_analytics.times import windows

MEDIAN, DEVIATION = 60.0, math.log(316 / 60) / 1.6449
EXPORTS = 1500
MINUTE, HOUR = 60.0, 3600.0
ROUND_TRIP = 0.3
EDGE = 1800.0  # the first and the last half hour are no steady state
SEEDS = (1, 2, 3)


@define
class Quota:
    """The sliding window, with the pause and the slower pace after a refusal."""

    limit: int = 20
    taken: deque[float] = field(factory=deque)
    all: list[float] = field(factory=list)
    paused_until: float = 0.0
    fraction: float = 1.0

    def _now_allowed(self, now: float) -> int:
        while self.taken and self.taken[0] + MINUTE <= now:
            self.taken.popleft()
        grown = min(1.0, self.fraction * 2 ** (max(0.0, now - self.paused_until) / 600))
        return max(1, int(self.limit * grown))

    def room_at(self, now: float) -> float:
        allowed = self._now_allowed(now)
        free_at = now if len(self.taken) < allowed else self.taken[len(self.taken) - allowed] + MINUTE
        return max(free_at, self.paused_until, now)

    def spare(self, now: float) -> float:
        return max(0.0, 1 - len(self.taken) / self._now_allowed(now))

    def left(self, now: float) -> int:
        return max(0, self._now_allowed(now) - len(self.taken))

    def take(self, now: float) -> None:
        self.taken.append(now)
        self.all.append(now)

    def refused(self, now: float) -> None:
        self.fraction = max(0.5 * self._now_allowed(now) / self.limit, 1 / self.limit)
        self.paused_until = now + MINUTE


class Server:
    """Runs so many exports at once; more of them wait in a queue, or are refused."""

    def __init__(self, slots: int | None, *, refuses: bool, seed: int) -> None:
        self._slots = [0.0] * (slots or 0)
        self._limited, self._refuses = slots is not None, refuses
        self._draw = random.Random(seed)
        self.done: dict[str, float] = {}

    def create(self, key: str, now: float) -> bool:
        took = math.exp(self._draw.gauss(math.log(MEDIAN), DEVIATION))
        begins = now
        if self._limited:
            if self._refuses and self._slots[0] > now:
                return False
            begins = max(now, heapq.heappop(self._slots))
            heapq.heappush(self._slots, begins + took)
        self.done[key] = begins + took
        return True


class Fixed:
    """A policy that never learns: so many exports at once, each polled so often."""

    pause = 0.5

    def __init__(self, active: int, every: float) -> None:
        self._most, self._every = active, every
        self._pending: deque[str] = deque()
        self._next_poll: dict[str, float] = {}
        self._ready: deque[str] = deque()

    @property
    def over(self) -> bool:
        return not (self._pending or self._next_poll or self._ready)

    def add(self, key: str, *, first: bool = False) -> None:
        self._pending.insert(0 if first else len(self._pending), key)

    def started(self, key: str, now: float) -> None:
        self._next_poll[key] = now + self._every

    running = started

    def ready(self, key: str, _now: float) -> None:
        del self._next_poll[key]
        self._ready.append(key)

    def refused(self, _now: float) -> None: ...

    def next(self, now: float, _spare: float, _left: int) -> Action | None:
        if self._ready:
            return Action("fetch", self._ready.popleft())
        due = min(((moment, key) for key, moment in self._next_poll.items()), default=(math.inf, ""))
        if due[0] <= now:
            return Action("poll", due[1])
        if self._pending and len(self._next_poll) < self._most:
            return Action("start", self._pending.popleft())
        return None


@frozen
class Outcome:
    """What a simulated run came to: in steady state, and from its first to its last window."""

    exports_an_hour: float
    overall: float
    requests_an_export: float
    most_in_a_minute: int


def simulate(policy: Scheduler | Fixed, server: Server, exports: int = EXPORTS) -> Outcome:
    quota, now, landed = Quota(), 0.0, []
    for number in range(exports):
        policy.add(str(number))
    while not policy.over:
        room = quota.room_at(now)
        action = policy.next(now, quota.spare(now), quota.left(now)) if room <= now else None
        if action is None:
            now = room if room > now else now + policy.pause
            continue
        quota.take(now)
        now += ROUND_TRIP
        if action.kind == "fetch":
            landed.append(now)
        elif action.kind == "poll":
            (policy.ready if server.done[action.key] <= now else policy.running)(action.key, now)
        elif server.create(action.key, now):
            policy.started(action.key, now)
        else:
            policy.add(action.key, first=True)
            policy.refused(now)
            quota.refused(now)
    return summary(quota, landed)


def summary(quota: Quota, landed: list[float]) -> Outcome:
    end = landed[-1] - EDGE
    steady = sum(EDGE <= moment <= end for moment in landed)
    requests = sum(EDGE <= moment <= end for moment in quota.all)
    most = max(sum(moment <= other < moment + MINUTE for other in quota.all[place : place + 40])
               for place, moment in enumerate(quota.all))  # fmt: skip
    return Outcome(steady / (end - EDGE) * HOUR, len(landed) / landed[-1] * HOUR, requests / steady, most)


def mean(outcomes: list[Outcome]) -> Outcome:
    return Outcome(
        statistics.fmean(each.exports_an_hour for each in outcomes),
        statistics.fmean(each.overall for each in outcomes),
        statistics.fmean(each.requests_an_export for each in outcomes),
        max(each.most_in_a_minute for each in outcomes),
    )


Policy = Scheduler | Fixed


def fixed(active: int, every: float) -> Callable[[], Policy]:
    return lambda: Fixed(active, every)


def ways(slots: int | None) -> dict[str, Callable[[], Policy]]:
    """Return the scheduler, five policies that know how many exports the server bears, and two naive ways."""
    found: dict[str, Callable[[], Policy]] = {"the scheduler": lambda: Scheduler(40)}
    for active, every in ((slots, 5), (slots, 15), (slots, 30), (40, 15), (40, 60)):
        if active is not None:
            found[f"{active} at once, poll every {every} s"] = fixed(active, every)
    found["one after the other, poll every 15 s"] = fixed(1, 15)
    found["a thread a window, poll every 15 s"] = fixed(365, 15)
    return found


def outcome(way: str, make: Callable[[], Policy], slots: int | None, *, refuses: bool) -> Outcome:
    exports = 400 if way.startswith("one after") else EXPORTS
    return mean([simulate(make(), Server(slots, refuses=refuses, seed=seed), exports) for seed in SEEDS])


def simulations() -> list[Figure]:
    rows, figures, most = [], [], 0
    for slots, refuses in ((None, False), (8, True), (8, False), (4, True), (4, False)):
        name = "unlimited" if slots is None else f"{slots} at once, {'refusing' if refuses else 'queueing'}"
        found = {way: outcome(way, make, slots, refuses=refuses) for way, make in ways(slots).items()}
        for way, each in found.items():
            rows.append(
                (
                    f"{name}: {way}",
                    f"{each.exports_an_hour:.1f}",
                    f"{each.overall:.1f}",
                    f"{each.requests_an_export:.2f}",
                )
            )
        ours = found["the scheduler"]
        most = max(most, ours.most_in_a_minute)
        if slots is None:
            figures.append(at_most("unlimited: requests an export", ours.requests_an_export, 3.2))
            figures.append(at_least("unlimited: exports an hour", ours.exports_an_hour, 0.95 * 400))
        else:
            # Of whole runs: once a policy keeps a queueing server full, steady states differ by chance alone.
            best = max(each.overall for way, each in found.items() if way[0].isdigit())
            share = ours.overall / best
            figures.append(at_least(f"{name}: exports an hour, against the best fixed policy", share, 1.0))
    print_table("Simulated", ("", "exports an hour", "of the whole run", "requests an export"), rows)
    return [*figures, at_most("requests in any minute", most, 20)]


def makespan() -> list[Figure]:
    """Real sockets and the real clock, without a quota: 365 windows, ten at once against eight slots of the server."""
    slots, seconds, count = 8, 1.0, 365
    begun: list[float] = []

    def takes() -> float:
        # The server runs eight at once: the ninth waits until the first of them is done.
        now = time.monotonic()
        begins = now if len(begun) < slots else max(now, begun[-slots] + seconds)
        begun.append(begins)
        return begins + seconds - now

    with tempfile.TemporaryDirectory() as folder, Sandbox(clock=Clock(), polls=None, seconds=takes) as sandbox:
        settings = {name: value for name, value in sandbox.settings.items() if name != "clock"}
        command = [sys.executable, str(Path(__file__).with_name("_land.py")), json.dumps(settings), f"{folder}/data"]
        done = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    ideal = math.ceil(count / slots) * seconds
    headings = ("", "seconds", "of the processor", "ideal", "requests")
    numbers = (f"{done['seconds']:.1f}", f"{done['processor']:.1f}", f"{ideal:.1f}", done["requests"])
    print_table("365 windows against eight slots", headings, [("", *numbers)])
    return [
        exactly("windows that landed", done["landed"], count),
        at_most("makespan against the ideal", done["seconds"] / ideal, 1.05),
        at_most("threads", done["threads"], 8),
        at_most("memory above the import", done["bytes"] / 1e6, 60, " MB"),
    ]


def many_windows() -> list[Figure]:
    """A dataset of 25,000 windows: what a plan costs, and a run that has nothing to do."""
    cut = windows("1974-01-01", "2043-01-01", "1 day")[:25_000]
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox, Client(**sandbox.settings) as client:
        place = Path(folder) / "data"
        arguments = {"every": "1 day", "to": place, "metrics": ["STATUS"]}
        client.backfill("conversation", cut[0].start_ms, cut[0].end_ms, **arguments)
        line = json.loads(next((place / "_khoros_analytics/windows").glob("*.json")).read_text())
        content = next(place.glob("window=*/*.parquet")).read_bytes()
        for window in cut[1:]:
            key = f"{window.start:%Y-%m-%d}"
            landed = {**line, "key": key, "start_ms": window.start_ms, "end_ms": window.end_ms, "landed_at": 4e9}
            (place / f"_khoros_analytics/windows/{key}.json").write_bytes(dump(Line(**landed)))
            (place / f"window={key}").mkdir()
            (place / f"window={key}/conversation.parquet").write_bytes(content)
        began = time.monotonic()
        plan = client.plan("conversation", cut[0].start_ms, cut[-1].end_ms, **arguments)
        planned = time.monotonic() - began
        before = sandbox.count()
        began = time.monotonic()
        result = client.backfill("conversation", cut[0].start_ms, cut[-1].end_ms, **arguments)
        ran = time.monotonic() - began
        return [
            exactly("windows that are planned", len(plan.windows), len(cut)),
            at_most("seconds to plan 25,000 windows", planned, 5),
            at_most("seconds of a run with nothing to do", ran, 6),
            exactly("windows that it skips", len(result.skipped), len(cut)),
            exactly("requests that it sends", sandbox.count() - before, 0),
        ]


def widening() -> list[Figure]:
    """365 files, and a last window that needs a wider type: what it costs to write the others anew."""
    rows = b"N,STATUS\n" + b"".join(b"%d,OPEN\n" % number for number in range(5000))
    with tempfile.TemporaryDirectory() as folder, Sandbox(polls=1) as sandbox, Client(**sandbox.settings) as client:
        sandbox.fail("file", faults.RawAnswer(200, rows), times=364)
        sandbox.fail("file", faults.RawAnswer(200, b"N,STATUS\nn/a,OPEN\n"), times=1)
        place = Path(folder) / "data"
        client.backfill("conversation", "2018-01-01", "2018-12-31", every="1 day", to=place)
        began = time.monotonic()
        result = client.backfill("conversation", "2018-01-01", "2019-01-01", every="1 day", to=place)
        took = time.monotonic() - began
        files = list(place.glob("window=*/*.parquet"))
        kinds = {str(pq.read_schema(path).field("N").type) for path in files}
        size = sum(path.stat().st_size for path in files)
        print_table("A widening at the last of 365 files", ("", "seconds", "bytes"), [("", f"{took:.1f}", f"{size:,}")])
        return [
            exactly("files written anew", len(result.widened), 364),
            Figure("type of the column afterwards", ", ".join(kinds), "string", kinds == {"string"}),
        ]


if __name__ == "__main__":
    conclude([*simulations(), *many_windows(), *widening(), *makespan()])
