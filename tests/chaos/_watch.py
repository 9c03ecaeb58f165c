"""How a life is watched and led: its clock, Ctrl-C at any line, the log, and small sizes that make it quick."""

import ast
import logging
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from mmap import mmap
from pathlib import Path
from types import FrameType
from unittest import mock

import khoros_analytics
from khoros_analytics import Clock
from khoros_analytics._http import download
from khoros_analytics._journal import database, store
from khoros_analytics.sandbox import VirtualClock

__all__ = ["BeatClock", "Lines", "SharedClock", "Stop", "quick"]

PACKAGE = str(Path(khoros_analytics.__file__).parent)
SANDBOX = str(Path(PACKAGE, "sandbox"))


@contextmanager
def quick() -> Iterator[None]:
    """Let a locked journal be waited for hardly at all, and files of some hundred rows be large."""
    sizes = {"_CHUNK_SIZE": 1 << 15, "_SMALL_CHUNK_SIZE": 1 << 12, "_SOUND_AFTER": 1 << 18}
    writing = database.Database.writing.__wrapped__
    with (
        mock.patch.multiple(download, **sizes),
        mock.patch.multiple(store, PATIENCE=0.02, _OTHER_PATIENCE=0.02, _SOON=0.02),
        mock.patch.object(database, "PATIENCE", 0.02),
        mock.patch.object(writing, "__defaults__", (0.02,)),
    ):
        yield


class BeatClock(Clock):
    """The client's clock: virtual, shared with the sandbox, and a place where things happen.

    A beat is whenever the client sleeps, sends a request, or begins to read an answer.
    """

    def __init__(self, shared: VirtualClock, on_beat: Callable[[], None]) -> None:
        self._shared = shared
        self._on_beat = on_beat
        self.leapt = 0.0

    def time(self) -> float:
        return self._shared.time() + self.leapt

    def monotonic(self) -> float:
        return self._shared.monotonic()

    def sleep(self, seconds: float) -> None:
        self._on_beat()
        self._shared.sleep(seconds)

    @contextmanager
    def alarm(self, seconds, expire):
        self._on_beat()
        yield


class SharedClock(VirtualClock):
    """A virtual clock that the child of a fork shares with its parent."""

    def __init__(self, now: float) -> None:
        self._memory = mmap(-1, 8)
        super().__init__(now)

    @property
    def _now(self) -> float:
        return struct.unpack("d", self._memory[:])[0]

    @_now.setter
    def _now(self, now: float) -> None:
        self._memory[:] = struct.pack("d", now)


@cache
def _lines_of_with(path: str) -> frozenset[int]:
    """Return the lines to which the end of a ``with`` block belongs: Python lets no Ctrl-C come between it and them."""
    blocks = [node for node in ast.walk(ast.parse(Path(path).read_bytes())) if isinstance(node, ast.With)]
    return frozenset(place.lineno for node in blocks for place in (node, *(each.context_expr for each in node.items)))


class Stop:
    """Ctrl-C at one line of the package, in this thread, however it comes there."""

    def __init__(self, line: int) -> None:
        self.left = line

    @contextmanager
    def set(self) -> Iterator[None]:
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> object:
        name, code = frame.f_code.co_filename, frame.f_code.co_name
        ours = name.startswith(PACKAGE) and not name.startswith(SANDBOX) and not code.startswith("<")
        return self._at_a_line if ours else None

    def _at_a_line(self, frame: FrameType, event: str, _argument: object) -> object:
        self.left -= event == "line"
        if self.left <= 0 and event == "line" and frame.f_lineno not in _lines_of_with(frame.f_code.co_filename):
            sys.settrace(None)
            raise KeyboardInterrupt
        return self._at_a_line


class Lines(logging.Handler):
    """All lines of the log, and those that warn."""

    NAMES = ("khoros_analytics", "urllib3", "requests")

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.all: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record.getMessage())
        if record.levelno >= logging.WARNING:
            self.warnings.append(self.all[-1])

    @contextmanager
    def listening(self) -> Iterator[None]:
        loggers = [logging.getLogger(name) for name in self.NAMES]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.addHandler(self)
            logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(self)
                logger.setLevel(level)
