"""The type of a column, value by value: the one that a frame of the same file has."""

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khoros_analytics import read_arrow
from khoros_analytics._frames.column_types import NOTHING, join
from khoros_analytics._frames.inference import arrow_type
from khoros_analytics._frames.value_types import type_of_text

VALUES = [
    "0", "-1", "17", "007", "+5", "999999999999999", "1234567890123456", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "1.5", "-0.25", "1.", ".5", "1e5", "1e-07", "1.5E-7", "0.1234567890123456", "true", "FALSE",
    "yes", "2019-02-01", "2019-02-30", "0000-01-01", "2019-02-01 10:00:00", "2019-02-01T10:00:00Z",
    "9999-12-31 23:59:59",
    "2019-02-01T10:00:00.123456789+01:00", "2019-02-01 24:00:00", "2019-02-01 10:00:60",
    "1500-01-01 00:00:00.123456789",
    "9999-12-31T23:59:59+01:00", "2019-02-01 10:00:00.1", "OPEN", "a b",
]  # fmt: skip


def frame_type(values, path):
    path.write_text("A\n" + "".join(f"{value}\n" for value in values), encoding="utf-8")
    return read_arrow(path).schema.field("A").type


@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
def test_same_type_as_in_a_frame(tmp_path_factory, values):
    """Whatever meets in a column, its values together have the type that Arrow's reading finds."""
    path = tmp_path_factory.getbasetemp() / "types.csv"
    assert arrow_type(reduce(join, map(type_of_text, values), NOTHING)) == frame_type(values, path)


@pytest.mark.parametrize("value", VALUES)
def test_same_type_of_one_value(tmp_path, value):
    """So does each value by itself."""
    assert arrow_type(type_of_text(value)) == frame_type([value], tmp_path / "types.csv")
