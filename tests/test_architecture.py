"""The law of the rooms: which folder may import which, read from the source of every module."""

import ast
import re
import runpy
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import khoros_analytics

PACKAGE = Path(__file__).parent.parent / "khoros_analytics"
DOCS = Path(__file__).parent.parent / "docs"

# The ground floor: modules that every room may import. Each of them imports only those to its left.
GROUND = ("_tracebacks", "errors", "_version", "_tables", "reports", "_secrecy", "_clock", "_checks", "times")

# Every room, and the rooms that it may import beside the ground floor.
ROOMS = {
    "_storage": (),
    "_protocol": (),
    "_rows": (),
    "_display": (),
    "_http": ("_protocol", "_storage"),
    "_frames": ("_rows", "_storage"),
    "_journal": ("_protocol", "_storage", "_display"),
    "_jobs": ("_http", "_journal", "_frames", "_rows", "_storage", "_protocol", "_display"),
    "_backfill": ("_jobs", "_journal", "_frames", "_storage", "_protocol", "_display"),
    "_client": ("_backfill", "_jobs", "_journal", "_http", "_protocol", "_display"),
    "_cli": ("_client",),
}

# The sandbox stands apart: of the package it imports these two, and inside it each part only those to its left.
SANDBOX_MAY_IMPORT = {"reports", "_clock"}
SANDBOX = (
    "_clock",
    "_validation",
    "_data",
    "_wire",
    "_options",
    "_fault_queue",
    "_damage",
    "_faults",
    "faults",
    "_hosts",
    "_server",
    "_sandbox",
)

# What is not in the standard library, the two standard modules that belong to one room, and the rooms that import each.
THIRD_PARTIES = {
    "attrs": {*ROOMS, "ground", "sandbox"},
    "tenacity": {"_http", "_jobs"},
    "requests": {"_http"},
    "urllib3": {"_http"},
    "keyring": {"_http"},
    "platformdirs": {"_client"},
    "tomlkit": {"_client"},
    "click": {"_cli"},
    "fcntl": {"_storage", "sandbox"},
    "fsspec": {"_storage"},
    "sqlite3": {"_journal"},
    "orjson": {"_rows"},
    "numpy": {"_frames"},
    "pyarrow": {"_frames"},
    "pandas": {"_frames"},
    "polars": {"_frames"},
    "IPython": {"_display"},
    "tqdm": {"_display"},
    "xlsxwriter": {"_frames"},
    "werkzeug": {"sandbox"},
}
OPTIONAL = {
    "IPython",
    "tqdm",
    "fsspec",
    "keyring",
    "numpy",
    "orjson",
    "pandas",
    "platformdirs",
    "polars",
    "pyarrow",
    "tomlkit",
    "werkzeug",
    "xlsxwriter",
}
# A type checker has to be told what the methods of a job and of a dataset return.
ANNOTATED_IN = {"_jobs", "_backfill"}
READS_THE_TIME = {"now", "utcnow", "today"}

# Run by its path and imported by nobody: it writes one of the modules.
GENERATOR = PACKAGE / "_client" / "generate.py"
MODULES = sorted(PACKAGE.rglob("*.py"))
SANDBOX_SIDE = [path for path in MODULES if (PACKAGE / "sandbox") in path.parents]
CLIENT_SIDE = [path for path in MODULES if path not in SANDBOX_SIDE and path != GENERATOR]


def name_of(path):
    """The dotted name of a module below the package; a folder's own module has the folder's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


def room_of(name):
    """The room of a module: its folder, the ground floor, or the package's own ``__init__``."""
    first = name.partition(".")[0]
    return "ground" if first in GROUND else first


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path):
    """All imports of a module, wherever in it they stand, as absolute dotted names."""
    package = ["khoros_analytics", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import x` may name modules, `from .x import y` names the module itself.
            found += [start] if node.module else [f"{start}.{alias.name}" for alias in node.names]
    return found


def own_imports(path):
    """The modules of the package itself that a module imports, without the package's name."""
    own = [name for name in imports(path) if name.split(".")[0] == "khoros_analytics"]
    return {name.partition(".")[2] or "__init__" for name in own}


def foreign_imports(path):
    return {name.split(".")[0] for name in imports(path)} - {"khoros_analytics"}


def imported_for_type_checkers(path):
    conditions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.If)]
    blocks = [node for node in conditions if ast.unparse(node.test) == "TYPE_CHECKING"]
    nodes = [node for block in blocks for node in block.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(getattr(node, "module", None) or alias.name).split(".")[0] for node in nodes for alias in node.names}


def every_module(paths):
    return pytest.mark.parametrize("path", paths, ids=name_of)


INSIDE = [path for path in CLIENT_SIDE if name_of(path) != "__init__"]


def test_every_module_has_its_room():
    """The package holds the rooms of the table, the ground floor, the sandbox, and nothing else."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*ROOMS, "sandbox"}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*GROUND, "__init__", "__main__"}


def test_rooms_stand_in_order():
    """Each room may import only rooms above it in the table, so no two rooms can import one another."""
    order = list(ROOMS)
    assert all(order.index(other) < order.index(room) for room, others in ROOMS.items() for other in others)


@every_module(INSIDE)
def test_imports_follow_the_law(path):
    """A module imports from its own room, from the rooms that its room may import, and from the ground floor."""
    room = room_of(name_of(path))
    # What starts the command line is no more than a way into its room.
    allowed = {room, "ground", *(ROOMS.get(room, ()) if room != "__main__" else ("_cli",))}
    assert {other for other in own_imports(path) if room_of(other) not in allowed} == set()


def test_picture_shows_the_imports():
    """The picture of the docs has an arrow for each import between rooms, and no other: so it keeps the law, too."""
    drawn = runpy.run_path(str(DOCS / "_ext" / "rooms.py"))["arrows"](PACKAGE)
    found = {room: set() for room in ("ground", *ROOMS, "sandbox")}
    for path in [path for path in MODULES if name_of(path) not in ("__init__", "__main__")]:
        room = room_of(name_of(path))
        found[room] |= {room_of(other) for other in own_imports(path)} - {room}
    assert drawn == found


def test_page_tells_the_law():
    """The table of rooms in the docs is the law, with the libraries that live in one room alone."""
    page = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - ``(\w+)``\n     - .+\n     -(.*)\n     -(.*)$", page, re.MULTILINE)
    may_import = {room: set(re.findall(r"``(\w+)``", cell)) for room, cell, _ in rows}
    alone = {room: set(re.findall(r"\w+", cell)) for room, _, cell in rows}
    assert may_import == {**{room: set(others) for room, others in ROOMS.items()}, "sandbox": SANDBOX_MAY_IMPORT}
    assert alone == {room: {name for name, rooms in THIRD_PARTIES.items() if rooms == {room}} for room in may_import}


@pytest.mark.parametrize("name", GROUND)
def test_ground_floor_imports_leftwards(name):
    """A module of the ground floor imports only those that stand to its left."""
    assert own_imports(PACKAGE / f"{name}.py") <= set(GROUND[: GROUND.index(name)])


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_have_no_cycle(room):
    """Within a room, imports go in one direction."""
    modules = {name_of(path): path for path in (PACKAGE / room).glob("*.py") if path != GENERATOR}
    inside = {name: own_imports(path) & set(modules) for name, path in modules.items()}
    assert set(TopologicalSorter(inside).static_order()) == set(modules)  # a CycleError names the cycle


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_hand_nothing_on(room):
    """A room's ``__init__`` says what the room is for and imports nothing: each name has one home."""
    module = tree(PACKAGE / room / "__init__.py")
    assert [type(node) for node in module.body] == [ast.Expr]
    assert 1 <= ast.get_docstring(module).count(". ") + 1 <= 3


@every_module(MODULES)
def test_no_trick_upward(path):
    """Nothing of the package is imported for the type checker alone, or by its name: the table says it all."""
    if name_of(path) == "__init__":
        return  # it stands above all others, and has a test of its own
    words = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not words & {"import_module", "__import__"}
    if room_of(name_of(path)) != "_cli":  # it imports late what it names, so that help is quick
        assert imported_for_type_checkers(path) <= OPTIONAL


@every_module(CLIENT_SIDE)
def test_optional_libraries_are_imported_late(path):
    """The package can be imported without any optional library: only functions, and type checkers, import one."""
    top = [node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and not node.level}
    assert not {found.split(".")[0] for found in names} & OPTIONAL


@every_module(MODULES)
def test_third_parties(path):
    """Each dependency is met in the one or two rooms that are there for it."""
    room = room_of(name_of(path))
    found = foreign_imports(path) & set(THIRD_PARTIES)
    if room in ANNOTATED_IN:
        found -= imported_for_type_checkers(path)
    assert {other for other in found if room not in THIRD_PARTIES[other]} == set()


def test_third_parties_are_all_named():
    """Only the standard library and the declared dependencies are imported at all, and the table names no other."""
    found = set().union(*map(foreign_imports, MODULES))
    assert found - set(sys.stdlib_module_names) == set(THIRD_PARTIES) - set(sys.stdlib_module_names)


def test_generator_stands_alone():
    """Nobody imports the generator, and it imports nothing of the package: it writes one of its modules."""
    assert own_imports(GENERATOR) == set()
    assert all(name_of(GENERATOR) not in own_imports(path) for path in MODULES)


@every_module(SANDBOX_SIDE)
def test_sandbox_knows_nothing_of_the_client(path):
    """The sandbox shares only the table and the clock with the client: a misread of the API would show."""
    outside = {other for other in own_imports(path) if other.split(".")[0] != "sandbox"}
    assert outside <= SANDBOX_MAY_IMPORT


@every_module([path for path in SANDBOX_SIDE if name_of(path) not in ("sandbox", "sandbox.__main__")])
def test_sandbox_imports_leftwards(path):
    """Each part of the sandbox imports only the parts to its left, and itself."""
    part = name_of(path).split(".")[1]
    inside = {other.split(".")[1] for other in own_imports(path) if other.startswith("sandbox.")}
    assert inside <= set(SANDBOX[: SANDBOX.index(part) + 1])


def test_sandbox_parts_have_no_cycle():
    """The modules of the sandbox import one another in one direction."""
    modules = {name_of(path): path for path in SANDBOX_SIDE}
    inside = {name: own_imports(path) & set(modules) for name, path in modules.items()}
    assert set(TopologicalSorter(inside).static_order()) == set(modules)  # a CycleError names the cycle


@every_module(CLIENT_SIDE)
def test_nobody_in_the_package_imports_the_sandbox(path):
    """The sandbox is an extra: the library works without it."""
    assert not any(other.split(".")[0] == "sandbox" for other in own_imports(path))


@every_module([path for path in CLIENT_SIDE if name_of(path) != "_clock"])
def test_only_the_clock_reads_the_time(path):
    """Time is a parameter: no other module imports ``time`` or asks for the present moment."""
    assert "time" not in foreign_imports(path)
    asked = {
        node.func.attr
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    }
    assert not asked & READS_THE_TIME


@every_module(MODULES)
def test_every_module_says_what_it_is(path):
    """Every module begins with a docstring."""
    assert ast.get_docstring(tree(path))


@every_module(INSIDE)
def test_what_others_may_use_is_listed(path):
    """A module imports from another only names that the other one lists in ``__all__``, or its named settings."""
    package = path.parent
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            folder = package if node.level == 1 else package.parents[node.level - 2]
            source = folder.joinpath(*node.module.split(".")).with_suffix(".py")
            if source.stem != "_version":
                assert {alias.name for alias in node.names if not alias.name.isupper()} <= exported(source), node.module


def exported(path):
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_public_names_are_listed_once():
    """The list of homes is the only list of public names: ``__all__`` and the imports for tools follow from it."""
    listed = [name for names in khoros_analytics._HOMES.values() for name in names]
    assert sorted([*listed, "__version__"]) == sorted(khoros_analytics.__all__)
    assert len(set(listed)) == len(listed)


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
