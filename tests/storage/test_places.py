"""How a file gets into its place: at once, after it is safely on the disk, and among others that want it."""

import os
import stat
import threading
from pathlib import Path

import pytest

from khoros_analytics import KhorosError, TargetExistsError
from khoros_analytics._storage import atomic, partial
from khoros_analytics.sandbox import faults

PIECE = 1024 * 1024
BIG = {"size": 4 * PIECE}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- power loss ----------------------------------------------------------------------------------------------------


@pytest.fixture
def steps(monkeypatch):
    """The steps that matter for a power loss, in their order, each with what it was done to."""
    taken = []
    fsync, replace, link, unlink = os.fsync, os.replace, os.link, os.unlink

    def noting_fsync(descriptor):
        found = os.fstat(descriptor)
        taken.append(("flush folder" if stat.S_ISDIR(found.st_mode) else "flush file", found.st_ino, found.st_size))
        fsync(descriptor)

    def noting(name, act):
        def step(source, *others, **settings):
            taken.append((name, Path(source).stat().st_ino, Path(source).suffix))
            act(source, *others, **settings)

        return step

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting("rename", replace))
    monkeypatch.setattr(os, "link", noting("rename", link))
    monkeypatch.setattr(os, "unlink", noting("remove", unlink))
    return taken


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("act", ["download", "resume", "copy"])
def test_what_is_flushed_when(run, folder, steps, act, overwrite):
    """All bytes of the file are flushed before it gets its name, and its folder after that: a power loss leaves the old
    file or the new one.
    """
    world = run(BIG)
    job = world.start().wait()
    if act == "copy":
        job.download(folder / "first.csv")
    if act == "resume":
        world.sandbox.fail("file", faults.Cut(PIECE))
    steps.clear()
    target = folder / "file.csv"
    if overwrite:
        target.write_text("old")

    job.download(target, overwrite=overwrite)

    found = [step for step in steps if step[0] != "remove"]
    assert [step[0] for step in found] == ["flush file", "rename", "flush folder"]
    file, rename, of = found
    assert file[1:] == (target.stat().st_ino, len(world.content()))
    assert rename[1] == file[1]
    assert of[1] == folder.stat().st_ino


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_note_goes_last(run, folder, steps, overwrite):
    """The note stays until the part has its name: whatever ends the program before that, nothing is fetched again."""
    world = run(BIG)
    world.start().download(folder, overwrite=overwrite)

    acts = [step[0] for step in steps if step[0] == "rename" or step[2] == ".note"]
    assert acts == ["rename", "remove"]


def test_the_target_is_never_torn(run, folder, monkeypatch):
    """Whatever moment one looks at the target, it holds the old bytes or all of the new ones."""
    world = run(BIG)
    target = folder / "file.csv"
    target.write_text("old")
    seen = set()
    written = partial.PartialFile.write

    def looking(part, piece):
        seen.add(target.read_bytes())
        written(part, piece)

    monkeypatch.setattr(partial.PartialFile, "write", looking)
    world.sandbox.fail("file", faults.Cut(0.4), times=2)
    world.start().download(target, overwrite=True)

    assert seen == {b"old"}
    assert target.read_bytes() == world.content()


# --- others --------------------------------------------------------------------------------------------------------


def test_a_target_that_appears_at_the_last_moment(run, folder, monkeypatch):
    """A file that somebody else makes in the very last moment is not replaced without overwrite=True."""
    world = run(BIG)
    target = folder / "file.csv"
    fsync = os.fsync

    def appear(descriptor):
        fsync(descriptor)
        target.write_text("theirs")

    monkeypatch.setattr(os, "fsync", appear)

    with pytest.raises(TargetExistsError, match="meantime") as caught:
        world.start().download(target)

    assert caught.value.path == target
    assert target.read_text() == "theirs"
    assert names(folder) == ["file.csv"]


def test_a_disk_without_hard_links(run, folder, monkeypatch):
    """Where the disk knows no hard links the file still arrives, and still replaces nothing."""

    def none(*_arguments, **_settings):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    world = run(BIG)
    job = world.start()

    assert job.download(folder / "file.csv").read_bytes() == world.content()
    (folder / "other.csv").write_text("theirs")
    with pytest.raises(TargetExistsError):
        job.download(folder / "other.csv")
    assert names(folder) == ["file.csv", "other.csv"]


@pytest.mark.parametrize("jobs", ["one job", "two jobs"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_who_comes_when_another_has_just_finished(run, folder, monkeypatch, overwrite, jobs):
    """Somebody who begins with the same target between another's rename and the end of that one's tidying up loses
    nothing by it.
    """
    world = run(BIG)
    first = world.start().wait()
    second = world.connect().job(first.token) if jobs == "one job" else world.start()
    target = folder / "file.csv"
    writing, tidied = threading.Event(), threading.Event()
    synced, written = atomic.sync_folder, partial.PartialFile.write
    outcomes = []

    def fetch_too():
        try:
            outcomes.append(second.download(target, overwrite=True))
        except KhorosError as error:
            outcomes.append(error)

    thread = threading.Thread(target=fetch_too)

    def sync(path):
        synced(path)
        if not thread.is_alive() and not writing.is_set():
            thread.start()
            assert writing.wait(10)

    def write(part, piece):
        if threading.current_thread() is thread:
            writing.set()
            assert tidied.wait(10)
        written(part, piece)

    monkeypatch.setattr(atomic, "sync_folder", sync)
    monkeypatch.setattr(partial.PartialFile, "write", write)
    first.download(target, overwrite=overwrite)
    tidied.set()
    thread.join(20)

    assert outcomes == [target]
    assert target.read_bytes() == world.content()
    assert names(folder) == ["file.csv"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_many_threads_one_target(run, folder, overwrite):
    """Of many jobs that go to one target at once, each file is a whole one of theirs; without overwrite=True the
    first one stays and all others are told so.
    """
    world = run({"size": 300_000})
    jobs = [world.start(metrics=[f"M{number}"]).wait() for number in range(6)]
    target = folder / "file.csv"
    outcomes = [None] * len(jobs)
    together = threading.Barrier(len(jobs))

    def fetch(number):
        together.wait()
        try:
            outcomes[number] = jobs[number].download(target, overwrite=overwrite)
        except TargetExistsError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=fetch, args=[number]) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [number for number, outcome in enumerate(outcomes) if outcome == target]
    assert len(winners) == (len(jobs) if overwrite else 1), outcomes
    assert target.read_bytes() in [world.content(number) for number in winners]
    assert names(folder) == ["file.csv"]


_FETCH = """
from khoros_analytics import TargetExistsError
job = connect().job(ARGUMENTS["token"]).wait()
say(ready=True)
sys.stdin.readline()
try:
    say(path=str(job.download(ARGUMENTS["target"], overwrite=ARGUMENTS["overwrite"])))
except TargetExistsError:
    say(path=None)
"""


@pytest.mark.parametrize(("jobs", "overwrite"), [(1, True), (2, True), (2, False)])
def test_two_processes_one_target(run, folder, launch, jobs, overwrite):
    """Two processes that fetch to one target at once, the same export or two, do not mix: it is a whole file."""
    world = run(BIG)
    tokens = [world.start(format="csv" if number else "json").token for number in range(jobs)]
    world.sandbox.fail("file", faults.Slow(pause=0.02, every=PIECE // 4), times=2)
    target = folder / "file"
    programs = [
        launch(world, _FETCH, token=token, target=str(target), overwrite=overwrite) for token in (tokens * 2)[:2]
    ]
    for program in programs:
        assert program.hear() == {"ready": True}
    for program in programs:
        program.go_on()

    paths = [program.facts()["path"] for program in programs]

    assert paths.count(str(target)) == (2 if overwrite else 1)
    assert target.read_bytes() in [world.content(which) for which in range(jobs)]
    assert names(folder) == ["file"]
    assert len(world.of("file")) == 2
