"""What the tests of rows share: reading bytes into rows, and streams without an end."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from khoros_analytics import ExportFormatError, read_rows


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
