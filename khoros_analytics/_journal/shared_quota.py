"""One count of requests for all processes that share a journal: first come, first served, as far as SQLite allows."""

import logging
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._clock import Clock
from ..errors import ConfigurationError
from .process import Process
from .store import Journal

__all__ = ["SharedCount"]

log = logging.getLogger("khoros_analytics")

_TABLES = (
    """CREATE TABLE IF NOT EXISTS requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, mark TEXT NOT NULL UNIQUE, at REAL NOT NULL,
        answered INTEGER NOT NULL, boot TEXT, namespace TEXT, pid INTEGER, born INTEGER
    )""",
    """CREATE TABLE IF NOT EXISTS queue (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, mark TEXT NOT NULL UNIQUE, seen REAL NOT NULL
    )""",
)
_PATIENCE = 0.5  # how long another process that writes is waited for, in seconds
_COUNTS_ALONE = 30.0  # how long a process counts for itself where the file could not be written, in seconds
_SILENCE = 15.0  # who has not asked again for so long has left the queue: a waiting one asks every five seconds
_LONGEST_REQUEST = 900.0  # no answer takes longer than this to begin, in seconds
_SOON = 0.25  # how soon to ask again whether those ahead in the queue have gone, in seconds


class SharedCount:
    """The requests of one account, counted in a journal's file.

    Args:
        journal: The journal.
        clock: Whose time counts.
        window: The length of the sliding window, in seconds.
    """

    def __init__(self, journal: Journal, clock: Clock, window: float) -> None:
        self._journal = journal
        self._clock = clock
        self._window = window
        self._ticket = secrets.token_hex(8)
        self._made = self._failed = False
        self._alone_until = -math.inf

    def take(self, limit: int) -> tuple[float, str]:
        """Count one more request where there is room, and return 0 and its mark; else how many seconds to wait.

        Where the file cannot be written, there is room: the process then counts for itself alone, and says so once.
        """
        mark = secrets.token_hex(8)
        if self._clock.monotonic() < self._alone_until:
            return 0.0, ""
        try:
            with self._writing() as connection:
                wait = self._take(connection, limit, mark)
        except ConfigurationError as error:
            if not self._failed:
                log.warning("%s; the quota is not shared with other processes meanwhile", error)
            self._failed = True
            self._alone_until = self._clock.monotonic() + _COUNTS_ALONE
            return 0.0, ""
        self._failed = False
        return wait, mark

    def answered(self, mark: str) -> None:
        """Note that the answer to a request has begun, or never will: it counts for one window from now."""
        if mark:
            self._quietly("UPDATE requests SET at = ?, answered = 1 WHERE mark = ?", self._clock.time(), mark)

    def leave(self) -> None:
        """Give up the place in the queue."""
        self._quietly("DELETE FROM queue WHERE mark = ?", self._ticket)

    def _quietly(self, statement: str, *values: object) -> None:
        try:
            with self._writing() as connection:
                connection.execute(statement, values)
        except ConfigurationError as error:
            log.debug("%s", error)

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with self._journal.writing(_PATIENCE) as connection:
            for table in () if self._made else _TABLES:
                connection.execute(table)
            self._made = True
            yield connection

    def _take(self, connection: Any, limit: int, mark: str) -> float:
        account, now = self._journal.account, self._clock.time()
        self._forget_old(connection, account, now)
        connection.execute(
            "INSERT INTO queue (account, mark, seen) VALUES (?, ?, ?) "
            "ON CONFLICT (mark) DO UPDATE SET seen = excluded.seen",
            (account, self._ticket, now),
        )
        ahead = connection.execute(
            "SELECT COUNT(*) FROM queue WHERE account = ? AND id < (SELECT id FROM queue WHERE mark = ?)",
            (account, self._ticket),
        ).fetchone()[0]
        begun = [
            row["at"] for row in connection.execute("SELECT at FROM requests WHERE account = ? ORDER BY at", (account,))
        ]
        too_many = len(begun) + ahead + 1 - limit
        if too_many > 0:
            place = min(too_many, len(begun)) - 1
            return max(_SOON, begun[place] + self._window - now) if begun else _SOON
        if ahead:
            return _SOON
        connection.execute("DELETE FROM queue WHERE mark = ?", (self._ticket,))
        process = Process.current()
        who = (process.boot, process.namespace, process.pid, process.born) if process else (None,) * 4
        connection.execute(
            "INSERT INTO requests (account, mark, at, answered, boot, namespace, pid, born) "
            "VALUES (?, ?, ?, 0, ?, ?, ?, ?)",
            (account, mark, now, *who),
        )
        return 0.0

    def _forget_old(self, connection: Any, account: str, now: float) -> None:
        """Drop what counts no more: old requests, those of processes that have died, and places nobody waits in.

        A moment that lies ahead was written before somebody set the clock back.
        """
        connection.execute("UPDATE requests SET at = ? WHERE account = ? AND at > ?", (now, account, now))
        connection.execute(
            "DELETE FROM queue WHERE account = ? AND (seen < ? OR seen > ?)", (account, now - _SILENCE, now)
        )
        for row in connection.execute(
            "SELECT * FROM requests WHERE account = ? AND answered = 0", (account,)
        ).fetchall():
            if row["at"] + _LONGEST_REQUEST <= now or (row["boot"] and _process(row).has_ended()):
                connection.execute("UPDATE requests SET answered = 1 WHERE id = ?", (row["id"],))
        oldest = now - self._window
        connection.execute("DELETE FROM requests WHERE account = ? AND answered = 1 AND at <= ?", (account, oldest))


def _process(row: Any) -> Process:
    return Process(row["boot"], row["namespace"], row["pid"], row["born"])
