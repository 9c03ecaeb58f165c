"""A dataset on disk or in object storage: every step leaves it in a state from which any later run goes on."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from attrs import define, evolve, field

from .._storage.folder import Folder
from ..errors import TargetError
from ..times import Window
from .records import (
    FORMAT,
    DamagedRecordError,
    Identity,
    Intent,
    Line,
    Running,
    dump,
    fingerprint,
    key_of,
    load,
    window_of,
)

__all__ = ["ABOUT", "LEASE", "Contents", "DatasetFiles", "digest"]

log = logging.getLogger("khoros_analytics")

ABOUT = "_khoros_analytics"
"""The folder in which a dataset says what it is; engines that read it skip names that begin with ``_``."""
LEASE = f"{ABOUT}/lease"
_CHUNK_SIZE = 1 << 20
_IDENTITY = f"{ABOUT}/dataset.json"
_WINDOWS, _RUNNING, _INTENTS = f"{ABOUT}/windows/", f"{ABOUT}/running/", f"{ABOUT}/intents/"


_ELSEWHERE = "give another folder or URL"


def _running(key: str) -> str:
    return f"{_RUNNING}{key}.json"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@define
class Contents:
    """What a dataset holds, as one listing found it.

    Attributes:
        lines: The windows that have landed, by their names.
        running: The exports that were started, by the names of their windows.
        damaged: The windows whose file is not as long as their line says, or gone.
        leftovers: What a run that was killed left behind: the names of files, in the dataset.
    """

    lines: dict[str, Line] = field(factory=dict)
    running: dict[str, Running] = field(factory=dict)
    damaged: set[str] = field(factory=set)
    leftovers: list[str] = field(factory=list)


class DatasetFiles:
    """The files of one dataset, written by whoever holds its lease.

    Args:
        folder: Where it is.
        identity: What it is.
    """

    def __init__(self, folder: Folder, identity: Identity) -> None:
        self.folder = folder
        self.identity: Identity = identity

    def __repr__(self) -> str:
        return f"<DatasetFiles of {self.identity.report} in {self.folder}>"

    # --- opening ---------------------------------------------------------------------------------------------------

    @classmethod
    def find(cls, folder: Folder) -> "DatasetFiles | None":
        """Return the dataset that is there, or None for an empty place; a TargetError for one that holds other data."""
        content = folder.read(_IDENTITY)
        if content is None:
            if any(not found.name.startswith((f"{ABOUT}/", ".")) for found in folder.names()):
                raise TargetError(f"{folder} holds other files, and no dataset of this library", advice=_ELSEWHERE)
            return None
        try:
            identity = load(Identity, content)
        except DamagedRecordError as error:
            raise TargetError(f"{folder}: {_IDENTITY} is damaged ({error})", advice=_ELSEWHERE) from None
        if identity.format != FORMAT:
            raise TargetError(
                f"{folder} was written by another version of this library (layout {identity.format}, this one writes "
                f"{FORMAT})",
                advice="use that version, or give another folder or URL",
            )
        return cls(folder, identity)

    @classmethod
    def open_or_create(cls, folder: Folder, wanted: Identity, *, replace: bool) -> "DatasetFiles":
        """Return the dataset for a run that holds the lease; other arguments are refused, or begin it anew."""
        there = cls.find(folder)
        if there is not None:
            there.check_same(wanted, replace=replace)
            if not there.identity.differences(wanted):
                return there
            there.clear()
        dataset = cls(folder, wanted)
        dataset._write_identity()
        return dataset

    def check_same(self, wanted: Identity, *, replace: bool) -> None:
        """Raise a TargetError that names what is different from what is wanted."""
        differences = wanted.differences(self.identity)
        if differences and not replace:
            raise TargetError(
                f"{self.folder} holds a backfill with other arguments: {', '.join(differences)}",
                advice="give another folder or URL, or replace=True, which removes what is there and begins anew",
            )

    def clear(self) -> None:
        """Remove all windows, what is said of them first.

        The identity stays until another one takes its place: a run that is killed meanwhile leaves no files of which
        nobody knows what they are.
        """
        found = [each.name for each in self.folder.names()]
        for name in sorted(found, key=lambda name: not name.startswith(f"{ABOUT}/")):
            if name not in (LEASE, _IDENTITY):
                self.folder.remove(name)

    def _write_identity(self) -> None:
        self.folder.write(_IDENTITY, dump(self.identity))

    # --- what is there ---------------------------------------------------------------------------------------------

    def contents(self) -> Contents:
        """Return what the dataset holds, by one listing and the small files that it names."""
        sizes = {found.name: found.size for found in self.folder.names()}
        small = [name for name in sizes if name.startswith((_WINDOWS, _RUNNING)) and name.endswith(".json")]
        contents = Contents()
        for name, content in self.folder.read_all(small).items():
            with suppress(DamagedRecordError):  # as if it were not there: the window is exported again
                if name.startswith(_WINDOWS):
                    line = load(Line, content)
                    contents.lines[line.key] = line
                else:
                    running = load(Running, content)
                    contents.running[running.key] = running
        for key, line in contents.lines.items():
            if line.sha256 and sizes.get(self.file_of(key)) != line.bytes:
                contents.damaged.add(key)
            elif not line.sha256 and self.file_of(key) in sizes:
                contents.leftovers.append(self.file_of(key))  # of rows that the window once had
            if line.job and key in contents.running and contents.running[key].job == line.job:
                del contents.running[key]  # it has landed
                contents.leftovers.append(_running(key))
        return contents

    def remove_leftovers(self, contents: Contents) -> None:
        """Remove what a run that was killed in a last step left behind."""
        for name in contents.leftovers:
            self.folder.remove(name)

    def changed(self, lines: Iterable[Line]) -> Iterator[str]:
        """Yield the names of the windows whose file is not the one that was put there, by reading all of them."""
        for line in lines:
            if line.sha256 and self._digest_of(line.key) != line.sha256:
                yield line.key

    def file_of(self, key: str) -> str:
        """Return the name of a window's file."""
        return f"window={key}/{self.identity.report}.{self.identity.save_as}"

    def key_of(self, window: Window) -> str:
        """Return a window's name."""
        return key_of(window, by_date=self.identity.by_date)

    def window_of(self, line: Line | Running) -> Window:
        """Return the window of a record."""
        return window_of(line, self.identity.zone)

    def _digest_of(self, key: str) -> str:
        try:
            found = hashlib.sha256()
            with self.folder.open(self.file_of(key)) as file:
                while chunk := file.read(_CHUNK_SIZE):
                    found.update(chunk)
            return found.hexdigest()
        except TargetError:
            return ""

    # --- the steps of a window -------------------------------------------------------------------------------------

    def started(self, running: Running) -> None:
        """Write down an export before it is waited for."""
        self.folder.write(_running(running.key), dump(running))

    def not_running(self, key: str) -> None:
        """Forget an export that is over."""
        self.folder.remove(_running(key))

    def land(self, line: Line, old: Line | None = None) -> None:
        """Write down that a window's file is in its place; ``old`` is the line that it takes the place of."""
        self._write_line(line)
        if old is not None and old.sha256 and not line.sha256:
            self.folder.remove(self.file_of(line.key))
        self.folder.remove(f"{_INTENTS}{line.key}.json")
        self.not_running(line.key)

    def will_replace(self, old: Line, new: Line) -> None:
        """Write down that a file is about to be replaced: after a kill either of the two is the window's."""
        self.folder.write(f"{_INTENTS}{old.key}.json", dump(Intent(key=old.key, old=old.sha256, new=new)))

    def put(self, key: str, file: Path) -> None:
        """Put a window's file in its place."""
        self.folder.put(self.file_of(key), file)

    def _write_line(self, line: Line) -> None:
        self.folder.write(f"{_WINDOWS}{line.key}.json", dump(line))

    def widen(self, schema: str) -> None:
        """Write down which columns all files are to have from now on."""
        self.identity = evolve(self.identity, schema=schema)
        self._write_identity()

    def outdated(self, lines: Iterable[Line]) -> list[Line]:
        """Return the windows whose file has not the columns of the dataset."""
        wanted = fingerprint(self.identity.schema)
        return [line for line in lines if line.sha256 and line.schema != wanted]

    # --- after a kill, and the end of data ---------------------------------------------------------------------------

    def recover(self) -> None:
        """Finish what a run that died was replacing, and remove what it left half-written."""
        for found in self.folder.names():
            name = found.name.rpartition("/")[2]
            if name.startswith(".") and name.endswith(".part"):
                self.folder.remove(found.name)
            elif found.name.startswith(_INTENTS):
                self._recover_intent(found.name)

    def _recover_intent(self, name: str) -> None:
        content = self.folder.read(name)
        with suppress(DamagedRecordError):
            intent = load(Intent, content or b"")
            if intent.new.sha256 and self._digest_of(intent.key) == intent.new.sha256:
                self._write_line(intent.new)
        self.folder.remove(name)

    def forget(self, before: int) -> list[Line]:
        """Remove the windows that ended at this moment or earlier, in epoch milliseconds, and return their lines."""
        contents = self.contents()
        old = [line for line in contents.lines.values() if line.end_ms <= before]
        for line in old:
            # The file first: a line without a file is noticed, a file without a line would be rows nobody knows of.
            self.folder.remove(self.file_of(line.key))
            self.folder.remove(f"{_WINDOWS}{line.key}.json")
            log.info("%s: window %s removed, %d rows", self.folder, line.key, line.rows)
        for running in contents.running.values():
            if running.end_ms <= before:
                self.not_running(running.key)
        return old
