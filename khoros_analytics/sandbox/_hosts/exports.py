"""Exports: what was started, and how each job lives from RUNNING to CLOSED and beyond."""

import base64
import math
import secrets
import threading
import uuid
from collections import deque
from functools import cached_property
from typing import Literal

from attrs import field, frozen

from ...reports import Report
from .._data.body import Body
from .._data.export_spec import ExportSpec
from .._fault_queue import Fault
from .._faults import JobFails, JobNeverEnds
from .._options import Options
from .checks import Arguments

__all__ = ["Export", "Exports", "Job", "Stage"]

_DAY = 86_400_000  # the interval of a report that takes none
_FILES = 100  # so many last exports keep their files in memory

Stage = Literal["running", "completed", "failed"]


@frozen(slots=False)  # cached_property needs a place for its value
class Export:
    """One export that was started.

    Attributes:
        report: The report's name.
        arguments: The values of each parameter by its name on the wire, company key and unlisted ones included.
        workflow_id: Its first id, a UUID.
        run_id: Its second id, with ``/``, ``+`` and ``=`` in it.
        token: The access token that stands in the URLs of its status.
        started: When, in seconds on the sandbox's clock.
        spec: What its file is made of.

    Example:
        ``len(sandbox.exports)`` is the number of exports that were started, and ``sandbox.exports[0].content()`` the
        file that a download of the first one must give.
    """

    report: str
    arguments: Arguments = field(repr=False, hash=False)
    workflow_id: str
    run_id: str
    token: str = field(repr=False)
    started: float
    spec: ExportSpec = field(repr=False)

    @cached_property
    def body(self) -> Body:
        """The file, as a block that repeats."""
        return self.spec.body()

    @cached_property
    def packed(self) -> Body:
        """The file as gzip."""
        return self.body.gzipped()

    @property
    def length(self) -> int:
        """The number of bytes of the file, before any compression."""
        return self.body.length

    def content(self) -> bytes:
        """Return the whole file, built in memory."""
        return self.body.content()

    def forget_files(self) -> None:
        """Give the memory of the file back; it is made again when it is asked for."""
        for name in ("body", "packed"):
            self.__dict__.pop(name, None)


class Job:
    """The life of one export. Safe for any number of threads.

    Args:
        export: Which one.
        options: The sandbox's options at its start.
        fate: A fault that decides how it ends, if any.
    """

    def __init__(self, export: Export, options: Options, fate: Fault | None = None) -> None:
        self.export = export
        self.polls_needed, seconds = options.lasting()
        self.ready_at = export.started + seconds
        self.empty_links = options.empty_links
        self.reason: str | None = None
        self.closed_at: float | None = None
        self._end: Stage = "completed"
        self._polls = 0
        self._lock = threading.Lock()
        if fate is not None:
            self._accept(fate)

    def poll(self, now: float, fate: Fault | None = None) -> Stage:
        """Return how far the job is for somebody who asks for its status."""
        with self._lock:
            self._polls += 1
            if fate is not None and self.closed_at is None:
                self._accept(fate)
                if isinstance(fate, JobFails):
                    self.closed_at = now
            return self._stage(now)

    def stage(self, now: float) -> Stage:
        """Return how far the job is, without counting as a poll."""
        with self._lock:
            return self._stage(now)

    def offer_link(self) -> bool:
        """Return whether a completed export's status shows its link at this poll."""
        with self._lock:
            self.empty_links -= 1
            return self.empty_links < 0

    def _accept(self, fate: Fault) -> None:
        """Let a fault decide how the job ends."""
        if isinstance(fate, JobFails):
            self._end, self.reason = "failed", fate.reason
        elif isinstance(fate, JobNeverEnds):
            self.polls_needed, self.ready_at = None, math.inf

    def _stage(self, now: float) -> Stage:
        if self.closed_at is None:
            self._close_if_due(now)
        return "running" if self.closed_at is None else self._end

    def _close_if_due(self, now: float) -> None:
        if now >= self.ready_at:
            self.closed_at = self.ready_at
        elif self.polls_needed is not None and self._polls >= self.polls_needed:
            self.closed_at = now


class Exports:
    """All exports of a sandbox. Safe for any number of threads.

    Args:
        options: The sandbox's options.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._jobs: dict[str, Job] = {}
        self._recent: deque[Export] = deque()
        self._lock = threading.Lock()

    def start(self, report: Report, arguments: Arguments, fate: Fault | None) -> Job:
        """Start an export."""
        export = Export(
            report.name,
            arguments,
            # The vendor's samples hold UUIDs of version 3.
            str(uuid.uuid3(uuid.uuid4(), report.name)),
            _run_id(),
            base64.b64encode(secrets.token_bytes(16)).decode(),
            self._options.now(),
            _spec(report, arguments, self._options),
        )
        with self._lock:
            job = self._jobs[export.workflow_id] = Job(export, self._options, fate)
            self._recent.append(export)
            if len(self._recent) > _FILES:
                self._recent.popleft().forget_files()
        return job

    def find(self, workflow_id: str, run_id: str | None = None) -> Job | None:
        """Return an export's job, if there is one."""
        job = self._jobs.get(workflow_id)
        return job if job is not None and run_id in (None, job.export.run_id) else None

    def jobs(self) -> list[Job]:
        """Return all jobs in the order in which they were started."""
        with self._lock:
            return list(self._jobs.values())


def _run_id() -> str:
    """Return an id as in the vendor's samples: 23, then 32 bytes in base64. It always holds all that needs encoding."""
    while True:
        run_id = "23" + base64.b64encode(secrets.token_bytes(32)).decode()
        if "/" in run_id and "+" in run_id:
            return run_id


def _spec(report: Report, arguments: Arguments, options: Options) -> ExportSpec:
    """Return what an export's file is made of."""
    first = {wire: values[0] for wire, values in arguments.items()}
    offset = first.get("timezoneOffset")
    return ExportSpec(
        report.name,
        int(first["startTime"]),
        int(first["endTime"]),
        "csv" if first.get("reportFormat", "json").lower() == "csv" else "json",
        arguments.get("reportMetrics", ()),
        first.get("timezone") or (None if offset is None else int(offset)),
        options.seed,
        options.rows,
        options.size,
        int(first.get("timeInterval", _DAY)),
    )
