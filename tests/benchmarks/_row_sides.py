"""The sides of ``rows.py``: each goes through the rows of a file, in a process of its own.

Run as a program, this file is that process. Its arguments are the side, the file, how often to warm up and how often to
measure. It prints in JSON: the seconds until the first row and until the last one, the peak of memory, what there was
after the imports, and how many rows there were.
"""

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from _memory import kilobytes
from attrs import asdict, frozen

# Each side imports what it needs and no more, so that its memory is its own.
# ruff: noqa: PLC0415

Rows = Callable[[Path], Iterable[dict[str, object]]]


@frozen
class Outcome:
    """What a process says.

    Attributes:
        first: The seconds until the first row.
        seconds: The seconds until the last one.
        rows: How many there were.
        peak: The most memory it ever had, in bytes.
        imported: What it had after its imports.
    """

    first: float
    seconds: float
    rows: int
    peak: int
    imported: int


def ours() -> Rows:
    """Read rows."""
    # What is imported at the first use belongs to the imports.
    for name in ("json.decoder", "encodings.utf_8", "orjson"):
        importlib.import_module(name)
    from khoros_analytics import read_rows

    return read_rows


def ours_alone() -> Rows:
    """Read rows as where orjson is not installed."""
    sys.modules["orjson"] = None  # type: ignore[assignment] # that is how to hide a module
    from khoros_analytics import read_rows

    return read_rows


def standard_json() -> Rows:
    """Read as most people do."""

    def load(path: Path) -> Iterable[dict[str, object]]:
        with path.open(encoding="utf-8") as file:
            return json.load(file)  # type: ignore[no-any-return] # the file has rows

    return load


def ijson_c() -> Rows:
    """Read as people do whose files are too large for the above; with the backend in C or not at all."""
    import ijson

    backend = ijson.get_backend("yajl2_c")

    def items(path: Path) -> Iterable[dict[str, object]]:
        with path.open("rb") as file:
            yield from backend.items(file, "item", use_float=True)

    return items


def standard_csv() -> Rows:
    """Read as most people do."""
    import csv

    def rows(path: Path) -> Iterable[dict[str, object]]:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    return rows


SIDES: dict[str, Callable[[], Rows]] = {
    "read_rows": ours,
    "read_rows without orjson": ours_alone,
    "json.load": standard_json,
    "ijson": ijson_c,
    "csv.DictReader": standard_csv,
}


def timed(rows: Rows, path: Path) -> tuple[float, float, int]:
    """Go through all rows, and keep none; return the seconds to the first and to the last one, and their number."""
    gc.collect()
    count = 0
    first = start = time.perf_counter()
    made = rows(path)  # what takes a list apart again is not measured
    for _ in made:
        if not count:
            first = time.perf_counter()
        count += 1
    return first - start, time.perf_counter() - start, count


def main() -> None:
    """Warm up, measure, print."""
    name, path, warm_ups, runs = sys.argv[1:]
    rows = SIDES[name]()
    imported = 1024 * kilobytes("VmRSS")
    times = [timed(rows, Path(path)) for _ in range(int(warm_ups) + int(runs))][int(warm_ups) :]
    first, seconds, counts = zip(*times, strict=True)
    outcome = Outcome(min(first), min(seconds), counts[0], 1024 * kilobytes("VmHWM"), imported)
    sys.stdout.write(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
