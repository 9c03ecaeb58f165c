"""What commands print: tables for people, JSON for scripts."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import click
from attrs import asdict, has

from .._tables import printable
from ..times import Window
from .session import current

__all__ = ["as_json", "print_facts", "print_json", "print_table"]


_WRITERS: dict[type, Callable[[Any], Any]] = {
    Window: lambda window: {"start": window.start.isoformat(), "end": window.end.isoformat(), "timezone": window.zone},
    datetime: datetime.isoformat,
    timedelta: timedelta.total_seconds,
    Enum: lambda member: member.value,
    Path: str,
    BaseException: str,
}


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: moments and windows in ISO 8601, durations in seconds."""
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    if has(type(value)):
        return as_json(asdict(value, recurse=False))
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(as_json(value), indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str = "none") -> None:
    """Print rows below the names of their columns; a line on standard error where there is none."""
    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(nothing, err=True)
        return
    lines = [list(head), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_facts(facts: Mapping[str, object], *, also: Mapping[str, object] | None = None) -> None:
    """Print one thing: a line for each fact that is known, or all of them, and what only scripts want, as JSON."""
    if current().json:
        print_json({**facts, **(also or {})})
        return
    known = {name: str(value) for name, value in facts.items() if value not in (None, "", {}, [])}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {printable(value)}")
