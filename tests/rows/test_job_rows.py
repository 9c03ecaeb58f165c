"""A job's rows: one wait and one download in the call, then row by row, and nothing left behind, however it ends."""

import gc
import gzip
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from khoros_analytics import (
    DownloadExpiredError,
    ExportFormatError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
    TargetError,
    TargetExistsError,
    read_rows,
)
from khoros_analytics.sandbox import faults

METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT"]


def left(folder):
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# ---- what comes out


def test_one_line(world):
    """A program of one line: it starts the export, waits, downloads and reads."""
    rows = list(world.client.conversation("2019-02-01", "2019-05-01", metrics=METRICS).rows())
    assert len(rows) == 100
    assert all(list(row) == METRICS for row in rows)
    assert world.counts().create == world.counts().download == world.counts().file == 1


def test_json(world):
    """The rows of JSON are those of the server's file, with the types that they have there."""
    rows = list(world.start(metrics=METRICS, format="json").rows())
    assert repr(rows) == repr(json.loads(world.content()))
    assert {type(row["POST_COUNT"]) for row in rows} == {int}


def test_csv(world):
    """The rows of CSV are those of the same export in JSON, as texts."""
    rows = list(world.start(metrics=METRICS).rows())
    wanted = list(world.start(metrics=METRICS, format="json").rows())
    assert rows == [{name: None if row[name] is None else str(row[name]) for name in METRICS} for row in wanted]


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("name", ["conversation", "response", "user", "raw_brand_posts"])
def test_reports(name, format, world):
    """Reports with texts, quotes, line ends and arrays come out as the server has them."""
    job = world.start(name, format=format)
    rows = list(job.rows())
    assert len(rows) == 100
    if format == "json":
        assert repr(rows) == repr(json.loads(world.content()))
    else:
        assert rows == list(read_rows(job.download()))


@pytest.mark.parametrize("format", ["csv", "json"])
def test_gzip(format, run):
    """A file that the server stores compressed is read all the same."""
    world = run({"gzip": True})
    job = world.start(metrics=METRICS, format=format)
    assert len(list(job.rows())) == 100


@pytest.mark.parametrize("format", ["csv", "json"])
def test_gzip_that_is_not_announced(format, world):
    """And so is one of which only its bytes tell that it is compressed."""
    content = b"A,B\n1,x\n" if format == "csv" else b'[{"A":"1","B":"x"}]'
    world.sandbox.fail("file", faults.RawAnswer(content=gzip.compress(content)))
    assert list(world.start(format=format).rows()) == [{"A": "1", "B": "x"}]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_no_rows(format, run):
    """An export without rows has none, and is not an error."""
    assert list(run({"rows": 0}).start(metrics=METRICS, format=format).rows()) == []


def test_format_is_that_of_the_job(world):
    """A job knows what it has asked for: its file is not taken for something else because of how it begins."""
    world.sandbox.fail("file", faults.RawAnswer(content=b"[A],B\n1,2\n"))
    assert list(world.start(format="csv").rows()) == [{"[A]": "1", "B": "2"}]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_again(format, world):
    """Rows may be read again and at the same time: each iterator begins with the first one."""
    job = world.start(metrics=METRICS, format=format)
    first, second = job.rows(), job.rows()
    assert next(first) == next(second)
    assert list(first) == list(second)
    assert list(job.rows())[1:] == list(world.client.job(job.token).rows())[1:]


def test_threads(world, temporary):
    """Threads may read rows of one job, each its own."""
    job = world.start(metrics=METRICS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: list(job.rows()), range(8)))
    assert all(rows == found[0] for rows in found)
    assert left(temporary) == []


# ---- when it happens


def test_wait_is_over(world):
    """The wait and the download happen in the call, not with the first row; a row costs no request."""
    job = world.start(metrics=METRICS)
    assert world.counts().file == 0
    rows = job.rows()
    asked = len(world.sandbox.requests)
    assert world.counts().file == 1
    assert len(list(rows)) == 100
    assert len(world.sandbox.requests) == asked


def test_rows_without_the_server(world):
    """Once the call is back the server is not needed any more."""
    rows = world.start(metrics=METRICS).rows()
    world.sandbox.stop()
    assert len(list(rows)) == 100


def test_rows_without_the_client(world):
    """Nor is the client."""
    rows = world.start(metrics=METRICS).rows()
    world.client.close()
    assert len(list(rows)) == 100


# ---- which file


def test_after_download(world, folder, temporary):
    """A file that the job has saved is read where it is: no request, no copy, and it stays."""
    job = world.start(metrics=METRICS)
    path = job.download(folder)
    asked, content = len(world.sandbox.requests), path.read_bytes()
    rows = job.rows()
    next(rows)
    assert left(temporary) == []
    assert len(list(rows)) == 99
    assert len(world.sandbox.requests) == asked
    assert path.read_bytes() == content


def test_after_a_download_that_was_changed(world, folder):
    """A file that was changed since is somebody else's: it is not read, and not touched."""
    job = world.start(metrics=METRICS)
    path = job.download(folder)
    path.write_text("A,B,C\n1,2,3\n")
    assert len(list(job.rows())) == 100
    assert path.read_text() == "A,B,C\n1,2,3\n"


@pytest.mark.parametrize("format", ["csv", "json"])
def test_keep(format, world, folder, temporary):
    """With ``keep`` the file stays where it was asked for, whole, byte by byte what ``download`` saves; nothing
    temporary is made.
    """
    job = world.start(metrics=METRICS, format=format)
    target = folder / "kept"
    rows = job.rows(keep=target)
    assert target.read_bytes() == world.content()
    next(rows)
    assert left(temporary) == []
    assert len(list(rows)) == 99
    assert target.read_bytes() == world.content()
    assert left(folder) == ["kept"]
    asked = len(world.sandbox.requests)
    assert job.download(folder / "copy").read_bytes() == world.content()
    assert len(world.sandbox.requests) == asked


def test_keep_in_a_folder(world, folder):
    """A folder as ``keep`` gets a file with the name that ``download`` gives."""
    job = world.start(metrics=METRICS)
    assert len(list(job.rows(keep=str(folder)))) == 100
    assert left(folder) == ["conversation_2019-02-01_2019-02-02.csv"]
    assert job.download(folder).name == left(folder)[0]


def test_keep_twice(world, folder):
    """The same place a second time is the job's own file: nothing is fetched, nothing is an error."""
    job = world.start(metrics=METRICS)
    first = list(job.rows(keep=folder / "kept.csv"))
    asked = len(world.sandbox.requests)
    assert list(job.rows(keep=folder / "kept.csv")) == list(job.rows()) == first
    assert len(world.sandbox.requests) == asked


def test_keep_of_an_early_end(world, folder):
    """A file that is kept stays, too, when the rows are left early, or are damaged."""
    world.sandbox.fail("file", faults.RawAnswer(content=b"A,B\n1,2\n3\n"))
    rows = world.start(metrics=METRICS).rows(keep=folder / "broken.csv")
    next(rows)
    with pytest.raises(ExportFormatError):
        next(rows)
    rows = world.start(metrics=METRICS).rows(keep=folder / "early.csv")
    next(rows)
    rows.close()
    assert left(folder) == ["broken.csv", "early.csv"]
    assert (folder / "early.csv").read_bytes() == world.content()


def test_keep_where_something_is(world, folder):
    """Another file in that place is not touched: that is an error in the call, before anything is asked."""
    (folder / "kept.csv").write_text("mine")
    job = world.start(metrics=METRICS)
    asked = len(world.sandbox.requests)
    with pytest.raises(TargetExistsError) as caught:
        job.rows(keep=folder / "kept.csv")
    assert caught.value.job is job
    assert (folder / "kept.csv").read_text() == "mine"
    assert len(world.sandbox.requests) == asked


def test_keep_without_a_folder(world, folder):
    """Nor is anything asked where there is no such folder."""
    job = world.start(metrics=METRICS)
    asked = len(world.sandbox.requests)
    with pytest.raises(TargetError) as caught:
        job.rows(keep=folder / "nothing" / "kept.csv")
    assert caught.value.job is job
    assert len(world.sandbox.requests) == asked


# ---- what is left behind


@pytest.mark.parametrize("format", ["csv", "json"])
def test_temporary_file(format, world, temporary):
    """The file lies in the temporary folder while it is read, and is gone with its folder after the last row."""
    rows = world.start(metrics=METRICS, format=format).rows()
    assert len(left(temporary)) == 1
    next(rows)
    assert len(left(temporary)) == 1
    assert len(list(rows)) == 99
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there are no such modes")
def test_temporary_file_is_private(world, temporary):
    """Nobody else may read it: an export is full of customers."""
    rows = world.start(metrics=METRICS).rows()
    (place,) = temporary.iterdir()
    assert place.stat().st_mode & 0o077 == 0
    rows.close()


@pytest.mark.parametrize("taken", [0, 1, 99])
@pytest.mark.parametrize("format", ["csv", "json"])
def test_close(format, taken, world, temporary):
    """It is gone when the rows are closed, even before the first one."""
    rows = world.start(metrics=METRICS, format=format).rows()
    for _ in range(taken):
        next(rows)
    rows.close()
    del rows
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("taken", [0, 1])
def test_garbage(taken, world, temporary):
    """And when nobody has them any more, even if nobody ever took one."""
    rows = world.start(metrics=METRICS).rows()
    for _ in range(taken):
        next(rows)
    del rows
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_error_in_the_loop(world, temporary):
    """And when the caller's own loop fails."""

    def loop():
        for row in world.start(metrics=METRICS).rows():
            raise RuntimeError(row["STATUS"])

    with pytest.raises(RuntimeError):
        loop()
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_rows_outlive_their_job(world, temporary):
    """Rows go on when nobody has the job any more."""
    rows = world.start(metrics=METRICS).rows()
    gc.collect()
    assert len(list(rows)) == 100
    assert list(temporary.iterdir()) == []


def test_no_folder_for_temporary_files(world, tmp_path, monkeypatch):
    """A temporary folder that is none is a TargetError that names it, and carries the job."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nothing"))
    job = world.start(metrics=METRICS)
    with pytest.raises(TargetError, match="nothing") as caught:
        job.rows()
    assert caught.value.job is job


# ---- errors

DAMAGED = {
    "csv": (b"A,B\n1,2\n3,4\n5\n", [{"A": "1", "B": "2"}, {"A": "3", "B": "4"}], 3, 12),
    "json": (b'[{"A":1},{"A":2},5]', [{"A": 1}, {"A": 2}], 3, 17),
}


@pytest.mark.parametrize("format", DAMAGED)
def test_damaged_file(format, world, temporary):
    """A damaged file is an error that names row, place and job, behind the rows before it; it leaves no file."""
    content, wanted, row, offset = DAMAGED[format]
    world.sandbox.fail("file", faults.RawAnswer(content=content))
    job = world.start(metrics=METRICS, format=format)
    rows = job.rows()
    assert [next(rows), next(rows)] == wanted
    with pytest.raises(ExportFormatError, match=f"row {row}") as caught:
        next(rows)
    assert (caught.value.row, caught.value.offset, caught.value.job) == (row, offset, job)
    assert "conversation, 2019-02-01 to 2019-02-02" in str(caught.value)
    assert list(temporary.iterdir()) == []
    assert next(rows, None) is None


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("content", [b"", b"\n", b"<html><body>Sign in</body></html>"])
def test_no_export(content, format, world, temporary):
    """What is not an export at all is an error that names and carries the job, and leaves no file."""
    world.sandbox.fail("file", faults.RawAnswer(content=content), times=None)
    job = world.start(metrics=METRICS, format=format)
    with pytest.raises(KhorosError, match="conversation, 2019-02-01 to 2019-02-02") as caught:
        list(job.rows())
    assert caught.value.job is job
    assert left(temporary) == []
    del caught
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("keep", [False, True])
def test_no_time(keep, world, folder, temporary):
    """Without any time left it is a JobTimeoutError in the call; nothing is left."""
    job = world.start(metrics=METRICS)
    with pytest.raises(JobTimeoutError, match="conversation, 2019-02-01 to 2019-02-02") as caught:
        job.rows(keep=folder if keep else None, timeout=0)
    assert caught.value.job is job
    assert left(temporary) == left(folder) == []


def test_time_is_for_the_wait(world):
    """The time is that of the wait and the download: whoever goes slowly through the rows loses none."""
    world.start(metrics=METRICS).download()
    rows = world.start(metrics=METRICS).rows(timeout=3600)
    world.sandbox.clock.sleep(7200)
    time.sleep(0.01)
    assert len(list(rows)) == 100


def test_job_that_fails(world, temporary):
    """An export that fails is a JobFailedError in the call."""
    world.sandbox.fail("create", faults.JobFails())
    job = world.start(metrics=METRICS)
    with pytest.raises(JobFailedError) as caught:
        job.rows()
    assert caught.value.job is job
    assert left(temporary) == []


def test_file_that_has_expired(world, temporary):
    """A file that the server has dropped is a DownloadExpiredError in the call, and leaves no file."""
    job = world.start(metrics=METRICS).wait()
    world.sandbox.clock.sleep(24 * 3600 + 1)
    with pytest.raises(DownloadExpiredError) as caught:
        job.rows()
    assert caught.value.job is job
    assert left(temporary) == []


@pytest.mark.parametrize("timeout", [-1, "soon", True, float("nan"), [5]])
def test_wrong_timeouts(timeout, world):
    """A timeout that is none is a ParameterError in the call, before anything is asked."""
    job = world.start(metrics=METRICS)
    asked = len(world.sandbox.requests)
    with pytest.raises(ParameterError, match="timeout"):
        job.rows(timeout=timeout)
    assert len(world.sandbox.requests) == asked


@pytest.mark.parametrize("keep", [5, b"bytes", True, ["folder"]])
def test_wrong_places(keep, world, temporary):
    """A place that is none is a TargetError in the call, before anything is asked."""
    job = world.start(metrics=METRICS)
    asked = len(world.sandbox.requests)
    with pytest.raises(TargetError, match="is not a path") as caught:
        job.rows(keep=keep)
    assert caught.value.job is job
    assert len(world.sandbox.requests) == asked
    assert left(temporary) == []
