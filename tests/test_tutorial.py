"""The tutorial as its readers use it: pasted at Python's own prompt, run as a notebook, and typed into a shell."""

import os
import pty
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = runpy.run_path(str(ROOT / "docs/_ext/notebook.py"))
PATIENCE = 60  # for a prompt, a kernel or a server on a busy machine, in seconds


def blocks(kind: str) -> list[tuple[str, str]]:
    """Return the blocks of one language, each with what the page says that it shows."""
    found = [block for block in PAGE["blocks"](PAGE["TUTORIAL"].read_text(encoding="utf-8")) if block.kind != "words"]
    following = [*found[1:], found[-1]]
    return [
        (block.text, after.text if after.kind == "text" else "")
        for block, after in zip(found, following, strict=True)
        if block.kind == kind
    ]


def test_notebook_is_the_page() -> None:
    """The notebook that comes with the project is made of the page as it is now."""
    assert PAGE["main"](["--check"]) == 0


# --- as a notebook ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_run_all_twice(tmp_path: Path) -> None:
    """Run All, and Run All again in the same kernel and folder: no cell fails, and each shows what the page says."""
    import nbformat  # noqa: PLC0415 - a second for one test
    from nbclient import NotebookClient  # noqa: PLC0415

    notebook = nbformat.read(PAGE["NOTEBOOK"], as_version=4)
    wanted = [shown(cell) for cell in notebook.cells]
    runner = NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": str(tmp_path)}})
    with runner.setup_kernel():
        for _ in range(2):
            for number, cell in enumerate(notebook.cells):
                runner.execute_cell(cell, number)
            assert [shown(cell) for cell in notebook.cells] == wanted


def shown(cell: Any) -> str:
    """Return the text that a cell shows, without the cards of its waits."""
    outputs = cell.get("outputs", [])
    texts = [one["text"] for one in outputs if one.get("name") == "stdout"]
    texts += [one["data"]["text/plain"] for one in outputs if one["output_type"] == "execute_result"]
    return "".join(texts).rstrip()


# --- at Python's own prompt -------------------------------------------------------------------------------------------


class Prompt:
    """Python's own prompt on a terminal, with somebody who pastes."""

    CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")
    WANTS_BRACKETS, NO_BRACKETS = "\x1b[?2004h", "\x1b[?2004l"

    def __init__(self, folder: Path) -> None:
        self.terminal, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (100, 200))
        environment = {**os.environ, "TERM": "xterm", "PYTHON_COLORS": "0"}
        environment.pop("PYTHONSTARTUP", None)
        self.process = subprocess.Popen(
            [sys.executable, "-i", "-q"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment
        )
        os.close(theirs)
        self.brackets = self.WANTS_BRACKETS in self.read_until(r">>> $")

    def read_until(self, end: str) -> str:
        """Return what the terminal was sent, once the text among it ends like this."""
        seen, last = "", time.monotonic() + PATIENCE
        while not re.search(end, self.CONTROL.sub("", seen)):
            assert select.select([self.terminal], [], [], max(0, last - time.monotonic()))[0], seen
            seen += os.read(self.terminal, 65536).decode("utf-8")
        return seen

    def paste(self, text: str) -> str:
        """Paste a block, press Enter, and return what is on the terminal until the next prompt."""
        if self.brackets:
            # The prompt of Python 3.13 and later asks the terminal to say where what was pasted begins and ends.
            os.write(self.terminal, f"\x1b[200~{text}\x1b[201~\r".encode())
            seen = self.read_until(r">>> $")
            while self.WANTS_BRACKETS not in seen.partition(self.NO_BRACKETS)[2]:
                seen += self.read_until(r">>> $")
        else:
            seen = ""
            for line in text.rstrip().splitlines():
                os.write(self.terminal, f"{line}\n".encode())
                seen += self.read_until(r"(>>>|\.\.\.) $")
        return self.CONTROL.sub("", seen)

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Prompt]:
    prompt = Prompt(tmp_path)
    yield prompt
    prompt.close()


@pytest.mark.slow
def test_pasted_at_the_prompt(prompt: Prompt) -> None:
    """Pasted at the prompt, no block fails or waits for more, and each shows what the page says."""
    for text, shows in blocks("python"):
        seen = prompt.paste(text)
        assert "Traceback" not in seen
        at = 0
        for line in shows.splitlines():
            at = seen.find(f"\n{line}\n", at) + 1
            assert at, f"{line!r} is not shown, but {seen}"


# --- by hand ----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the command as it is installed by the page's first lines."""
    command = tmp_path / ".venv/bin/khoros-analytics"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m khoros_analytics "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path


@pytest.mark.slow
def test_typed_into_a_shell(commands: Path) -> None:
    """The commands of the page run in one shell, beside the sandbox that the page starts, and show what it says."""
    port = free_port()
    typed = [(text.replace("8080", str(port)), shows) for text, shows in blocks("sh") if "pip install" not in text]
    (server, _), *others = [(text, shows) for text, shows in typed if "=..." not in text]
    with subprocess.Popen(server.split(), cwd=commands, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        sandbox.stdout.readline()
        try:
            script = "set -eu\nsleep() { command sleep 0; }\n" + "".join(
                f"{text}echo end of block\n" for text, _ in others
            )
            command = ["bash", "-c", script]
            done = subprocess.run(command, cwd=commands, capture_output=True, text=True, timeout=PATIENCE, check=False)
        finally:
            sandbox.terminate()
    assert done.returncode == 0, done.stderr
    for said, (_, shows) in zip(done.stdout.split("end of block\n"), others, strict=False):
        assert not shows or said == shows
