"""How fast an export becomes rows, in how much memory, how soon the first one comes, and how many numbers survive it.

The files have flat rows with 40 columns. Each side works in processes of its own, by turns with the others, so that its
peak of memory is its own; with the smaller file each process warms up before it measures, since the first touch of
memory is dear on virtual machines, for all sides alike. The best time of each counts, and the highest peak.
``json.load`` reads the smaller file only: of the larger one it would make more than most machines have.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import ijson
import orjson
from _exports import export_file
from _figures import Figure, at_least, at_most, conclude, exactly, print_table
from _row_sides import Outcome

from khoros_analytics import read_rows

MB = 1_000_000
SIZE = 200 * MB
LARGE = 1000 * MB
ROUNDS = 2
HERE = Path(__file__).parent

OURS, ALONE = "read_rows", "read_rows without orjson"
JSON_SIDES = (OURS, "json.load", "ijson", ALONE)
CSV_SIDES = (OURS, "csv.DictReader")

# At least so many times as fast.
JSON_SPEEDS = ((OURS, "json.load", 2.2), (OURS, "ijson", 2.0), (ALONE, "json.load", 1.2))
CSV_SPEEDS = ((OURS, "csv.DictReader", 1.0),)
MEMORY = 12
"""Megabytes above the imports."""
FIRST_ROW = 0.020
"""Seconds within which the first row is there, or else not much later than in the smaller file."""

LONG_INTEGERS = [sign * (2**bits + more) for bits in (53, 63, 64, 65, 100) for more in (-1, 0, 1) for sign in (1, -1)]


def run(side: str, path: Path, *, warm_ups: int = 1, runs: int = 1) -> Outcome:
    """Let one side go through a file, in a process of its own."""
    command = [sys.executable, str(HERE / "_row_sides.py"), side, str(path), str(warm_ups), str(runs)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(answer.stdout))


def race(path: Path, sides: Iterable[str]) -> dict[str, Outcome]:
    """Let the sides work by turns; return the best times and the highest peak of each."""
    turns = [{side: run(side, path) for side in sides} for _ in range(ROUNDS)]
    return {side: best([turn[side] for turn in turns]) for side in turns[0]}


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the best times and the highest peak of some outcomes."""
    highest = max(outcomes, key=above)
    return Outcome(
        min(one.first for one in outcomes),
        min(one.seconds for one in outcomes),
        outcomes[0].rows,
        highest.peak,
        highest.imported,
    )


def above(outcome: Outcome) -> int:
    """Return how much memory it took above its imports."""
    return outcome.peak - outcome.imported


def show(title: str, path: Path, outcomes: dict[str, Outcome]) -> None:
    """Print how fast each side was, how soon its first row came, and how much memory it took."""
    size = path.stat().st_size / MB
    rows = [
        (
            side,
            f"{one.seconds:.2f}",
            f"{size / one.seconds:.0f}",
            f"{1000 * one.first:.1f}",
            f"{one.peak / MB:.1f}",
            f"{above(one) / MB:.1f}",
        )
        for side, one in outcomes.items()
    ]
    headings = ("", "seconds", "MB/s", "first row in ms", "peak in MB", "above the import")
    print_table(f"{title}, {size:.0f} MB, {outcomes[OURS].rows} rows", headings, rows)


def memory(what: str, path: Path, outcomes: dict[str, Outcome]) -> list[Figure]:
    """Judge the memory of our sides, which is the same for a larger file."""
    if sys.platform != "linux":
        return []
    size = path.stat().st_size // MB
    return [
        at_most(f"memory above the import, {side} from {what} of {size} MB", above(one) / MB, MEMORY, " MB")
        for side, one in outcomes.items()
        if side in (OURS, ALONE)
    ]


def same_rows(what: str, outcomes: dict[str, Outcome]) -> list[Figure]:
    """Judge whether all sides see as many rows."""
    return [exactly(f"numbers of rows that the sides see in {what}", len({one.rows for one in outcomes.values()}), 1)]


def first_row(what: str, small: Outcome, large: Outcome) -> list[Figure]:
    """Judge whether the first row comes later in a larger file."""
    limit = max(1.5 * small.first, FIRST_ROW)
    return [at_most(f"first row of 1 GB of {what}", 1000 * large.first, 1000 * limit, " ms")]


def both_sizes(
    folder: Path, format: str, sides: Sequence[str], speeds: Sequence[tuple[str, str, float]], large: Sequence[str]
) -> list[Figure]:
    """Measure a small file and a large one."""
    what = format.upper()
    path = export_file(folder, format, SIZE)
    outcomes = race(path, sides)
    show(f"Rows from {what}", path, outcomes)
    figures = [
        at_least(
            f"{ours} from {what} against {other}", outcomes[other].seconds / outcomes[ours].seconds, target, " times"
        )
        for ours, other, target in speeds
    ]
    figures += same_rows(what, outcomes) + memory(what, path, outcomes)
    path.unlink()
    path = export_file(folder, format, LARGE)
    large_ones = {side: run(side, path, warm_ups=0) for side in large}
    show(f"Rows from {what}, without a warm-up", path, large_ones)
    figures += memory(what, path, large_ones) + first_row(what, outcomes[OURS], large_ones[OURS])
    path.unlink()
    return figures


def exactness(folder: Path) -> list[Figure]:
    """Count the long integers that each side gets wrong, among many short ones."""
    path = folder / "integers.json"
    right = [{"ID": number, "TEXT": "x" * 100} for number in LONG_INTEGERS * 100]
    path.write_text(json.dumps(right, separators=(",", ":")), encoding="utf-8")
    with path.open("rb") as file:
        found = {OURS: list(read_rows(path)), "orjson.loads": orjson.loads(file.read())}
    counts = {side: sum(map(differs, rows, right)) for side, rows in found.items()}
    print_table(f"Integers of up to 31 digits that are wrong, of {len(right)}", ("", "wrong"), list(counts.items()))
    return [exactly("long integers that are wrong", counts[OURS], 0)]


def differs(row: dict[str, object], right: dict[str, object]) -> bool:
    """Tell whether an integer became another one, or something else."""
    return repr(row) != repr(right)


def main() -> None:
    """Measure, print the tables, and judge."""
    # ijson takes a backend in Python, 17 times slower, where the one in C is missing; this fails then.
    ijson.get_backend("yajl2_c")
    print_table("Versions", ("", ""), [(name, version(name)) for name in ("ijson", "orjson")])
    with tempfile.TemporaryDirectory(prefix="khoros_analytics_") as name:
        folder = Path(name)
        figures = exactness(folder)
        figures += both_sizes(folder, "json", JSON_SIDES, JSON_SPEEDS, large=(OURS, ALONE))
        figures += both_sizes(folder, "csv", CSV_SIDES, CSV_SPEEDS, large=(OURS,))
    conclude(figures)


if __name__ == "__main__":
    main()
