"""The fast ways against the exact ones: pieces of Arrow against rows, bytes against patterns. The same, or an error."""

import random
import sys

import pyarrow as pa
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError
from khoros_analytics._frames import inference
from khoros_analytics._frames.arrow_reader import ExportFile, with_tables
from khoros_analytics._frames.byte_types import look_exact
from khoros_analytics._frames.column_types import ColumnType, parse_types
from khoros_analytics._frames.inference import ColumnChunk, cast_exactly, infer
from khoros_analytics._frames.read import to_arrow

TEXTS = [
    "plain",
    "a,b",
    'say "hi"',
    "line\nbreak",
    "crlf\r\nin",
    '""',
    "\n",
    "naïve 配送 😀",
    "0",
    "007",
    " 7",
    "x" * 300,
]
TEXTS += ['}, {"', '\\"', "=1+1", "'", '"', "\ufeff", "\r", "1,299"]


def rarely(usual, *strange):
    """What is nearly always the same sort of value, but now and then another."""
    return lambda draw: draw.choice(strange) if draw.random() < 0.01 else usual(draw)


def number(draw):
    return str(draw.randrange(1, 99))


def cents(draw):
    return f"{draw.random() * 1000:.2f}"


def second(draw, form="2019-02-{:02} 00:00:{:02}"):
    return form.format(draw.randrange(1, 28), draw.randrange(60))


def constant(text):
    return lambda _: text


COLUMNS = {
    "integers": lambda draw: str(draw.randrange(-5, 10 ** draw.randrange(1, 15))),
    "long": lambda draw: str(draw.randrange(10**18, 9 * 10**18)),
    "beyond": rarely(number, "9223372036854775808", "-9223372036854775808", "1" * 20),
    "zeros": rarely(number, "0", "00", "007"),
    "plus": rarely(number, "+7"),
    "blank": rarely(number, " 7", "7 "),
    "hex": rarely(number, "0x1F", "0X1f"),
    "minus": rarely(number, "-0", "-", "--1", "1-", "-07", "-7"),
    "later_float": rarely(number, "1.5"),
    "later_text": rarely(number, "abc", "", "NULL"),
    "floats": cents,
    "negative": lambda draw: f"{draw.random() - 0.5:.3f}",
    "points": rarely(cents, ".5", "5.", "-.5", "1.5.2", "-5."),
    "leading": rarely(cents, "00.5", "-00.5", "-0", "-0.0"),
    "slash": rarely(cents, "1/5", "1,5", "1-5"),
    "digits": rarely(cents, "0.1234567890123456", "0.123456789012345", "123456789012345.6"),
    "exponents": lambda draw: draw.choice(["1e-07", "1.5E+10", "2.5"]),
    "no_numbers": rarely(cents, "NaN", "inf", "-inf", "1e400"),
    "booleans": lambda draw: draw.choice(["true", "false"]),
    "mixed_booleans": rarely(lambda draw: draw.choice(["true", "FALSE", "True"]), "yes", "1", "tRue"),
    "dates": lambda draw: f"2019-02-{draw.randrange(1, 28):02}",
    "bad_dates": rarely(constant("2019-02-03"), "2019-02-30", "2019-2-03", "0000-01-01", "2019-02-03 "),
    "seconds": second,
    "with_T": lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}"),
    "both": rarely(second, "2019-02-01T00:00:00"),
    "finer": rarely(second, "2019-02-01 00:00:00.5", "2019-02-01 00:00:00.000000001"),
    "shorter": rarely(second, "2019-02-01 00:00", "2019-02-01", "2019-02-01 00"),
    "offsets": lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}+05:30"),
    "two_offsets": rarely(lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}+01:00"), "2019-02-01T00:00:00+02:00"),
    "other_offsets": rarely(
        lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}.1234+01:00"), "2019-02-01T00:00:00.12+0100"
    ),
    "utc": lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}.123Z"),
    "zones_mixed": rarely(lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}.123Z"), "2019-02-01T00:00:00.123"),
    "bad_moments": rarely(second, "2019-02-29 00:00:00", "2019-02-01 24:00:00", "2019-02-01 23:59:60"),
    "far": rarely(second, "0000-01-01 00:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00"),
    "far_zones": rarely(
        lambda draw: second(draw, "2019-02-{:02}T00:00:{:02}+01:00"),
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59+01:00",
    ),
    "author_ID": lambda draw: str(draw.randrange(10**18, 9 * 10**18)),
    "text": lambda draw: draw.choice(TEXTS),
    "nothing": constant(None),
}


def export(draw):
    """A file with some of these columns, damaged now and then."""
    names = draw.sample(sorted(COLUMNS), draw.randrange(1, 12))
    end, all_quoted = draw.choice(["\n", "\r\n"]), draw.random() < 0.2
    delimiter = draw.choice(",,,;")

    def cell(text):
        if text is None:
            return ""
        if all_quoted or not text or any(mark in text for mark in ',;"\r\n'):
            return '"' + text.replace('"', '""') + '"'
        return text

    rows = [
        [None if draw.random() < 0.1 else COLUMNS[name](draw) for name in names] for _ in range(draw.choice([5, 120]))
    ]
    lines = [delimiter.join(names), *(delimiter.join(map(cell, row)) for row in rows)]
    content = (end.join(lines) + (end if draw.random() < 0.8 else "")).encode()
    if draw.random() < 0.3:
        at = draw.randrange(len(content))
        content = content[:at] + draw.choice([b'"', b",", b"\n", b"\xff", b"\r", b'""', b'"x', b"\0"]) + content[at:]
    types = None
    if draw.random() < 0.3:
        kinds = ["text", "integer", "float", "boolean", "date", "timestamp"]
        types = {name: draw.choice(kinds) for name in draw.sample(names, min(2, len(names)))}
    return content, types


def exactly(file):
    """Read row by row, and with patterns alone."""

    def joined(schema, tables):
        return pa.concat_tables([schema.empty_table(), *tables])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "look_exact", lambda texts, wanted: False)
        return with_tables(evolve(file, row_by_row=True), joined)


def outcome(read, file):
    """What reading gives: a table, or an error with its place."""
    try:
        return read(file)
    except ExportFormatError as error:
        return str(error), error.row, error.offset


def same(one, other):
    """Whether two outcomes are the same: floats to the last bit, so that -0.0 is not 0.0."""
    if not isinstance(one, pa.Table) or not isinstance(other, pa.Table):
        return one == other
    floats = [name for name in one.column_names if one.schema.field(name).type == pa.float64()]
    bits = [[table[name].combine_chunks().view(pa.int64()) for name in floats] for table in (one, other)]
    return one.schema.equals(other.schema) and one.equals(other) and bits[0] == bits[1]


@pytest.fixture
def without_numpy(monkeypatch):
    """As where numpy is missing."""
    monkeypatch.setitem(sys.modules, "numpy", None)


def compare(number, seed, files, cut):
    """Read a file that the number decides, in several ways, and compare."""
    draw = random.Random(f"{seed} {number}")
    content, types = export(draw)
    file = ExportFile(files.write(content), hints=parse_types(types))
    right = outcome(exactly, file)
    for piece, pieces in ((1 << 20, 8), (len(content) // 7 + 1, 2), (len(content) // 50 + 1, 3)):
        with cut(piece, pieces, records=300):
            found = outcome(to_arrow, file)
        assert same(found, right), (content, types, piece)


@pytest.mark.parametrize("number", range(12))
def test_pieces_are_rows(number, seed, files, cut):
    """Any file of any columns is the same table, or the same error, by pieces as by rows, however it is cut."""
    compare(number, seed, files, cut)


@pytest.mark.parametrize("number", range(12, 16))
@pytest.mark.usefixtures("without_numpy")
def test_pieces_without_numpy(number, seed, files, cut):
    """The same where numpy is missing: the quotes are looked at in another way."""
    compare(number, seed, files, cut)


# ---- columns


KINDS = [
    ColumnType("integer"),
    ColumnType("float"),
    ColumnType("boolean"),
    ColumnType("date"),
    *(ColumnType("timestamp", unit=unit, zone=zone) for unit in ("s", "ms", "ns") for zone in (None, "UTC", "+01:00")),
]
CHARACTERS = {"integer": "-019", "float": "-.019", "boolean": "trueTRUEfalse", "date": "-0129", "timestamp": "0:-. TZ+"}
MOMENTS = st.from_regex(
    r"\A(0000|0001|2019|9999)-0[12]-[23][0-9][ T][0-2][0-9]:[0-6]0:[0-6]0(\.[0-9]{1,10})?(Z|\+01:00|\+0100|\+01)?\Z"
)


@st.composite
def texts_of_a_kind(draw):
    """Texts of the characters that a type's values have, and such a type."""
    kind = draw(st.sampled_from(KINDS))
    cell = st.text(CHARACTERS[kind.kind], min_size=1, max_size=20)
    if kind.kind in ("date", "timestamp"):
        cell = st.one_of(MOMENTS, MOMENTS, MOMENTS.map(lambda text: text[:10]), cell)
    elif kind.kind == "float":
        cell = st.one_of(
            st.floats(-1e9, 1e9).map(lambda value: f"{value:.2f}"), st.from_regex(r"\A-?[01]*\.[01]*\Z"), cell
        )
    cells = draw(st.lists(st.one_of(cell, cell, cell, st.none(), st.just("")), max_size=6))
    return kind, cells * draw(st.sampled_from([1, 1, 40]))


def by_patterns(read):
    """Read as if no bytes were looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "look_exact", lambda texts, wanted: False)
        return read()


@settings(max_examples=100)
@given(texts_of_a_kind(), st.integers(0, 3))
def test_bytes_are_patterns(drawn, cut_off):
    """What the bytes of a column say is what the patterns say, also where the column is a part of a longer one."""
    kind, cells = drawn
    values = pa.chunked_array([pa.array(cells, pa.string())]).slice(cut_off)
    column = ColumnChunk(values)
    right = by_patterns(lambda: [cast_exactly(column, kind), *infer(column)])
    found = [cast_exactly(column, kind), *infer(column)]
    # As text, -0.0 is not 0.0.
    assert list(map(_told, found)) == list(map(_told, right))


def _told(thing):
    return (str(thing.type), str(thing)) if isinstance(thing, pa.ChunkedArray) else thing


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (ColumnType("integer"), ["0", "-1", "12", None, "9223372036854775807", "-922337203685477580"]),
        (ColumnType("float"), ["0", "-0.5", "12", None, "0.25", "123456789012345", "7"]),
        (ColumnType("date"), ["2019-02-01", None, "1999-12-31"]),
        (ColumnType("timestamp"), ["2019-02-01 00:00:00", None]),
        (ColumnType("timestamp", unit="ms", zone="UTC"), ["2019-02-01T00:00:00.123Z", None]),
        (ColumnType("timestamp", unit="us", zone="-03:30"), ["2019-02-01 00:00:00.123456-03:30"]),
    ],
)
def test_usual_values_need_no_patterns(kind, texts):
    """The usual ways to write a type are seen from the bytes: the rule above is not kept by never seeing any."""
    assert look_exact(pa.array(texts, pa.string()), kind)
    assert not look_exact(pa.array([*texts, "x"], pa.string()), kind)


def test_text_behind_what_is_missing():
    """A missing value may have bytes in Arrow's buffer; they are not taken for those of another one."""
    texts = pa.array(["12", "x", "", "3"], pa.string())
    _, offsets, content = texts.buffers()
    hidden = pa.StringArray.from_buffers(4, offsets, content, pa.py_buffer(bytes([0b1101])), 1)
    assert cast_exactly(ColumnChunk(pa.chunked_array([hidden])), ColumnType("integer")) is None
    shown = hidden.slice(0, 2)
    assert cast_exactly(ColumnChunk(pa.chunked_array([shown])), ColumnType("integer")).to_pylist() == [12, None]
