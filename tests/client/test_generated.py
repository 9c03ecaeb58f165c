"""The generated methods: they are what the table says, and every tool sees them."""

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import jedi
import pytest
import yaml

import khoros_analytics
from khoros_analytics import Client, Job, Metrics
from khoros_analytics._client import report_methods
from khoros_analytics._client.report_methods import ReportMethods
from khoros_analytics.reports import REPORTS

TESTS = Path(__file__).parents[1]
GENERATOR = TESTS.parent / "khoros_analytics" / "_client" / "generate.py"
FACTS = yaml.safe_load((TESTS / "facts" / "analytics-reports.yaml").read_text(encoding="utf-8"))
# What each call has before its keywords, and after them.
FIRST, LAST = ["self", "start", "end"], ["fresh", "extra"]
NOT_KEYWORDS = ("company_key", "start", "end")


def keywords(name):
    """The keywords of a report's method as the table has them; those that are needed come first."""
    report = REPORTS[name]
    found = dict.fromkeys(row.name for row in report.parameters if row.name not in NOT_KEYWORDS)
    return sorted(found, key=lambda keyword: keyword not in report.required)


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generator_under_test", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- the file


def test_file_on_disk(generator):
    """The file is what the generator makes of the table: nobody has edited it, and nobody forgot to run it."""
    made = generator.render(list(generator.load_table().REPORTS.values()))
    assert (GENERATOR.parent / "report_methods.py").read_text(encoding="utf-8") == made


def test_public_imports(generator):
    """The package's imports for tools that read source are those of its list of homes."""
    source = generator.PUBLIC.read_text(encoding="utf-8")
    assert generator.public_imports(source) == source
    added = generator.public_imports(source.replace('"._jobs.job": ("Job",)', '"._jobs.job": ("Job", "Plan")'))
    assert "    from ._jobs.job import Plan as Plan\n" in added
    compile(added, "__init__.py", "exec")


def test_check(generator, tmp_path, monkeypatch, capsys):
    """``--check`` fails where the file is another one, and says what to run; without it the file is written."""
    monkeypatch.setattr(generator, "TARGET", tmp_path / "report_methods.py")
    generator.TARGET.write_text("edited by hand")
    assert generator.main(["--check"]) == 1
    assert capsys.readouterr().err == "report_methods.py is not what the table says; run: nox -s generate\n"
    assert generator.TARGET.read_text() == "edited by hand"
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


def test_generator_needs_no_package():
    """The generator runs as a script where the package is not installed and its own output does not exist."""
    run = [sys.executable, "-c", "import runpy, sys; sys.argv = [sys.argv[1], '--check'];"]
    run[2] += "sys.modules['khoros_analytics'] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    assert subprocess.run([*run, str(GENERATOR)], check=False).returncode == 0


# ---- signatures


def public_methods():
    """Every public method and function that the package offers, by its dotted name."""
    classes = [value for name in khoros_analytics.__all__ if inspect.isclass(value := getattr(khoros_analytics, name))]
    classes = [found for found in classes if not issubclass(found, BaseException)]
    return {
        f"{found.__name__}.{name}": member
        for found in classes
        for name, member in inspect.getmembers(found, inspect.isfunction)
        if not name.startswith("_") and found.__name__ in {"Client", "Job"}
    }


METHODS = public_methods()


def test_methods_are_the_reports():
    """Each report is a method of the client, and the generated class has no other."""
    methods = [name for name, member in vars(ReportMethods).items() if inspect.isfunction(member)]
    assert sorted(methods) == sorted([*REPORTS, "start"])
    assert all(f"Client.{name}" in METHODS for name in REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_signature(name):
    """A method takes start and end, and everything else by keyword alone: exactly the parameters of its row."""
    signature = inspect.signature(getattr(Client, name), eval_str=True)
    kinds = {parameter: found.kind for parameter, found in signature.parameters.items()}
    assert list(kinds) == [*FIRST, *keywords(name), *LAST]
    assert {parameter for parameter, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY} == set(FIRST)
    assert signature.return_annotation is Job


@pytest.mark.parametrize("name", REPORTS)
def test_defaults(name):
    """Only what a report needs has no default; the format is csv, and all else is left to the server."""
    found = inspect.signature(getattr(Client, name)).parameters
    without = [keyword for keyword in keywords(name) if found[keyword].default is inspect.Parameter.empty]
    assert without == list(REPORTS[name].required)
    given = {keyword: found[keyword].default for keyword in [*keywords(name), *LAST] if keyword not in without}
    assert given == {**dict.fromkeys(given), "format": "csv", "fresh": False}


@pytest.mark.parametrize("name", REPORTS)
def test_passes_everything_on(name):
    """A method hands each of its arguments to ``start`` under the same name, and returns what that returns."""

    class Recorder(ReportMethods):
        def start(self, name, start, end, **arguments):
            return name, start, end, arguments

    arguments = {keyword: object() for keyword in [*keywords(name), *LAST]}
    assert getattr(Recorder(), name)("a", "b", **arguments) == (name, "a", "b", arguments)


@pytest.mark.parametrize("name", REPORTS)
def test_metrics(name):
    """Known metrics are literals to type checkers and constants to Tab, named as on the wire."""
    constants = vars(type(getattr(Metrics, name)))
    own = "".join(word.capitalize() for word in name.split("_")) + "Metric"
    alias = getattr(report_methods, own, report_methods.CommonMetric)
    for metric in REPORTS[name].metrics:
        assert constants[metric.name.upper()] == metric.name
        assert metric.name in get_args(alias)
        assert metric.label is None or metric.label in get_args(alias)
    assert len([constant for constant in constants if constant.isupper()]) == len(REPORTS[name].metrics)
    assert len(get_args(alias)) == sum(1 + (metric.label is not None) for metric in REPORTS[name].metrics)


# ---- docstrings


@pytest.mark.parametrize("name", METHODS)
def test_docstring(name):
    """A public method says what it does, what each argument means, what comes back, what can go wrong, and how to."""
    text, method = inspect.getdoc(METHODS[name]), METHODS[name]
    names = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
    summary, _, _ = text.partition("\n")
    assert summary.endswith(".")
    sections = re.findall(r"^(Args|Returns|Raises|Example):$", text, re.MULTILINE)
    expected = ["Args"] * bool(names) + ["Returns", "Raises", "Example"]
    if name == "Client.close":
        expected = []
    if name == "Client.reports":  # nothing can go wrong
        expected.remove("Raises")
    assert sections == expected
    documented = re.findall(r"^    \**(\w+): ", section(text, "Args"), re.MULTILINE)
    assert documented == names
    assert (">>> " in section(text, "Example")) is bool(expected)


@pytest.mark.parametrize("name", REPORTS)
def test_docstring_names_the_wire(name):
    """A report's method names title, verb and path, each wire parameter, and the unit of what is in milliseconds."""
    text = " ".join(inspect.getdoc(getattr(Client, name)).split())
    fact = FACTS["reports"][name]
    assert fact["title"] in text
    assert f"``{fact['verb']} {REPORTS[name].path}``" in text
    for row in REPORTS[name].parameters:
        if row.name not in NOT_KEYWORDS:
            assert f"``{row.wire}``" in text, row.wire
    assert text.count("Sent in milliseconds") == sum(
        bool(row.unit) for row in REPORTS[name].parameters if row.name not in NOT_KEYWORDS
    )


@pytest.mark.parametrize("name", REPORTS)
def test_documented_errors_exist(name):
    """Each error that a method announces is one of the tree, and the creation's own ones are all there."""
    raised = re.findall(r"^    (\w+): ", section(inspect.getdoc(getattr(Client, name)), "Raises"), re.MULTILINE)
    assert all(issubclass(getattr(khoros_analytics, error), khoros_analytics.KhorosError) for error in raised)
    assert {"ParameterError", "AuthenticationError", "RateLimitError", "ServerError", "TransportError"} <= set(raised)


def section(text, title):
    """The indented lines under a title of a Google docstring."""
    found = re.search(rf"^{title}:\n((?:(?: .*)?\n)*(?: .*)?)", text, re.MULTILINE)
    return found[1] if found else ""


# ---- completion, as in Jupyter's Tab


def completions(code):
    """What jedi offers at the end of the code."""
    script = jedi.Script(code, environment=jedi.InterpreterEnvironment())
    lines = code.split("\n")
    return {completion.name_with_symbols for completion in script.complete(len(lines), len(lines[-1]))}


CLIENT = "from khoros_analytics import Client, Metrics\nclient = Client()\n"


def test_completion_of_methods():
    """Tab after ``client.`` offers every report and everything else that a client can do."""
    assert {*REPORTS, "start", "job", "teams", "timezones", "close"} <= completions(f"{CLIENT}client.")


@pytest.mark.parametrize("name", REPORTS)
def test_completion_of_arguments(name):
    """Tab inside the parentheses offers the arguments of that report."""
    offered = completions(f'{CLIENT}client.{name}("2019-02-01", "2019-03-01", ')
    assert {f"{keyword}=" for keyword in [*keywords(name), *LAST]} <= offered
    assert ("timezone=" in offered) is (name != "user")


def test_completion_of_jobs():
    """Tab after a report's job offers what a job can do."""
    offered = completions(f'{CLIENT}client.conversation("2019-02-01", "2019-03-01").')
    assert {"wait", "download", "refresh", "restart", "status", "token", "window", "history"} <= offered


@pytest.mark.parametrize("name", REPORTS)
def test_completion_of_metrics(name):
    """Tab after ``Metrics.`` and a report offers the metrics that are known of it."""
    assert set(REPORTS) <= completions(f"{CLIENT}Metrics.")
    offered = completions(f"{CLIENT}Metrics.{name}.")
    assert {metric.name.upper() for metric in REPORTS[name].metrics} <= offered


MODULES = {
    "khoros_analytics": "import khoros_analytics",
    "faults": "from khoros_analytics.sandbox import faults",
    "sandbox": "from khoros_analytics import sandbox",
    "errors": "from khoros_analytics import errors",
    "reports": "from khoros_analytics import reports",
}
SUBMODULES = {"errors", "reports", "sandbox", "times"}


@pytest.mark.parametrize("name", MODULES)
def test_completion_of_modules(name):
    """Tab after a public module offers its public names, and nothing that it imports from elsewhere."""
    scope = {}
    exec(MODULES[name], scope)
    module = scope[name]
    public = set(module.__all__)
    # The rows that the table of reports is made of are part of it.
    own = {each for each in vars(module) if each.isupper()} if name == "reports" else set()
    allowed = public | own | (SUBMODULES if name == "khoros_analytics" else set())
    for offered in (completions(f"{MODULES[name]}\n{name}."), set(dir(module))):
        assert public <= offered
        assert {each for each in offered if not each.startswith("_")} <= allowed


def test_completion_of_constants():
    """Tab offers no method of classes after ``Metrics.``, only reports, and only metrics after those."""
    assert {name for name in completions(f"{CLIENT}Metrics.") if not name.startswith("_")} == set(REPORTS)
    offered = completions(f"{CLIENT}Metrics.conversation.")
    assert {name for name in offered if not name.startswith("_")} == {
        metric.name for metric in REPORTS["conversation"].metrics
    }
    assert repr(Metrics.conversation) == "<CONVERSATION_ID, STATUS, ASSIGNED_AGENT_DISPLAY_ID, TIME_ZONE>"


# ---- type checkers

CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir"],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
}
MISTAKES = [
    # Each line must be refused by both; so must nothing else.
    'client.conversation("2019-02-01", "2019-03-01", metric="STATUS")',
    'client.conversation("2019-02-01", "2019-03-01", format="xlsx")',
    'client.conversation("2019-02-01", "2019-03-01", metrics=5)',
    'client.conversation("2019-02-01", "2019-03-01", "STATUS")',
    'client.conversation("2019-02-01")',
    'client.conversation(1.5, "2019-03-01")',
    'client.conversation("2019-02-01", "2019-03-01", business_hours="never")',
    'client.conversation("2019-02-01", "2019-03-01", conversation_report_type="OPEN")',
    'client.conversation("2019-02-01", "2019-03-01", time_interval=3600)',
    'client.user("2019-02-01", "2019-03-01", timezone="Europe/Berlin")',
    'client.user("2019-02-01", "2019-03-01", include_disabled="yes")',
    'client.user("2019-02-01", "2019-03-01", agent_ids=[1.5])',
    'client.team_performance_interval("2019-02-01", "2019-03-01")',
    'client.team_performance_interval("2019-02-01", "2019-03-01", time_interval=3600000)',
    'client.conversations("2019-02-01", "2019-03-01")',
    'client.start("user", "2019-02-01")',
    "client.job(5)",
    "client.author(1, 2).download(overwrite=1.5)",
    'client.author(1, 2).wait("1 hour")',
    "client.author(1, 2).status = None",
    "client.author(1, 2).window.start_ms = 5",
    "Metrics.conversation.NO_SUCH_METRIC",
    "Client(region=5)",
]


HEAD = ["from khoros_analytics import Client, Metrics", "", "client = Client()"]
EACH_CHECKER = pytest.mark.parametrize(
    "findings", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CHECKERS], indirect=True
)


@pytest.fixture(scope="session")
def findings(request, tmp_path_factory):
    """Let a checker read the right calls and the mistakes in one go: the lines that it refuses, and all it says."""
    folder = tmp_path_factory.mktemp("checker")
    (folder / "mistakes.py").write_text("\n".join([*HEAD, *MISTAKES]) + "\n")
    command = [*CHECKERS[request.param], *([str(folder / "cache")] if request.param == "mypy" else [])]
    paths = [str(TESTS / "typing" / "api.py"), "mistakes.py"]
    found = subprocess.run([*command, *paths], cwd=folder, capture_output=True, text=True, check=False)
    said = found.stdout + found.stderr
    refused = {(name, int(line)) for name, line in re.findall(r"(\w+\.py):(\d+):.*\berror\b", said)}
    return refused, said


@pytest.mark.slow
@EACH_CHECKER
def test_types(findings):
    """mypy and pyright see the types that tests/typing/api.py states."""
    refused, said = findings
    assert {name for name, _ in refused} == {"mistakes.py"}, said


@pytest.mark.slow
@EACH_CHECKER
def test_mistakes(findings):
    """mypy and pyright refuse each of the mistakes, line by line."""
    refused, said = findings
    lines = {line for name, line in refused if name == "mistakes.py"}
    accepted = {number: line for number, line in enumerate(MISTAKES, len(HEAD) + 1) if number not in lines}
    assert accepted == {}, said
    assert lines <= set(range(len(HEAD) + 1, len(HEAD) + len(MISTAKES) + 1)), said


@pytest.mark.slow
@pytest.mark.xdist_group("pyright")
def test_types_are_complete(tmp_path):
    """pyright knows the type of every public symbol, without guessing any."""
    command = [*CHECKERS["pyright"], "--verifytypes", "khoros_analytics", "--ignoreexternal"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "Type completeness score: 100%" in said, said


def test_typed_examples_are_complete():
    """tests/typing/api.py calls the method of every report."""
    source = ast.parse((TESTS / "typing" / "api.py").read_text(encoding="utf-8"))
    called = {node.func.attr for node in ast.walk(source) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert set(REPORTS) <= called
