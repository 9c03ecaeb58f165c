"""Live through many seeds, or through one again: ``nox -s chaos -- --seeds 5000``, ``nox -s chaos -- --seed 1234``."""

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from _life import Summary, live

KEPT = {"PATH", "HOME", "TMPDIR", "PYTHONPATH", "LANG", "SYSTEMROOT", "TEMP", "TMP"}


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s chaos --", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, action="append", help="just this one, with its plan and all that happened")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes share the work")
    options = parser.parse_args()
    summary = Summary()
    seeds = options.seed or range(options.first, options.first + options.seeds)
    # Nothing from outside plays a part, and requests looks through all variables at each request.
    for name in set(os.environ) - KEPT:
        del os.environ[name]
    # Each process has threads of its own, so none may be a copy of this one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(options.jobs, len(seeds)), mp_context=context) as pool:
        for result in pool.map(live, seeds, chunksize=1 if options.seed else 20):
            summary.add(result)
            if result.problems or options.seed:
                say(result)
            if summary.lives % 500 == 0:
                say(f"... {summary.lives:,} seeds, {len(summary.failed)} of them failing")
    say(summary)
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
