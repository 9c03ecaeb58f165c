"""``python -m khoros_analytics.sandbox``: serves the sandbox for curl, Postman and other programs until Ctrl-C."""

import argparse
import json
import os
import signal
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
    parser.add_argument("--port", type=int, default=0, help="the API's port (default: any free one)")
    parser.add_argument("--username", default=plain.username, help="default: %(default)s")
    parser.add_argument("--password", default=plain.password, help="default: %(default)s")
    parser.add_argument("--company-key", default=plain.company_key, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=plain.seconds, help="an export takes so long (%(default)s)")
    parser.add_argument("--polls", type=int, help="an export is done at so many status requests, instead of --seconds")
    parser.add_argument("--rows", type=int, default=plain.rows, help="rows of an export (%(default)s)")
    parser.add_argument("--size", type=int, help="as many rows as make about so many bytes, instead of --rows")
    parser.add_argument("--seed", type=int, default=plain.seed, help="other seeds give other rows (%(default)s)")
    parser.add_argument("--strict", action="store_true", help="refuse parameters that a report does not list")
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
        The exit status: 0, or 1 when the port is in use.
    """
    options = vars(_parser().parse_args(arguments))
    as_json = options.pop("json")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    sandbox = Sandbox(clock=Clock(), remember=1000, **options)
    try:
        sandbox.start()
    except OSError as error:
        sys.stderr.write(f"The sandbox cannot listen on port {sandbox.port}: {os.strerror(error.errno or 0)}\n")
        return 1
    with sandbox:
        sys.stdout.write(_introduction(sandbox, as_json=as_json) + "\n")
        sys.stdout.flush()
        over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
