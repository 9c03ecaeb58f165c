"""What could not be written into the journal is written at the next chance: no export is lost or doubled by that."""

import gc
import sqlite3
from contextlib import closing

import pytest
import requests

from khoros_analytics import KhorosError, UnexpectedReplyError
from khoros_analytics._jobs import start as start_module
from khoros_analytics._journal.database import Note
from khoros_analytics._journal.recorder import Recorder
from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No test waits for a lock."""
    for name in ("PATIENCE", "_OTHER_PATIENCE", "_SOON"):
        monkeypatch.setattr(f"khoros_analytics._journal.store.{name}", 0.02)


@pytest.fixture
def lock(journal):
    """Lock the journal from elsewhere, until told otherwise."""
    with closing(sqlite3.connect(journal, isolation_level=None, check_same_thread=False)) as database:

        class Lock:
            def close(self, *_arguments, **_settings):
                if not database.in_transaction:
                    database.execute("BEGIN IMMEDIATE")

            def open(self):
                database.execute("ROLLBACK")

        yield Lock()


@pytest.fixture
def locked_job(world, connect, lock):
    """A job whose ids could not be written, since the journal was locked when its answer came."""
    session = requests.Session()
    session.hooks["response"].append(lock.close)
    client = connect(session=session)
    job = world.start(client=client)
    session.hooks["response"].clear()
    return client, job


CHANCES = {
    "refresh": lambda client, job, folder: job.refresh(),
    "wait": lambda client, job, folder: job.wait(),
    "download": lambda client, job, folder: job.download(folder),
    "rows": lambda client, job, folder: next(job.rows()),
    "the same call": lambda client, job, folder: client.conversation(*WINDOW),
    "another call": lambda client, job, folder: client.user(*WINDOW),
    "the list": lambda client, job, folder: client.jobs(),
    "its token": lambda client, job, folder: client.job(job.token),
    "the end of the client": lambda client, job, folder: client.close(),
}


@pytest.mark.parametrize("chance", CHANCES.values(), ids=CHANCES)
def test_the_next_chance(world, connect, locked_job, lock, states, *, execute, folder, caplog, chance):
    """Ids that could not be written are written as soon as the job or its journal is used again."""
    client, job = locked_job
    assert states() == ["claimed"]
    assert any("next chance" in record.message for record in caplog.get_records("setup"))
    lock.open()

    chance(client, job, folder)

    assert states()[0] in ("started", "ready", "saved")
    assert execute("SELECT workflow_id FROM exports")[0] == (job.workflow_id,)
    assert world.start(client=connect()).workflow_id == job.workflow_id
    assert len([export for export in world.sandbox.exports if export.report == "conversation"]) == 1


def test_another_client_and_no_job(world, connect, locked_job, lock, states):
    """They are written even when the job is gone, and by any client of the same journal in the process."""
    _, job = locked_job
    workflow_id = job.workflow_id
    del job
    gc.collect()
    lock.open()

    assert world.start(client=connect()).workflow_id == workflow_id
    assert states() == ["started"]
    assert world.count("create") == 1


def test_notes_keep_their_order(locked_job, lock, states, execute, folder):
    """Several that had to wait are written in the order in which they happened."""
    _, job = locked_job
    path = job.download(folder)
    assert states() == ["claimed"]
    lock.open()

    job.refresh()

    assert execute("SELECT state, workflow_id, file FROM exports") == [("saved", job.workflow_id, str(path))]


def test_a_full_disk(world, connect, states, monkeypatch):
    """A disk that was full when the ids came is no reason to lose them."""
    client = connect()
    write, failures = Note.write, [1, 1]

    def full(note, connection):
        if failures:
            failures.pop()
            raise sqlite3.OperationalError("database or disk is full")
        write(note, connection)

    monkeypatch.setattr(Note, "write", full)
    job = world.start(client=client)
    assert states() == ["claimed"]
    job.refresh()

    assert failures == []
    assert states() == ["ready"]
    assert world.start(client=client).workflow_id == job.workflow_id


def test_a_refusal_that_could_not_be_noted(world, connect, lock, states):
    """A claim whose refusal could not be written is not in the way of the next call."""
    session = requests.Session()
    session.hooks["response"].append(lock.close)
    client = connect(session=session)
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        world.start(client=client)
    session.hooks["response"].clear()
    lock.open()
    began = world.clock.time()

    world.start(client=client)

    assert states() == ["refused", "started"]
    assert world.clock.time() - began < 1


def test_late_notes_undo_nothing(world, connect, locked_job, lock, execute, *, states):
    """Ids that are written late do not undo what another process found out about the same job."""
    client, _ = locked_job
    lock.open()
    execute("UPDATE exports SET state = 'saved', workflow_id = 'x', run_id = 'y', started_at = 0")

    client.jobs()

    assert states() == ["saved"]


def test_notes_for_another_file(world, connect, locked_job, lock, journal, *, states):
    """What waits for a journal that somebody has replaced is not written into the lines of the new one."""
    lock.open()
    journal.unlink()
    for path in journal.parent.glob("journal.sqlite-*"):
        path.unlink()
    client = connect()
    world.sandbox.fail("create", faults.HttpStatus(400))
    with pytest.raises(KhorosError):
        world.start(client=client)

    assert states() == ["refused"]


def test_a_note_that_nothing_can_hold(world, connect, states):
    """What SQLite cannot hold is not in the way of what comes after it."""
    client = connect()
    job = world.start(client=client)
    recorder = Recorder(client._account.journal, job._remote.recorder._mark)
    recorder.ready(10**400)

    job.wait()

    assert states() == ["ready"]


_ENDS = """
import sqlite3, requests
from khoros_analytics._journal import store
store.PATIENCE = 0.02
other = sqlite3.connect(ARGUMENTS["client"]["journal"], isolation_level=None, check_same_thread=False)
session = requests.Session()
session.hooks["response"].append(lambda *_, **__: other.execute("BEGIN IMMEDIATE") and None)
client = connect(session=session)
job = client.conversation(*WINDOW)
other.execute("ROLLBACK")
say(token=job.token)
"""


def test_the_end_of_the_program(world, launch, journal, states):
    """The last chance is the end of the program."""
    launch(world, _ENDS, journal=journal).facts()

    assert states() == ["started"]


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------


def interrupting(act, *, before):
    """Return the same, interrupted once."""
    calls = []

    def interrupted(*arguments, **settings):
        calls.append(1)
        if before and len(calls) == 1:
            raise KeyboardInterrupt
        result = act(*arguments, **settings)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return result

    return interrupted


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("place", [(Note, "write"), (Recorder, "started")], ids=["in the note", "at the note"])
def test_ctrl_c_between_the_answer_and_the_note(world, connect, states, monkeypatch, place, *, before):
    """Ctrl-C once the answer is there loses no ids: they are noted, and the message says how to go on."""
    client = connect()
    with monkeypatch.context() as patch:
        patch.setattr(*place, interrupting(getattr(*place), before=before))
        with pytest.raises(KeyboardInterrupt, match=r"client\.job\('khoros") as caught:
            world.start(client=client)

    assert states() == ["started"]
    job = world.start(client=client)
    assert job.reattached
    assert job.token in str(caught.value)
    assert world.count("create") == 1


def test_ctrl_c_without_a_journal(world, monkeypatch):
    """Without a journal the message is all that knows them."""
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "started", interrupting(Recorder.started, before=True))
        with pytest.raises(KeyboardInterrupt, match=r"client\.job\('khoros"):
            world.start()


@pytest.mark.parametrize("name", ["claim", "_insert"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_ctrl_c_at_the_claim(world, connect, states, monkeypatch, name, *, before):
    """Ctrl-C around the claim leaves none: nothing was sent."""
    client = connect()
    journal = type(client._account.journal)
    with monkeypatch.context() as patch:
        patch.setattr(journal, name, interrupting(getattr(journal, name), before=before))
        with pytest.raises(KeyboardInterrupt):
            world.start(client=client)
    assert states() in ([], ["refused"])
    began = world.clock.time()

    assert not world.start(client=client).reattached
    assert world.clock.time() - began < 1
    assert world.count("create") == 1


def test_an_error_behind_the_answer(world, connect, states, monkeypatch):
    """What goes wrong once the ids are there costs nothing: the job is returned."""

    def fail(call, reply, parse=start_module.parse_created):
        created.append(parse(call, reply))
        return created[0]

    created = []
    client = connect()
    transport = client._account.transport
    send = transport.send

    def send_and_fail(*arguments, **settings):
        send(*arguments, **settings)
        raise UnexpectedReplyError("the connection broke when it was closed", status_code=200)

    monkeypatch.setattr(start_module, "parse_created", fail)
    monkeypatch.setattr(transport, "send", send_and_fail)
    job = world.start(client=client)

    assert job.workflow_id == created[0].workflow_id
    assert states() == ["started"]
