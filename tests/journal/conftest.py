"""What the durability tests share: a sandbox on virtual time, and programs that can be killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from khoros_analytics import Client, Job
from khoros_analytics.sandbox import Sandbox, VirtualClock

WINDOW = ("2019-02-01", "2019-02-02")
PATIENCE = 30.0  # how long a test waits for another process, in seconds


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

    def start(self, client=None, **arguments) -> Job:
        """Start an export of one day."""
        return (client or self.client).conversation(*WINDOW, **arguments)

    def content(self, which=-1) -> bytes:
        """Return the bytes that the sandbox has for an export."""
        return self.sandbox.exports[which].content()

    def of(self, phase):
        """Return the requests of one kind that came."""
        return [record for record in self.sandbox.requests if record.phase == phase]

    def count(self, phase) -> int:
        """Return how many requests of one kind came."""
        return self.sandbox.count(phase)

    def sent(self) -> int:
        """Return how many bytes of files the sandbox has sent."""
        return sum(record.sent for record in self.of("file") if record.status in (200, 206))

    def fail_in_turn(self, phase, *several) -> None:
        """Let faults happen one after the other."""
        for fault in several:
            self.sandbox.fail(phase, fault)


@pytest.fixture
def run() -> Iterator[Callable[..., World]]:
    """Start a sandbox with some options, and a client with some settings. All stop with the test."""
    with ExitStack() as stack:
        yield lambda options=None, **settings: World(stack, {"polls": 1, **(options or {})}, settings)


@pytest.fixture
def world(run) -> World:
    """A sandbox whose exports are ready at the first look, and a client for it."""
    return run()


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for files."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


@pytest.fixture
def journal(tmp_path) -> Path:
    """Where a journal may be; nothing is there yet."""
    return tmp_path / "journal.sqlite"


# --- programs of their own ------------------------------------------------------------------------------------------

_BEGINNING = """
import json, logging, os, signal, sys, time
from pathlib import Path
from khoros_analytics import Client, Clock
from khoros_analytics.sandbox import VirtualClock

WINDOW = ("2019-02-01", "2019-02-02")
ARGUMENTS = json.loads(sys.argv[1])
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stderr)
logging.getLogger("urllib3").setLevel("WARNING")


def connect(**settings):
    return Client(**{"clock": VirtualClock(), **ARGUMENTS["client"], **settings})


def say(**facts):
    print(json.dumps(facts), flush=True)


def die(*arguments, **settings):
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)

"""


class Program:
    """A Python program that runs in a process of its own."""

    def __init__(self, text: str, arguments) -> None:
        command = [sys.executable, "-W", "error", "-c", _BEGINNING + text, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def hear(self) -> dict[str, object]:
        """Return the next facts that it says."""
        line = self.process.stdout.readline()
        assert line, f"it said no more: {self.process.stderr.read()}"
        return json.loads(line)

    def go_on(self) -> None:
        """Let it read one line."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it as a power switch would."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def end(self) -> tuple[list[dict[str, object]], str, int]:
        """Wait for its end; return the facts that it said, its log, and its exit status."""
        said, log = self.process.communicate(timeout=PATIENCE)
        return [json.loads(line) for line in said.splitlines()], log, self.process.returncode

    def facts(self) -> dict[str, object]:
        """Wait for its end, which must be a good one, and return the last facts that it said."""
        said, log, status = self.end()
        assert status == 0, log
        return {**said[-1], "log": log}


@pytest.fixture
def launch() -> Iterator[Callable[..., Program]]:
    """Start programs for a world's sandbox. None outlives the test."""
    programs = []

    def start(world, text, *, journal=None, **arguments) -> Program:
        client = {name: value for name, value in world.sandbox.settings.items() if name != "clock"}
        if journal is not None:
            client["journal"] = os.fspath(journal)
        programs.append(Program(text, {**arguments, "client": client}))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate(timeout=PATIENCE)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something that another process or thread is about to do."""

    def wait(happened: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.005)

    return wait
