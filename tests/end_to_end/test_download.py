"""Downloads: a file is whole or absent, however the network behaves."""

import errno
import os
import resource
import threading
from pathlib import Path

import pytest

from khoros_analytics import (
    AuthenticationError,
    DownloadError,
    DownloadExpiredError,
    JobTimeoutError,
    KhorosError,
    TargetError,
    TargetExistsError,
    UnexpectedReplyError,
)
from khoros_analytics.sandbox import faults

PIECE = 1024 * 1024
BIG = {"size": 5 * PIECE // 2, "polls": 1}
DEFAULT_NAME = "conversation_2019-02-01_2019-02-02.csv"


def sent(world):
    """Return how many bytes of files the sandbox has sent."""
    return sum(record.sent for record in world.of("file") if record.status in (200, 206))


# --- on the way -----------------------------------------------------------------------------------------------------

BREAKS = {
    "cut": faults.Cut(0.6),
    "reset": faults.ResetWithin(0.6),
    "cut at once": faults.Cut(0),
    "cut at the end": faults.Cut(0.9999999),
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_breaks_is_resumed(run, folder, fault, framing):
    """A broken body is continued by Range where it broke: the file is byte-identical, few bytes come twice."""
    world = run({**BIG, "framing": framing})
    world.sandbox.fail("file", fault)

    path = world.start().download(folder)

    assert path.read_bytes() == world.content()
    first, second = world.of("file")
    assert first.header("Range") is None
    if fault.at > 0:
        assert second.header("Range")
        assert second.header("If-Range")
        assert second.status == 206
    assert sent(world) - len(world.content()) <= PIECE
    assert list(folder.iterdir()) == [path]


def test_a_body_that_breaks_again_and_again(run, folder):
    """Failures are counted from the last progress on: a link that moves on gets there, however often it breaks."""
    world = run({**BIG, "size": 6 * PIECE}, retries=1)
    world.sandbox.fail("file", faults.Cut(PIECE + 10), times=4)

    assert world.start().download(folder).read_bytes() == world.content()
    assert len(world.of("file")) == 5


def test_a_body_that_never_moves(run, folder):
    """A body that breaks always at the same place ends in an error at the deadline, and leaves nothing."""
    world = run(BIG, retries=2)
    world.sandbox.fail("file", faults.Cut(0), times=None)

    with pytest.raises(JobTimeoutError) as caught:
        world.start().download(folder, timeout=600)

    assert caught.value.job is not None
    assert 10 < len(world.of("file")) < 30
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("options", [{"ranges": False}, {"validators": False}, {"gzip": True}], ids=str)
@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
def test_a_body_that_cannot_be_resumed_is_begun_anew(run, folder, options, fault):
    """Where the host knows no ranges, names no version or sends a compressed file, a broken body begins anew."""
    world = run({**BIG, **options})
    world.sandbox.fail("file", fault)

    assert world.start().download(folder).read_bytes() == world.content()
    assert {record.status for record in world.of("file")} == {200}


def test_another_file_behind_the_link(run, folder):
    """When the file is another one by the time of the second request, nothing of the first one is kept."""
    world = run(BIG)
    job = world.ready()
    world.sandbox.fail("file", faults.Cut(0.6))
    world.sandbox.fail("file", faults.RawAnswer(content=b"A\n1\n", headers=(("ETag", '"new"'),)))

    assert job.download(folder).read_bytes() == b"A\n1\n"


@pytest.mark.parametrize(
    "answer",
    [
        faults.RawAnswer(206, b"x" * 100, (("Content-Range", "bytes 5-104/1000"),)),
        faults.RawAnswer(206, b"x" * 100, (("Content-Range", "bytes 0-99/4194304"),)),
        faults.RawAnswer(206, b"x" * 100, (("Content-Range", "lines 1-2"),)),
        faults.RawAnswer(206, b"x" * 100),
        faults.HttpStatus(416),
    ],
    ids=["other start", "from 0", "other unit", "no range", "416"],
)
def test_a_part_that_does_not_fit(run, folder, answer):
    """A part that does not begin where the file broke is not glued to it."""
    world = run(BIG)
    world.sandbox.fail("file", faults.Cut(0.6))
    world.sandbox.fail("file", answer)

    assert world.start().download(folder).read_bytes() == world.content()


def test_a_part_that_nobody_asked_for(world, folder):
    """A 206 to a request without Range is not a file."""
    world.sandbox.fail("file", faults.RawAnswer(206, b"x" * 100, (("Content-Range", "bytes 0-99/1000"),)))

    assert world.start().download(folder).read_bytes() == world.content()


@pytest.mark.parametrize("by", [1, 100_000])
def test_a_length_that_lies(world, folder, by):
    """A body that is shorter than it was announced is never taken for the file."""
    world.sandbox.fail("file", faults.WrongLength(by))

    assert world.start().download(folder).read_bytes() == world.content()
    assert len(world.of("file")) > 1


TRANSIENT = {
    "HTML": faults.HtmlPage(),
    "500": faults.HttpStatus(500),
    "502": faults.HttpStatus(502, body="html"),
    "503": faults.HttpStatus(503),
    "429": faults.HttpStatus(429, retry_after="3"),
    "reset": faults.Reset(),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.parametrize("phase", ["download", "file"])
def test_what_passes(world, folder, phase, fault):
    """An HTML page in place of the file, a failing gateway or a reset are tried again."""
    world.sandbox.fail(phase, fault, times=1 if isinstance(fault, faults.HtmlPage) else 12)

    assert world.start().download(folder).read_bytes() == world.content()


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (faults.HtmlPage(), UnexpectedReplyError, "a page or an error message in place of the file"),
        (faults.HttpStatus(500), JobTimeoutError, "HTTP 500"),
        (faults.Reset(), JobTimeoutError, "TransportError"),
    ],
)
@pytest.mark.parametrize("phase", ["download", "file"])
def test_what_does_not_pass(run, folder, *, phase, fault, error, said):
    """A page is fetched once more, an outage waited for until the deadline; the target is as it was before, and nothing
    lies beside it.
    """
    world = run(retries=2)
    world.sandbox.fail(phase, fault, times=None)
    target = folder / "mine.csv"
    target.write_text("old")

    with pytest.raises(error) as caught:
        world.start().download(target, overwrite=True, timeout=600)

    assert type(caught.value) is error
    assert said in str(caught.value)
    assert caught.value.job is not None
    assert len(world.of(phase)) == 2 if error is UnexpectedReplyError else 10 < len(world.of(phase)) < 30
    assert target.read_text() == "old"
    assert list(folder.iterdir()) == [target]


def test_a_slow_body(run, folder):
    """A body that comes in small pieces is put together."""
    world = run({"rows": 200})
    world.sandbox.fail("file", faults.Slow(pause=0.002, every=2000))

    assert world.start().download(folder).read_bytes() == world.content()
    assert len(world.content()) > 20_000


def test_a_body_that_stops_coming(run, folder):
    """A body that stops coming is given up after the read timeout, and continued."""
    world = run(BIG, timeout=(5, 0.4))
    world.sandbox.fail("file", faults.Stall(0.6))

    assert world.start().download(folder).read_bytes() == world.content()
    assert world.of("file")[0].fault is not None
    assert world.of("file")[-1].status == 206


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["download", "file"])
def test_an_expired_link_is_renewed(world, folder, phase):
    """A signed link that is refused is renewed through the status URL."""
    world.sandbox.fail(phase, faults.Expired())

    assert world.start().download(folder).read_bytes() == world.content()
    assert [record.status for record in world.of("file")] == [403, 200]
    assert len(world.of("download")) == 2


def test_a_link_that_expires_within_the_file(run, folder):
    """A link that expires while the file is on its way is renewed, and the file continued."""
    world = run(BIG)
    world.sandbox.fail("file", faults.Cut(0.6))
    world.sandbox.fail("file", faults.Expired())

    assert world.start().download(folder).read_bytes() == world.content()
    assert [record.status for record in world.of("file")] == [200, 403, 206]


@pytest.mark.parametrize("phase", ["download", "file"])
@pytest.mark.parametrize("code", [401, 403])
def test_a_link_that_is_always_refused(run, folder, phase, code):
    """A link that stays refused after every renewal is an error in the end, with few requests."""
    world = run(retries=2)
    world.sandbox.fail(phase, faults.HttpStatus(code), times=None)

    with pytest.raises((DownloadError, AuthenticationError)):
        world.start().download(folder)

    assert len(world.of(phase)) <= 3
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("ready", ["ready before", "ready elsewhere"])
def test_an_export_that_is_gone(world, folder, ready):
    """An export that the server has dropped after 24 hours is a DownloadExpiredError that says how to go on."""
    job = world.ready()
    world.clock.sleep(24 * 3600 + 1)
    if ready == "ready elsewhere":
        job = world.connect().job(job.token)

    with pytest.raises(DownloadExpiredError, match="restart") as caught:
        job.download(folder)

    assert caught.value.job is job
    assert len(world.of("download")) <= 2
    assert list(folder.iterdir()) == []
    assert job.restart().download(folder).read_bytes() == world.content()


@pytest.mark.parametrize("phase", ["download", "file"])
@pytest.mark.parametrize("code", [404, 410])
def test_a_server_that_forgets(world, folder, phase, code):
    """404 and 410 mean that there is nothing any more, or are renewed like any other refused link."""
    world.sandbox.fail(phase, faults.HttpStatus(code), times=None)

    with pytest.raises(DownloadError):
        world.start().download(folder)

    assert list(folder.iterdir()) == []


def test_a_job_that_the_server_dropped(world, folder):
    """When the status of a ready job is unknown to the server too, its export has expired."""
    job = world.ready()
    world.sandbox.fail("download", faults.HttpStatus(404), times=None)
    world.sandbox.fail("status", faults.HttpStatus(404), times=None)

    with pytest.raises(DownloadExpiredError):
        job.download(folder)


def test_the_last_day(world, folder):
    """Shortly before its 24 hours are over an export can still be fetched."""
    job = world.ready()
    world.clock.sleep(24 * 3600 - 30)

    assert job.download(folder).read_bytes() == world.content()


def test_a_deadline_within_the_download(run, folder):
    """timeout bounds the download, too: a host that fails on and on ends within a second of it."""
    world = run(retries=10_000)
    world.sandbox.fail("file", faults.HttpStatus(503), times=None)
    job, began = world.start(), world.clock.time()

    with pytest.raises(JobTimeoutError) as caught:
        job.download(folder, timeout=300)

    assert abs(world.clock.time() - began - 300) <= 1
    assert caught.value.job is job
    assert list(folder.iterdir()) == []


# --- on the disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["str", "Path", "PathLike", "None", "slash", "home"])
def test_a_folder_gets_the_default_name(world, folder, monkeypatch, given):
    """A folder in any form, and no path at all, get a name made of report and window."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))

    class Own:
        def __fspath__(self):
            return str(folder)

    paths = {"str": str(folder), "Path": folder, "PathLike": Own(), "None": None, "slash": f"{folder}/", "home": "~"}

    path = world.start().download(paths[given])

    assert path == folder / DEFAULT_NAME
    assert path.is_absolute()


@pytest.mark.parametrize(
    ("window", "zone", "name"),
    [
        (("2019-02-01", "2019-05-01"), None, "conversation_2019-02-01_2019-05-01.csv"),
        (("2019-02-01T09:30", "2019-02-02"), None, "conversation_2019-02-01T093000_2019-02-02.csv"),
        (("2019-02-01", "2019-02-02"), "Asia/Tokyo", "conversation_2019-02-01_2019-02-02.csv"),
    ],
)
def test_the_default_name(world, folder, window, zone, name):
    """The default name shows the window as the caller wrote it."""
    job = world.client.conversation(*window, timezone=zone)

    assert job.download(folder).name == name


def test_an_ordinary_file(world, folder):
    """The file has the rights that any new file has here, and not those of a temporary one."""
    (folder / "other").touch()

    path = world.start().download(folder / "file.csv")

    assert path.stat().st_mode == (folder / "other").stat().st_mode
    assert path.stat().st_nlink == 1


def test_an_existing_file_stays(world, folder):
    """Another file is never replaced unless told so: the error comes before anything is asked of the server."""
    job = world.start()
    target = folder / "file.csv"
    target.write_text("old")

    with pytest.raises(TargetExistsError, match="overwrite=True") as caught:
        job.download(target)

    assert isinstance(caught.value, FileExistsError)
    assert (caught.value.path, caught.value.job) == (target, job)
    assert target.read_text() == "old"
    assert world.counts() == world.Counts(create=1)


def test_overwrite(world, folder):
    """overwrite=True replaces another file, also through a link."""
    (folder / "real.csv").write_text("old")
    (folder / "link.csv").symlink_to("real.csv")

    path = world.start().download(folder / "link.csv", overwrite=True)

    assert path == folder / "link.csv"
    assert path.is_symlink()
    assert (folder / "real.csv").read_bytes() == world.content()


def test_a_file_that_appears_meanwhile(world, folder, monkeypatch):
    """A file that somebody else writes while this one is on its way is not replaced either."""
    target = folder / "file.csv"
    job = world.start()
    monkeypatch.setattr(world.clock, "sleep", lambda _seconds: world.clock.__class__.sleep(world.clock, 60) or write())

    def write():
        target.write_text("theirs")

    with pytest.raises(TargetExistsError, match="meantime"):
        job.download(target)

    assert target.read_text() == "theirs"
    assert list(folder.iterdir()) == [target]


def test_the_same_place_again(world, folder):
    """A second download to the place where the job's own file is returns it, without a request and without a write."""
    job = world.start()
    path = job.download(folder)
    before, written = world.counts(), path.stat().st_mtime_ns

    assert job.download(folder) == path == job.download(path)
    assert world.counts() == before
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("overwrite", [True, False])
def test_another_place(world, folder, overwrite):
    """A download to another place copies the file, without a request."""
    job = world.start()
    job.download(folder)
    before = world.counts()
    other = folder / "other.csv"
    if overwrite:
        other.write_text("old")

    assert job.download(other, overwrite=overwrite).read_bytes() == world.content()
    assert world.counts() == before
    assert sorted(path.name for path in folder.iterdir()) == [DEFAULT_NAME, "other.csv"]


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_file_that_is_not_the_jobs_any_more(world, folder, change):
    """A file that was changed is another file, one that was deleted is fetched again."""
    job = world.start()
    path = job.download(folder)
    if change == "deleted":
        path.unlink()
        assert job.download(folder).read_bytes() == world.content()
    else:
        path.write_text("changed")
        with pytest.raises(TargetExistsError):
            job.download(folder)
        assert path.read_text() == "changed"

    assert len(world.of("file")) == (2 if change == "deleted" else 1)


def test_many_threads_one_job(world, folder):
    """Threads that want the same job's file at once get it from one download."""
    job = world.ready()
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(job.download(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paths == [folder / DEFAULT_NAME] * 8
    assert len(world.of("file")) == 1


PLACES = {
    "no folder": lambda folder: folder / "no" / "file.csv",
    "no folder, slash": lambda folder: f"{folder}/no/",
    "a file as folder": lambda folder: folder / "file" / "x.csv",
    "a pipe": lambda folder: folder / "pipe",
    "too long": lambda folder: folder / ("x" * 300),
    "zero byte": lambda folder: f"{folder}/a\0b",
    "long folder": lambda folder: folder / ("x" * 300) / "x.csv",
}


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_places_that_cannot_be(world, folder, place, overwrite):
    """A place where no file can be is a TargetError, an OSError too; nothing is fetched or left there."""
    (folder / "file").touch()
    os.mkfifo(folder / "pipe")
    job = world.start()

    with pytest.raises(TargetError) as caught:
        job.download(place(folder), overwrite=overwrite)

    assert isinstance(caught.value, OSError)
    assert caught.value.job is job
    assert len(world.of("download")) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["file", "pipe"]


@pytest.mark.parametrize("given", [7, 1.5, b"x", object()], ids=["int", "float", "bytes", "object"])
def test_paths_that_are_none(world, given):
    """What is not a path at all is a clear error before anything is asked."""
    job = world.start()

    with pytest.raises((KhorosError, TypeError)):
        job.download(given)

    assert world.counts() == world.Counts(create=1)


def test_a_folder_that_takes_no_files(world):
    """A folder in which even root can write nothing is a TargetError with the system's reason; nothing is fetched."""
    job = world.start()

    with pytest.raises(TargetError) as caught:
        job.download("/proc/self/file.csv")

    assert caught.value.path == Path("/proc/self/file.csv")
    assert len(world.of("download")) == 0


def test_a_read_only_folder(world, folder, monkeypatch):
    """A folder that is read-only for this user is refused before anything is asked of the server."""
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not (mode & os.W_OK and Path(path) == folder))
    job = world.start()

    with pytest.raises(TargetError, match="read-only"):
        job.download(folder)

    assert world.counts() == world.Counts(create=1)


@pytest.fixture
def small_disk():
    """Let no file grow beyond 64 KiB: the system's own error in the middle of writing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_disk_that_takes_no_more(run, folder, small_disk, overwrite):
    """When the disk takes no more, that is a TargetError at once; the old file is untouched and no part is left."""
    world = run({"size": 200_000})
    job = world.ready()
    target = folder / "file.csv"
    if overwrite:
        target.write_text("old")

    with pytest.raises(TargetError) as caught:
        job.download(target, overwrite=overwrite)

    assert caught.value.errno == errno.EFBIG
    assert (caught.value.path.parent, caught.value.job) == (folder, job)
    assert len(world.of("file")) == 1  # no repetition makes room
    assert [path.read_text() for path in folder.iterdir()] == (["old"] if overwrite else [])


@pytest.mark.parametrize("name", ["fsync", "open", "replace"])
def test_a_full_disk_at_any_step(world, folder, monkeypatch, name):
    """A disk that is full when the file is opened, flushed or renamed is a TargetError, too, and leaves nothing."""
    job = world.ready()
    target = folder / "file.csv"
    target.write_text("old")

    def full(*_arguments, **_settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, name, full)
    with pytest.raises(TargetError, match="No space left") as caught:
        job.download(target, overwrite=True)
    monkeypatch.undo()

    assert caught.value.errno == errno.ENOSPC
    assert [path.read_text() for path in folder.iterdir()] == ["old"]
    assert job.download(target, overwrite=True).read_bytes() == world.content()


def test_a_full_disk_while_copying(run, folder, small_disk):
    """A second copy that does not fit is a TargetError as well; the first one stays."""
    world = run({"size": 50_000})
    job = world.ready()
    first = job.download(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with pytest.raises(TargetError):
        job.download(folder / "second.csv")

    assert list(folder.iterdir()) == [first]
    assert first.read_bytes() == world.content()


def test_no_hard_links(world, folder, monkeypatch):
    """On a file system without hard links the file still gets to its place, and an existing one stays."""

    def refused(*_arguments, **_settings):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    path = world.start().download(folder)

    assert path.read_bytes() == world.content()
    assert list(folder.iterdir()) == [path]
    with pytest.raises(TargetExistsError):
        world.start().download(folder)


def test_a_large_file_in_little_memory(run, folder):
    """A file is streamed in pieces of 1 MiB: what the process holds does not grow with it."""
    import tracemalloc  # noqa: PLC0415

    world = run({"size": 32 * PIECE, "polls": 1})
    job = world.ready()
    tracemalloc.start()
    path = job.download(folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert path.stat().st_size >= 30 * PIECE
    assert most < 12 * PIECE
