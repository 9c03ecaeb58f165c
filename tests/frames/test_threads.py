"""A machine that starts no more threads: frames are made all the same, in the thread that asks for them."""

import threading

import pytest
from pyarrow import parquet

from khoros_analytics import read_arrow, read_polars
from khoros_analytics._frames.arrow_reader import ExportFile
from khoros_analytics._frames.parquet import write_parquet
from khoros_analytics._frames.workers import workers
from khoros_analytics._storage.destination import open_destination

ROWS = "A,B\n" + "".join(f"{number},2019-02-01\n" for number in range(200_000))
START = threading.Thread.start


@pytest.fixture(params=[0, 1, 3])
def few_threads(request, monkeypatch):
    """Let the system start only so many threads of this process at a time."""

    def start(thread):
        if threading.active_count() - before >= request.param:
            raise RuntimeError("can't start new thread")
        START(thread)

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "start", start)
    return request.param


def test_frames(files, few_threads):
    """A file that is read in threads where there are any is the same without them."""
    path = files.write(ROWS)
    assert read_arrow(path).num_rows == read_polars(path).height == 200_000


def test_parquet(files, folder, few_threads):
    """A Parquet file is written in another thread where there is one."""
    place = open_destination(folder / "x.parquet", "", overwrite=False, storage_options=None)
    write_parquet(ExportFile(files.write(ROWS)), place, {})
    assert parquet.read_metadata(folder / "x.parquet").num_rows == 200_000


def test_errors_arrive(few_threads):
    """What goes wrong in a worker is raised where its result is asked for."""
    with workers(2) as executor:
        future = executor.submit(int, "x")
        with pytest.raises(ValueError, match="invalid literal"):
            future.result()
