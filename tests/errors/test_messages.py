"""README promises that each message says what to do next: every way to fail is provoked, and held to that."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import khoros_analytics.errors
from khoros_analytics import KhorosError

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "errors.rst"
WORDS_OF_ADVICE = re.compile(
    "What to do: |did you mean|give |move it away|swap |set the variables|was it copied whole|pip install|make it with|"
    "is not among|must start with|the regions are|base_url takes"
)


def _load() -> ModuleType:
    # The script that writes the page imports it by its folder; tests are loaded without a package.
    spec = importlib.util.spec_from_file_location("_scenarios", FOLDER / "_scenarios.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["_scenarios"] = module
    spec.loader.exec_module(module)
    return module


scenarios = _load()
SCENARIOS = scenarios.SCENARIOS
SHOWN = scenarios.shown_on(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_message(name, tmp_path):
    """A message says what happened, to which export, what to do, how that goes on, and what was tried; each once.
    The page shows it as it is.
    """
    scenario = SCENARIOS[name]
    error = scenario.error(tmp_path)
    text = str(error)
    first, _, rest = text.partition("\n")

    assert type(error).__name__ == scenario.kind
    assert WORDS_OF_ADVICE.search(text), text
    for label in ("What to do: ", "The export: ", "What was tried: ", "goes on"):
        assert text.count(label) <= 1, text
    assert len(first) < 600, first
    if scenario.has_job:
        assert re.search(r"\bjob [0-9a-f-]{36} \(conversation, 2019-02-01 to 2019-05-01 .*, run 23", text)
        assert "The export: " in rest
        assert ("client.job('khoros2." in rest) is not bool(re.search(r"it is gone|it has ended", rest))
    elif getattr(error, "may_have_started", None) is not None:
        assert "the conversation export of 2019-02-01 to 2019-05-01 (UTC, end excluded)" in first
        told = "nothing" if error.may_have_started is False else "the server may have started it"
        assert told in rest.partition("The export: ")[2]
    asked = isinstance(error, KhorosError) and scenario.kind not in HERE
    assert ("What was tried: " in rest) is asked
    assert scenarios.normalized(text, tmp_path) == SHOWN[name]


HERE = {"ConfigurationError", "ParameterError", "TargetError", "TargetExistsError", "ExportFormatError", "ImportError"}


def test_every_class_has_its_place():
    """Every class of the tree is provoked, or has subclasses that all are; and each has a section on the page."""
    provoked = {scenario.kind for scenario in SCENARIOS.values()}
    classes = {name for name in khoros_analytics.errors.__all__ if name != "FailedJob"}
    abstract = {name for name in classes if getattr(khoros_analytics.errors, name).__subclasses__()}
    assert classes - abstract <= provoked
    page = PAGE.read_text(encoding="utf-8")
    described = classes - {"KhorosError"} | {"ImportError"}
    assert set(re.findall(r"^``(\w+)``\n-+$", page, re.MULTILINE)) == described
    assert set(re.findall(r"^   \* - ``(\w+)``$", page, re.MULTILINE)) == described


def test_every_message_is_on_the_page():
    """The page shows each message that is provoked, and no other."""
    assert set(SHOWN) == set(SCENARIOS)
