"""How fast a file of 1 GB gets to disk, and how much memory that takes at any size.

A sandbox in another process serves the file over loopback, plain and over TLS. By turns it is fetched by
``Job.download``, by curl, and by the loop over ``iter_content(8192)`` that most scripts have; the last two are followed
by a sync of the file, which ours does itself. The sides are compared within each round, and the median of the rounds
counts: a disk has its moods. TMPDIR says which disk.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import trustme
from _figures import Figure, at_least, at_most, conclude, print_table
from _sandbox import client_of, sandbox_process

from khoros_analytics import Job

GB = 1_000_000_000
MB = 1_000_000
ROUNDS = 7
PIECE = 8192
PEAK_SIZES = (100 * MB, 2 * GB)
WINDOW = ("2019-02-01", "2019-05-01")
HERE = Path(__file__).parent

Side = Callable[[Job, dict[str, Any], Path], object]
"""Brings a job's file to a path; the settings say how to log in."""


def ours(job: Job, _settings: dict[str, Any], path: Path) -> None:
    """Download as this library does."""
    job.download(path)


def curl(job: Job, settings: dict[str, Any], path: Path) -> None:
    """Download as the vendor's tutorial does, and sync."""
    user = f"{settings['username']}:{settings['password']}"
    # The first option keeps the user's own .curlrc out.
    options = ["--disable", "--silent", "--show-error", "--fail"]
    subprocess.run(["curl", *options, "-L", "-u", user, job.status.download_url, "-o", str(path)], check=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def usual_loop(job: Job, settings: dict[str, Any], path: Path) -> None:
    """Download as most scripts do, and sync."""
    credentials = settings["username"], settings["password"]
    answer = requests.get(job.status.download_url, auth=credentials, stream=True, timeout=60)
    answer.raise_for_status()
    with answer, path.open("wb") as file:
        for piece in answer.iter_content(PIECE):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


SIDES: dict[str, Side] = {"khoros_analytics": ours, "curl": curl, f"iter_content({PIECE})": usual_loop}


def timed(side: Side, job: Job, settings: dict[str, Any], path: Path) -> float:
    """Return the seconds that a side takes, and leave the disk as it was."""
    os.sync()
    start = time.perf_counter()
    side(job, settings, path)
    seconds = time.perf_counter() - start
    size = path.stat().st_size
    if abs(size - GB) > MB:
        sys.exit(f"{path.name} has {size} bytes in place of a gigabyte")
    path.unlink()
    return seconds


def race(folder: Path, certificate: Path | None) -> list[dict[str, float]]:
    """Return the seconds of each side in each round; every round begins with another side."""
    path = folder / "conversation.csv"
    order = deque(SIDES)
    rounds = []
    with sandbox_process(GB, certificate) as settings, client_of(settings) as client:
        for _ in range(1 + ROUNDS):
            seconds = {}
            for name in order:
                # A job fetches its file once, so every turn has a job of its own.
                job = client.conversation(*WINDOW).refresh()
                seconds[name] = timed(SIDES[name], job, settings, path)
            rounds.append(seconds)
            order.rotate()
    return rounds[1:]  # the first one warms up


def speeds(title: str, rounds: list[dict[str, float]]) -> dict[str, float]:
    """Print how fast each side was; return how many times faster ours was than each of the others."""
    ours_first, *others = SIDES
    ratios = {name: statistics.median(turn[name] / turn[ours_first] for turn in rounds) for name in others}
    rows = []
    for name in SIDES:
        seconds = statistics.median(turn[name] for turn in rounds)
        rows.append((name, f"{seconds:.2f}", f"{GB / MB / seconds:.0f}", f"{1 / ratios.get(name, 1):.2f}"))
    print_table(title, ("", "seconds", "MB/s", "speed against ours"), rows)
    return ratios


def peak(folder: Path, size: int) -> float:
    """Return the megabytes that a download of so many bytes takes above the import, in a process of its own."""
    with sandbox_process(size) as settings:
        path = folder / "conversation.csv"
        command = [sys.executable, str(HERE / "_peak.py"), json.dumps(settings), str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        path.unlink()
    return int(answer.stdout) / MB


def main() -> None:
    """Measure, print the tables, and judge."""
    if not shutil.which("curl"):
        sys.exit("This needs curl.")
    with tempfile.TemporaryDirectory(prefix="khoros_analytics_") as name:
        folder = Path(name)
        authority, certificate = folder / "authority.pem", folder / "certificate.pem"
        ca = trustme.CA()
        ca.cert_pem.write_to_path(authority)
        ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        # No side may meet a proxy on its way to this machine.
        os.environ.update(REQUESTS_CA_BUNDLE=str(authority), CURL_CA_BUNDLE=str(authority), NO_PROXY="*", no_proxy="*")
        plain = speeds("1 GB over plain http", race(folder, None))
        tls = speeds("1 GB over TLS", race(folder, certificate))
        figures: list[Figure] = [
            at_least("speed against curl, plain http", plain["curl"], 0.9, " times"),
            at_least("speed against curl, TLS", tls["curl"], 0.8, " times"),
            at_least(
                f"speed against iter_content({PIECE}), plain http", plain[f"iter_content({PIECE})"], 1.8, " times"
            ),
        ]
        if sys.platform == "linux":  # elsewhere the peak of one process alone is not to be had
            figures += [
                at_most(f"memory above the import at {size // MB} MB", peak(folder, size), 8, " MB")
                for size in PEAK_SIZES
            ]
    conclude(figures)


if __name__ == "__main__":
    main()
