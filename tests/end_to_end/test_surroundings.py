"""What a program does around its calls - exceptions, forks, proxies, odd disks - changes nothing in what they mean."""

import errno
import fcntl
import os
import threading

import pytest
import requests

from khoros_analytics import (
    ConfigurationError,
    JobTimeoutError,
    ParameterError,
    RequestRejectedError,
    TargetError,
    TransportError,
    UnexpectedReplyError,
)
from khoros_analytics.sandbox import faults


def test_a_caller_that_handles_an_exception(world):
    """An exception that the caller is handling says nothing about the creation: it is not repeated."""
    world.sandbox.fail("create", faults.Reset(after=True))
    try:
        requests.get("http://127.0.0.1:9/", timeout=5)
    except requests.ConnectionError:
        with pytest.raises(TransportError) as caught:
            world.start()
    assert caught.value.may_have_started is True
    assert len(world.sandbox.exports) == 1


def test_a_server_that_lost_patience(world):
    """After a 408 a server may well have acted: the creation is not repeated."""
    world.sandbox.fail("create", faults.HttpStatus(408, after=True), times=None)
    with pytest.raises(RequestRejectedError) as caught:
        world.start()
    assert caught.value.may_have_started is True
    assert len(world.sandbox.exports) == 1


def test_an_answer_that_requests_cannot_read(world):
    """What is wrong with an answer came after the request: the export may have started."""
    headers = (("Content-Length", "10, 20"),)
    world.sandbox.fail("create", faults.RawAnswer(200, b"0123456789", headers))
    with pytest.raises((TransportError, ConfigurationError, UnexpectedReplyError)) as caught:
        world.start()
    assert caught.value.may_have_started is True


def test_certificates_that_are_not_there(run, monkeypatch):
    """A wrong path to certificates is found before anything is sent, and the error says so."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem")
    world = run()
    client = world.connect(base_url="https://127.0.0.1:9", retries=0)
    with pytest.raises(TransportError) as caught:
        world.start(client=client)
    assert caught.value.may_have_started is False


# A process of its own has no other threads, whose locks a fork would copy in whatever state they are.
_FORKS = """
import faulthandler, traceback

def download(job, path):
    status = 1
    try:
        faulthandler.dump_traceback_later(20, exit=True)
        job.download(path)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)

with connect() as client:
    jobs = [client.conversation(*WINDOW, metrics=[f"COLUMN_{number}"]).wait() for number in range(4)]
    client.teams()
    children = []
    for number, job in enumerate(jobs):
        children.append(os.fork())
        if children[-1] == 0:
            download(job, ARGUMENTS["names"][number])
    say(statuses=[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork(run, folder, launch):
    """Children of a fork do not share the parent's connections: each gets the bytes of its own job."""
    world = run({"keep_alive": True, "polls": 1})
    paths = [folder / f"{number}.csv" for number in range(4)]
    facts = launch(world, _FORKS, names=list(map(str, paths))).facts()
    assert facts["statuses"] == [0] * 4, facts["log"]
    assert [path.read_bytes() for path in paths] == [export.content() for export in world.sandbox.exports]


# At a wait in the middle of each, a child is forked that ends as programs do: by an exception that goes up.
_ENDING_CHILDREN = """
class Forking(VirtualClock):
    armed = False

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.armed:
            self.armed = False
            child = os.fork()
            if not child:
                sys.exit()
            os.waitpid(child, 0)
            states.append(client.jobs()[0].state)

clock, states = Forking(), []
with connect(clock=clock) as client:
    clock.armed = True
    job = client.conversation(*WINDOW)
    job.wait()
    clock.armed = True
    rows = len(list(job.rows()))
    job = job.restart().wait()
    clock.armed = True
    path = job.download(ARGUMENTS["folder"])
say(rows=rows, states=states, size=path.stat().st_size)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_that_ends(run, folder, launch, journal):
    """The child of a fork takes nothing away on its way out: neither claim, nor part, nor folder of its parent."""
    world = run({"size": 3_000_000, "polls": 1})
    world.sandbox.fail("create", faults.HttpStatus(429, retry_after="1"))
    world.sandbox.fail("file", faults.Reset())
    world.sandbox.fail("file", faults.Cut(10), skip=1)
    facts = launch(world, _ENDING_CHILDREN, folder=str(folder), journal=journal).facts()
    assert facts["states"] == ["claimed", "ready", "ready"], facts["log"]
    assert facts["size"] == len(world.content())
    assert facts["rows"] > 1000
    assert len(world.sandbox.exports) == 2
    assert len(list(folder.iterdir())) == 1


def test_a_proxy_and_this_machine(world, monkeypatch):
    """Plain http stays on this machine, whatever proxy the environment names: it would see the password."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert world.client.teams()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(world, folder, monkeypatch, number):
    """Where nothing can be locked, the file still arrives, and nothing else stays."""

    def refuse(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = world.ready().download(folder)
    assert path.read_bytes() == world.content()
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    "page",
    [
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b"<!-- gateway --><html>busy</html>",
        b"\n <ERROR>no</ERROR>",
    ],
)
def test_error_pages_with_a_good_status(world, folder, page):
    """A page that comes as a 200 in place of the file is noticed, and asked past."""
    world.sandbox.fail("file", faults.RawAnswer(200, page))
    assert world.ready().download(folder).read_bytes() == world.content()


NO_EXPORTS = {
    "csv": (b'{"error": "token"}', b'[{"A":1}]', bytes(5000), b"<title>Sign in</title>", b"<div>", b"<h1>", b" \r\n"),
    "json": (b'{"error": "token"}', b"null", bytes(5000), b"A,B\r\n1,2\r\n", b"<h1>", b"\xef\xbb\xbf"),
}


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize(
    ("format", "content"), [(name, content) for name, several in NO_EXPORTS.items() for content in several]
)
def test_no_export_with_a_good_status(world, folder, *, format, content, times):
    """A message in place of the file is fetched once more; then it is an error that quotes it, also for a download."""
    world.sandbox.fail("file", faults.RawAnswer(200, content), times=times)
    job = world.ready(format=format)
    if times:
        assert job.download(folder).read_bytes() == world.content()
        return

    with pytest.raises(UnexpectedReplyError) as caught:
        job.download(folder)

    assert world.count("file") == 2
    assert list(folder.iterdir()) == []
    assert not content[:9].isalnum() or content[:9].decode() in str(caught.value)


def test_another_thread_downloads_the_same(world, folder):
    """Whoever waits for another thread's download of the same job waits no longer than asked for."""
    job = world.ready()
    held, done = threading.Event(), threading.Event()

    def hold():
        with job._file._lock:
            held.set()
            done.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(30)
    try:
        with pytest.raises(JobTimeoutError, match="another thread"):
            job.download(folder, timeout=0.2)
    finally:
        done.set()
        other.join()


def test_a_job_that_the_server_denies(run, folder, tmp_path):
    """What the server does not know any more is not found again in the journal: the next call starts anew."""
    world = run(journal=tmp_path / "exports.sqlite")
    world.sandbox.fail("status", faults.HttpStatus(404))
    with pytest.raises(RequestRejectedError):
        world.start().wait()
    again = world.start()
    assert not again.reattached
    assert again.download(folder).read_bytes() == world.content()


@pytest.mark.parametrize("seconds", [10**400, float("inf"), float("nan"), -1, "5", True])
def test_no_number_of_seconds(world, seconds):
    """A timeout is a number of seconds that a clock can count."""
    job = world.start()
    with pytest.raises(ParameterError, match="timeout"):
        job.wait(timeout=seconds)
    with pytest.raises(ConfigurationError, match="request_deadline"):
        world.connect(request_deadline=seconds)


@pytest.mark.parametrize("path", [5, b"x.csv", "~nosuchuser/x.csv"])
def test_no_path(world, path):
    """A path is a text or a pathlib.Path, in a home that exists."""
    with pytest.raises(TargetError, match=r"cannot be used|is not a path"):
        world.ready().download(path)


@pytest.mark.parametrize("method", ["download", "to_parquet", "to_excel"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_in_a_circle(world, folder, method, overwrite):
    """A target that is a link to itself is an error of the place like any other, and the link stays."""
    circle = folder / "circle"
    circle.symlink_to(circle)
    with pytest.raises(TargetError, match="circle cannot be"):
        getattr(world.ready(), method)(circle, overwrite=overwrite)
    assert circle.is_symlink()


@pytest.mark.parametrize("path", [None, "file.csv"])
def test_a_current_folder_that_is_gone(world, tmp_path, monkeypatch, path):
    """A current folder that somebody removed is an error that names the place; what needs no place works."""
    job = world.ready()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(TargetError, match=f"{path or 'the current folder'} cannot be used"):
        job.download(path)
    with pytest.raises(ConfigurationError, match="journal"):
        world.connect(journal="exports.sqlite")
    assert len(list(job.rows())) > 0


@pytest.mark.parametrize("clock", [object(), 5])
def test_no_clock(world, clock):
    """What is not a clock is refused at once, and spoils no other client."""
    with pytest.raises(ConfigurationError, match="clock must be"):
        world.connect(clock=clock)
    assert world.connect().teams()


@pytest.mark.parametrize("name", ["username", "password", "company_key"])
def test_a_line_break_from_a_file(world, name):
    """A credential that was read from a file with its line break is refused in words, instead of by the server."""
    with pytest.raises(ConfigurationError, match=f"{name} .*line break"):
        world.connect(**{name: "secret\n"})
