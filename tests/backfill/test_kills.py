"""A backfill that is killed at any moment: the next run goes on, every window lands once, none is torn or doubled."""

import random
import signal
from collections import Counter

import pyarrow.parquet as pq
import pytest

from khoros_analytics import open_dataset

PROGRAM = """
import random

steps = 0


def maybe_die(*_):
    global steps
    steps += 1
    if steps == ARGUMENTS["stop"]:
        die()


from khoros_analytics._storage.folder import LocalFolder

for name in ("write", "put", "remove"):

    def around(self, *arguments, _real=getattr(LocalFolder, name)):
        maybe_die()
        _real(self, *arguments)
        maybe_die()

    setattr(LocalFolder, name, around)

with connect() as client:
    result = client.backfill(
        "conversation", "2019-02-01", "2019-02-06", every="1 day", to=ARGUMENTS["to"], metrics=["STATUS", "POST_COUNT"],
        refresh=ARGUMENTS["refresh"],
    )
    say(landed=result.landed, skipped=result.skipped, steps=steps)
"""


def run_once(world, launch, folder, stop, refresh=None):
    """Run the program until it is killed at a step; return what it said, or None when it was killed."""
    said, log, status = launch(world, PROGRAM, to=str(folder), stop=stop, refresh=refresh).end()
    if status == -signal.SIGKILL:
        return None
    assert status == 0, log
    return said[-1]


def check(folder, windows=5):
    """Every window is there once, whole, and what is written of it is true."""
    dataset = open_dataset(folder)
    landed = dataset.windows()
    assert len(landed) == windows
    files = sorted(path.parent.name for path in folder.glob("window=*/*.parquet"))
    assert files == [f"window={window.key}" for window in landed]
    for window in landed:
        path = folder / f"window={window.key}" / "conversation.parquet"
        assert (pq.read_table(path).num_rows, path.stat().st_size) == (window.rows, window.bytes)
    assert not list(folder.rglob("*.part"))
    assert not list((folder / "_khoros_analytics" / "running").glob("*"))
    assert not list((folder / "_khoros_analytics" / "intents").glob("*"))


@pytest.mark.slow
def test_killed_twenty_times(run, launch, tmp_path, seed):
    """Killed twenty times, each time at another step, a last run finds all windows or lands them; none was exported
    twice where the first export had been written down.
    """
    world = run()
    draw = random.Random(seed)
    kills = 0
    for number in range(4):
        folder = tmp_path / str(number)
        for _ in range(5):
            if run_once(world, launch, folder, draw.randrange(2, 14)) is None:
                kills += 1
        assert run_once(world, launch, folder, None)
        check(folder)
    assert kills >= 16
    # At most the export that was under way when a run was killed is started once more: one a kill.
    assert world.count("create") <= 4 * 5 + kills


@pytest.mark.slow
@pytest.mark.parametrize("stop", [3, 5, 7, 9, 11])
def test_killed_while_replacing(run, launch, tmp_path, stop):
    """Killed while a window is exported anew, its old or its new file is there at every moment."""
    world = run()
    run_once(world, launch, tmp_path, None)
    # The program's clock stands in May 2019: all windows are recent enough.
    assert run_once(world, launch, tmp_path, stop, "200 days") is None
    files = Counter(path.parent.name for path in tmp_path.glob("window=*/*.parquet"))
    assert set(files.values()) == {1}
    assert len(files) == 5
    for path in tmp_path.glob("window=*/*.parquet"):
        assert pq.read_table(path).num_rows == 100
    run_once(world, launch, tmp_path, None, "200 days")
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [4, 5])
def test_what_was_written_down_is_not_exported_again(run, launch, tmp_path, stop):
    """An export whose token was written down before the kill is gone on with."""
    world = run()
    assert run_once(world, launch, tmp_path, stop) is None
    started, written = world.count("create"), 1
    run_once(world, launch, tmp_path, None)
    check(tmp_path)
    assert world.count("create") == 5 + started - written
