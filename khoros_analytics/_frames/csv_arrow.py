"""CSV to columns of text: blocks of whole rows, checked for their quotes and parsed by Arrow."""

import codecs
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from .._rows.csv_reader import Header, csv_records
from .._rows.source import ExportSource, PeekableReader
from .inference import Chunk, ColumnChunk

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

__all__ = ["ArrowCsv", "RowCsv", "UnusualCsvError", "whole_csv"]

_BLOCK_SIZE = 1 << 20
"""How many bytes are parsed at once: larger pieces fall out of the processor's cache."""
_SMALL_BLOCK_SIZE = 1 << 18
_BLOCKS_AT_ONCE = 8
"""How many pieces get their types at once: in smaller parts, finding out costs more than it has to."""
_MAX_ROW_SIZE = 1 << 26
THREADS = max(2, min(4, os.cpu_count() or 1))
"""How many threads have Arrow work for them."""
_ROWS_AT_ONCE = 4096


class UnusualCsvError(Exception):
    """A file is damaged, or written as few programs do: only the row-by-row route can read it, or say what is wrong."""


class ArrowCsv:
    """Reads CSV as all good writers write it; whatever looks different is an UnusualCsvError.

    Arrow itself takes an open quote for one that the end of the file closes, and so swallows rows; it goes on after a
    closing quote as if nothing had been there. So the quotes are checked first.
    """

    def __init__(self, source: ExportSource, header: Header, *, low_memory: bool = False) -> None:
        # Each thread would keep memory of its own.
        self.threads = 0 if low_memory else THREADS
        self._piece, self._pieces = (_SMALL_BLOCK_SIZE, 1) if low_memory else (_BLOCK_SIZE, _BLOCKS_AT_ONCE)
        self._reader = source.reader
        self._names = header.names
        self._delimiter = header.delimiter

    def blocks(self) -> Generator[list[bytes], None, None]:
        """Yield whole rows: pieces of about a megabyte each, several at a time."""
        rows = _whole_rows(self._reader, self._delimiter.encode(), self._piece)
        pieces = (piece for piece in rows if len(self._names) == 1 or piece.strip(b"\r\n"))
        while block := list(islice(pieces, self._pieces)):
            yield block

    def chunk(self, block: Sequence[bytes]) -> Chunk:
        """Parse a block; several threads may do so at once."""
        import pyarrow as pa

        table = pa.concat_tables(map(self._parsed, block))
        columns = zip(self._names, table.columns, strict=True)
        return Chunk({name: ColumnChunk(values) for name, values in columns}, table.num_rows)

    def _parsed(self, piece: bytes) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import csv

        if piece.startswith(codecs.BOM_UTF8):
            piece = codecs.BOM_UTF8 + piece  # Arrow takes one away, wherever in the file the piece was
        try:
            return csv.read_csv(
                pa.BufferReader(piece),
                read_options=csv.ReadOptions(column_names=self._names, block_size=len(piece) + 1, use_threads=False),
                parse_options=_parse_options(self._names, self._delimiter),
                convert_options=_convert_options(self._names),
            )
        except pa.ArrowInvalid as error:
            raise UnusualCsvError from error


def whole_csv(source: ExportSource, header: Header, path: Path) -> Chunk:
    """Parse all of a plain file at once, by all processors, while one of them checks the quotes.

    A file that is damaged, written in another way or has very long rows is an UnusualCsvError.
    """
    import pyarrow as pa
    from pyarrow import csv

    def check() -> None:
        begin = header.size
        for rows in _whole_rows(source.reader, header.delimiter.encode(), _BLOCK_SIZE):
            _check_edges(rows, begin)
            begin += len(rows)

    if header.names == ("",):
        raise UnusualCsvError  # Arrow looks for a header behind an empty line
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise UnusualCsvError from None  # Arrow opens only files whose name is UTF-8
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            raise UnusualCsvError  # Arrow takes an empty field at the very end for an empty text
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(check)
        try:
            table = csv.read_csv(
                path,
                read_options=csv.ReadOptions(block_size=_BLOCK_SIZE),
                parse_options=_parse_options(header.names, header.delimiter),
                convert_options=_convert_options(header.names),
            )
        except pa.ArrowInvalid as error:
            raise UnusualCsvError from error
        checked.result()
    if tuple(table.column_names) != header.names:
        raise UnusualCsvError
    return Chunk(dict(zip(header.names, map(ColumnChunk, table.columns), strict=True)), table.num_rows)


def _check_edges(rows: bytes, begin: int) -> None:
    """Raise an UnusualCsvError where an edge between Arrow's blocks cuts a line end within quotes.

    Arrow drops an LF that begins a block where the one before ends with a CR, also in the middle of a field.
    """
    for edge in range(-begin % _BLOCK_SIZE, len(rows), _BLOCK_SIZE):
        if rows[max(0, edge - 1) : edge + 1] == b"\r\n" and rows.count(b'"', 0, edge) % 2:
            raise UnusualCsvError


class RowCsv:
    """Reads all CSV that can be read, row by row, and says where the rest is damaged."""

    threads = 0

    def __init__(self, source: ExportSource, header: Header) -> None:
        self._names = header.names
        self._records = csv_records(source, header)

    def blocks(self) -> Generator[list[list[str | None]], None, None]:
        """Yield rows, some thousands at a time."""
        while records := list(islice(self._records, _ROWS_AT_ONCE)):
            yield records

    def chunk(self, block: Sequence[Sequence[str | None]]) -> Chunk:
        """Turn rows into columns."""
        import pyarrow as pa

        columns = zip(self._names, zip(*block, strict=True), strict=True)
        return Chunk({name: ColumnChunk(pa.array(values, pa.string())) for name, values in columns}, len(block))


def _parse_options(names: Sequence[str], delimiter: str) -> "csv.ParseOptions":
    from pyarrow import csv

    return csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1)


def _convert_options(names: Sequence[str]) -> "csv.ConvertOptions":
    """Return what makes all columns text: an empty field is missing, an empty text between quotes is not."""
    import pyarrow as pa
    from pyarrow import csv

    return csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


_FIRST, _LAST = itemgetter(0), itemgetter(-1)


def _whole_rows(reader: PeekableReader, delimiter: bytes, usual: int) -> Iterator[bytes]:
    """Yield pieces of whole rows; an UnusualCsvError where a quote stands where none may stand, or no row ends."""
    rest, size = b"", usual
    while piece := reader.read(size):
        data = rest + piece
        rows = _up_to_last_row(data, delimiter)
        if rows:
            yield rows
        elif len(data) > _MAX_ROW_SIZE:
            raise UnusualCsvError
        # Twice as much each time, so that a long row is not looked at again and again.
        rest, size = data[len(rows) :], usual if rows else len(data)
    if rest:
        _check_quotes(rest.split(b'"'), delimiter)
        # Without the line end, Arrow takes an empty last field behind a quoted one for quoted, too.
        yield rest + b"\n"


def _up_to_last_row(data: bytes, delimiter: bytes) -> bytes:
    """Return what ends at the last line end that has an even number of quotes before it."""
    end = data.rfind(b"\n") + 1
    rows = data[:end]
    parts = rows.split(b'"')
    if len(parts) % 2 == 0:
        quotes = len(parts) - 1
        while quotes % 2:
            before = data.rfind(b"\n", 0, end - 1) + 1
            quotes -= data.count(b'"', before, end)
            end = before
        rows = data[:end]
        parts = rows.split(b'"')
    _check_quotes(parts, delimiter)
    return rows


def _check_quotes(parts: Sequence[bytes], delimiter: bytes) -> None:
    """Raise an UnusualCsvError unless each quoted field begins behind a delimiter or line end, and ends before one.

    ``parts`` is what stands between the quotes, by turns outside and inside of a field; nothing at all outside is a
    doubled quote.
    """
    if len(parts) % 2 == 0:
        raise UnusualCsvError
    outside = [b"\n" + parts[0], *filter(None, parts[2:-1:2]), parts[-1] + b"\n"]
    edges = {*delimiter, *b"\r\n"}
    # A list's slices and C's own loops: this looks at every quote of a file.
    if len(parts) > 1 and not ({*map(_LAST, outside[:-1])} <= edges and {*map(_FIRST, outside[1:])} <= edges):
        raise UnusualCsvError
