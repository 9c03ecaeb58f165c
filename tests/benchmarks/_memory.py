"""How much memory a process has, as its kernel counts."""

import re
from pathlib import Path

_STATUS = Path("/proc/self/status")


def kilobytes(name: str) -> int:
    """Return what the kernel counts for this process: VmRSS is what it has, VmHWM the most that it ever had.

    VmHWM and not getrusage: the latter starts from the peak of the process that forked this one. Where there is no such
    kernel, it is 0.
    """
    if not _STATUS.exists():
        return 0
    return int(re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))[1])
