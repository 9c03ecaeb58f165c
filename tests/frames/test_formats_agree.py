"""CSV and JSON of one export give the same frame, as far as the two formats can say the same."""

import pyarrow as pa
import pytest

from khoros_analytics.reports import REPORTS


@pytest.mark.parametrize("name", REPORTS)
def test_both_formats(name, run):
    """For every report: the same columns in the same order, and the same values of the same types.

    CSV as the sandbox writes it has nothing in a cell both for a missing value and for an empty text. That is the only
    difference, and it is asserted to be one.
    """
    world = run({"rows": 300})
    csv = world.start(name).to_arrow()
    json = world.start(name, format="json").to_arrow()
    assert csv.column_names == json.column_names
    assert csv.num_rows == json.num_rows == 300
    for column in csv.column_names:
        one, other = csv[column], json[column]
        if one.equals(other):
            continue
        # It holds an empty text.
        assert one.type == other.type == pa.string()
        assert "" in other.to_pylist()
        assert one.to_pylist() == [value or None for value in other.to_pylist()]


def test_ids_are_alike(run):
    """A number of identity is text from both formats, though JSON writes it as a number: every digit, and no point."""
    world = run({"rows": 300})
    wanted = {"metrics": ["AUTHOR_ID", "CONVERSATION_ID"]}
    csv = world.start(**wanted).to_arrow()
    json = world.start(format="json", **wanted).to_arrow()
    assert csv.equals(json)
    assert csv.schema.types == ["string", "string"]
    assert {len(value) for value in csv["AUTHOR_ID"].to_pylist() if value} == {19}
    assert csv["AUTHOR_ID"].null_count
