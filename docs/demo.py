"""The tutorial's export, step by step, on the sandbox: ``python docs/demo.py [FOLDER]``.

The file goes into the folder, or into a new temporary one. It needs no account and no network.
"""
# ruff: noqa: T201 - a program that tells a story prints it

import sys
import tempfile
from itertools import islice
from pathlib import Path
from textwrap import indent

from khoros_analytics import Client, Job, KhorosError
from khoros_analytics.sandbox import Sandbox

START, END = "2019-02-01", "2019-05-01"
COLUMNS = ["CONVERSATION_ID", "STATUS", "ASSIGNED_AGENT_DISPLAY_ID"]
ROWS = 5

WELCOME = """\
This exports conversations from the sandbox, a server on this machine that speaks the vendor's API. The conversations
are made up, and the sandbox's clock jumps ahead, so that nobody has to wait.
"""

LIVE = f"""\
The same on the live API: put your credentials into the environment,

  export KHOROS_ANALYTICS_USERNAME=...
  export KHOROS_ANALYTICS_PASSWORD=...
  export KHOROS_ANALYTICS_COMPANY_KEY=...

(in Europe also KHOROS_ANALYTICS_REGION=emea) and leave out the sandbox. This is the whole program:

  from khoros_analytics import Client

  columns = {COLUMNS}
  with Client() as client:
      frame = client.conversation("{START}", "{END}", metrics=columns).to_pandas()
"""


def export(client: Client, folder: Path) -> Path:
    """Export the conversations of three months and tell what happens on the way.

    Args:
        client: Whose conversations.
        folder: Where the file goes.

    Returns:
        The file.
    """
    print("1. Request the report that the vendor calls Raw Conversations: client.conversation(...)")
    print(f"   the window:  {START} to {END}, the end not included")
    print(f"   the columns: {', '.join(COLUMNS)}")
    job = client.conversation(START, END, metrics=COLUMNS)
    print(f"   The server has started job {job.workflow_id}.\n")

    print("2. Wait until it is done: job.wait()")
    job.wait(on_update=tell_status)
    print(f"   The file is ready. The server keeps it for 24 hours, until {job.expires_at:%Y-%m-%d %H:%M} UTC.\n")

    print("3. Download the file: job.download(...)")
    path = job.download(folder)
    print(f"   {path.stat().st_size:,} bytes are on your disk.\n")

    show_table(job)

    print("All of this took these requests:")
    for attempt in job.history:
        print(f"   {attempt}")
    return path


def show_table(job: Job) -> None:
    """Show the beginning of the file as a DataFrame, where pandas is installed.

    Args:
        job: The job that has the file.
    """
    print("4. Work with it: job.to_pandas()")
    try:
        table = job.to_pandas().head(ROWS).to_string()
    except ImportError as error:
        print(f"   {error}\n")
    else:
        print(indent(table, "   "))
        print("   The ids keep their leading zeros, and <NA> is what is missing.\n")


def tell_status(job: Job) -> None:
    """Say what the server said.

    Args:
        job: The job that was just polled.
    """
    meaning = "not done yet, ask again later" if job.status.state == "RUNNING" else "done"
    print(f"   {job.history[-1].at:%H:%M:%S} the status says {job.status} - {meaning}")


def main(folder: Path) -> None:
    """Tell the story, ending with the file.

    Args:
        folder: Where the file goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    print(WELCOME)
    with Sandbox() as sandbox, Client(**sandbox.settings) as client:
        path = export(client, folder)
    print(f"\n{LIVE}")
    print(f"Here is your file, {path}")
    print("It begins so:\n")
    with path.open(encoding="utf-8") as lines:
        for line in islice(lines, 1 + ROWS):
            print(f"  {line.rstrip()}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="khoros_analytics_")))
    except (KhorosError, OSError) as error:
        sys.exit(f"This did not work: {error}")
