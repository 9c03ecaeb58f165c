"""One line of the journal's table: how an export is written into it, and read back whatever stands there."""

import json
import math
import os
import socket
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._protocol.arguments import ExportRequest, find_report, from_json, to_json
from .._protocol.messages import Created
from .._storage.atomic import SavedFile
from ..times import Window, make_window, parse_zone
from .entries import ALIVE, Entry, EntryState
from .process import Claimant, Process
from .token import JobIdentity

__all__ = ["COLUMNS", "DamagedLineError", "claimed_line", "read_line", "write_path"]

COLUMNS = """
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mark TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    account TEXT NOT NULL,
    report TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    zone TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    claimed_at REAL NOT NULL,
    claimed_monotonic REAL NOT NULL,
    lease REAL NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    boot TEXT,
    namespace TEXT,
    born INTEGER,
    workflow_id TEXT,
    run_id TEXT,
    started_at REAL,
    ready_at REAL,
    file TEXT,
    file_size INTEGER,
    file_modified_ns INTEGER
"""


class DamagedLineError(ValueError):
    """What stands in a line is nothing that this library wrote."""


def claimed_line(request: ExportRequest, claimant: Claimant) -> dict[str, object]:
    """Return the columns of an export that is about to be started."""
    process = claimant.process
    return {
        "report": request.report.name,
        "start_ms": request.window.start_ms,
        "end_ms": request.window.end_ms,
        "zone": request.window.zone,
        "arguments": json.dumps(to_json(request.arguments)),
        "state": EntryState.CLAIMED.value,
        "claimed_at": claimant.at,
        "claimed_monotonic": claimant.at_monotonic,
        "lease": claimant.lease,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "boot": process.boot if process else None,
        "namespace": process.namespace if process else None,
        "born": process.born if process else None,
    }


def write_path(path: Path) -> str | bytes:
    """Return a path as SQLite can hold it; not all of them are text."""
    text = str(path)
    return text if text.isprintable() else os.fsencode(text)


def read_line(row: Mapping[str, Any]) -> Entry:
    """Return what stands in a line; a DamagedLineError for one that makes no sense."""
    try:
        return _read(row)
    except (ValueError, TypeError, LookupError, OverflowError, OSError, RecursionError) as error:
        raise DamagedLineError(str(error)) from None


def _read(row: Mapping[str, Any]) -> Entry:
    state = EntryState(row["state"])
    window = make_window(_whole(row["start_ms"]), _whole(row["end_ms"]), parse_zone(_text(row["zone"])))
    str(window)  # an error for moments that no calendar has
    known = _arguments(_text(row["report"]), _text(row["arguments"]))
    request = ExportRequest(find_report(row["report"]), window, deepcopy(known))
    identity = None
    if row["workflow_id"] is not None:
        created = Created(_text(row["workflow_id"]), _text(row["run_id"]))
        identity = JobIdentity(request, created, _moment(row["started_at"]))
    elif state in ALIVE:
        raise ValueError("an export without ids")
    saved = None
    if row["file"] is not None:
        saved = SavedFile(_path(row["file"]), _whole(row["file_size"]), _whole(row["file_modified_ns"]))
    ready_at = None if row["ready_at"] is None else _moment(row["ready_at"])
    return Entry(row["id"], _text(row["mark"]), request, state, _claimant(row), identity, ready_at, saved)


@lru_cache(maxsize=256)
def _arguments(report: str, text: str) -> dict[str, object]:
    """Return what was asked for; most lines ask for the same with another window."""
    return from_json(find_report(report), Window(0, 0), json.loads(text)).arguments


def _claimant(row: Mapping[str, Any]) -> Claimant:
    process = None
    if row["boot"] is not None:
        process = Process(_text(row["boot"]), _text(row["namespace"]), _whole(row["pid"]), _whole(row["born"]))
    return Claimant(process, _moment(row["claimed_at"]), _number(row["claimed_monotonic"]), _number(row["lease"]))


def _path(value: object) -> Path:
    return Path(os.fsdecode(value)) if isinstance(value, bytes) else Path(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise TypeError("not a text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("not a number")
    return float(value)


def _moment(value: object) -> float:
    """Return seconds since 1970 UTC that a calendar has."""
    return datetime.fromtimestamp(_number(value), UTC).timestamp()
