"""JSON to frames: each column of the type that its values have in the file, and text where they have several."""

import json
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError, read_pandas, read_polars, read_rows


def column(files, *values):
    """Read rows with one column of these values, each written as JSON writes it."""
    rows = ", ".join(f'{{"A": {value}, "B": 0}}' for value in values)
    return files.table(f"[{rows}]", format="json")["A"]


TYPES = {
    "integers": (["1", "-2", "null"], "int64", [1, -2, None]),
    "floats": (["1.5", "2.25"], "double", [1.5, 2.25]),
    "exponent": (["1.5e3", "1E-7"], "double", [1500.0, 1e-7]),
    "integers and floats": (["1", "2.5"], "double", [1.0, 2.5]),
    "booleans": (["true", "false", "null"], "bool", [True, False, None]),
    "text": (['"x"', '""', "null"], "string", ["x", "", None]),
    "nothing": (["null", "null"], "string", [None, None]),
    "text of numbers": (['"1"', '"2"'], "int64", [1, 2]),
    "text of codes": (['"007"', '"2"'], "string", ["007", "2"]),
    "number and text": (["1", '"x"', "null"], "string", ["1", "x", None]),
    "number and text of a number": (["1", '"2"'], "string", ["1", "2"]),
    "boolean and number": (["true", "1"], "string", ["true", "1"]),
    "boolean and text": (["true", '"no"'], "string", ["true", "no"]),
    "19 digits": (["1234567890123456789", "null"], "int64", [1234567890123456789, None]),
    "64 bits": (["9223372036854775807"], "int64", [2**63 - 1]),
    "65 bits": (["9223372036854775808"], "string", ["9223372036854775808"]),
    "30 digits": (["1", "-123456789012345678901234567890"], "string", ["1", "-123456789012345678901234567890"]),
    "all numbers, then text": (["1", "2.5", "1E-7", '"x"'], "string", ["1", "2.5", "1e-07", "x"]),
    "wide integer and float": (["1234567890123456", "0.5"], "string", ["1234567890123456", "0.5"]),
    "17 digits of a fraction": (["0.12345678901234567"], "string", ["0.12345678901234567"]),
    "more digits than a float": (["0.5", "3.14159265358979323846"], "string", ["0.5", "3.14159265358979323846"]),
    "list": (["[1, 2]"], "string", ["[1, 2]"]),
    "object": (['{"x": {"y": "ü"}}', "null"], "string", ['{"x": {"y": "ü"}}', None]),
    "list and number": (["[1.5]", "2"], "string", ["[1.5]", "2"]),
    "escapes": (['"\\u00fc\\n\\"\\ud83c\\udf89"'], "string", ['ü\n"🎉']),
}


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("name", TYPES)
def test_types(name, rows, files, cut):
    """A column keeps the type that all of its values have in JSON; one that mixes them is text, with each value as
    JSON writes it, lists and objects, too.
    """
    values, kind, wanted = TYPES[name]
    with cut(1 << 20, rows=rows):
        found = column(files, *values)
    assert str(found.type) == kind
    assert found.to_pylist() == wanted


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=6), min_size=1, max_size=5))
def test_numbers_keep_their_value(files, numbers):
    """Whatever numbers a column has, each is exactly what the file says: as a float, or as text with all digits."""
    for number, value in zip(numbers, column(files, *numbers).to_pylist(), strict=True):
        assert Decimal(value if isinstance(value, str) else repr(value)) == number


@given(st.lists(st.one_of(st.none(), st.integers()), min_size=1, max_size=5))
def test_integers_keep_their_digits(files, numbers):
    """Integers of any length keep every digit."""
    values = column(files, *map(json.dumps, numbers)).to_pylist()
    assert [None if value is None else int(value) for value in values] == numbers


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(st.characters(codec="utf-8"), max_size=4)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from("ABCD"), VALUES, max_size=4), max_size=5))
def test_cells_are_those_of_rows(files, cut, rows):
    """As text, each cell is what the row has there: a text itself, everything else as JSON; nothing where the row has
    no such field, or null.
    """
    rows = [{"first": "x", **row} for row in rows]
    path = files.write(json.dumps(rows), "export.json")
    with cut(1 << 20):
        table = files.table(path.read_bytes(), "text", "json")
    assert list(read_rows(path)) == rows
    for row, cells in zip(rows, table.to_pylist(), strict=True):
        for name, cell in cells.items():
            value = row.get(name)
            if value is None or isinstance(value, str):
                assert cell == value
            else:
                assert json.loads(cell) == value


def test_fields_that_are_missing(files):
    """A field that a row leaves out is missing there; the columns stand in the order in which the file names them."""
    table = files.table('[{"B": 1}, {"A": 2, "B": 3}, {}, {"C": "x", "A": 4}]')
    assert table.to_pydict() == {"B": [1, 3, None, None], "A": [None, 2, None, 4], "C": [None, None, None, "x"]}
    assert table.column_names == ["B", "A", "C"]


def test_order_of_fields(files):
    """Rows may have their fields in any order: each value goes to its own column."""
    table = files.table('[{"A": 1, "B": 2}, {"B": 4, "A": 3}]')
    assert table.to_pydict() == {"A": [1, 3], "B": [2, 4]}


@pytest.mark.parametrize("rows", [1, 100])
def test_single_column(rows, files, cut):
    """A file of one column is a frame of one column."""
    with cut(1 << 20, rows=rows):
        assert files.table('[{"A": 1}, {"A": null}, {"A": 3}]').to_pydict() == {"A": [1, None, 3]}


@pytest.mark.parametrize("content", ["[]", " [ ] \n"])
def test_no_rows(content, files):
    """An array without rows is a frame without rows; its columns are those that were asked for, as text."""
    assert files.table(content, format="json").shape == (0, 0)
    table = files.table(content, format="json", columns=("STATUS", "POST_COUNT"))
    assert table.schema.names == ["STATUS", "POST_COUNT"]
    assert (table.schema.types, table.num_rows) == (["string", "string"], 0)


def test_columns_of_the_file_win(files):
    """Where there are rows, the columns are theirs, whatever was asked for."""
    assert files.table('[{"A": 1}]', columns=("B",)).column_names == ["A"]


def test_types_asked_for(files):
    """What the caller asks for is done in JSON, too, and a value that does not fit is an error with its row."""
    content = '[{"A": 1, "B": "1"}, {"A": 2, "B": "x"}]'
    assert files.table(content, {"A": "float"}).to_pydict() == {"A": [1.0, 2.0], "B": ["1", "x"]}
    assert files.table(content, {"A": "text"})["A"].to_pylist() == ["1", "2"]
    assert files.table('[{"A": 1}, {"A": 2.5}]', {"A": "text"})["A"].to_pylist() == ["1", "2.5"]
    error = files.error(content, types={"B": "integer"})
    assert error.row == 2
    assert "B holds 'x', which is not an integer" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        '[{"A": 1}, {"A": 2',
        '[{"A": 1}, {"A": }]',
        '[{"A": 1}',
        '[{"A": 1}] x',
        '[{"A": 1}, 5]',
        '{"A": 1',
        '[{"A": NaN}]',
    ],
)
def test_damage(content, files):
    """Damaged JSON is an error, never fewer rows; the same one that rows give, at the same place."""
    error = files.error(content, format="json")
    with pytest.raises(ExportFormatError) as caught:
        list(read_rows(files.folder / "export.csv", format="json"))
    assert (str(caught.value), caught.value.row, caught.value.offset) == (str(error), error.row, error.offset)


def test_numbers_within_values(files):
    """A nested value is its JSON, with all digits of its numbers: none becomes a text, an infinity or a zero."""
    content = '[{"A": {"n": 1234567890123456789.5, "m": [1e400, 1e-400, 12345678901234567890123, 1.5, "ü", null]}}]'
    found = files.table(content).column("A").to_pylist()
    assert found == ['{"n": 1234567890123456789.5, "m": [1E+400, 1E-400, 12345678901234567890123, 1.5, "ü", null]}']


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "2.5E-999"])
def test_numbers_that_no_float_holds(number, files):
    """A column with a number that a float would make infinite or zero stays text."""
    table = files.table(f'[{{"A": {number}}}, {{"A": 1.5}}]')
    assert table.schema.types == ["string"]
    assert [Decimal(value) for value in table.column("A").to_pylist()] == [Decimal(number), Decimal("1.5")]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_without_columns(count, files):
    """An object without fields is a row, in a frame too."""
    content = "[" + ",".join(["{}"] * count) + "]"
    assert files.table(content).num_rows == count
    path = files.write(content)
    polars_has_such_rows = pl.from_arrow(pa.table({"A": ["x"]}).select([])).height == 1  # since 1.38
    assert read_pandas(path).shape == (count, 0)
    assert read_polars(path).shape == (count * polars_has_such_rows, 0)


def test_half_a_surrogate_pair_in_a_name(files):
    """A name that no UTF-8 holds is escaped, as such values are."""
    assert files.table(r'[{"\ud800k": 1}]').column_names == [r"\ud800k"]
