"""Processes that share a journal share one count of requests: together they stay under the quota."""

import sqlite3
from contextlib import closing

import pytest

from khoros_analytics import Client
from khoros_analytics._journal.shared_quota import SharedCount
from khoros_analytics._journal.store import Journal
from khoros_analytics.sandbox import VirtualClock

LIMIT = 3


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def counts(tmp_path, clock):
    """Two processes' views of one count, and the journal's file."""
    path = tmp_path / "exports.sqlite"
    return [SharedCount(Journal(str(path), "account", clock), clock, 60.0) for _ in range(2)], path


def take(count):
    """Count a request that is answered at once; return how long to wait instead, or 0."""
    wait, mark = count.take(LIMIT)
    if not wait:
        count.answered(mark)
    return wait


def test_one_count(counts, clock):
    """What one process spends the other one lacks, for a minute from the answer on."""
    (one, other), _ = counts
    assert [take(one), take(other), take(one)] == [0, 0, 0]
    assert take(other) == pytest.approx(60, abs=1)
    clock.sleep(59)
    assert take(other) > 0
    clock.sleep(2)
    assert take(other) == 0


def test_first_come_first_served(counts, clock):
    """Who has waited longer is let in first, also where the other one asks at the right moment."""
    (one, other), _ = counts
    for _ in range(LIMIT):
        take(one)
    assert take(other) > 0
    clock.sleep(10)
    assert take(one) > 0
    take(other)
    clock.sleep(51)
    take(other)
    assert len({take(one) > 0, take(other) > 0}) == 1


def test_an_unanswered_request_counts_on(counts, clock):
    """A request that is under way counts however long its answer takes."""
    (one, other), _ = counts
    marks = [one.take(LIMIT)[1] for _ in range(LIMIT)]
    clock.sleep(120)
    assert take(other) > 0
    for mark in marks:
        one.answered(mark)
    clock.sleep(61)
    assert take(other) == 0


def test_a_dead_process_holds_nobody_up(counts, clock):
    """A request of a process that died counts for a minute, and its place in the queue goes."""
    (one, other), path = counts
    for _ in range(LIMIT):
        one.take(LIMIT)
    take(one)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE requests SET pid = 2147483647, born = 1")
    clock.sleep(61)
    assert take(other) == 0


def test_leaving_the_queue(counts, clock):
    """Who gives up leaves the queue to the others."""
    (one, other), _ = counts
    for _ in range(LIMIT):
        take(one)
    take(one)
    one.leave()
    clock.sleep(61)
    assert take(other) == 0


def test_a_clock_that_was_set_back(counts, clock):
    """Requests that lie ahead, since somebody set the clock back, count for a minute and no longer."""
    (one, other), path = counts
    for _ in range(LIMIT):
        take(one)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE requests SET at = at + 3600")
    assert 0 < take(other) <= 60
    clock.sleep(61)
    assert take(other) == 0


def test_a_file_that_cannot_be_written(counts, caplog, monkeypatch):
    """Where the journal cannot be written, a process counts for itself alone, and says so once."""
    (one, _), path = counts
    monkeypatch.setattr("khoros_analytics._journal.shared_quota._PATIENCE", 0.05)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert [take(one), take(one)] == [0, 0]
    blocker.execute("ROLLBACK")
    blocker.close()
    assert caplog.text.count("the quota is not shared with other processes meanwhile") == 1


def test_two_clients_of_two_processes(run, tmp_path):
    """A client with a journal waits for what another process has spent of the quota."""
    world = run(requests_per_minute=4)
    path = tmp_path / "exports.sqlite"
    client = world.connect(journal=path, requests_per_minute=4)
    other = SharedCount(Journal(str(path), client._account.id, world.clock), world.clock, 60.0)
    for _ in range(3):
        other.answered(other.take(4)[1])
    began = world.clock.monotonic()
    client.teams()
    assert world.clock.monotonic() - began < 1
    client.teams()
    assert world.clock.monotonic() - began >= 59


_SPENDER = """
with connect(clock=QuickClock(), requests_per_minute=8) as client:
    for _ in range(8):
        client.teams()
        say(sent=True)
"""


@pytest.mark.slow
def test_four_processes(run, launch, tmp_path, quick_clock):
    """Four processes, one of them killed, stay together under the quota by the server's own count."""
    world = run({"requests_per_minute": 8, "clock": quick_clock})
    programs = [launch(world, _SPENDER, journal=tmp_path / "exports.sqlite") for _ in range(4)]
    programs[0].hear()
    programs[0].kill()
    for program in programs[1:]:
        said, log, status = program.end()
        assert (len(said), status) == (8, 0), log
    assert world.count("teams") >= 25
    assert {record.status for record in world.of("teams")} == {200}


def test_the_quota_of_one_process_is_unchanged(world):
    """Without a journal nothing is shared and nothing is written."""
    assert isinstance(world.client, Client)
    assert world.client._transport._share.quota.shared is None
