"""CSV to columns of text: pieces of whole rows, checked for their quotes and parsed by Arrow."""

import codecs
import struct
from collections.abc import Callable, Collection, Container, Generator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from .._rows.csv_reader import Header, csv_records
from .._rows.source import ExportSource
from .arrays import text_array
from .inference import Chunk, ColumnChunk
from .pieces import Piece, UnusualCsvError, pieces_of
from .spelling import FALSE, TRUE
from .workers import THREADS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

    _Options = tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]

__all__ = ["ArrowCsv", "RowCsv"]

_BLOCK_SIZE = 1 << 21
"""How many bytes are parsed at once: larger pieces fall out of the processor's cache."""
_BLOCKS_AT_ONCE = 3
"""How many pieces get their types at once: in smaller parts, finding out costs more than it has to."""
_SMALL_BLOCK_SIZE = 3 << 19
"""No power of two: Arrow would need a little more than one, and take twice as much."""
_COLUMNS_PER_BLOCK = 400
"""With so many more columns, one more small piece gets its types at once."""
_FEWER_THREADS = 1
"""Another one would need half as much memory again, since Arrow keeps what it has used for each."""
_ROWS_AT_ONCE = 4096
_ONE_BLOCK = 1 << 30
"""More than a piece may have, so that Arrow never cuts one: where it cuts, it may drop an LF of a field."""


class ArrowCsv:
    """Reads CSV as all good writers write it; whatever looks different is an UnusualCsvError.

    Arrow itself takes an open quote for one that the end of the file closes, and so swallows rows; it goes on after a
    closing quote as if nothing had been there. So the quotes are checked first.
    """

    def __init__(
        self, source: ExportSource, header: Header, *, low_memory: bool = False, columns: Collection[str] = ()
    ) -> None:
        self.is_plain = source.path is not None
        self._reader = source.reader
        # To start threads takes longer than to read a small file, and each one keeps memory of its own.
        size = _SMALL_BLOCK_SIZE if low_memory else _BLOCK_SIZE
        self._size = len(self._reader.peek(size)) or 1
        self.threads = 0 if self._size < size else _FEWER_THREADS if low_memory else THREADS
        self._pieces = 1 + len(header.names) // _COLUMNS_PER_BLOCK if low_memory else _BLOCKS_AT_ONCE
        self._header = header
        self._read = self._texts_of(columns or header.names)

    def blocks(self) -> Generator[list[Piece], None, None]:
        """Yield whole rows, several pieces at a time."""
        pieces = pieces_of(self._reader, self._header.delimiter, self._size)
        rows = (piece for piece in pieces if len(self._header.names) == 1 or not piece.is_blank())
        while block := list(islice(rows, self._pieces)):
            yield block

    def chunk(self, block: Sequence[Piece]) -> Chunk:
        """Parse a block; several threads may do so at once."""
        import pyarrow as pa

        table = pa.concat_tables(map(partial(self._parsed, self._read), block))
        columns = zip(table.column_names, table.columns, strict=True)
        return Chunk({name: ColumnChunk(values) for name, values in columns}, table.num_rows)

    def leave_out(self, columns: Container[str]) -> None:
        """Stop parsing some columns. Where none is left the first one stays, since without any no rows are counted."""
        rest = [name for name in self._header.names if name not in columns]
        self._read = self._texts_of(rest or self._header.names[:1])

    def typed(self, types: "Mapping[str, pa.DataType]") -> "Callable[[Sequence[Piece]], pa.Table]":
        """Return what parses a block whose columns are known to keep all their values in these types."""
        import pyarrow as pa

        options = _options(self._header, types)
        return lambda block: pa.concat_tables(map(partial(self._parsed, options), block))

    def _texts_of(self, columns: Collection[str]) -> "_Options":
        import pyarrow as pa

        return _options(self._header, {name: pa.string() for name in self._header.names if name in columns})

    def _parsed(self, options: "_Options", piece: Piece) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import csv

        piece.check()
        rows = pa.py_buffer(piece.rows)
        if bytes(piece.rows[:3]) == codecs.BOM_UTF8:
            rows = pa.py_buffer(codecs.BOM_UTF8 + piece.rows)  # Arrow takes one away, wherever the piece was
        try:
            _check_encoding(rows)
            table = csv.read_csv(pa.BufferReader(rows), *options)
        except pa.ArrowInvalid as error:
            raise UnusualCsvError from error
        piece.free()
        return table


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
        columns = zip(self._names, zip(*block, strict=True), strict=True)
        return Chunk({name: ColumnChunk(text_array(values)) for name, values in columns}, len(block))


def _options(header: Header, types: "Mapping[str, pa.DataType]") -> "_Options":
    """Return what parses some columns: an empty field is missing, an empty text between quotes is not."""
    from pyarrow import csv

    return (
        csv.ReadOptions(column_names=header.names, block_size=_ONE_BLOCK, use_threads=False),
        csv.ParseOptions(delimiter=header.delimiter, ignore_empty_lines=len(header.names) > 1),
        csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            true_values=TRUE,
            false_values=FALSE,
            check_utf8=False,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _check_encoding(rows: "pa.Buffer") -> None:
    """Raise an ArrowInvalid for what is not UTF-8: for all values at once, which takes a tenth of the time."""
    import pyarrow as pa

    ends = pa.py_buffer(struct.pack("=ii", 0, rows.size))
    pa.Array.from_buffers(pa.binary(), 1, [None, ends, rows]).cast(pa.string())
