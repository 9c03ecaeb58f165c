"""The note beside a partial file: what its bytes belong to, for whoever goes on with them."""

import json
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from attrs import define, field

from .own_files import create, is_at, open_own, remove

__all__ = ["Note"]

_LONGEST = 1 << 20  # in bytes
_CHANGING = ("size", "modified")


@define(eq=False)
class Note:
    """A small file for its owner alone.

    Attributes:
        path: Where it is.
    """

    path: Path
    _file: FileIO | None = field(default=None, repr=False)
    _length: int = 0
    _facts: str = ""

    def read(self, owner: int) -> dict[str, Any]:
        """Return what a file of this user says; nothing where it is somebody else's, damaged, or not there."""
        self.close()
        self._file = open_own(self.path, owner)
        noted = self._read()
        if noted:
            self._facts = _facts_of({name: noted[name] for name in noted if name not in _CHANGING})
        else:
            self.close()
        return noted

    def _read(self) -> dict[str, Any]:
        try:
            if self._file is None or os.fstat(self._file.fileno()).st_nlink > 1:
                return {}
            text = self._file.read(_LONGEST)
            noted = json.loads(text)
        except (OSError, ValueError):
            return {}
        self._length = len(text)
        return noted if isinstance(noted, dict) else {}

    def write(self, noted: Mapping[str, object], size: int, modified: int) -> None:
        """Say something else, also of the part's size in bytes and its time in nanoseconds."""
        if self._file is None or not is_at(self.path, self._file.fileno()):
            self.close()
            self.path.unlink(missing_ok=True)
            self._file = create(self.path, 0o600)
        self._facts = _facts_of(noted)
        self.update(size, modified)

    def update(self, size: int, modified: int) -> None:
        """Say how far the part is by now, if it says anything: cheaply, and a kill leaves the one or the other."""
        if self._file is None or not self._facts:
            return
        text = f'{self._facts}, "size": {size}, "modified": {modified}}}'.encode().ljust(self._length)
        self._length = len(text)
        self._file.seek(0)
        self._file.write(text)

    def remove(self) -> None:
        """Remove it: nobody can go on with the bytes from here on."""
        self.close()
        remove(self.path)

    def close(self) -> None:
        """Leave it as it is."""
        file, self._file, self._length, self._facts = self._file, None, 0, ""
        if file:
            file.close()


def _facts_of(noted: Mapping[str, object]) -> str:
    """Return the text of what does not change from one piece to the next, open at its end."""
    return json.dumps(noted)[:-1]
