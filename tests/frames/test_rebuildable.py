"""Columns of a dataset: typed only where the export's own text can be made of the values again."""

import csv
import io
import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khoros_analytics import read_arrow
from khoros_analytics._frames.arrow_reader import ExportFile
from khoros_analytics._frames.forms import Form, dump_columns, join_columns, load_columns
from khoros_analytics._frames.rebuildable import convert, join, text_of, widen

BERLIN = "Europe/Berlin"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)
MOMENTS = st.datetimes(datetime(2019, 1, 1), datetime(2023, 12, 31))  # noqa: DTZ001 - an export's moments have no zone
VALUES = st.sampled_from(
    [
        st.integers(-(10**20), 10**20).map(str),
        st.integers(0, 99).map(str),
        st.floats(allow_nan=True).map(repr),
        st.floats(-1e6, 1e6).map(lambda number: f"{number:.2f}"),
        st.booleans().map(lambda flag: str(flag).lower()),
        st.booleans().map(str),
        MOMENTS.map(lambda moment: moment.date().isoformat()),
        MOMENTS.map(lambda moment: moment.isoformat(" ", "seconds")),
        MOMENTS.map(lambda moment: moment.isoformat("T", "milliseconds") + "+01:00"),
        MOMENTS.map(lambda moment: moment.isoformat("T", "milliseconds") + "Z"),
        st.just(""),
        TEXT,
    ]
)
COLUMNS = st.lists(VALUES, min_size=1, max_size=4).flatmap(
    lambda kinds: st.lists(st.tuples(st.just("x"), *[st.one_of(st.just(""), kind) for kind in kinds]), max_size=8)
)


@pytest.fixture
def convert_text(tmp_path):
    """Convert a file's content, and return what the Parquet file holds."""

    def converted(content, *, known=None, zone=None, name="a"):
        source, target = tmp_path / f"{name}.csv", tmp_path / f"{name}.parquet"
        source.write_bytes(content.encode())
        return convert(ExportFile(source), target, known, zone), target

    return converted


def kinds(schema):
    """The kinds of the columns, by their names."""
    return {name: form.kind for name, form in load_columns(schema)}


def write_csv(header, rows):
    """Write rows as the vendor's CSV: each value in quotes where it needs them."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([header, *rows])
    return file.getvalue()


TYPED = {
    "integers": ("1\n-2\n0\n", "integer", [1, -2, 0]),
    "long integers": ("1\n1234567890123456789\n", "long", [1, 1234567890123456789]),
    "beyond 64 bits": ("1\n12345678901234567890\n", "text", ["1", "12345678901234567890"]),
    "leading zeros": ("1\n007\n", "text", ["1", "007"]),
    "floats": ("1.5\n2\n", "plain", [1.5, 2.0]),
    "floats of Python": ("1.5\n2.0\n", "repr", [1.5, 2.0]),
    "decimals": ("1.50\n2.25\n", "decimals", [1.5, 2.25]),
    "decimals of two lengths": ("1.50\n2.2\n", "text", ["1.50", "2.2"]),
    "not a number": ("1.5\nnan\n", "text", ["1.5", "nan"]),
    "infinity": ("1.5\ninf\n", "text", ["1.5", "inf"]),
    "flags": ("true\nfalse\n", "boolean", [True, False]),
    "flags of Python": ("True\nFalse\n", "boolean", [True, False]),
    "two spellings": ("true\nFalse\n", "text", ["true", "False"]),
    "no date": ("2019-02-30\n", "text", ["2019-02-30"]),
}


@pytest.mark.parametrize("case", TYPED)
def test_types(case, convert_text):
    """A column has the narrowest type of which the text comes back."""
    values, kind, expected = TYPED[case]
    found, target = convert_text(f"A\n{values}")
    assert kinds(found.schema) == {"A": kind}
    assert pq.read_table(target)["A"].to_pylist() == expected


MOMENT_TEXTS = [
    ("2019-02-01", None),
    ("2019-02-01 10:00", None),
    ("2019-02-01 10:00:00", None),
    ("2019-02-01T10:00:00.123", None),
    ("2019-02-01T10:00:00.123456", None),
    ("2019-02-01T10:00:00Z", None),
    ("2019-02-01T10:00:00.123+01:00", None),
    ("2019-02-01 10:00:00+0100", None),
    ("2019-02-01 10:00:00+05:30", None),
    ("2019-02-01 10:00:00-03:00", None),
    ("2019-07-01 10:00:00+02:00", BERLIN),
]


@pytest.mark.parametrize(("text", "zone"), MOMENT_TEXTS)
def test_moments(text, zone, convert_text):
    """Dates and moments have a type in whatever way they are written, and come back as they were written."""
    found, target = convert_text(f"A\n{text}\n", zone=zone)
    table = pq.read_table(target)
    assert kinds(found.schema)["A"] in ("date", "timestamp")
    assert text_of(table)["A"].to_pylist() == [text]


def test_both_offsets_of_a_zone(convert_text):
    """Across a change of clocks one column has two offsets; the export's zone explains both."""
    content = "A\n2019-03-31T01:30:00+01:00\n2019-03-31T03:30:00+02:00\n"
    _, target = convert_text(content, zone=BERLIN)
    assert pq.read_schema(target).field("A").type == pa.timestamp("ms", BERLIN)
    assert text_of(pq.read_table(target))["A"].to_pylist() == content.split()[1:]
    assert kinds(convert_text(content)[0].schema) == {"A": "text"}


def test_ids_and_texts_stay_text(convert_text):
    """Numbers of identity stay text, whatever they look like."""
    found, _ = convert_text("POST_ID,N\n1,1\n")
    assert kinds(found.schema) == {"POST_ID": "text", "N": "integer"}


JOINS = [
    ("nothing", "integer", "integer"),
    ("integer", "nothing", "integer"),
    ("integer", "long", "long"),
    ("integer", "plain", "plain"),
    ("long", "plain", "text"),
    ("integer", "repr", "text"),
    ("integer", "date", "text"),
    ("text", "nothing", "text"),
]


@pytest.mark.parametrize(("one", "other", "joined"), JOINS)
def test_joining(one, other, joined):
    """Two forms are joined to the narrowest one that keeps the text of both, whichever comes first."""
    first, second = ((("A", Form(kind)),) for kind in (one, other))
    assert join_columns(first, second) == join_columns(second, first) == (("A", Form(joined)),)


def test_new_columns_come_last():
    """A column that appears later stands behind those that were known."""
    one, other = dump_columns((("A", Form("date")),)), dump_columns((("B", Form("integer")), ("A", Form("date"))))
    assert [name for name, _ in load_columns(join(one, other))] == ["A", "B"]


def test_a_dataset_decides(convert_text):
    """A window is written with the columns of the dataset where its own values allow it, and widens them where not."""
    first, _ = convert_text("A,B,C\n1,x,\n")
    same, target = convert_text("B,A\ny,2\n", known=first.schema, name="b")
    assert same.schema == first.schema
    assert pq.read_table(target).to_pylist() == [{"A": 2, "B": "y", "C": None}]
    wider, _ = convert_text("A,B,C\nn/a,y,5\n", known=first.schema, name="c")
    assert kinds(wider.schema) == {"A": "text", "B": "text", "C": "integer"}


def test_widening_keeps_the_text(convert_text, tmp_path):
    """A file that is written anew with wider columns holds what the export wrote, to the last digit."""
    content = "N,D,M,F\n5,2019-02-01,2019-02-01T10:00:00.120Z,2.50\n,,,\n"
    first, old = convert_text(content)
    second, _ = convert_text("N,D,M,F,X\nn/a,never,2019,2.5,1\n", known=first.schema, name="b")
    with old.open("rb") as file:
        widen(file, tmp_path / "new.parquet", second.schema)
    table = pq.read_table(tmp_path / "new.parquet")
    assert table.column_names == ["N", "D", "M", "F", "X"]
    assert text_of(table).to_pylist() == [
        {"N": "5", "D": "2019-02-01", "M": "2019-02-01T10:00:00.120Z", "F": "2.50", "X": None},
        {"N": None, "D": None, "M": None, "F": None, "X": None},
    ]


def test_json(tmp_path):
    """JSON is read as its text would be, nested values included."""
    source, target = tmp_path / "a.json", tmp_path / "a.parquet"
    source.write_text(json.dumps([{"A": 1, "B": {"x": [1]}, "C": True}, {"A": 2.5, "D": "7"}]))
    found = convert(ExportFile(source), target, None)
    assert kinds(found.schema) == {"A": "plain", "B": "text", "C": "boolean", "D": "integer"}
    assert pq.read_table(target).to_pylist() == [
        {"A": 1.0, "B": '{"x": [1]}', "C": True, "D": None},
        {"A": 2.5, "B": None, "C": None, "D": 7},
    ]


@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(COLUMNS.filter(bool), min_size=1, max_size=4))
def test_windows_joined_are_the_export(tmp_path_factory, windows):
    """Whatever the windows look like: all of them, widened to one schema, are the text of one export of everything."""
    folder = tmp_path_factory.mktemp("windows")
    width = max(len(rows[0]) for rows in windows)
    header = [f"C{number}" for number in range(width)]
    schema = None
    for number, rows in enumerate(windows):
        source = folder / f"{number}.csv"
        source.write_text(write_csv(header[: len(rows[0])], rows), encoding="utf-8", newline="")
        schema = convert(ExportFile(source), folder / f"{number}.parquet", schema, BERLIN).schema
    tables = []
    for number in range(len(windows)):
        with (folder / f"{number}.parquet").open("rb") as file:
            widen(file, folder / f"{number}.wide.parquet", schema)
        tables.append(pq.read_table(folder / f"{number}.wide.parquet"))
    assert len({table.schema for table in tables}) == 1
    joined = text_of(pa.concat_tables(tables))
    everything = [[*row, *[""] * (width - len(row))] for rows in windows for row in rows]
    whole = folder / "all.csv"
    whole.write_text(write_csv(header, everything), encoding="utf-8", newline="")
    assert joined.to_pylist() == read_arrow(whole, types="text").select(joined.column_names).to_pylist()
