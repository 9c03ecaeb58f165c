"""The journal's file: opened for one transaction at a time, only if it is a journal, and what has to wait for it."""

import atexit
import errno
import os
import stat
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from ..errors import ConfigurationError
from .entries import EntryState
from .lines import COLUMNS

__all__ = ["PATIENCE", "Database", "Note"]

PATIENCE = 30.0
"""How long it is waited for another process that writes, in seconds, where nothing could be made up for later."""

_APPLICATION = 0x6B6A726E  # names the files of this library among all SQLite files
_VERSION = 3
_EARLIER_VERSIONS = (1, 2)  # had no name of their own
_LAST_CHANCE = 1.0  # how long it is waited when the program ends, in seconds

_SCHEMA = (
    f"CREATE TABLE exports ({COLUMNS})",
    "CREATE INDEX exports_by_key ON exports (key, id)",
    "CREATE INDEX exports_by_age ON exports (account, claimed_at)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"})


@frozen
class Note:
    """What is to be written into one line: ``values``, if its state is one of ``only_from``, where that is given."""

    mark: str
    values: Mapping[str, object]
    only_from: tuple[EntryState, ...] = ()

    def write(self, connection: Any) -> None:
        """Write it, as often as you like."""
        assignments = ", ".join(f"{name} = ?" for name in self.values)
        states = [state.value for state in self.only_from]
        condition = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
        connection.execute(
            f"UPDATE exports SET {assignments} WHERE mark = ?{condition}",  # noqa: S608 - names of our own
            (*self.values.values(), self.mark, *states),
        )


@define(eq=False)
class _Waiting:
    """The notes that this process has not written into one file yet, in their order."""

    lock: threading.Lock = field(factory=threading.Lock)
    notes: deque[Note] = field(factory=deque)


_waiting: dict[tuple[int, Path], _Waiting] = {}


class Database:
    """A journal's file. Connections are neither kept nor shared, so threads and forks do no harm.

    A file that is not there is made, readable by its owner alone. Everything that goes wrong is a ConfigurationError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _make(path)
            self._prepare()
            path.chmod(0o600)  # not earlier: a file that is not a journal stays as it is
        except ConfigurationError:
            raise
        except (OSError, ValueError) as error:
            raise self._unusable(getattr(error, "strerror", None) or str(error)) from error

    def _unusable(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"journal: {self.path} cannot be used: {why}; {_advice(why)}")

    # --- opening ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        import sqlite3  # noqa: PLC0415 - a client without a journal does without it

        with self._connected(PATIENCE) as connection:
            connection.execute("BEGIN")
            known = self._is_journal(connection)
            connection.execute("ROLLBACK")
            if not known:
                connection.execute("BEGIN IMMEDIATE")
                for statement in () if self._is_journal(connection) else _SCHEMA:
                    connection.execute(statement)
                connection.execute("COMMIT")
            # So that nobody who reads keeps out one who writes. Whoever cannot switch now leaves it to the next.
            if not _is_wal(connection) and not _is_on_network(self.path):
                with suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA journal_mode = WAL")

    def _is_journal(self, connection: Any) -> bool:
        """Return whether it is one already; False for an empty file, and an error for everything else."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        if (application, version) == (_APPLICATION, _VERSION):
            return True
        if application == _APPLICATION or (version in _EARLIER_VERSIONS and "exports_by_key" in names):
            raise ConfigurationError(
                f"journal: {self.path} was written by another version of this library (format {version}); "
                "use that version, or another file"
            )
        if application or version or names:
            raise ConfigurationError(
                f"journal: {self.path} is a database of another program, and is left as it is; give another file"
            )
        return False

    @contextmanager
    def _connected(self, patience: float) -> Iterator[Any]:
        import sqlite3  # noqa: PLC0415 - as above

        try:
            # Not made anew here: a journal that somebody removed would come back readable by everybody.
            address = f"{self.path.as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.text_factory = _decode
                yield connection
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    # --- reading and writing -----------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Read; all queries of the block see the same moment, and keep nobody from writing."""
        with self._connected(PATIENCE) as connection:
            if _is_wal(connection):
                connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self, patience: float = PATIENCE) -> Iterator[Any]:
        """Write, all or nothing; what had to wait is written first."""
        waiting = self._waiting()
        with waiting.lock, self._connected(patience) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                notes = list(waiting.notes)
                for note in notes:
                    # A text or number that SQLite cannot hold now it never will.
                    with suppress(UnicodeError, OverflowError):
                        note.write(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            for _ in notes:
                waiting.notes.popleft()

    def add(self, note: Note) -> None:
        """Keep a note until it is written, at the end of the program if not earlier."""
        self._waiting().notes.append(note)

    def write_notes(self, patience: float) -> None:
        """Write what is waiting; it goes on waiting where that fails."""
        if self._waiting().notes:
            with self.writing(patience):
                pass

    def _waiting(self) -> _Waiting:
        """Return the notes of this process; the child of a fork leaves its parent's alone."""
        key = (os.getpid(), self.path)
        if key not in _waiting:
            _waiting.setdefault(key, _Waiting())
            atexit.register(self._write_at_the_end)
        return _waiting[key]

    def _write_at_the_end(self) -> None:
        with suppress(ConfigurationError):
            self.write_notes(_LAST_CHANCE)


def _advice(why: str) -> str:
    if "locked" in why or "busy" in why:
        return "wait until the program that holds it is done, or give this client a journal of its own; then call again"
    if "malformed" in why or "not a database" in why:
        return (
            "move it away and start with a new one; exports that run go on, and client.job(token) finds those whose "
            "token you have"
        )
    return "check the path, its permissions and the space on its disk, or give another one"


def _make(path: Path) -> None:
    # Not by SQLite, which would let everybody read it.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not an ordinary file")
    finally:
        os.close(descriptor)


def _decode(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _is_wal(connection: Any) -> bool:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]).lower() == "wal"


def _is_on_network(path: Path) -> bool:
    """Return whether other machines may see the file, too: WAL needs memory that all who use it share."""
    with suppress(OSError, LookupError):
        mounts = [
            line.partition(" - ")[::2] for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        device = path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        return any(about.split()[2] == number and kind.split()[0] in _NETWORK for about, kind in mounts)
    return False
