"""What the end-to-end tests share: a sandbox, clients for it, and clocks on which nothing waits for real."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from khoros_analytics import Client, Clock, Job
from khoros_analytics.sandbox import Sandbox, VirtualClock

WINDOW = ("2019-02-01", "2019-02-02")
REQUIRED = {"team_performance_interval": {"time_interval": timedelta(hours=1)}}


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch, tmp_path_factory):
    """No test depends on this machine's proxies, certificates, netrc or credentials, nor writes into its folders."""
    names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")]
    for name in (*names, *map(str.lower, names), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("USERNAME", "PASSWORD", "COMPANY_KEY", "REGION", "URL"):
        monkeypatch.delenv(f"KHOROS_ANALYTICS_{name}", raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)


class World:
    """A sandbox with a client of its own, and the questions that tests ask of both."""

    def __init__(self, stack: ExitStack, options, settings) -> None:
        self.stack = stack
        self.sandbox = stack.enter_context(Sandbox(**options))
        self.clock: VirtualClock = self.sandbox.clock
        self.client = self.connect(**settings)

    def connect(self, **settings) -> Client:
        """Make one more client for the same account."""
        return self.stack.enter_context(Client(**{**self.sandbox.settings, **settings}))

    def start(self, name="conversation", client=None, **arguments) -> Job:
        """Start an export of one day."""
        return (client or self.client).start(name, *WINDOW, **{**REQUIRED.get(name, {}), **arguments})

    def ready(self, **arguments) -> Job:
        """Start an export and wait until its file is ready."""
        return self.start(**arguments).wait()

    def content(self, which=-1) -> bytes:
        """Return the bytes that the sandbox has for an export."""
        return self.sandbox.exports[which].content()

    def of(self, phase):
        """Return the requests of one kind that came."""
        return [record for record in self.sandbox.requests if record.phase == phase]

    def counts(self):
        """Return how many requests of each kind came: creations, looks, downloads, files."""
        return tuple(self.sandbox.count(phase) for phase in ("create", "status", "download", "file"))


@pytest.fixture
def run() -> Iterator[Callable[..., World]]:
    """Start a sandbox with some options, and a client with some settings. All stop with the test."""
    with ExitStack() as stack:
        yield lambda options=None, **settings: World(stack, options or {}, settings)


@pytest.fixture
def world(run) -> World:
    """A sandbox and a client with all their defaults."""
    return run()


@pytest.fixture
def sandbox(world) -> Sandbox:
    """The sandbox of `world`."""
    return world.sandbox


@pytest.fixture
def client(world) -> Client:
    """The client of `world`."""
    return world.client


@pytest.fixture
def clock(world) -> VirtualClock:
    """The clock of `world`."""
    return world.clock


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for files."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


class CrowdClock(Clock):
    """A virtual clock for many threads: it jumps to the next waking when all that take part are asleep.

    So the time that something real takes, such as a request under way, is no time at all.
    """

    def __init__(self) -> None:
        self._now = 1_556_712_000.0
        self._condition = threading.Condition()
        self._present = 0
        self._wakings: list[float] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    @contextmanager
    def taking_part(self):
        """Count the block's thread among those that have to be asleep."""
        with self._condition:
            self._present += 1
        try:
            yield
        finally:
            with self._condition:
                self._present -= 1
                self._jump()

    def sleep(self, seconds: float) -> None:
        with self._condition:
            waking = self._now + max(seconds, 0.0)
            self._wakings.append(waking)
            self._jump()
            while self._now < waking:
                assert self._condition.wait(30), "somebody sleeps for ever"
            self._wakings.remove(waking)

    def _jump(self) -> None:
        asleep = [waking for waking in self._wakings if waking > self._now]
        if asleep and len(self._wakings) >= self._present and len(asleep) == len(self._wakings):
            self._now = min(asleep)
            self._condition.notify_all()

    @contextmanager
    def alarm(self, seconds, expire):
        yield


@pytest.fixture
def crowd() -> CrowdClock:
    """A virtual clock for many threads."""
    return CrowdClock()
