"""A sandbox in a process of its own, so that it shares no interpreter with what is measured.

Run as a program, this file is that process: its argument says, in JSON, what the sandbox is like. It prints the
settings for a client and serves until its standard input ends.
"""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from khoros_analytics import Client, Clock
from khoros_analytics.sandbox import Sandbox

UNLIMITED = 1_000_000  # requests a minute: what is measured here is not a quota


@contextmanager
def sandbox_process(size: int, certificate: Path | None = None) -> Iterator[dict[str, Any]]:
    """Serve exports of so many bytes, done at their first poll; over TLS where there is a certificate.

    Yields:
        The settings for a client.
    """
    options = {"size": size, "certificate": str(certificate) if certificate else None}
    command = [sys.executable, __file__, json.dumps(options)]
    # The end of the block closes the pipes, which ends the process.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())


def client_of(settings: dict[str, Any]) -> Client:
    """Return a client for it, on real time and without a quota."""
    return Client(**settings, requests_per_minute=UNLIMITED)


def serve(size: int, certificate: str | None) -> None:
    """Serve until the standard input ends."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    with Sandbox(clock=Clock(), polls=1, size=size, ssl_context=context) as sandbox:
        settings = {name: value for name, value in sandbox.settings.items() if name != "clock"}
        sys.stdout.write(json.dumps(settings) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
