"""What a fault is, and which one comes when: one queue for each phase, taken from in order."""

import threading
from collections import deque
from typing import ClassVar, Literal, get_args

from attrs import define, frozen

from ._validation import did_you_mean
from ._wire.connection import CLEAN, Spoil

__all__ = ["PHASES", "Fault", "Faults", "Phase"]

Phase = Literal["create", "status", "download", "file", "teams", "timezones"]
"""A kind of call: ``download`` is the API's, which redirects to the ``file`` host."""

PHASES: tuple[Phase, ...] = get_args(Phase)
"""All phases."""


@frozen
class Fault:
    """Something that can go wrong.

    Attributes:
        phases: The phases in which it makes sense.
    """

    phases: ClassVar[tuple[Phase, ...]] = PHASES

    def spoil(self) -> Spoil:
        """Return what is to go wrong on the wire."""
        return CLEAN


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@define
class _Planned:
    """A fault that waits for its turn."""

    fault: Fault
    times: int | None
    skip: int


class Faults:
    """The faults that were asked for and have not happened yet. Safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[Phase, deque[_Planned]] = {phase: deque() for phase in PHASES}

    def plan(self, phase: Phase, fault: Fault, times: int | None, skip: int) -> None:
        """Add a fault behind those that were planned before."""
        if phase not in PHASES:
            raise ValueError(
                f"{phase!r} is not a phase; there are {', '.join(PHASES)}{did_you_mean(str(phase), PHASES)}"
            )
        if not isinstance(fault, Fault):
            raise ValueError(f"{fault!r} is not a fault: give one of khoros_analytics.sandbox.faults, made")  # noqa: TRY004
        if not (times is None or _is_whole(times, 1)):
            raise ValueError(f"times cannot be {times!r}: give a whole number from 1, or None for all calls")
        if not _is_whole(skip, 0):
            raise ValueError(f"skip cannot be {skip!r}: give a whole number from 0")
        if phase not in fault.phases:
            raise ValueError(f"{fault!r} makes no sense in {phase!r}, only in {', '.join(fault.phases)}")
        with self._lock:
            self._queues[phase].append(_Planned(fault, times, skip))

    def take(self, phase: Phase) -> Fault | None:
        """Return the fault that meets this call, if one does."""
        with self._lock:
            queue = self._queues[phase]
            return self._next(queue) if queue else None

    @staticmethod
    def _next(queue: "deque[_Planned]") -> Fault | None:
        """Use up one call of the first fault in a queue."""
        planned = queue[0]
        if planned.skip > 0:
            planned.skip -= 1
            return None
        if planned.times is not None:
            planned.times -= 1
            if planned.times <= 0:
                queue.popleft()
        return planned.fault

    def clear(self) -> None:
        """Forget all that were planned."""
        with self._lock:
            for queue in self._queues.values():
                queue.clear()

    def left(self) -> list[tuple[Phase, Fault]]:
        """Return what has not been used up yet, phase by phase."""
        with self._lock:
            return [(phase, planned.fault) for phase, queue in self._queues.items() for planned in queue]
