"""JSON by blocks of lines: the very table that the exact way gives, or the block goes the exact way."""

import json
import math
from decimal import Decimal

import attrs
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError, ParameterError
from khoros_analytics._frames import json_lines
from khoros_analytics._frames.arrow_reader import ExportFile, opened
from khoros_analytics._frames.column_types import parse_types
from khoros_analytics._frames.json_numbers import has_long_numbers
from khoros_analytics._frames.read import batches, to_arrow
from khoros_analytics._rows.json_reader import TextBlock

PLAIN = [
    {"N": number, "F": number + 0.5, "S": f"text {number}", "B": number % 2 == 0, "U": f"1234-{number}", "E": None}
    for number in range(40)
]
BLOCK = 300


def written(rows, *, edge=",\n", **how):
    return "[" + edge.join(row if isinstance(row, str) else json.dumps(row, **how) for row in rows) + "]"


def outcome(file):
    try:
        return to_arrow(file)
    except ExportFormatError as error:
        return str(error), error.row, error.offset


@pytest.fixture(scope="module")
def compare(files, cut):
    """Read a file by lines, in blocks of some sizes, and exactly; return the table, or what the error says."""

    def both(content, types=None, sizes=(BLOCK, 2000), pieces=3):
        path = files.write(content, "lines.json")
        file = ExportFile(path, "json", parse_types(types))
        exact = outcome(attrs.evolve(file, row_by_row=True))
        for size in sizes:
            with cut(size, pieces):
                found = outcome(file)
            if isinstance(exact, pa.Table):
                assert isinstance(found, pa.Table), found
                assert found.equals(exact), (found.schema, exact.schema)
                assert str(found.to_pydict()) == str(exact.to_pydict())  # 0.0 equals -0.0
                found.validate(full=True)
            else:
                assert found == exact
        return exact

    return both


@pytest.fixture
def ways(monkeypatch):
    """How often Arrow has read a block, and how often the exact way had to."""
    counts = {"lines": 0, "exact": 0}
    read = json_lines._fast_table

    def counted(block, schema):
        found = read(block, schema)
        counts["exact" if found is None else "lines"] += 1
        return found

    monkeypatch.setattr(json_lines, "_fast_table", counted)
    return counts


@pytest.mark.parametrize("edge", [",", ", ", ",\n", ",\r\n", "\n,\n", " ,\t"])
@pytest.mark.parametrize("ascii", [True, False])
def test_edges(compare, ways, edge, ascii):
    """However rows are parted, Arrow reads them."""
    rows = [{**row, "T": 'ü "q" \\ \u2028 😀 \n\t/'} for row in PLAIN]
    assert compare(written(rows, edge=edge, ensure_ascii=ascii)).num_rows == 40
    assert compare(written(rows, edge=edge, ensure_ascii=ascii, separators=(",", ":"))).num_rows == 40
    assert ways["lines"] > 20
    assert ways["exact"] == 0


ODD = {
    "another field": {"N": 1, "X": 2},
    "a field less": {"N": 1},
    "another order": {"F": 1.5, "N": 1},
    "no field": {},
    "a number as text": {"N": "1"},
    "a text as number": {"S": 5},
    "a text as boolean": {"S": True},
    "an integer as boolean": {"N": False},
    "a boolean as integer": {"B": 1},
    "a float among integers": {"N": 1.5},
    "an integer with a point": {"N": 1.0},
    "an integer with an exponent": '{"N": 1e2}',
    "an integer among floats": {"F": 7},
    "a long integer among floats": {"F": 10**15},
    "a long negative integer among floats": {"F": -(10**15)},
    "minus zero among integers": '{"N": -0}',
    "minus zero among floats": '{"F": -0}',
    "minus zero with a point": '{"F": -0.0}',
    "beyond 64 bits": {"N": 2**63},
    "beyond floats": {"N": 10**400},
    "beyond floats among floats": {"F": 10**400},
    "beyond 64 bits among floats": {"F": 2**63},
    "the largest of 64 bits": {"N": 2**63 - 1},
    "many digits": '{"F": 0.1234567890123456}',
    "many digits before the point": '{"F": 1234567890123456.5}',
    "many digits with an exponent": '{"F": 1234567890123456e2}',
    "zeros behind": '{"F": 1.000000000000000000}',
    "zeros in front": '{"F": 0.000000000000000001}',
    "very many zeros in front": '{"F": 0.' + "0" * 400 + "1}",
    "infinite": '{"F": 1e400}',
    "almost nothing": '{"F": 1e-400}',
    "a large exponent": '{"F": 1E+300}',
    "not a number": '{"F": NaN}',
    "infinity": '{"F": -Infinity}',
    "a value where there was none": {"E": 5},
    "an object": {"S": {"a": [1, {"b": None}]}},
    "an array": {"S": [1, 2]},
    "an array of objects": {"S": [{"a": 1}, {"a": 2}]},
    "an empty array": {"E": []},
    "a key twice": '{"N": 1, "N": 2}',
    "a key twice in two ways": '{"N": 1, "\\u004e": 2}',
    "an escaped key": '{"\\u004e": 7}',
    "an empty key": {"": 1},
    "half a surrogate pair": '{"S": "\\ud800"}',
    "half a pair in a key": '{"\\udc00": 1}',
    "a whole pair": '{"S": "\\ud83d\\ude00"}',
    "a zero byte": {"S": "a\0b"},
    "an edge in a text": {"S": '},{"', "U": '},\n{"', "N": 3},
    "a deep one": '{"S": ' + "[" * 50 + "]" * 50 + "}",
    "a blank at each place": '{ "N" : 1 , "S" : "x" }',
    "over lines": '{\n  "N": 1,\n  "S": "x"\n}',
}
DAMAGE = {
    "null for a row": "null",
    "true for a row": "true",
    "a number for a row": "5",
    "a text for a row": '"x"',
    "an array for a row": "[]",
    "nothing for a row": "",
    "a row and null": '{"N": 1} null',
    "null and a row": 'null {"N": 1}',
    "two rows without a comma": '{"N": 1}{"N": 2}',
    "two rows with a blank": '{"N": 1} {"N": 2}',
    "a bracket too many": '{"N": 1}]',
    "a brace too many": '{"N": 1}}',
    "an open row": '{"N": 1',
    "an open text": '{"S": "x}',
    "a comment": '{"N": 1}//x',
    "a comma too many": '{"N": 1,}',
    "no value": '{"N": }',
    "no colon": '{"N" 1}',
    "no key": "{null: 1}",
    "an LF in a text": '{"S": "a\nb"}',
    "a control character": '{"S": "a\x01b"}',
    "a wrong escape": '{"S": "\\x"}',
    "a zero in front": '{"N": 01}',
    "a plus": '{"N": +1}',
    "a point behind": '{"F": 1.}',
    "a point in front": '{"F": .5}',
    "a mark": '\ufeff{"N": 1}',
    "a form feed": '{"N": 1}\f',
    "another literal": '{"B": True}',
}


@pytest.mark.parametrize("where", [0, 17, 39])
@pytest.mark.parametrize("what", [*ODD, *DAMAGE])
def test_one_odd_row(compare, what, where):
    """Whatever one row among others holds, the table is that of the exact way, and so is an error."""
    rows = list(PLAIN)
    rows[where] = {**ODD, **DAMAGE}[what]
    compare(written(rows, edge="," if where else ",\n"), sizes=(2 * BLOCK,))


@pytest.mark.parametrize("value", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_no_text(compare, value):
    """Arrow takes any bytes for a text; the error is that of the exact way."""
    content = written(PLAIN).encode().replace(b"text 20", b"text " + value)
    assert "UTF-8" in compare(content)[0]


def test_only_that_block(compare, ways):
    """One odd row sends its own block to the exact way, and no other."""
    rows = list(PLAIN * 10)
    rows[200] = {**rows[200], "S": ["x"]}
    compare(written(rows), sizes=(BLOCK,))
    assert ways["exact"] == 1
    assert ways["lines"] > 90


def test_what_was_learnt(compare, ways, monkeypatch):
    """A column that has its first value late, or its first fraction, costs one block, not all that follow."""
    monkeypatch.setattr(json_lines, "THREADS", 1)  # more of them may meet the same news at once
    rows = [{**row, "E": number if number > 100 else None} for number, row in enumerate(PLAIN * 10)]
    rows[150:] = [{**row, "N": row["N"] + 0.25, "NEW": "x"} for row in rows[150:]]
    compare(written(rows), sizes=(BLOCK,))
    assert ways["exact"] < 10


@pytest.mark.parametrize(
    "text",
    [
        "12345678-1234-1234-1234-123456789012",
        "0123456789abcdef",
        "1234567890123456e12",
        "5e123456789012345678",
        "e1234567890123456",
        "1.2.34567890123",
        "https://example.com/1.234567890123/x",
        "2019-02-01T00:00:00.123456789Z",
    ],
)
def test_texts_with_digits(compare, ways, text):
    """Identifiers, versions, addresses and moments are no long numbers: their blocks go the fast way."""
    compare(written({**row, "ID": text, "U": f"{text}{row['N']}"} for row in PLAIN))
    assert ways["exact"] == 0
    assert ways["lines"]


def test_arrow_of_no_use(compare, ways, monkeypatch):
    """Where hardly a block can be read by lines, it is not tried for ever."""
    compare(written({**row, "S": [row["N"]]} for row in PLAIN * 10), sizes=(BLOCK,), pieces=1)
    assert ways["lines"] == 0
    assert 16 <= ways["exact"] < 20


@pytest.mark.parametrize("types", ["text", {"F": "text"}, {"F": "text", "N": "float"}, {"N": "text", "U": "text"}])
@pytest.mark.parametrize("odd", [{"F": 1}, {"F": "x"}, {"F": 1e30}, {"N": 0.25}, '{"F": 1.50}', '{"F": 15e-1}'])
def test_numbers_as_texts(compare, types, odd):
    """A number that is asked for as text is what the exact way makes of it: 1 beside 1.5 is no 1.0."""
    rows = [*PLAIN, odd, *PLAIN]
    compare(written(rows), types)


def test_error_of_a_type(compare):
    """A value that is not of the type asked for is an error with its row."""
    error = compare(written([*PLAIN, {"S": "7"}]), {"S": "integer"})
    assert error[1] == 1


def test_batches(files, cut):
    """Batches are those of the exact way, too."""
    path = files.write(written([*PLAIN, {"X": 1, "N": 0.5}, *PLAIN]), "lines.json")
    with cut(BLOCK, 2):
        found = list(batches(ExportFile(path, "json"), 7))
    assert pa.Table.from_batches(found).equals(to_arrow(ExportFile(path, "json", row_by_row=True)))


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_batches_without_columns(files, rows):
    """Rows without any field are as many in batches as in a table."""
    path = files.write("[{},{},{}]", "none.json")
    found = [batch.num_rows for batch in batches(ExportFile(path, "json"), rows)]
    assert sum(found) == 3
    assert max(found) == min(rows, 3)


FIELDS = ["", "yz", "zy", "y", "z", "wz"]


@given(st.lists(st.sampled_from(FIELDS), min_size=2, max_size=8), st.data())
@example(["", "", "yz", "zy", ""], None)
def test_threads_do_not_show_in_the_order_of_columns(files, cut, fields, data):
    """Whichever thread is the first to learn of a field, the columns come in the order of the file."""
    rows = [{"a": 1, "t": "x" * 40, **dict.fromkeys(names, 2)} for names in fields for _ in range(8)]
    file = ExportFile(files.write(written(rows), "order.json"), "json")
    with cut(BLOCK, data.draw(st.integers(1, 3)) if data else 1), opened(file) as (reader, _):
        blocks = list(reader.blocks())
        backwards = list(range(len(blocks)))[::-1]
        order = data.draw(st.permutations(backwards)) if data else backwards
        done = {index: reader.chunk(blocks[index]) for index in order}
    names = dict.fromkeys(name for index in sorted(done) for name in done[index].columns)
    assert list(names) == to_arrow(attrs.evolve(file, row_by_row=True)).column_names


def test_a_name_that_is_a_value_too(compare):
    """A field that some blocks lack is missing there, whatever their texts are; also where numbers become texts."""
    rows = [*[{"score": 1.5, "k": "score"}] * 40, *[{"k": "score"}] * 40]
    for types in (None, "text", {"score": "text"}):
        assert compare(written(rows), types).column("score").null_count == 40


def test_a_field_that_comes_late(files, cut):
    """A type may be asked for of a field that none of the first rows has; one that no row has is an error."""
    path = files.write(written([*PLAIN * 3, {"LATE": "7"}]), "late.json")
    with cut(BLOCK):
        table = to_arrow(ExportFile(path, "json", parse_types({"LATE": "integer"})))
        with pytest.raises(ParameterError, match="there is no column 'LATER'; did you mean 'LATE'"):
            to_arrow(ExportFile(path, "json", parse_types({"LATER": "integer"})))
    assert table.column("LATE").to_pylist() == [None] * (table.num_rows - 1) + [7]


def test_without_numpy(compare, monkeypatch):
    """Without numpy nothing is read by lines, and the table is the same."""
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    monkeypatch.setattr(json_lines, "JsonLines", None)
    assert compare(written(PLAIN)).num_rows == 40


NUMBERS = st.one_of(
    st.integers(-100, 100),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1000, 1000).map(lambda number: round(number, 2)),
)
TEXTS = st.one_of(st.sampled_from(['},{"', '"', "\\", "null", "1.5", "2019-02-01", "ü😀", ""]), st.text(max_size=5))
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.lists(st.integers(), max_size=2))
COLUMNS = st.dictionaries(
    st.sampled_from(["A", "b c", "ü", '"q"', "POST_ID"]),
    st.sampled_from([NUMBERS, TEXTS, VALUES, st.booleans(), st.integers(0, 9), st.none()]),
    min_size=1,
)


@st.composite
def rows_of_columns(draw):
    columns = draw(COLUMNS)
    rows = st.fixed_dictionaries({}, optional={name: st.one_of(values, values) for name, values in columns.items()})
    full = st.fixed_dictionaries(dict(columns))
    return draw(st.lists(st.one_of(full, full, full, rows), min_size=1, max_size=25))


@given(rows=rows_of_columns(), edge=st.sampled_from([",", ", ", ",\n"]), size=st.sampled_from([1, 60, 400]))
def test_any_rows(compare, rows, edge, size):
    """For whatever rows, both ways give the same table."""
    compare(written(rows, edge=edge, ensure_ascii=len(rows) % 2 == 0), sizes=(size,))


CONTENT = written(PLAIN[:12]).encode()
PIECES = [
    b'"',
    b",",
    b"}",
    b"{",
    b"[",
    b"]",
    b"\\",
    b"\xff",
    b"null",
    b"1e999",
    b"-",
    b".",
    b"0",
    b'{"N":1}',
    b"\n",
    b"",
]


@given(
    changes=st.lists(
        st.tuples(st.integers(1, len(CONTENT)), st.integers(0, 3), st.sampled_from(PIECES)), min_size=1, max_size=3
    )
)
def test_any_damage(compare, changes):
    """Whatever is damaged, both ways give the same table, or the same error."""
    content = CONTENT
    for at, length, piece in changes:
        content = content[:at] + piece + content[at + length :]
    compare(content, sizes=(BLOCK,))


DIGITS = st.text("0123456789", min_size=1, max_size=20)


@given(
    sign=st.sampled_from(["", "-"]),
    whole=DIGITS.map(lambda digits: digits.lstrip("0") or "0"),
    part=st.one_of(st.just(""), DIGITS),
    exponent=st.one_of(
        st.just(""), st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), DIGITS)
    ),
    around=st.sampled_from(["{}", "{}", " {} ", "\n{}\r"]),
)
def test_no_long_number_is_missed(sign, whole, part, exponent, around):
    """A number is found that has more than 15 digits with a fraction or an exponent, or that no float holds."""
    number = f"{sign}{whole}{'.' if part else ''}{part}{exponent}"
    is_integer = not part and not exponent
    text = f'{{"A":{around.format(number)},"B":"x"}}'.encode()
    value = float(number)
    exact = Decimal(number) if len(exponent) < 7 else None
    is_long = exact is None or len(exact.as_tuple().digits) > 15 or math.isinf(value) or (value == 0 and exact != 0)
    assert has_long_numbers(text) or is_integer or not is_long


def test_where_long_numbers_stand():
    """A number counts at each place, and in a text it does not."""
    for text in (b"0.1234567890123456", b'{"A":0.1234567890123456', b'{"A":"x","B":-12345678.12345678}'):
        assert has_long_numbers(text)
    for text in (b'{"A":"0.1234567890123456"}', b'{"A":0.123456789012345}', b'{"A":12345678901234567890}', b"", b"."):
        assert not has_long_numbers(text)
    assert has_long_numbers(b'{"A":0.1234567890},' * 3000)  # too many to look at each


@pytest.mark.parametrize("text", [b"null", b'null,{"S":"x"},{"S":"y"}', b' null,{"S":"x"}', b"1"])
def test_rows_that_begin_with_anything_else(text):
    """Arrow never sees a block that begins with anything but a row: with null, it would take the process down."""
    assert json_lines._read_lines(TextBlock(text, b'},{"S'), pa.schema([("S", pa.string())])) is None
