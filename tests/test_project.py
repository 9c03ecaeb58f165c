"""The project around the package: what lies where, and that nothing is stated in two ways."""

import contextlib
import re
import runpy
import subprocess
import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {"LICENSE", "README.rst", "docs", "khoros_analytics", "noxfile.py", "pyproject.toml", "tests"}
COMMAND = "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s {}"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Each pattern is written so that it does not find itself.
OUT_OF_PLACE = {
    "a folder of one machine": r"(?<![\w.])/(?:[r]oot|[h]ome|[U]sers|[w]ork)/",
    "a number that means nothing outside of a tracker": r"(?i)\b(?:[i]ssue|[t]icket|[p]ull request) #?\d",
    "unfinished work": r"\b(?:[T]ODO|[F]IXME|[X]XX)\b",
    "a host that packages come from": r"(?i)[p]ypi\.|[p]ythonhosted|[n]pmjs|[a]rtifactory",
}


def tracked() -> list[PurePosixPath]:
    """All files of the project; in an unpacked archive, where there is no git, everything is one of them."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        return [PurePosixPath(name) for name in listing.stdout.split("\0") if name]
    paths = (path.relative_to(ROOT) for top in TOP_LEVEL for path in (ROOT / top, *(ROOT / top).rglob("*")))
    return [PurePosixPath(path) for path in paths if (ROOT / path).is_file() and path.suffix != ".pyc"]


def read(name: str | PurePosixPath) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def supported() -> list[str]:
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in PROJECT["classifiers"])
    return [match[1] for match in found if match]


@pytest.fixture(scope="module")
def noxfile() -> dict[str, Any]:
    """What noxfile.py defines. It reads pyproject.toml from the current folder, as nox sets it."""
    with contextlib.chdir(ROOT):
        return runpy.run_path("noxfile.py")


def test_top_level() -> None:
    """The top level is the user's: it holds what a user looks for, and dotfiles."""
    assert {path.parts[0] for path in tracked() if not path.parts[0].startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("what", OUT_OF_PLACE)
def test_nothing_out_of_place(what: str) -> None:
    """The project speaks of itself alone, and of nothing that only its authors' machines know."""
    found = [
        f"{path}: {match[0]}"
        for path in tracked()
        for match in re.finditer(OUT_OF_PLACE[what], (ROOT / path).read_bytes().decode("utf-8", "replace"))
    ]
    assert not found, what


def test_commands_for_a_bare_machine() -> None:
    """README's two commands start from nothing, and the one for the tests is what the full check runs first."""
    assert COMMAND.format("demo") in read("README.rst")
    for name in ("README.rst", "docs/contributing.rst", ".ci/run"):
        assert COMMAND.format("tests") in read(name), name
    nox_runs = re.findall(r"^ *[^#\n]*\.venv/bin/nox .*$", read(".ci/run"), re.MULTILINE)
    assert nox_runs[0].strip() == COMMAND.format("tests")


def test_version() -> None:
    """The version is stated once, what is installed has it, and the changelog begins with it."""
    stated = version("khoros_analytics")
    assert re.findall(r"^(\d+\.\d+\.\d+)\b.*\n-+$", read("docs/changelog.rst"), re.MULTILINE)[0] == stated
    code = [path for path in tracked() if path.parts[0] in {"khoros_analytics", "pyproject.toml", "noxfile.py"}]
    assert [str(path) for path in code if f'"{stated}"' in read(path)] == ["khoros_analytics/_version.py"]


def test_interpreters(noxfile: dict[str, Any]) -> None:
    """Every supported Python is tested, the oldest is the one that is required, and the full check finds them all."""
    assert noxfile["tests_all"].python == supported()
    assert PROJECT["requires-python"] == f">={supported()[0]}"
    [pattern] = re.findall(r"/versions/3\.1\[(\d+)\]\.\*/bin", read(".ci/run"))
    assert [f"3.1{digit}" for digit in pattern] == supported()


def test_newcomers_session(noxfile: dict[str, Any]) -> None:
    """The session that a newcomer runs uses the Python at hand, so that nothing in it is skipped."""
    assert noxfile["tests"].python is None


def test_sessions_are_described(noxfile: dict[str, Any]) -> None:
    """The page for contributors lists every session, and no other."""
    sessions = {name for name, item in noxfile.items() if type(item).__name__ == "Func"}
    assert set(re.findall(r"\* - ``nox -s (\w+)``", read("docs/contributing.rst"))) == sessions


def test_extra_all() -> None:
    """The extra ``all`` names every other extra."""
    extras = dict(PROJECT["optional-dependencies"])
    [everything] = extras.pop("all")
    assert everything == f"khoros_analytics[{','.join(extras)}]"


def test_typed_marker() -> None:
    """The installed package says that it is typed."""
    assert (resources.files("khoros_analytics") / "py.typed").is_file()
