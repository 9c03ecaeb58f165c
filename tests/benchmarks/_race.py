"""Sides that work by turns: each in a process of its own that lives as long as the race, so that all have warmed up."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from attrs import frozen

_HERE = Path(__file__).parent


@frozen
class Turn:
    """What a side says after a turn.

    Attributes:
        wall: The seconds that it took.
        processor: The seconds that all processors together worked for it.
        peak: The most memory that its process ever had, in bytes.
        bare: What the process had before it imported any library.
    """

    wall: float
    processor: float
    peak: int
    bare: int


Rounds = Sequence[Mapping[str, Turn]]
"""The turns of all sides, round by round."""


class Racer(AbstractContextManager["Racer", None]):
    """A side that waits for its turns."""

    def __init__(self, side: str, path: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=path.parent)
        command = [sys.executable, str(_HERE / "_sides.py"), side, str(path), self._folder.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self, times: int = 1) -> Turn:
        """Let it work so many times."""
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit("a side gave up; what it wrote above says why")
        return Turn(**json.loads(line))

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()


def race(path: Path, sides: Iterable[str], *, rounds: int, times: int = 1) -> Rounds:
    """Let sides work on a file by turns, after one turn each to warm up; another one begins each round.

    The first touch of memory is dear on virtual machines, for all sides alike.
    """
    with ExitStack() as stack:
        racers = deque((side, stack.enter_context(Racer(side, path))) for side in sides)
        taken = []
        for _ in range(rounds + 1):
            taken.append({side: racer.turn(times) for side, racer in racers})
            racers.rotate()
        return taken[1:]


def alone(side: str, path: Path) -> Turn:
    """Let a side work once, in a fresh process: for its memory."""
    with Racer(side, path) as racer:
        return racer.turn()


def median(rounds: Rounds, figure: Callable[[Mapping[str, Turn]], float]) -> float:
    """Return the median of a figure that each round has."""
    return statistics.median(map(figure, rounds))
