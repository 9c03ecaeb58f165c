"""Whether and when a call is sent again: it hangs on what the call is for, not on its verb."""

from email.utils import formatdate

import pytest
import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from khoros_analytics import (
    AuthenticationError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)

URL = "/api/public/teams?companyKey=CANARY"
REPEATABLE = ("status", "teams", "timezones", "download", "file")


def out_of_reach(reason):
    return requests.ConnectionError(MaxRetryError(None, URL, reason))


REFUSED = out_of_reach(NewConnectionError(None, "Connection refused"))
NO_CONNECT = requests.ConnectTimeout(MaxRetryError(None, URL, ConnectTimeoutError(None, "connect timed out")))
SILENCE = requests.ReadTimeout(ReadTimeoutError(None, URL, "Read timed out."))
BROKE = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))
HTML = (200, {"Content-Type": "text/html"}, "<html><body>Please sign in</body></html>")
FAIL = '{"status": "FAIL", "request": null, "message": null, "result": "Too many buckets (745) requested."}'


def status(code):
    return pytest.param((code, {}, "sorry"), id=str(code))


NEVER_SENT = [pytest.param(REFUSED, id="refused"), pytest.param(NO_CONNECT, id="connect timeout")]
NOT_TAKEN = [status(429)]
TAKEN_MAYBE = [
    pytest.param(SILENCE, id="read timeout"),
    pytest.param(BROKE, id="reset"),
    *map(status, (500, 502, 503, 504, 599)),
    pytest.param("", id="empty"),
    pytest.param('{"status": "PASS", "resu', id="cut JSON"),
    pytest.param('{"no": "envelope"}', id="no envelope"),
    pytest.param(HTML, id="HTML"),
]
FINAL = [*map(status, (400, 401, 403, 405)), pytest.param(FAIL, id="FAIL")]
# What a file host sends is the file, whatever it is; only HTML is never one, and is fetched just once more.
ABOUT_CONTENT = TAKEN_MAYBE[-4:]


@pytest.mark.parametrize("fault", [*NEVER_SENT, *NOT_TAKEN])
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("method", ["conversation", "user"])
def test_creation_is_repeated_when_it_certainly_was_not_seen(api, connect, fault, times, method):
    """Starting an export is repeated where the server cannot have acted on it, whether it is a POST or a GET."""
    api.next("create", *[fault] * times)

    job = getattr(connect(), method)("2019-02-01", "2019-02-02")

    assert job.workflow_id == "w-1"
    assert api.count("create") == times + 1


@pytest.mark.parametrize("fault", [*TAKEN_MAYBE, *FINAL])
@pytest.mark.parametrize("method", ["conversation", "user"])
def test_creation_is_not_repeated_otherwise(api, connect, clock, fault, method):
    """Starting an export is never repeated where it may have started, or was refused; and nothing is waited for."""
    api.next("create", fault)

    with pytest.raises(KhorosError):
        getattr(connect(), method)("2019-02-01", "2019-02-02")

    assert api.count("create") == 1
    assert clock.sleeps == []


def asks_for_a_file(phase):
    return phase in ("download", "file")


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        pytest.param(phase, *fault.values, id=f"{phase}-{fault.id}")
        for phase in REPEATABLE
        for fault in (*NEVER_SENT, *NOT_TAKEN, *TAKEN_MAYBE)
        if not (asks_for_a_file(phase) and fault in ABOUT_CONTENT)
    ],
)
def test_all_other_calls_are_repeated_on_anything_transient(api, connect, ask, phase, fault):
    """Status, look-ups and downloads are repeated on anything transient, unreadable answers included."""
    api.next(phase, fault, fault)

    ask(connect(), phase)

    assert api.count(phase) == 3


@pytest.mark.parametrize("phase", ["status", "teams"])
@pytest.mark.parametrize("fault", FINAL)
def test_a_refusal_is_final(api, connect, ask, clock, *, phase, fault):
    """What the server refuses is not asked again."""
    api.next(phase, fault)

    with pytest.raises((RequestRejectedError, AuthenticationError)):
        ask(connect(), phase)

    assert api.count(phase) == 1
    assert clock.sleeps == []


ERRORS = {
    "refused": (REFUSED, TransportError, False),
    "connect timeout": (NO_CONNECT, TransportError, False),
    "read timeout": (SILENCE, TransportError, True),
    "reset": (BROKE, TransportError, True),
    "empty": ("", UnexpectedReplyError, True),
    "HTML": (HTML, UnexpectedReplyError, True),
    "broken JSON": ("{", UnexpectedReplyError, True),
    "no ids": ('{"status": "PASS", "result": {}}', UnexpectedReplyError, True),
    "FAIL": (FAIL, RequestRejectedError, False),
    "400": ((400, {}, "{}"), RequestRejectedError, False),
    "401": ((401, {}, ""), AuthenticationError, False),
    "403": ((403, {}, ""), AuthenticationError, False),
    "404": ((404, {}, ""), RequestRejectedError, False),
    "429": ((429, {}, ""), RateLimitError, False),
    "500": ((500, {}, ""), ServerError, True),
    "502": ((502, {}, ""), ServerError, True),
    "503": ((503, {}, ""), ServerError, True),
    "504": ((504, {}, ""), ServerError, True),
    "302": ((302, {"Location": "/elsewhere"}, ""), UnexpectedReplyError, True),
}


@pytest.mark.parametrize(("fault", "error", "started"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("method", ["conversation", "user"])
def test_the_error_of_a_creation(api, connect, *, fault, error, started, method):
    """Each fault ends in one kind of error, which says whether the export may have started all the same."""
    api.next("create", *[fault] * 6)

    with pytest.raises(error) as caught:
        getattr(connect(), method)("2019-02-01", "2019-02-02")

    assert type(caught.value) is error
    assert caught.value.may_have_started is started
    assert api.count("create") in (1, 5, 6)  # so many minutes of the quota pass within the deadline


@pytest.mark.parametrize(("fault", "error"), [row[:2] for row in ERRORS.values()][:-1], ids=list(ERRORS)[:-1])
@pytest.mark.parametrize("phase", ["status", "teams"])
def test_other_errors_say_nothing_about_a_start(api, connect, ask, *, fault, error, phase):
    """The same faults end in the same errors elsewhere, but there is no question of anything having started."""
    api.next(phase, *[fault] * 6)

    with pytest.raises(error) as caught:
        ask(connect(), phase)

    assert type(caught.value) is error
    assert caught.value.may_have_started is None


def test_an_http_status_is_in_the_error(api, connect):
    """An error of the server carries the HTTP status, a short excerpt of what came, and what it asks for."""
    api.next("teams", *[(429, {"Retry-After": "7"}, "quota exceeded " + 500 * "x")] * 60)

    with pytest.raises(RateLimitError, match="quota exceeded") as caught:
        connect().teams()

    assert (caught.value.status_code, caught.value.retry_after) == (429, 7)
    assert len(str(caught.value).partition("\n")[0]) < 500


@pytest.mark.parametrize("retries", [0, 1, 3, 7])
def test_how_often(api, connect, retries):
    """A call is repeated `retries` times, then its last error comes out."""
    api.next("teams", *[(503, {}, "sorry")] * 20)

    with pytest.raises(ServerError):
        connect(retries=retries).teams()

    assert api.count("teams") == retries + 1


def test_backoff(api, connect, clock):
    """The waits are random below a ceiling that doubles from half a second to 20 seconds."""
    ceilings = [0.5, 1, 2, 4, 8, 16, 20, 20]
    seen = []
    for _ in range(40):
        clock.sleeps.clear()
        api.next("teams", *[(503, {}, "sorry")] * 8)
        connect(retries=8, requests_per_minute=10_000).teams()
        assert len(clock.sleeps) == 8
        assert all(0 <= pause <= most for pause, most in zip(clock.sleeps, ceilings, strict=True))
        seen.append(clock.sleeps[-1])

    assert min(seen) < 8
    assert max(seen) > 12  # full jitter: by chance wrong once in a hundred million runs


@pytest.mark.parametrize("phase", ["create", "status", "teams", "file"])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("date", 30),
        ("86400", 120),
        ("far date", 120),
        ("past date", 0),
    ],
)
def test_retry_after(api, connect, ask, clock, *, phase, header, seconds):
    """Retry-After is obeyed as seconds and as a date, up to two minutes; one in the past means at once."""
    before_the_first_look = 3.0 if phase == "file" else 0.0
    dates = {"date": 30.2, "far date": 9999, "past date": -50}
    if header in dates:
        header = formatdate(clock.time() + before_the_first_look + dates[header], usegmt=True)
    # Of these, only a 429 proves that no export was started.
    api.next(phase, (429 if phase == "create" else 503, {"Retry-After": header}, "sorry"))

    ask(connect(), phase)

    assert clock.sleeps[-1] == pytest.approx(seconds, abs=1)
    assert sum(clock.sleeps) == pytest.approx(before_the_first_look + seconds, abs=1)


@pytest.mark.parametrize("header", ["soon", "-5", "1.5.2", "", "99 Feb 2019", "\N{ARABIC-INDIC DIGIT SEVEN}"])
def test_an_unreadable_retry_after(api, connect, clock, header):
    """A Retry-After that cannot be read is as good as none."""
    api.next("teams", (503, {"Retry-After": header.encode().decode("latin-1")}, "sorry"))

    connect().teams()

    (pause,) = clock.sleeps
    assert 0 <= pause <= 0.5


@pytest.mark.parametrize("phase", ["create", "status", "teams"])
@pytest.mark.parametrize("header", [{}, {"Retry-After": "45"}], ids=["backoff", "Retry-After"])
def test_the_deadline_of_one_call(api, connect, ask, clock, *, phase, header):
    """One call with all its repetitions ends within a second of request_deadline, with an error that says why."""
    code, error = (429, RateLimitError) if phase == "create" else (503, JobTimeoutError)
    api.next(phase, *[(code, header, "sorry")] * 1000)
    client = connect(retries=10_000, request_deadline=100, requests_per_minute=10_000)
    began = clock.time()

    with pytest.raises(error, match=f"HTTP {code}"):
        ask(client, phase)

    assert 99 <= clock.time() - began <= 101


def test_a_last_attempt_before_the_deadline(api, connect, clock):
    """The last attempt is made within a second before request_deadline, so that no success is missed."""
    times = []
    client = connect(retries=10_000, request_deadline=100, requests_per_minute=10_000)
    api.right = lambda phase: times.append(clock.time()) or (503, {}, "sorry")
    began = clock.time()

    with pytest.raises(JobTimeoutError):
        client.teams()

    assert 99 <= times[-1] - began < 100


@pytest.mark.parametrize(("fault", "started"), [(SILENCE, True), (BROKE, True), (REFUSED, False)])
def test_a_creation_cut_off_by_its_deadline(api, connect, clock, fault, started):
    """When the time is over during a creation, the error still tells whether the export may have started."""

    def late(phase):
        clock.sleep(1000)
        return fault

    client, api.right = connect(request_deadline=10), late

    with pytest.raises(KhorosError) as caught:
        client.conversation("2019-02-01", "2019-02-02")

    assert caught.value.may_have_started is started
    assert isinstance(caught.value, JobTimeoutError)
    assert api.count("create") == 1


def test_repetitions_are_logged(api, connect, caplog):
    """Each repetition is one line in the log, with its reason and the wait."""
    api.next("teams", (503, {"Retry-After": "7"}, "sorry"))

    with caplog.at_level("INFO", logger="khoros_analytics"):
        connect().teams()

    (line,) = [record.getMessage() for record in caplog.records if record.name == "khoros_analytics"]
    assert "HTTP 503" in line
    assert "trying again in 7.0 s" in line
