"""The program as a process of its own: signals, pipes, and the way in."""

import signal
import subprocess
import sys

import pytest

from khoros_analytics import Clock

VARIABLES = {"USERNAME": "username", "PASSWORD": "password", "COMPANY_KEY": "company_key", "URL": "base_url"}


@pytest.fixture
def begin(run, monkeypatch):
    """Start the program against a sandbox on the machine's own clock."""
    world = run({"clock": Clock(), "polls": 1_000})
    for variable, setting in VARIABLES.items():
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{variable}", world.sandbox.settings[setting])

    def start(*arguments):
        command = [sys.executable, "-m", "khoros_analytics", *arguments]
        return world, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def test_ctrl_c(begin, until):
    """A Ctrl-C ends with 130 and one way on, without a traceback; the export itself goes on."""
    world, program = begin("export", "author", "--start", "2019-02-01", "--end", "2019-02-02")
    until(lambda: world.count("status"))
    program.send_signal(signal.SIGINT)
    shown, said = program.communicate(timeout=30)
    assert (program.returncode, shown) == (130, "")
    assert said.startswith(
        "Interrupted; the export goes on on the server.\nTo go on:  khoros-analytics download khoros2."
    )
    assert "Traceback" not in said


def test_a_reader_that_stops(begin):
    """Where nobody reads any more, it ends with 141 and says nothing."""
    _, program = begin("timezones")
    program.stdout.close()  # before it writes anything
    program.wait(timeout=30)
    with program.stderr:
        assert (program.returncode, program.stderr.read()) == (141, "")
