"""Somebody else who may write where the files and the journal are."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

__all__ = ["OLD", "Intruder"]

OLD = b"what was here before\n"


class Intruder:
    """Somebody else who may write where the files and the journal are."""

    def __init__(self, files: Path, journal: Path) -> None:
        self.files, self.journal = files, journal
        self.victim = files.parent / "victim"
        self.victim.write_bytes(OLD)
        self.been_here = False
        self.until: int | None = None
        self._lock: sqlite3.Connection | None = None
        self._full = False

    def lay_hands_on_parts(self, kind: str) -> None:
        """Do something to the partial files."""
        for part in self.files.glob(".*.part"):
            self.been_here = True
            with suppress(OSError):
                if kind == "replace":
                    part.unlink()
                    part.write_bytes(b"something else\r\n" * 7)
                elif kind == "truncate":
                    os.truncate(part, part.stat().st_size // 2)
                elif kind == "append":
                    with part.open("ab") as file:
                        file.write(b"more,of,it\r\n")
                elif kind == "note":
                    part.with_suffix(".note").write_text('{"validator": 7, "total": "x"}')
                else:
                    part.unlink()
                    if kind == "link":
                        part.symlink_to(self.victim)

    def trouble(self, kind: str) -> None:
        """Make trouble for whoever uses the journal, if there is one yet."""
        if not self.journal.exists():
            return
        with suppress(sqlite3.Error):
            if kind == "locked" and self._lock is None:
                self._lock = sqlite3.connect(self.journal, timeout=0, isolation_level=None, check_same_thread=False)
                self._lock.execute("BEGIN IMMEDIATE")
            elif kind == "full":
                self._run(FULL)
                self._full = True
            elif kind == "damaged":
                self._run(DAMAGED)

    def leave(self) -> None:
        """Undo what would last."""
        self.until = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._full:
            self._run("DROP TRIGGER IF EXISTS full")
            self._full = False

    def _run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.journal, timeout=1, isolation_level=None)) as connection:
            connection.execute(statement)


FULL = "CREATE TRIGGER full BEFORE UPDATE ON exports BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
# A line of the same export that makes no sense, newer than the true one.
DAMAGED = """INSERT INTO exports (mark, key, account, report, start_ms, end_ms, zone, arguments, state, claimed_at,
    claimed_monotonic, lease, host, pid, workflow_id, run_id, started_at)
    SELECT mark || hex(randomblob(4)), key, account, report, start_ms, 'soon', zone, '{', state, claimed_at,
    claimed_monotonic, lease, host, pid, workflow_id, run_id, 'never' FROM exports"""
