"""kill -9 at any moment, then the same program again: no second export that could be helped, and the file arrives."""

import signal

import pytest

from khoros_analytics.sandbox import faults

PIECE = 1024 * 1024
BIG = {"size": 4 * PIECE, "polls": 2}

_PROGRAM = """
from khoros_analytics._jobs import start
from khoros_analytics._storage import atomic, partial

stop = ARGUMENTS["stop"]
update = None


def after(act):
    def both(*arguments, **settings):
        act(*arguments, **settings)
        die()
    return both


def on_second_call(act):
    calls = []
    def count(*arguments):
        calls.append(arguments)
        return die() if len(calls) == 2 else act(*arguments)
    return count


if stop == "claimed":
    start.create_call = die
elif stop == "asked":
    start.parse_created = die
elif stop == "waiting":
    update = die
elif stop == "half":
    partial.PartialFile.write = after(partial.PartialFile.write)
elif stop == "all there":
    os.fsync = die
elif stop == "flushed":
    atomic._rename_where_nothing_is = die
elif stop == "linked":
    os.link = after(os.link)
elif stop == "in its place":
    os.fsync = on_second_call(os.fsync)

with connect() as client:
    job = client.conversation(*WINDOW)
    if stop == "ids":
        die()
    job.wait(on_update=update)
    path = job.download(ARGUMENTS["target"])
    if stop == "saved":
        die()
    say(path=str(path), reattached=job.reattached, states=[line.state for line in client.jobs()])
"""

BEFORE_THE_IDS = ["claimed", "asked"]
AFTER_THE_IDS = [
    "ids",
    "waiting",
    "half",
    "all there",
    "flushed",
    "linked",
    "in its place",
    "saved",
]


def run_twice(world, launch, journal, target, stop):
    """Run the program until it is killed at some point, and then once more; return what the second one says."""
    _, log, status = launch(world, _PROGRAM, journal=journal, stop=stop, target=str(target)).end()
    assert status == -signal.SIGKILL, log
    return launch(world, _PROGRAM, journal=journal, stop=None, target=str(target)).facts()


@pytest.mark.parametrize("stop", BEFORE_THE_IDS)
def test_killed_before_the_ids_are_known(run, launch, journal, folder, stop):
    """Killed between the claim and the answer, nobody can know whether the export runs: the claim is unknown, the next
    run says so, and starts a new one.
    """
    world = run(BIG)

    facts = run_twice(world, launch, journal, folder / "file.csv", stop)

    assert (folder / "file.csv").read_bytes() == world.content()
    assert facts["path"] == str(folder / "file.csv")
    assert facts["states"] == ["saved", "unknown"]
    assert not facts["reattached"]
    assert "WARNING" in facts["log"]
    assert "is not known: starting a new one" in facts["log"]
    assert world.count("create") == (1 if stop == "claimed" else 2)


@pytest.mark.parametrize("stop", AFTER_THE_IDS)
def test_killed_after_the_ids_are_known(run, launch, journal, folder, stop):
    """Killed at any later point, the next run finds the export again, and hardly fetches a byte twice."""
    world = run(BIG)

    facts = run_twice(world, launch, journal, folder / "file.csv", stop)

    assert (folder / "file.csv").read_bytes() == world.content()
    assert facts["path"] == str(folder / "file.csv")
    assert facts["states"] == ["saved"]
    assert facts["reattached"]
    assert "not started again" in facts["log"]
    assert "WARNING" not in facts["log"]
    assert [path.name for path in folder.iterdir()] == ["file.csv"]
    assert world.count("create") == 1
    # What stood in the sockets' buffers at the kill was sent for nothing; from the last steps nothing is fetched again.
    assert len(world.of("file")) == (2 if stop in ("half", "all there", "flushed") else 1)
    if stop not in ("half", "flushed"):
        assert world.sent() == len(world.content())


def test_killed_by_somebody_else(run, launch, journal, folder, until):
    """A real kill -9 from outside, in the middle of the file: the same program again continues at the same byte."""
    world = run({"size": 20 * PIECE})
    world.sandbox.fail("file", faults.Stall(0.9))
    target = folder / "file.csv"
    first = launch(world, _PROGRAM, journal=journal, stop=None, target=str(target))
    until(lambda: any(path.suffix == ".part" and path.stat().st_size >= 17 * PIECE for path in folder.iterdir()))
    assert not target.exists()
    first.kill()

    facts = launch(world, _PROGRAM, journal=journal, stop=None, target=str(target)).facts()

    assert facts["reattached"]
    assert target.read_bytes() == world.content()
    assert [path.name for path in folder.iterdir()] == ["file.csv"]
    assert world.count("create") == 1
    assert world.of("file")[-1].status == 206
    # What had left the server and was not in the file when the program was killed.
    assert world.sent() - len(world.content()) <= 3 * PIECE


def test_killed_while_the_server_answers(run, launch, journal, folder, until):
    """A real kill -9 from outside between the creation request and its answer: one new export, and a warning."""
    world = run(BIG)
    world.sandbox.fail("create", faults.Stall(0.5))
    target = folder / "file.csv"
    first = launch(world, _PROGRAM, journal=journal, stop=None, target=str(target))
    until(lambda: len(world.sandbox.exports) == 1)
    first.kill()

    facts = launch(world, _PROGRAM, journal=journal, stop=None, target=str(target)).facts()

    assert facts["states"] == ["saved", "unknown"]
    assert "WARNING" in facts["log"]
    assert len(world.sandbox.exports) == 2
    assert target.read_bytes() == world.content()


def test_the_same_program_all_over_again(run, launch, journal, folder):
    """A program that was through already asks nothing of the server: the export and its file are found again."""
    world = run(BIG)
    target = str(folder / "file.csv")
    launch(world, _PROGRAM, journal=journal, stop=None, target=target).facts()
    before = len(world.sandbox.requests)

    text = _PROGRAM.replace("job.wait(on_update=update)", "")
    facts = launch(world, text, journal=journal, stop=None, target=target).facts()

    assert facts["reattached"]
    assert facts["path"] == target
    assert len(world.sandbox.requests) == before


def test_killed_without_a_journal(run, launch, folder):
    """Without a journal a second run starts a second export, and does not trip over what the first one left."""
    world = run(BIG)
    target = folder / "file.csv"
    text = _PROGRAM.replace("[line.state for line in client.jobs()]", "[]")
    _, _, status = launch(world, text, stop="half", target=str(target)).end()
    assert status == -signal.SIGKILL
    assert sorted(path.suffix for path in folder.iterdir()) == [".note", ".part"]

    launch(world, text, stop=None, target=str(target)).facts()

    assert target.read_bytes() == world.content()
    assert [path.name for path in folder.iterdir()] == ["file.csv"]
