"""How fast an export becomes a workbook, in how much memory, beside what pandas and XlsxWriter take for it.

The file has 100,000 rows of 40 columns, of which no two are alike. Both sides work by turns in one run, each time in a
fresh process; the medians of the rounds count. ``--rows`` takes another number of rows, ``--rounds`` of rounds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _exports import csv_of_rows
from _figures import at_least, at_most, conclude, print_table
from attrs import frozen

MB = 1_000_000
SIDES = ("ours", "pandas")


@frozen
class Turn:
    """What one conversion took.

    Attributes:
        wall: The seconds that it took.
        processor: The seconds that all processors together worked for it.
        memory: The peak of memory above what the imports took, in bytes.
        size: The workbook's size, in bytes.
    """

    wall: float
    processor: float
    memory: int
    size: int


def turn(side: str, source: Path) -> Turn:
    """Let a side work once, in a fresh process."""
    target = source.with_name(f"{side}.xlsx")
    command = [sys.executable, str(Path(__file__).with_name("_workbook.py")), side, str(source), str(target)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = Turn(**json.loads(done.stdout), size=target.stat().st_size)
    target.unlink()
    return found


def medians(turns: list[Turn]) -> Turn:
    """Return the median of each figure."""
    figures = zip(*((one.wall, one.processor, one.memory, one.size) for one in turns), strict=True)
    return Turn(*map(statistics.median, figures))


def main() -> None:
    """Measure, print, and fail where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="khoros_analytics_") as name:
        source = csv_of_rows(Path(name), options.rows)
        rounds = [{side: turn(side, source) for side in SIDES} for _ in range(options.rounds)]
    taken = {side: medians([one[side] for one in rounds]) for side in SIDES}
    headings = ("", "seconds", "of processors", "memory in MB", "workbook in MB")
    rows = [
        (side, f"{one.wall:.1f}", f"{one.processor:.1f}", f"{one.memory / MB:.0f}", f"{one.size / MB:.1f}")
        for side, one in taken.items()
    ]
    print_table(f"{options.rows:,} rows of 40 columns", headings, rows)
    mine, theirs = taken["ours"], taken["pandas"]
    conclude(
        [
            at_least("times as fast as pandas, on the wall", theirs.wall / mine.wall, 1),
            at_least("times as fast as pandas, of processors", theirs.processor / mine.processor, 1),
            at_most("memory of pandas'", 100 * mine.memory / theirs.memory, 10, " %"),
        ]
    )


if __name__ == "__main__":
    main()
