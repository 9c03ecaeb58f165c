"""Parquet: written whole or not at all, on disk and in object storage, with all that a frame of the export has."""

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import duckdb
import fsspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from khoros_analytics import ExportFormatError, ParameterError, TargetError, TargetExistsError, __version__, read_arrow
from khoros_analytics._frames import parquet as writer
from khoros_analytics._frames.arrow_reader import ExportFile
from khoros_analytics._frames.column_types import parse_types
from khoros_analytics._storage.destination import LocalDestination, RemoteDestination, open_destination
from khoros_analytics.sandbox import faults

METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT", "CREATED_DATE"]
GOOD = b"A,B\r\n" + b"1,x\r\n" * 1000
BROKEN = GOOD + b"2\r\n"


def plain(path):
    """Read a Parquet file as a table without metadata."""
    return parquet.read_table(path).replace_schema_metadata(None)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def job(world):
    """An export that can be had at once."""
    return world.start(metrics=METRICS)


@pytest.fixture
def small(monkeypatch, cut):
    """Files are written in many row groups, so that an error comes when some of them are on disk already."""
    monkeypatch.setattr(writer, "_ROW_GROUP", 1)
    with cut(1 << 10):
        yield


@pytest.fixture
def broken(world):
    """An export with a damaged last row."""
    world.sandbox.fail("file", faults.RawAnswer(content=BROKEN), times=None)
    return world.start()


# ---- what is in it


@pytest.mark.parametrize("format", ["csv", "json"])
def test_round_trip(format, world, folder):
    """What is read back is the frame, but for moments in seconds: Parquet knows milliseconds at the coarsest."""
    job = world.start(metrics=METRICS, format=format)
    path = job.to_parquet(folder / "export.parquet")
    table, back = job.to_arrow(), plain(path)
    assert table.schema.field("CREATED_DATE").type == pa.timestamp("s")
    assert back.schema.field("CREATED_DATE").type == pa.timestamp("ms")
    assert back.cast(table.schema).equals(table)


def test_metadata(world, folder):
    """The file says what it is: report, window, arguments and version; and nothing that is secret."""
    job = world.start(metrics=METRICS, fresh=True)
    path = job.to_parquet(folder)
    said = {
        key.decode().removeprefix("khoros_analytics."): json.loads(value)
        for key, value in parquet.read_schema(path).metadata.items()
        if key.startswith(b"khoros_analytics.")
    }
    assert said == {
        "report": "conversation",
        "window": {"start": "2019-02-01T00:00:00+00:00", "end": "2019-02-02T00:00:00+00:00"},
        "arguments": {"metrics": METRICS, "format": "csv"},
        "version": __version__,
    }
    content = path.read_bytes()
    for secret in (world.sandbox.password, world.sandbox.company_key, job.status.download_url, job.token):
        assert secret.encode() not in content


def test_compression(job, folder):
    """All columns are compressed with zstd."""
    found = parquet.ParquetFile(job.to_parquet(folder)).metadata.row_group(0)
    assert {found.column(index).compression for index in range(found.num_columns)} == {"ZSTD"}


def test_dictionaries(files, folder):
    """Columns that repeat their values have dictionaries; those that do not, floats and moments have none."""
    rows = "".join(f"{n % 3},id{n},s{n % 3},{n % 3}.5,2019-02-01 10:00:0{n % 3}\n" for n in range(100))
    path = folder / "some.parquet"
    file = ExportFile(files.write(f"NUMBER,NAME,STATUS,SHARE,MOMENT\n{rows}"))
    writer.write_parquet(file, LocalDestination(path, overwrite=False), {})
    found = parquet.ParquetFile(path).metadata.row_group(0)
    columns = [found.column(index) for index in range(found.num_columns)]
    assert [column.path_in_schema for column in columns if column.has_dictionary_page] == ["NUMBER", "STATUS"]
    assert plain(path).to_pylist() == read_arrow(file.path).to_pylist()


@pytest.mark.usefixtures("small")
def test_row_groups(job, folder):
    """Row groups follow each other in the order of the file."""
    path = job.to_parquet(folder)
    assert parquet.ParquetFile(path).num_row_groups > 3
    assert plain(path)["CONVERSATION_ID"].to_pylist() == job.to_arrow()["CONVERSATION_ID"].to_pylist()


def test_types(job, folder):
    """Types may be given, as for frames."""
    path = job.to_parquet(folder, types="text")
    assert set(plain(path).schema.types) == {pa.string()}
    with pytest.raises(ParameterError, match="no column 'STATES'; did you mean 'STATUS'"):
        job.to_parquet(folder / "other.parquet", types={"STATES": "text"})
    assert names(folder) == [path.name]


def test_late_change_of_type(small, files, folder):
    """A type that turns out too narrow when half of the file is written shows nowhere in what is there at the end."""
    content = "A,B\n" + "1,x\n" * 2000 + "late,x\n"
    file = ExportFile(files.write(content), hints=parse_types(None))
    place = open_destination(folder / "x.parquet", "", overwrite=False, storage_options=None)
    writer.write_parquet(file, place, {})
    assert plain(folder / "x.parquet").equals(read_arrow(files.write(content)))
    assert names(folder) == ["x.parquet"]


# ---- where it goes


def test_folder(job, folder):
    """In a folder it is named after report and window; what comes back is its absolute path."""
    path = job.to_parquet(folder)
    assert path == folder / "conversation_2019-02-01_2019-02-02.parquet"
    assert job.to_parquet("here.parquet") == Path.cwd() / "here.parquet"
    assert plain(path).equals(plain("here.parquet"))


def test_overwrite(job, folder):
    """Another file is replaced only when that is asked for; before anything is waited for."""
    path = folder / "export.parquet"
    path.write_text("mine")
    with pytest.raises(TargetExistsError, match="overwrite=True") as caught:
        job.to_parquet(path)
    assert caught.value.job is job
    assert path.read_text() == "mine"
    assert job.status.state == ""
    job.to_parquet(path, overwrite=True)
    assert plain(path).num_rows == 100
    assert names(folder) == ["export.parquet"]


def test_no_folder(job, folder):
    """A folder that is not there is an error before anything is waited for."""
    with pytest.raises(TargetError, match="there is no folder"):
        job.to_parquet(folder / "none" / "export.parquet")
    assert job.status.state == ""


@pytest.mark.parametrize("before", [None, b"mine"])
@pytest.mark.usefixtures("small")
def test_damage_in_a_late_row(before, broken, folder):
    """An error in the last row leaves nothing behind, or the file that was there as it was."""
    path = folder / "export.parquet"
    if before:
        path.write_bytes(before)
    with pytest.raises(ExportFormatError, match="row 1001"):
        broken.to_parquet(path, overwrite=True)
    assert names(folder) == (["export.parquet"] if before else [])
    assert not before or path.read_bytes() == before


@pytest.fixture
def writing(monkeypatch):
    """Let something happen when the third row group is written."""

    def when_half_done(act):
        write, count = parquet.ParquetWriter.write_table, iter(range(100))

        def noting(self, *arguments, **settings):
            if next(count) == 2:
                act()
            write(self, *arguments, **settings)

        monkeypatch.setattr(parquet.ParquetWriter, "write_table", noting)

    return when_half_done


def full():
    raise OSError(28, "No space left on device")


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(("act", "error"), [(full, TargetError), (interrupted, KeyboardInterrupt)])
@pytest.mark.parametrize("before", [None, b"mine"])
@pytest.mark.usefixtures("small")
def test_stopped_half_way(writing, act, error, before, job, folder):  # noqa: PLR0917 - fixtures
    """A full disk and a Ctrl-C leave nothing behind, or the file that was there; no thread goes on; later it works."""
    path = folder / "export.parquet"
    if before:
        path.write_bytes(before)
    job.to_arrow()  # what the download needs is not a part of it
    writing(act)
    threads = threading.active_count()
    with pytest.raises(error):
        job.to_parquet(path, overwrite=True)
    assert names(folder) == (["export.parquet"] if before else [])
    assert not before or path.read_bytes() == before
    assert threading.active_count() <= threads
    job.to_parquet(path, overwrite=True)
    assert plain(path).num_rows == 100


@pytest.mark.usefixtures("small")
def test_full_disk_says_so(writing, job, folder):
    """A full disk is a TargetError with the system's number, the path, and the job."""
    writing(full)
    with pytest.raises(TargetError, match="No space left") as caught:
        job.to_parquet(folder / "export.parquet")
    assert (caught.value.errno, caught.value.job) == (28, job)


@pytest.mark.usefixtures("small")
def test_somebody_is_faster(writing, job, folder):
    """A file that somebody else puts there meanwhile is not replaced."""
    path = folder / "export.parquet"
    writing(lambda: path.write_text("theirs"))
    with pytest.raises(TargetExistsError):
        job.to_parquet(path)
    assert path.read_text() == "theirs"
    assert names(folder) == ["export.parquet"]


# ---- places that fsspec knows


def test_memory(job):
    """A URL with a scheme goes to the file system that fsspec has for it, and comes back as it was given."""
    url = "memory://frames/export.parquet"
    try:
        assert job.to_parquet(url) == url
        with fsspec.open(url) as file:
            assert parquet.read_table(file).num_rows == 100
        with pytest.raises(TargetExistsError, match="overwrite=True"):
            job.to_parquet(url)
        assert job.to_parquet(url, overwrite=True) == url
    finally:
        fsspec.filesystem("memory").rm("/frames", recursive=True)


@pytest.mark.usefixtures("small")
def test_memory_without_half_files(broken):
    """An error leaves nothing there."""
    with pytest.raises(ExportFormatError):
        broken.to_parquet("memory://frames/export.parquet")
    assert not fsspec.filesystem("memory").exists("/frames/export.parquet")


def test_file_url(job, folder):
    """A file:// URL is a file on disk."""
    assert job.to_parquet(f"file://{folder}/export.parquet") == f"file://{folder}/export.parquet"
    assert plain(folder / "export.parquet").num_rows == 100
    assert names(folder) == ["export.parquet"]


@pytest.mark.usefixtures("small")
def test_file_url_without_half_files(broken, folder):
    """And whole or absent as well."""
    with pytest.raises(ExportFormatError):
        broken.to_parquet(f"file://{folder}/export.parquet")
    assert names(folder) == []


def test_unknown_scheme(job):
    """A scheme that fsspec does not know is an error before anything is waited for."""
    with pytest.raises(TargetError, match="nowhere://x/y cannot be written: Protocol not known") as caught:
        job.to_parquet("nowhere://x/y")
    assert caught.value.job is job
    assert job.status.state == ""


class Careless(fsspec.AbstractFileSystem):
    """A file system that cannot take back what was written."""

    protocol = "careless"
    opened: ClassVar[list[str]] = []
    removed: ClassVar[list[str]] = []

    def exists(self, path, **_):
        return False

    def _open(self, path, mode="rb", **_):
        self.opened.append(path)
        return open(os.devnull, mode)  # noqa: PTH123 - as fsspec's own does

    def rm(self, path, **_):
        self.removed.append(path)


def test_credentials_in_a_url(job):
    """A URL can hold a password; no message, repr or traceback line of ours shows it."""
    url = "memory://user:open-sesame@frames/secret.parquet"
    job.to_parquet(url)

    with pytest.raises(TargetExistsError, match=r"memory://\.\.\.@frames/secret\.parquet is there already") as caught:
        job.to_parquet(url)
    assert "open-sesame" not in str(caught.value)
    assert "open-sesame" not in repr(RemoteDestination(url, overwrite=False, system=None, path="frames/secret.parquet"))


def test_no_way_back(job):
    """A file system that cannot take back a half file gets none; what it would have replaced is not touched; and that
    is found out before anything is waited for.
    """
    fsspec.register_implementation("careless", Careless, clobber=True)
    with pytest.raises(TargetError, match="a file that is not whole\nWhat to do: write to a path on disk"):
        job.to_parquet("careless://x/export.parquet", overwrite=True)
    assert len(Careless.opened) == 1
    assert Careless.opened == Careless.removed
    assert not Careless.opened[0].endswith("export.parquet")
    assert job.status.state == ""


# ---- object storage, over real sockets


def large(end=b""):
    """A file that makes several parts of an upload: random text, which cannot be compressed."""
    return b"A,B\r\n" + b"".join(b"%d,%s\r\n" % (row, os.urandom(2048).hex().encode()) for row in range(6000)) + end


def test_s3(job, bucket):
    """A small file goes to S3 as one object."""
    url = f"s3://{bucket.name}/year/export.parquet"
    assert job.to_parquet(url, storage_options=bucket.options) == url
    assert bucket.objects() == ["year/export.parquet"]
    table = job.to_arrow()
    assert bucket.read("year/export.parquet").cast(table.schema).equals(table)


def test_s3_in_parts(world, bucket, monkeypatch):
    """A large one goes there in parts, and is one object only when all of them are there."""
    monkeypatch.setattr(writer, "_ROW_GROUP", 1 << 20)
    world.sandbox.fail("file", faults.RawAnswer(content=large()))
    world.start().to_parquet(f"s3://{bucket.name}/large.parquet", storage_options=bucket.options)
    assert bucket.objects() == ["large.parquet"]
    assert bucket.uploads() == []
    assert bucket.client.head_object(Bucket=bucket.name, Key="large.parquet")["ETag"].endswith('-3"')
    assert bucket.read("large.parquet")["A"].to_pylist() == list(range(6000))


@pytest.mark.parametrize("before", [None, b"mine"])
def test_s3_without_half_files(before, world, bucket, monkeypatch):
    """An error after some parts were sent leaves no object and no open upload, or the object that was there."""
    monkeypatch.setattr(writer, "_ROW_GROUP", 1 << 20)
    sent = []
    from s3fs.core import S3File  # noqa: PLC0415 - only here

    upload = S3File._upload_chunk
    monkeypatch.setattr(S3File, "_upload_chunk", lambda file, final=False: sent.append(final) or upload(file, final))
    if before:
        bucket.client.put_object(Bucket=bucket.name, Key="large.parquet", Body=before)
    world.sandbox.fail("file", faults.RawAnswer(content=large(b"1\r\n")))
    with pytest.raises(ExportFormatError, match="row 6001"):
        world.start().to_parquet(f"s3://{bucket.name}/large.parquet", overwrite=True, storage_options=bucket.options)
    assert sent
    assert bucket.objects() == (["large.parquet"] if before else [])
    assert bucket.uploads() == []
    if before:
        assert bucket.client.get_object(Bucket=bucket.name, Key="large.parquet")["Body"].read() == before


@pytest.mark.usefixtures("small")
def test_s3_small_without_half_files(broken, bucket):
    """Nor does one in a file so small that nothing was sent yet."""
    with pytest.raises(ExportFormatError):
        broken.to_parquet(f"s3://{bucket.name}/small.parquet", storage_options=bucket.options)
    assert bucket.objects() == []
    assert bucket.uploads() == []


def test_s3_overwrite(job, bucket):
    """An object that is there is replaced only when that is asked for."""
    url = f"s3://{bucket.name}/export.parquet"
    bucket.client.put_object(Bucket=bucket.name, Key="export.parquet", Body=b"mine")
    with pytest.raises(TargetExistsError, match=url) as caught:
        job.to_parquet(url, storage_options=bucket.options)
    assert caught.value.job is job
    assert job.status.state == ""
    assert bucket.client.get_object(Bucket=bucket.name, Key="export.parquet")["Body"].read() == b"mine"
    job.to_parquet(url, overwrite=True, storage_options=bucket.options)
    assert bucket.read("export.parquet").num_rows == 100


def test_s3_without_bucket(job, bucket):
    """A bucket that is not there is a TargetError that shows the URL and no credentials."""
    options = {**bucket.options, "secret": "hush-hush"}
    with pytest.raises(TargetError, match=r"s3://nobody-has-this/x\.parquet cannot be written") as caught:
        job.to_parquet("s3://nobody-has-this/x.parquet", storage_options=options)
    assert caught.value.job is job
    assert "hush" not in str(caught.value)


def test_offsets_that_some_readers_do_not_know(files, folder):
    """Moments with an offset of half hours are written in UTC, which every reader opens; the offset is noted."""
    content = "A,B\n2019-02-01 10:00:00+05:30,2019-02-01 10:00:00+02:00\n"
    file = ExportFile(files.write(content), hints=parse_types(None))
    place = open_destination(folder / "x.parquet", "", overwrite=False, storage_options=None)
    writer.write_parquet(file, place, {})
    schema = parquet.read_schema(folder / "x.parquet")
    assert schema.field("A").metadata[b"khoros_analytics.offset"] == b"+05:30"
    moment = datetime(2019, 2, 1, 4, 30, tzinfo=UTC)
    assert parquet.read_table(folder / "x.parquet").column("A").to_pylist() == [moment]
    assert pl.read_parquet(folder / "x.parquet")["A"].to_list() == [moment]
    assert pd.read_parquet(folder / "x.parquet")["A"][0] == moment
    query = f"SELECT typeof(A), epoch(A) FROM '{folder / 'x.parquet'}'"
    assert duckdb.sql(query).fetchall() == [("TIMESTAMP WITH TIME ZONE", moment.timestamp())]
