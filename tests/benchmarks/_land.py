"""Lands a year of days in a process of its own, so that threads and memory are those of a backfill and of nothing else.

Run by ``backfill.py``; the arguments are the settings of a client, in JSON, and the folder of the dataset.
"""

import json
import sys
import threading
import time

import pyarrow.dataset
import pyarrow.parquet  # noqa: F401 - what the imports take is not counted
from _memory import kilobytes
from _sandbox import client_of

from khoros_analytics import BackfillProgress


def main() -> None:
    """Land them, and print what it took."""
    settings, folder = json.loads(sys.argv[1]), sys.argv[2]
    imported, threads = kilobytes("VmRSS"), []

    def count(_progress: BackfillProgress) -> None:
        threads.append(threading.active_count())

    with client_of(settings) as client:
        began, processor = time.monotonic(), time.process_time()
        result = client.backfill(
            "conversation", "2018-01-01", "2019-01-01", every="1 day", to=folder, max_active=10, on_update=count
        )
    measured = {
        "seconds": time.monotonic() - began,
        "processor": time.process_time() - processor,
        "landed": len(result.landed),
        "requests": result.requests,
        "threads": max(threads),
        "bytes": 1024 * (kilobytes("VmHWM") - imported),
    }
    sys.stdout.write(json.dumps(measured))


if __name__ == "__main__":
    main()
