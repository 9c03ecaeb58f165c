"""Which process claimed an export, and whether it has ended: told by more than its number, which others share."""

import os
from pathlib import Path

from attrs import frozen

from .._clock import Clock

__all__ = ["Claimant", "Process"]

_PROC = Path("/proc")
_BORN = 19  # the place of the start time among the fields of /proc/PID/stat that follow the name (proc(5))


@frozen
class Process:
    """One process of one boot of one machine. Two containers have the same numbers in namespaces of their own.

    Attributes:
        boot: The boot of the machine.
        namespace: Where its number counts.
        pid: Its number.
        born: When it was started, in ticks since the boot.
    """

    boot: str
    namespace: str
    pid: int
    born: int

    @classmethod
    def current(cls) -> "Process | None":
        """Return this one, or None on a system that cannot tell it from others of the same number."""
        try:
            boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            namespace = str((_PROC / "self/ns/pid").readlink())
            pid = int(str((_PROC / "self").readlink()))
            state, born = _read_stat(pid)
        except (OSError, ValueError, LookupError):
            return None
        # In a namespace of its own under the /proc of another one, its numbers are not those that it sees there.
        return cls(boot, namespace, pid, born) if boot and state and pid == os.getpid() else None

    def has_ended(self) -> bool:
        """Return whether it certainly has; of a process that cannot be seen from here, nobody can say so."""
        here = Process.current()
        if here is None or (here.boot, here.namespace) != (self.boot, self.namespace):
            return False
        try:
            state, born = _read_stat(self.pid)
        except (OSError, ValueError, LookupError):
            return _nobody_has(self.pid)
        return born != self.born or state in "ZX"


def _read_stat(pid: int) -> tuple[str, int]:
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[_BORN])


def _nobody_has(pid: int) -> bool:
    """Return whether there is no such process: /proc may hide those of other users."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@frozen
class Claimant:
    """Who claimed an export, and for how long.

    Attributes:
        process: Which process, or None where that cannot be told.
        at: When, in seconds since 1970 UTC.
        at_monotonic: When, on its monotonic clock, which all processes of one boot share.
        lease: For how many seconds.
    """

    process: Process | None
    at: float
    at_monotonic: float
    lease: float

    def is_gone(self, clock: Clock) -> bool:
        """Return whether nobody works on the claim any more."""
        if self.process is not None and self.process.has_ended():
            return True
        now = clock.monotonic()
        if self._shares_clock() and now >= self.at_monotonic:
            # The calendar may be set by an hour at any moment; this clock may not.
            return now >= self.at_monotonic + self.lease
        return clock.time() >= self.at + self.lease

    def _shares_clock(self) -> bool:
        here = Process.current()
        return here is not None and self.process is not None and here.boot == self.process.boot
