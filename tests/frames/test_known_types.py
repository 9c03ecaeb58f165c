"""A part of a column that has the type of those before it is only converted, and not examined once more."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics._frames.column_types import NOTHING, join
from khoros_analytics._frames.inference import ColumnChunk, cast_if_known, infer

VALUES = [
    None, "", "0", "-1", "17", "-0", "007", "999999999999999", "1234567890123456", "-1234567890123456",
    "9223372036854775808", "1.5", "-0.25", "1e-07", "0.1234567890123456", "true", "FALSE", "2019-02-01", "2019-02-30",
    "1500-01-01", "2019-02-01 10:00:00", "2019-02-01T10:00:00", "2019-02-01 10:00:00.5", "2019-02-01 10:00:00.123456",
    "2019-02-01 10:00:00.123456789", "1500-01-01 00:00:00", "1500-01-01 00:00:00.123456", "9999-12-31 23:59:59",
    "2019-02-01 10:00:00Z", "2019-02-01 10:00:00+00:00", "2019-02-01 10:00:00.5+01:00", "1500-01-01 00:00:00+01:00",
    "OPEN",
]  # fmt: skip
PARTS = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3)


def part(texts):
    return ColumnChunk(pa.chunked_array([pa.array(texts, pa.string())]))


@given(st.lists(PARTS, min_size=1, max_size=3), PARTS)
@example([["1.5"]], ["1234567890123456"])
@example([["17"]], ["1234567890123456"])
@example([["2019-02-01 10:00:00.123456789"]], ["1500-01-01 00:00:00"])
@example([["2019-02-01 10:00:00.5"]], ["1500-01-01 00:00:00"])
def test_same_as_examined(before, texts):
    """Where it is not examined, what would be found changes nothing."""
    known = NOTHING
    for earlier in before:
        known = join(known, infer(part(earlier))[0])
    if cast_if_known(part(texts), known) is not None:
        assert join(known, infer(part(texts))[0]) == known


@pytest.mark.parametrize("text", ["17", "1.5", "true", "2019-02-01", "2019-02-01 10:00:00", "2019-02-01 10:00:00.5Z"])
def test_not_examined(text):
    """A part that is like those before it is not examined."""
    known, _ = infer(part([text, None]))
    assert cast_if_known(part([None, text]), known) is not None
