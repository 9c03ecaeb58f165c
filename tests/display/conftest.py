"""Notebooks that run without a browser, and terminals without a window."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Container, Iterator
from textwrap import dedent
from typing import Any

import nbformat
import pyte
import pytest
from nbclient import NotebookClient

from khoros_analytics._display import live
from khoros_analytics._display.snapshot import Snapshot

_LINES = 50


class Recorder(NotebookClient):
    """Runs a notebook, and keeps what its kernel has sent."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.sent: dict[int, list[dict[str, Any]]] = {}

    def process_message(self, msg, cell, cell_index):
        """Note what came for which cell."""
        self.sent.setdefault(cell_index, []).append(msg)
        return super().process_message(msg, cell, cell_index)


class Cell:
    """A cell that has run."""

    def __init__(self, outputs: list[Any], sent: list[dict[str, Any]]) -> None:
        self.outputs = outputs
        self.sent = sent

    def cards(self) -> list[str]:
        """Return the HTML that it shows, as a saved notebook has it."""
        return ["".join(output.data["text/html"]) for output in self.outputs if "text/html" in output.get("data", {})]

    def texts(self) -> list[str]:
        """Return the same as text."""
        return ["".join(output.data["text/plain"]) for output in self.outputs if "text/html" in output.get("data", {})]

    def displays(self) -> list[str]:
        """Return the id of each output that it began."""
        return [each["content"]["transient"]["display_id"] for each in self.sent if each["msg_type"] == "display_data"]

    def updates(self) -> list[str]:
        """Return the id of each output that it replaced, as often as it did."""
        kind = "update_display_data"
        return [each["content"]["transient"]["display_id"] for each in self.sent if each["msg_type"] == kind]

    def error(self) -> str:
        """Return the class of the error that ended it."""
        return next((output.ename for output in self.outputs if output.output_type == "error"), "")


@pytest.fixture(scope="session")
def run_notebook(tmp_path_factory) -> Callable[..., dict[str, Cell]]:
    """Run cells in a kernel; return each under its name."""

    def run(cells: dict[str, str]) -> dict[str, Cell]:
        folder = tmp_path_factory.mktemp("notebook")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(dedent(text)) for text in cells.values()])
        with pytest.MonkeyPatch.context() as patch:
            for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
                patch.setenv(name, str(folder))
            recorder = Recorder(
                notebook,
                allow_errors=True,
                timeout=60,
                resources={"metadata": {"path": str(folder)}},
                extra_arguments=["--HistoryManager.enabled=False"],
            )
            recorder.execute()
        found = enumerate(zip(cells, notebook.cells, strict=True))
        return {name: Cell(cell.outputs, recorder.sent.get(number, [])) for number, (name, cell) in found}

    return run


class FakeScreen:
    """A screen that remembers what was drawn, and breaks when it is drawn for one of so many times."""

    def __init__(self, fails: Container[int] = ()) -> None:
        self.fails = fails
        self.drawn: list[Snapshot] = []
        self.news = threading.Semaphore(0)
        self.closed = False

    def draw(self, snapshot: Snapshot) -> None:
        """Remember it."""
        self.drawn.append(snapshot)
        self.news.release()
        if len(self.drawn) in self.fails:
            raise OSError("the screen broke")

    def close(self) -> None:
        """Remember that, too."""
        self.closed = True

    def states(self) -> list[str]:
        """Return how things stood, each time."""
        return [snapshot.state for snapshot in self.drawn]


@pytest.fixture
def look_on(monkeypatch) -> Callable[..., FakeScreen]:
    """Let one screen be what everybody looks at, often."""

    def show(fails: Container[int] = ()) -> FakeScreen:
        screen = FakeScreen(fails)
        monkeypatch.setattr(live, "find_screen", lambda _progress: screen)
        monkeypatch.setattr(live, "_EVERY", 0.001)
        return screen

    return show


class Terminal:
    """What a program leaves on a terminal of so many columns."""

    def __init__(self, program: str, columns: int, environment: dict[str, str]) -> None:
        self._screen = pyte.Screen(columns, _LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
        command = [sys.executable, "-W", "error", "-c", dedent(program)]
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        with subprocess.Popen(command, **streams, env={**os.environ, **environment}, start_new_session=True) as process:
            os.close(theirs)
            self._read()
        self.status = process.returncode

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._fd, 65536)
            except OSError:  # Linux says so of a terminal that nobody has open any more
                some = b""
            if not some:
                break
            self.raw += some
            self._stream.feed(some)
        os.close(self._fd)

    def lines(self) -> list[str]:
        """Return what stands there at the end."""
        return [text.rstrip() for text in self._screen.display if text.strip()]


@pytest.fixture
def run_on_terminal() -> Iterator[Callable[..., Terminal]]:
    """Run a program on a terminal."""
    return lambda program, columns=120, **environment: Terminal(program, columns, {"TERM": "xterm", **environment})
