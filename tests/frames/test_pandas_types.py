"""The types that pandas users expect, and what they do with them every day."""

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from khoros_analytics import ParameterError, read_arrow, read_pandas
from khoros_analytics.sandbox import faults

BACKENDS = ["pandas", "pyarrow"]
LONG = 1234567890123456789
CONTENT = (
    "TEXT,NOTHING,NUMBER,WHOLE,PRIORITY,SHARE,FLAG,DAY,CREATED_DATE,FINE,ZONED,EAST,POST_ID\n"
    f"x,,{LONG},1,3,1.5,true,2019-02-28,2019-02-28 10:00:00,2019-02-01 10:00:00.123456789,2019-02-28T10:00:00Z,"
    f"2019-02-28 10:00:00+05:30,{LONG}\n"
    + "," * 3
    + "2,4"
    + "," * 8
    + "\n"
    + '"",,7,5,6,0.25,false,2019-03-02,2019-03-02 09:45:00,2019-03-02 10:00:00,2019-03-02T09:45:00Z,'
    "2019-03-02 09:45:00+05:30,0017\n"
)
MOMENTS = ["DAY", "CREATED_DATE", "FINE", "ZONED", "EAST"]


@pytest.fixture
def frame(files):
    """One with a column of each type, and a row with hardly anything."""
    return read_pandas(files.write(CONTENT))


def test_types(frame):
    """Each column has pandas' own type that knows missing values; a day is its first moment."""
    found = {name: kind.name for name, kind in frame.dtypes.items()}
    offset = found.pop("EAST")
    assert found == {
        "TEXT": "string",
        "NOTHING": "string",
        "NUMBER": "Int64",
        "WHOLE": "Int64",
        "PRIORITY": "Int64",
        "SHARE": "Float64",
        "FLAG": "boolean",
        "DAY": "datetime64[s]",
        "CREATED_DATE": "datetime64[s]",
        "FINE": "datetime64[ns]",
        "ZONED": "datetime64[s, UTC]",
        "POST_ID": "string",
    }
    assert offset.startswith("datetime64[s, ")
    assert frame["EAST"].dt.tz.utcoffset(None) == timedelta(hours=5, minutes=30)


def test_values(frame):
    """Each value is that of the file, all digits of a number beside a gap included, and an empty text is no gap."""
    assert frame["NUMBER"].tolist() == [LONG, pd.NA, 7]
    assert frame["POST_ID"].tolist() == [str(LONG), pd.NA, "0017"]
    assert frame["TEXT"].tolist() == ["x", pd.NA, ""]
    assert frame["FLAG"].tolist() == [True, pd.NA, False]
    assert frame["SHARE"].tolist() == [1.5, pd.NA, 0.25]
    assert frame["DAY"].tolist() == [pd.Timestamp("2019-02-28"), pd.NaT, pd.Timestamp("2019-03-02")]
    assert frame["FINE"][0] == pd.Timestamp("2019-02-01 10:00:00.123456789")
    assert str(frame["EAST"][0]) == "2019-02-28 10:00:00+05:30"
    assert list(frame.iloc[1].isna()) == [name not in ("WHOLE", "PRIORITY") for name in frame.columns]


def test_long_numbers_survive_gaps(frame):
    """No digit is lost where a join, a shift or another index leaves gaps."""
    ids = frame[["WHOLE", "NUMBER"]]
    joined = pd.DataFrame({"WHOLE": pd.array([1, 9], "Int64")}).merge(ids, how="left")
    assert joined["NUMBER"].tolist() == [LONG, pd.NA]
    assert frame["NUMBER"].shift().tolist() == [pd.NA, LONG, pd.NA]
    assert frame["NUMBER"].reindex([0, 7]).tolist() == [LONG, pd.NA]


@pytest.mark.parametrize("name", MOMENTS)
def test_everyday_moments(frame, name):
    """Moments are compared with texts, and have periods, months and a time index, in every unit and zone."""
    whole = frame.dropna(subset=name)
    assert len(frame[frame[name] >= "2019-03-01"]) == 1
    assert len(frame[frame[name].between("2019-01-01", "2019-03-31")]) == 2
    assert frame[name].dt.tz_localize(None).dt.to_period("W").astype(str)[2] == "2019-02-25/2019-03-03"
    indexed = whole.set_index(name).sort_index()
    assert isinstance(indexed.index, pd.DatetimeIndex)
    assert len(indexed.loc["2019-03"]) == 1
    assert len(indexed.between_time("00:00", "23:00")) == 2
    assert indexed.resample("MS")["WHOLE"].sum().tolist()[-1] == 5
    assert frame.groupby(pd.Grouper(key=name, freq="D"))["PRIORITY"].max().iloc[-1] == 6


def test_convert_dtypes(frame):
    """What pandas converts to itself is converted already."""
    converted = frame.convert_dtypes(dtype_backend="numpy_nullable")
    assert converted["CREATED_DATE"].dtype == "datetime64[s]"
    assert converted["NUMBER"].tolist() == frame["NUMBER"].tolist()


def test_arrays(frame):
    """Numbers become an array of numbers: a column by itself, and several where it is said which kind they are."""
    assert frame["WHOLE"].to_numpy().dtype == np.int64
    array = frame[["WHOLE", "PRIORITY"]].to_numpy()
    assert array.tolist() == [[1, 3], [2, 4], [5, 6]]
    assert frame[["WHOLE", "PRIORITY"]].to_numpy("int64").dtype == np.int64
    assert frame[["NUMBER", "SHARE"]].to_numpy("float64", na_value=np.nan).dtype == np.float64


def test_changes(frame):
    """A frame is the user's to change, and what is made of it does not change the next one."""
    frame.loc[0, "CREATED_DATE"] = pd.Timestamp("2020-01-01")
    frame.loc[0, "NUMBER"] = 8
    frame.loc[2, "FLAG"] = pd.NA
    frame["DAYS"] = (frame["CREATED_DATE"] - frame["DAY"]).dt.days
    assert frame["CREATED_DATE"][0].year == 2020
    assert frame["NUMBER"].sum() == 15


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("format", ["csv", "json"])
def test_never_objects(files, backend, format):
    """No column is one of objects, whatever mixes in it, and however few rows there are."""
    rows = [{"A": 1, "B": [1], "C": True, "D": "2019-02-01T10:00:00+01:00"}, {"A": "x", "B": None, "C": 2, "D": 10**30}]
    content = json.dumps(rows) if format == "json" else "A,B,C,D\n1,[1],true,2019-02-01T10:00:00+01:00\nx,,2,1\n"
    for text in (content, content[:1] + "]" if format == "json" else "A,B,C,D\n"):
        frame = read_pandas(files.write(text), dtype_backend=backend)
        assert object not in frame.dtypes.tolist()
        assert all(pd.api.types.is_string_dtype(kind) for kind in frame.dtypes)


MIXED = "A,B\n2019-03-31T01:30:00+01:00,1\n,2\n2019-03-31T03:30:00.5+02:00,3\n"
MOMENTS_OF_MIXED = [datetime(2019, 3, 31, 0, 30, tzinfo=UTC), datetime(2019, 3, 31, 1, 30, 0, 500_000, tzinfo=UTC)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_offsets(files, backend):
    """A window across a change of clocks is one column of moments, in UTC where nobody knows the zone."""
    path = files.write(MIXED)
    moments = read_pandas(path, dtype_backend=backend)["A"]
    assert moments.dtype == ("datetime64[ms, UTC]" if backend == "pandas" else "timestamp[ms, tz=UTC][pyarrow]")
    assert [moment.to_pydatetime() for moment in moments.dropna()] == MOMENTS_OF_MIXED
    assert moments.isna().tolist() == [False, True, False]
    assert str(read_arrow(path).schema.field("A").type) == "string"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("types", ["text", {"A": "text"}])
def test_two_offsets_as_text(files, backend, types):
    """They are text for those who ask for it."""
    frame = read_pandas(files.write(MIXED), types=types, dtype_backend=backend)
    assert frame["A"].tolist() == ["2019-03-31T01:30:00+01:00", pd.NA, "2019-03-31T03:30:00.5+02:00"]


@pytest.mark.parametrize(
    "values",
    [
        ["2019-03-31T01:30:00+01:00", "2019-03-31 01:30:00"],
        ["2019-02-30T01:30:00+01:00", "2019-03-31T01:30:00+02:00"],
        ["2019-03-31T01:30:00+01:00", "soon"],
        ["0001-01-01T01:30:00+02:00", "2019-03-31T01:30:00+01:00"],
        ["9999-12-31T23:30:00-02:00", "2019-03-31T01:30:00+01:00"],
        ["1500-03-31T01:30:00.123456789+01:00", "2019-03-31T01:30:00+02:00"],
        ["2019-03-31T01:30:00+01:00", ""],
    ],
)
def test_moments_in_doubt_stay_text(files, values):
    """One that has no offset, no such day, no place in the calendar or too many digits: the column stays text."""
    path = files.write(json.dumps([{"A": value} for value in values]))
    assert read_pandas(path)["A"].tolist() == values


def test_text_of_moments(files, world):
    """A column that stays text stays it with moments, too: an id, and what the table of reports calls text."""
    assert read_pandas(files.write(MIXED.replace("A", "MOMENT_ID", 1)))["MOMENT_ID"].dtype == "string"
    content = MIXED.replace("A", "response_content", 1).encode()
    world.sandbox.fail("file", faults.RawAnswer(content=content))
    job = world.start("response", metrics=["response_content", "B"])
    assert job.to_pandas()["response_content"].dtype == "string"


@pytest.mark.parametrize("backend", BACKENDS)
def test_zone_of_a_job(world, backend):
    """A job knows the zone in which its moments were asked for."""
    world.sandbox.fail("file", faults.RawAnswer(content=MIXED.encode()))
    job = world.start(metrics=["A", "B"], timezone="Europe/Berlin")
    moments = job.to_pandas(dtype_backend=backend)["A"]
    assert "Europe/Berlin" in str(moments.dtype)
    assert [moment.to_pydatetime() for moment in moments.dropna()] == MOMENTS_OF_MIXED
    assert moments[2].isoformat() == "2019-03-31T03:30:00.500000+02:00"


@pytest.mark.parametrize("offset", ["+00:00", "-00:00", "+02:00", "-09:30", "+05:30", "+14:00", "-12:00", "+23:59"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_offset(files, offset, backend):
    """A column with one offset keeps it."""
    frame = read_pandas(files.write(f"A,B\n2019-02-01T10:00:00{offset},1\n,2\n"), dtype_backend=backend)
    sign = -1 if offset[0] == "-" else 1
    zone = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:])))
    assert frame["A"][0].to_pydatetime() == datetime(2019, 2, 1, 10, tzinfo=zone)
    assert frame["A"][0].isoformat() == f"2019-02-01T10:00:00{offset}".replace("-00:00", "+00:00")


@pytest.mark.parametrize("backend", ["numpy_nullable", "arrow", None, "", 1, ["pandas"]])
def test_unknown_backend(world, files, backend):
    """Another backend is an error that names those there are, before anything is read or waited for."""
    job = world.start()
    for read in (
        lambda: read_pandas("missing.csv", dtype_backend=backend),
        lambda: job.to_pandas(dtype_backend=backend),
    ):
        with pytest.raises(ParameterError, match=r"^dtype_backend: .* is not known; give 'pandas' or 'pyarrow'$"):
            read()
    assert world.count("status") == 0


PAIRS = {
    "integer": ("1", "2"),
    "float": ("1.5", "2.5"),
    "boolean": ("true", "false"),
    "date": ("2019-02-01", "2019-02-02"),
    "moment": ("2019-02-01 10:00:00", "2019-02-02 10:00:00"),
    "moment in UTC": ("2019-02-01T10:00:00Z", "2019-02-02T10:00:00Z"),
    "moment with an offset": ("2019-02-01T10:00:00+01:00", "2019-02-02T10:00:00+01:00"),
    "moments with two offsets": ("2019-02-01T10:00:00+01:00", "2019-02-02T10:00:00+02:00"),
    "text": ("a", "b"),
}


@pytest.mark.parametrize("backend", ["pandas", "pyarrow"])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_columns_can_be_written_to(files, pair, backend):
    """A value can be put in the place of another one in a column of any type."""
    frame = read_pandas(files.write("A\n" + "".join(f"{value}\n" for value in pair)), dtype_backend=backend)
    other = frame.loc[1, "A"]
    frame.loc[0, "A"] = other
    assert frame["A"].tolist() == [other, other]


def test_rows_without_columns(files):
    """Rows without any field are rows of a frame without columns."""
    frame = read_pandas(files.write("[{},{}]", "none.json"))
    assert frame.shape == (2, 0)
    assert frame.columns.dtype == object
