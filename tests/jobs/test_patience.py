"""Patience: an export that runs is waited for through every outage, and the account's quota through every 429."""

import logging

import pytest
import requests

from khoros_analytics import (
    AuthenticationError,
    JobTimeoutError,
    RateLimitError,
    RequestRejectedError,
    UnexpectedReplyError,
)
from khoros_analytics.sandbox import faults

OUTAGES = {
    "no answer": faults.Reset(),
    "half an answer": faults.Cut(0.5),
    "500": faults.HttpStatus(500),
    "503 of a gateway": faults.HttpStatus(503, body="html"),
    "429": faults.HttpStatus(429),
    "a page": faults.HtmlPage(),
    "nothing": faults.EmptyAnswer(),
    "broken JSON": faults.Truncated(0.5),
}


def lines(caplog, level):
    return [record for record in caplog.records if record.levelno == level and record.name == "khoros_analytics"]


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_in_the_middle_of_a_wait(world, caplog, fault):
    """A wait goes on through a long outage, whatever it looks like; all of it is in the history."""
    job = world.start()
    world.sandbox.fail("status", fault, times=60)

    assert job.wait().status.detail == "COMPLETED"
    assert world.count("status") > 60
    assert len([attempt for attempt in job.history if attempt.phase == "status"]) > 60
    # A 429 has a line of its own each time the account pauses.
    expected = 1 if not isinstance(fault, faults.HttpStatus) or fault.code != 429 else 61
    assert len(lines(caplog, logging.WARNING)) == expected


@pytest.mark.parametrize("phase", ["download", "file"])
def test_an_outage_in_the_middle_of_a_download(world, folder, phase):
    """So does a download, which resumes what had arrived."""
    world.sandbox.fail(phase, faults.Reset(), times=60)
    assert world.start().download(folder).read_bytes() == world.content()


def test_an_outage_has_two_lines_in_the_log(world, caplog):
    """One warning tells that an outage begins, and for how long the wait goes on; one line that it is over."""
    caplog.set_level(logging.INFO, "khoros_analytics")
    job = world.start()
    world.sandbox.fail("status", faults.HttpStatus(502), times=30)
    job.wait(timeout=7200)

    (warning,) = lines(caplog, logging.WARNING)
    assert "HTTP 502" in warning.getMessage()
    assert job.workflow_id in warning.getMessage()
    assert "and again for up to 7197 s" in warning.getMessage()
    texts = [record.getMessage() for record in lines(caplog, logging.INFO)]
    assert sum("goes on after 30 failed attempts" in text for text in texts) == 1
    assert (warning.khoros_job, warning.khoros_report) == (job.workflow_id, "conversation")


def test_the_pauses_of_an_outage(world):
    """Pauses grow up to a minute: an outage of hours costs few requests, and its end is noticed soon."""
    job = world.start()
    world.sandbox.fail("status", faults.Reset(), times=None)

    with pytest.raises(JobTimeoutError, match=r"(?s)the last attempt ended so: .*it goes on, .*client\.job\("):
        job.wait(timeout=6 * 3600)

    pauses = [attempt.waited for attempt in job.history if "repetition" in attempt.reason]
    assert max(pauses) <= 60
    assert all(pause >= 20 for pause in pauses[10:-2])
    assert len(pauses) < 700


@pytest.mark.parametrize(
    ("code", "error"), [(401, AuthenticationError), (403, AuthenticationError), (404, RequestRejectedError)]
)
def test_what_does_not_get_better(world, code, error):
    """A refusal of the credentials, or a job that is gone, ends a wait at once."""
    job = world.start()
    world.sandbox.fail("status", faults.HttpStatus(code))
    began = world.clock.time()

    with pytest.raises(error):
        job.wait()
    assert world.count("status") == 1
    assert world.clock.time() - began < 5


def test_a_single_look_is_not_patient(run):
    """A refresh is one call: it ends after its retries."""
    world = run(retries=2)
    job = world.start()
    world.sandbox.fail("status", faults.EmptyAnswer(), times=None)
    with pytest.raises(UnexpectedReplyError):
        job.refresh()
    assert world.count("status") == 3


def spend(world, requests_left=20):
    """Let another program use the account."""
    for _ in range(requests_left):
        requests.get(
            f"{world.sandbox.base_url}/api/public/teams?companyKey={world.sandbox.company_key}",
            auth=(world.sandbox.username, world.sandbox.password),
            timeout=10,
        )


@pytest.mark.parametrize("retry_after", [False, True])
def test_another_program_spends_the_quota(run, folder, caplog, retry_after):
    """Where another program spends the account's requests, all calls wait until there is room again: none is lost."""
    world = run({"requests_per_minute": 20, "retry_after": retry_after})
    spend(world)
    began = world.clock.time()
    job = world.start()
    assert 59 <= world.clock.time() - began <= 121
    spend(world, 19)

    assert job.download(folder).read_bytes() == world.content()
    assert len(world.sandbox.exports) == 1
    assert "does another program use this account?" in caplog.text


def test_a_refusal_that_never_ends(run):
    """A creation that is refused until its deadline is a RateLimitError that names the likely cause."""
    world = run(request_deadline=200)
    world.sandbox.fail("create", faults.HttpStatus(429), times=None)
    began = world.clock.time()
    with pytest.raises(RateLimitError, match="does another program use this account") as caught:
        world.start()
    assert caught.value.may_have_started is False
    assert 150 <= world.clock.time() - began <= 201
    assert world.count("create") <= 5


def test_signs_of_life(run, caplog):
    """A long wait says now and then that the job still runs, and in the end how long it took and what was saved."""
    caplog.set_level(logging.INFO, "khoros_analytics")
    world = run({"polls": None, "seconds": 7200})
    job = world.start()
    path = job.download("conversations.csv")
    found = [record.getMessage() for record in lines(caplog, logging.INFO)]
    assert sum("still running after" in text for text in found) == 4  # 10, 20, 40 and 80 minutes
    assert any("still running after 10 min" in text for text in found)
    assert any("ready after 120 min" in text for text in found)
    assert any(
        "saved, " in text and f"{path.stat().st_size:,} bytes in" in text and text.endswith(str(path)) for text in found
    )
    assert all(record.khoros_job == job.workflow_id for record in lines(caplog, logging.INFO))


def test_each_request_is_a_line_for_those_who_debug(world, caplog, folder):
    """At DEBUG each request is one line with its outcome, and no line has a link or a key."""
    caplog.set_level(logging.DEBUG, "khoros_analytics")
    world.start().download(folder)
    found = [record.getMessage() for record in lines(caplog, logging.DEBUG)]
    assert [text.split(": ")[-1].split(" after")[0] for text in found] == ["HTTP 200"] * 3
    assert not any("companyKey" in text or "Signature" in text for text in found)


@pytest.mark.parametrize(
    ("state", "said"), [("PAUSED", ["PAUSED"]), ("RUNNING", []), ("CLOSED", [])], ids=["unknown", "running", "closed"]
)
def test_unknown_states_are_logged(world, caplog, state, said):
    """A state that nobody documents is logged with the job each time it comes; a known one is not news."""
    job = world.start()
    world.sandbox.fail("status", faults.JobState(state, ""))
    job.refresh()

    found = lines(caplog, logging.WARNING)
    assert [text for text in said if f"{text!r}, which is not documented" in found[0].getMessage()] == said
    assert [(record.khoros_job, record.khoros_report) for record in found] == [(job.workflow_id, "conversation")] * len(
        said
    )
    assert all(job.workflow_id in record.getMessage() for record in found)
