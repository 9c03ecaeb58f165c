"""What the types of Arrow become in pandas and Polars: nothing is an object, and no offset is lost."""

from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import polars as pl
import pytest

from khoros_analytics import read_arrow, read_pandas, read_polars

CONTENT = (
    "TEXT,NOTHING,INTEGER,FLOAT,FLAG,DAY,MOMENT,FINE,ZONED,EAST,HALF\n"
    "x,,1,1.5,true,2019-02-01,2019-02-01 10:00:00,2019-02-01 10:00:00.123456789,2019-02-01T10:00:00Z,"
    "2019-02-01 10:00:00+02:00,2019-02-01 10:00:00+05:30\n" + "," * 10 + "\n"
)
WANTED = {
    "TEXT": "string",
    "NOTHING": "string",
    "INTEGER": "int64",
    "FLOAT": "double",
    "FLAG": "bool",
    "DAY": "date32[day]",
    "MOMENT": "timestamp[s]",
    "FINE": "timestamp[ns]",
    "ZONED": "timestamp[s, tz=UTC]",
    "EAST": "timestamp[s, tz=+02:00]",
    "HALF": "timestamp[s, tz=+05:30]",
}


@pytest.fixture
def path(files):
    """A file with a column of each type, and a row without anything."""
    return files.write(CONTENT)


def test_arrow(path):
    """Each column has the type that its value shows."""
    schema = read_arrow(path).schema
    assert {field.name: str(field.type) for field in schema} == WANTED


@pytest.mark.parametrize("types", [None, "text"])
def test_pandas(path, types):
    """With the backend of Arrow all columns have the very types of Arrow; none is of objects, in any of them."""
    frame = read_pandas(path, types=types, dtype_backend="pyarrow")
    assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.dtypes)
    found = {name: str(kind.pyarrow_dtype) for name, kind in frame.dtypes.items()}
    assert found == (WANTED if types is None else dict.fromkeys(WANTED, "string"))


def test_pandas_values(path):
    """What is missing is NA in every type, so whole numbers stay whole beside gaps."""
    frame = read_pandas(path, dtype_backend="pyarrow")
    assert list(frame.iloc[1].isna()) == [True] * 11
    assert all(frame[name][1] is pd.NA for name in ("TEXT", "INTEGER", "FLOAT", "FLAG"))
    assert frame["INTEGER"].sum() == 1
    assert isinstance(frame["INTEGER"][0], int)
    assert frame["FINE"][0] == pd.Timestamp("2019-02-01 10:00:00.123456789")
    assert str(frame["HALF"][0]) == "2019-02-01 10:00:00+05:30"


def test_pandas_without_rows(files):
    """The same in a frame without rows: no column of objects, which would spoil all that it is put together with."""
    frame = read_pandas(files.write("A,B\n"), dtype_backend="pyarrow")
    assert [str(kind.pyarrow_dtype) for kind in frame.dtypes] == ["string", "string"]
    assert list(frame.index) == []


def test_polars(path):
    """In Polars an offset of whole hours is the zone of that name, and any other one keeps its moments text: Polars
    knows no zone for it.
    """
    frame = read_polars(path)
    assert dict(frame.schema) == {
        "TEXT": pl.String,
        "NOTHING": pl.String,
        "INTEGER": pl.Int64,
        "FLOAT": pl.Float64,
        "FLAG": pl.Boolean,
        "DAY": pl.Date,
        "MOMENT": pl.Datetime("ms"),
        "FINE": pl.Datetime("ns"),
        "ZONED": pl.Datetime("ms", "UTC"),
        "EAST": pl.Datetime("ms", "Etc/GMT-2"),
        "HALF": pl.String,
    }
    first = frame.row(0, named=True)
    assert first["DAY"] == date(2019, 2, 1)
    assert first["ZONED"] == datetime(2019, 2, 1, 10, tzinfo=UTC)
    assert first["EAST"] == datetime(2019, 2, 1, 10, tzinfo=timezone(timedelta(hours=2)))
    assert first["EAST"].isoformat() == "2019-02-01T10:00:00+02:00"
    assert first["HALF"] == "2019-02-01 10:00:00+05:30"
    assert frame["FINE"].dt.nanosecond()[0] == 123456789
    assert set(frame.row(1)) == {None}


OFFSETS = [f"{sign}{hours:02}:{minutes:02}" for sign in "+-" for hours in range(24) for minutes in (0, 30, 45, 59)]


@pytest.mark.parametrize("offset", OFFSETS)
def test_every_offset(offset, files):
    """Whatever the offset: Polars shows the moment with it, or exactly the text of the file. Nothing fails or moves."""
    content = f"A,B\n2019-02-01T10:00:00{offset},1\n,2\n"
    value = read_polars(files.write(content))["A"][0]
    if isinstance(value, str):
        assert value == f"2019-02-01T10:00:00{offset}"
        assert offset[3:] != ":00" or int(offset[1:3]) > 12
    else:
        assert value.isoformat() == f"2019-02-01T10:00:00{offset}".replace("-00:00", "+00:00")


def test_offset_that_was_asked_for(files):
    """Whoever wants such moments as moments in Polars asks for it, and gets them in UTC."""
    path = files.write("A,B\n2019-02-01T10:00:00+05:30,1\n")
    frame = read_polars(path, types={"A": "timestamp"})
    assert frame["A"][0] == datetime(2019, 2, 1, 4, 30, tzinfo=UTC)
    assert frame.schema["A"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("header", [",A", "column_1,", "column_0,", ",column_1,column_2"])
def test_columns_without_a_name(header, files):
    """A column without a name has none on any route, whatever the others are called."""
    names = header.split(",")
    path = files.write(f"{header}\n{','.join('1' * len(names))}\n")
    for read in (lambda path: read_arrow(path).column_names, lambda path: list(read_pandas(path).columns)):
        assert read(path) == names
    assert read_polars(path).columns == names
