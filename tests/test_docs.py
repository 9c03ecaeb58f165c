"""What a reader copies from the pages and the docstrings works as it stands."""

import ast
import codeop
import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.rest import CodeBlockParser, DocTestParser, PythonCodeBlockParser

import khoros_analytics
from khoros_analytics import Client, errors, reports
from khoros_analytics import sandbox as sandbox_module
from khoros_analytics._cli.main import cli
from khoros_analytics.sandbox import Sandbox, faults

ROOT = Path(__file__).parent.parent
RST_PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
MARKDOWN_PAGES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*RST_PAGES, *MARKDOWN_PAGES]
MARKDOWN = runpy.run_path(str(ROOT / "docs/_ext/notebook.py"))
PYTHON = {"python", "py"}  # to be pasted anywhere, and to be put into a file
VARIABLES = {"USERNAME": "username", "PASSWORD": "password", "COMPANY_KEY": "company_key", "URL": "base_url"}
# The one starts a server when it is imported, the other is run by its path and not installed.
NOT_IMPORTED = {"__main__", "generate"}


def docstring_examples() -> list[doctest.DocTest]:
    walk = pkgutil.walk_packages(khoros_analytics.__path__, f"{khoros_analytics.__name__}.")
    names = [found.name for found in walk if found.name.rpartition(".")[2] not in NOT_IMPORTED]
    found = [test for name in names for test in doctest.DocTestFinder().find(importlib.import_module(name))]
    return [test for test in found if test.examples]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A folder of one's own, and an environment in which ``Client()`` finds a sandbox."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(polls=1) as sandbox:
        # A client that is made from the environment alone would wait on the machine's own clock.
        monkeypatch.setattr(Client, "__init__", partialmethod(Client.__init__, clock=sandbox.clock))
        for variable, setting in VARIABLES.items():
            monkeypatch.setenv(f"KHOROS_ANALYTICS_{variable}", sandbox.settings[setting])
        yield sandbox


def same_text(shown: str, said: str) -> bool:
    """Whether a page says what was shown; where it says "..." anything may be."""
    return doctest.OutputChecker().check_output(said.rstrip() + "\n", shown.rstrip() + "\n", doctest.ELLIPSIS)


def run_block(block: tuple[str, str, int], page: Path, names: dict[str, object]) -> None:
    """Run a block as a notebook's cell: the value of its last line is shown."""
    _, text, line = block
    tree = ast.parse("\n" * (line - 1) + text)
    last = ast.Interactive([tree.body.pop()])
    for part, mode in ((tree, "exec"), (last, "single")):
        exec(compile(part, str(page), mode), names)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("page", MARKDOWN_PAGES, ids=lambda page: page.name)
def test_blocks_of_a_page(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a page run from top to bottom as cells, and show what stands below them."""
    names: dict[str, object] = {}
    before = ""
    for block in MARKDOWN["blocks"](page.read_text(encoding="utf-8")):
        if block.kind in PYTHON:
            capsys.readouterr()
            run_block(block, page, names)
        if block.kind == "text" and before in PYTHON:
            shown = capsys.readouterr().out
            assert same_text(shown, block.text), f"{page}, line {block.line}: {shown}"
        before = block.kind if block.kind != "words" else before


def test_tests_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests that a page shows are tests, and they pass."""
    page = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    program = "\n".join(block.text for block in MARKDOWN["blocks"](page) if block.kind == "py")
    (tmp_path / "test_program.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"{program.count('def test_')} passed" in done.stdout, done.stdout


def blocks_of_readme() -> list[str]:
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    found = re.findall(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(block).strip() + "\n" for block in found]


def blocks_to_paste() -> Iterator[object]:
    """The blocks of README and of all pages in Markdown that a reader may paste at a prompt."""
    for number, text in enumerate(blocks_of_readme()):
        yield pytest.param(text, id=f"README.rst-{number}")
    for page in MARKDOWN_PAGES:
        for block in MARKDOWN["blocks"](page.read_text(encoding="utf-8")):
            if block.kind == "python":
                yield pytest.param(block.text, id=f"{page.name}-{block.line}")


@pytest.mark.parametrize("text", list(blocks_to_paste()))
def test_block_at_the_prompt(text: str) -> None:
    """Python's own prompt takes each block line by line: no blank line cuts a statement off, and none is left open."""
    compiler = codeop.CommandCompiler()
    waiting: list[str] = []
    for line in text.splitlines():
        waiting.append(line)
        if compiler("\n".join(waiting), symbol="single") is not None:
            waiting.clear()
    assert not waiting, "it waits for more"


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("page", RST_PAGES, ids=lambda page: page.name)
def test_examples_of_a_page(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of a page run from top to bottom, and show what really comes out, also in a block of its own."""

    def compare(example: Example) -> None:
        shown = capsys.readouterr().out
        assert same_text(shown, str(example.parsed)), shown

    def run(example: Example) -> None:
        for line in str(example.parsed).splitlines():
            program, *words = shlex.split(line)
            assert program == "khoros-analytics"
            cli(words, prog_name=program, standalone_mode=False)

    parsers = [
        CodeBlockParser("bash", run),
        DocTestParser(doctest.ELLIPSIS),
        PythonCodeBlockParser(),
        CodeBlockParser("text", compare),
    ]
    for example in Sybil(parsers).parse(page).examples():
        example.evaluate()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command as it is installed, on the PATH, and a home that fish has been in."""
    command = tmp_path / "bin/khoros-analytics"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m khoros_analytics "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/fish/completions").mkdir(parents=True)
    return command


@pytest.mark.slow
@pytest.mark.usefixtures("sandbox", "command")
def test_lines_of_the_command_line() -> None:
    """What the page of the command line shows to be typed into a shell works there; two of them need a person."""
    blocks = [
        textwrap.dedent(block)
        for block in re.findall(
            r"code-block:: sh\n\n((?:   .*\n)+)", (ROOT / "docs/cli.rst").read_text(encoding="utf-8")
        )
    ]
    typed = [block for block in blocks if "pip install" not in block and " login" not in block]

    assert len(typed) == len(blocks) - 2 == 4
    for block in typed:
        done = subprocess.run(["bash", "-euc", block], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{block}{done.stdout}{done.stderr}"


def test_readme_opens_with_a_program() -> None:
    """What comes first on README is a program without prompts, so it pastes anywhere, and then what it prints."""
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    assert re.findall(r"^\.\. code-block:: (\w+)$", text, re.MULTILINE)[:2] == ["python", "text"]
    assert ">>>" not in text


def test_links_of_readme() -> None:
    """README is read as plain text: its links lead to pages that say something before they are built."""
    pages = re.findall(r"<(docs/[\w./]+)>`_", (ROOT / "README.rst").read_text(encoding="utf-8"))
    assert pages
    for page in pages:
        text = (ROOT / page).read_text(encoding="utf-8")
        directives = re.findall(r"^\.\. (?:auto\w+|report-table|toctree)::", text, re.MULTILINE)
        assert len(text) > 1000 * len(directives), page


@pytest.mark.parametrize("example", docstring_examples(), ids=lambda example: example.name)
def test_examples_of_a_docstring(example: doctest.DocTest, sandbox: Sandbox) -> None:
    """A docstring's example runs where ``client`` is a client, and shows what really comes out."""
    output = io.StringIO()
    with Client(**sandbox.settings) as client:
        example.globs.update(client=client, sandbox=sandbox)
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=output.write)
    assert not result.failed, output.getvalue()


def test_reference_names_everything_public() -> None:
    """The reference describes every name that can be imported from the package."""
    reference = (ROOT / "docs/api.rst").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. auto\w+:: (?:khoros_analytics\.)?(\w+)(?:\(\))?$", reference, re.MULTILINE)
    assert set(khoros_analytics.__all__) <= set(described)


def public_members() -> dict[str, object]:
    """Return everything public by its name: of the package and its public modules, and the members of their classes."""
    modules = (khoros_analytics, errors, reports, sandbox_module, faults)
    names = {f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module.__all__}
    classes = {name: found for name, found in names.items() if inspect.isclass(found)}
    members = {
        f"{name}.{member}": inspect.getattr_static(found, member)
        for name, found in classes.items()
        for member in dir(found)
        if not member.startswith("_") and "khoros_analytics" in str(getattr(home_of(found, member), "__module__", ""))
    }
    return {**names, **members}


def home_of(found: type, member: str) -> type | None:
    """Return the class that defines a member."""
    return next((each for each in found.__mro__ if member in vars(each)), None)


def test_everything_public_is_documented() -> None:
    """Every public name has a docstring, and so has every method and property of a public class."""
    functions = (type, property, classmethod, staticmethod)
    described = {
        name: inspect.getdoc(found)
        for name, found in public_members().items()
        if isinstance(found, functions) or inspect.isfunction(found)
    }
    assert len(described) > 150
    assert [name for name, text in described.items() if not text] == []


def test_properties_are_no_types() -> None:
    """What stands before a colon in the first line of a property would be shown as its type."""
    texts = {name: found.__doc__ or "" for name, found in public_members().items() if isinstance(found, property)}
    assert len(texts) > 30
    assert [name for name, text in texts.items() if re.search(r":(?=\s)", text.partition("\n")[0])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_on_a_page(page: Path) -> None:
    """A file or folder of the project that a page names is there."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"``((?:khoros_analytics|docs|tests)/(?!_build)[\w./]+)``", text)
    named += [f"khoros_analytics/{path}" for path in re.findall(r"``(_\w+/\w+\.py)``", text)]
    assert [path for path in named if not (ROOT / path).exists()] == []
