"""What a failed download leaves: one part that the next call goes on with, or removes."""

import io
import json
import os
import signal
from pathlib import Path

import pytest

from khoros_analytics import DownloadError, JobTimeoutError, KhorosError, TargetError
from khoros_analytics._storage import atomic, notes, own_files, partial, parts
from khoros_analytics.sandbox import VirtualClock, faults

PIECE = 1024 * 1024
BIG = {"size": 4 * PIECE}


def fail_at(world, at, target, job=None, **options):
    """Let a download of a job fail for good at a byte of the file; return the job."""
    job = job or world.start().wait()
    world.sandbox.fail("file", faults.Cut(at))
    world.sandbox.fail("file", faults.HttpStatus(503), times=None)
    with pytest.raises(KhorosError):
        job.download(target, timeout=30, **options)
    world.sandbox.heal()
    return job


def left(folder):
    """Return the part and the note that lie in a folder, which must hold nothing else."""
    paths = sorted(folder.iterdir())
    assert [path.suffix for path in paths] == [".note", ".part"]
    return paths[1], paths[0]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what is left, and who goes on with it -------------------------------------------------------------------------


def test_what_a_failure_leaves(run, folder):
    """What arrived stays beside the target as a part and its note, both hidden; the target is not there at all."""
    world = run(BIG, retries=1)
    fail_at(world, 3 * PIECE, folder / "file.csv")

    part, note = left(folder)
    assert part.name.startswith(".file.csv.")
    assert part.read_bytes() == world.content()[: 3 * PIECE]
    noted = json.loads(note.read_text())
    assert noted["validator"] == world.sandbox.exports[0].body.etag
    assert noted["total"] == len(world.content())


ENDS = {
    "503": faults.HttpStatus(503),
    "429": faults.HttpStatus(429),
    "reset": faults.Reset(),
    "HTML 503": faults.HttpStatus(503, body="html"),
    "expired": faults.Expired(),
}


@pytest.mark.parametrize("fault", ENDS.values(), ids=ENDS)
def test_whatever_ends_it(run, folder, fault):
    """Whatever passing fault ends a download for good, the next call goes on where it was."""
    world = run(BIG, retries=1)
    job = world.start().wait()
    world.sandbox.fail("file", faults.Cut(3 * PIECE))
    world.sandbox.fail("file", fault, times=None)
    with pytest.raises(KhorosError):
        job.download(folder, timeout=30)
    world.sandbox.heal()

    assert job.download(folder).read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert len(names(folder)) == 1


def test_a_deadline_ends_it(run, folder):
    """A download whose time is over leaves what has arrived, and the next call goes on with it."""
    world = run(BIG, retries=1000)
    job = world.start().wait()
    world.sandbox.fail("file", faults.Cut(3 * PIECE))
    world.sandbox.fail("file", faults.HttpStatus(503), times=None)
    with pytest.raises(JobTimeoutError):
        job.download(folder, timeout=30)
    world.sandbox.heal()

    assert job.download(folder).read_bytes() == world.content()
    assert world.sent() == len(world.content())


class Interrupting(VirtualClock):
    """A clock on which somebody presses Ctrl-C in the next sleep."""

    armed = False

    def sleep(self, seconds):
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt
        super().sleep(seconds)


class Acting(VirtualClock):
    """Something happens at the next sleep once it is armed."""

    def __init__(self, act):
        super().__init__()
        self.act, self.armed = act, False

    def sleep(self, seconds):
        if self.armed:
            self.armed = False
            self.act()
        super().sleep(seconds)


def test_ctrl_c_ends_it(run, folder):
    """Ctrl-C leaves a part that the next call goes on with, and nothing else."""
    world = run({**BIG, "clock": Interrupting()})
    job = world.start().wait()
    world.sandbox.fail("file", faults.Cut(3 * PIECE))
    world.clock.armed = True
    with pytest.raises(KeyboardInterrupt, match=r"client\.job\("):
        job.download(folder)
    left(folder)

    assert job.download(folder).read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert len(names(folder)) == 1


def test_another_client_goes_on(run, folder):
    """Another client that finds the job by its token goes on with the part."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)

    path = world.connect().job(job.token).download(folder)

    assert path.read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert names(folder) == [path.name]


def test_another_process_goes_on(run, folder, launch):
    """Another process that finds the job by its token goes on with the part."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)

    program = launch(
        world,
        "say(path=str(connect().job(ARGUMENTS['token']).download(ARGUMENTS['folder'])))",
        token=job.token,
        folder=str(folder),
    )
    path = Path(program.facts()["path"])

    assert path.read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert names(folder) == [path.name]


_ENDED = """
class SoftTimeLimitExceeded(Exception):
    pass

def end(*_arguments):
    raise SystemExit(3) if ARGUMENTS["how"] == "exit" else SoftTimeLimitExceeded

if ARGUMENTS["how"] != "default":
    signal.signal(signal.SIGTERM, end)
connect().job(ARGUMENTS["token"]).download(ARGUMENTS["target"])
"""


@pytest.mark.parametrize(
    "ending", [("default", -signal.SIGTERM), ("exit", 3), ("soft limit", 1)], ids=["default", "exit", "limit"]
)
def test_a_process_that_is_told_to_end(run, folder, launch, until, ending):
    """SIGTERM and the time limits of task queues leave a part that the next process goes on with, as kill -9 does."""
    how, status = ending
    world = run(BIG)
    job = world.start().wait()
    world.sandbox.fail("file", faults.Stall(0.9))
    program = launch(world, _ENDED, token=job.token, target=str(folder / "file.csv"), how=how)
    until(lambda: any(part.stat().st_size >= 3 * PIECE for part in folder.glob(".*.part")))
    program.send(signal.SIGTERM)
    _, log, ended = program.end()
    assert ended == status, log
    part, _ = left(folder)
    size = part.stat().st_size

    assert job.download(folder / "file.csv").read_bytes() == world.content()
    # A piece whose writing was interrupted does not count.
    assert world.of("file")[-1].header("Range") in [f"bytes={start}-" for start in (size, size - PIECE)]
    assert names(folder) == ["file.csv"]


def test_the_figure(run, folder):
    """After a reset at 90 percent, at most 1.01 times the file's bytes are sent in all: no more than one piece of them
    comes twice, and this file is just large enough for that to be less than a hundredth.
    """
    world = run({"size": 110_000_000})
    world.sandbox.fail("file", faults.ResetWithin(0.9))

    path = world.start().download(folder)

    size = path.stat().st_size
    assert size == world.sandbox.exports[0].length
    assert [record.status for record in world.of("file")] == [200, 206]
    assert size <= world.sent() <= 1.01 * size
    with path.open("rb") as file:
        assert all(file.read(len(piece)) == piece for piece in world.sandbox.exports[0].body.chunks())


def test_the_figure_across_calls(run, folder):
    """The same holds when the reset ended the call, and another client goes on."""
    world = run({"size": 110_000_000}, retries=0)
    job = world.start().wait()
    world.sandbox.fail("file", faults.ResetWithin(0.9))
    world.sandbox.fail("file", faults.Reset(), times=None)
    with pytest.raises(JobTimeoutError):
        job.download(folder, timeout=60)
    world.sandbox.heal()

    path = world.connect().job(job.token).download(folder)

    assert path.stat().st_size == world.sandbox.exports[0].length
    assert world.sent() <= 1.01 * path.stat().st_size


def test_a_part_that_was_taken_away(folder, monkeypatch):
    """A temporary file that somebody sweeps away between its opening and its locking is made anew."""
    swept = []
    lock = parts.lock

    def late(descriptor):
        if not swept:
            swept.extend(folder.iterdir())
            swept[0].unlink()
        return lock(descriptor)

    monkeypatch.setattr(parts, "lock", late)
    with partial.open_partial(folder / "export.csv", None) as part:
        part.remember("version", 7)
        assert part.path.exists()
        assert part.path not in swept
    assert len(swept) == 1
    assert names(folder) == []


DISTURBANCES = {
    "replaced": lambda part: (part.unlink(), part.write_bytes(b"mine")),
    "truncated": lambda part: os.truncate(part, 17),
    "emptied": lambda part: os.truncate(part, 0),
    "appended": lambda part: part.write_bytes(part.read_bytes() + b"more"),
    "removed": lambda part: part.unlink(),
    "linked": lambda part: (part.rename(part.with_suffix(".x")), part.symlink_to(part.with_suffix(".x"))),
}


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
@pytest.mark.parametrize("moment", ["in the middle", "at the end"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_part_that_somebody_else_changes(run, folder, monkeypatch, *, disturb, moment, overwrite):
    """What somebody else makes of a part during the download never becomes the target; the error says what happened."""
    world = run({**BIG, "clock": Acting(lambda: disturb(next(folder.glob("*.part"))))})
    world.sandbox.fail("file", faults.Cut(3 * PIECE))
    job = world.start().wait()
    target = folder / "mine.csv"
    target.write_bytes(b"old") if overwrite else None
    if moment == "in the middle":
        world.clock.armed = True
    else:
        flush = os.fsync
        monkeypatch.setattr(os, "fsync", lambda number: (flush(number), disturb(next(folder.glob("*.part")))))

    with pytest.raises(TargetError, match="by somebody else") as caught:
        job.download(target, overwrite=overwrite)

    monkeypatch.undo()
    assert caught.value.path == target
    assert not overwrite or target.read_bytes() == b"old"
    assert list(folder.glob("*.note")) == []
    for stranger in folder.glob("*.x"):
        stranger.unlink()
    assert job.download(target, overwrite=overwrite).read_bytes() == world.content()


def test_a_part_that_is_always_taken_away(folder, monkeypatch):
    """Where that happens again and again, the error says so, and nothing is left."""
    monkeypatch.setattr(parts, "lock", lambda _descriptor: [path.unlink() for path in folder.iterdir()] == [])
    with (
        pytest.raises(TargetError, match="are taken away again and again"),
        partial.open_partial(folder / "x.csv", None),
    ):
        pass
    assert names(folder) == []


def test_a_part_that_is_all(run, folder, monkeypatch):
    """Where only the last step is missing, nothing is fetched again: the host says that there is no rest."""
    world = run(BIG)
    job = world.start().wait()

    def stop(*_arguments, **_settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(partial.PartialFile, "discard", lambda _self: None)
        patch.setattr(atomic, "_rename", stop)
        with pytest.raises(KeyboardInterrupt):
            job.download(folder)
    left(folder)

    path = job.download(folder)
    assert path.read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert names(folder) == [path.name]


# --- parts that do not fit -----------------------------------------------------------------------------------------


def test_a_part_of_another_job(run, folder):
    """A part of another job for the same target is not used, and removed."""
    world = run(BIG, retries=1)
    fail_at(world, 3 * PIECE, folder / "file.csv")

    path = world.start(format="json").download(folder / "file.csv")

    assert path.read_bytes() == world.content()
    assert names(folder) == ["file.csv"]


def test_parts_of_neighbours(run, folder):
    """A part of another target in the same folder stays, even if its name begins in the same way."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder / "file.csv")
    before = names(folder)

    for name in ("file", "f", "file.cs", "*"):
        world.start().download(folder / name)

    assert [name for name in names(folder) if name.startswith(".")] == before
    sent = world.sent()
    job.download(folder / "file.csv")
    assert world.sent() - sent == len(world.content(0)) - 3 * PIECE


SPOILED_NOTES = {
    "empty": lambda note: note.write_text(""),
    "half": lambda note: note.write_text(note.read_text()[:20]),
    "no JSON": lambda note: note.write_bytes(b"\xff\x00nonsense"),
    "a list": lambda note: note.write_text("[1]"),
    "null": lambda note: note.write_text("null"),
    "a number": lambda note: change(note, validator=7),
    "no version": lambda note: change(note, validator=None),
    "another boot": lambda note: change(note, boot="00000000-0000-0000-0000-000000000000"),
    "no boot": lambda note: change(note, boot=None),
    "missing": lambda note: note.unlink(),
    "folder": lambda note: (note.unlink(), note.mkdir()),
}


def change(note, **values):
    note.write_text(json.dumps({**json.loads(note.read_text()), **values}))


@pytest.mark.parametrize("spoil", SPOILED_NOTES.values(), ids=SPOILED_NOTES)
def test_a_note_that_cannot_be_trusted(run, folder, spoil):
    """A part whose note is damaged, or was written before the machine last started, is begun anew: after a power loss
    a file may hold zeros.
    """
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)
    part, note = left(folder)
    spoil(note)
    part.write_bytes(b"\0" * (3 * PIECE))

    assert job.download(folder).read_bytes() == world.content()
    assert world.of("file")[-1].header("Range") is None
    assert names(folder)[note.is_dir() :] == [job._file.name()]


def test_a_part_that_cannot_know_its_boot(run, folder, monkeypatch, tmp_path):
    """Where the system does not tell one start from the next, no part is trusted."""
    monkeypatch.setattr(parts, "_BOOT_ID", tmp_path / "nothing")
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)

    assert job.download(folder).read_bytes() == world.content()
    assert world.of("file")[-1].header("Range") is None


@pytest.mark.parametrize("by", [1, 10 * PIECE])
def test_a_part_that_is_longer_than_the_file(run, folder, by):
    """A part that is longer than the file can be no beginning of it: begun anew."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)
    part, _ = left(folder)
    part.write_bytes(world.content() + b"x" * by)

    assert job.download(folder).read_bytes() == world.content()
    assert len(names(folder)) == 1


@pytest.mark.parametrize("total", ["more", "less", "text", None])
def test_a_note_with_another_length(run, folder, total):
    """A note whose length is not that of the file is not a reason to take the file for another one, nor to tear it."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)
    size = len(world.content())
    change(left(folder)[1], total={"more": size + 1, "less": size - 1}.get(total, total))

    assert job.download(folder).read_bytes() == world.content()
    assert len(names(folder)) == 1


def test_an_empty_part(run, folder):
    """A part without a byte is begun without a Range."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)
    part, _ = left(folder)
    part.write_bytes(b"")

    assert job.download(folder).read_bytes() == world.content()
    assert world.of("file")[-1].header("Range") is None


@pytest.mark.parametrize("change_of", ["options", "content"])
def test_a_part_of_an_older_version(run, folder, change_of):
    """When the file behind the job is another one by the next call, nothing of the part is used."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder)
    if change_of == "options":
        world.sandbox.validators = False
        answer = world.content()
    else:
        answer = b"A\r\n" * 2 * PIECE
        world.sandbox.fail("file", faults.RawAnswer(content=answer, headers=(("ETag", '"new"'),)))

    assert job.download(folder).read_bytes() == answer
    assert [record.status for record in world.of("file")][-1] == 200


def test_a_part_that_is_the_file(run, folder):
    """A part that is one with a finished file, as a kill in the last step leaves it, is never written to: what was
    moved away meanwhile stays whole.
    """
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder / "file.csv")
    part, note = left(folder)
    part.write_bytes(world.content())
    os.link(part, folder / "file.csv")
    (folder / "file.csv").rename(folder / "archived.csv")
    change(note, validator='"another"')
    world.sandbox.fail("file", faults.Cut(PIECE))
    world.sandbox.fail("file", faults.HttpStatus(503), times=None)

    with pytest.raises(KhorosError):
        job.download(folder / "file.csv", timeout=30)
    assert (folder / "archived.csv").read_bytes() == world.content()

    world.sandbox.heal()
    assert job.download(folder / "file.csv").read_bytes() == world.content()
    assert names(folder) == ["archived.csv", "file.csv"]


@pytest.mark.parametrize("what", ["mine", "theirs"])
def test_a_part_in_use(run, folder, what):
    """A part that somebody else is writing is neither used nor removed, whoever asks for the same target."""
    world = run(BIG, retries=1)
    job = fail_at(world, 3 * PIECE, folder / "file.csv")
    part, note = left(folder)
    other = job if what == "mine" else world.start()

    with part.open("r+b") as held:
        assert own_files.lock(held.fileno())
        assert other.download(folder / "file.csv").read_bytes() == world.content(0 if what == "mine" else 1)
        assert sorted([part.name, note.name, "file.csv"]) == names(folder)


def test_leftovers_of_dead_processes(run, folder):
    """What dead processes left of the same target, whoever's it was, is removed by the next call with its notes."""
    world = run(BIG)
    for mark in (parts._host() + "0123456789abcdef", parts._host() + "fedcba9876543210"):
        (folder / f".file.csv.{mark}.part").write_bytes(b"x")
        (folder / f".file.csv.{mark}.note").write_text("{}")
    (folder / f".file.csv.{parts._host()}0000000000000000.note").write_text("of one that has become the target")
    (folder / ".file.csv.mine.part").write_bytes(b"a file of the user's own")

    world.start().download(folder / "file.csv")

    assert names(folder) == [".file.csv.mine.part", "file.csv"]


# --- names and disks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "x" * 200,
        "x" * 201,
        "ü" * 127,
        "a" * 250 + ".json",
        "[ab]*?.csv",
        "-.csv",
        "new\nline",
        b"\xff\xfe.csv",
    ],
    ids=["255", "200", "201", "bytes", "ending", "glob", "dash", "line", "no UTF-8"],
)
def test_names(run, folder, name):
    """Any name that the disk takes is resumed, and nothing is left: not even the longest leaves no room for a part."""
    world = run(BIG, retries=1)
    target = folder / os.fsdecode(name)
    job = fail_at(world, 3 * PIECE, target)
    assert len(names(folder)) == 2

    assert job.download(target).read_bytes() == world.content()
    assert world.sent() == len(world.content())
    assert names(folder) == [target.name]


@pytest.mark.parametrize("suffix", [".part", ".note"])
def test_a_link_in_its_place(run, folder, tmp_path_factory, suffix):
    """A link that somebody put where a part or its note goes is not followed: what it leads to stays as it was."""
    world = run(BIG, retries=1)
    job = fail_at(world, PIECE, folder / "export.csv")
    paths = left(folder)
    for path in paths:
        path.unlink()
    somebodys = tmp_path_factory.mktemp("elsewhere") / "file"
    somebodys.write_bytes(b"precious")
    next(path for path in paths if path.suffix == suffix).symlink_to(somebodys)

    assert job.download(folder / "export.csv").read_bytes() == world.content()
    assert somebodys.read_bytes() == b"precious"


def test_long_names_that_begin_in_the_same_way(run, folder):
    """Two long names with the same beginning have parts of their own."""
    world = run(BIG, retries=1)
    job = world.start().wait()
    targets = [folder / ("x" * 240 + ending) for ending in ("one", "two")]
    for target in targets:
        fail_at(world, 3 * PIECE, target, job)

    assert len(names(folder)) == 4
    for target in targets:
        assert world.connect().job(job.token).download(target).read_bytes() == world.content()
    assert world.sent() == 2 * len(world.content())


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,
    reason="there is only one file system",
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_link_to_another_disk(world, folder, tmp_path_factory, overwrite):
    """A target that is a link to another file system is written there: a rename cannot cross it."""
    elsewhere = Path("/dev/shm") / f"khoros-analytics-{os.getpid()}.csv"
    (folder / "link.csv").symlink_to(elsewhere)
    try:
        if overwrite:
            elsewhere.write_text("old")
        path = world.start().download(folder / "link.csv", overwrite=overwrite)
        assert path.is_symlink()
        assert elsewhere.read_bytes() == world.content()
        assert names(folder) == ["link.csv"]
    finally:
        elsewhere.unlink(missing_ok=True)


@pytest.mark.parametrize("where", ["write", "note", "fsync", "rename"])
def test_a_full_disk(run, folder, monkeypatch, where):
    """A full disk is a TargetError with the system's number; the part is removed, so that there is room again."""
    import errno  # noqa: PLC0415

    world = run(BIG)
    job = world.start().wait()

    def full(*_arguments, **_settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(path, mode):
        with own_files.create(path, mode) as file:
            return type("FullDisk", (io.FileIO,), {"write": full})(os.dup(file.fileno()), "r+b")

    with monkeypatch.context() as patch:
        if where in ("write", "note"):
            patch.setattr(parts if where == "write" else notes, "create", create)
        elif where == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(os, "replace", full)
            patch.setattr(Path, "replace", full)
        with pytest.raises(TargetError, match="No space left") as caught:
            job.download(folder, overwrite=True)

    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, DownloadError)
    assert names(folder) == []
    assert job.download(folder).read_bytes() == world.content()


def test_a_folder_that_is_no_utf8(run, folder, journal, caplog):
    """A folder whose name is not UTF-8 costs neither the file, nor its line in the journal or the log."""
    caplog.set_level("INFO")
    world = run(journal=journal)
    target = folder / os.fsdecode(b"\xff\xfe")
    target.mkdir()
    path = world.start().download(target)
    assert path.read_bytes() == world.content()
    assert world.client.jobs()[0].file == path
    assert any("saved, " in record.getMessage().encode().decode() for record in caplog.records)
