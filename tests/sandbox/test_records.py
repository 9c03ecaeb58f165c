"""Records: what came in can be read afterwards, exactly."""

import concurrent.futures

import attrs
import pytest

from khoros_analytics.sandbox import faults
from khoros_analytics.sandbox._hosts import exports, records


def test_an_export_leaves_its_trace(caller):
    """Each request has its phase, origin, verb, status and time, in the order of arrival."""
    caller.fetch(caller.signed())
    records = caller.sandbox.requests

    assert [(each.phase, each.origin, each.method, each.status) for each in records] == [
        ("create", "api", "POST", 200),
        ("status", "api", "GET", 200),
        ("download", "api", "GET", 302),
        ("file", "file", "GET", 200),
    ]
    assert [each.time - records[0].time for each in records] == [0, 10, 10, 10]
    assert [each.has_authorization for each in records] == [True, True, True, False]


def test_arguments_are_recorded_as_they_came(caller):
    """Query and form are pairs in their order, repeats and blanks included; the path stays encoded."""
    query = [("companyKey", "SANDBOX-COMPANY"), ("b", "2"), ("a", "ü +&"), ("b", ""), ("b", "1")]
    caller.call("POST", "/reports/report/a%2Fb", params=query, data=[("x", "1"), ("x", "")])
    (record,) = caller.sandbox.requests

    assert list(record.query) == query
    assert list(record.form) == [("x", "1"), ("x", "")]
    assert record.path == "/api/public/reports/report/a%2Fb"


def test_other_bodies_are_no_form(caller):
    """A body that is not declared as a form is read and left alone."""
    caller.call("POST", "/teams", data=b"\xff\x00" * 10_000, headers={"Content-Type": "application/json"})
    caller.call(
        "POST", "/teams", data=iter([b"a=", b"b"]), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert [record.form for record in caller.sandbox.requests] == [(), (("a", "b"),)]


def test_headers(caller):
    """Headers can be asked for in any letter case."""
    caller.call("GET", "/teams", headers={"User-Agent": "me/1.0"})
    (record,) = caller.sandbox.requests

    assert (record.header("user-agent"), record.header("X-None")) == ("me/1.0", None)
    assert record.header("AUTHORIZATION").startswith("Basic ")


def test_secrets_stay_out_of_the_repr(caller):
    """A record and an export can be printed without showing the password, the key or a token."""
    caller.started()
    shown = repr(caller.sandbox.requests) + repr(caller.sandbox.exports)

    assert "SANDBOX-COMPANY" not in shown
    assert "Basic" not in shown
    assert caller.sandbox.exports[0].token not in shown


def test_bytes_are_counted_before_they_arrive(run):
    """Who has received a body finds its length in the record at once."""
    caller = run(rows=3000)
    links = [caller.signed() for _ in range(5)]
    for link in links:
        answer = caller.fetch(link, Range="bytes=100-")
        assert caller.sandbox.requests[-1].sent == len(answer.content)


def test_records_are_frozen_and_show_their_fault(caller):
    """A record is a value that cannot be changed, and names the fault that met it."""
    caller.sandbox.fail("teams", faults.HttpStatus(500))
    caller.call("GET", "/teams")
    (record,) = caller.sandbox.requests

    assert record.fault == faults.HttpStatus(500)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record.status = 200


def test_counting(caller):
    """Requests can be counted, all of them and by phase."""
    caller.signed()
    caller.signed()

    assert (caller.sandbox.count(), caller.sandbox.count("create"), caller.sandbox.count("file")) == (6, 2, 0)


def test_many_threads_lose_no_record(caller):
    """Requests from many threads at once are all recorded and all exports kept, with different ids."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: caller.started()["workflowId"], range(100)))

    assert len(set(results)) == len(caller.sandbox.exports) == caller.sandbox.count("create") == 100


def test_old_records_can_be_forgotten(run):
    """With remember=3 only the last three requests are kept."""
    caller = run(remember=3)
    for number in range(5):
        caller.call("GET", f"/{number}")

    assert [record.path for record in caller.sandbox.requests] == [f"/api/public/{number}" for number in (2, 3, 4)]


def test_large_records_are_forgotten_sooner(run, monkeypatch):
    """Where only the last records are kept, their size has a bound too: many large forms would fill the memory."""
    monkeypatch.setattr(records, "_MOST", 10_000)
    caller = run(remember=100)
    for _ in range(5):
        caller.call("POST", "/reports/report/user", params=caller.key, data={"a": "x" * 4000})
    caller.call("GET", "/teams")

    assert 1 < len(caller.sandbox.requests) < 5
    caller.sandbox.remember = 1
    caller.call("GET", "/last")
    assert [record.path for record in caller.sandbox.requests] == ["/api/public/last"]


def test_old_files_give_their_memory_back(run, monkeypatch):
    """Only the last exports keep their files in memory; an older one is made again, the same as before."""
    monkeypatch.setattr(exports, "_FILES", 2)
    caller = run()
    links = [caller.signed() for _ in range(3)]
    before = caller.fetch(links[1]).content
    oldest, recent = caller.sandbox.exports[:2]
    content = oldest.content()
    caller.started()

    assert ["body" in vars(export) for export in (oldest, recent)] == [True, False]
    assert caller.fetch(links[1]).content == before == recent.content()
    assert content == caller.fetch(links[0]).content
