"""Which columns a report has: from the smallest export that tells, remembered, and without personal data."""

import json
import logging
import pickle
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from khoros_analytics import Client, Columns, JobTimeoutError, ParameterError, Window, read_arrow
from khoros_analytics._jobs.columns import examine, from_json, to_json
from khoros_analytics.reports import REPORTS

HOUR = 3600


@pytest.fixture
def journal(tmp_path):
    """Where a journal can be."""
    return tmp_path / "exports.sqlite"


@pytest.fixture
def look_at(tmp_path):
    """Return what the columns of a file are."""

    def look(text, report="conversation", **settings):
        path = tmp_path / "export.csv"
        path.write_text(text, encoding="utf-8")
        return examine(path, report, Window(0, 3_600_000), 0.0, **{"examples": False, **settings})

    return look


def lengths(sandbox):
    """How long the windows were that were asked for, in hours."""
    return [round((export.spec.end + 1 - export.spec.start) / HOUR / 1000) for export in sandbox.exports]


# --- from the server -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_has_columns(client, sandbox, report, tmp_path):
    """One export of the last full hour tells the columns of each report, with the types that a frame of it has."""
    columns = client.columns(report)
    path = tmp_path / "export.csv"
    path.write_bytes(sandbox.exports[0].content())
    table = read_arrow(path)
    assert lengths(sandbox) == [1]
    assert list(columns.names) == table.column_names
    wanted = {"string": "text", "int64": "integer", "double": "float", "bool": "boolean"}
    types = [wanted.get(str(kind), str(kind).partition("[")[0].rstrip("0123456789")) for kind in table.schema.types]
    assert [column.type for column in columns] == types
    assert [column.empty for column in columns] == [array.null_count / table.num_rows for array in table.columns]
    assert columns.rows == table.num_rows


def test_titles_are_names_too(client):
    """A report is found by its title as well; labels stand beside the names of which a source knows one."""
    columns = client.columns("raw conversations")
    assert (columns.report, columns[0].name, columns[0].label) == ("conversation", "CONVERSATION_ID", "Conversation ID")


@pytest.mark.parametrize(
    ("rows", "asked"), [([5], [1]), ([0, 5], [1, 24]), ([0, 0, 5], [1, 24, 168]), ([0, 0, 0, 5], [1, 24, 168, 720])]
)
def test_longer_windows_where_the_hour_is_empty(run, rows, asked):
    """Where the last hour has no row, the last day, week and 30 days are asked for, up to the first that has some."""
    left = iter(rows)
    world = run()
    world.sandbox.seconds = lambda: 0.0
    start = world.client._transport.send

    def send(call, *arguments, **settings):
        if call.phase.value == "create":
            world.sandbox.rows = next(left)
        return start(call, *arguments, **settings)

    world.client._transport.send = send
    columns = world.client.columns("team_performance_interval")
    assert lengths(world.sandbox) == asked
    assert (columns.rows, columns.window.length) == (5, timedelta(hours=asked[-1]))


def test_a_company_without_rows(run):
    """Where no window has a row, the names are known all the same, and nothing is said of their values."""
    world = run({"rows": 0})
    columns = world.client.columns("user")
    assert columns.names == (
        "TIME_ZONE",
        "AGENT_ID",
        "AGENT_NAME",
        "AGENT_EMAIL",
        "TEAM_NAME",
        "ACTIVE",
        "TOTAL_SECONDS",
    )
    assert {column.empty for column in columns} == {column.example for column in columns} == {None}
    assert "from no rows in 2019-04-01 12:00 to 2019-05-01 12:00" in repr(columns)
    assert world.client.columns("user") == columns
    assert world.counts().create == 4


def test_wrong_arguments(client, sandbox):
    """What cannot be used is said before anything is sent."""
    with pytest.raises(ParameterError, match="did you mean 'conversation'"):
        client.columns("conversaton")
    for wrong in ({"examples": 1}, {"fresh": "yes"}, {"timeout": 0}):
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))}: "):
            client.columns("user", **wrong)
    assert sandbox.requests == []


def test_timeout(run):
    """The timeout is for all of it, and the error carries the job that was waited for."""
    world = run({"polls": None, "seconds": 500.0})
    with pytest.raises(JobTimeoutError) as caught:
        world.client.columns("user", timeout=60)
    assert caught.value.job.report == "user"
    assert world.counts().create == 1


# --- remembered ------------------------------------------------------------------------------------------------------


def test_remembered_for_a_day(world):
    """What was found holds for a day, for all clients of the account in this process; fresh=True asks anew."""
    columns = world.client.columns("author")
    assert world.connect().columns("author") == columns
    world.clock.sleep(24 * HOUR - 60)
    assert world.client.columns("author").found_at == columns.found_at
    assert world.counts().create == 1
    world.clock.sleep(120)
    assert world.client.columns("author").found_at > columns.found_at
    world.client.columns("author", fresh=True)
    assert world.counts().create == 3


def test_a_journal_remembers_for_other_processes(world, journal):
    """With a journal, what one process found another one knows: the same columns, for no request."""
    found = world.connect(journal=journal).columns("author")
    world.clock._columns.clear()  # as in another process
    other = world.connect(journal=journal)
    before = world.counts()
    again = other.columns("author")
    assert (list(again), repr(again), again.found_at) == (list(found), repr(found), found.found_at)
    assert world.counts() == before
    assert world.connect().columns("author").rows == 100  # whoever has no journal asks for himself
    assert world.counts().create == before.create + 1


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[1]",
        '{"version": 2}',
        '{"version": 1, "window": [0, 1, "UTC"], "rows": 1, "columns": [{"name": 5}]}',
        '{"version": 1, "window": [0, 1, "UTC"], "rows": 1, "columns": [{"name": "A", "type": "money"}]}',
        '{"version": 1, "window": [0, 9e99, "UTC"], "rows": 1, "columns": []}',
        '{"version": 1, "window": [0, 1, "Mars"], "rows": 1, "columns": []}',
    ],
)
def test_damaged_journal(world, journal, content):
    """What stands in the journal and makes no sense, or is of another version, is found out anew and replaced."""
    client = world.connect(journal=journal)
    client.columns("author")
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute("UPDATE columns SET content = ?", (content,))
    world.clock._columns.clear()
    assert client.columns("author").rows == 100
    with closing(sqlite3.connect(journal)) as database:
        [(text,)] = database.execute("SELECT content FROM columns").fetchall()
    assert json.loads(text)["version"] == 1


def test_journal_that_cannot_take_them(world, journal):
    """A journal into which the columns cannot be written costs other processes an export, and nobody an error."""
    client = world.connect(journal=journal)
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute("CREATE VIEW columns AS SELECT 1 AS found_at")
    assert client.columns("author").rows == 100
    assert client.columns("author").rows == 100
    assert world.counts().create == 1


# --- personal data ---------------------------------------------------------------------------------------------------

PERSONAL = """AGENT_NAME,AGENT_ID,handle_time_agent,DATE_OF_BIRTH,KUNDE,A,B,C,D,E,STATUS
Ada,17,4,1990-01-01,Ada,ada@example.com,+49 30 1234567,@ada,https://example.com/ada,one two three four five,OPEN
"""


def test_no_example_of_what_looks_personal(look_at):
    """By name or by value: a column that looks like personal data gives no example, unless somebody asks for them."""
    columns = {column.name: column for column in look_at(PERSONAL)}
    shown = {name: column.example for name, column in columns.items() if column.example is not None}
    assert shown == {"handle_time_agent": "4", "STATUS": "OPEN"}
    assert {name for name, column in columns.items() if not column.personal} == set(shown)
    assert all(column.example for column in look_at(PERSONAL, examples=True))


def test_any_value_can_look_personal(look_at):
    """One value among many is enough, wherever it stands."""
    rows = ["OPEN"] * 50 + ["ada@example.com"] + ["OPEN"] * 50
    [column] = look_at("STATE\n" + "\n".join(rows))
    assert (column.personal, column.example) == (True, None)


def test_personal_examples_are_not_kept(world, journal):
    """Who asks for personal examples gets them; nobody else does, and none of them goes to disk."""
    client = world.connect(journal=journal)
    assert [column.example for column in client.columns("user") if column.personal] == [None] * 4
    shown = {column.name: column.example for column in client.columns("user", examples=True)}
    assert "@" in shown["AGENT_EMAIL"]
    before = world.counts()
    assert client.columns("user", examples=True).names
    assert [column.example for column in client.columns("user") if column.personal] == [None] * 4
    assert world.counts() == before
    client.close()
    written = b"".join(path.read_bytes() for path in journal.parent.glob("exports.sqlite*"))
    assert shown["AGENT_EMAIL"].encode() not in written
    assert b"AGENT_EMAIL" in written


# --- did you mean ----------------------------------------------------------------------------------------------------


def warnings(caplog, call):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        call()
    return [record.getMessage() for record in caplog.records]


def test_metrics_are_compared_with_the_columns(world, journal, caplog, tmp_path):
    """Once the columns are known, a metric that is almost one of them is warned of, in every process of the journal."""
    day = ("2019-02-01", "2019-02-02")
    client = world.connect(journal=journal)
    assert warnings(caplog, lambda: client.conversation(*day, metrics=["PRIORTY"])) == []
    client.columns("conversation")
    world.clock._columns.clear()
    other = world.connect(journal=journal)
    [warning] = warnings(caplog, lambda: other.conversation(*day, metrics=["PRIORTY", "PRIORITY", "STATUS"]))
    assert warning.endswith("did you mean 'PRIORITY'?")
    plan = lambda: other.plan("conversation", *day, every="1 day", to=tmp_path / "data", metrics="PRIORTY")  # noqa: E731
    assert len(warnings(caplog, plan)) == 1
    assert warnings(caplog, lambda: other.author(*day, metrics=["PRIORTY"])) == []


# --- as a list -------------------------------------------------------------------------------------------------------


def test_slices_look_the_same(client):
    """A part of the list is such a list, too, with everything that is known of the whole."""
    columns = client.columns("conversation")
    part = columns[:2]
    assert (type(part), part.names, part.window, part.rows) == (Columns, columns.names[:2], columns.window, 100)
    assert repr(part).splitlines()[0].startswith("<2 columns of conversation, from 100 rows of 2019-05-01 11:00")
    back = pickle.loads(pickle.dumps(part))
    assert (list(back), repr(back)) == (list(part), repr(part))


def test_shares(look_at):
    """A share that is neither none nor all does not look like it; an empty text is no value."""
    text = "A,B,C,D\n" + "1,,x,\n" * 999 + '1,1,,""\n'
    columns = look_at(text)
    assert [column.empty for column in columns] == [0, 0.999, 0.001, 1]
    shown = repr(columns)
    assert [share for share in ("0%", ">99%", "<1%", "100%") if f"  {share}" in shown] == ["0%", ">99%", "<1%", "100%"]


def test_empty_file(look_at):
    """A file without a byte has no columns, and is not a damaged one."""
    assert (look_at("").names, look_at("").rows) == ((), 0)


def test_json_form(look_at):
    """What is written down comes back as it was, but for personal examples."""
    columns = look_at(PERSONAL, examples=True)
    back = from_json("conversation", 0.0, json.loads(json.dumps(to_json(columns))))
    assert list(back) == list(columns.without_personal_examples())
    assert (back.window, back.rows, back.found_at) == (columns.window, columns.rows, columns.found_at)


def test_client_without_arrow(world, monkeypatch):
    """No extra is needed: where pyarrow is missing, the columns are found all the same."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with Client(**world.sandbox.settings) as client:
        assert client.columns("response", fresh=True).names[0] == "conversation_id"
