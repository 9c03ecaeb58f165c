"""What the tests of frames share: files made of bytes, and readers cut into small blocks."""

from contextlib import contextmanager
from pathlib import Path

import attrs
import pyarrow as pa
import pytest

from khoros_analytics import ExportFormatError, KhorosError
from khoros_analytics._frames import csv_arrow, inference, json_arrow, json_lines
from khoros_analytics._frames.arrow_reader import ExportFile, planned_tables, with_tables
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
        """Read a file as a table: in one go, as a stream, and with its types found out first; all come to the same."""
        file = ExportFile(self.write(content), format, parse_types(types, report), columns)
        at_once = _outcome(to_arrow, file)
        others = [_outcome(_streamed, file), _outcome(_planned, file)]
        if isinstance(at_once, pa.Table):
            for table in [*others, _outcome(to_arrow, attrs.evolve(file, row_by_row=True))]:
                assert isinstance(table, pa.Table), table
                assert at_once.equals(table), (at_once, table)
            return at_once
        for error in others:
            assert (type(at_once), str(at_once), vars(at_once)) == (type(error), str(error), vars(error))
        raise at_once

    def column(self, *values, types=None) -> pa.ChunkedArray:
        """Read a column of texts, written as CSV; None is an empty field."""
        cells = ["" if value is None else '"' + value.replace('"', '""') + '"' for value in values]
        lines = "".join(f"{cell},x\n" for cell in cells)
        column = self.table(f"A,B\n{lines}", types and {"A": types}, "csv").column("A")
        if cells:  # few values and many are looked at in different ways
            times = inference._FEW // len(cells) + 1
            many = to_arrow(ExportFile(self.write(f"A,B\n{lines * times}"), "csv", parse_types(types and {"A": types})))
            assert many.column("A").combine_chunks().equals(pa.concat_arrays(column.chunks * times))
        return column

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
    return with_tables(file, _joined)


def _planned(file):
    tables = list(planned_tables(attrs.evolve(file, low_memory=True)))
    # A file without rows has no table that could say what its columns are.
    return _joined(tables[0].schema, tables) if tables else _streamed(file)


def _joined(schema, tables):
    if not schema:  # to join tables without columns would forget their rows
        return pa.table({"": pa.nulls(sum(table.num_rows for table in tables))}).select([])
    return pa.concat_tables([schema.empty_table(), *tables])


def _outcome(read, file):
    try:
        return read(file)
    except KhorosError as error:
        return error


@contextmanager
def _cut(piece, pieces=1, records=1, rows=1):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_arrow, "_BLOCK_SIZE", piece)
        patch.setattr(csv_arrow, "_SMALL_BLOCK_SIZE", piece)
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
