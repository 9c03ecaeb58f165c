"""A job's file as frames: one wait and one download, whatever is made of it, and nothing left behind."""

import gc
import itertools
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from khoros_analytics import ExportFormatError, JobFailedError, JobTimeoutError, ParameterError, read_arrow
from khoros_analytics.sandbox import faults

METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT"]
TYPES = ["string", "string", "int64"]
FRAMES = ("to_arrow", "to_pandas", "to_polars")


def left(folder):
    """The names of what is in a folder, without those folders that are removed with their job."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_one_line(world):
    """A program of one line: it starts the export, waits, downloads and reads, and asks the server four times."""
    frame = world.client.conversation("2019-02-01", "2019-05-01", metrics=METRICS).to_pandas()
    assert frame.shape == (100, 3)
    assert world.counts().create == world.counts().download == world.counts().file == 1


@pytest.mark.parametrize("format", ["csv", "json"])
def test_all_ways(format, world):
    """Arrow, pandas, Polars, batches and Parquet hold the same, and all of them take one download."""
    job = world.start(metrics=METRICS, format=format)
    table = job.to_arrow()
    assert (table.column_names, table.schema.types, table.num_rows) == (METRICS, TYPES, 100)
    frame = job.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("list") == table.to_pydict()
    frame = job.to_polars()
    assert isinstance(frame, pl.DataFrame)
    assert frame.to_dict(as_series=False) == table.to_pydict()
    assert pa.Table.from_batches(job.batches(30)).to_pydict() == table.to_pydict()
    assert read_arrow(job.download()).equals(table)
    assert [row["CONVERSATION_ID"] for row in job.rows()] == [
        value if format == "csv" else int(value) for value in table["CONVERSATION_ID"].to_pylist()
    ]
    job.to_parquet("export.parquet")
    assert world.counts().create == world.counts().download == world.counts().file == 1


def test_download_first(world, folder, temporary):
    """A file that the job has saved is read where it is: nothing is fetched again, and nothing is copied."""
    job = world.start(metrics=METRICS)
    path = job.download(folder)
    assert job.to_arrow().equals(read_arrow(path))
    assert world.counts().file == 1
    assert left(temporary) == []
    assert path.is_file()


def test_saved_file_that_was_changed(world, folder):
    """A file that somebody has changed since is not taken for the export any more: it is fetched again."""
    job = world.start(metrics=METRICS)
    path = job.download(folder)
    path.write_text("A,B,C\n1,2,3\n")
    assert job.to_arrow().num_rows == 100
    assert path.read_text() == "A,B,C\n1,2,3\n"


def test_file_that_was_changed_between_frames(world, folder):
    """That holds between two frames, too."""
    job = world.start(metrics=METRICS)
    path = job.download(folder)
    assert job.to_arrow().num_rows == 100
    path.write_text("A,B,C\n1,2,3\n")
    assert job.to_arrow().num_rows == 100


def test_download_after_frames(world, folder, temporary):
    """To save the file after a frame was made of it costs no request: it is copied from where it is."""
    job = world.start(metrics=METRICS)
    table = job.to_arrow()
    asked = len(world.sandbox.requests)
    path = job.download(folder)
    assert len(world.sandbox.requests) == asked
    assert path.read_bytes() == world.sandbox.exports[0].content()
    assert read_arrow(path).equals(table)


def test_frames_at_once(world):
    """Threads that make frames of one job share one download."""
    job = world.start(metrics=METRICS)
    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(lambda _: job.to_arrow(), range(16)))
    assert all(table.equals(tables[0]) for table in tables)
    assert world.counts().file == 1


# ---- what is left behind


def test_file_lives_with_the_job(world, temporary):
    """Frames fetch the file into the temporary folder once; it is removed with the job."""
    job = world.start(metrics=METRICS)
    job.to_arrow()
    job.to_polars()
    assert len(left(temporary)) == 1
    assert world.counts().file == 1
    del job
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_file_lives_with_the_rows(world, temporary):
    """Rows and batches remove it after the last one."""
    job = world.start(metrics=METRICS)
    assert len(list(job.rows())) == 100
    assert list(temporary.iterdir()) == []
    assert sum(batch.num_rows for batch in job.batches(7)) == 100
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["rows", "batches"])
def test_leaving_early(how, world, temporary):
    """And when their iterator is closed early, or nobody has it any more."""
    job = world.start(metrics=METRICS)
    found = getattr(job, how)()
    next(found)
    assert len(left(temporary)) == 1
    found.close()
    assert list(temporary.iterdir()) == []
    found = getattr(job, how)()
    next(found)
    del found
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["rows", "batches"])
def test_rows_beside_frames(how, world, temporary):
    """The file of a frame is not taken away by who reads rows of the same job."""
    job = world.start(metrics=METRICS)
    job.to_arrow()
    assert list(getattr(job, how)())
    assert len(left(temporary)) == 1
    assert job.to_arrow().num_rows == 100
    assert world.counts().file == 1


BROKEN = b"CONVERSATION_ID,STATUS,POST_COUNT\r\n" + b"1,OPEN,2\r\n" * 5000 + b"2,OPEN\r\n"


@pytest.mark.parametrize("how", [*FRAMES, "rows", "batches", "to_parquet"])
def test_damaged_file(how, world, temporary, folder):
    """A damaged export is an error that names the row and carries the job, and no file of it stays behind."""
    world.sandbox.fail("file", faults.RawAnswer(content=BROKEN), times=None)
    job = world.start(metrics=METRICS)
    arguments = [folder / "export.parquet"] if how == "to_parquet" else []
    with pytest.raises(ExportFormatError, match="row 5001, which begins at byte") as caught:
        list(getattr(job, how)(*arguments))
    assert caught.value.job is job
    assert caught.value.row == 5001
    assert list(folder.iterdir()) == []
    del caught, job
    gc.collect()
    assert list(temporary.iterdir()) == []


# ---- arguments


@pytest.mark.parametrize("how", [*FRAMES, "batches"])
def test_types(how, world):
    """All of them take types, for single columns or for all."""
    job = world.start(metrics=METRICS)

    def kinds(types):
        frame = getattr(job, how)(types=types)
        if how == "batches":
            frame = pa.Table.from_batches(frame)
        if how == "to_pandas":
            frame = pa.Table.from_pandas(frame)
        return (frame if how != "to_polars" else frame.to_arrow()).schema.types

    assert [kind in ("string", "large_string", "string_view") for kind in kinds("text")] == [True, True, True]
    assert kinds({"POST_COUNT": "float", "CONVERSATION_ID": "integer"})[::2] == ["int64", "double"]


WRONG = {
    "types": [{"types": 5}, {"types": {"POST_COUNT": "number"}}],
    "timeout": [{"timeout": -1}, {"timeout": "soon"}, {"timeout": True}],
    "rows": [{"rows": 0}, {"rows": True}, {"rows": 1.5}, {"rows": "all"}],
    "overwrite": [{"overwrite": "yes"}],
}
CASES = [
    (how, name, given)
    for how, names in {
        **{how: ["types", "timeout"] for how in FRAMES},
        "batches": ["types", "timeout", "rows"],
        "to_parquet": ["types", "timeout", "overwrite"],
        "rows": ["timeout"],
    }.items()
    for name in names
    for given in WRONG[name]
]


@pytest.mark.parametrize(("how", "name", "given"), CASES, ids=map(str, itertools.count()))
def test_wrong_arguments(how, name, given, world):
    """A wrong argument is a ParameterError that names it, at once, before anything is asked of the server."""
    job = world.start(metrics=METRICS)
    before = len(world.sandbox.requests)
    with pytest.raises(ParameterError, match=name):
        getattr(job, how)(*(["export.parquet"] if how == "to_parquet" else []), **given)
    assert len(world.sandbox.requests) == before


def test_type_for_a_column_that_is_none(world):
    """A type for a column that the export does not have is an error with a hint, and carries the job."""
    job = world.start(metrics=METRICS)
    with pytest.raises(ParameterError, match="no column 'POST_CUONT'; did you mean 'POST_COUNT'") as caught:
        job.to_arrow(types={"POST_CUONT": "float"})
    assert caught.value.job is job


def test_value_that_is_none_of_its_type(world):
    """A value that does not fit the type asked for is an error with row and column, and carries the job."""
    job = world.start(metrics=METRICS)
    with pytest.raises(ExportFormatError, match="row 1: STATUS holds 'CLOSED', which is not an integer") as caught:
        job.to_polars(types={"STATUS": "integer"})
    assert (caught.value.job, caught.value.row) == (job, 1)


@pytest.mark.parametrize("how", [*FRAMES, "rows", "batches", "to_parquet"])
def test_no_time(how, world, temporary):
    """Without any time left, each is a JobTimeoutError that carries the job, and in the call itself."""
    job = world.start(metrics=METRICS)
    with pytest.raises(JobTimeoutError) as caught:
        getattr(job, how)(*(["export.parquet"] if how == "to_parquet" else []), timeout=0)
    assert caught.value.job is job
    assert left(temporary) == []


@pytest.mark.parametrize("how", [*FRAMES, "rows", "batches"])
def test_failed_export(how, world):
    """An export that fails is a JobFailedError that carries the job; later calls do not ask for the file either."""
    world.sandbox.fail("create", faults.JobFails())
    job = world.start(metrics=METRICS)
    with pytest.raises(JobFailedError) as caught:
        getattr(job, how)()
    assert caught.value.job is job
    assert world.counts().download == world.counts().file == 0


# ---- exports without rows


@pytest.mark.parametrize("format", ["csv", "json"])
def test_no_rows(format, run, folder):
    """An export without rows is a frame without rows, with the columns that were asked for, all of them text."""
    job = run({"rows": 0}).start(metrics=METRICS, format=format)
    table = job.to_arrow()
    assert (table.column_names, table.num_rows) == (METRICS, 0)
    assert set(table.schema.types) == {pa.string()}
    assert job.to_polars().columns == METRICS
    assert list(job.to_pandas().columns) == METRICS
    assert list(job.batches()) == []
    assert list(job.rows()) == []
    assert read_arrow_parquet(job.to_parquet(folder)).equals(table)


def read_arrow_parquet(path):
    """Read a Parquet file."""
    from pyarrow import parquet  # noqa: PLC0415 - only here

    return parquet.read_table(path).replace_schema_metadata(None)


def test_no_rows_and_no_metrics(run):
    """In CSV the columns are known without being asked for; in JSON nothing says which they were."""
    world = run({"rows": 0})
    csv = world.start().to_arrow()
    assert csv.num_rows == 0
    assert "CONVERSATION_ID" in csv.column_names
    assert world.start(format="json").to_arrow().shape == (0, 0)


def test_gzip(run):
    """A file that is stored compressed is read all the same."""
    assert run({"gzip": True}).start(metrics=METRICS).to_arrow().num_rows == 100
