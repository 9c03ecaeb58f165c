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


@define(eq=False)
class Note:
    """A small file for its owner alone.

    Attributes:
        path: Where it is.
    """

    path: Path
    _file: FileIO | None = field(default=None, repr=False)
    _length: int = 0

    def read(self, owner: int) -> dict[str, Any]:
        """Return what a file of this user says; nothing where it is somebody else's, damaged, or not there."""
        self.close()
        self._file = open_own(self.path, owner)
        try:
            if self._file is None or os.fstat(self._file.fileno()).st_nlink > 1:
                return {}
            text = self._file.read(_LONGEST)
            noted = json.loads(text)
        except (OSError, ValueError):
            return {}
        self._length = len(text)
        return noted if isinstance(noted, dict) else {}

    def write(self, noted: Mapping[str, object]) -> None:
        """Say something else, at once: a kill leaves the one or the other."""
        if self._file is None or not is_at(self.path, self._file.fileno()):
            self.close()
            self.path.unlink(missing_ok=True)
            self._file = create(self.path, 0o600)
        text = json.dumps(noted).encode().ljust(self._length)
        self._length = len(text)
        self._file.seek(0)
        self._file.write(text)

    def remove(self) -> None:
        """Remove it: nobody can go on with the bytes from here on."""
        self.close()
        remove(self.path)

    def close(self) -> None:
        """Leave it as it is."""
        file, self._file, self._length = self._file, None, 0
        if file:
            file.close()
