"""Profiles: what an account needs, in a file of the user's; who beats whom; and what is refused."""

import base64
import os
import pickle
import sys
import traceback
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from khoros_analytics import Client, ConfigurationError
from khoros_analytics._client.profiles import config_path, profile_names, save_profile
from khoros_analytics._secrecy import Hidden

FILE = """
[default]
username = "default-user"
password = "default-CANARY"
company_key = "default-CANARY-key"

[emea]
username = "emea-user"
password = "emea-CANARY"
company_key = "emea-CANARY-key"
region = "emea"
timezone = "Europe/Berlin"
journal = "exports.sqlite"

[plain]
base_url = "https://api.example"
keyring = "khoros"
"""
GIVEN = {"username": "argument-user", "password": "argument-CANARY", "company_key": "argument-CANARY-key"}
NAMES = tuple(GIVEN)


@pytest.fixture
def config():
    """Write the file of the profiles, for its owner alone."""
    path = Path.home() / ".config/khoros_analytics/config.toml"

    def write(text=FILE, mode=0o600):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def keyring(monkeypatch):
    """A keyring that knows everything under one service."""
    fake = ModuleType("keyring")
    fake.get_password = lambda service, name: f"keyring-{name}" if service == "khoros" else None
    monkeypatch.setitem(sys.modules, "keyring", fake)


def used(client):
    pair = base64.b64decode(client._transport._authorization.reveal().removeprefix("Basic ")).decode()
    user, _, password = pair.partition(":")
    return {"username": user, "password": password, "company_key": client._transport._company_key.reveal()}


# --- which profile ------------------------------------------------------------------------------------------------


def test_a_named_profile(config):
    """A profile by its name gives what an account needs; its journal lies beside the file unless its path is whole."""
    path = config()
    client = Client(profile="emea")
    assert used(client) == {"username": "emea-user", "password": "emea-CANARY", "company_key": "emea-CANARY-key"}
    assert client._settings.base.origin == "https://analytics-api-emea.app.lithium.com"
    assert client._settings.timezone.key == "Europe/Berlin"
    assert client._settings.journal == str(path.parent / "exports.sqlite")


def test_who_names_it(config, monkeypatch):
    """An argument beats the variable, and without both it is the default profile."""
    config()
    assert used(Client())["username"] == "default-user"
    monkeypatch.setenv("KHOROS_ANALYTICS_PROFILE", "")
    assert used(Client())["username"] == "default-user"
    monkeypatch.setenv("KHOROS_ANALYTICS_PROFILE", "emea")
    assert used(Client())["username"] == "emea-user"
    assert used(Client(profile="default"))["username"] == "default-user"


@pytest.mark.parametrize("given", [{"username": "u"}, {"password": "p"}, {"base_url": "https://api.example"}], ids=str)
def test_an_account_of_its_own(config, given):
    """A program that names an account of its own gets nothing of the default profile."""
    config()
    with pytest.raises(ConfigurationError, match="missing"):
        Client(**given)


@pytest.mark.parametrize("name", NAMES)
def test_the_order(config, keyring, monkeypatch, name):
    """An argument beats the environment, that the profile, and that the keyring: for each credential on its own."""
    config()
    monkeypatch.setenv(f"KHOROS_ANALYTICS_{name.upper()}", "of-the-environment")
    assert used(Client(profile="emea", **{name: "given"}))[name] == "given"
    assert used(Client(profile="emea", keyring="khoros"))[name] == "of-the-environment"
    monkeypatch.delenv(f"KHOROS_ANALYTICS_{name.upper()}")
    assert "emea" in used(Client(profile="emea", keyring="khoros"))[name]
    assert used(Client(profile="plain"))[name] == f"keyring-{name}"


def test_the_order_of_addresses(config, keyring, monkeypatch):
    """For the address, too: and a region that beats a place beats the URL of that place."""
    config()

    def host(**settings):
        return str(Client(profile="plain", **settings)._settings.base)

    assert host() == "https://api.example"
    monkeypatch.setenv("KHOROS_ANALYTICS_REGION", "us")
    assert host() == "https://analytics-api.app.lithium.com"
    monkeypatch.setenv("KHOROS_ANALYTICS_URL", "https://variable.example")
    assert host() == "https://variable.example"
    assert host(region="emea") == "https://analytics-api-emea.app.lithium.com"
    assert host(region="emea", base_url="https://argument.example") == "https://argument.example"


def test_where_it_stands(config, monkeypatch, tmp_path):
    """It stands in XDG's folder; a variable that is no whole path is none."""
    path = config()
    assert config_path() == path
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config_path() == path
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "khoros_analytics/config.toml"
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert config_path() == tmp_path / "khoros_analytics/config.toml"
    monkeypatch.setitem(
        sys.modules, "platformdirs", SimpleNamespace(user_config_path=lambda *_, **__: tmp_path / "own")
    )
    assert config_path() == tmp_path / "own/config.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_path() == path  # what people made by hand is found on every system


def test_pickles(config):
    """A client of a profile is pickled by the profile's name, and finds its credentials there again."""
    config()
    pickled = pickle.dumps(Client(profile="emea"))
    assert b"CANARY" not in pickled
    assert used(pickle.loads(pickled))["password"] == "emea-CANARY"


# --- what is refused ----------------------------------------------------------------------------------------------


def refused(**settings):
    with pytest.raises(ConfigurationError) as caught:
        Client(**{"profile": "emea", **settings})
    assert "CANARY" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_password_that_others_can_read(config, mode):
    """A file that others can read is refused if a password stands in it, of whatever profile."""
    config(mode=mode)
    assert "chmod 600" in refused()
    with pytest.raises(ConfigurationError, match=r"others can read .*config\.toml"):
        Client()
    config('[emea]\nregion = "emea"\n', mode=mode)
    assert Client(profile="emea", **GIVEN)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write(config, mode):
    """A file that others can write to is refused whatever it holds: they could have the password sent to themselves."""
    config('[emea]\nregion = "emea"\n', mode=mode)
    assert "others can write" in refused(**GIVEN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else(config):
    """So is somebody else's file."""
    os.chown(config(), 12345, -1)
    assert "belong to another user" in refused()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[emea]\npassword = CANARY\n", "line 2"),
        ('[emea]\npassword = "CANARY', "not TOML"),
        ("[emea]\npassword = 7\n", "password must be text"),
        ('[emea]\nusername = ""\n', "username must be text"),
        ('[emea]\npasword = "CANARY"\n', "did you mean 'password'?"),
        ('[emea]\ncolour = "CANARY"\n', "a profile has username"),
        ('emea = "CANARY"\n', "[emea]"),
        ('[emae]\nregion = "us"\n', "did you mean 'emae'?"),
        ("", "khoros-analytics login"),
        ('[emea]\nregion = "mars"\n', "'mars' is not known"),
        ('[emea]\ntimezone = "Europe/Berlim"\n', "Europe/Berlin"),
    ],
)
def test_a_file_that_says_nonsense(config, text, part):
    """What cannot be used is a ConfigurationError that says where, and quotes no password."""
    config(text)
    settings = {} if "assword" in text else GIVEN
    assert part in refused(**settings)


def test_a_name_that_is_none(config):
    """A profile's name is a text."""
    assert "7 is not the name" in refused(profile=7)
    assert "'' is not the name" in refused(profile="")


def test_a_file_that_cannot_be_read(config):
    """A folder in the file's place is an error of the tree; no file at all is none."""
    config_path().mkdir(parents=True)
    assert "cannot be read: Is a directory" in refused()
    config_path().rmdir()
    assert Client(**GIVEN)
    assert profile_names() == []


# --- writing ------------------------------------------------------------------------------------------------------


def test_writing(config):
    """A profile that is written is for its owner alone; comments and other profiles stay."""
    save_profile("emea", {"username": Hidden("u"), "password": Hidden("p")})
    assert config_path().stat().st_mode & 0o777 == 0o600
    path = config("# mine\n[emea]\npassword = 'old' # a comment\n\n[other]\nregion = 'us' # mine, too\n")
    save_profile("emea", {"username": Hidden("u"), "password": Hidden(None)})
    assert path.read_text("utf-8") == "# mine\n[emea]\nusername = \"u\"\n\n[other]\nregion = 'us' # mine, too\n"
    assert profile_names() == ["emea", "other"]


def test_writing_through_a_link(config, tmp_path):
    """A link to a file elsewhere stays one."""
    path = config()
    path.rename(tmp_path / "dotfile")
    path.symlink_to(tmp_path / "dotfile")
    save_profile("new", {"region": Hidden("us")})
    assert path.is_symlink()
    assert "new" in profile_names()


def test_writing_where_nothing_can_be_written(config):
    """A folder that cannot be made is an error of the tree."""
    config_path().parent.parent.write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        save_profile("new", {"region": Hidden("us")})
