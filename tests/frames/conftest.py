"""What the tests of frames share: files made of bytes, and readers cut into small blocks."""

from contextlib import contextmanager
from pathlib import Path

import attrs
import pyarrow as pa
import pytest

from khoros_analytics import ExportFormatError, KhorosError
from khoros_analytics._frames import csv_arrow, json_arrow, json_lines
from khoros_analytics._frames.arrow_reader import ExportFile, with_tables
from khoros_analytics._frames.column_types import parse_types
from khoros_analytics._frames.read import to_arrow
from khoros_analytics._rows.csv_reader import csv_records, read_header
from khoros_analytics._rows.source import open_export


class Files:
    """Writes export files, and reads them in each way. One for all tests, so that properties may use it, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content, name="export.csv") -> Path:
        """Write a file of bytes, or of text."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def table(self, content, types=None, format=None, report=None, columns=()) -> pa.Table:
        """Read a file as a table: in one go, and as a stream, which must come to the same."""
        file = ExportFile(self.write(content), format, parse_types(types, report), columns)
        at_once, streamed = _outcome(to_arrow, file), _outcome(_streamed, file)
        if isinstance(at_once, pa.Table):
            exact = _outcome(to_arrow, attrs.evolve(file, row_by_row=True))
            assert at_once.equals(exact), (at_once, exact)
        if isinstance(at_once, pa.Table):
            assert isinstance(streamed, pa.Table), streamed
            assert at_once.equals(streamed), (at_once, streamed)
            return at_once
        assert (type(at_once), str(at_once), vars(at_once)) == (type(streamed), str(streamed), vars(streamed))
        raise at_once

    def column(self, *values, types=None) -> pa.ChunkedArray:
        """Read a column of texts, written as CSV; None is an empty field."""
        cells = ["" if value is None else '"' + value.replace('"', '""') + '"' for value in values]
        lines = "".join(f"{cell},x\n" for cell in cells)
        return self.table(f"A,B\n{lines}", types and {"A": types}, "csv").column("A")

    def records(self, content) -> tuple[tuple[str, ...], list[tuple[str | None, ...]]]:
        """Read a file of CSV row by row: its columns and its rows."""
        with open_export(self.write(content), "csv") as opened:
            header = read_header(opened)
            return header.names, [tuple(cells) for cells in csv_records(opened, header)]

    def error(self, content, **how) -> ExportFormatError:
        """Read a file that is damaged, as a table."""
        with pytest.raises(ExportFormatError) as caught:
            self.table(content, **how)
        return caught.value


def _streamed(file):
    def join(schema, tables):
        if not schema:  # to join tables without columns would forget their rows
            return pa.table({"": pa.nulls(sum(table.num_rows for table in tables))}).select([])
        return pa.concat_tables([schema.empty_table(), *tables])

    return with_tables(file, join)


def _outcome(read, file):
    try:
        return read(file)
    except KhorosError as error:
        return error


@contextmanager
def _cut(piece, pieces=1, records=1, rows=1):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_arrow, "_BLOCK_SIZE", piece)
        patch.setattr(csv_arrow, "_BLOCKS_AT_ONCE", pieces)
        patch.setattr(csv_arrow, "_ROWS_AT_ONCE", records)
        patch.setattr(json_arrow, "_ROWS_AT_ONCE", rows)
        patch.setattr(json_lines, "_BLOCK_SIZE", piece)
        patch.setattr(json_lines, "_SMALL_BLOCK_SIZE", piece)
        patch.setattr(json_lines, "_BLOCKS_AT_ONCE", pieces)
        patch.setattr(json_arrow, "json_blocks", _row_by_row(json_arrow.json_blocks))
        yield


def _row_by_row(read):
    def blocks(content, **how):
        for block in read(content, **how):
            yield from (attrs.evolve(block, rows=[row]) for row in block.rows)

    return blocks


@pytest.fixture(scope="session")
def cut():
    """Cut files into blocks of so many bytes, pieces, or rows while the block lasts."""
    return _cut


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Files:
    """Writes and reads export files."""
    return Files(tmp_path_factory.mktemp("files"))
