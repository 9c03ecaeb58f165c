"""``python -m khoros_analytics.sandbox``: serves the sandbox for curl, Postman and other programs until Ctrl-C."""

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from urllib.parse import quote

from .._clock import Clock
from ._sandbox import Sandbox

__all__ = ["main"]

_WINDOW = "startTime=1551441600000&endTime=1556712000000"  # the tutorial's

_WELCOME = """\
The Khoros Care Analytics Reports API, played on this machine. Ctrl-C ends it.

  base URL     {base}
  user         {user}
  password     {password}
  company key  {key}

Request an export, poll its status, fetch its file:

  curl -u '{sign_in}' -X POST '{base}/api/public/reports/report/conversation?{query}'
  curl -u '{sign_in}' 'STATUS_URL'
  curl -L -u '{sign_in}' 'DOWNLOAD_URL' -o conversations.csv

STATUS_URL stands in the answer to the first, DOWNLOAD_URL in the answer to the second as soon as the export is done.
The teams:

  curl -u '{sign_in}' '{base}/api/public/teams?companyKey={encoded}'
"""


def _parser() -> argparse.ArgumentParser:
    """Return the command line's parser, with the sandbox's own defaults."""
    parser = argparse.ArgumentParser(prog="python -m khoros_analytics.sandbox", description=__doc__)
    plain = Sandbox()
    parser.add_argument("--host", default=plain.host, help="the address to listen at; 0.0.0.0 for all (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the API's port (default: any free one)")
    parser.add_argument("--file-host", help="the file host's name in links (default: localhost)")
    parser.add_argument("--file-port", type=int, default=0, help="the file host's port (default: any free one)")
    parser.add_argument("--url-origin", help="the scheme and host in the API's URLs (default: its own)")
    parser.add_argument("--username", default=plain.username, help="default: %(default)s")
    parser.add_argument("--password", default=plain.password, help="default: %(default)s")
    parser.add_argument("--company-key", default=plain.company_key, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, help="an export takes so long (10, when --polls is not given either)")
    parser.add_argument("--polls", type=int, help="an export is done at so many status requests (2, like --seconds)")
    parser.add_argument("--rows", type=int, default=plain.rows, help="rows of an export (%(default)s)")
    parser.add_argument("--size", type=int, help="as many rows as make about so many bytes, instead of --rows")
    parser.add_argument("--seed", type=int, default=plain.seed, help="other seeds give other rows (%(default)s)")
    parser.add_argument("--strict", action="store_true", help="refuse parameters, columns and verbs without a source")
    parser.add_argument("--running", default=plain.running, help="a running job is an object or a list (%(default)s)")
    parser.add_argument("--creation", default=plain.creation, help="creations hold urls, ids or download (%(default)s)")
    parser.add_argument(
        "--framing", default=plain.framing, help="a file ends by length, chunked or close (%(default)s)"
    )
    parser.add_argument("--requests-per-minute", type=int, help="answer 429 beyond so many (default: no limit)")
    parser.add_argument("--gzip", action="store_true", help="send files compressed")
    parser.add_argument("--no-ranges", dest="ranges", action="store_false", help="do not understand Range")
    parser.add_argument("--json", action="store_true", help="print the addresses and credentials as one line of JSON")
    return parser


def _introduction(sandbox: Sandbox, *, as_json: bool) -> str:
    """Return what to print once the sandbox listens."""
    if as_json:
        facts = {name: value for name, value in sandbox.settings.items() if name != "clock"}
        return json.dumps({**facts, "file_url": sandbox.file_url})
    key = quote(sandbox.company_key, safe="")
    return _WELCOME.format(
        base=sandbox.base_url,
        user=sandbox.username,
        password=sandbox.password,
        key=sandbox.company_key,
        encoded=key,
        sign_in=f"{sandbox.username}:{sandbox.password}".replace("'", "'\\''"),
        query=f"reportFormat=csv&locale=en_US&companyKey={key}&{_WINDOW}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a sandbox on real time until SIGINT or SIGTERM.

    Args:
        arguments: The command line's arguments; those of the process when not given.

    Returns:
        The exit status: 0, or 1 when a port is in use. A wrong option ends the process with 2.
    """
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    as_json = options.pop("json")
    try:
        sandbox = Sandbox(clock=Clock(), remember=1000, **options)
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(format="%(asctime)s %(message)s")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        sandbox.start()
    except OSError as error:
        ports = [str(port) for port in (sandbox.port, sandbox.file_port) if port]
        where = f"port {' or '.join(ports)}" if ports else f"any port of {sandbox.host}"
        # What the socket module adds to the system's own words says it twice.
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        sys.stderr.write(f"The sandbox cannot listen on {where}: {why}\n")
        return 1
    with sandbox:
        sys.stdout.write(_introduction(sandbox, as_json=as_json) + "\n")
        sys.stdout.flush()
        over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
