"""client.jobs(): a snapshot that keeps nobody from writing, with filters, without what is old or damaged."""

import contextlib
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from khoros_analytics import Client, ConfigurationError, Job, JobTimeoutError, KhorosError, ParameterError
from khoros_analytics._journal.entries import EntryState
from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")
DAY = 86400.0
HOUR = 3600.0


@pytest.fixture
def copy(execute):
    """Copy the newest line many times."""

    def make(count):
        names = [row[1] for row in execute("PRAGMA table_info(exports)") if row[1] not in ("id", "mark")]
        listed = ", ".join(names)
        execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO exports "
            f"(mark, {listed}) SELECT hex(randomblob(16)), {listed} FROM n, "
            "(SELECT * FROM exports ORDER BY id DESC LIMIT 1)"
        )

    return make


# --- a snapshot -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [False, True], ids=["WAL", "on a network"])
def test_nobody_has_to_wait(world, connect, journal, copy, monkeypatch, *, network):
    """While somebody reads the journal, line by line and as slowly as they like, others write into it at once."""
    monkeypatch.setattr("khoros_analytics._journal.database._is_on_network", lambda _path: network)
    client = connect()
    world.start(client=client)
    copy(2500)
    entries = client._account.journal.entries()
    next(entries)

    with closing(sqlite3.connect(journal, timeout=0)) as database, database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete" if network else "wal",)
        database.execute("UPDATE exports SET state = 'failed' WHERE id = 1")
    world.start(client=client, fresh=True)

    seen = list(entries)
    assert [entry.number for entry in seen] == list(range(2500, 0, -1))
    assert seen[-1].state is (EntryState.FAILED if network else EntryState.STARTED)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "ext4"])
def test_journals_on_a_network(world, connect, journal, execute, monkeypatch, *, tmp_path, kind):
    """A journal that other machines may see, too, does without WAL, which needs memory that all of them share."""
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts.write_text(f"22 1 0:999 / /proc rw - proc proc rw\n36 35 {number} / / rw shared:1 - {kind} host:/x rw\n")
    monkeypatch.setattr("khoros_analytics._journal.database._MOUNTS", mounts)

    client = connect()
    world.start(client=client).wait()

    assert execute("PRAGMA journal_mode") == [("wal" if kind == "ext4" else "delete",)]
    assert [line.state for line in client.jobs()] == ["ready"]


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(world, connect):
    """A client with some lines: two reports, three states, three days."""
    client = connect()
    world.start(client=client).wait()
    world.clock.sleep(DAY)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        client.user(*WINDOW)
    world.clock.sleep(DAY)
    client.user(*WINDOW)
    world.start(client=client)
    return client


NOON = datetime(2019, 5, 1, 12, tzinfo=UTC)
FILTERS = {
    "nothing": ({}, [4, 3, 2, 1]),
    "report": ({"report": "user"}, [3, 2]),
    "state": ({"state": "started"}, [4, 3]),
    "state in capitals": ({"state": "Refused"}, [2]),
    "both": ({"report": "conversation", "state": "ready"}, [1]),
    "none": ({"report": "author"}, []),
    "limit": ({"limit": 2}, [4, 3]),
    "limit and report": ({"limit": 1, "report": "conversation"}, [4]),
    "since a moment": ({"since": NOON + timedelta(days=1)}, [4, 3, 2]),
    "since a date": ({"since": "2019-05-03"}, [4, 3]),
    "since milliseconds": ({"since": 1_556_712_000_000}, [4, 3, 2, 1]),
    "since later": ({"since": "2020-01-01"}, []),
}


@pytest.mark.parametrize(("given", "numbers"), FILTERS.values(), ids=FILTERS)
def test_filters(filled, given, numbers):
    """Each filter leaves the lines that it names, newest first, and they work together."""
    everything = filled.jobs()

    assert list(filled.jobs(**given)) == [everything[4 - number] for number in numbers]


WRONG = {
    "report": ({"report": "conversations"}, "did you mean 'conversation'"),
    "state": ({"state": "save"}, "state: 'save' is not a state; did you mean 'saved'?"),
    "no state": ({"state": 3}, "the states are claimed, started"),
    "since": ({"since": "yesterday"}, "since: "),
    "limit": ({"limit": 0}, "limit: 0 is not a whole number"),
    "limit of another kind": ({"limit": "5"}, "limit: '5'"),
}


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_wrong_filters(filled, given, message):
    """A filter that cannot be used is a ParameterError that names it."""
    with pytest.raises(ParameterError) as caught:
        filled.jobs(**given)
    assert message in str(caught.value)


def test_since_in_the_zone_of_the_client(filled, connect):
    """A moment without a zone is read in the client's."""
    assert len(connect(timezone="Pacific/Kiritimati").jobs(since="2019-05-03T02:00")) == 3
    assert len(filled.jobs(since="2019-05-03T02:00")) == 2


def test_slices_stay_lists_of_jobs(filled):
    """A part of the list looks like the list."""
    jobs = filled.jobs()

    assert repr(jobs[:2]).splitlines()[1:] == repr(jobs).splitlines()[1:4]
    assert repr(jobs[:2]).startswith("<2 exports in the journal>")
    assert "<table>" in jobs[1:]._repr_html_()
    assert jobs[-1] is jobs[3]
    assert repr(jobs[4:]) == "<no exports in the journal>"


# --- old lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "days"),
    [
        ("90 days", 90),
        ("12 hours", 0.5),
        ("1 week", 7),
        (timedelta(days=3), 3),
        (" 2.5 Days ", 2.5),
        ("90 minutes", 0.0625),
    ],
)
def test_old_lines_are_dropped(world, connect, states, keep, days):
    """Lines that are older than journal_keep are neither listed nor kept."""
    client = connect(journal_keep=keep)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        world.start(client=client)
    world.clock.sleep(days * DAY - 1)
    client.user(*WINDOW)
    assert [line.state for line in client.jobs()] == ["started", "refused"]
    world.clock.sleep(2)

    assert [line.state for line in client.jobs()] == ["started"]
    assert len(connect(journal_keep=None).jobs()) == 2
    client.author(*WINDOW)
    assert states() == ["started", "started"]


def test_ninety_days_by_default(world, connect):
    """Without a word, lines are kept for 90 days."""
    client = connect()
    world.start(client=client)
    world.clock.sleep(90 * DAY - 1)
    assert len(client.jobs()) == 1
    world.clock.sleep(2)
    assert len(client.jobs()) == 0


def test_none_is_for_ever(world, connect):
    """journal_keep=None drops nothing."""
    client = connect(journal_keep=None)
    world.start(client=client)
    world.clock.sleep(5000 * DAY)
    client.user(*WINDOW)

    assert len(client.jobs()) == 2


@pytest.mark.parametrize(
    ("state", "hours", "kept"),
    [
        ("claimed", 23, True),
        ("claimed", 25, False),
        ("started", 6 * 24, True),
        ("started", 8 * 24, False),
        ("ready", 23, True),
        ("ready", 25, False),
        ("saved", 23, True),
        ("saved", 25, False),
        ("failed", 2, False),
        ("refused", 2, False),
        ("expired", 2, False),
        ("unknown", 2, False),
    ],
)
def test_what_can_still_be_fetched_is_kept(world, connect, execute, *, state, hours, kept):
    """A line of an export that may still run, or whose file may still be there, outlives any journal_keep."""
    client = connect(journal_keep="1 hour")
    world.start(client=client)
    execute("UPDATE exports SET state = ?, ready_at = ?", state, world.clock.time() if state == "ready" else None)
    world.clock.sleep(hours * HOUR)

    assert len(client.jobs()) == kept
    client.user(*WINDOW)
    assert execute("SELECT count(*) FROM exports") == [(1 + kept,)]


def test_lines_of_others_are_theirs(run, world, connect, journal, states):
    """Nobody drops the lines of another account."""
    other = run({"company_key": "another"}, journal=journal)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        world.start(client=connect())
    other.clock.sleep(200 * DAY)
    other.start()

    assert states() == ["refused", "started"]


@pytest.mark.parametrize(
    "keep",
    [
        "",
        "90",
        "ninety days",
        "-1 days",
        "0 days",
        "1 month",
        "1e3 days",
        90,
        0,
        True,
        timedelta(0),
        b"1 day",
        "9" * 30 + " days",
    ],
    ids=repr,
)
def test_wrong_times(connect, keep):
    """What is not a stretch of time is a ConfigurationError that names the argument and shows how to write one."""
    with pytest.raises(ConfigurationError, match=r"journal_keep: .*'90 days'"):
        connect(journal_keep=keep)


def test_it_is_in_a_pickle(sandbox, monkeypatch, journal):
    """A client that comes back from a pickle keeps its lines as long."""
    for name in ("username", "password", "company_key"):
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", "x")
    with Client(journal=journal, journal_keep="3 days", base_url=sandbox.settings["base_url"]) as client:
        assert client._settings.keywords()["journal_keep"] == timedelta(days=3)
        make, arguments = client.__reduce__()
        with make(*arguments) as again:
            assert again._settings == client._settings


# --- damaged lines --------------------------------------------------------------------------------------------------

COLUMNS = """
    mark report start_ms end_ms zone arguments state claimed_at claimed_monotonic lease pid boot namespace born
    workflow_id run_id started_at ready_at file file_size file_modified_ns host
"""
SPOILED = {
    "NULL": "NULL",
    "bytes": "x'fffe00'",
    "no UTF-8": "CAST(x'ff22fe' AS TEXT)",
    "a zero": "CAST(x'610062' AS TEXT)",
    "empty": "''",
    "text": "'spoiled'",
    "a list": "'[1]'",
    "infinite": "9e999",
    "huge": "9223372036854775807",
    "negative": "-9223372036854775808",
    "a fraction": "1.5",
    "zone": "'../../etc/passwd'",
    "deep": "'" + "[" * 100_000 + "'",
}


OF_CLAIMS = {"state", "claimed_at", "claimed_monotonic", "lease", "pid", "boot", "namespace", "born"}


@pytest.mark.parametrize("column", COLUMNS.split())
def test_a_damaged_line(world, connect, execute, folder, caplog, *, column):
    """Whatever stands in one line, the others are listed, found and added to: no bare error, at most one warning."""
    client = connect()
    world.start(client=client).download(folder)
    token = client.user(*WINDOW).token
    if column in OF_CLAIMS:
        execute("UPDATE exports SET state = 'claimed', workflow_id = NULL, run_id = NULL WHERE id = 1")
    (line,) = execute("SELECT * FROM exports WHERE id = 1")

    for value in SPOILED.values():
        with contextlib.suppress(sqlite3.IntegrityError):
            execute(f"UPDATE exports SET {column} = {value} WHERE id = 1")
        caplog.clear()
        client = connect(request_deadline=1)
        for _ in range(2):
            jobs = client.jobs()
            assert jobs[0].report == "user"
            assert len(repr(jobs).splitlines()) - 2 == len(jobs) in (1, 2)
            assert "<table>" in jobs._repr_html_()
        assert client.user(*WINDOW).token == token
        assert client.job(token).token == token
        with contextlib.suppress(JobTimeoutError):  # a claim that may well be alive
            assert isinstance(world.start(client=client), Job)

        warnings = [record.message for record in caplog.records if "is damaged" in record.message]
        assert len(warnings) <= 1
        assert len(warnings) == 1 or len(jobs) == 2 or column == "claimed_at"  # that one may look old
        assert not [record for record in caplog.records if record.levelname == "ERROR"]
        execute("DELETE FROM exports WHERE id > 2")
        execute(f"INSERT OR REPLACE INTO exports VALUES ({', '.join('?' * len(line))})", *line)
