"""Many machines: the driver asks the API, workers get links, and know no password."""

import os
import pickle
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from khoros_analytics import ConfigurationError, ParameterError, open_dataset
from khoros_analytics.sandbox import faults


class Recorder(ThreadPoolExecutor):
    """Pickles what it is sent, as a cluster does, and keeps the bytes."""

    def __init__(self) -> None:
        super().__init__(2)
        self.sent = []

    def submit(self, function, work):
        self.sent.append((pickle.dumps(work), repr(work)))
        return super().submit(pickle.loads(pickle.dumps(function)), pickle.loads(self.sent[-1][0]))


def test_workers_get_links(landing):
    """A worker's share is one signed link: it makes no request to the API, and knows neither password nor key."""
    week = landing()
    with Recorder() as executor:
        result = week.run(executor=executor)
    assert (len(result.landed), result.requests) == (7, 21)
    assert week.world.counts()[:3] == (7, 7, 7)
    settings = week.world.sandbox.settings
    for content, shown in executor.sent:
        assert settings["password"].encode() not in content
        assert settings["company_key"].encode() not in content
        assert "ignature" not in shown
        assert b"ignature" in content


def test_processes(landing):
    """Files are fetched, converted and written by other processes."""
    week = landing()
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        result = week.run(executor=executor)
    assert len(result.landed) == 7
    assert week.rows().num_rows == 700


class DyingExecutor(Recorder):
    """Loses its first worker half-way."""

    def submit(self, function, work):
        if not self.sent:
            self.sent.append((b"", ""))
            lost = Future()
            lost.set_exception(RuntimeError("the worker is gone"))
            return lost
        return super().submit(function, work)


def test_a_worker_that_dies_costs_a_link(landing, caplog):
    """A window whose worker died is fetched again by another link, not exported again."""
    week = landing()
    with DyingExecutor() as executor:
        result = week.run(executor=executor)
    assert len(result.landed) == 7
    assert week.world.counts()[:3] == (7, 7, 8)
    assert "the worker that fetched it died (RuntimeError: the worker is gone); fetching it again" in caplog.text


def test_a_link_that_expires_is_replaced(landing):
    """A worker whose link is refused says so, and gets another one."""
    week = landing()
    week.world.sandbox.fail("file", faults.HttpStatus(403))
    with Recorder() as executor:
        result = week.run(end="2019-02-02", executor=executor)
    assert len(result.landed) == 1
    assert week.world.count("create") == 1
    assert week.world.count("download") == 2


def test_workers_know_only_the_environment(landing, monkeypatch):
    """Where the API itself sends the file, a worker makes a client of its own environment."""
    week = landing()
    settings = week.world.sandbox.settings
    for name, value in (("USERNAME", "username"), ("PASSWORD", "password"), ("COMPANY_KEY", "company_key")):
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name}", settings[value])
    week.world.sandbox.fail("download", faults.RawAnswer(200, b"STATUS\nOPEN\n"), times=None)
    with Recorder() as executor:
        result = week.run(end="2019-02-02", metrics=["STATUS"], executor=executor)
    assert result.rows == 1
    assert week.world.sandbox.settings["password"].encode() not in executor.sent[0][0]


def test_an_executor_that_is_shut_down(landing):
    """A pool that takes no work any more ends the run with an error of the tree, and what runs is written down."""
    week = landing()
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ConfigurationError, match="executor: it takes no work any more") as caught:
        week.run(executor=executor)
    assert caught.value.result.landed == ()
    assert len(week.run().landed) == 7
    assert week.world.count("create") == 7


def test_no_executor(landing):
    """What is not an executor is named."""
    with pytest.raises(ParameterError, match=r"executor: 5 is not a concurrent.futures.Executor"):
        landing().run(executor=5)


@pytest.mark.slow
def test_dask_and_object_storage(run, bucket):
    """A real Dask cluster writes to object storage while one of its workers is killed: every window lands once."""
    from dask.distributed import Client as DaskClient  # noqa: PLC0415 - seconds
    from dask.distributed import LocalCluster  # noqa: PLC0415

    world = run({"rows": 20_000})
    killed = []

    def kill_one(_progress):
        if not killed:
            workers = dask.run(os.getpid)
            killed.append(next(iter(workers.values())))
            os.kill(killed[0], signal.SIGKILL)

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        DaskClient(cluster) as dask,
    ):
        result = world.client.backfill(
            "conversation", "2019-02-01", "2019-02-08", every="1 day", to=f"s3://{bucket.name}/conversations",
            metrics=["STATUS"], executor=dask.get_executor(pure=False), storage_options=bucket.options,
            on_update=lambda progress: kill_one(progress) if progress.landed == 2 else None,
        )  # fmt: skip
    assert (len(result.landed), killed != []) == (7, True)
    assert world.count("create") == 7
    windows = open_dataset(f"s3://{bucket.name}/conversations", storage_options=bucket.options).windows()
    assert [window.rows for window in windows] == [20_000] * 7
