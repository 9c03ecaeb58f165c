"""The command line against a sandbox, in this process, on the sandbox's clock."""

import sys
from types import ModuleType

import pytest
from click.testing import CliRunner

from khoros_analytics import Client
from khoros_analytics._cli.main import cli

VARIABLES = {"USERNAME": "username", "PASSWORD": "password", "COMPANY_KEY": "company_key", "URL": "base_url"}
SECRETS = {"password": "hush pass/word+ü", "company_key": "hush key/+="}


@pytest.fixture
def sandbox_options():
    """Secrets that can be looked for."""
    return {"polls": 1, **SECRETS}


@pytest.fixture
def environment(sandbox, monkeypatch, clock):
    """Variables that name the sandbox, and its clock for every client."""
    for variable, setting in VARIABLES.items():
        monkeypatch.setenv(f"KHOROS_ANALYTICS_{variable}", sandbox.settings[setting])
    monkeypatch.setitem(Client.__init__.__kwdefaults__, "clock", clock)


@pytest.fixture
def command(environment):
    """Run a command, and return its result; nothing of it may hold a secret."""

    def run(*arguments, **settings):
        result = CliRunner().invoke(
            cli, [str(argument) for argument in arguments], prog_name="khoros-analytics", **settings
        )
        assert "hush" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def keyring(monkeypatch):
    """A keyring that remembers."""
    fake = ModuleType("keyring")
    fake.known = {}
    fake.get_password = lambda service, name: fake.known.get((service, name))
    fake.set_password = lambda service, name, value: fake.known.update({(service, name): value})
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return fake
