"""The columns that a company's reports have, as some process found them: kept in a journal's file for all others."""

import json
import logging
from typing import Any

from ..errors import ConfigurationError
from .store import Journal

__all__ = ["read_columns", "write_columns"]

log = logging.getLogger("khoros_analytics")

# One row for each report of an account. What stands in `content` names its own version: whoever does not know it goes
# without, and writes it anew.
_TABLE = """CREATE TABLE IF NOT EXISTS columns (
    account TEXT NOT NULL, report TEXT NOT NULL, found_at REAL NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (account, report)
)"""
_IS_THERE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'columns'"
_PATIENCE = 0.5  # how long another process that writes is waited for, in seconds


def read_columns(journal: Journal, report: str) -> tuple[float, Any] | None:
    """Return when a report's columns were found, in seconds since 1970 UTC, and them; None where nobody did."""
    try:
        with journal.reading() as connection:
            if connection.execute(_IS_THERE).fetchone() is None:
                return None
            row = connection.execute(
                "SELECT found_at, content FROM columns WHERE account = ? AND report = ?", (journal.account, report)
            ).fetchone()
            return None if row is None else (float(row["found_at"]), json.loads(row["content"]))
    except (ConfigurationError, ValueError, TypeError, RecursionError) as error:
        log.debug("%s", error)  # they are found once more
        return None


def write_columns(journal: Journal, report: str, found_at: float, content: object) -> None:
    """Keep a report's columns. Where the file cannot be written by now, other processes find them themselves."""
    try:
        with journal.writing(_PATIENCE) as connection:
            connection.execute(_TABLE)
            connection.execute(
                "INSERT OR REPLACE INTO columns (account, report, found_at, content) VALUES (?, ?, ?, ?)",
                (journal.account, report, found_at, json.dumps(content)),
            )
    except ConfigurationError as error:
        log.debug("%s", error)
