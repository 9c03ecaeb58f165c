"""How fast an export becomes a frame or a file of Parquet, in how much memory, and how many ids survive it.

The files have 40 columns, and no two rows are alike. All sides of a comparison work by turns in one run, each in a
process of its own; within each round, what the other side takes is divided by what ours takes, and the median of the
rounds counts, for the wall and for the processors. ``--size 1000`` takes files of 1 GB in place of 200 MB, ``--huge``
also converts 10 GB, and ``--table`` prints the figures as the table that the documentation has.
"""
# ruff: noqa: T201 - a benchmark is a program, and printing is how it speaks

import argparse
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from _exports import export_file, export_of_rows
from _figures import print_table
from _race import Rounds, alone, median, race
from attrs import frozen

from khoros_analytics import read_pandas
from khoros_analytics.sandbox._data.export_spec import ExportSpec

MB = 1_000_000
HUGE = 10_000 * MB
WIDE = 18 * MB
WIDTHS = (50, 500, 2000)
SMALL_ROWS = 100
SMALL_TIMES = 50

# Each of ours with others, and how many times as fast it should be; None where there is no target.
CSV_RACES: tuple[tuple[str, dict[str, float | None]], ...] = (
    (
        "to_arrow",
        {
            "pyarrow.csv.read_csv": 1.0,
            "pandas.read_csv": 1.2,
            "pandas.read_csv(dtype=str)": 6,
            "pyarrow, all columns as text": None,
        },
    ),
    ("to_polars", {"polars.read_csv": 0.65, "pandas.read_csv": 1.0, "polars, types from all rows": None}),
    ("to_pandas", {"pandas.read_csv": 1.0, "pandas, ids and moments named": None}),
    ("to_pandas, pyarrow", {"pandas.read_csv": 1.0}),
    ("to_parquet", {"polars sink_parquet": 0.75, "open_csv and ParquetWriter": 2.0}),
)
JSON_RACES: tuple[tuple[str, dict[str, float | None]], ...] = (
    ("to_arrow", {"pandas.read_json": 4, "json.load and Table.from_pylist": None}),
)
MOST_FOR_SMALL = 3
MOST_FOR_BATCHES = 2.5
BATCHES_MEMORY = 130
"""Megabytes above the bare interpreter."""
PARQUET_MEMORY = 350
"""Megabytes of the whole process, its libraries included."""

ID_ROWS = 2000
ID_WINDOW = (1_548_979_200_000, 1_556_668_799_999)
ID_COLUMNS = ("POST_ID", "lsw_responded_to_external_post_id")
"""In JSON the one has numbers, the other texts; both leave some rows out."""


@frozen
class Measured:
    """A line of the table.

    Attributes:
        what: What was measured.
        against: What it was compared with.
        figures: The figure on the wall, and that of the processors; or a single one.
        target: The target of the first one in words; empty where there is none.
        met: Whether it is met; None where there is none.
    """

    what: str
    against: str
    figures: tuple[str, ...]
    target: str
    met: bool | None

    def cells(self) -> tuple[str, ...]:
        """Return the line as texts."""
        verdict = {True: "yes", False: "no", None: ""}[self.met]
        return self.what, self.against, " / ".join(self.figures), self.target, verdict


HEADINGS = ("Measured", "against", "wall / processor", "target", "reached")


def compared(what: str, ours: str, others: dict[str, float | None], rounds: Rounds) -> Iterator[Measured]:
    """Judge how many times as fast ours is as each of the others."""
    for other, target in others.items():
        wall = median(rounds, lambda turn, other=other: turn[other].wall / turn[ours].wall)
        processor = median(rounds, lambda turn, other=other: turn[other].processor / turn[ours].processor)
        figures = f"{wall:.2f}", f"{processor:.2f}"
        wanted = f"at least {target:g}" if target else ""
        yield Measured(f"{what} {ours}", other, figures, wanted, wall >= target if target else None)


def limited(what: str, ours: str, other: str, most: float, rounds: Rounds) -> Measured:
    """Judge how many times as long ours takes as another one."""
    wall = median(rounds, lambda turn: turn[ours].wall / turn[other].wall)
    processor = median(rounds, lambda turn: turn[ours].processor / turn[other].processor)
    figures = f"{wall:.2f}", f"{processor:.2f}"
    return Measured(f"{what} {ours}, time", other, figures, f"at most {most:g}", wall <= most)


def show(title: str, size: int, rounds: Rounds) -> None:
    """Print the medians of all sides."""
    rows = []
    for side in sorted(rounds[0]):
        wall = statistics.median(turn[side].wall for turn in rounds)
        processor = statistics.median(turn[side].processor for turn in rounds)
        peak = rounds[-1][side].peak / MB
        rows.append((side, f"{wall:.3f}", f"{processor:.3f}", f"{size / MB / wall:.0f}", f"{peak:.0f}"))
    print_table(title, ("", "seconds", "of processors", "MB/s", "peak in MB"), rows)


def races(folder: Path, format: str, size: int, rounds: int) -> Iterator[Measured]:
    """Measure all that is made of one file."""
    path = export_file(folder, format, size)
    for ours, others in CSV_RACES if format == "csv" else JSON_RACES:
        taken = race(path, (ours, *others), rounds=rounds)
        show(f"{ours} from {format.upper()} of {size // MB} MB", size, taken)
        yield from compared(format.upper(), ours, others, taken)
    yield from memory(path, ("batches",) if format == "json" else ("batches", "to_parquet"))
    path.unlink()


def memory(path: Path, sides: Iterable[str]) -> Iterator[Measured]:
    """Measure what needs no more memory for a larger file."""
    if sys.platform != "linux":
        return
    for side in sides:
        turn = alone(side, path)
        whole = side == "to_parquet"
        taken, most = (turn.peak, PARQUET_MEMORY) if whole else (turn.peak - turn.bare, BATCHES_MEMORY)
        what = f"{path.suffix[1:].upper()} of {path.stat().st_size // MB} MB, {side}, memory"
        against = "" if whole else "above the interpreter"
        yield Measured(what, against, (f"{taken / MB:.0f} MB",), f"at most {most} MB", taken <= most * MB)


def wide(folder: Path, format: str, rounds: int) -> Iterator[Measured]:
    """Measure what batches of many columns cost."""
    for columns in WIDTHS:
        path = export_file(folder, format, WIDE, columns)
        taken = race(path, ("batches", "to_arrow"), rounds=rounds)
        path.unlink()
        show(f"{format.upper()} with {columns} columns, {WIDE // MB} MB", WIDE, taken)
        yield limited(f"{format.upper()} with {columns} columns,", "batches", "to_arrow", MOST_FOR_BATCHES, taken)


def small(folder: Path, rounds: int) -> Iterator[Measured]:
    """Measure a file that is read before one can blink."""
    path = export_of_rows(folder, "csv", SMALL_ROWS)
    sides = ("to_arrow", "to_pandas", "to_pandas, pyarrow")
    taken = race(path, (*sides, "pandas.read_csv"), rounds=rounds, times=SMALL_TIMES)
    show(f"{SMALL_ROWS} rows, {SMALL_TIMES} times", SMALL_TIMES * path.stat().st_size, taken)
    for ours in sides:
        yield limited(f"CSV of {SMALL_ROWS} rows,", ours, "pandas.read_csv", MOST_FOR_SMALL, taken)


def huge(folder: Path) -> Iterator[Measured]:
    """Measure whether a much larger file takes more memory."""
    path = export_file(folder, "csv", HUGE)
    yield from memory(path, ("batches", "to_parquet"))
    path.unlink()


def wrong(frame: pd.DataFrame, right: pd.DataFrame) -> int:
    """Return how many ids of 19 digits have another value in a frame; how it writes them does not count."""
    pairs = [pair for column in ID_COLUMNS for pair in zip(frame[column], right[column], strict=True)]
    return sum(1 for value, told in pairs if isinstance(told, str) and len(told) == 19 and int(value) != int(told))


def exactness(folder: Path) -> Iterator[Measured]:
    """Count the ids that each side gets wrong: texts and numbers of 19 digits, missing in some rows."""
    start, end = ID_WINDOW
    contents = {
        name: b"".join(
            ExportSpec("response", start, end, format=name, metrics=("conversation_id", *ID_COLUMNS), rows=ID_ROWS)
            .body()
            .chunks()
        )
        for name in ("csv", "json")
    }
    paths = {name: folder / f"ids.{name}" for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    rows = json.loads(contents["json"])
    right = pd.DataFrame(
        {name: [None if row[name] is None else str(row[name]) for row in rows] for name in ID_COLUMNS}, dtype=object
    )
    frames = {
        "CSV to_pandas": (read_pandas(paths["csv"]), pd.read_csv(paths["csv"])),
        "JSON to_pandas": (read_pandas(paths["json"]), pd.read_json(io.BytesIO(contents["json"]))),
    }
    long = sum(right[name].str.len().eq(19).sum() for name in ID_COLUMNS)
    for what, (ours, theirs) in frames.items():
        count = wrong(ours, right)
        against = f"{wrong(theirs, right)} of {long} in pandas"
        yield Measured(f"{what}, wrong ids", against, (str(count),), "exactly 0", count == 0)


def print_for_docs(lines: Sequence[Measured]) -> None:
    """Print the table as the page of frames has it."""
    print("\n.. list-table::\n   :header-rows: 1\n   :widths: auto\n")
    for line in (HEADINGS, *(line.cells() for line in lines)):
        for number, cell in enumerate(line):
            print(f"   {' ' if number else '*'} - {cell}".rstrip())


def main() -> None:
    """Measure, print the tables, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=200, help="megabytes of the files (200)")
    parser.add_argument("--rounds", type=int, default=5, help="how many turns each side has (5)")
    parser.add_argument("--huge", action="store_true", help="also convert 10 GB")
    parser.add_argument("--table", action="store_true", help="print the table of the documentation")
    options = parser.parse_args()
    # One release may read a file several times as fast as the one before it.
    print_table("Versions", ("", ""), [(name, version(name)) for name in ("pandas", "polars", "pyarrow")])
    with tempfile.TemporaryDirectory(prefix="khoros_analytics_") as name:
        folder = Path(name)
        lines = list(exactness(folder))
        for suffix in ("csv", "json"):
            lines += races(folder, suffix, options.size * MB, options.rounds)
            lines += wide(folder, suffix, options.rounds)
        lines += small(folder, options.rounds)
        if options.huge:
            lines += huge(folder)
    print_table("Targets", HEADINGS, [line.cells() for line in lines])
    if options.table:
        print_for_docs(lines)
    sys.exit(any(line.met is False for line in lines))


if __name__ == "__main__":
    main()
