"""The sides of ``frames.py``: each reads or converts a file, in a process of its own.

Run as a program, this file is that process. Its arguments are the side, the file, a folder to write to, how often to
warm up and how often to measure. It prints the best seconds and the highest peak of memory, in JSON.
"""

import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from _peak import kilobytes

from khoros_analytics import read_arrow, read_pandas, read_polars
from khoros_analytics._frames.arrow_reader import ExportFile
from khoros_analytics._frames.parquet import write_parquet
from khoros_analytics._frames.read import batches
from khoros_analytics._storage.destination import LocalDestination

BATCH_ROWS = 65536
TARGET = "frame.parquet"

# Each side imports what it needs and no more, so that its memory is its own.
# ruff: noqa: PLC0415

Side = Callable[[Path, Path], object]
"""Reads the first path; the second one is a folder to write to."""


def ours_batches(path: Path, _folder: Path) -> object:
    """Go through all batches, and keep none."""
    return deque(batches(ExportFile(path), BATCH_ROWS), maxlen=0)


def ours_parquet(path: Path, folder: Path) -> object:
    """Convert as ``Job.to_parquet`` does."""
    return write_parquet(ExportFile(path), LocalDestination(folder / TARGET, overwrite=True), {})


def pyarrow_csv(path: Path, _folder: Path) -> object:
    """Read with Arrow alone, told as much as it takes to read the rows right."""
    from pyarrow import csv

    return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))


def polars_csv(path: Path, _folder: Path) -> object:
    """Read with Polars alone."""
    import polars as pl

    return pl.read_csv(path)


def pandas_csv(path: Path, _folder: Path) -> object:
    """Read as most people do."""
    import pandas as pd

    return pd.read_csv(path)


def pandas_text(path: Path, _folder: Path) -> object:
    """Read as people do who know what the above does to their ids."""
    import pandas as pd

    return pd.read_csv(path, dtype=str)


def pandas_json(path: Path, _folder: Path) -> object:
    """Read as most people do."""
    import pandas as pd

    return pd.read_json(path)


def parquet_loop(path: Path, folder: Path) -> object:
    """Convert with the loop that Arrow's documentation suggests."""
    from pyarrow import csv, parquet

    with (
        csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True)) as reader,
        parquet.ParquetWriter(folder / TARGET, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)


def parquet_polars(path: Path, folder: Path) -> object:
    """Convert with Polars alone."""
    import polars as pl

    return pl.scan_csv(path).sink_parquet(folder / TARGET, compression="zstd")


SIDES: dict[str, Side] = {
    "to_arrow": lambda path, _: read_arrow(path),
    "to_polars": lambda path, _: read_polars(path),
    "to_pandas": lambda path, _: read_pandas(path),
    "batches": ours_batches,
    "to_parquet": ours_parquet,
    "pyarrow.csv.read_csv": pyarrow_csv,
    "polars.read_csv": polars_csv,
    "pandas.read_csv": pandas_csv,
    "pandas.read_csv(dtype=str)": pandas_text,
    "pandas.read_json": pandas_json,
    "open_csv and ParquetWriter": parquet_loop,
    "polars sink_parquet": parquet_polars,
}


def timed(side: Side, path: Path, folder: Path) -> float:
    """Return the seconds that a side takes; what it made is thrown away before the next turn."""
    gc.collect()
    start = time.perf_counter()
    made = side(path, folder)
    seconds = time.perf_counter() - start
    del made
    return seconds


def main() -> None:
    """Warm up, measure, print."""
    name, path, folder, warm_ups, runs = sys.argv[1:]
    imported = kilobytes("VmRSS")
    seconds = [timed(SIDES[name], Path(path), Path(folder)) for _ in range(int(warm_ups) + int(runs))]
    peak, before = 1024 * kilobytes("VmHWM"), 1024 * imported
    sys.stdout.write(json.dumps({"seconds": min(seconds[int(warm_ups) :]), "peak": peak, "imported": before}))


if __name__ == "__main__":
    main()
