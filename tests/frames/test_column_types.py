"""What is known of a column's type: how two findings meet, and what a caller may ask for."""

from types import MappingProxyType
from typing import get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics import ParameterError
from khoros_analytics._frames import column_types as kinds_module
from khoros_analytics._frames.column_types import NOTHING, TEXT, UNITS, ColumnType, join, join_all, parse_types
from khoros_analytics.reports import REPORTS, Metric, TypeName


@st.composite
def column_types(draw):
    """A type as a reader may find it: only integers are wide, only timestamps have a unit and a zone."""
    kind = draw(st.sampled_from([None, *get_args(TypeName)]))
    if kind in (None, "text"):
        return ColumnType(kind)
    if kind == "integer":
        return ColumnType(kind, draw(st.sampled_from(["string", "number"])), wide=draw(st.booleans()))
    if kind == "timestamp":
        zone = draw(st.sampled_from([None, "UTC", "+02:00"]))
        unit = draw(st.sampled_from(UNITS))
        return ColumnType(kind, "string", wide=unit != "ns" and draw(st.booleans()), unit=unit, zone=zone)
    origins = {"float": ["string", "number"], "boolean": ["string", "boolean"], "date": ["string"]}
    return ColumnType(kind, draw(st.sampled_from(origins[kind])))


@given(column_types(), column_types())
def test_join_is_commutative(one, other):
    """It makes no difference in which order two parts of a column are looked at."""
    assert join(one, other) == join(other, one)


@given(column_types(), column_types(), column_types())
def test_join_is_associative(one, other, third):
    """It makes no difference how a column is cut into parts."""
    assert join(join(one, other), third) == join(one, join(other, third))


@given(column_types())
def test_join_is_idempotent(one):
    """What is seen twice is not another thing; nothing at all adds nothing; and text swallows everything."""
    assert join(one, one) == one
    assert join(one, NOTHING) == join(NOTHING, one) == one
    assert join(one, TEXT) == TEXT


@given(st.lists(column_types()), st.sampled_from(["string", "number"]), st.lists(column_types()))
def test_wide_integers_never_become_floats(before, origin, behind):
    """An integer of 16 digits or more in a column, wherever it stands, keeps the column from being one of floats."""
    assert join_all([*before, ColumnType("integer", origin, wide=True), *behind]).kind != "float"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (ColumnType("integer"), ColumnType("float"), ColumnType("float")),
        (ColumnType("integer", wide=True), ColumnType("float"), TEXT),
        (ColumnType("integer", wide=True), ColumnType("integer"), ColumnType("integer", wide=True)),
        (ColumnType("date"), ColumnType("timestamp"), TEXT),
        (ColumnType("boolean"), ColumnType("integer"), TEXT),
        (ColumnType("integer", "string"), ColumnType("integer", "number"), TEXT),
        (ColumnType("timestamp", unit="s"), ColumnType("timestamp", unit="us"), ColumnType("timestamp", unit="us")),
        (ColumnType("timestamp", unit="ns"), ColumnType("timestamp", wide=True), TEXT),
        (ColumnType("timestamp", zone="UTC"), ColumnType("timestamp"), TEXT),
        (ColumnType("timestamp", zone="UTC"), ColumnType("timestamp", zone="+02:00"), TEXT),
    ],
)
def test_join_by_example(one, other, both):
    """Whole numbers fit among others while a float keeps them; a finer unit keeps a coarser one; the rest is text."""
    assert join(one, other) == both


NAMES = (
    "ID",
    "id",
    "CONVERSATION_ID",
    "Post ID",
    "authorId",
    "author-uuid",
    "UUID",
    "external.id",
    "ID_",
    "AgentUUID ",
    "agentID",
    "überId",
    "ADGUID id",
)


@pytest.mark.parametrize("name", NAMES)
def test_ids_stay_text(name, files):
    """A column whose name ends with the word ID or UUID, told by separators or capitals, is text, whatever is in it."""
    assert files.table(f'"{name}",B\n1,1\n').schema.types == ["string", "int64"]


@pytest.mark.parametrize(
    "name",
    ["POST_COUNT", "ID_COUNT", "IDS", "IDENTITY", "A", "日本", "AMOUNT_PAID", "IS_VALID", "isValid", "GRID", "userBid"],
)
def test_others_do_not(name, files):
    """Other columns are narrowed."""
    assert files.table(f"{name},B\n1,1\n").schema.types == ["int64", "int64"]


# ---- what a caller may say


@pytest.mark.parametrize("types", [5, "int", "TEXT", [("A", "text")], {"A"}, True, b"text"])
def test_types_that_are_none(types, files):
    """Something else than a mapping or "text" is an error that shows both."""
    with pytest.raises(
        ParameterError, match=r"^types: .* is not understood; give \{column: type\}, or \"text\" for all"
    ):
        files.table("A\n1\n", types)


@pytest.mark.parametrize("kind", ["int", "string", "Integer", None, 5, ["text"]])
def test_type_that_is_none(kind, files):
    """A type that does not exist is an error that lists those that do, and says for which column."""
    with pytest.raises(
        ParameterError, match=r"for 'A' is not a type; choose among text, integer, float, boolean, date, timestamp$"
    ):
        files.table("A\n1\n", {"A": kind})


@pytest.mark.parametrize("content", ["POST_COUNT,B\n1,2\n", "POST_COUNT,B\n", '[{"POST_COUNT": 1, "B": 2}]'])
def test_column_that_is_none(content, files):
    """A column that is not in the file is an error, with the name that was meant, or all of them."""
    with pytest.raises(ParameterError, match="there is no column 'POST_COUNTS'; did you mean 'POST_COUNT'"):
        files.table(content, {"POST_COUNTS": "text"})
    with pytest.raises(ParameterError, match=r"there is no column 'zzz'; the columns are POST_COUNT, B$"):
        files.table(content, {"zzz": "text"})


def test_given_types_are_a_copy():
    """What a caller changes later does not change what was asked for."""
    types = {"A": "text"}
    hints = parse_types(types)
    types["B"] = "integer"
    assert hints.overrides == {"A": "text"}


def test_given_beats_the_name(files):
    """What the caller asks for holds for columns of ids, too, and any mapping will do."""
    table = files.table("POST_ID\n1\n2\n", MappingProxyType({"POST_ID": "integer"}))
    assert table.to_pydict() == {"POST_ID": [1, 2]}


# ---- what the table of reports says


def test_contents_stay_text(files):
    """What people wrote is text in every window, even in one where everybody wrote a number: the table says so."""
    content = "response_content,ACTION_ORDER\n42,1\n43,2\n"
    known = [metric.name for metric in REPORTS["response"].metrics if metric.type]
    assert "response_content" in known
    assert files.table(content, report="response").schema.types == ["string", "int64"]
    assert files.table(content).schema.types == ["int64", "int64"]


@pytest.fixture
def seconds(monkeypatch):
    """A report of which the table knows that SECONDS are floats, and what they are called in the user interface."""
    metric = Metric("SECONDS", label="Seconds", source="made up", type="float")
    row = attrs.evolve(REPORTS["user"], metrics=(metric,))
    monkeypatch.setattr(kinds_module, "REPORTS", {**REPORTS, "user": row})


@pytest.mark.parametrize("name", ["SECONDS", "Seconds"])
@pytest.mark.parametrize(
    ("values", "type"),
    [(["1", "2"], "double"), (["1.5", "2"], "double"), (["1", "late"], "string"), (["", ""], "double")],
)
@pytest.mark.usefixtures("seconds")
def test_known_type_acts(name, values, type, files):
    """A type in the table holds where the values allow it, so that windows agree; it never fails, nor loses a value."""
    table = files.table(f"{name},B\n" + "".join(f"{value},x\n" for value in values), report="user")
    assert table.schema.field(0).type == type
    assert table.num_rows == len(values)


@pytest.mark.usefixtures("seconds")
def test_known_type_without_rows(files):
    """It holds where there are no rows at all, too; and what the caller says beats it."""
    assert files.table("SECONDS,B\n", report="user").schema.types == ["double", "string"]
    assert files.table("SECONDS,B\n1,2\n", {"SECONDS": "integer"}, report="user").schema.types == ["int64", "int64"]
    assert files.table("SECONDS,B\n1,2\n", "text", report="user").schema.types == ["string", "string"]


def test_every_type_of_the_table_exists():
    """The table uses no type that frames do not have."""
    used = {metric.type for report in REPORTS.values() for metric in report.metrics} - {None}
    assert used <= set(get_args(TypeName))
