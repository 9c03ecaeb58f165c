"""Every engine reads a dataset with one line, and finds the same rows in it."""

from datetime import UTC, timedelta

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from khoros_analytics import read_arrow, read_dataset
from khoros_analytics._frames.rebuildable import text_of
from khoros_analytics.sandbox import faults

HEADER = "POST_ID,N,PRICE,SCORE,FLAG,DAY,AT,CLOSED,NOTE"
WINDOWS = [
    f"{HEADER}\n1000000000000000001,1,1.50,2,true,2019-02-01,2019-02-01 10:00:00,,\n2,,,,,,,,\n",
    f"{HEADER}\n",
    f'{HEADER}\n3,12,2.25,2.5,false,2019-02-03,2019-02-03 10:00:00,2019-02-03T10:00:00.123Z,"a, ""b""\nc"\n',
    f"{HEADER},LATER\n4,n/a,3.00,7,true,2019-02-04,2019-02-04 00:00:00,2019-02-04T23:59:59.999Z,é,1\n",
]
"""An empty window, an empty column, a count that once is n/a, floats that begin as integers, and a late column."""


@pytest.fixture
def mixed(landing):
    """A dataset of windows that look different, landed one by one."""
    found = landing()
    for number, content in enumerate(WINDOWS, 2):
        found.world.sandbox.fail("file", faults.RawAnswer(200, content.encode()))
        result = found.run(end=f"2019-02-0{number}", metrics=None)
    assert result.widened == ("2019-02-01", "2019-02-03")
    return found


def engines(folder):
    """Read a dataset as the manual of each engine has it."""
    with duckdb.connect() as connection:
        by_duckdb = connection.sql(f"from '{folder}/**/*.parquet'").to_arrow_table()
    return {
        "pyarrow": ds.dataset(folder, partitioning="hive").to_table(),
        "pandas": pa.Table.from_pandas(pd.read_parquet(folder, dtype_backend="pyarrow"), preserve_index=False),
        "polars": pl.scan_parquet(f"{folder}/**/*.parquet").collect().to_arrow(),
        "duckdb": by_duckdb,
        "read_dataset": read_dataset(folder).to_table(),
    }


def rows_of(table):
    """Rows as Python sees them, without the name of the window, oldest first."""
    names = [name for name in table.column_names if name != "window"]
    return sorted(table.select(names).to_pylist(), key=lambda row: row["POST_ID"])


def test_every_engine_finds_the_same_rows(mixed):
    """pyarrow, pandas, Polars, DuckDB and read_dataset agree on all names, values and nulls."""
    found = {name: rows_of(table) for name, table in engines(mixed.folder).items()}
    assert [row["POST_ID"] for row in found["pyarrow"]] == ["1000000000000000001", "2", "3", "4"]
    for name, rows in found.items():
        assert rows == found["pyarrow"], name


def test_windows_joined_are_one_export(mixed, tmp_path):
    """All rows of a dataset, made text again, are the text of one export of the whole range."""
    header, *_ = WINDOWS[-1].partition("\n")
    bodies = [content.partition("\n")[2] for content in WINDOWS]
    whole = tmp_path / "whole.csv"
    # The windows before the late column lack its value.
    first = [body.replace(",,\n", ",,,\n") for body in bodies[:1]]
    middle = [body.replace('c"\n', 'c",\n') for body in bodies[1:3]]
    whole.write_text(f"{header}\n{''.join([*first, *middle, bodies[3]])}", encoding="utf-8", newline="")
    everything = ds.dataset(mixed.folder).to_table()
    assert text_of(everything).to_pylist() == read_arrow(whole, types="text").to_pylist()


def test_types_of_a_dataset(mixed):
    """Ids stay text, what is once no number is text, and a moment of whole seconds comes in milliseconds."""
    schema = read_dataset(mixed.folder).schema
    assert {name: str(schema.field(name).type) for name in schema.names if name != "NOTE"} == {
        "POST_ID": "string", "N": "string", "PRICE": "double", "SCORE": "double", "FLAG": "bool", "DAY": "date32[day]",
        "AT": "timestamp[ms]", "CLOSED": "timestamp[ms, tz=UTC]", "LATER": "int64", "window": "string",
    }  # fmt: skip
    schemas = {str(ds.dataset(path).schema) for path in mixed.folder.glob("window=*/*.parquet")}
    assert len(schemas) == 1


@pytest.mark.parametrize("save_as", ["csv", "json"])
def test_other_formats_are_read_as_one(landing, save_as):
    """Datasets of CSV and of JSON open as one, too, all columns text, with the windows of a time."""
    week = landing()
    week.run(save_as=save_as)
    table = read_dataset(week.folder).to_table()
    assert (table.num_rows, table.column_names[-1], set(table.schema.types)) == (700, "window", {pa.string()})
    assert table.slice(0, 100).drop_columns("window") == read_arrow(week.folder / week.files()[0], types="text")
    assert read_dataset(week.folder, "2019-02-02", "2019-02-04").to_table()["window"].unique().to_pylist() == [
        "2019-02-02", "2019-02-03",
    ]  # fmt: skip


def test_a_time_that_no_window_has(landing):
    """A time without windows is a dataset without rows."""
    week = landing()
    week.run(end="2019-02-03")
    assert read_dataset(week.folder, start="2020-01-01").count_rows() == 0


def test_moments_of_a_zone_stay_moments(landing):
    """An export in a zone writes two offsets a year; each window has one of them, and the dataset both."""
    year = landing()
    for day in ("2019-02-01T10:00:00+01:00", "2019-07-01T10:00:00+02:00"):
        year.world.sandbox.fail("file", faults.RawAnswer(200, f"AT\n{day}\n".encode()))
    for start, end in (("2019-02-01", "2019-02-02"), ("2019-02-02", "2019-02-03")):
        year.run(start, end, metrics=None, timezone="Europe/Berlin")
    table = read_dataset(year.folder).to_table()
    assert table.schema.field("AT").type == pa.timestamp("ms", "Europe/Berlin")
    first, second = (moment.astimezone(UTC) for moment in table["AT"].to_pylist())
    assert second - first == timedelta(days=150, hours=-1)
