"""What all tests share: nothing from outside, a sandbox with a client, and programs that can be killed."""

import inspect
import itertools
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

from khoros_analytics import Client, Clock, Job
from khoros_analytics.sandbox import Sandbox, VirtualClock

WINDOW = ("2019-02-01", "2019-02-02")
REQUIRED = {"team_performance_interval": {"time_interval": timedelta(hours=1)}}
PATIENCE = 30.0  # how long a test waits for another process, in seconds
HOMES = itertools.count()

# On a busy machine an example may take its time. Every run has the same examples, unless it asks for random ones.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("brief", deadline=None, derandomize=True, max_examples=20)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch, tmp_path_factory):
    """No test depends on this machine's proxies, certificates, netrc or credentials, nor writes into its folders."""
    names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")]
    for name in (*names, *map(str.lower, names), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("USERNAME", "PASSWORD", "COMPANY_KEY", "REGION", "URL", "PROFILE"):
        monkeypatch.delenv(f"KHOROS_ANALYTICS_{name}", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # A name of our own: pytest looks through all folders for the next free one.
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(HOMES))
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)


# --- what is drawn ---------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items):
    """Mark the tests that draw their examples, so that a run with fresh ones can leave out the others."""
    for item in items:
        if hasattr(item.obj, "hypothesis") or "seed" in item.fixturenames:
            item.add_marker("drawn")


@pytest.fixture
def seed(pytestconfig) -> int:
    """What the test's own random numbers begin with: always the same, or what the run was given."""
    number = int(pytestconfig.getoption("--hypothesis-seed") or 0)
    print(f"replay it with: nox -s tests_random -- --hypothesis-seed={number}")  # noqa: T201 - shown when it fails
    return number


# --- a sandbox with a client ----------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """How many requests of each kind came."""

    create: int = 0
    status: int = 0
    download: int = 0
    file: int = 0


class World:
    """A sandbox with a client of its own, and the questions that tests ask of both."""

    Counts = Counts

    def __init__(self, stack: ExitStack, options: dict[str, Any], settings: dict[str, Any]) -> None:
        self.stack = stack
        self.sandbox = stack.enter_context(Sandbox(**options))
        self.clock: VirtualClock = self.sandbox.clock
        self.client = self.connect(**settings)

    def connect(self, **settings) -> Client:
        """Make one more client for the same account."""
        return self.stack.enter_context(Client(**{**self.sandbox.settings, **settings}))

    def start(self, name="conversation", *, client=None, **arguments) -> Job:
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

    def count(self, phase) -> int:
        """Return how many requests of one kind came."""
        return self.sandbox.count(phase)

    def counts(self) -> Counts:
        """Return how many requests of each kind came."""
        return Counts(*map(self.count, Counts._fields))

    def sent(self) -> int:
        """Return how many bytes of files the sandbox has sent."""
        return sum(record.sent for record in self.of("file") if record.status in (200, 206))

    def fail_in_turn(self, phase, *several) -> None:
        """Let faults happen one after the other."""
        for fault in several:
            self.sandbox.fail(phase, fault)


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    """What every sandbox of `run` is started with: exports are ready at the first poll."""
    return {"polls": 1}


@pytest.fixture
def run(sandbox_options) -> Iterator[Callable[..., World]]:
    """Start a sandbox with some options, and a client with some settings. All stop with the test."""
    with ExitStack() as stack:
        yield lambda options=None, **settings: World(stack, {**sandbox_options, **(options or {})}, settings)


@pytest.fixture
def world(run) -> World:
    """A sandbox and a client without further options."""
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


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, to see what is left there."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(path))
    return path


@pytest.fixture
def journal(tmp_path) -> Path:
    """Where a journal may be; nothing is there yet."""
    return tmp_path / "journal.sqlite"


# --- programs of their own ------------------------------------------------------------------------------------------


class QuickClock(Clock):
    """The machine's clock, 60 times as fast: the same in all processes."""

    def time(self):
        return 1_556_712_000 + self.monotonic()

    def monotonic(self):
        return time.monotonic() * 60

    def sleep(self, seconds):
        time.sleep(seconds / 60)

    def alarm(self, seconds, expire):
        return super().alarm(seconds / 60, expire)


@pytest.fixture
def quick_clock() -> QuickClock:
    """A clock for several processes at once; in their programs `QuickClock()` is the same."""
    return QuickClock()


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
_BEGINNING += inspect.getsource(QuickClock)


class Program:
    """A Python program that runs in a process of its own."""

    def __init__(self, forkserver: socket.socket, text: str, arguments) -> None:
        (stdin, to), (of, stdout), (fate, status) = os.pipe(), os.pipe(), os.pipe()
        self.streams = ExitStack()
        enter = self.streams.enter_context
        self.input, self.output, self.fate = enter(os.fdopen(to, "w")), enter(os.fdopen(of)), enter(os.fdopen(fate))
        self.log = enter(tempfile.TemporaryFile("w+"))  # noqa: SIM115 - it is closed with the others
        program = {
            "text": _BEGINNING + text,
            "arguments": json.dumps(arguments),
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
        }
        streams = [stdin, stdout, self.log.fileno(), status]
        socket.send_fds(forkserver, [json.dumps(program).encode()], streams)
        for stream in (stdin, stdout, status):
            os.close(stream)
        self.pid = int(self._ask_fate())
        self.status = None

    def _ask_fate(self) -> str:
        assert select.select([self.fate], [], [], PATIENCE)[0], "it does not end"
        return self.fate.readline()

    def hear(self) -> dict[str, object]:
        """Return the next facts that it says."""
        line = self.output.readline()
        assert line, f"it said no more: {self._read_log()}"
        return json.loads(line)

    def _read_log(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def go_on(self) -> None:
        """Let it read one line."""
        self.input.write("\n")
        self.input.flush()

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power switch would."""
        if self.status is None:
            self.send(signal.SIGKILL)
            self.status = int(self._ask_fate())

    def end(self) -> tuple[list[dict[str, object]], str, int]:
        """Wait for its end; return the facts that it said, its log, and its exit status."""
        self.input.close()
        if self.status is None:
            self.status = int(self._ask_fate())
        return [json.loads(line) for line in self.output.read().splitlines()], self._read_log(), self.status

    def facts(self) -> dict[str, object]:
        """Wait for its end, which must be a good one, and return the last facts that it said."""
        said, log, status = self.end()
        assert status == 0, log
        return {**said[-1], "log": log}

    def close(self) -> None:
        """Let nothing of it outlive the test."""
        self.kill()
        self.streams.close()


@pytest.fixture(scope="session")
def forkserver() -> Iterator[socket.socket]:
    """A process that runs programs, see there: a new interpreter for each would take a second."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("_forkserver.py")), str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]):
        theirs.close()
        yield ours
        ours.close()


@pytest.fixture
def launch(request) -> Iterator[Callable[..., Program]]:
    """Start programs for a world's sandbox. None outlives the test."""
    programs = []

    def start(world, text, *, journal=None, **arguments) -> Program:
        client = {name: value for name, value in world.sandbox.settings.items() if name != "clock"}
        if journal is not None:
            client["journal"] = os.fspath(journal)
        forkserver = request.getfixturevalue("forkserver")
        programs.append(Program(forkserver, text, {**arguments, "client": client}))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something that another process or thread is about to do."""

    def wait(happened: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.005)

    return wait


# --- object storage ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def storage():
    """A stand-in for S3."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - seconds, for few tests

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """A bucket of its own for each test, and what tests ask of it."""

    def __init__(self, endpoint) -> None:
        import boto3  # noqa: PLC0415 - the same

        self.options = {"endpoint_url": endpoint, "key": "test", "secret": "test", "default_block_size": 5 << 20}
        self.name = f"exports-{os.urandom(4).hex()}"
        self.client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test")
        self.client.create_bucket(Bucket=self.name)

    def objects(self):
        """Return the names of what is there."""
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def uploads(self):
        """Return what was begun and neither finished nor given up: it would cost money for ever."""
        return self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])

    def read(self, name):
        """Return an object as a table."""
        import pyarrow as pa  # noqa: PLC0415 - the same
        from pyarrow import parquet  # noqa: PLC0415

        content = self.client.get_object(Bucket=self.name, Key=name)["Body"].read()
        return parquet.read_table(pa.BufferReader(content)).replace_schema_metadata(None)


@pytest.fixture
def bucket(storage, monkeypatch):
    """An empty bucket."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    found = Bucket(storage)
    yield found
    found.client.close()
