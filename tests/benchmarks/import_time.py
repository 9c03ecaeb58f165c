"""How long ``import khoros_analytics`` takes beside what it cannot do without: requests, attrs and tenacity.

The package loads each of its names when it is first used, so the import alone is not the whole truth: what a program
pays that really uses the client is shown beside it, with the modules that take the time.

Fresh interpreters import the one and the other by turns. Each tells how long its import took, without its own start;
the fastest of each counts, since whatever else the machine does can only make it slower.
"""

import os
import re
import subprocess
import sys

from _figures import at_most, conclude, print_table

OURS = "import khoros_analytics"
CLIENT = "from khoros_analytics import Client"
THEIRS = "import requests, attrs, tenacity"
ROUNDS = 31
TOP = 12
TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
# The two numbers are microseconds: of the module alone, and with all that it imports first.
LINE = re.compile(r"import time: +(?P<own>\d+) \| +\d+ \| +(?P<name>\S+)")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter."""
    # Both sides are installed packages, not what lies in the current folder, and both are compiled.
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True)


def seconds(statement: str) -> float:
    """Return how long a statement takes in a fresh interpreter."""
    return float(python("-c", TIMED.format(statement)).stdout)


def slowest_of_ours() -> list[tuple[str, str]]:
    """Return the modules that only our client loads and their milliseconds, the slowest first."""
    theirs = python("-X", "importtime", "-c", THEIRS).stderr
    all_of_it = python("-X", "importtime", "-c", f"{THEIRS}; {CLIENT}").stderr
    known = {match["name"] for match in LINE.finditer(theirs)}
    added = [(int(match["own"]), match["name"]) for match in LINE.finditer(all_of_it) if match["name"] not in known]
    return [(name, f"{own / 1000:.1f}") for own, name in sorted(added, reverse=True)[:TOP]]


def main() -> None:
    """Measure, print the tables, and judge."""
    seconds(CLIENT)  # once before it counts: the first import of a new installation compiles it
    statements = (OURS, CLIENT, THEIRS)
    rounds = [[seconds(statement) for statement in statements] for _ in range(ROUNDS)]
    fastest = dict(zip(statements, map(min, zip(*rounds, strict=True)), strict=True))
    print_table("Slowest modules of what the client adds", ("", "ms"), slowest_of_ours())
    rows = [(name, f"{1000 * best:.1f}", f"{best / fastest[THEIRS]:.2f}") for name, best in fastest.items()]
    print_table("Imports", ("", "ms", "times the last"), rows)
    conclude([at_most(f"time of {OURS}, against {THEIRS}", fastest[OURS] / fastest[THEIRS], 1.10, " times")])


if __name__ == "__main__":
    main()
