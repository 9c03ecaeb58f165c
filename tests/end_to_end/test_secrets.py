"""Secrets are absent everywhere: from every repr, str, log line, traceback and pickle, whatever goes wrong."""

import base64
import contextlib
import inspect
import logging
import pickle
import traceback
from itertools import product
from pathlib import Path
from urllib.parse import quote, quote_plus

import attrs
import pytest
import requests

import khoros_analytics
from khoros_analytics import Client, KhorosError, open_dataset
from khoros_analytics.sandbox import faults

WINDOW = ("2019-02-01", "2019-02-02")
PACKAGE = str(Path(khoros_analytics.__file__).parent)
USERNAME = "analyst"
PASSWORD = "CANARY/pä ß+wörd=%😀&?#\"'\\"
COMPANY_KEY = "CANARY KEY+/=&?ü"


def spellings(secret):
    """Yield a secret in each form in which it may travel or be shown."""
    raw = secret.encode()
    yield secret
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield encoded.decode()
        yield encoded.decode().rstrip("=")
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield encoded
        yield encoded.lower()


def secrets_of(world):
    """Return every secret of a sandbox, those included that came up by the way: access tokens and signatures."""
    whole = [PASSWORD, COMPANY_KEY, f"{USERNAME}:{PASSWORD}", *(export.token for export in world.sandbox.exports)]
    for record in world.sandbox.requests:
        whole += [value for name, value in record.query if name in ("Signature", "analyticsAccessToken", "companyKey")]
    return {"CANARY", *(spelling for secret in whole for spelling in spellings(secret))}


def leaks(world, *texts):
    """Return what of the secrets stands in some texts, each with its surroundings."""
    found = []
    for text, secret in product(texts, secrets_of(world)):
        at = text.find(secret)
        if at >= 0:
            found.append(f"{secret!r} in ...{text[max(0, at - 80) : at + 80]!r}")
    return found


def behind(error):
    """Yield an error and all that stand behind it, shown or not."""
    pending, seen = [error], []
    while pending:
        one = pending.pop()
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            pending += [one.__cause__, one.__context__]


def told_by(error):
    """Yield all that an error tells: texts, tracebacks, its pickle, and the locals of this library's frames."""
    yield "".join(traceback.format_exception(error))
    for one in behind(error):
        yield f"{one!s} {one!r} {one.args!r} {vars(one)!r}"
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                yield f"{frame.f_code.co_name}: {frame.f_locals!r}"
    yield repr(pickle.dumps(error))


def told_by_job(job):
    """Yield all that a job tells about itself."""
    yield f"{job!r} {job} {job.token} {job.history!r} {[*map(str, job.history)]} {job.arguments!r} {job.window!r}"
    yield f"{job.status!r} {job.status} {job.expires_at!r} {job.workflow_id} {job.run_id}"
    padded = job.token.split(".")[1]
    yield base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4)).decode()
    yield repr(pickle.dumps((job.history, job.window, job.arguments, job.token)))


@pytest.fixture
def world(run, caplog):
    """A sandbox with canaries for secrets, and every log turned up."""
    for name in ("", "khoros_analytics", "urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    options = {"username": USERNAME, "password": PASSWORD, "company_key": COMPANY_KEY, "size": 100_000}
    return run(options, retries=1)


ANYWHERE = [
    *(faults.HttpStatus(code, body="html") for code in (400, 401, 403, 404, 410, 429, 500, 503)),
    faults.HttpStatus(400, body="envelope"),
    faults.HtmlPage(),
    faults.EmptyAnswer(),
    faults.Reset(),
    faults.Reset(after=True),
    faults.Cut(0.5),
    faults.Truncated(0.9),
    faults.Redirect("ftp://elsewhere.example/?Signature=CANARY"),
    faults.Redirect("https://CANARY:CANARY@elsewhere.example/"),
    faults.Redirect("http://127.0.0.1:1/x?Signature=CANARY"),
    faults.RawAnswer(content=b'{"status": "FAIL", "result": "companyKey=CANARY is not known"}'),
    faults.RawAnswer(content=b'{"status": "PASS", "result": {"statusUrl": "https://x/?token=CANARY"}}'),
    faults.RawAnswer(500, b"password: CANARY at https://x.example/y?any=CANARY"),
]
ONLY = {
    "create": [faults.JobFails("see https://x.example/?companyKey=CANARY")],
    "status": [
        faults.JobFails("no token=CANARY"),
        faults.JobState("CLOSED", "", "https://x.example/?a=CANARY"),
        faults.JobState("token=CANARY", "password: CANARY"),
    ],
    "download": [faults.Expired()],
    "file": [faults.Expired(), faults.RawAnswer(content=b"<html>https://x.example/?Signature=CANARY</html>")],
    "teams": [],
}
# A file is whatever the host sends, so what only the envelope could tell is not an error there; and where the body of
# a redirect ends does not matter to anybody.
HARMLESS = {
    "download": faults.EmptyAnswer | faults.RawAnswer | faults.Truncated | faults.Cut,
    "file": faults.EmptyAnswer | faults.RawAnswer | faults.Truncated,
}
PROVOKED = [
    (phase, fault)
    for phase, own in ONLY.items()
    for fault in (*(one for one in ANYWHERE if not isinstance(one, HARMLESS.get(phase, ()))), *own)
]


def act(world, phase, folder):
    if phase == "teams":
        return world.client.teams()
    return world.start().download(folder, timeout=700)


@pytest.mark.parametrize(("phase", "fault"), PROVOKED, ids=[f"{phase}-{fault}" for phase, fault in PROVOKED])
def test_no_error_tells_a_secret(world, folder, caplog, phase, fault):
    """Whatever goes wrong in whatever call: its error, what stands behind it, its job and the logs tell no secret."""
    world.sandbox.fail(phase, fault, times=None)

    with pytest.raises(KhorosError) as caught:
        act(world, phase, folder)

    error = caught.value
    about = [*told_by(error), *(told_by_job(error.job) if error.job else [])]
    assert leaks(world, caplog.text, *about) == []
    # What could be gone on with may stay, hidden; the target is never touched.
    assert all(path.suffix in (".part", ".note") for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "phase", "fault"),
    [
        ("AuthenticationError", "create", faults.HttpStatus(401, body="html")),
        ("DownloadExpiredError", "download", faults.HttpStatus(404, body="html")),
        ("IncompleteDownloadError", "download", faults.Expired()),
        ("JobFailedError", "create", ONLY["create"][0]),
        ("JobTimeoutError", "status", faults.HttpStatus(429, body="html")),
        ("RateLimitError", "create", faults.HttpStatus(429, body="html")),
        ("RequestRejectedError", "create", faults.HttpStatus(400, body="html")),
        ("ServerError", "create", faults.HttpStatus(500, body="html")),
        ("TransportError", "create", faults.Reset()),
        ("UnexpectedReplyError", "create", faults.HtmlPage()),
        ("UntrustedUrlError", "status", faults.Redirect("ftp://elsewhere.example/?Signature=CANARY")),
    ],
)
def test_every_error_was_provoked(run, folder, name, phase, fault):
    """The table above ends in every error of the tree that a server can cause."""
    world = run({"size": 1000}, retries=0)
    world.sandbox.fail(phase, fault, times=None)

    with pytest.raises(KhorosError) as caught:
        act(world, phase, folder)

    assert type(caught.value).__name__ == name
    assert (phase, fault) in PROVOKED


def test_nothing_tells_a_secret_when_all_is_well(world, folder, caplog):
    """A whole export, its job at every moment, the look-ups and all logs tell no secret either."""
    told = []
    job = world.start(name="conversation_history_action", metrics=["STATUS"])
    told += told_by_job(job)
    job.wait(on_update=lambda one: told.extend(told_by_job(one)))
    job.download(folder)
    told += told_by_job(job)
    again = world.connect().job(job.token).refresh()
    told += told_by_job(again)
    told += [repr(world.client), str(world.client), repr(world.client.teams()), repr(world.client.timezones())]

    assert caplog.text
    assert "/api/public/teams" in caplog.text  # so urllib3's lines are there
    assert leaks(world, caplog.text, *told) == []


@pytest.mark.parametrize("name", ["other", "..", "no\nhow", "x" * 300])
def test_errors_of_the_disk(world, folder, name):
    """Errors about the target tell no secret."""
    job = world.ready()
    with pytest.raises(KhorosError) as caught:
        job.download(folder / "no" / name / "file.csv")

    assert leaks(world, *told_by(caught.value)) == []


def test_ctrl_c(world, folder, monkeypatch):
    """What Ctrl-C says, and what stands behind it, tells no secret."""
    job = world.start()

    def pressed(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(world.clock, "sleep", pressed)
    with pytest.raises(KeyboardInterrupt) as caught:
        job.download(folder)

    assert job.token in str(caught.value)
    assert leaks(world, *(f"{one!s} {one!r} {one.args!r}" for one in behind(caught.value))) == []


def public_objects(world, folder):
    """Return one of each public class that can be had from a client, with all that hangs on it."""
    keeper = world.connect(journal=folder.parent / "exports.sqlite")
    keeper.author("2019-02-01", "2019-02-02")
    job = world.ready()
    job.download(folder)
    with pytest.raises(KhorosError) as caught:
        world.connect(password="wrong").teams()
    return [
        world.client,
        job,
        job.status,
        job.status.verdict,
        job.window,
        *job.history,
        keeper.jobs(),
        *keeper.jobs(),
        teams := world.client.teams(),
        *teams,
        zones := world.client.timezones(),
        *zones,
        columns := world.client.columns("author", examples=True),
        *columns,
        caught.value,
        *backfilled(world, folder.parent / "dataset"),
    ]


def backfilled(world, place):
    """Return what a backfill gives, with all that hangs on it."""
    seen, arguments = [], {"every": "1 day", "to": place, "attempts": 1}
    world.sandbox.fail("create", faults.JobFails())
    result = world.client.backfill("conversation", "2019-02-01", "2019-02-03", on_update=seen.append, **arguments)
    plan = world.client.plan("conversation", "2019-02-01", "2019-02-03", every="1 day", to=place)
    dataset = open_dataset(place)
    window = plan.windows[0]
    return [result, *result.failed, plan, window, window.state, dataset, *dataset.windows(), seen[-1]]


def test_reprs_of_everything_public(world, folder):
    """No public object shows a secret in repr or str, nor does anything that hangs on it, however deep."""
    pending, seen, told = public_objects(world, folder), set(), []
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, type | str | bytes):
            continue
        seen.add(id(one))
        if not type(one).__module__.startswith("khoros_analytics") or "sandbox" in type(one).__module__:
            continue
        told.append(f"{type(one).__name__}: {one!r} {one}")
        names = [*vars(one)] if hasattr(one, "__dict__") else []
        names += [field.name for field in attrs.fields(type(one))] if attrs.has(type(one)) else []
        pending += [getattr(one, name) for name in names]

    classes = {text.partition(":")[0] for text in told}
    assert classes >= {"Client", "Job", "Status", "Window", "Attempt", "Team", "TimeZone", "Transport"}
    assert leaks(world, *told) == []


def test_all_public_classes_are_known(world, folder):
    """Every public class is either looked at above, an error, or holds nothing at all."""
    seen = {type(one) for one in public_objects(world, folder)}
    public = {value for name in khoros_analytics.__all__ if inspect.isclass(value := getattr(khoros_analytics, name))}
    errors = {kind for kind in public if issubclass(kind, KhorosError)}

    assert {kind.__name__ for kind in public - seen - errors} == {"Clock"}


def test_pickles_of_everything_public(world, folder):
    """What can be pickled holds no secret; a client with credentials cannot be."""
    pickled = []
    for one in public_objects(world, folder):
        with contextlib.suppress(TypeError):
            pickled.append(repr(pickle.dumps(one)))

    assert len(pickled) > 10
    assert leaks(world, *pickled) == []
    with pytest.raises(TypeError, match="credentials"):
        pickle.dumps(world.client)


@pytest.mark.parametrize("missing", ["session", "clock"])
def test_a_client_from_the_environment_in_a_pickle(world, monkeypatch, missing):
    """A client that has its credentials from the environment goes through a pickle without them."""
    for name, value in (("USERNAME", USERNAME), ("PASSWORD", PASSWORD), ("COMPANY_KEY", COMPANY_KEY)):
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name}", value)
    with Client(base_url=world.sandbox.base_url, retries=3) as client:
        pickled = pickle.dumps(client)
        with pickle.loads(pickled) as again:
            assert again.teams() == client.teams()
    own = {"session": requests.Session(), "clock": world.clock}
    with Client(base_url=world.sandbox.base_url, **{missing: own[missing]}) as client, pytest.raises(TypeError):
        pickle.dumps(client)

    assert leaks(world, repr(pickled)) == []


SETTINGS = [
    {"username": f"a:{PASSWORD}"},
    {"base_url": f"https://a:{quote(PASSWORD, safe='')}@api.example"},
    {"base_url": f"https://api.example/?companyKey={quote(COMPANY_KEY, safe='')}"},
    {"base_url": "http://api.example"},
    {"timezone": "Mars/Olympus"},
    {"retries": -1},
    {"timeout": None},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=[str(number) for number in range(len(SETTINGS))])
def test_constructors_keep_secrets(world, settings):
    """The error of a client that cannot be made shows nothing of the credentials it was given."""
    with pytest.raises(KhorosError) as caught:
        Client(**{**world.sandbox.settings, **settings})

    error = caught.value
    told = ["".join(traceback.format_exception(error)), f"{error!s} {error!r} {vars(error)!r}"]
    if "username" not in settings:
        # What was given is in the arguments of the frames: of the text, only what the error itself says counts.
        told = [f"{one!s} {one!r} {one.args!r} {vars(one)!r}" for one in behind(error)]
    assert leaks(world, *told) == []
