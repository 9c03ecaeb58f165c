"""One side of ``excel.py``: makes a workbook of a file, in a process of its own.

The arguments are the side, the file, and where the workbook goes. It prints in JSON the seconds on the wall and of the
processors, and the peak of memory above what the imports took, in bytes.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from _memory import kilobytes

# Each side imports what it needs and no more, so that its memory is its own.
# ruff: noqa: PLC0415


def ours() -> Callable[[Path, Path], object]:
    """Convert as ``Job.to_excel`` does."""
    import numpy as np  # noqa: F401 - what it imports late is no memory of the conversion
    import pyarrow.compute
    import pyarrow.csv  # noqa: F401
    import xlsxwriter  # noqa: F401

    from khoros_analytics import write_excel

    return write_excel


def pandas() -> Callable[[Path, Path], object]:
    """Convert as most people do."""
    import pandas as pd
    import xlsxwriter  # noqa: F401

    warnings.simplefilter("ignore")  # of links, it says for each that a sheet has room for 65,530
    return lambda source, target: pd.read_csv(source).to_excel(target, engine="xlsxwriter", index=False)


def main() -> None:
    """Convert once, and print what it took."""
    convert = {"ours": ours, "pandas": pandas}[sys.argv[1]]()
    imported = kilobytes("VmRSS")
    wall, processor = time.perf_counter(), time.process_time()
    convert(Path(sys.argv[2]), Path(sys.argv[3]))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    memory = 1024 * (kilobytes("VmHWM") - imported)
    sys.stdout.write(json.dumps({"wall": wall, "processor": processor, "memory": memory}))


if __name__ == "__main__":
    main()
