"""Figures beside their targets: each benchmark prints some, and fails when one of them misses its target."""
# ruff: noqa: T201 - a benchmark is a program, and printing is how it speaks

import sys
from collections.abc import Sequence
from typing import NoReturn

from attrs import frozen


@frozen
class Figure:
    """Something that was measured, and its target.

    Attributes:
        name: What was measured.
        measured: How much it is.
        target: The target in words, such as ``at most 10``.
        ok: Whether the target is met.
    """

    name: str
    measured: str
    target: str
    ok: bool


def at_most(name: str, measured: float, limit: float, unit: str = "") -> Figure:
    """Return a figure that must not be larger than its limit."""
    return Figure(name, f"{measured:.4g}{unit}", f"at most {limit:g}{unit}", measured <= limit)


def at_least(name: str, measured: float, limit: float, unit: str = "") -> Figure:
    """Return a figure that must not be smaller than its limit."""
    return Figure(name, f"{measured:.4g}{unit}", f"at least {limit:g}{unit}", measured >= limit)


def exactly(name: str, measured: int, right: int) -> Figure:
    """Return a figure for which only one value is right."""
    return Figure(name, str(measured), f"exactly {right}", measured == right)


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns: names to the left, what follows them to the right."""
    lines = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for name, *others in lines:
        cells = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  " + "   ".join(cells))


def conclude(figures: Sequence[Figure]) -> NoReturn:
    """Print all figures of a benchmark and end the program: with 1 when a target is missed."""
    rows = [(figure.name, figure.target, figure.measured, "ok" if figure.ok else "MISSED") for figure in figures]
    print_table("Targets", ("", "target", "measured", ""), rows)
    sys.exit(not all(figure.ok for figure in figures))
