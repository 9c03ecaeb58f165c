"""Where credentials come from, in which order, and that none of them is ever written down."""

import base64
import os
import pickle
import sys
from types import ModuleType, SimpleNamespace
from urllib.parse import quote

import pytest

from khoros_analytics import Client, ConfigurationError, KhorosError
from khoros_analytics.sandbox import Clock, faults

NAMES = ("username", "password", "company_key")
GIVEN = {"username": "argument-user", "password": "argument-CANARY", "company_key": "argument-CANARY-key"}
IN_ENVIRONMENT = {"username": "variable-user", "password": "variable-CANARY", "company_key": "variable-CANARY-key"}
IN_KEYRING = {"username": "keyring-user", "password": "keyring-CANARY", "company_key": "keyring-CANARY-key"}


class FakeKeyring(ModuleType):
    """What the package keyring offers, as far as it is needed."""

    def __init__(self, known):
        super().__init__("keyring")
        self.known = known
        self.asked = []
        self.errors = SimpleNamespace(KeyringError=type("KeyringError", (Exception,), {}))

    def get_password(self, service, name):
        self.asked.append((service, name))
        if isinstance(self.known, Exception):
            raise self.known
        return self.known.get(name) if service == "khoros" else None


@pytest.fixture
def keyring(monkeypatch):
    """A keyring that knows everything."""
    fake = FakeKeyring(dict(IN_KEYRING))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", fake.errors)
    return fake


@pytest.fixture
def environment(monkeypatch):
    """Variables that say everything."""
    for name, value in IN_ENVIRONMENT.items():
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", value)


def used(client):
    """Return what a client has found."""
    pair = base64.b64decode(client._transport._authorization.reveal().removeprefix("Basic ")).decode()
    user, _, password = pair.partition(":")
    return {"username": user, "password": password, "company_key": client._transport._company_key.reveal()}


# --- sources ------------------------------------------------------------------------------------------------------


def test_callables(run):
    """Each credential may be a function without arguments, which is called once, when the client is made."""
    world = run()
    calls = []

    def giving(name):
        def give():
            calls.append(name)
            return world.sandbox.settings[name]

        return give

    client = world.connect(**{name: giving(name) for name in NAMES})
    assert sorted(calls) == sorted(NAMES)

    assert client.teams()
    world.start(client=client).wait()
    assert sorted(calls) == sorted(NAMES)


@pytest.mark.parametrize("value", [None, 7, b"bytes", ["a"]], ids=repr)
@pytest.mark.parametrize("name", NAMES)
def test_callables_that_return_no_text(environment, name, value):
    """A function that returns no text is a ConfigurationError that names the argument; nothing else takes its place."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        Client(**{**GIVEN, name: lambda: value})

    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_callable_that_returns_nothing(environment, keyring, name):
    """A function that returns an empty text leaves that credential missing: what was given is not second-guessed."""
    with pytest.raises(ConfigurationError, match=f"missing: {name}"):
        Client(**{**GIVEN, name: str}, keyring="khoros")


def test_a_callable_that_fails():
    """What a function raises comes out as it is."""
    with pytest.raises(ZeroDivisionError):
        Client(**{**GIVEN, "password": lambda: 1 / 0})


@pytest.mark.parametrize("name", NAMES)
def test_the_order(environment, keyring, monkeypatch, name):
    """An argument beats the environment, the environment beats the keyring: for each credential on its own."""
    assert used(Client(**{name: GIVEN[name]}, keyring="khoros")) == {**IN_ENVIRONMENT, name: GIVEN[name]}
    assert keyring.asked == []

    monkeypatch.delenv(f"KHOROS_ANALYTICS_{name.upper()}")
    assert used(Client(keyring="khoros")) == {**IN_ENVIRONMENT, name: IN_KEYRING[name]}
    assert keyring.asked == [("khoros", name)]
    monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", "")
    assert used(Client(keyring="khoros"))[name] == IN_KEYRING[name]


def test_the_keyring_alone(keyring):
    """A keyring alone is enough, under the names of the arguments; without being named it is never asked."""
    assert used(Client(keyring="khoros")) == IN_KEYRING
    assert sorted(keyring.asked) == sorted(("khoros", name) for name in NAMES)

    keyring.asked.clear()
    with pytest.raises(ConfigurationError, match="missing"):
        Client()
    assert keyring.asked == []


def test_a_keyring_that_does_not_know(keyring):
    """What the keyring does not know either is missing, by name."""
    del keyring.known["password"]

    with pytest.raises(ConfigurationError, match=r"missing: password \(or the variable KHOROS_ANALYTICS_PASSWORD\)"):
        Client(keyring="khoros")
    with pytest.raises(ConfigurationError, match="missing: username"):
        Client(keyring="another")


def test_a_keyring_that_is_locked(keyring):
    """A keyring that cannot be read is a ConfigurationError without the words of the keyring, which may be secret."""
    keyring.known = keyring.errors.KeyringError("CANARY")

    with pytest.raises(ConfigurationError, match="keyring 'khoros' cannot be read") as caught:
        Client(keyring="khoros")

    assert "CANARY" not in f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__context__ is None


def test_without_the_extra(monkeypatch):
    """A keyring without the package for it is an ImportError that names the extra."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(ImportError, match=r"khoros_analytics\[keyring\]") as caught:
        Client(keyring="khoros")

    assert caught.value.name == "keyring"
    assert Client(**GIVEN, keyring="khoros")  # nobody has to ask it


# --- nothing is written down --------------------------------------------------------------------------------------


def spellings(secret):
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


CANARIES = {"username": "analyst", "password": "CANARY pass/word+ü", "company_key": "CANARY key/+="}


@pytest.fixture(params=["argument", "callable", "environment", "keyring"])
def settings(request, monkeypatch, keyring):
    """The settings of a client that gets its credentials from one of the sources."""
    if request.param == "argument":
        return dict(CANARIES)
    if request.param == "callable":
        return {name: (lambda value=value: value) for name, value in CANARIES.items()}
    if request.param == "environment":
        for name, value in CANARIES.items():
            monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", value)
        return dict.fromkeys(NAMES)
    keyring.known = CANARIES
    return {**dict.fromkeys(NAMES), "keyring": "khoros"}


def test_nothing_is_written_down(run, folder, journal, caplog, settings):
    """Wherever the credentials came from, none stands in a repr, an error, the history, the log, the journal, a token
    or a part beside the file.
    """
    caplog.set_level("DEBUG")
    world = run({**CANARIES, "size": 3_000_000}, retries=1)
    client = world.connect(**settings, journal=journal)

    job = world.start(client=client).wait()
    world.sandbox.fail("file", faults.Cut(0.6))
    world.sandbox.fail("file", faults.HttpStatus(503), times=None)
    with pytest.raises(KhorosError) as caught:
        job.download(folder, timeout=30)

    texts = [f"{client!r} {job!r} {client.jobs()!r} {client.jobs()._repr_html_()} {job.token} {job.history!r}"]
    texts += [f"{caught.value} {caught.value!r} {vars(caught.value)!r} {pickle.dumps(caught.value)!r}", caplog.text]
    texts += [pickle.dumps((job.history, job.status, job.token, tuple(client.jobs()))).decode("latin-1")]
    texts += [path.read_bytes().decode("latin-1") for path in (*folder.iterdir(), journal)]
    texts += [base64.urlsafe_b64decode(job.token.split(".")[1] + "==").decode("latin-1")]
    assert len(list(folder.iterdir())) == 2
    found = [
        secret
        for name in ("password", "company_key")
        for secret in spellings(CANARIES[name])
        for text in texts
        if secret in text
    ]
    assert found == []
    assert not any("CANARY" in text for text in texts)


# --- pickles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["text", "callable"])
def test_clients_that_are_not_pickled(environment, name, form):
    """A client that was given any credential as an argument, as a text or a function, refuses to be pickled."""
    value = GIVEN[name] if form == "text" else (lambda: GIVEN[name])

    with pytest.raises(TypeError, match="KHOROS_ANALYTICS_USERNAME"):
        pickle.dumps(Client(**{name: value}))


@pytest.mark.parametrize("spelling", ["absolute", "relative", "tilde", "path"])
def test_a_client_of_the_environment(environment, monkeypatch, tmp_path, spelling):
    """A client of the environment is pickled without credentials, and comes back with the same journal, in whatever
    folder the other process runs.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = {
        "absolute": str(tmp_path / "a.sqlite"),
        "relative": "b.sqlite",
        "tilde": "~/c.sqlite",
        "path": tmp_path / "d.sqlite",
    }
    client = Client(journal=paths[spelling], region="emea", max_bytes=7)
    journal = client._account.journal.path

    pickled = pickle.dumps(client)
    monkeypatch.chdir(tmp_path / "there")
    monkeypatch.setenv("KHOROS_ANALYTICS_PASSWORD", "another")
    again = pickle.loads(pickled)

    assert b"CANARY" not in pickled
    assert again._account.journal.path == journal
    assert list((tmp_path / "there").iterdir()) == []
    assert again._account.max_bytes == 7
    assert used(again) == {**IN_ENVIRONMENT, "password": "another"}
    assert repr(again) == repr(client)


def test_a_pickle_where_nothing_is_set(environment, monkeypatch):
    """Where the other process has no credentials in its environment, the pickle says what is missing."""
    pickled = pickle.dumps(Client())
    monkeypatch.delenv("KHOROS_ANALYTICS_PASSWORD")

    with pytest.raises(ConfigurationError, match="missing: password"):
        pickle.loads(pickled)


def test_a_pickled_client_in_another_process(run, folder, journal, launch, monkeypatch):
    """A pickled client works in another process, and finds in the same journal what this one has started."""
    world = run({"clock": Clock()})
    for name in NAMES:
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", world.sandbox.settings[name])
    client = world.connect(username=None, password=None, company_key=None, journal=journal, clock=None)
    job = world.start(client=client)

    text = """
import base64, pickle
client = pickle.loads(base64.b64decode(ARGUMENTS["pickle"]))
job = client.conversation(*WINDOW)
say(token=job.token, reattached=job.reattached, path=str(job.download(ARGUMENTS["folder"])))
"""
    facts = launch(
        world, text, pickle=base64.b64encode(pickle.dumps(client)).decode(), folder=os.fspath(folder)
    ).facts()

    assert (facts["token"], facts["reattached"]) == (job.token, True)
    assert next(folder.iterdir()).read_bytes() == world.content()
