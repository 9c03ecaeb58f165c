"""How much memory a download takes above what the import takes: run by ``download.py`` in a process of its own.

The arguments are the settings of a client, in JSON, and the file to write.
"""

import json
import sys

from _memory import kilobytes
from _sandbox import client_of


def main() -> None:
    """Download, and print the bytes between what the imports took and the highest peak."""
    settings, path = json.loads(sys.argv[1]), sys.argv[2]
    imported = kilobytes("VmRSS")
    with client_of(settings) as client:
        client.conversation("2019-02-01", "2019-05-01").refresh().download(path)
    sys.stdout.write(str(1024 * (kilobytes("VmHWM") - imported)))


if __name__ == "__main__":
    main()
