"""How fast an export becomes a frame or a file of Parquet, in how much memory, and how many ids survive it.

The files have flat rows with 40 columns. Each side works in processes of its own, by turns with the others, so that its
peak of memory is its own; each process warms up before it measures, since the first touch of memory is dear on virtual
machines, for all sides alike. The best time of each counts. ``--ten`` also converts 10 GB.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from _exports import export_file
from _figures import Figure, at_least, at_most, conclude, exactly, print_table
from attrs import frozen

from khoros_analytics import read_pandas
from khoros_analytics.sandbox._data.export_spec import ExportSpec

MB = 1_000_000
SIZE = 200 * MB
LARGE = 1000 * MB
HUGE = 10_000 * MB
ROUNDS = 2
HERE = Path(__file__).parent

CSV_SIDES = (
    "to_arrow",
    "pyarrow.csv.read_csv",
    "to_polars",
    "polars.read_csv",
    "to_pandas",
    "pandas.read_csv",
    "batches",
    "to_parquet",
    "open_csv and ParquetWriter",
    "polars sink_parquet",
)
SLOW = "pandas.read_csv(dtype=str)"

# At least so many times as fast.
SPEEDS = (
    ("to_arrow", "pyarrow.csv.read_csv", 0.7),
    ("to_arrow", "pandas.read_csv", 1.3),
    ("to_arrow", SLOW, 4),
    ("to_polars", "polars.read_csv", 0.7),
    ("to_polars", "pandas.read_csv", 1.3),
    ("to_polars", SLOW, 4),
    ("to_pandas", "pandas.read_csv", 1),
    ("to_pandas", SLOW, 4),
    ("to_parquet", "open_csv and ParquetWriter", 1.5),
    ("to_parquet", "polars sink_parquet", 0.7),
)
# Megabytes of the whole process, its libraries included.
PEAKS = {"batches": 150, "to_parquet": 350}

ID_ROWS = 2000
ID_WINDOW = (1_548_979_200_000, 1_556_668_799_999)
ID_COLUMNS = ("POST_ID", "lsw_responded_to_external_post_id")
"""In JSON the one has numbers, the other texts; both leave some rows out."""


@frozen
class Outcome:
    """What a process said.

    Attributes:
        seconds: Its best time.
        peak: The most memory it ever had, in bytes.
        imported: What it had after its imports.
    """

    seconds: float
    peak: int
    imported: int


def run(side: str, path: Path, *, warm_ups: int = 1, runs: int = 2) -> Outcome:
    """Let one side work on a file, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, str(HERE / "_sides.py"), side, str(path), folder, str(warm_ups), str(runs)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(answer.stdout))


def race(path: Path, sides: Iterable[str]) -> dict[str, Outcome]:
    """Let the sides work by turns; return the best time and the highest peak of each."""
    rounds = [{side: run(side, path) for side in sides} for _ in range(ROUNDS)]
    return {side: best([turn[side] for turn in rounds]) for side in rounds[0]}


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the best time and the highest peak of some outcomes."""
    seconds, peak = min(one.seconds for one in outcomes), max(one.peak for one in outcomes)
    return Outcome(seconds, peak, outcomes[0].imported)


def show(title: str, size: int, outcomes: dict[str, Outcome]) -> None:
    """Print how fast each side was, and how much memory it took."""
    rows = [
        (side, f"{one.seconds:.2f}", f"{size / MB / one.seconds:.0f}", f"{one.peak / MB:.0f}")
        for side, one in outcomes.items()
    ]
    print_table(title, ("", "seconds", "MB/s", "peak in MB"), rows)


def peaks(size: int, outcomes: dict[str, Outcome]) -> list[Figure]:
    """Judge the memory of what should need no more for a larger file."""
    return [
        at_most(f"memory of {side} at {size // MB} MB", outcomes[side].peak / MB, limit, " MB")
        for side, limit in PEAKS.items()
    ]


def from_csv(folder: Path) -> list[Figure]:
    """Measure what is made of CSV."""
    path = export_file(folder, "csv", SIZE)
    outcomes = race(path, CSV_SIDES)
    # So slow that once is enough.
    outcomes[SLOW] = run(SLOW, path, runs=1)
    path.unlink()
    show(f"From CSV, {SIZE // MB} MB", SIZE, outcomes)
    figures = [
        at_least(f"{ours} against {other}", outcomes[other].seconds / outcomes[ours].seconds, target, " times")
        for ours, other, target in SPEEDS
    ]
    return figures + (peaks(SIZE, outcomes) if sys.platform == "linux" else [])


def from_json(folder: Path) -> list[Figure]:
    """Measure what is made of JSON."""
    path = export_file(folder, "json", SIZE)
    outcomes = {"to_arrow": run("to_arrow", path), "pandas.read_json": run("pandas.read_json", path, runs=1)}
    path.unlink()
    show(f"From JSON, {SIZE // MB} MB", SIZE, outcomes)
    ratio = outcomes["pandas.read_json"].seconds / outcomes["to_arrow"].seconds
    return [at_least("to_arrow from JSON against pandas.read_json", ratio, 4, " times")]


def from_large_csv(folder: Path, size: int) -> list[Figure]:
    """Measure whether a larger file takes more memory."""
    path = export_file(folder, "csv", size)
    outcomes = {side: run(side, path, warm_ups=0, runs=1) for side in PEAKS}
    path.unlink()
    show(f"From CSV, {size // MB} MB, without a warm-up", size, outcomes)
    return peaks(size, outcomes) if sys.platform == "linux" else []


def wrong(frame: pd.DataFrame, right: pd.DataFrame) -> int:
    """Return how many ids of 19 digits have another value in a frame; how it writes them does not count."""
    pairs = [pair for column in ID_COLUMNS for pair in zip(frame[column], right[column], strict=True)]
    return sum(1 for value, told in pairs if isinstance(told, str) and len(told) == 19 and int(value) != int(told))


def exactness(folder: Path) -> list[Figure]:
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
        "to_pandas from CSV": read_pandas(paths["csv"]),
        "to_pandas from JSON": read_pandas(paths["json"]),
        "pandas.read_csv": pd.read_csv(paths["csv"]),
        "pandas.read_json": pd.read_json(io.BytesIO(contents["json"])),
    }
    long = sum(right[name].str.len().eq(19).sum() for name in ID_COLUMNS)
    counts = {name: wrong(frame, right) for name, frame in frames.items()}
    print_table(f"Ids of 19 digits that are wrong, of {long}", ("", "wrong"), list(counts.items()))
    return [exactly(f"wrong ids, {name}", count, 0) for name, count in counts.items() if name.startswith("to_")]


def main() -> None:
    """Measure, print the tables, and judge."""
    # One release may read a file several times as fast as the one before it.
    print_table("Versions", ("", ""), [(name, version(name)) for name in ("pandas", "polars", "pyarrow")])
    with tempfile.TemporaryDirectory(prefix="khoros_analytics_") as name:
        folder = Path(name)
        figures = exactness(folder) + from_csv(folder) + from_json(folder) + from_large_csv(folder, LARGE)
        if "--ten" in sys.argv[1:]:
            figures += from_large_csv(folder, HUGE)
    conclude(figures)


if __name__ == "__main__":
    main()
