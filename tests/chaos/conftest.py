"""What the chaos tests share: the lives' own module, and the summary at the end of the run."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

SUMMARY = pytest.StashKey()


@pytest.fixture(scope="session")
def lives() -> ModuleType:
    """The module ``_life``, which ``run.py`` imports from its own folder; here that folder is on the path for once."""
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("_life")
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="session")
def summary(lives, pytestconfig):
    """What all seeds of this run came to; it is printed at the end."""
    return pytestconfig.stash.setdefault(SUMMARY, lives.Summary())


def pytest_terminal_summary(terminalreporter, config):
    """Print what all seeds came to."""
    if SUMMARY in config.stash:
        terminalreporter.section("chaos")
        terminalreporter.write_line(str(config.stash[SUMMARY]))
