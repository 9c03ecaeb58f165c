"""What a terminal shows of a wait: one line that rewrites itself, and nothing where stderr is no terminal."""

import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

BEGINNING = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from khoros_analytics import Client
from khoros_analytics.sandbox import Sandbox
sandbox = Sandbox(polls=3)
sandbox.start()
connect = lambda **settings: Client(**sandbox.settings, **settings)
DAY = ("2019-02-01", "2019-02-02")
"""
TITLE = "conversation 2019-02-01 to 2019-02-02: "


def test_one_line(run_on_terminal):
    """Each wait leaves one line that says how it ended, and what a program prints stands below it."""
    terminal = run_on_terminal(f"""{BEGINNING}
job = connect().conversation(*DAY).wait()
print(job.download().name)
try:
    connect().response(*DAY).wait(on_update=lambda _: signal.raise_signal(signal.SIGINT))
except KeyboardInterrupt:
    pass
""")
    assert terminal.status == 0
    assert terminal.lines() == [
        f"{TITLE}ready, 9 s",
        f"{TITLE}downloaded, conversation_2019-02-01_2019-02-02.csv, 18.6 kB, 9 s",
        "conversation_2019-02-01_2019-02-02.csv",
        "response 2019-02-01 to 2019-02-02: interrupted, 3 s",
    ]
    assert terminal.raw.startswith(f"\r{TITLE}started, not polled yet, 0 s, quota 19 of 20".encode())


@pytest.mark.parametrize("columns", [120, 45])
def test_threads_keep_apart(run_on_terminal, columns):
    """Exports that are waited for by several threads have a line each, and at the end each line is there, whole."""
    terminal = run_on_terminal(
        f"""{BEGINNING}
client = connect()
def fetch(day):
    return client.conversation(f"2019-02-0{{day}}", f"2019-02-0{{day + 1}}").download(f"{{day}}.csv")
with ThreadPoolExecutor(4) as pool:
    list(pool.map(fetch, range(1, 5)))
""",
        columns=columns,
    )
    left = "".join(line.ljust(columns) for line in terminal.lines())
    found = sorted(left[at : at + 75] for at in range(len(left)) if left.startswith("conversation 2019", at))
    starts = [f"conversation 2019-02-0{day} to 2019-02-0{day + 1}: downloaded, {day}.csv, 1" for day in range(1, 5)]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts
    assert len(terminal.lines()) == (4 if columns == 120 else 8)


def test_narrow(run_on_terminal):
    """While it goes on, the line is cut off where the terminal ends: a line that wraps could not be rewritten."""
    terminal = run_on_terminal(f"{BEGINNING}\nconnect().conversation(*DAY).wait()", columns=45)
    first = terminal.raw.decode().split("\r")[1]
    assert first.startswith(f"{TITLE}start")
    assert len(first) <= 45
    assert terminal.lines() == [f"{TITLE}ready,", " 9 s"]


def test_nothing(run_on_terminal):
    """A terminal shows nothing where that is not wanted, or not possible, and the wait goes on."""
    terminal = run_on_terminal(f"""{BEGINNING}
connect(progress=False).conversation(*DAY).wait()
os.environ["TERM"] = "dumb"
connect().conversation(*DAY).wait()
os.environ["TERM"] = "xterm"
sys.modules["tqdm"] = None
connect().conversation(*DAY).wait()
""")
    assert terminal.lines() == []
    assert terminal.status == 0


def test_no_terminal():
    """Where stderr is no terminal, only somebody who insists gets the line."""
    program = dedent(f"""{BEGINNING}
for progress in (None, False, True):
    print(progress, file=sys.stderr)
    connect(progress=progress).conversation(*DAY).wait()
""")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout == b""
    quiet, shown = run.stderr.decode().split("True\n")
    assert quiet == "None\nFalse\n"
    assert shown.endswith(f"\r{TITLE}ready, 9 s\n")
