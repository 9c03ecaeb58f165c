"""How long ``import khoros_analytics`` takes beside what it cannot do without: requests, attrs and tenacity.

Fresh interpreters import the one and the other by turns. Each tells how long its import took, without its own start;
the fastest of each counts, since whatever else the machine does can only make it slower. A last interpreter tells which
modules take the time.
"""

import os
import re
import subprocess
import sys

from _figures import at_most, conclude, print_table

OURS, THEIRS = "khoros_analytics", "requests, attrs, tenacity"
ROUNDS = 31
TOP = 12
TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
# The two numbers are microseconds: of the module alone, and with all that it imports first.
LINE = re.compile(r"import time: +(?P<own>\d+) \| +\d+ \| +(?P<name>\S+)")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter."""
    # Both sides are installed packages, not what lies in the current folder, and both are compiled.
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True)


def seconds(modules: str) -> float:
    """Return how long an import takes in a fresh interpreter."""
    return float(python("-c", TIMED.format(modules)).stdout)


def slowest_of_ours() -> list[tuple[str, str]]:
    """Return the modules that only our import loads and their milliseconds, the slowest first."""
    lines = python("-X", "importtime", "-c", f"import {THEIRS}, {OURS}").stderr
    theirs = python("-X", "importtime", "-c", f"import {THEIRS}").stderr
    known = {match["name"] for match in LINE.finditer(theirs)}
    added = [(int(match["own"]), match["name"]) for match in LINE.finditer(lines) if match["name"] not in known]
    return [(name, f"{own / 1000:.1f}") for own, name in sorted(added, reverse=True)[:TOP]]


def main() -> None:
    """Measure, print the table, and judge."""
    seconds(OURS)  # once before it counts: the first import of a new installation compiles it
    rounds = [(seconds(OURS), seconds(THEIRS)) for _ in range(ROUNDS)]
    ours, theirs = (min(side) for side in zip(*rounds, strict=True))
    print_table("Slowest modules of what comes on top", ("", "ms"), slowest_of_ours())
    print_table("Import", ("", "ms"), [(OURS, f"{1000 * ours:.1f}"), (THEIRS, f"{1000 * theirs:.1f}")])
    conclude([at_most(f"time of import {OURS}, against {THEIRS}", ours / theirs, 1.10, " times")])


if __name__ == "__main__":
    main()
