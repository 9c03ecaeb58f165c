"""What was started, on disk, so that a dead process costs nothing: a small SQLite file that never holds a secret."""

import hashlib
import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from .._clock import Clock
from .._protocol.arguments import ExportRequest
from .._secrecy import unfinished
from ..errors import ConfigurationError
from .database import PATIENCE, Database, Note
from .entries import ALIVE, Claim, Entry, EntryState
from .lines import DamagedLineError, claimed_line, read_line
from .process import Claimant, Process
from .token import JobIdentity

__all__ = ["Journal", "new_mark"]

log = logging.getLogger("khoros_analytics")

REMEMBERED = 24 * 3600.0
"""How long an export is found again instead of being started anew, in seconds: as long as the server keeps its file."""

_LONGEST_RUN = 7 * REMEMBERED  # how long an export that was never seen ready may still run or be fetched, in seconds
_DURATIONS = 20  # how many exports tell how long the next one takes
_PAGE = 1000  # how many lines are read at once
_DROPPED_AT_ONCE = 1000
_OTHER_PATIENCE = 5.0  # how long a note waits for another process that writes, in seconds
_SOON = 0.2  # the same for one that has waited before

# A line is dropped when it is old enough and nothing can be done with its export any more.
_OLD = """claimed_at < :oldest AND NOT (
    (state = 'claimed' AND claimed_at > :day_ago)
    OR (state = 'started' AND COALESCE(started_at, claimed_at) > :week_ago)
    OR (state IN ('ready', 'saved') AND MAX(COALESCE(started_at, 0), COALESCE(ready_at, 0)) > :day_ago)
)"""


def new_mark() -> str:
    """Return what will name a line, and no other in any journal."""
    return secrets.token_hex(16)


class Journal:
    """The exports of one account in one file. Safe for threads and processes: every call is one transaction.

    Args:
        path: The file, absolute; it is made where there is none, readable by its owner alone.
        account: The mark of the account.
        clock: Whose time counts.
        keep: How long lines are kept; None for ever.

    Raises:
        ConfigurationError: The file cannot be used.
    """

    def __init__(self, path: str, account: str, clock: Clock, keep: timedelta | None = None) -> None:
        self.path: Path = Path(path)
        self.account = account
        self._clock = clock
        self._keep = None if keep is None else keep.total_seconds()
        self._damaged: set[int] = set()
        self._database = Database(self.path)

    @unfinished
    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    # --- starting --------------------------------------------------------------------------------------------------

    def claim(self, request: ExportRequest, mark: str, *, fresh: bool, lease: float) -> Claim:
        """Ask for the right to start an export, for ``lease`` seconds, in a line with that mark.

        The answer is an export that is there already, unless ``fresh``, or that another process is starting it now.
        """
        with self._database.writing() as connection:
            # Not earlier: the calendar may be set while others write, and what they note then would look too old.
            now = self._clock.time()
            last = None if fresh or request.window.end_ms > now * 1000 else self._last(connection, request)
            if last and last.state in ALIVE and last.identity and last.identity.started > now - REMEMBERED:
                return Claim(found=last)
            if last and last.state is EntryState.CLAIMED:
                if not last.claimant.is_gone(self._clock):
                    return Claim(busy=True)
                Note(last.mark, {"state": EntryState.UNKNOWN.value}).write(connection)
            self._insert(connection, request, mark, lease)
            self._drop_old(connection, now)
        was_lost = last is not None and last.state in (EntryState.CLAIMED, EntryState.UNKNOWN)
        return Claim(lost=last if was_lost else None)

    def _last(self, connection: Any, request: ExportRequest) -> Entry | None:
        # What was asked for before its window was over lacks the last rows.
        query = "SELECT * FROM exports WHERE key = ? AND state != ? AND claimed_at * 1000 >= end_ms ORDER BY id DESC"
        rows = connection.execute(query, (self._key(request), EntryState.REFUSED.value))
        return next(filter(None, map(self._entry, rows)), None)

    def _insert(self, connection: Any, request: ExportRequest, mark: str, lease: float) -> None:
        claimant = Claimant(Process.current(), self._clock.time(), self._clock.monotonic(), lease)
        row = {
            "mark": mark,
            "key": self._key(request),
            "account": self.account,
            **claimed_line(request, claimant),
        }
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO exports ({names}) VALUES ({places})", row)  # noqa: S608 - names of our own

    def _key(self, request: ExportRequest) -> str:
        parts = [self.account, request.report.name, request.window.start_ms, request.window.end_ms, request.pairs]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _drop_old(self, connection: Any, now: float) -> None:
        if self._keep is None:
            return
        old = f"SELECT id FROM exports WHERE account = :account AND {_OLD} LIMIT {_DROPPED_AT_ONCE}"  # noqa: S608
        connection.execute(f"DELETE FROM exports WHERE id IN ({old})", {"account": self.account, **self._ages(now)})  # noqa: S608

    def _ages(self, now: float) -> dict[str, float]:
        oldest = -1.0 if self._keep is None else now - self._keep
        return {"oldest": oldest, "day_ago": now - REMEMBERED, "week_ago": now - _LONGEST_RUN}

    # --- noting ----------------------------------------------------------------------------------------------------

    def note(self, mark: str, state: EntryState, *, only_from: tuple[EntryState, ...] = (), **values: object) -> None:
        """Write down how far an export came; with ``only_from``, only if its line says one of these so far.

        Where that fails, it is written at the next chance, before anything else.
        """
        self._database.add(Note(mark, {"state": state.value, **values}, only_from))
        # The ids are what nobody else can find out.
        self._database.write_notes(PATIENCE if state is EntryState.STARTED else _OTHER_PATIENCE)

    def catch_up(self) -> None:
        """Try again to write what could not be written; it goes on waiting where that fails."""
        with suppress(ConfigurationError):
            self._database.write_notes(_SOON)

    @contextmanager
    def writing(self, patience: float) -> Iterator[Any]:
        """Write something else into the same file, all or nothing."""
        with self._database.writing(patience) as connection:
            yield connection

    # --- reading ---------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Read something else of the same file; all queries of the block see the same moment."""
        with self._database.reading() as connection:
            yield connection

    def find(self, identity: JobIdentity) -> Entry | None:
        """Return the line of a job, or None."""
        self.catch_up()
        query = "SELECT * FROM exports WHERE account = ? AND workflow_id = ? AND run_id = ? ORDER BY id DESC"
        ids = (self.account, identity.created.workflow_id, identity.created.run_id)
        with self._database.reading() as connection:
            return next(filter(None, map(self._entry, connection.execute(query, ids))), None)

    def durations(self, kind: tuple[str, timedelta]) -> list[float]:
        """Return how many seconds the last exports of a report and window length took, oldest first."""
        report, length = kind
        query = (
            "SELECT ready_at - started_at AS took FROM exports WHERE account = ? AND report = ? "
            "AND end_ms - start_ms = ? AND ready_at > started_at ORDER BY id DESC LIMIT ?"
        )
        values = (self.account, report, length // timedelta(milliseconds=1), _DURATIONS)
        found: list[object] = []
        with suppress(ConfigurationError), self._database.reading() as connection:
            found = [row["took"] for row in connection.execute(query, values)]
        return [float(took) for took in reversed(found) if isinstance(took, int | float)]

    def entries(
        self, *, report: str | None = None, state: EntryState | None = None, since: float | None = None
    ) -> Iterator[Entry]:
        """Yield the account's exports of one moment, newest first; ``since`` is in seconds since 1970 UTC."""
        self.catch_up()
        wanted = {"report": report, "state": state.value if state else None, "since": since}
        ages = self._ages(self._clock.time())
        # By the index on accounts all lines would be sorted anew for each page.
        query = (
            f"SELECT * FROM exports NOT INDEXED WHERE account = :account AND id < :before AND NOT ({_OLD}) "  # noqa: S608
            "AND (:report IS NULL OR report = :report) AND (:state IS NULL OR state = :state) "
            f"AND (:since IS NULL OR claimed_at >= :since) ORDER BY id DESC LIMIT {_PAGE}"
        )
        before = 2**63 - 1
        with self._database.reading() as connection:
            while rows := connection.execute(
                query, {"account": self.account, "before": before, **wanted, **ages}
            ).fetchall():
                before = rows[-1]["id"]
                yield from filter(None, map(self._entry, rows))

    def _entry(self, row: Any) -> Entry | None:
        """Return what stands in a line, or None for one that is damaged, which is warned of once."""
        try:
            return read_line(row)
        except DamagedLineError as error:
            if row["id"] not in self._damaged:
                self._damaged.add(row["id"])
                log.warning("journal: line %d of %s is damaged (%s); it is skipped", row["id"], self.path, error)
        return None
