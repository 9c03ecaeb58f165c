"""Everything that is done with the project, by name: ``nox -l`` lists it."""

import itertools
import os
import random
import re
import shutil
import textwrap
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.16"
nox.options.sessions = ["lint", "typing", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True
# An interpreter comes from its owner, not from wherever a tool finds one.
nox.options.download_python = "never"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in PYPROJECT["project"]["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]
PACKAGE = Path("khoros_analytics")


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


def _lowest_versions() -> tuple[str, ...]:
    project = PYPROJECT["project"]
    lines = [*project["dependencies"], *itertools.chain.from_iterable(project["optional-dependencies"].values())]
    return tuple(sorted({line.replace(">=", "==") for line in lines if ">=" in line}))


def _run_tests(session: nox.Session, *options: str, versions: tuple[str, ...] = (), hash_seed: int = 0) -> None:
    # Most of what is installed is never imported.
    session.install(".[all]", *_group("tests"), *versions, env={"PIP_NO_COMPILE": "1"})
    # PYTHONSAFEPATH: `python -m` in a test would take the package from the current folder, not the installed one.
    environment = {"PYTHONSAFEPATH": "1", "PYTHONHASHSEED": str(hash_seed)}
    # One more than there are processors: a test waits for a socket now and then.
    session.run("pytest", "-n", str((os.cpu_count() or 1) + 1), *options, *session.posargs, env=environment)


@nox.session
def demo(session: nox.Session) -> None:
    """Show one export on the sandbox, step by step."""
    session.install(".[sandbox,pandas]")
    session.run("python", "docs/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Test the installed package on the interpreter that runs nox; arguments go to pytest.

    ``-- -m slow --dist loadgroup`` runs what takes long: crowds, many seeds of faults, and what type checkers see.
    """
    _run_tests(session, "-m", "not slow")


@nox.session
def tests_lowest(session: nox.Session) -> None:
    """Test the installed package with the lowest versions that it allows of everything; fewer examples again."""
    _run_tests(session, "-m", "not slow", "--hypothesis-profile=brief", versions=_lowest_versions())


@nox.session
def tests_coverage(session: nox.Session) -> None:
    """Measure how much of the package the tests run through."""
    # The slow ones cover nothing that the others do not.
    _run_tests(session, "-m", "not slow", "--cov", "--cov-report=term-missing:skip-covered")


@nox.session
def tests_random(session: nox.Session) -> None:
    """Run the tests that draw their examples with fresh ones; ``-- --hypothesis-seed=N`` draws those of a run again."""
    given = [argument for argument in session.posargs if argument.startswith("--hypothesis-seed=")]
    seed = int(given[-1].partition("=")[2]) if given else random.SystemRandom().randrange(2**32)
    session.log(f"nox -s tests_random -- --hypothesis-seed={seed} runs these once more.")
    options = ("-m", "drawn and not slow", "--hypothesis-profile=random", f"--hypothesis-seed={seed}")
    _run_tests(session, *options, hash_seed=seed)


@nox.session(python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Test the installed package on every supported interpreter, with fewer examples where a test draws them."""
    _run_tests(session, "-m", "not slow", "--hypothesis-profile=brief")


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and format."""
    session.install(*_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of the package, and what they tell its users."""
    session.install(".[all]", *_group("typing"))
    session.run("mypy", str(PACKAGE), "noxfile.py", "tests/typing")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into docs/_build/html; a warning is an error."""
    session.install(".[all]", *_group("docs"))
    shutil.rmtree("docs/_build", ignore_errors=True)
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def generate(session: nox.Session) -> None:
    """Write the methods of the reports anew from the table, and the notebook from its page; ``--check`` compares."""
    session.install(*(line for line in PYPROJECT["project"]["dependencies"] if line.startswith("attrs")))
    session.run("python", str(PACKAGE / "_client" / "generate.py"), *session.posargs)
    session.run("python", "docs/_ext/notebook.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Live through many seeds of faults: ``--seeds 5000``, ``--first 300``, or ``--seed 1234`` once more."""
    session.install(".[sandbox,arrow]", "trustme")
    session.run("python", "tests/chaos/run.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; arguments choose benchmarks by the name of their file, and what begins with dashes goes to them."""
    session.install(".[all]", *_group("bench"))
    folder = Path("tests/benchmarks")
    names = list(itertools.takewhile(lambda argument: not argument.startswith("-"), session.posargs))
    scripts = [folder / f"{name}.py" for name in names] or sorted(folder.glob("[!_]*.py"))
    for script in scripts:
        session.run("python", str(script), *session.posargs[len(names) :])


@nox.session
def build(session: nox.Session) -> None:
    """Build both archives, look into them, and use the wheel far from its source."""
    session.install(*_group("build"))
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work)
    # Without further options the wheel is built from the sdist, which proves that nothing is missing there.
    session.run("python", "-m", "build", "--outdir", str(work / "dist"))
    archives = sorted((work / "dist").iterdir())
    session.run("twine", "check", "--strict", *map(str, archives))
    wheel = next(path for path in archives if path.suffix == ".whl")
    _compare_contents(session, wheel)
    _use_wheel(session, wheel, work / "elsewhere")


def _compare_contents(session: nox.Session, wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {path.as_posix() for path in PACKAGE.rglob("*") if path.suffix == ".py"} - {
        f"{PACKAGE}/_client/generate.py"
    }
    difference = packed ^ sources ^ {f"{PACKAGE}/py.typed"}
    if difference:
        session.error(f"The wheel should hold the package and nothing else; look at {sorted(difference)}.")


def _use_wheel(session: nox.Session, wheel: Path, elsewhere: Path) -> None:
    program, shown = _first_blocks(Path("README.rst"))
    session.run("python", "-m", "venv", str(elsewhere / "venv"))
    python = str(elsewhere / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    with session.chdir(elsewhere):
        # -I leaves the current folder and the environment's paths out of sys.path.
        session.run(python, "-I", "-c", f"import {PACKAGE}", external=True)
        session.run(python, "-m", "pip", "install", "--quiet", f"{wheel}[sandbox,pandas]", external=True)
        printed = session.run(python, "-I", "-c", program, external=True, silent=True)
    if printed != shown:
        session.error(f"README.rst's program should print\n{shown}\nbut printed\n{printed}")
    session.log(f"{wheel.name} holds what it should, and README.rst's program works with it.")


def _first_blocks(readme: Path) -> tuple[str, str]:
    """Return the program with which README.rst opens, and what it says that the program prints."""
    text = readme.read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. code-block:: \w+\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    program, shown = (textwrap.dedent(block).strip() + "\n" for block in blocks[:2])
    return program, shown
