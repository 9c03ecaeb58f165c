"""What the tests of rows share: reading bytes into rows, a sandbox with a client, a folder for temporary files."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from khoros_analytics import Client, ExportFormatError, Job, read_rows
from khoros_analytics.sandbox import Sandbox

WINDOW = ("2019-02-01", "2019-02-02")


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch, tmp_path_factory):
    """No test depends on this machine's proxies, certificates, netrc or credentials, nor writes into its folders."""
    names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")]
    for name in (*names, *map(str.lower, names), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("USERNAME", "PASSWORD", "COMPANY_KEY", "REGION", "URL"):
        monkeypatch.delenv(f"KHOROS_ANALYTICS_{name}", raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)


class Reading:
    """What came of reading some bytes: the rows, and the error that ended them, if one did."""

    def __init__(self, content, format=None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.error: ExportFormatError | None = None
        stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
        try:
            for row in read_rows(stream, format=format):
                self.rows.append(row)
        except ExportFormatError as error:
            self.error = error

    @property
    def place(self) -> tuple[int | None, int | None]:
        """Where the error is."""
        assert self.error is not None, self.rows
        return self.error.row, self.error.offset


def _rows(content, format=None):
    reading = Reading(content, format)
    if reading.error:
        raise reading.error
    return reading.rows


@pytest.fixture(scope="session")
def ways() -> SimpleNamespace:
    """Ways to read bytes: ``rows`` are all of them, ``reading`` is as far as it goes."""
    return SimpleNamespace(rows=_rows, reading=Reading)


class Endless(io.RawIOBase):
    """A stream that begins in one way, and goes on in another for ever."""

    def __init__(self, begin: bytes, further: bytes) -> None:
        self.taken = 0
        self._held = begin
        self._further = further

    def readable(self) -> bool:
        return True

    def read(self, size=-1):
        while len(self._held) < size:
            self._held += self._further * (1 + size // len(self._further))
        piece, self._held = self._held[:size], self._held[size:]
        self.taken += len(piece)
        return piece


@pytest.fixture(scope="session")
def endless() -> type[Endless]:
    """Streams without an end."""
    return Endless


class World:
    """A sandbox with a client of its own, and the questions that tests ask of both."""

    def __init__(self, stack: ExitStack, options, settings) -> None:
        self.sandbox = stack.enter_context(Sandbox(**options))
        self.client = stack.enter_context(Client(**{**self.sandbox.settings, **settings}))

    def start(self, name="conversation", **arguments) -> Job:
        """Start an export of one day."""
        return self.client.start(name, *WINDOW, **arguments)

    def content(self, which=-1) -> bytes:
        """Return the bytes that the sandbox has for an export."""
        return self.sandbox.exports[which].content()

    def counts(self):
        """Return how many requests of each kind came: creations, looks, downloads, files."""
        return tuple(self.sandbox.count(phase) for phase in ("create", "status", "download", "file"))


@pytest.fixture
def run() -> Iterator[Callable[..., World]]:
    """Start a sandbox with some options, and a client with some settings. All stop with the test."""
    with ExitStack() as stack:
        yield lambda options=None, **settings: World(stack, options or {}, settings)


@pytest.fixture
def world(run) -> World:
    """A sandbox and a client with all their defaults."""
    return run()


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for files."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, to see what is left there."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(path))
    return path
