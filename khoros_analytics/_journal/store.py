"""What was started, on disk, so that a dead process costs nothing: a small SQLite file that never holds a secret."""

import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .._clock import Clock
from .._protocol.arguments import ExportRequest, find_report, from_json, to_json
from .._protocol.messages import Created
from .._storage.atomic import SavedFile
from ..errors import ConfigurationError
from ..times import Window
from .entries import ALIVE, Claim, Entry, EntryState
from .token import JobIdentity

__all__ = ["Journal"]

REMEMBERED = 24 * 3600.0
"""How long an export is found again instead of being started anew, in seconds: as long as the server keeps its file."""

_VERSION = 2
_BUSY_TIMEOUT = 30.0  # how long SQLite waits for another process that writes, in seconds
_THIS_PROCESS = secrets.token_hex(16)

_TABLE = """
CREATE TABLE IF NOT EXISTS exports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    account TEXT NOT NULL,
    report TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    zone TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    claimed_at REAL NOT NULL,
    lease_until REAL NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process TEXT NOT NULL,
    workflow_id TEXT,
    run_id TEXT,
    started_at REAL,
    ready_at REAL,
    file TEXT,
    file_size INTEGER,
    file_modified_ns INTEGER
);
CREATE INDEX IF NOT EXISTS exports_by_key ON exports (key, id);
"""


class Journal:
    """The exports of one account in one file. Safe for threads and processes: every call is one transaction.

    Args:
        path: The file, absolute; it is made where there is none, readable by its owner alone.
        account: The mark of the account.
        clock: Whose time counts.

    Raises:
        ConfigurationError: The file cannot be used.
    """

    def __init__(self, path: str, account: str, clock: Clock) -> None:
        self.path = Path(path)
        self._account = account
        self._clock = clock
        try:
            # Made here and not by SQLite, which would let everybody read it.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._transaction() as database:
                self._prepare(database)
            self.path.chmod(0o600)  # not earlier: a file that is not a journal stays as it is
        except ConfigurationError:
            raise
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(f"journal: {self.path} cannot be used: {why}") from error

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    def _prepare(self, database: Any) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise ConfigurationError(
                f"journal: {self.path} was written by another version of this library (format {version}); "
                "use that version, or another file"
            )
        for statement in filter(str.strip, _TABLE.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Open the file for one transaction; connections are neither kept nor shared."""
        import sqlite3  # noqa: PLC0415 - a client without a journal does without it

        try:
            with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT, isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise ConfigurationError(f"journal: {self.path} cannot be used: {error}") from error

    def claim(self, request: ExportRequest, *, fresh: bool, lease: float) -> Claim:
        """Ask for the right to start an export, for ``lease`` seconds.

        The answer is an export that is there already, unless ``fresh``, or a claim to start it, or that another process
        is starting it now.
        """
        mine: list[int] = []
        try:
            return self._claim(request, mine, fresh=fresh, lease=lease)
        except BaseException:
            # Interrupted while the file was flushed: nobody works on this claim, and nobody should wait for it.
            for number in mine:
                self.update(number, EntryState.REFUSED, was=EntryState.CLAIMED)
            raise

    def _claim(self, request: ExportRequest, mine: list[int], *, fresh: bool, lease: float) -> Claim:
        now = self._clock.time()
        with self._transaction() as database:
            last = None if fresh or request.window.end_ms > now * 1000 else self._last(database, request)
            if last is not None:
                entry, state = self._entry(last), EntryState(last["state"])
                if state in ALIVE and last["started_at"] > now - REMEMBERED:
                    return Claim(found=entry)
                if state is EntryState.CLAIMED and not _is_dead(last, now):
                    return Claim(busy=True)
                if state is EntryState.CLAIMED:
                    self._set(database, entry.number, state=EntryState.UNKNOWN.value)
            number = self._insert(database, request, now, lease)
            mine.append(number)
            was_lost = last is not None and last["state"] in (EntryState.CLAIMED.value, EntryState.UNKNOWN.value)
            return Claim(number, lost=self._entry(last) if was_lost else None)

    def _last(self, database: Any, request: ExportRequest) -> Any:
        # What was asked for before its window was over lacks the last rows.
        query = (
            "SELECT * FROM exports WHERE key = ? AND state != ? AND claimed_at * 1000 >= end_ms "
            "ORDER BY id DESC LIMIT 1"
        )
        return database.execute(query, (self._key(request), EntryState.REFUSED.value)).fetchone()

    def _insert(self, database: Any, request: ExportRequest, now: float, lease: float) -> int:
        row = {
            "key": self._key(request),
            "account": self._account,
            "report": request.report.name,
            "start_ms": request.window.start_ms,
            "end_ms": request.window.end_ms,
            "zone": request.window.zone,
            "arguments": json.dumps(to_json(request.arguments)),
            "state": EntryState.CLAIMED.value,
            "claimed_at": now,
            "lease_until": now + lease,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process": _THIS_PROCESS,
        }
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        return int(database.execute(f"INSERT INTO exports ({names}) VALUES ({marks})", row).lastrowid)  # noqa: S608

    def update(self, number: int, state: EntryState, *, was: EntryState | None = None, **values: object) -> None:
        """Write down how far an export came; with ``was``, only if that is what its line says so far."""
        with self._transaction() as database:
            self._set(database, number, was=was, state=state.value, **values)

    def find(self, identity: JobIdentity) -> Entry | None:
        """Return the line of a job, or None."""
        query = "SELECT * FROM exports WHERE account = ? AND workflow_id = ? AND run_id = ? ORDER BY id DESC LIMIT 1"
        ids = (self._account, identity.created.workflow_id, identity.created.run_id)
        with self._transaction() as database:
            row = database.execute(query, ids).fetchone()
            return self._entry(row) if row else None

    def entries(self) -> list[Entry]:
        """Return the account's exports, newest first."""
        with self._transaction() as database:
            rows = database.execute("SELECT * FROM exports WHERE account = ? ORDER BY id DESC", (self._account,))
            return [self._entry(row) for row in rows]

    def _set(self, database: Any, number: int, *, was: EntryState | None = None, **values: object) -> None:
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        condition = "" if was is None else " AND state = :was"
        row = {**values, "number": number, "was": was.value if was else None}
        database.execute(f"UPDATE exports SET {assignments} WHERE id = :number{condition}", row)  # noqa: S608

    def _key(self, request: ExportRequest) -> str:
        parts = [self._account, request.report.name, request.window.start_ms, request.window.end_ms, request.pairs]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _entry(self, row: Any) -> Entry:
        window = Window(row["start_ms"], row["end_ms"], row["zone"])
        request = from_json(find_report(row["report"]), window, json.loads(row["arguments"]))
        identity = None
        if row["workflow_id"]:
            identity = JobIdentity(request, Created(row["workflow_id"], row["run_id"]), row["started_at"])
        saved = None
        if row["file"]:
            saved = SavedFile(Path(row["file"]), row["file_size"], row["file_modified_ns"])
        state = EntryState(row["state"])
        return Entry(row["id"], request, state, row["claimed_at"], identity, row["ready_at"], saved)


def _is_dead(row: Any, now: float) -> bool:
    """Return whether nobody works on a claim any more."""
    if now >= row["lease_until"]:
        return True
    if row["host"] != socket.gethostname():
        return False
    if row["pid"] == os.getpid():
        return bool(row["process"] != _THIS_PROCESS)
    return not _is_running(row["pid"])


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        return True  # there, asking would end it; the lease decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
