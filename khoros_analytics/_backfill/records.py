"""What a dataset writes about itself: its identity, a line per window, what runs, and what is being replaced."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from attrs import asdict, field, fields, frozen

from .._version import __version__
from ..times import Step, Window

__all__ = [
    "FORMAT",
    "DamagedRecordError",
    "Identity",
    "Intent",
    "Line",
    "Running",
    "SaveAs",
    "dump",
    "fingerprint",
    "is_by_date",
    "key_of",
    "load",
    "window_of",
]

FORMAT = 1
"""The version of the layout; another one is refused."""

SaveAs = Literal["parquet", "csv", "json"]

T = TypeVar("T")

_KEY = re.compile(r"\d{4}-\d\d-\d\d|\d{8}T\d{6}(\.\d{3})?Z", re.ASCII)


class DamagedRecordError(ValueError):
    """What stands in a record is nothing that this library wrote."""


@frozen(kw_only=True)
class Identity:
    """What makes two backfills the same dataset.

    Attributes:
        report: The report's name on the wire.
        account: The account, hashed.
        arguments: What is asked for beside the window, as JSON.
        zone: The zone in which windows are cut.
        every: How long they are.
        save_as: The format of the files.
        by_date: Whether a window is named by its local date; else by its start in UTC.
        schema: The columns that all files have, as the frames write them down; None before the first, and where the
            files are not Parquet.
        format: The version of the layout.
    """

    report: str
    account: str
    arguments: dict[str, Any]
    zone: str
    every: str
    save_as: SaveAs
    by_date: bool
    schema: str | None = None
    format: int = FORMAT

    def differences(self, other: "Identity") -> list[str]:
        """Return what the two do not have in common, as a person would say it."""
        names = {"report": "report", "account": "company", "zone": "timezone", "every": "every", "save_as": "save_as"}
        found = [
            name if name == "company" else f"{name} {getattr(self, key)!r} instead of {getattr(other, key)!r}"
            for key, name in names.items()
            if getattr(self, key) != getattr(other, key)
        ]
        for name in sorted({*self.arguments, *other.arguments}):
            mine, theirs = self.arguments.get(name), other.arguments.get(name)
            if mine != theirs:
                found.append(f"{name} {mine!r} instead of {theirs!r}")
        if self.by_date != other.by_date and not found:
            found.append("windows that begin at midnight" if self.by_date else "windows that do not begin at midnight")
        return found


def _pair(value: Sequence[str] | None) -> tuple[str, str] | None:
    """Return what JSON made a list of."""
    return (value[0], value[1]) if value else None


@frozen(kw_only=True)
class Line:
    """A window that has landed.

    Attributes:
        key: The window's name in the dataset.
        start_ms: Its first moment, in epoch milliseconds.
        end_ms: The moment at which it ends, in epoch milliseconds.
        landed_at: When, in seconds since 1970 UTC.
        rows: How many rows it has.
        bytes: How long its file is, in bytes; 0 for an empty window, which has none.
        sha256: The digest of its file.
        schema: The fingerprint of its file's columns, or "".
        job: The export's ids.
        version: The version of this library that wrote it.
    """

    key: str
    start_ms: int
    end_ms: int
    landed_at: float
    rows: int
    bytes: int = 0
    sha256: str = ""
    schema: str = ""
    job: tuple[str, str] | None = field(default=None, converter=_pair)
    version: str = __version__


@frozen(kw_only=True)
class Running:
    """An export that was started for a window, or may have been.

    Attributes:
        key: The window's name in the dataset.
        start_ms: The window's first moment, in epoch milliseconds.
        end_ms: The moment at which it ends, in epoch milliseconds.
        token: How to find the job again; None where nobody knows whether the server started it.
        attempt: Which export of this window it is, from 1.
        job: The export's ids, where they are known.
    """

    key: str
    start_ms: int
    end_ms: int
    token: str | None
    attempt: int = 1
    job: tuple[str, str] | None = field(default=None, converter=_pair)


@frozen(kw_only=True)
class Intent:
    """A file that is being replaced: while this stands, a file that matches either digest belongs to the dataset.

    Attributes:
        key: The window's name in the dataset.
        old: The digest of the file that was there, or "" for none.
        new: The line of the one that takes its place.
    """

    key: str
    old: str
    new: Line


def dump(record: Any) -> bytes:
    """Write a record down."""
    return json.dumps(asdict(record), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def load(kind: Callable[..., T], content: bytes) -> T:
    """Read a record back; a DamagedRecordError for anything else."""
    try:
        values = json.loads(content)
        if kind is Intent:
            values["new"] = Line(**values["new"])
        record = kind(**values)
        _check(record)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise DamagedRecordError(str(error)) from None
    return record


def _check(record: Any) -> None:
    """Check the types of what stands in a record; a TypeError for what is of another one."""
    kinds: Mapping[str, tuple[type, ...]] = {
        "key": (str,), "start_ms": (int,), "end_ms": (int,), "rows": (int,), "bytes": (int,), "sha256": (str,),
        "landed_at": (int, float), "token": (str, type(None)), "schema": (str, type(None)), "arguments": (dict,),
        "report": (str,), "account": (str,), "zone": (str,), "every": (str,), "attempt": (int,), "old": (str,),
    }  # fmt: skip
    if not _KEY.fullmatch(getattr(record, "key", "2019-02-01")):
        raise ValueError("the name of a window is none")  # it becomes part of a path
    for attribute in fields(type(record)):
        value = getattr(record, attribute.name)
        if attribute.name in kinds and (not isinstance(value, kinds[attribute.name]) or isinstance(value, bool)):
            raise TypeError(f"{attribute.name} is {value!r}")


def fingerprint(schema: str | None) -> str:
    """Return a short name of a schema."""
    return hashlib.sha256(schema.encode()).hexdigest()[:16] if schema else ""


def is_by_date(step: Step, window: Window) -> bool:
    """Tell whether windows of this length that begin where this one does are named by their local date."""
    midnight = window.start.time() == datetime.min.time()
    return bool(step.days or step.months) and midnight


def key_of(window: Window, *, by_date: bool) -> str:
    """Return a window's name in a dataset: its local date, or its start in UTC."""
    if by_date:
        return f"{window.start:%Y-%m-%d}"
    moment = datetime.fromtimestamp(window.start_ms / 1000, UTC)
    milliseconds = f".{window.start_ms % 1000:03}" if window.start_ms % 1000 else ""
    return f"{moment:%Y%m%dT%H%M%S}{milliseconds}Z"


def window_of(line: Line | Running, zone: str) -> Window:
    """Return the window of a record."""
    return Window(line.start_ms, line.end_ms, ZoneInfo(zone).key)
