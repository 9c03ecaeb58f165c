"""The sides of ``frames.py``: each reads or converts a file, in a process of its own.

Run as a program, this file is that process. Its arguments are the side, the file and a folder to write to. For each
line of its standard input it works as many times as the line says, and prints in JSON: the seconds on the wall and of
the processors, the peak of memory so far, and what the bare interpreter had, in bytes.
"""

import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from _memory import kilobytes

BATCH_ROWS = 65536
TARGET = "frame.parquet"

# Each side imports what it needs and no more, so that its memory is its own.
# ruff: noqa: PLC0415

Side = Callable[[Path, Path], object]
"""Reads the first path; the second one is a folder to write to."""


def ours_arrow(path: Path, _folder: Path) -> object:
    """Read as ``Job.to_arrow`` does."""
    from khoros_analytics import read_arrow

    return read_arrow(path)


def ours_pandas(path: Path, _folder: Path) -> object:
    """Read as ``Job.to_pandas`` does."""
    from khoros_analytics import read_pandas

    return read_pandas(path)


def ours_pandas_of_arrow(path: Path, _folder: Path) -> object:
    """Read as ``Job.to_pandas(dtype_backend="pyarrow")`` does."""
    from khoros_analytics import read_pandas

    return read_pandas(path, dtype_backend="pyarrow")


def ours_polars(path: Path, _folder: Path) -> object:
    """Read as ``Job.to_polars`` does."""
    from khoros_analytics import read_polars

    return read_polars(path)


def ours_batches(path: Path, _folder: Path) -> object:
    """Go through all batches, and keep none."""
    from khoros_analytics._frames.arrow_reader import ExportFile
    from khoros_analytics._frames.read import batches

    return deque(batches(ExportFile(path), BATCH_ROWS), maxlen=0)


def ours_parquet(path: Path, folder: Path) -> object:
    """Convert as ``Job.to_parquet`` does."""
    from khoros_analytics._frames.arrow_reader import ExportFile
    from khoros_analytics._frames.parquet import write_parquet
    from khoros_analytics._storage.destination import LocalDestination

    return write_parquet(ExportFile(path), LocalDestination(folder / TARGET, overwrite=True), {})


def pyarrow_csv(path: Path, _folder: Path) -> object:
    """Read with Arrow alone, told as much as it takes to read line breaks in texts."""
    from pyarrow import csv

    return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))


def pyarrow_careful(path: Path, _folder: Path) -> object:
    """Read with Arrow, all columns as text, empty and missing told apart."""
    import pyarrow as pa
    from pyarrow import csv

    with path.open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def polars_csv(path: Path, _folder: Path) -> object:
    """Read with Polars alone."""
    import polars as pl

    return pl.read_csv(path)


def polars_careful(path: Path, _folder: Path) -> object:
    """Read with Polars, with types that all rows decide. To have it find moments, too, takes another minute."""
    import polars as pl

    return pl.read_csv(path, infer_schema_length=None)


def pandas_csv(path: Path, _folder: Path) -> object:
    """Read as most people do."""
    import pandas as pd

    return pd.read_csv(path)


def pandas_careful(path: Path, _folder: Path) -> object:
    """Read as people do who know their columns: ids as text, moments as moments, whole numbers that may be missing."""
    import pandas as pd

    names = pd.read_csv(path, nrows=0).columns
    ids = {name: "string" for name in names if name.lower().endswith("id")}
    moments = [name for name in names if name.lower().endswith(("_date", "_time", "_claimed", "_day"))]
    return pd.read_csv(path, dtype=ids, parse_dates=moments, dtype_backend="numpy_nullable")


def pandas_text(path: Path, _folder: Path) -> object:
    """Read as people do who know what the plain call does to their ids."""
    import pandas as pd

    return pd.read_csv(path, dtype=str)


def pandas_json(path: Path, _folder: Path) -> object:
    """Read as most people do."""
    import pandas as pd

    return pd.read_json(path)


def json_careful(path: Path, _folder: Path) -> object:
    """Read as people do who know what the above does to their ids."""
    import pyarrow as pa

    with path.open(encoding="utf-8") as file:
        return pa.Table.from_pylist(json.load(file))


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


SIDES: Mapping[str, Side] = {
    "to_arrow": ours_arrow,
    "to_polars": ours_polars,
    "to_pandas": ours_pandas,
    "to_pandas, pyarrow": ours_pandas_of_arrow,
    "batches": ours_batches,
    "to_parquet": ours_parquet,
    "pyarrow.csv.read_csv": pyarrow_csv,
    "pyarrow, all columns as text": pyarrow_careful,
    "polars.read_csv": polars_csv,
    "polars, types from all rows": polars_careful,
    "pandas.read_csv": pandas_csv,
    "pandas, ids and moments named": pandas_careful,
    "pandas.read_csv(dtype=str)": pandas_text,
    "pandas.read_json": pandas_json,
    "json.load and Table.from_pylist": json_careful,
    "open_csv and ParquetWriter": parquet_loop,
    "polars sink_parquet": parquet_polars,
}


def timed(side: Side, path: Path, folder: Path, times: int) -> tuple[float, float]:
    """Return the seconds that a side takes; what it made is thrown away before the next turn."""
    gc.collect()
    made = None
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(times):
        made = side(path, folder)
    seconds = time.perf_counter() - wall, time.process_time() - processor
    del made
    return seconds


def main() -> None:
    """Work as often as the input says."""
    bare = 1024 * kilobytes("VmRSS")
    name, path, folder = sys.argv[1:]
    for line in sys.stdin:
        wall, processor = timed(SIDES[name], Path(path), Path(folder), int(line))
        peak = 1024 * kilobytes("VmHWM")
        sys.stdout.write(json.dumps({"wall": wall, "processor": processor, "peak": peak, "bare": bare}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
