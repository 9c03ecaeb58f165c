"""A job as one line of text: what comes back from it, and what does not."""

import base64
import json
import string
import zlib
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import ParameterError
from khoros_analytics._http.credentials import account_id
from khoros_analytics._journal.token import JobIdentity, read_token, write_token
from khoros_analytics._protocol.arguments import ExportRequest, encode
from khoros_analytics._protocol.messages import Created
from khoros_analytics.reports import REPORTS
from khoros_analytics.times import Window

KEY = "a company key"
ORIGIN = "https://analytics-api.app.lithium.com"
MARK = account_id(ORIGIN, KEY)
STATUS_URL = f"{ORIGIN}/api/public/reports/report/w/r/status?companyKey=a%20company%20key"


def identity(**arguments):
    request = encode(REPORTS["conversation"], "2019-03-01", "2019-03-02", arguments)
    return JobIdentity(request, Created("cc645bd3", "23IS1+Anp9/l2C=", STATUS_URL), 1551441600.25)


TOKEN = write_token(identity(metrics=["STATUS", "ü"], timezone="Europe/Berlin"), MARK)


def unpacked(token):
    body = token.removeprefix("khoros2.").partition(".")[0]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def packed(parts):
    """What this version would write for any parts: a token with the right checksum."""
    text = parts if isinstance(parts, bytes) else json.dumps(parts).encode()
    body = base64.urlsafe_b64encode(text).decode().rstrip("=")
    return f"khoros2.{body}.{zlib.crc32(text):08x}"


windows = st.tuples(st.integers(0, 2 * 10**12), st.integers(1, 10**10)).map(lambda pair: (pair[0], sum(pair)))


def asked(report):
    """The fewest arguments that a report takes, in the form that a token keeps."""
    return {"format": "csv", **dict.fromkeys(REPORTS[report].required, timedelta(days=1))}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
identities = st.builds(
    lambda report, window, zone, extra, ids, started: JobIdentity(
        ExportRequest(REPORTS[report], Window(*window, zone), {**asked(report), **({"extra": extra} if extra else {})}),
        Created(*ids),
        started,
    ),
    st.sampled_from(sorted(REPORTS)),
    windows,
    st.timezone_keys(),
    st.dictionaries(texts.map("x{}".format), texts | st.lists(texts, min_size=2, max_size=3), max_size=5),
    st.tuples(st.text(min_size=1), st.text(min_size=1)),
    st.floats(0, 4e9) | st.sampled_from([1764.3794997, 1551441600.3794997, 1551441600.0005]),
)


@given(identities)
def test_round_trip(job):
    """Whatever a job is, its token gives it back; it is one line of characters that need no quoting anywhere."""
    token = write_token(job, MARK)
    assert read_token(token, MARK) == job
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


def test_white_space_around():
    """A token may be pasted with white space around it."""
    assert read_token(f"\n  {TOKEN}\t\n", MARK) == read_token(TOKEN, MARK)


def test_no_secrets():
    """A token holds neither the key nor the status URL, which carries it."""
    text = unpacked(TOKEN).decode() + TOKEN
    assert KEY not in text
    assert "companyKey" not in text
    assert "http" not in text
    assert read_token(TOKEN, MARK).created.status_url == ""


def test_account_mark():
    """The mark of an account differs by server and company, and says nothing of the key."""
    marks = {account_id(origin, key) for origin in (ORIGIN, "https://other.example") for key in (KEY, "b", "\ud800")}
    assert len(marks) == 6
    assert all(len(mark) == 8 and set(mark) <= set(string.hexdigits) for mark in marks)
    assert account_id(ORIGIN, KEY) == MARK


@given(st.integers(0, len(TOKEN) - 1))
def test_cut(length):
    """A token that was cut anywhere is refused."""
    with pytest.raises(ParameterError):
        read_token(TOKEN[:length], MARK)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_changed(place, character):
    """A token in which one character was changed is refused, or is still the same job: never another one."""
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    with suppress(ParameterError):
        assert read_token(changed, MARK) == read_token(TOKEN, MARK)


def test_damaged():
    """The message for a damaged token says what may have happened."""
    with pytest.raises(ParameterError, match="this job token is damaged; was it copied whole"):
        read_token(TOKEN[:-3] + "zzz", MARK)


@pytest.mark.parametrize("prefix", ["khoros1.", "khoros10.", "khorosX"])
def test_another_version(prefix):
    """A token of another version is refused, and the message names both versions."""
    with pytest.raises(ParameterError, match=r"reads 'khoros2[.]'; use the version that wrote it") as caught:
        read_token(prefix + TOKEN.removeprefix("khoros2."), MARK)
    assert prefix.partition(".")[0][:16] in str(caught.value)


@pytest.mark.parametrize(("origin", "key"), [(ORIGIN, "another key"), ("https://other.example", KEY)])
def test_another_account(origin, key):
    """A token of another company or server is refused, without a word about either."""
    with pytest.raises(ParameterError, match="belongs to another company or another server") as caught:
        read_token(TOKEN, account_id(origin, key))
    assert key not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a token", "https://x.example", None, 5, b"khoros2.", ["khoros2."]])
def test_no_token(text):
    """What is not a token at all is refused with a hint at where to get one."""
    with pytest.raises(ParameterError, match=r"this is not a job token; give the text that job\.token returned"):
        read_token(text, MARK)


def test_unknown_report():
    """A token for a report that this version does not know is refused by name."""
    parts = json.loads(unpacked(TOKEN))
    parts[1] = "raw_survey"
    with pytest.raises(ParameterError, match="there is no report 'raw_survey'"):
        read_token(packed(parts), MARK)


def test_unknown_zone():
    """A token whose time zone this machine does not know is refused, instead of breaking every repr of the job."""
    parts = json.loads(unpacked(TOKEN))
    parts[5][2] = "Mars/Olympus"
    with pytest.raises(ParameterError, match="Mars/Olympus"):
        read_token(packed(parts), MARK)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)
shaped = st.tuples(st.just(MARK), st.sampled_from(["conversation", "x"]) | junk, junk, junk, junk, junk, junk).map(list)


@given(junk | shaped | st.binary().map(lambda raw: raw))
@example([MARK, "conversation", "w", "r", 0, [float("inf"), 1, "UTC"], []])
@example([MARK, "conversation", "w", "r", 0, [0, float("nan"), "UTC"], []])
@example([MARK, "conversation", "w", "r", float("nan"), [0, 1, "UTC"], []])
@example([MARK, "conversation", "w", "r", 0, [0, 10**30, "UTC"], []])
@example([MARK, "conversation", "w", "r", 0, [5, 1, "UTC"], []])
@example([MARK, "conversation", "w", "r", 0, {}, []])
@example([MARK, [], "w", "r", 0, [0, 1, "UTC"], []])
@example([MARK, {}, "w", "r", 0, [0, 1, "UTC"], {}])
@example([MARK, None, "w", "r", None, [0, 1, None], None])
@example(b"[" * 100_000)
def test_forged(parts):
    """Whatever is packed into a token's form, it is a job that can be shown, or a ParameterError."""
    try:
        job = read_token(packed(parts), MARK)
    except ParameterError:
        return
    assert str(job.request.window)
    assert job.request.arguments is not None
    assert job.started == job.started


def test_repr():
    """What a token holds shows no link in its repr."""
    assert "companyKey" not in repr(identity())
