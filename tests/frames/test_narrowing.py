"""Narrowing: a column of text becomes something else only where each of its values keeps its value exactly."""

import io
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import read_pandas, read_polars

# ---- the oracle: what a text means, told by the standard library alone


def nanoseconds(text):
    """The moment that a text names, in nanoseconds since 1970; and its offset in minutes, or None."""
    plain, fraction, offset = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", text, re.ASCII).groups()
    moment = datetime.fromisoformat(plain).replace(tzinfo=UTC)
    minutes = None
    if offset == "Z":
        minutes = 0
    elif offset:
        minutes = (1 if offset[0] == "+" else -1) * (int(offset[1:3]) * 60 + int(offset[4:6]))
    since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - (minutes or 0) * 60
    return since * 10**9 + int((fraction or "").ljust(9, "0")), minutes


def same(text, value, kind):
    """Whether a value of a frame is what a text says, without anything lost."""
    if pa.types.is_integer(kind):
        return str(value) == text
    if pa.types.is_floating(kind):
        # The float is the nearest to the text, and its shortest decimal is the text's value: nothing is cut off.
        return Decimal(repr(value)) == Decimal(text)
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[text.lower()] is value
    if pa.types.is_date(kind):
        return date.fromisoformat(text) == value
    scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[kind.unit]
    moment, minutes = nanoseconds(text)
    offset = nanoseconds(f"2000-01-01 00:00:00{(kind.tz or '').replace('UTC', 'Z')}")[1]
    return value * scale == moment and minutes == offset


def values_of(column):
    """The values of a column, moments as the integers that they are: Python's own hold no nanoseconds."""
    return column.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(column.type) else column.to_pylist()


SHAPES = (
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-200, 200).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["true", "false", "True", "False", "TRUE", "FALSE"]),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-3.5))])).map(
        lambda moment: moment.isoformat(" ", timespec="milliseconds")
    ),
    st.from_regex(r"\A-?[0-9]{0,18}\.?[0-9]{0,18}([eE][+-]?[0-9]{1,3})?\Z").filter(bool),
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]"
        r"([T ][012][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,10})?(Z|[+-][0-3][0-9]:[0-9]{2})?)?\Z"
    ),
    st.text(max_size=4).filter(lambda text: "\r" not in text and text.isprintable()),
)


@st.composite
def columns(draw):
    """A column of texts that are mostly of one shape, with gaps."""
    shape = draw(st.sampled_from(SHAPES))
    return draw(st.lists(st.one_of(st.none(), shape, shape, shape), min_size=1, max_size=6))


@given(columns())
@example(["0.30000000000000004"])
@example(["123456789012345.6"])
@example(["9007199254740993", "1.5"])
@example(["0001-01-01 00:00:00+02:00"])
@example(["9999-12-31 23:59:59-02:00"])
@example(["0000-01-01"])
@example(["2019-02-01 00:00:00", "0001-01-01 00:00:00.123456789"])
def test_nothing_is_lost(files, texts):
    """For any column: each value of the frame is exactly what its text says, and what is missing stays missing."""
    column = files.column(*texts)
    # It can be looked at from Python, too.
    assert column.to_pylist()[0] is not None or texts[0] is None
    for text, value in zip(texts, values_of(column), strict=True):
        if text is None or pa.types.is_string(column.type):
            assert value == text
        else:
            assert same(text, value, column.type)


@given(columns(), st.sampled_from(["x", "007", "+1", " 1", "NaN", "1 ", "", "2019-02-30", "0x10", "½"]), st.randoms())
def test_every_value_must_allow_it(files, texts, strange, random):
    """One value that is none of the type keeps all of the column text, wherever it stands."""
    texts.insert(random.randint(0, len(texts)), strange)
    assert files.column(*texts).to_pylist() == texts


@given(st.lists(st.integers(-(2**63), 2**63 - 1).map(str), min_size=1))
def test_integers_are_integers(files, texts):
    """Any column of integers of 64 bits is one of integers: the rule above is not kept by never narrowing."""
    assert files.column(*texts).type == "int64"


@given(st.lists(st.integers(-(10**14), 10**14), min_size=1), st.integers(1, 4))
def test_decimals_are_floats(files, numbers, places):
    """Any column of decimals of up to 15 digits is one of floats."""
    texts = [str(Decimal(number).scaleb(-places).quantize(Decimal(1).scaleb(-places))) for number in numbers]
    assert files.column(*texts).type == "double"


@given(
    st.lists(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), min_size=1),  # noqa: DTZ001 - offsets are added
    st.sampled_from(["", "Z", "+02:00", "-11:30"]),
)
def test_moments_are_timestamps(files, moments, offset):
    """Any column of moments with one offset, or none, is one of timestamps with that offset."""
    kind = files.column(*(f"{moment.isoformat(timespec='microseconds')}{offset}" for moment in moments)).type
    assert (kind.unit, kind.tz) == ("us", {"": None, "Z": "UTC"}.get(offset, offset))


# ---- tables


STAYS = {
    "leading zero": ["007"],
    "leading zero later": ["7", "007"],
    "zeros": ["00"],
    "leading zero of a decimal": ["00.5"],
    "plus": ["+1"],
    "blank before": [" 1"],
    "blank behind": ["1 "],
    "no digit behind": ["1."],
    "no digit before": [".5"],
    "two points": ["1.2.3"],
    "a point alone": ["."],
    "a sign alone": ["-"],
    "minus zero one": ["-01"],
    "two signs": ["--1"],
    "could be a code": ["12E5"],
    "could be a code, too": ["1e5"],
    "thousands": ["1,299"],
    "underscore": ["1_000"],
    "not a number": ["NaN"],
    "not a number in small": ["nan"],
    "infinite": ["inf"],
    "infinitely small": ["-Infinity"],
    "not available": ["NA"],
    "none": ["None", "1"],
    "null": ["null", "1"],
    "hexadecimal": ["0x1F"],
    "16 digits": ["0.1234567890123456"],
    "16 digits before the point": ["123456789012345.5"],
    "too large": ["9223372036854775808"],
    "too small": ["-9223372036854775809"],
    "long beside a fraction": ["1234567890123456789", "0.5"],
    "beyond floats": ["1.5e400"],
    "below floats": ["1.5e-400"],
    "Arabic digits": ["١٢٣"],
    "wide digits": ["\uff11\uff12"],
    "superscript": ["2²"],
    "line end": ["1\n"],
    "carriage return": ["1\r"],
    "zero byte": ["1\0"],
    "odd case": ["tRUE"],
    "yes": ["yes"],
    "boolean and number": ["true", "1"],
    "quoted empty": ["1", ""],
    "30 February": ["2019-02-30"],
    "no leap year": ["2019-02-29"],
    "month 13": ["2019-13-01"],
    "year zero": ["0000-01-01"],
    "five digits": ["12019-01-01"],
    "American": ["02/01/2019"],
    "without dashes": ["2019-0201"],
    "dates and moments": ["2019-02-01", "2019-02-01 00:00:00"],
    "hour 24": ["2019-02-01 24:00:00"],
    "leap second": ["2016-12-31 23:59:60"],
    "without seconds": ["2019-02-01 10:30"],
    "mixed offsets": ["2019-02-01 00:00:00+01:00", "2019-07-01 00:00:00+02:00"],
    "some without offset": ["2019-02-01 00:00:00Z", "2019-02-01 00:00:00"],
    "some without offset, behind": ["2019-02-01 00:00:00", "2019-02-01 00:00:00Z"],
    "offset without colon": ["2019-02-01 00:00:00+0200"],
    "name of a zone": ["2019-02-01 00:00:00 UTC"],
    "offset of a day": ["2019-02-01 00:00:00+24:00"],
    "finer than nanoseconds": ["2019-02-01 00:00:00.1234567890"],
    "nanoseconds too early": ["1500-01-01 00:00:00.123456789"],
    "time alone": ["10:30:00"],
}


@pytest.mark.parametrize("texts", STAYS.values(), ids=STAYS)
def test_what_stays_text(texts, files):
    """What a type would change, or what only might be meant as one, stays as it is."""
    column = files.column(*texts)
    assert column.type == "string"
    assert column.to_pylist() == texts


BECOMES = {
    "integer": (["0", "-5", "12"], "int64", [0, -5, 12]),
    "largest": (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
    "19 digits with gaps": ([None, "1234567890123456789"], "int64", [None, 1234567890123456789]),
    "float": (["0.5", "-1.25", "3"], "double", [0.5, -1.25, 3.0]),
    "trailing zeros": (["1.50", "2.00"], "double", [1.5, 2.0]),
    "15 digits": (["123456789012.345"], "double", [123456789012.345]),
    "as programs write it": (["1.5E-7", "1e-07", "2.5e+10"], "double", [1.5e-7, 1e-7, 2.5e10]),
    "booleans": (["true", "false", None], "bool", [True, False, None]),
    "large booleans": (["TRUE", "FALSE"], "bool", [True, False]),
    "booleans of all kinds": (["TRUE", "true", "False"], "bool", [True, True, False]),
    "Python's booleans": (["True", "False"], "bool", [True, False]),
    "date": (["2019-02-01", "2020-02-29"], "date32[day]", [date(2019, 2, 1), date(2020, 2, 29)]),
    "first and last day": (["0001-01-01", "9999-12-31"], "date32[day]", [date.min, date.max]),
    "seconds": (["2019-02-01 10:20:30"], "timestamp[s]", [datetime(2019, 2, 1, 10, 20, 30)]),  # noqa: DTZ001 - it has none
    "T": (["2019-02-01T10:20:30"], "timestamp[s]", [datetime(2019, 2, 1, 10, 20, 30)]),  # noqa: DTZ001
    "tenths": (["2019-02-01 00:00:00.5"], "timestamp[ms]", [datetime(2019, 2, 1, 0, 0, 0, 500000)]),  # noqa: DTZ001
    "milli among plain": (
        ["2019-02-01 00:00:00", "2019-02-01 00:00:00.001"],
        "timestamp[ms]",
        [datetime(2019, 2, 1), datetime(2019, 2, 1, 0, 0, 0, 1000)],  # noqa: DTZ001
    ),
    "micro": (["2019-02-01 00:00:00.000001"], "timestamp[us]", [datetime(2019, 2, 1, 0, 0, 0, 1)]),  # noqa: DTZ001
    "Z": (["2019-02-01T00:00:00Z"], "timestamp[s, tz=UTC]", [datetime(2019, 2, 1, tzinfo=UTC)]),
}


@pytest.mark.parametrize(("texts", "kind", "values"), BECOMES.values(), ids=BECOMES)
def test_what_becomes_of_others(texts, kind, values, files):
    """Numbers, booleans, dates and moments as programs write them get their type."""
    column = files.column(*texts)
    assert str(column.type) == kind
    assert column.to_pylist() == values


def test_nanoseconds(files):
    """Nine digits of a second are kept, all of them."""
    column = files.column("2019-02-01 00:00:00.123456789")
    assert (str(column.type), values_of(column)) == ("timestamp[ns]", [1548979200123456789])


@pytest.mark.parametrize("offset", ["+02:00", "-03:30", "+00:00", "-00:00", "+14:00"])
def test_offsets_are_kept(offset, files):
    """Moments that share an offset keep it: what stands in the file is what the frame shows."""
    column = files.column(f"2019-02-01 10:20:30{offset}", None)
    assert column.type == pa.timestamp("s", offset)
    shown = column.to_pylist()[0].isoformat(" ")
    assert shown == f"2019-02-01 10:20:30{offset}".replace("-00:00", "+00:00")


@pytest.mark.parametrize("content", ["A,B\n,1\n,2\n", "A,B\n", '[{"A": null, "B": 1}]'])
def test_column_without_values(content, files):
    """A column in which nothing stands is one of text: it says nothing of what other windows hold."""
    column = files.table(content)["A"]
    assert column.type == "string"
    assert column.null_count == len(column)


def test_gap_or_empty_text(files):
    """A field without anything is missing; one that quotes nothing is an empty text."""
    table = files.table('A,B,C\n,"",x\n"",,x\n')
    assert table.to_pydict() == {"A": [None, ""], "B": ["", None], "C": ["x", "x"]}
    assert files.table('A,B\n"1",2\n3,\n').to_pydict() == {"A": [1, 3], "B": [2, None]}


# ---- long numbers, the classic loss


LONG = "NUMBER,OTHER\n1234567890123456789,a\n,b\n9007199254740993,c\n"


def test_long_numbers_with_gaps(files):
    """A column of 19 digits with gaps keeps every digit in Arrow, pandas and Polars; pandas' own reader loses some."""
    path, numbers = files.write(LONG), [1234567890123456789, None, 9007199254740993]
    assert files.table(LONG)["NUMBER"].to_pylist() == numbers
    assert read_polars(path)["NUMBER"].to_list() == numbers
    frame = read_pandas(path)["NUMBER"]
    assert [int(value) for value in frame.dropna()] == [1234567890123456789, 9007199254740993]
    assert frame[1] is pd.NA
    careless = pd.read_csv(io.StringIO(LONG))["NUMBER"]
    assert [int(value) for value in careless.dropna()] != [1234567890123456789, 9007199254740993]


# ---- what the caller asks for


@pytest.mark.parametrize(
    ("kind", "texts", "values"),
    [
        ("text", ["1", None, "2.50"], ["1", None, "2.50"]),
        ("integer", ["007", "1"], [7, 1]),
        ("float", ["1", "2"], [1.0, 2.0]),
        ("float", ["12E5"], [1200000.0]),
        ("boolean", ["true", "false"], [True, False]),
        ("date", ["2019-02-01", None], [date(2019, 2, 1), None]),
        ("timestamp", ["2019-02-01", None], [datetime(2019, 2, 1), None]),  # noqa: DTZ001 - it has none
        (
            "timestamp",
            ["2019-02-01 00:00:00+01:00", "2019-07-01 00:00:00+02:00"],
            [datetime(2019, 1, 31, 23, tzinfo=UTC), datetime(2019, 6, 30, 22, tzinfo=UTC)],
        ),
        ("timestamp", ["2019-02-01 00:00:00.123456"], [datetime(2019, 2, 1, 0, 0, 0, 123456)]),  # noqa: DTZ001
    ],
)
def test_asked_for(kind, texts, values, files):
    """A type that the caller asks for is done, also where it changes how a value is written."""
    assert files.column(*texts, types=kind).to_pylist() == values


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "1.5"),
        ("integer", "9223372036854775808"),
        ("float", "a lot"),
        ("boolean", "1"),
        ("boolean", "yes"),
        ("date", "2019-02-30"),
        ("date", "2019-02-01 00:00:00"),
        ("timestamp", "yesterday"),
        ("timestamp", "2019-02-01 00:00:00.123456789"),
        ("integer", ""),
        ("integer", "0x1F"),
        ("integer", "0X1f"),
        ("float", "1e400"),
        ("float", "-1e400"),
        ("float", "1e-400"),
    ],
)
def test_asked_for_in_vain(kind, value, files, cut):
    """A value that is none of the type is an error that names row, column, value and the way out; never a gap."""
    good = {"integer": "1", "float": "1", "boolean": "true", "date": "2019-02-01", "timestamp": "2019-02-01 00:00:00"}
    lines = "".join(f'"{cell}",x\n' for cell in [good[kind]] * 5 + [value])
    with cut(16):
        error = files.error("A,B\n" + lines, types={"A": kind})
    assert error.row == 6
    article = "an" if kind == "integer" else "a"
    said, advice = str(error).split("\n")[:2]
    assert said.endswith(f"export.csv: row 6: A holds {value!r}, which is not {article} {kind}")
    assert advice == "What to do: leave 'A' out of types, or make it text"


def test_polars_sees_the_same(files):
    """Numbers, booleans, dates and moments come to Polars as they are in Arrow."""
    content = "A,B,C,D,E\n1,0.5,true,2019-02-01,2019-02-01 10:20:30\n,,,,\n"
    frame = read_polars(files.write(content))
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.Boolean, pl.Date, pl.Datetime("ms")]
    assert frame.rows() == [tuple(row.values()) for row in files.table(content).to_pylist()]


@pytest.mark.parametrize(
    "number", ["0." + "0" * 400 + "1", "-0." + "0" * 330 + "25", "1" + "0" * 400, "0." + "0" * 310 + "1"]
)
def test_numbers_that_no_float_holds(number, files):
    """A number that a float would make zero, infinite or imprecise is text, and so is its column."""
    assert files.column(number, "1.5").to_pylist() == [number, "1.5"]
