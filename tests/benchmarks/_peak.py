"""How much memory a download takes above what the import takes: run by ``download.py`` in a process of its own.

The arguments are the settings of a client, in JSON, and the file to write.
"""

import json
import re
import sys
from pathlib import Path

from _sandbox import client_of

STATUS = Path("/proc/self/status")


def kilobytes(name: str) -> int:
    """Return what the kernel counts for this process.

    VmHWM and not getrusage: the latter starts from the peak of the process that forked this one.
    """
    return int(re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))[1])


def main() -> None:
    """Download, and print the bytes between what the imports took and the highest peak."""
    settings, path = json.loads(sys.argv[1]), sys.argv[2]
    imported = kilobytes("VmRSS")
    with client_of(settings) as client:
        client.conversation("2019-02-01", "2019-05-01").refresh().download(path)
    sys.stdout.write(str(1024 * (kilobytes("VmHWM") - imported)))


if __name__ == "__main__":
    main()
