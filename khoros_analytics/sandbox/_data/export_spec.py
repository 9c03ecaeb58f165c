"""Rows: the file of an export, of any size, from a spec. The same spec always gives the same bytes.

Up to 20,000 rows each is made. A larger file, and one asked for by its size, repeats a block of 2,000, so it can be
streamed as fast as the network takes it, and its length and any byte of it are known in advance. CSV and JSON hold the
same rows.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from attrs import frozen

from .body import Body
from .columns import ExportContext, Value, column, columns_of
from .events import Scope, events
from .rhythm import DAY

__all__ = ["BLOCK_ROWS", "DISTINCT_ROWS", "ExportSpec"]

BLOCK_ROWS = 2000
"""The rows of a block that repeats."""

DISTINCT_ROWS = 20_000
"""Up to so many rows, none repeats."""

_UNIT_BYTES = 1 << 20

Row = tuple[Value, ...]


@frozen
class ExportSpec:
    """What a file is made of.

    Attributes:
        report: The report's name.
        start: The window's first moment, in epoch milliseconds.
        end: Its last one.
        format: ``csv`` or ``json``.
        metrics: The columns that were asked for; all of the report's when empty.
        zone: An IANA name, an offset from UTC in milliseconds, or None for UTC.
        seed: Other seeds give other rows.
        rows: How many rows; None for all that the report has in the window.
        size: When given, as many rows as make about so many bytes.
        interval: The length of an interval in milliseconds, for the report that has them.
    """

    report: str
    start: int
    end: int
    format: Literal["csv", "json"] = "json"
    metrics: tuple[str, ...] = ()
    zone: str | int | None = None
    seed: int = 0
    rows: int | None = 100
    size: int | None = None
    interval: int = DAY * 1000

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in their order, each once."""
        return tuple(dict.fromkeys(self.metrics)) or columns_of(self.report)

    def body(self) -> Body:
        """Return the file."""
        head = self._encoded([self.columns]) if self.format == "csv" else b"["
        sample = self._rows(BLOCK_ROWS if self.size is not None else self.rows)
        if self.size is None and self.rows is None:
            return self._body(head, sample, 0, len(sample))
        rows = self._count(sample)
        if rows <= (DISTINCT_ROWS if self.size is None else BLOCK_ROWS):
            return self._body(head, sample if rows == len(sample) else self._rows(rows), 0, rows)
        # The last rows are written on their own: in JSON no comma follows them.
        blocks, last = divmod(rows - 1, BLOCK_ROWS)
        return self._body(head, sample, blocks, last + 1)

    def _body(self, head: bytes, sample: Sequence[Row], blocks: int, last: int) -> Body:
        """Return a file of so many whole blocks, and the first rows of another one."""
        tail = self._encoded(sample[:last])
        closed = tail if self.format == "csv" else tail.removesuffix(b",\n") + b"]"
        return _repeated(head, self._encoded(sample) if blocks else b"", blocks, closed)

    def _count(self, sample: Sequence[Row]) -> int:
        """Return how many rows the file has."""
        if self.size is None:
            return self.rows or 0
        return max(1, round(self.size * len(sample) / len(self._encoded(sample))))

    def _rows(self, count: int | None) -> list[Row]:
        """Return so many rows, or all of the window; a block of them where there are to be more."""
        if count is not None and count > DISTINCT_ROWS:
            count = BLOCK_ROWS
        # A moment is in the window when its whole second is; made to order, there is one in any window.
        start, end = -(-self.start // 1000), self.end // 1000
        if count is not None and end < start:
            start = end
        found = events(self.report, Scope(self.seed, start, end, count, max(1, self.interval // 1000)))
        context = ExportContext(self.seed, *_zone(self.zone))
        return list(zip(*(column(metric, context, found) for metric in self.columns), strict=True))

    def _encoded(self, rows: Sequence[Row]) -> bytes:
        """Return rows as they stand in the file: each CSV row with its line end, each JSON row with its comma."""
        if self.format == "csv":
            return _csv(rows)
        lines = (json.dumps(dict(zip(self.columns, row, strict=True)), ensure_ascii=False) for row in rows)
        return "".join(f"{line},\n" for line in lines).encode()


def _csv(rows: Sequence[Row]) -> bytes:
    """Return rows by RFC 4180: CRLF, quotes where needed, nothing for None."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(
        [str(cell).lower() if isinstance(cell, bool) else cell for cell in row] for row in rows
    )
    return buffer.getvalue().encode()


def _repeated(head: bytes, block: bytes, blocks: int, tail: bytes) -> Body:
    """Return a body with so many blocks, gathered into units that are large enough to be sent fast."""
    if not blocks:
        return Body(head, tail=tail)
    gathered = min(blocks, -(-_UNIT_BYTES // len(block)))
    count, left = divmod(blocks, gathered)
    return Body(head, block * gathered, count, block * left + tail)


def _zone(zone: str | int | None) -> tuple[tzinfo, str]:
    """Return the zone in which dates are written, and its name."""
    if isinstance(zone, int):
        fixed = timezone(timedelta(milliseconds=zone))
        return fixed, str(fixed)
    return (UTC, "UTC") if zone is None else (ZoneInfo(zone), zone)
