"""Folders of whole files, on disk and in object storage: the same steps leave the same behind."""

import json
import os
import stat
import threading

import pytest

from khoros_analytics import TargetError
from khoros_analytics._storage import lease as leases
from khoros_analytics._storage.folder import Found, LocalFolder, RemoteFolder, open_folder
from khoros_analytics._storage.lease import STALE_AFTER, hold_lease


@pytest.fixture(params=["disk", "s3", "memory", "file URL"])
def folder(request, tmp_path):
    """An empty folder of each kind."""
    if request.param == "disk":
        return open_folder(tmp_path / "data")
    if request.param == "file URL":
        return open_folder(f"file://{tmp_path}/data")
    if request.param == "memory":
        return open_folder(f"memory://{tmp_path.name}-{os.urandom(4).hex()}/data")
    bucket = request.getfixturevalue("bucket")
    return open_folder(f"s3://{bucket.name}/data", bucket.options)


def test_small_files(folder):
    """What was written is read back, a second one takes its place, and one that is gone is None."""
    folder.check()
    assert folder.read("a/b.json") is None
    folder.write("a/b.json", b"one")
    folder.write("a/b.json", b"two")
    folder.write("c", b"")
    assert folder.read("a/b.json") == b"two"
    assert folder.read_all(["a/b.json", "c", "nowhere"]) == {"a/b.json": b"two", "c": b""}
    assert folder.read_all([]) == {}
    folder.remove("a/b.json")
    folder.remove("a/b.json")
    assert folder.read("a/b.json") is None


def test_larger_files(folder, tmp_path):
    """A file is copied whole, and read as it was."""
    folder.check()
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 10_000)
    folder.put("window=1/x.parquet", source)
    with folder.open("window=1/x.parquet") as file:
        assert file.read() == source.read_bytes()
    assert folder.names() == [Found("window=1/x.parquet", 2_560_000)]


def test_listing(folder):
    """A listing has every file with its length, below a folder or all of them."""
    folder.check()
    for name in ("a/1", "a/b/2", "c/3"):
        folder.write(name, name.encode())
    assert sorted(folder.names(), key=lambda found: found.name) == [Found("a/1", 3), Found("a/b/2", 5), Found("c/3", 3)]
    assert {found.name for found in folder.names("a")} == {"a/1", "a/b/2"}
    assert folder.names("nowhere") == []


def test_urls(folder):
    """A file has a name that other programs understand."""
    assert folder.url("a/b").endswith("/data/a/b")
    assert str(folder).endswith("/data")


def test_no_half_file(tmp_path, monkeypatch):
    """On disk, what cannot be written whole leaves the old file and nothing else."""
    folder = open_folder(tmp_path)
    folder.write("a", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TargetError, match="a cannot be written: No space left on device"):
        folder.write("a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert folder.read("a") == b"old"


def test_modes(tmp_path):
    """What is made is for its owner alone."""
    folder = open_folder(tmp_path / "data")
    folder.check()
    folder.write("a/b", b"")
    modes = [stat.S_IMODE(folder.path(name).stat().st_mode) for name in ("", "a", "a/b")]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("path", ["", 5, None, b"x", "~nosuchuser/x"])
def test_no_folder(path):
    """What is not a path is named."""
    with pytest.raises(TargetError, match=r"is not a path|cannot be used"):
        open_folder(path)


def test_no_bucket(bucket):
    """A bucket that is not there is named, without the credentials."""
    folder = open_folder("s3://nobody-has-this/data", {**bucket.options, "secret": "hush-hush"})
    with pytest.raises(TargetError, match="s3://nobody-has-this/data") as caught:
        folder.check()
    assert "hush" not in f"{caught.value}{folder!r}"


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda folder: folder.check(), "read"),
        (lambda folder: folder.read("x"), "read"),
        (lambda folder: folder.names(), "read"),
        (lambda folder: folder.write("x", b"1"), "written"),
    ],
    ids=["check", "read", "names", "write"],
)
def test_a_store_that_cannot_be_reached(bucket, act, problem):
    """What a store's own library says is an error of the tree, whatever classes its errors have."""
    options = {
        "key": "k",
        "secret": "s",
        "endpoint_url": "http://127.0.0.1:1",
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    }
    with pytest.raises(TargetError, match=rf"s3://anywhere/data cannot be {problem}: .*127\.0\.0\.1:1"):
        act(open_folder("s3://anywhere/data", options))


def test_a_mistake_of_ours_is_no_fault_of_the_store(monkeypatch):
    """An error of Python itself passes as it is: it would be hidden behind advice about the URL."""
    folder = open_folder("memory://anywhere/data")
    monkeypatch.setattr(folder.system, "cat_file", lambda path: path.nothing)
    with pytest.raises(AttributeError):
        folder.read("name")


def test_a_file_in_the_way(tmp_path):
    """A file where a folder should be is named."""
    (tmp_path / "data").write_text("mine")
    with pytest.raises(TargetError, match="data cannot be used"):
        open_folder(tmp_path / "data").check()


# --- leases ----------------------------------------------------------------------------------------------------------


def test_one_at_a_time(folder):
    """While one holds the lease a second one is refused and told who has it; then it is free again."""
    folder.check()
    with (
        hold_lease(folder, "about/lease") as check,
        pytest.raises(TargetError, match=rf"is being worked on by process {os.getpid()} on .*, since 2"),
        hold_lease(folder, "about/lease"),
    ):
        check()
    with hold_lease(folder, "about/lease") as check:
        check()


@pytest.fixture
def remote():
    """A folder in object storage, in this process's memory."""
    found = open_folder(f"memory://{os.urandom(4).hex()}/data")
    assert isinstance(found, RemoteFolder)
    return found


class RealTime:
    """The time that leases see."""

    def __init__(self) -> None:
        self.now = 1_600_000_000.0

    def time(self):
        return self.now

    monotonic = time


@pytest.fixture
def real_time(monkeypatch):
    """Let the test say what the real time is."""
    found = RealTime()
    monkeypatch.setattr(leases, "_REAL_TIME", found)
    return found


def test_the_lease_of_a_dead_machine(remote, real_time):
    """A lease in object storage that nobody has renewed for a minute is nobody's."""
    remote.write(
        "lease", json.dumps({"host": "old", "pid": 1, "since": "long ago", "renewed_at": real_time.now}).encode()
    )
    with pytest.raises(TargetError, match="by process 1 on old, since long ago"), hold_lease(remote, "lease"):
        pass
    real_time.now += STALE_AFTER + 1
    with hold_lease(remote, "lease") as check:
        check()


def test_a_lease_that_was_lost(remote, real_time):
    """Who could not renew the lease for a minute stops, since another run may have taken it over."""
    with hold_lease(remote, "lease") as check:
        real_time.now += STALE_AFTER + 1
        with pytest.raises(TargetError, match="the lease was lost"):
            check()


def test_a_damaged_lease_is_nobodys(remote):
    """A lease that says nothing does not keep everybody out for ever."""
    remote.write("lease", b"{")
    with hold_lease(remote, "lease") as check:
        check()


def test_a_lease_is_renewed(remote, monkeypatch):
    """A lease in object storage is renewed while its holder lives, and removed with it."""
    monkeypatch.setattr(leases, "RENEWED_EVERY", 0.01)
    renewed = threading.Event()
    with hold_lease(remote, "lease"):
        first = remote.read("lease")
        for _ in range(500):
            if remote.read("lease") != first:
                renewed.set()
                break
            threading.Event().wait(0.01)
    assert renewed.is_set()
    assert remote.read("lease") is None


def test_another_one_takes_over(remote, monkeypatch, until):
    """A holder that finds another one's lease in place of its own stops, and leaves it there."""
    monkeypatch.setattr(leases, "RENEWED_EVERY", 0.01)
    theirs = json.dumps({"mark": "theirs", "renewed_at": 4e9}).encode()

    def lost():
        remote.write("lease", theirs)
        try:
            check()
        except TargetError:
            return True
        return False

    with hold_lease(remote, "lease") as check:
        until(lost)
    assert remote.read("lease") == theirs


_HOLDER = """
from khoros_analytics._storage.folder import open_folder
from khoros_analytics._storage.lease import hold_lease

with hold_lease(open_folder(ARGUMENTS["folder"]), "lease"):
    say(held=True)
    input()
"""


def test_a_lock_goes_with_its_process(tmp_path, launch, run):
    """On disk the lease of a program that was killed is free at once."""
    program = launch(run(), _HOLDER, folder=str(tmp_path))
    program.hear()
    folder = LocalFolder(tmp_path)
    with pytest.raises(TargetError, match=f"process {program.pid} on"), hold_lease(folder, "lease"):
        pass
    program.kill()
    with hold_lease(folder, "lease"):
        pass
