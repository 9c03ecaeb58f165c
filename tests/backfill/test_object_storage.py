"""A backfill into object storage, on a stand-in for S3: nothing is renamed there, and nothing can be locked."""

import json
import threading
import time

import pyarrow.dataset as ds
import pytest
import s3fs

from khoros_analytics import TargetError, open_dataset, read_dataset
from khoros_analytics._storage import lease

METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT", "CREATED_DATE"]


class Remote:
    """A world, and a place in a bucket that backfills land in."""

    def __init__(self, world, bucket) -> None:
        self.world, self.bucket = world, bucket
        self.url = f"s3://{bucket.name}/conversations"

    def run(self, end="2019-02-04", **arguments):
        """Run a backfill of conversations."""
        given = {"every": "1 day", "to": self.url, "metrics": METRICS, "storage_options": self.bucket.options}
        return self.world.client.backfill("conversation", "2019-02-01", end, **{**given, **arguments})

    def put(self, name, content):
        """Put an object there, as another machine would."""
        self.bucket.client.put_object(Bucket=self.bucket.name, Key=f"conversations/{name}", Body=content)

    def put_lease(self, age):
        """Leave a lease that was renewed so many seconds ago."""
        about = {"host": "elsewhere", "pid": 7, "since": "2019-05-01", "mark": "x", "renewed_at": time.time() - age}
        self.put("_khoros_analytics/lease", json.dumps(about).encode())


@pytest.fixture
def remote(run, bucket):
    """A sandbox, a client, and a bucket."""
    return Remote(run(), bucket)


@pytest.mark.slow
def test_from_the_first_window_to_the_last(remote):
    """Windows land by whole uploads, are skipped and refreshed, wider columns included, and leave nothing behind."""
    assert remote.run().landed == ("2019-02-01", "2019-02-02", "2019-02-03")
    assert remote.run().requests == 0
    # The clock of the sandbox stands in May 2019.
    assert len(remote.run(refresh="200 days").landed) == 3
    assert remote.world.count("create") == 6
    names = {name.removeprefix("conversations/") for name in remote.bucket.objects()}
    files = {f"window=2019-02-0{day}/conversation.parquet" for day in (1, 2, 3)}
    lines = {f"_khoros_analytics/windows/2019-02-0{day}.json" for day in (1, 2, 3)}
    assert names == {*files, *lines, "_khoros_analytics/dataset.json"}
    assert remote.bucket.uploads() == []
    everything = read_dataset(remote.url, storage_options=remote.bucket.options)
    assert everything.count_rows() == 300
    s3 = s3fs.S3FileSystem(endpoint_url=remote.bucket.options["endpoint_url"], key="test", secret="test")
    assert ds.dataset(remote.url.removeprefix("s3://"), filesystem=s3).count_rows() == 300


@pytest.mark.parametrize("save_as", ["csv", "json"])
def test_exports_as_they_came(remote, save_as):
    """CSV and JSON are put and read there, too."""
    remote.run(end="2019-02-03", save_as=save_as)
    table = read_dataset(remote.url, storage_options=remote.bucket.options).to_table()
    assert table["window"].value_counts().to_pylist() == [
        {"values": "2019-02-01", "counts": 100}, {"values": "2019-02-02", "counts": 100},
    ]  # fmt: skip


def test_two_at_once(remote):
    """A second run is refused while the first one's lease is fresh, and names who has it; nothing is sent."""
    remote.put_lease(age=30)
    with pytest.raises(TargetError, match="is being worked on by process 7 on elsewhere"):
        remote.run()
    assert remote.world.count("create") == 0


def test_a_dead_lease(remote):
    """A lease that nobody has renewed for a minute is taken over, and is gone when the run is."""
    remote.put_lease(age=61)
    assert len(remote.run().landed) == 3
    assert "conversations/_khoros_analytics/lease" not in remote.bucket.objects()


def test_a_lease_that_was_lost(remote, monkeypatch):
    """A run whose lease another one has taken stops, keeps what landed, and leaves the other one's lease alone."""
    monkeypatch.setattr(lease, "RENEWED_EVERY", 0.01)
    taken = []

    def take(progress):
        if progress.landed and not taken:
            taken.append(progress)
            renewing = [each for each in threading.enumerate() if each.name == "khoros_analytics lease"]
            while any(thread.is_alive() for thread in renewing):  # a renewal may write over what was put
                remote.put_lease(age=0)
                renewing[0].join(0.05)

    with pytest.raises(TargetError, match="the lease was lost") as caught:
        remote.run(on_update=take)
    assert caught.value.result.landed
    assert "conversations/_khoros_analytics/lease" in remote.bucket.objects()
    windows = open_dataset(remote.url, storage_options=remote.bucket.options).windows()
    assert tuple(window.key for window in windows) == caught.value.result.landed


def test_a_bucket_that_is_not_there(remote):
    """A bucket that is not there is named before anything is sent."""
    with pytest.raises(TargetError, match="nowhere-at-all"):
        remote.run(to="s3://nowhere-at-all/conversations")
    assert remote.world.count("create") == 0


@pytest.mark.slow
def test_a_killed_replacement(remote, monkeypatch):
    """A run that dies between the file and its line leaves an intent; the next one finds the new file to be its own."""
    from khoros_analytics._backfill.dataset import DatasetFiles  # noqa: PLC0415 - what is killed

    remote.run()
    real = DatasetFiles.land

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(DatasetFiles, "land", dies)
    with pytest.raises(KeyboardInterrupt):
        remote.run(refresh="200 days")
    monkeypatch.setattr(DatasetFiles, "land", real)
    result = remote.run()
    assert len(result.skipped) + len(result.landed) == 3
    assert not [name for name in remote.bucket.objects() if "/intents/" in name or "/running/" in name]
    assert read_dataset(remote.url, storage_options=remote.bucket.options).count_rows() == 300
