"""Types hold for all of a file: a guess from its first rows that turns out too narrow never shows."""

import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from khoros_analytics._frames.arrow_reader import ExportFile
from khoros_analytics._frames.column_types import parse_types
from khoros_analytics._frames.parquet import write_parquet
from khoros_analytics._frames.read import batches, to_arrow
from khoros_analytics._storage.destination import LocalDestination

ROWS = 40


def csv_of(values):
    """A file of CSV in which a column has these values, and another one nothing that changes."""
    return "A,B\n" + "".join(f"{'' if value is None else value},x\n" for value in values)


def json_of(values):
    """The same as JSON, each value of the type that it has in Python; `...` leaves the field out."""
    return json.dumps([{**({} if value is ... else {"A": value}), "B": "x"} for value in values])


CHANGES = {
    "null to integer": ("", "7", "int64"),
    "null to text": ("", "seven", "string"),
    "null to moment": ("", "2019-02-01 00:00:00", "timestamp[s]"),
    "integer to float": ("7", "7.5", "double"),
    "float to integer": ("7.5", "7", "double"),
    "integer to text": ("7", "seven", "string"),
    "integer to leading zero": ("7", "007", "string"),
    "integer to wide": ("7", "1234567890123456789", "int64"),
    "float to wide": ("7.5", "1234567890123456789", "string"),
    "wide to float": ("1234567890123456789", "7.5", "string"),
    "float to long": ("7.5", "0.12345678901234567", "string"),
    "integer beyond": ("7", "9223372036854775808", "string"),
    "date to text": ("2019-02-01", "soon", "string"),
    "date to moment": ("2019-02-01", "2019-02-01 00:00:00", "string"),
    "moment to finer": ("2019-02-01 00:00:00", "2019-02-01 00:00:00.001", "timestamp[ms]"),
    "moment to coarser": ("2019-02-01 00:00:00.000001", "2019-02-01 00:00:00", "timestamp[us]"),
    "moment to moment far away": ("2019-02-01 00:00:00.000000001", "9999-01-01 00:00:00", "string"),
    "offset to another": ("2019-02-01 00:00:00+01:00", "2019-02-01 00:00:00+02:00", "string"),
    "offset to none": ("2019-02-01 00:00:00+01:00", "2019-02-01 00:00:00", "string"),
    "boolean to integer": ("true", "1", "string"),
    "boolean in other letters": ("true", "FALSE", "bool"),
    "integer to quoted empty": ("7", '""', "string"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("pieces", [1, 3])
def test_change_of_mind(change, pieces, files, cut):
    """A column whose last value is of another type than those before has the type that holds both, in each block."""
    early, late, kind = CHANGES[change]
    content = csv_of([early] * ROWS + [late])
    at_once = files.table(content)
    with cut(16, pieces):
        table = files.table(content)
    assert table.schema.field("A").type == kind
    assert table.equals(at_once)
    assert table.num_rows == ROWS + 1


JSON_CHANGES = {
    "null to number": (None, 7, "int64"),
    "nothing to number": (..., 7, "int64"),
    "integer to float": (7, 7.5, "double"),
    "float to integer": (7.5, 7, "double"),
    "float to wide": (7.5, 10**15, "string"),
    "integer beyond": (7, 2**63, "string"),
    "number to text": (7, "7", "string"),
    "text to number": ("7", 7, "string"),
    "boolean to number": (True, 1, "string"),
    "number to list": (7, [7], "string"),
    "text of numbers to text": ("7", "seven", "string"),
    "moment to finer": ("2019-02-01 00:00:00", "2019-02-01 00:00:00.001", "timestamp[ms]"),
}


@pytest.mark.parametrize("change", JSON_CHANGES)
@pytest.mark.parametrize("rows", [1, 7])
def test_change_of_mind_in_json(change, rows, files, cut):
    """The same holds in JSON, whose values have types of their own."""
    early, late, kind = JSON_CHANGES[change]
    content = json_of([early] * ROWS + [late])
    at_once = files.table(content)
    with cut(64, rows=rows):
        table = files.table(content)
    assert table.schema.field("A").type == kind
    assert table.equals(at_once)


def test_late_column(files, cut):
    """A field that only late rows have is a column, missing in all rows before."""
    content = json.dumps([{"A": 1}] * ROWS + [{"A": 2, "LATE": True}])
    with cut(64):
        table = files.table(content)
    assert table.column_names == ["A", "LATE"]
    assert table["LATE"].to_pylist() == [None] * ROWS + [True]


def test_large_files(files):
    """It holds at the real sizes of blocks, too: a change behind many megabytes is seen."""
    line = f"12345,{'x' * 100}\n"
    content = "A,B\n" + line * (30 * (1 << 20) // len(line)) + "1.5,y\n"
    table = files.table(content)
    assert table.schema.field("A").type == "double"
    assert table["A"].slice(table.num_rows - 2).to_pylist() == [12345.0, 1.5]


VALUES = {
    "csv": st.sampled_from(
        [
            *("", '""', "x", "0", "7", "-7", "007", "7.5", "0.1", "1e-07", "0.12345678901234567"),
            *("1234567890123456789", "9223372036854775808", "true", "FALSE", "2019-02-01", "2019-02-30"),
            *("2019-02-01 00:00:00", "2019-02-01 00:00:00.5", "2019-02-01 00:00:00.0000001", "9999-12-31 00:00:00"),
            *("2019-02-01 00:00:00Z", "2019-02-01 00:00:00+02:00", "0001-01-01 00:00:00Z", "0000-01-01"),
        ]
    ),
    "json": st.sampled_from(
        [
            *(None, ..., 0, 7, -7, 7.5, 0.1, 1e-7, 10**15, 2**63, 2**70, True, False, [], {"a": [1.5]}),
            *("", "7", "007", "x", "2019-02-01", "2019-02-01 00:00:00", "2019-02-01 00:00:00.5"),
        ]
    ),
}


@st.composite
def exports(draw):
    """A file with a column of few kinds of values, so that the later ones often agree with the first ones."""
    kind, write = draw(st.sampled_from([("csv", csv_of), ("json", json_of)]))
    few = draw(st.lists(VALUES[kind], min_size=1, max_size=3))
    return write(draw(st.lists(st.sampled_from(few), min_size=1, max_size=12)))


@settings(max_examples=3 * settings.default.max_examples)
@given(exports(), st.sampled_from([1, 5, 20, 60]), st.integers(1, 3))
@example('[{"A": 1}, {"A": 2.5}, {"A": "x"}]', 1, 1)
def test_blocks_do_not_show(files, cut, content, piece, some):
    """Into how many blocks a file is cut never changes the frame."""
    at_once = files.table(content)
    with cut(piece, some, rows=some):
        assert files.table(content).equals(at_once)


@pytest.mark.parametrize("kind", ["integer", "float", "boolean", "date", "timestamp", "text"])
@pytest.mark.parametrize("values", [[None], [None] * 300, [True, *[None] * 300]], ids=["one", "many", "behind a value"])
def test_a_type_of_what_is_missing(files, cut, kind, values):
    """What is missing fits every type that is asked for, also where a whole part of the file has nothing else."""
    written = {"boolean": "true", "date": "2019-02-01", "timestamp": "2019-02-01 10:00:00"}.get(kind, "7")
    with cut(64):
        column = files.column(*(value and written for value in values), types=kind)
    assert column.null_count == values.count(None)


@settings(max_examples=settings.default.max_examples // 2)
@given(exports(), st.sampled_from([1, 20, 1 << 20]), st.integers(1, 5))
def test_ways_do_not_show(files, cut, content, piece, rows):
    """Batches, put together, are the table; and so is the Parquet file, but for moments, which it has in milliseconds
    at the coarsest.
    """
    file = ExportFile(files.write(content), hints=parse_types(None))
    with cut(piece, 2, rows=2):
        table = to_arrow(file)
        parts = list(batches(file, rows))
        target = files.folder / "export.parquet"
        write_parquet(file, LocalDestination(target, overwrite=True), {})
    assert pa.Table.from_batches(parts, table.schema).equals(table)
    assert [part.num_rows for part in parts[:-1]] == [rows] * (len(parts) - 1)
    assert sum(part.num_rows for part in parts) == table.num_rows
    back = parquet.read_table(target)
    assert back.cast(table.schema).equals(table)
    coarse = [pa.timestamp("ms", kind.tz) if kind in _SECONDS else kind for kind in table.schema.types]
    assert back.schema.types == coarse


_SECONDS = {pa.timestamp("s", zone) for zone in (None, "UTC", "+02:00")}


@given(exports(), st.sampled_from([1, 20, 1 << 20]))
def test_text_is_the_file(files, cut, content, piece):
    """With types="text" all columns are text, in CSV exactly the cells."""
    with cut(piece):
        table = files.table(content, "text")
    assert set(table.schema.types) == {pa.string()}
    if content.startswith("A,B"):
        assert [tuple(row.values()) for row in table.to_pylist()] == files.records(content)[1]


EMPTY, ZONED = ["", "", "", ""], ["2019-02-01 00:00:00+02:00"]


@pytest.mark.parametrize("cells", [EMPTY + ZONED, ZONED + EMPTY, EMPTY + ZONED + EMPTY], ids=["late", "early", "amid"])
def test_moments_that_were_asked_for(cells, files, cut):
    """Moments with an offset that were asked for are in UTC wherever the first of them stands, also in batches."""
    content = "A,B\n" + "".join(f"{cell},x\n" for cell in cells)
    with cut(4):
        table = files.table(content, {"A": "timestamp"})
        file = ExportFile(files.write(content), hints=parse_types({"A": "timestamp"}))
        parts = pa.Table.from_batches(batches(file, 2))
    assert table.schema.field("A").type == pa.timestamp("us", "UTC")
    assert parts.equals(table)
    assert [str(value) for value in table["A"].drop_null()] == ["2019-01-31 22:00:00+00:00"]


@pytest.mark.parametrize("first", [0, 3])
def test_moments_that_were_asked_for_in_vain(first, files, cut):
    """The first moment decides whether they have offsets; the first one that does not agree is the error."""
    content = "A,B\n" + ",x\n" * first + "2019-02-01 00:00:00,x\n" * 5 + "2019-02-01 00:00:00Z,x\n" * 5
    with cut(4):
        assert files.error(content, types={"A": "timestamp"}).row == first + 6
