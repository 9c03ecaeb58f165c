"""The journal: what was started is written down before anything can be lost, and found again by whoever asks next."""

import itertools
import os
import re
import socket
import sqlite3
import subprocess
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from khoros_analytics import (
    ConfigurationError,
    DownloadExpiredError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    RequestRejectedError,
)
from khoros_analytics._journal.database import Database
from khoros_analytics.sandbox import Clock, VirtualClock, faults

WINDOW = ("2019-02-01", "2019-02-02")
DAY = 86400.0
REATTACHED = "not started again"
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
PASSWORD = "CANARY/pä ß+wörd=%"
COMPANY_KEY = "CANARY KEY+/=&"


@pytest.fixture
def connect(world, journal):
    """Make clients that keep the journal."""
    return lambda **settings: world.connect(**{"journal": journal, **settings})


def rows(journal):
    """Return what stands in the journal, oldest first."""
    with closing(sqlite3.connect(journal)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM exports ORDER BY id")]


def states(journal):
    return [row["state"] for row in rows(journal)]


def execute(journal, statement, *values):
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute(statement, values)


# --- what is written when -----------------------------------------------------------------------------------------


class Watching(VirtualClock):
    """A clock that reads the journal at every request that reaches the sandbox."""

    journal: Path | None = None

    def __init__(self):
        super().__init__()
        self.seen = []

    def sleep(self, seconds):
        if seconds == 7.0:
            self.seen += [(row["state"], row["workflow_id"]) for row in rows(self.journal)]
        super().sleep(seconds)


def test_what_is_written_when(run, journal, folder):
    """The claim stands in the journal before the request is sent, the ids before the call returns, and then each stage:
    ready, saved, and where.
    """
    clock = Watching()
    clock.journal = journal
    world = run({"clock": clock}, journal=journal)
    world.sandbox.fail("create", faults.Delay(7.0))  # the server looks into the journal before it does anything

    job = world.start()
    assert clock.seen == [("claimed", None)]
    (row,) = rows(journal)
    assert (row["state"], row["workflow_id"], row["run_id"]) == ("started", job.workflow_id, job.run_id)
    assert row["pid"] == os.getpid()

    job.wait()
    assert states(journal) == ["ready"]
    path = job.download(folder)
    (row,) = rows(journal)
    assert (row["state"], row["file"], row["file_size"]) == ("saved", str(path), path.stat().st_size)


@pytest.mark.parametrize(
    "outcome",
    [
        (faults.HttpStatus(400, body="envelope"), "refused"),
        (faults.HttpStatus(401), "refused"),
        (faults.HttpStatus(500), "unknown"),
        (faults.HttpStatus(503), "unknown"),
        (faults.HttpStatus(503, after=True), "unknown"),
        (faults.Reset(), "unknown"),
        (faults.Reset(after=True), "unknown"),
        (faults.Truncated(0.5), "unknown"),
        (faults.HtmlPage(after=True), "unknown"),
        (faults.EmptyAnswer(), "unknown"),
    ],
    ids=repr,
)
def test_creations_that_fail(world, connect, journal, caplog, outcome):
    """A creation that the server refused leaves no claim, one that it may have acted on is unknown: the next call
    starts a new export at once, and warns in the second case.
    """
    fault, state = outcome
    client = connect(retries=0)
    world.sandbox.fail("create", fault)

    with pytest.raises(KhorosError) as caught:
        world.start(client=client)
    assert states(journal) == [state]
    assert caught.value.may_have_started is (state == "unknown")

    caplog.clear()
    began = world.clock.time()
    job = world.start(client=client)
    assert not job.reattached
    assert world.clock.time() - began < 1
    assert states(journal) == [state, "started"]
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (state == "unknown")
    assert all("conversation" in text and "2019-02-01" in text and "a new one" in text for text in warnings)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_creation_that_is_repeated(world, connect, journal, retries):
    """A creation that is repeated within the call is one claim, whatever came of it."""
    world.sandbox.fail("create", faults.HttpStatus(429), times=2)
    if retries:
        world.start(client=connect(retries=retries))
    else:
        with pytest.raises(KhorosError):
            world.start(client=connect(retries=retries))

    assert states(journal) == ["started" if retries else "refused"]


def test_ctrl_c_in_a_creation(world, connect, journal, monkeypatch):
    """Ctrl-C in the middle of a creation leaves no claim for which the next call would wait."""
    client = connect()

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("khoros_analytics._jobs.start.parse_created", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.start(client=client)

    assert states(journal) == ["unknown"]
    began = world.clock.time()
    assert not world.start(client=client).reattached
    assert world.clock.time() - began < 1


# --- secrets ------------------------------------------------------------------------------------------------------


def test_no_secret_is_written(run, journal, folder):
    """No password, company key, access token or signed link stands in the journal's bytes, in whatever form."""
    options = {"username": "analyst", "password": PASSWORD, "company_key": COMPANY_KEY, "creation": "download"}
    world = run(options, journal=journal, retries=1)
    job = world.start(metrics=["STATUS"], extra={"newThing": "x"})
    job.wait().download(folder)
    world.sandbox.fail("create", faults.JobFails(f"see https://x.example/?companyKey={COMPANY_KEY}"))
    with pytest.raises(JobFailedError):
        world.start(format="json").wait()
    world.sandbox.fail("create", faults.RawAnswer(500, f"no {PASSWORD}".encode()))
    with pytest.raises(KhorosError):
        world.start(locale="de")

    content = b"".join(path.read_bytes() for path in journal.parent.glob("journal.sqlite*"))
    secrets = [PASSWORD, COMPANY_KEY, "CANARY", *(export.token for export in world.sandbox.exports)]
    secrets += [value for record in world.sandbox.requests for name, value in record.query if name == "Signature"]
    assert len(secrets) > 5
    for secret in secrets:
        for spelling in (secret, quote(secret), quote(secret, safe=""), secret.encode().hex()):
            assert spelling.encode() not in content
    assert b"analyst" not in content
    assert b"http://" not in content
    assert job.workflow_id.encode() in content  # so it was the right file


@pytest.mark.parametrize("before", [None, 0o666, 0o644], ids=str)
def test_only_its_owner_reads_it(world, connect, journal, before):
    """The journal, and what SQLite puts beside it while it writes, are readable by their owner alone."""
    if before is not None:
        journal.touch()
        journal.chmod(before)
    old = os.umask(0)
    try:
        world.start(client=connect())
        modes = []
        with closing(sqlite3.connect(journal, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE exports SET lease = 0")
            modes += [(path.name, path.stat().st_mode & 0o777) for path in sorted(journal.parent.glob("journal*"))]
            database.execute("ROLLBACK")
    finally:
        os.umask(old)

    assert modes == [("journal.sqlite", 0o600), ("journal.sqlite-shm", 0o600), ("journal.sqlite-wal", 0o600)]


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_list(world, connect, journal, folder):
    """client.jobs() lists the journal newest first, each line with all that is known, and a token that works."""
    client = connect()
    began = world.clock.time()
    path = world.start(client=client).download(folder)
    world.clock.sleep(60)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        client.user(*WINDOW, format="json")
    world.clock.sleep(60)
    client.response(*WINDOW, metrics=["STATUS"])

    third, second, first = client.jobs()

    assert [line.report for line in (first, second, third)] == ["conversation", "user", "response"]
    assert [line.state for line in (first, second, third)] == ["saved", "refused", "started"]
    assert (first.file, second.file, third.file) == (path, None, None)
    assert second.token is None
    assert third.arguments == {"format": "csv", "metrics": ["STATUS"]}
    assert str(first.window).startswith("2019-02-01 to 2019-02-02")
    assert first.asked_at == datetime.fromtimestamp(began, UTC)
    assert third.asked_at - first.asked_at >= timedelta(minutes=2)
    assert client.job(first.token).workflow_id == world.sandbox.exports[0].workflow_id
    lines = repr(client.jobs()).splitlines()[2:]  # below what the table is, and its head
    assert ["response" in lines[0], "conversation" in lines[2], str(path) in lines[2]] == [True] * 3


def test_the_list_in_a_notebook(world, connect, folder):
    """The table for notebooks has a row for each line, and whatever stands in a line is text there, never HTML."""
    client = connect()
    target = folder / "<script>&amp;.csv"
    world.start(client=client, metrics=["<b>&"], extra={"x": "<img src=y>"}).download(target)

    table = client.jobs()._repr_html_()

    assert re.findall(r"</?(\w+)", table).count("tr") == 4
    assert set(re.findall(r"</?(\w+)", table)) <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "div"}
    assert "&lt;b&gt;&amp;" in table
    assert "&lt;script&gt;&amp;amp;.csv" in table
    assert "saved" in table


def test_an_empty_list(connect):
    """A journal without a line says so, and is a table without rows."""
    jobs = connect().jobs()

    assert len(jobs) == 0
    assert "no exports" in repr(jobs)
    assert "<table>" in jobs._repr_html_()


def test_no_list(world):
    """A client without a journal says how to get one."""
    with pytest.raises(ConfigurationError, match=r"Client\(journal="):
        world.client.jobs()


def test_accounts_in_one_journal(world, connect, run, journal):
    """Two companies may share a file: neither sees, lists nor re-attaches to what belongs to the other."""
    client, other = connect(), run({"company_key": "another"}, journal=journal)
    first = world.start(client=client)
    second = other.start()

    assert not second.reattached
    assert [line.token for line in client.jobs()] == [first.token]
    assert [line.token for line in other.client.jobs()] == [second.token]


# --- asked again --------------------------------------------------------------------------------------------------


def test_asked_again(world, connect, folder, caplog):
    """The same report, arguments and window again within 24 hours, also in another client, is the same export: no
    request, a line in the log, and the file arrives.
    """
    caplog.set_level("INFO", logger="khoros_analytics")
    job = world.start(client=connect(), metrics=["STATUS"], format="json")
    assert not job.reattached
    world.clock.sleep(DAY - 60)
    before = len(world.sandbox.requests)

    again = world.start(client=connect(), metrics=["STATUS"], format="json")

    assert again.reattached
    assert (again.workflow_id, again.run_id, again.token) == (job.workflow_id, job.run_id, job.token)
    assert (again.arguments, again.window) == (job.arguments, job.window)
    assert len(world.sandbox.requests) == before
    assert any(REATTACHED in record.message and job.workflow_id in record.message for record in caplog.records)
    assert again.download(folder).read_bytes() == world.content()
    assert world.count("create") == 1


@pytest.mark.parametrize(
    "spelling",
    [
        lambda client: client.conversation("2019-02-01T00:00:00Z", datetime(2019, 2, 2, tzinfo=UTC)),
        lambda client: client.start("conversation", 1548979200000, "2019-02-02", format="csv"),
    ],
    ids=["moments", "start"],
)
def test_the_same_in_other_words(world, connect, spelling):
    """What is the same on the wire is the same export, however it was spelled."""
    world.start(client=connect())

    assert spelling(connect()).reattached


OTHERS = {
    "report": lambda client: client.response(*WINDOW),
    "start": lambda client: client.conversation("2019-01-31", "2019-02-02"),
    "end": lambda client: client.conversation("2019-02-01", "2019-02-01T23:59:59.999"),
    "format": lambda client: client.conversation(*WINDOW, format="json"),
    "metrics": lambda client: client.conversation(*WINDOW, metrics=["STATUS"]),
    "zone": lambda client: client.conversation(*WINDOW, timezone="Asia/Tokyo"),
    "locale": lambda client: client.conversation(*WINDOW, locale="de"),
    "extra": lambda client: client.conversation(*WINDOW, extra={"newThing": "x"}),
    "fresh": lambda client: client.conversation(*WINDOW, fresh=True),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_something_else(world, connect, other):
    """Another report, window or argument is another export, and so is what was asked for with fresh=True."""
    client = connect()
    world.start(client=client)

    assert not other(client).reattached
    assert world.count("create") == 2


def test_after_a_fresh_one(world, connect):
    """After fresh=True it is the new export that is found again."""
    client = connect()
    world.start(client=client)
    fresh = world.start(client=client, fresh=True)

    assert world.start(client=client).workflow_id == fresh.workflow_id


def test_a_restart_is_fresh(world, connect, journal):
    """job.restart() starts anew whatever the journal says, and is written down."""
    client = connect()
    job = world.start(client=client)
    again = job.restart()

    assert again.workflow_id != job.workflow_id
    assert states(journal) == ["started", "started"]
    assert world.start(client=client).workflow_id == again.workflow_id


def test_older_than_a_day(world, connect):
    """After 24 hours the server has dropped the file: a new export is started."""
    client = connect()
    world.start(client=client)
    world.clock.sleep(DAY)

    assert not world.start(client=client).reattached


def test_after_a_failure(world, connect, journal):
    """An export that the server gave up is started anew."""
    client = connect()
    world.sandbox.fail("create", faults.JobFails())
    with pytest.raises(JobFailedError):
        world.start(client=client).wait()

    assert states(journal) == ["failed"]
    assert not world.start(client=client).reattached


def test_after_an_expiry(world, connect, journal, folder):
    """An export whose file the server has dropped is started anew, even within its 24 hours."""
    client = connect()
    job = world.start(client=client).wait()
    world.sandbox.export_seconds = 100
    world.clock.sleep(200)
    with pytest.raises(DownloadExpiredError):
        job.download(folder)

    assert states(journal) == ["expired"]
    assert world.start(client=client).download(folder).read_bytes() == world.content()


def today(world, hours):
    """Return a moment that is so many hours from now."""
    return datetime.fromtimestamp(world.clock.time(), UTC) + timedelta(hours=hours)


def test_a_window_that_is_not_over(world, connect):
    """A window that ends in the future gets more rows as time goes by: always a new export."""
    client = connect()
    window = (today(world, -10), today(world, 1))
    client.conversation(*window)

    assert not client.conversation(*window).reattached


def test_a_window_that_was_not_over_then(world, connect):
    """An export that was started before its window was over lacks the last rows: it is not found again afterwards."""
    client = connect()
    window = (today(world, -10), today(world, 1))
    client.conversation(*window)
    world.clock.sleep(2 * 3600)

    complete = client.conversation(*window)
    assert not complete.reattached
    assert client.conversation(*window).workflow_id == complete.workflow_id


def test_a_window_that_ends_now(world, connect):
    """A window that is just over can be found again."""
    client = connect()
    window = (today(world, -10), today(world, 0))
    client.conversation(*window)

    assert client.conversation(*window).reattached


def test_the_file_is_found_again(world, connect, folder):
    """A saved file is found again by the journal, and no request is made for it; a deleted one is fetched."""
    path = world.start(client=connect()).download(folder)
    before = len(world.sandbox.requests)

    assert world.start(client=connect()).download(folder) == path
    other = world.start(client=connect()).download(folder / "copy.csv")
    assert other.read_bytes() == world.content()
    assert len(world.sandbox.requests) == before

    for file in (path, other):
        file.unlink()
    assert world.start(client=connect()).download(folder).read_bytes() == world.content()
    assert world.count("create") == 1


def test_a_token_finds_the_line(world, connect, journal, folder):
    """A job that is found again by its token goes on with its line in the journal."""
    job = world.start(client=connect())
    connect().job(job.token).download(folder)

    assert states(journal) == ["saved"]
    assert world.start(client=connect()).reattached


@pytest.mark.parametrize("fraction", [0.0005, 0.0024997, 0.0054999, 0.9999996])
def test_one_token_from_memory_and_from_the_journal(world, connect, fraction):
    """A job has one token, whether it was started here or read from the journal, whatever the clock said."""
    world.clock.sleep(fraction)
    job = world.start(client=connect())
    found = world.start(client=connect())

    assert found.reattached
    assert found.token == job.token


# --- at once ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clients", ["one client", "a client each"])
def test_threads_that_ask_at_once(run, journal, clients):
    """Threads that ask for the same at once, with one client or several, share one export."""
    world = run({"clock": Clock()}, journal=journal)
    world.sandbox.fail("create", faults.Delay(0.3))
    together = threading.Barrier(6)
    jobs = []

    def ask():
        client = world.client if clients == "one client" else world.connect(journal=journal)
        together.wait()
        jobs.append(world.start(client=client))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert world.count("create") == 1
    assert len({job.workflow_id for job in jobs}) == 1
    assert sorted(job.reattached for job in jobs) == [False] + [True] * 5


_ASK = """
with connect(clock=Clock()) as client:
    say(ready=True)
    sys.stdin.readline()
    job = client.conversation(*WINDOW)
    say(token=job.token, reattached=job.reattached)
"""


def test_processes_that_ask_at_once(run, journal, launch):
    """Processes that ask for the same at once share one export."""
    world = run({"clock": Clock()})
    world.sandbox.fail("create", faults.Delay(0.5))
    programs = [launch(world, _ASK, journal=journal) for _ in range(3)]
    for program in programs:
        program.hear()
    for program in programs:
        program.go_on()

    facts = [program.facts() for program in programs]

    assert world.count("create") == 1
    assert len({each["token"] for each in facts}) == 1
    assert sorted(each["reattached"] for each in facts) == [False, True, True]


_HAMMER = """
from datetime import date, timedelta
say(ready=True)
sys.stdin.readline()
first = date(2019, 1, 1)
tokens = []
for number in range(20):
    with connect(clock=Clock(), requests_per_minute=10_000) as client:
        start = first + timedelta(days=number)
        job = client.conversation(start, start + timedelta(days=1))
        job.refresh()
        tokens.append(job.token)
        assert len(client.jobs()) > 0
say(tokens=tokens)
"""


def test_many_processes_one_journal(run, journal, launch):
    """Processes that write into one journal as fast as they can lose no line, start nothing twice and break nothing."""
    world = run({"clock": Clock()})
    programs = [launch(world, _HAMMER, journal=journal) for _ in range(4)]
    for program in programs:
        program.hear()
    for program in programs:
        program.go_on()
    facts = [program.facts() for program in programs]

    assert [each["tokens"] for each in facts] == [facts[0]["tokens"]] * 4
    assert world.count("create") == 20
    assert states(journal) == ["ready"] * 20
    assert not any("ERROR" in each["log"] for each in facts)
    with closing(sqlite3.connect(journal)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# --- claims of others ---------------------------------------------------------------------------------------------


def somebodys_claim(world, client, journal, **values):
    """Leave a claim as another process would have made it; everything else is as if this one had."""
    world.start(client=client)
    values = {"state": "claimed", "workflow_id": None, "run_id": None, "started_at": None, **values}
    assignments = ", ".join(f"{name} = ?" for name in values)
    execute(journal, f"UPDATE exports SET {assignments}", *values.values())


def a_dead_pid():
    """Return the id of a process that has just ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def another_process():
    """Return what names the process that started this one."""
    born = Path(f"/proc/{os.getppid()}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return {"pid": os.getppid(), "born": int(born)}


DEAD = {
    "dead": lambda: {"pid": a_dead_pid()},
    "its number is mine by now": lambda: {"born": 1},
    "its number is another's by now": lambda: {"pid": os.getppid(), "born": 1},
    "lease over": lambda: {"lease": 0.0, **another_process()},
    "in another container, lease over": lambda: {"namespace": "pid:[1]", "lease": 0.0},
    "elsewhere, lease over": lambda: {"boot": "another", "lease": -1.0},
    "on a system that cannot tell, lease over": lambda: {"boot": None, "namespace": None, "lease": 0.0},
}


@pytest.mark.parametrize("values", DEAD.values(), ids=DEAD)
def test_a_claim_of_the_dead(world, connect, journal, caplog, values):
    """A claim of a process that is gone, whose number belongs to another one by now, or whose lease is over is taken
    over at once, with a warning.
    """
    client = connect()
    somebodys_claim(world, client, journal, **values())
    began = world.clock.time()

    job = world.start(client=client)

    assert not job.reattached
    assert world.clock.time() - began < 1
    assert states(journal) == ["unknown", "started"]
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


LIVING = {
    "this process": {},
    "another process": another_process(),
    "in another container, my number": {"namespace": "pid:[1]", "born": 1},
    "in another container, a number that nobody has here": {"namespace": "pid:[1]", "pid": 2**22 + 1},
    "elsewhere, my host name and number": {"boot": "another", "born": 1},
    "on a system that cannot tell, my number": {"boot": None, "namespace": None, "born": None},
}


@pytest.mark.parametrize("values", LIVING.values(), ids=LIVING)
def test_a_claim_of_the_living(world, connect, journal, caplog, values):
    """A claim of a process that may be alive is waited for until its lease is over, and only then taken over."""
    client = connect(request_deadline=30)
    until = world.clock.time() + 20
    somebodys_claim(world, client, journal, **values, lease=20.0)

    job = world.start(client=client)

    assert not job.reattached
    assert 0 <= world.clock.time() - until < 1
    assert states(journal) == ["unknown", "started"]


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86400.0])
@pytest.mark.parametrize("values", [another_process, lambda: {"namespace": "pid:[1]"}], ids=["here", "container"])
def test_a_clock_that_steps(run, journal, step, values):
    """A calendar that is set while somebody starts an export neither ends nor prolongs its claim."""

    class Stepping(VirtualClock):
        step = 0.0

        def time(self):
            return super().time() + self.step

    clock = Stepping()
    world = run({"clock": clock}, journal=journal, request_deadline=30)
    somebodys_claim(world, world.client, journal, **values(), lease=20.0)
    began, clock.step = clock.monotonic(), step

    assert not world.start().reattached
    assert 20 <= clock.monotonic() - began < 21


def test_a_clock_that_is_set_back_while_somebody_writes(run, journal, monkeypatch):
    """Whoever waits until another process has noted its export finds it, even if the calendar is set back meanwhile."""

    class Stepping(VirtualClock):
        step = 0.0

        def time(self):
            return super().time() + self.step

    clock = Stepping()
    world = run({"clock": clock}, journal=journal)
    first, writing = world.start(), Database.writing

    @contextmanager
    def waiting(self, *patience):
        with writing(self, *patience) as connection:
            clock.step = -25 * 3600.0
            connection.execute("UPDATE exports SET started_at = ?", (clock.time(),))
            yield connection

    monkeypatch.setattr(Database, "writing", waiting)

    assert world.start().workflow_id == first.workflow_id
    assert len(world.sandbox.exports) == 1


def test_a_process_that_is_only_a_name_by_now(world, connect, journal):
    """A process that has ended, and whose parent has not asked for its status yet, is gone."""
    client = connect()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    born = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    somebodys_claim(world, client, journal, pid=process.pid, born=int(born))
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    began = world.clock.time()

    assert not world.start(client=client).reattached
    assert world.clock.time() - began < 1
    process.wait()


@pytest.mark.parametrize("missing", ["everything", "another namespace's"])
def test_a_system_that_cannot_tell_processes_apart(world, connect, journal, monkeypatch, tmp_path, *, missing):
    """Where /proc says nothing, or speaks of another namespace, a claim is judged by its lease alone."""
    if missing == "everything":
        monkeypatch.setattr("khoros_analytics._journal.process._PROC", tmp_path)
    else:
        monkeypatch.setattr("khoros_analytics._journal.process.os.getpid", lambda: 1)
    client = connect()
    somebodys_claim(world, client, journal, pid=a_dead_pid(), lease=20.0)
    assert rows(journal)[0]["boot"] is None
    began = world.clock.time()

    assert not world.start(client=client).reattached
    assert 20 <= world.clock.time() - began < 21


def test_a_claim_that_comes_true(world, connect, journal):
    """A claim whose owner gets its answer meanwhile is that owner's export."""
    client = connect()
    somebodys_claim(world, client, journal, **another_process())
    (export,) = world.sandbox.exports
    slept = []
    sleep = world.clock.sleep

    def wake(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            execute(
                journal,
                "UPDATE exports SET state = 'started', workflow_id = ?, run_id = ?, started_at = ?",
                export.workflow_id,
                export.run_id,
                world.clock.time(),
            )
        sleep(seconds)

    world.clock.sleep = wake
    job = world.start(client=client)

    assert job.reattached
    assert job.workflow_id == export.workflow_id
    assert len(slept) == 3
    assert world.count("create") == 1


def test_a_claim_that_comes_to_nothing(world, connect, journal):
    """A claim whose owner is refused meanwhile is nobody's: the next one starts its own."""
    client = connect()
    somebodys_claim(world, client, journal, **another_process())
    sleep = world.clock.sleep

    def wake(seconds):
        execute(journal, "UPDATE exports SET state = 'refused' WHERE id = 1")
        sleep(seconds)

    world.clock.sleep = wake
    assert not world.start(client=client).reattached
    assert states(journal) == ["refused", "started"]


def test_a_claim_that_is_never_decided(world, connect, journal):
    """A claim that is held for longer than any request may take is a JobTimeoutError that says how to go on."""
    client = connect(request_deadline=30)
    somebodys_claim(world, client, journal, boot="another", lease=10_000.0)
    began = world.clock.time()

    with pytest.raises(JobTimeoutError, match="fresh=True") as caught:
        world.start(client=client)

    assert world.clock.time() - began == pytest.approx(90, abs=1)
    assert caught.value.may_have_started is False
    assert states(journal) == ["claimed"]
    assert not world.start(client=client, fresh=True).reattached


# --- files that are no journal ------------------------------------------------------------------------------------


def no_sqlite(path):
    path.write_text("a list of things that somebody wants to keep\n" * 100)


def another_version(path):
    execute(path, "PRAGMA user_version = 1")


def torn(path):
    execute(path, "CREATE TABLE exports (id)")
    path.write_bytes(path.read_bytes()[:5000])


UNUSABLE = {
    "no SQLite": no_sqlite,
    "another version": another_version,
    "torn": torn,
    "a folder": lambda path: path.mkdir(),
    "another program's": lambda path: execute(path, "CREATE TABLE exports (name)"),
    "another program's version": lambda path: execute(path, "PRAGMA user_version = 3"),
    "another program's, as it says": lambda path: execute(path, "PRAGMA application_id = 7"),
    "a pipe": os.mkfifo,
    "a dead link": lambda path: path.symlink_to(path.parent / "no" / "x"),
}


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
def test_files_that_are_no_journal(world, connect, journal, spoil):
    """What is not a journal of this version is a ConfigurationError that names it, when the client is made; it stays
    as it was.
    """
    spoil(journal)
    before = journal.read_bytes() if journal.is_file() else None

    with pytest.raises(ConfigurationError, match="journal") as caught:
        connect()

    assert str(journal) in str(caught.value)
    assert (journal.read_bytes() if journal.is_file() else None) == before
    assert len(world.sandbox.requests) == 0


def test_a_file_that_is_no_journal_keeps_its_mode(world, connect, journal):
    """A file that is not a journal keeps the rights that it had."""
    no_sqlite(journal)
    journal.chmod(0o644)

    with pytest.raises(ConfigurationError):
        connect()

    assert journal.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("path", ["/nowhere/at/all/j.sqlite", "/proc/self/j.sqlite", "/dev/full", "a\0b"])
def test_places_where_no_journal_can_be(connect, path):
    """A journal in a missing folder, or where nothing can be written, is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="journal"):
        connect(journal=path)


def test_a_read_only_journal(world, connect, monkeypatch, journal):
    """A journal that may not be written is a ConfigurationError with the system's reason."""
    connect()
    opened = os.open

    def refuse(path, flags, *mode, **settings):
        if Path(path) == journal and flags & (os.O_RDWR | os.O_WRONLY):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *mode, **settings)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(ConfigurationError, match="Permission denied"):
        connect()


def test_a_journal_at_home(world, connect, monkeypatch, tmp_path):
    """A journal may be named by a text with a tilde, relative to the current folder, or by any path."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    connect(journal="~/one.sqlite")
    connect(journal="two.sqlite")

    assert {"one.sqlite", "two.sqlite"} <= {path.name for path in tmp_path.iterdir()}


# --- a journal that breaks later ----------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before the ids", "before ready", "before saved"])
def test_a_journal_that_becomes_unusable(world, connect, journal, caplog, moment):
    """A journal that cannot be written any more once the request is out costs a line in the log, never the job."""
    session = requests.Session()
    client = connect(session=session)

    def spoil(*_arguments, **_settings):
        journal.write_bytes(b"no journal any more" * 1000)

    if moment == "before the ids":
        session.hooks["response"].append(spoil)
    job = world.start(client=client)
    session.hooks["response"].clear()
    if moment == "before ready":
        spoil()
    job.wait()
    if moment == "before saved":
        spoil()

    assert job.download(journal.parent).read_bytes() == world.content()
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert errors
    assert all(str(journal) in text for text in errors)
    assert world.count("create") == 1


def test_a_journal_that_is_unusable_before_the_request(world, connect, journal):
    """A journal that cannot be written by the time of the claim is an error before anything is sent."""
    client = connect()
    journal.write_bytes(b"no journal any more" * 1000)

    with pytest.raises(ConfigurationError, match="journal") as caught:
        world.start(client=client)
    assert caught.value.may_have_started is False
    assert world.count("create") == 0


def test_a_journal_that_is_locked_before_the_request(world, connect, journal, monkeypatch):
    """A journal that somebody keeps locked is an error before anything is sent, and it says so."""
    client = connect()
    connected = Database._connected
    monkeypatch.setattr(Database, "_connected", lambda self, _patience: connected(self, 0.05))
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match="locked") as caught:
            world.start(client=client)

    assert caught.value.may_have_started is False
    assert world.count("create") == 0
    assert states(journal) == []


def test_a_journal_that_is_deleted(world, connect, journal, folder):
    """A journal that somebody deletes in between is an error for the next claim, not for the running job."""
    client = connect()
    job = world.start(client=client)
    journal.unlink()

    assert job.download(folder).read_bytes() == world.content()


def test_hosts_and_processes_are_written(world, connect, journal):
    """A claim names its host and process, so that others can tell whether it still lives."""
    world.start(client=connect())
    (row,) = rows(journal)

    assert (row["host"], row["pid"]) == (socket.gethostname(), os.getpid())
    assert (row["boot"], row["namespace"], row["born"] > 0) == (BOOT, str(Path("/proc/self/ns/pid").readlink()), True)
    assert row["lease"] > 0


def test_numbers_are_never_used_again(world, connect, journal):
    """Newest first is by number: a line that is deleted gives its number to no other."""
    client = connect()
    for _ in itertools.repeat(None, 2):
        world.start(client=client, fresh=True)
    execute(journal, "DELETE FROM exports WHERE id = 2")
    world.start(client=client, fresh=True)

    assert [row["id"] for row in rows(journal)] == [1, 3]


def test_a_refused_one_does_not_hide_another(world, connect, journal):
    """A refusal of a fresh one does not make the client forget the export that is there."""
    client = connect()
    job = world.start(client=client)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(RequestRejectedError):
        world.start(client=client, fresh=True)

    assert states(journal) == ["started", "refused"]
    assert world.start(client=client).workflow_id == job.workflow_id
