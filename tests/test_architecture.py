"""One direction, no cycles: the imports of every module, read from its source, against an explicit table."""

import ast
import sys
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import khoros_analytics

PACKAGE = Path(__file__).parent.parent / "khoros_analytics"

# From the bottom to the top. A module imports from lower layers, and in its own layer only what stands to its left.
LAYERS = (
    ("_version", "errors", "reports"),
    ("_clock", "times", "_redaction", "_urls"),
    ("_encoding", "_arguments", "_messages", "_protocol", "_quota", "_retry", "_polling", "_faults", "_history"),
    ("_credentials", "_connections", "_inflate", "_stream", "_transport"),
    ("_token", "_parts", "_body", "_download", "_entries", "_journal", "_record"),
    ("_opening", "_csv_rows", "_json_window", "_json_blocks", "_rows"),
    ("_kinds", "_narrow", "_csv_columns", "_json_columns", "_columns", "_frames", "_parquet"),
    ("_export", "_starting", "_results", "_job", "_listing"),
    ("_report_methods",),
    ("_client",),
    ("__init__",),
)
HEIGHT = {name: height for height, name in enumerate(name for layer in LAYERS for name in layer)}
# They stand beside the layers: the generator writes one of them, the sandbox plays the server.
ASIDE = {"_generate"}
SANDBOX_MAY_IMPORT = {"reports", "_clock"}

# What is not in the standard library, and who may import it.
THIRD_PARTIES = {
    "attrs": None,
    "tenacity": {"_retry", "_polling"},
    "fsspec": {"_parquet"},
    "keyring": {"_credentials"},
    "orjson": {"_json_blocks"},
    "pandas": {"_frames", "_results"},
    "polars": {"_frames", "_results"},
    "pyarrow": {
        "_narrow",
        "_csv_columns",
        "_json_columns",
        "_columns",
        "_frames",
        "_parquet",
        "_results",
    },
    "requests": {"_transport"},
    "urllib3": {"_transport", "_stream", "_connections", "_faults"},
}
OPTIONAL = {"fsspec", "orjson", "pandas", "polars", "pyarrow"}
READS_THE_TIME = {"now", "utcnow", "today"}


def files(folder):
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


MODULES = files(PACKAGE)
SANDBOX = files(PACKAGE / "sandbox")


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path, package):
    """All imports of a file, wherever in it they stand, as absolute dotted names."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import x` may name modules, `from .x import y` names the module itself.
            found += [start] if node.module else [f"{start}.{alias.name}" for alias in node.names]
    return found


def own_imports(path, package="khoros_analytics"):
    """Those of khoros_analytics itself, without its name; an import of the package is one of ``__init__``."""
    own = [name for name in imports(path, package) if name.split(".")[0] == "khoros_analytics"]
    return {name.partition(".")[2] or "__init__" for name in own}


def foreign_imports(path):
    return {name.split(".")[0] for name in imports(path, "khoros_analytics")} - {"khoros_analytics"}


def test_every_module_has_its_place():
    """Each module of the package stands in the table exactly once, and the table names no other."""
    placed = [name for layer in LAYERS for name in layer]
    assert sorted([*placed, *ASIDE]) == sorted(MODULES)
    assert [path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"] == ["sandbox"]


@pytest.mark.parametrize("name", sorted(HEIGHT))
def test_imports_go_down(name):
    """A module imports only what is below it: no cycle can exist."""
    wrong = {other for other in own_imports(MODULES[name]) if HEIGHT.get(other, len(HEIGHT)) >= HEIGHT[name]}
    assert not wrong


@pytest.mark.parametrize("name", sorted({*MODULES, *SANDBOX}))
def test_no_trick_upward(name):
    """Nothing of the package is imported for the type checker alone, or by its name: the table says it all."""
    for path in (folder[name] for folder in (MODULES, SANDBOX) if name in folder):
        if path == MODULES["__init__"]:
            continue  # it stands above all others, and has a test of its own
        words = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
        words |= {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
        assert not words & {"import_module", "__import__"}, path
        assert imported_for_type_checkers(path) <= OPTIONAL, path


def imported_for_type_checkers(path):
    conditions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.If)]
    blocks = [node for node in conditions if ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(getattr(node, "module", None) or alias.name).split(".")[0] for node in imports for alias in node.names}


@pytest.mark.parametrize("name", sorted(HEIGHT))
def test_optional_libraries_are_imported_late(name):
    """The package can be imported without any optional library: only functions, and type checkers, import one."""
    module = tree(MODULES[name])
    top = [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and not node.level}
    assert not {found.split(".")[0] for found in names} & (OPTIONAL | {"keyring", "werkzeug"})


def test_public_names_have_one_home():
    """The package loads each public name when it is first used, from the module that the type checkers are told."""
    told = {
        f".{node.module}": tuple(alias.name for alias in node.names)
        for block in tree(MODULES["__init__"]).body
        if isinstance(block, ast.If)
        for node in block.body
    }
    assert told == khoros_analytics._HOMES
    assert sorted([*chain.from_iterable(told.values()), "__version__"]) == khoros_analytics.__all__


@pytest.mark.parametrize("name", khoros_analytics.__all__)
def test_public_name(name):
    """Every public name is there, and is shown by ``dir``."""
    assert getattr(khoros_analytics, name) is not None
    assert name in dir(khoros_analytics)


def test_no_other_name():
    """A name that does not exist is an AttributeError as in any module, and an import says so."""
    with pytest.raises(AttributeError, match="module 'khoros_analytics' has no attribute 'Clint'"):
        _ = khoros_analytics.Clint
    assert not hasattr(khoros_analytics, "_Client")


def test_generator_stands_alone():
    """Nobody imports the generator, and it imports nothing of the package: it writes one of its modules."""
    assert own_imports(MODULES["_generate"]) == set()
    everything = [own_imports(path) for path in MODULES.values()]
    everything += [own_imports(path, "khoros_analytics.sandbox") for path in SANDBOX.values()]
    assert all("_generate" not in found for found in everything)


@pytest.mark.parametrize("name", sorted(SANDBOX))
def test_sandbox_knows_nothing_of_the_client(name):
    """The sandbox shares only the table and the clock with the client: a misread of the API would show."""
    found = own_imports(SANDBOX[name], "khoros_analytics.sandbox")
    outside = {other for other in found if other.split(".")[0] != "sandbox"}
    assert outside <= SANDBOX_MAY_IMPORT


def test_sandbox_has_no_cycle():
    """The sandbox's own modules import one another in one direction, too."""
    inside = {}
    for name, path in SANDBOX.items():
        found = own_imports(path, "khoros_analytics.sandbox")
        inside[name] = {other.partition(".")[2] or "__init__" for other in found if other.split(".")[0] == "sandbox"}
    assert set(TopologicalSorter(inside).static_order()) == set(SANDBOX)  # a CycleError names the cycle


def test_nobody_in_the_package_imports_the_sandbox():
    """The sandbox is an extra: the library works without it."""
    assert not [name for name, path in MODULES.items() if any("sandbox" in other for other in own_imports(path))]


@pytest.mark.parametrize("name", sorted(HEIGHT))
def test_third_parties(name):
    """Each dependency is met in the few modules that are there for it; requests in the transport alone."""
    found = foreign_imports(MODULES[name]) & set(THIRD_PARTIES)
    assert {other for other in found if THIRD_PARTIES[other] is not None and name not in THIRD_PARTIES[other]} == set()


def test_third_parties_are_all_named():
    """Only the standard library and the declared dependencies are imported at all."""
    found = set().union(*(foreign_imports(path) for name, path in MODULES.items() if name not in ASIDE))
    assert found - set(sys.stdlib_module_names) == set(THIRD_PARTIES)


@pytest.mark.parametrize("name", sorted(set(HEIGHT) - {"_clock"}))
def test_only_the_clock_reads_the_time(name):
    """Time is a parameter: no other module imports ``time`` or asks for the present moment."""
    module = tree(MODULES[name])
    assert "time" not in foreign_imports(MODULES[name])
    asked = {
        node.func.attr
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    }
    assert not asked & READS_THE_TIME


@pytest.mark.parametrize(
    "path", [*MODULES.values(), *SANDBOX.values()], ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_every_module_says_what_it_is(path):
    """Every module begins with a docstring."""
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("name", sorted(set(HEIGHT) - {"__init__", "_version"}))
def test_what_others_may_use_is_listed(name):
    """A module imports from another only names that the other one lists in ``__all__``, or its named settings."""
    for node in ast.walk(tree(MODULES[name])):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module not in (None, "_version"):
            listed = exported(MODULES[node.module])
            assert {alias.name for alias in node.names if not alias.name.isupper()} <= listed, node.module


def exported(path):
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()
