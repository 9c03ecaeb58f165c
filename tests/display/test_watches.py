"""What is said of exports, calls and backfills while they go on, and at their end."""

import re
from datetime import timedelta

import pytest

from khoros_analytics import BackfillProgress, RateLimitError
from khoros_analytics._backfill.watch import Watch as BackfillWatch
from khoros_analytics._display import live
from khoros_analytics._display.line import line
from khoros_analytics._jobs import watch_call
from khoros_analytics._jobs.watch import Watch
from khoros_analytics.sandbox import VirtualClock, faults

DAY = ("2019-02-01", "2019-02-02")


class SlowClock(VirtualClock):
    """A clock on which all that is shown is drawn again every second, while somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = []

    def sleep(self, seconds):
        while seconds > 0:
            super().sleep(min(1.0, seconds))
            seconds -= 1.0
            for each in self.shown:
                each.refresh()


def facts(snapshot):
    return {fact.name: fact.text for fact in snapshot.facts}


def lines(screen):
    return [line(snapshot) for snapshot in screen.drawn]


@pytest.fixture
def slow(run, look_on, monkeypatch):
    """A sandbox, a client on a slow clock, and the screen that shows what it waits for."""
    screen, clock = look_on(), SlowClock()

    class Live(live._Live):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            clock.shown.append(self)

    monkeypatch.setattr(live, "_Live", Live)
    monkeypatch.setattr(live, "_EVERY", 3600)  # not by the machine's own time
    monkeypatch.setattr(watch_call, "_DELAY", 3600)
    return lambda options=None, **settings: (run({"clock": clock, **(options or {})}, **settings), screen)


def test_wait(slow):
    """While an export runs, its card says how it stands, for how long, when it is asked again, and what is left of the
    quota.
    """
    world, screen = slow({"polls": 2})
    world.client.conversation(*DAY).wait()
    assert lines(screen)[1:3] == [
        "conversation 2019-02-01 to 2019-02-02: started, not polled yet, next poll in 2 s, 1 s, quota 19 of 20",
        "conversation 2019-02-01 to 2019-02-02: started, not polled yet, next poll in 1 s, 2 s, quota 19 of 20",
    ]
    assert facts(screen.drawn[1]) == {
        "next poll": "in 2 s",
        "elapsed": "1 s",
        "quota left": "19 of 20 requests a minute",
        "report": "Raw Conversations (conversation), csv",
        "window": "2019-02-01 to 2019-02-02 (UTC, end excluded)",
    }
    assert any(": RUNNING, next poll in 1 s, 5 s, quota 18 of 20" in text for text in lines(screen))
    assert screen.states()[-1] == "ready"
    assert screen.drawn[-1].outcome == "done"


def test_outage(slow):
    """While the server cannot be asked, the card says what came last, and when it is tried again."""
    world, screen = slow()
    job = world.client.conversation(*DAY)
    world.sandbox.fail("status", faults.HttpStatus(503), times=3)
    job.wait()
    assert any(
        re.search(r"next attempt in \d s \(the last one: HTTP 503, ServerError\)", text) for text in lines(screen)
    )
    assert screen.states()[-1] == "ready"


def test_download(run, look_on):
    """While a file arrives, its card says how much has come, of how much, and how fast."""
    world = run()
    job = world.ready()
    watch, clock = Watch(job._remote), world.clock

    class Part:
        size, total = 1_000_000, 27_000_000

    watch.part = Part()
    assert line(watch.look()).endswith(": downloading, 1.0 MB of 27.0 MB, 3 s, quota 18 of 20")
    clock.sleep(3)
    Part.size = 12_400_000
    assert line(watch.look()).endswith(": downloading, 12.4 MB of 27.0 MB, 3.8 MB/s, 6 s, quota 18 of 20")
    assert watch.look().fraction == pytest.approx(12.4 / 27)
    Part.size = 28_000_000
    assert watch.look().fraction == 1.0
    Part.total = None
    assert watch.look().fraction is None


def test_frame_is_one_wait(slow, folder):
    """A wait and the download behind it are one card, which goes from one to the other."""
    world, screen = slow()
    world.client.conversation(*DAY).download(folder)
    assert screen.states()[0] == "started, not polled yet"
    assert screen.states()[-1] == "downloaded"
    assert facts(screen.drawn[-1])["file"] == "conversation_2019-02-01_2019-02-02.csv, 18.6 kB"


def test_nothing_to_wait_for(slow, folder):
    """What is there already is not waited for, so it is not shown."""
    world, screen = slow()
    job = world.client.conversation(*DAY)
    job.download(folder)
    before = len(screen.drawn)
    job.wait()
    job.download(folder)
    job.download(folder / "copy.csv")
    list(job.rows())
    assert len(screen.drawn) == before


def test_file_is_gone(slow):
    """An export that the server has dropped leaves no way to go on with it."""
    world, screen = slow()
    job = world.ready()
    VirtualClock.sleep(world.clock, 25 * 3600)
    with pytest.raises(Exception, match="dropped"):
        job.download()
    assert screen.drawn[-1].outcome == "failed"
    assert "it is gone from the server, file and all" in screen.drawn[-1].advice
    assert screen.drawn[-1].code == ""


@pytest.mark.parametrize("act", ["start", "refresh", "teams"])
def test_call_that_waits(slow, act):
    """A call that waits for the quota is shown, too, once it has taken longer than a moment."""
    world, screen = slow(requests_per_minute=1)
    job = world.start()
    assert screen.drawn == []
    {"start": lambda: world.client.response(*DAY), "refresh": job.refresh, "teams": world.client.teams}[act]()
    assert any(
        text.endswith(": asking the server, waiting for the quota, 30 s, quota 0 of 1") for text in lines(screen)
    )
    assert screen.states()[-1] == "answered"


def test_call_that_fails(slow):
    """A call that was shown and fails says why."""
    world, screen = slow()
    world.sandbox.fail("create", faults.HttpStatus(429), times=50)
    with pytest.raises(RateLimitError):
        world.start()
    assert screen.states()[-1].startswith("RateLimitError: the server says that there were too many requests")
    assert screen.drawn[-1].outcome == "failed"


class Running:
    """A backfill on its way."""

    def progress(self):
        return BackfillProgress(
            windows=365,
            landed=120,
            failed=1,
            active=10,
            rows=1_234_567,
            bytes=456_000_000,
            requests=400,
            quota=0.95,
            elapsed=timedelta(minutes=20),
            remaining=timedelta(minutes=41, seconds=10),
        )


def test_backfill(clock):
    """While a backfill runs, its card shows windows, rows, the use of the quota, and about how long it will take."""
    watch = BackfillWatch("conversation", "conversations", clock)
    assert watch.look().state == "looking at what is there"
    watch.backfill = Running()
    clock.sleep(1200)
    assert line(watch.look()) == (
        "backfill of conversation: 121 of 365 windows, about 41 min left, 1 failed, 10 running, 1,234,567 rows, "
        "quota 95 %"
    )
    assert facts(watch.look()) == {
        "time left": "about 41 min",
        "elapsed": "20 min",
        "windows": "120 landed, 1 failed",
        "running": "10 exports on the server",
        "rows": "1,234,567",
        "size": "456.0 MB",
        "requests": "400",
        "quota used": "95 % in the last minute",
        "dataset": "conversations",
    }
    assert watch.look().fraction == pytest.approx(121 / 365)


def test_backfill_with_failures(run, look_on, tmp_path):
    """A backfill in which windows failed ends with their number, and what to do."""
    screen = look_on()
    world = run(progress=None)
    world.sandbox.fail("create", faults.JobFails(), times=1)
    world.client.backfill("response", "2019-02-01", "2019-02-03", every="1 day", to=tmp_path / "to", attempts=1)
    assert screen.states()[-1] == "1 windows landed, 1 failed"
    assert screen.drawn[-1].outcome == "failed"
    assert "result.failed" in screen.drawn[-1].advice
