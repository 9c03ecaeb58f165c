"""Folders that others can write to: nothing of theirs is followed, overwritten, waited for, or taken for ours."""

import errno
import fcntl
import os
import signal
import stat
import sys

import pytest

from khoros_analytics import KhorosError, TargetError
from khoros_analytics._storage import atomic, own_files, partial, parts
from khoros_analytics._storage.destination import open_destination
from khoros_analytics._storage.partial import open_partial

STRANGER = 12345
DAY = 24 * 3600
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupted():
    """Expect that the block ends by Ctrl-C."""
    return pytest.raises(KeyboardInterrupt)


def left_of(target, owner="job", data=b"x" * 100):
    """Leave a part of a target as an interrupted download does; return part and note."""
    with interrupted(), open_partial(target, owner) as part:
        if not part.recall():
            part.remember('"v1"', 1000)
        part.write(data)
        raise KeyboardInterrupt
    return part.path, part.path.with_suffix(".note")


def save(target, owner="job", data=b"end", *, overwrite=True):
    """Save a file, from what is left of it on; return how many bytes that was."""
    with open_partial(target, owner) as part:
        size = part.recall()
        if not size:
            part.restart()
            part.remember('"v1"', 1000)
        part.write(data)
        atomic.commit(part, overwrite=overwrite)
    return size


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def target(folder):
    """Where the file goes."""
    return folder / "file.csv"


# --- names and what stands there -----------------------------------------------------------------------------------


def test_names_that_nobody_guesses(folder, target):
    """The name of a part says nothing of its job and is never the same; the next process finds it even so."""
    first, note = left_of(target)
    first.rename(folder / "away")
    second, _ = left_of(target)
    assert first.name != second.name
    assert not note.exists()  # nobody would ever remove it
    assert save(target) == 100


def test_the_longest_of_several(folder, target):
    """Of several parts of one job the longest is continued, and the others go."""
    with interrupted(), open_partial(target, "job") as part:
        part.remember('"v1"', 1000)
        part.write(b"x" * 10)
        left_of(target)
        raise KeyboardInterrupt
    assert len(names(folder)) == 4
    assert save(target) == 100
    assert names(folder) == ["file.csv"]


STRANGE = {
    "link": lambda path, precious: path.symlink_to(precious),
    "dangling link": lambda path, precious: path.symlink_to(precious.with_name("nothing")),
    "hard link": lambda path, precious: path.hardlink_to(precious),
    "pipe": lambda path, _precious: os.mkfifo(path),
    "folder": lambda path, _precious: path.mkdir(),
    "socket": lambda path, _precious: os.mknod(path, stat.S_IFSOCK | 0o666),
}


@pytest.mark.parametrize("suffix", [".part", ".note"])
@pytest.mark.parametrize("put", STRANGE.values(), ids=STRANGE)
def test_something_else_in_the_place_of_a_part(folder, target, tmp_path, suffix, put):
    """What stands where a part or its note was is not followed, waited for or written to; the file begins anew."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    paths = left_of(target)
    path = next(path for path in paths if path.suffix == suffix)
    path.unlink()
    put(path, precious)

    assert save(target) == 0
    assert target.read_bytes() == b"end"
    assert precious.read_bytes() == b"precious"
    assert precious.stat().st_nlink <= 2
    assert names(precious.parent) == ["exports", "precious"]


@needs_root
@pytest.mark.parametrize("which", [0, 1])
def test_files_of_others(folder, target, which):
    """A part, or a note, that belongs to somebody else is neither continued nor believed."""
    paths = left_of(target)
    os.chown(paths[which], STRANGER, STRANGER)
    assert save(target) == 0
    assert target.read_bytes() == b"end"
    assert target.stat().st_uid == os.geteuid()


def test_something_that_appears_at_the_last_moment(target, tmp_path, monkeypatch):
    """What somebody puts between the look and the opening is not opened: no link is followed, no pipe waited for."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    for put in (STRANGE["link"], STRANGE["pipe"]):
        part, _ = left_of(target)
        found = part.lstat()
        part.unlink()
        put(part, precious)
        with monkeypatch.context() as patch:
            patch.setattr(type(part), "lstat", lambda _path, found=found: found)
            assert own_files.open_own(part, os.geteuid()) is None
    assert precious.read_bytes() == b"precious"


# --- identity ------------------------------------------------------------------------------------------------------

CHANGES = {
    "replaced": (lambda part: (part.rename(part.with_name("old")), part.write_bytes(b"x" * 100)), 0),
    "truncated": (lambda part: os.truncate(part, 50), 0),
    "overwritten": (lambda part: part.write_bytes(b"y" * 100), 0),
    "appended": (lambda part: part.write_bytes(part.read_bytes() + b"more"), 100),
}


@pytest.mark.parametrize(("change", "kept"), CHANGES.values(), ids=CHANGES)
def test_a_part_that_changed_between_two_calls(target, change, kept):
    """A part is continued only if it is the file that was written, as far as it was written; the rest is cut off."""
    part, _ = left_of(target)
    change(part)
    assert save(target) == kept
    assert target.read_bytes() == b"x" * kept + b"end"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("moment", ["announced", "linked"])
def test_a_part_that_changes_in_the_last_step(target, monkeypatch, moment, *, overwrite):
    """Not even in the last step does anything else get the target's name: it is checked again, and linked as opened."""

    def replace(*_ignored):
        path = next(target.parent.glob(".*.part"))
        path.unlink()
        path.write_bytes(b"theirs")

    link = os.link
    if moment == "linked":
        monkeypatch.setattr(os, "link", lambda *some, **more: (replace(), link(*some, **more)))
    with open_partial(target, "job") as part:
        part.remember('"v1"', 3)
        part.write(b"end")
        if moment == "announced" or not overwrite:
            with pytest.raises(TargetError, match="by somebody else"):
                atomic.commit(part, overwrite=overwrite, announce=replace if moment == "announced" else print)
            assert not target.exists()
        else:
            atomic.commit(part, overwrite=overwrite)
            assert target.read_bytes() == b"end"


@pytest.mark.parametrize("seen", ["their locks", "no locks of others"])
def test_two_hosts(folder, target, monkeypatch, tmp_path, seen):
    """Two hosts write two parts of one file, even if neither sees the other's locks."""
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(parts, "_BOOT_ID", boot)
    if seen == "no locks of others":
        monkeypatch.setattr(fcntl, "flock", lambda *_ignored: None)
    boot.write_text("one")
    with open_partial(target, "job") as first:
        first.remember('"v1"', 1000)
        first.write(b"one")
        boot.write_text("two")
        with open_partial(target, "job") as second:
            assert second.recall() == 0
            second.remember('"v1"', 1000)
            second.write(b"second")
            assert first.path != second.path
            atomic.commit(second, overwrite=True)
        assert target.read_bytes() == b"second"
        boot.write_text("one")
        atomic.commit(first, overwrite=True)
    assert target.read_bytes() == b"one"
    assert names(folder) == ["file.csv"]


@pytest.mark.parametrize(("age", "stays"), [(DAY - 60, True), (DAY + 60, False)])
def test_what_another_host_left(target, monkeypatch, tmp_path, age, stays):
    """What another host left, or this one before it was restarted, is never continued; untouched for a day, it goes."""
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(parts, "_BOOT_ID", boot)
    boot.write_text("one")
    part, note = left_of(target)
    moment = part.stat().st_mtime - age
    os.utime(part, (moment, moment))
    boot.write_text("two")
    assert save(target) == 0
    assert names(target.parent) == ([note.name, part.name, "file.csv"] if stays else ["file.csv"])


# --- who may read it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
@pytest.mark.parametrize("mode", [None, 0o600, 0o640, 0o444, 0o604, 0o666, 0o755])
@pytest.mark.parametrize("whole", [False, True])
def test_modes(target, monkeypatch, mode, umask, *, whole):
    """A part is its owner's alone while it grows; then it has the mode of what it replaces, or that of a new file."""
    before = os.umask(umask)
    try:
        if mode is not None:
            target.write_bytes(b"old")
            target.chmod(mode)
        born = []
        make_private = parts.make_private
        monkeypatch.setattr(
            parts, "make_private", lambda number: (born.append(os.fstat(number).st_mode), make_private(number))[1]
        )
        if whole:
            with open_destination(os.fspath(target), "", overwrite=True, storage_options=None).whole() as file:
                file.write(b"new")
                seen = mode_of(next(target.parent.glob(".*.part")))
        else:
            with open_partial(target, "job") as part:
                part.remember('"v1"', 3)
                part.write(b"new")
                seen = mode_of(part.path) | mode_of(part.path.with_suffix(".note"))
                atomic.commit(part, overwrite=True)
    finally:
        os.umask(before)
    assert target.read_bytes() == b"new"
    assert seen == 0o600
    assert mode_of(target) == (0o666 & ~umask if mode is None else mode)
    assert mode is None or not born[0] & 0o077 & ~mode


@needs_root
@pytest.mark.parametrize("allowed", [True, False])
def test_owner_and_group(target, monkeypatch, *, allowed):
    """The file that replaces another has its owner and group where that is allowed; else no other group gets what
    that one had.
    """
    target.write_bytes(b"old")
    os.chown(target, STRANGER, STRANGER + 1)
    target.chmod(0o640)

    def refuse(*_ignored):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not allowed:
        monkeypatch.setattr(os, "fchown", refuse)
    save(target)
    found = target.stat()
    if allowed:
        assert (found.st_uid, found.st_gid, mode_of(target)) == (STRANGER, STRANGER + 1, 0o640)
    else:
        assert (found.st_uid, found.st_gid, mode_of(target)) == (os.geteuid(), os.getegid(), 0o600)


@pytest.mark.parametrize("works", [True, False])
def test_access_control_lists(target, monkeypatch, *, works):
    """An access control list goes over to the new file; where it cannot, the group gets nothing in its place."""
    target.write_bytes(b"old")
    target.chmod(0o660)
    given = {}

    def give(number, name, value):
        if not works:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        given[name] = value

    monkeypatch.setattr(os, "getxattr", lambda *_some, **_more: b"the list")
    monkeypatch.setattr(os, "setxattr", give)
    save(target)
    assert given == ({"system.posix_acl_access": b"the list"} if works else {})
    assert mode_of(target) == (0o660 if works else 0o600)


# --- links of others -----------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775, 0o755])
def test_a_target_that_is_somebody_elses_link(run, target, tmp_path, mode, *, there):
    """A link that somebody else put into a shared folder leads no export to a file of ours; our own links do."""
    job = run({"size": 1000}).start().wait()
    precious = tmp_path / "precious"
    if there:
        precious.write_bytes(b"precious")
    target.symlink_to(precious)
    os.lchown(target, STRANGER, STRANGER)
    os.chown(target.parent, STRANGER + 1, -1)
    target.parent.chmod(mode)

    if mode == 0o755:
        job.download(target, overwrite=True)
        assert target.is_symlink()
        return
    with pytest.raises(TargetError, match="a link of somebody else"):
        job.download(target, overwrite=True)
    assert precious.exists() == there
    assert not there or precious.read_bytes() == b"precious"
    os.lchown(target, os.geteuid(), -1)
    job.download(target, overwrite=True)
    assert precious.stat().st_size > 100
    assert target.is_symlink()


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_in_the_place_of_the_target(folder, target, *, overwrite):
    """A folder that takes the target's place meanwhile stays, and the error says what is there."""
    with open_partial(target, "job") as part:
        part.remember('"v1"', 3)
        part.write(b"end")
        target.mkdir()
        with pytest.raises(TargetError, match="a folder has taken its place"):
            atomic.commit(part, overwrite=overwrite)
    assert names(folder) == ["file.csv"]


# --- exceptions and forks ------------------------------------------------------------------------------------------


class SoftLimit(Exception):  # noqa: N818 - as Celery has one
    """What a task queue raises anywhere in a task whose time is up."""


def interrupted_at(number, act):
    """Do something, and raise an exception at one of the lines of the storage on its way; return whether it came."""
    lines = 0

    def trace(frame, event, _argument):
        nonlocal lines
        if "_storage" not in frame.f_code.co_filename:
            return None
        if event == "line":
            lines += 1
            if lines == number:
                sys.settrace(None)
                raise SoftLimit
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except SoftLimit:
        return True
    finally:
        sys.settrace(before)
    return lines >= number


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_anywhere(folder, target, *, overwrite):
    """Wherever an exception interrupts the writing, the next one goes on from all that was written, or has the file."""
    written = 0

    def act():
        nonlocal written
        with open_partial(target, "job") as part:
            written = part.recall()
            if not written:
                part.restart()
                part.remember('"v1"', 6)
            while written < 6:
                part.write(b"abc")
                written += 3
            atomic.commit(part, overwrite=overwrite)

    number = int(overwrite)
    while number := number + 2:
        written = 0
        came = interrupted_at(number, act)
        if target.exists():
            assert target.read_bytes() == b"abcabc"
            if not came:
                break
            target.unlink()
        else:
            with interrupted(), open_partial(target, "job") as part:
                assert part.recall() >= written
                raise KeyboardInterrupt
        for path in folder.iterdir():
            path.unlink()
    assert number > 100
    assert names(folder) == ["file.csv"]


@pytest.mark.parametrize("error", [TimeoutError("time is up"), RuntimeError("time is up"), ValueError("time is up")])
def test_exceptions_of_signal_handlers(folder, target, monkeypatch, error):
    """What a handler of signals raises in the middle of a write is no error of the disk: the part stays."""

    def interrupt(*_ignored):
        raise error

    monkeypatch.setattr(partial.PartialFile, "_check_size", interrupt)
    expected = pytest.raises(type(error), match="time is up")
    with expected, open_partial(target, "job") as part:
        part.remember('"v1"', 3)
        part.size = part.file.write(b"end")
        part.write(b"more")
    monkeypatch.undo()
    assert len(names(folder)) == 2


def test_a_fork_in_the_middle(target):
    """The child of a fork neither writes nor removes what its parent writes, and does not hold its lock."""
    with open_partial(target, "job") as part:
        part.remember('"v1"', 6)
        part.write(b"abc")
        said, says = os.pipe()
        child = os.fork()
        if not child:
            try:
                part.write(b"of the child")
            except KhorosError as error:
                os.write(says, str(error).encode())
            signal.pause()
        assert b"forked" in os.read(said, 1000)
        part.write(b"abc")
        part.check()
        part.file.close()
        assert partial._is_for(partial._digest("job"), part.path, os.geteuid())
        with part.path.open("r+b") as file:
            assert own_files.lock(file.fileno())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_errors_at_the_close(target, monkeypatch):
    """An error that the system keeps until the close comes after all is on the disk, and costs nothing."""
    with open_partial(target, "job") as part:
        part.remember('"v1"', 3)
        part.write(b"end")
        atomic.commit(part, overwrite=False)
        file = part.file

        class Failing:
            closed = False

            def fileno(self):
                return file.fileno()

            def close(self):
                file.close()
                raise OSError(errno.ENOSPC, "No space left on device")

        part.file = Failing()
    assert target.read_bytes() == b"end"
