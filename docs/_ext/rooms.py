"""The rooms of the package and what each imports, read from its source: as a table of names, and as a picture in SVG.

It needs the standard library alone, so that a test can load it and compare the picture with the law.
"""

import ast
from html import escape
from pathlib import Path
from statistics import fmean
from textwrap import wrap
from typing import NamedTuple

__all__ = ["GROUND", "arrows", "draw"]

GROUND = "ground"
SANDBOX = "sandbox"

# Pixels, on a page that is as wide as the theme's text.
WIDTH, HOUSE_WIDTH = 760, 604
BOX_HEIGHT, BAR_HEIGHT, FLOOR_GAP, GAP = 76, 46, 44, 16
LETTER_WIDTH, LINE_HEIGHT = 6.4, 15

# The theme's own variables make the picture as light or as dark as the page.
STYLE = """
.rooms { min-width: 600px; max-width: 100%; height: auto; }
.rooms rect { fill: var(--color-background-secondary); stroke: var(--color-foreground-muted); }
.rooms text { fill: var(--color-foreground-primary); text-anchor: middle; font-size: 12px; }
.rooms text.name { font: bold 14px var(--font-stack--monospace); }
.rooms path.arrow { fill: none; stroke: var(--color-brand-content); stroke-width: 1.5; marker-end: url(#rooms-head); }
.rooms path.head { fill: var(--color-brand-content); }
"""
HEAD = (
    '<marker id="rooms-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0,0.5 L8,4 L0,7.5 z"/></marker>'
)

Imports = dict[str, set[str]]


class Box(NamedTuple):
    """Where a room stands in the picture."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The middle between left and right."""
        return self.left + self.width / 2

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height


def arrows(package: Path) -> Imports:
    """Return each room with the other rooms that its modules import.

    The modules that lie in no folder are one room, the ground floor. The package's own ``__init__`` is left out: it
    hands on names of every room.
    """
    found: Imports = {GROUND: set()}
    for module, imported in modules(package).items():
        room = room_of(package, module)
        found.setdefault(room, set()).update({room_of(package, name) for name in imported} - {room})
    return found


def modules(package: Path) -> Imports:
    """Return each module with what it imports of the package, as dotted names below the package."""
    found: Imports = {}
    for path in sorted(package.rglob("*.py")):
        *folders, stem = path.relative_to(package).with_suffix("").parts
        if folders or stem not in ("__init__", "__main__"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[".".join([*folders, stem])] = own_imports(tree, [package.name, *folders])
    return found


def own_imports(tree: ast.Module, folders: list[str]) -> set[str]:
    """Return what a module in these folders imports of the package, at its top or inside functions."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = folders[: len(folders) + 1 - node.level] if node.level else []
            base = [*base, node.module] if node.module else base
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return {name.partition(".")[2] for name in names if name.startswith(f"{folders[0]}.")}


def room_of(package: Path, module: str) -> str:
    """Return the folder that a module lies in, or the ground floor."""
    first = module.partition(".")[0]
    return first if (package / first).is_dir() else GROUND


def draw(package: Path) -> str:
    """Write the picture: the house on its ground floor, and the sandbox beside it."""
    found = arrows(package)
    house = {room: others - {GROUND} for room, others in found.items() if room not in {GROUND, SANDBOX}}
    boxes = arrange(house)
    bottom = max(box.bottom for box in boxes.values())

    beside = HOUSE_WIDTH + GAP
    roof = Box(0, 0, WIDTH, BAR_HEIGHT)
    sandbox = Box(beside, bottom - 2 * BOX_HEIGHT - FLOOR_GAP, WIDTH - beside, 2 * BOX_HEIGHT)
    ground = Box(0, bottom + GAP, WIDTH, BAR_HEIGHT)
    ground_floor = ", ".join(name for name in modules(package) if room_of(package, name) == GROUND)

    parts = draw_arrows(house, boxes)
    parts += [draw_box(boxes[room], room, purpose(package, room), shortcuts(house, room)) for room in house]
    parts += [
        draw_box(roof, package.name, "the public names, each loaded when it is first used"),
        draw_box(sandbox, SANDBOX, purpose(package, SANDBOX)),
        draw_arrow(sandbox.middle, sandbox.bottom, sandbox.middle, ground.top),
        draw_box(ground, ground_floor, "the ground floor, open to every room"),
    ]
    return (
        '<svg class="rooms" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="rooms-title rooms-words"'
        f' width="{WIDTH + 2}" height="{ground.bottom + 2:.0f}" viewBox="-1 -1 {WIDTH + 2} {ground.bottom + 2:.0f}">'
        f'<title id="rooms-title">The rooms of {package.name}</title><desc id="rooms-words">{in_words(found)}</desc>'
        f"<style>{STYLE}</style><defs>{HEAD}</defs>{''.join(parts)}</svg>"
    )


def in_words(found: Imports) -> str:
    """Say what the picture shows to whoever cannot see it."""
    return " ".join(f"{room} imports {', '.join(sorted(others)) or 'no other'}." for room, others in found.items())


def purpose(package: Path, room: str) -> str:
    """Return what a room says of itself, up to the first comma or colon."""
    docstring = ast.get_docstring(ast.parse((package / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n\n")[0].partition(":")[0].partition(",")[0].rstrip(".")


def shortcuts(house: Imports, room: str) -> str:
    """Name the rooms that get no arrow, since a way of arrows leads there anyway."""
    names = sorted(house[room] - nearest(house, room))
    return f"also imports {', '.join(names)}" if names else ""


def nearest(house: Imports, room: str) -> set[str]:
    """Return the rooms that a room imports and does not reach through others."""
    return house[room] - set().union(*(reached(house, other) for other in house[room]))


def reached(house: Imports, room: str) -> set[str]:
    """Return the rooms that a room imports, and those that they import in turn."""
    return house[room].union(*(reached(house, other) for other in house[room]))


def importers(house: Imports, room: str) -> list[str]:
    """Return the rooms with an arrow to a room."""
    return [one for one in house if room in nearest(house, one)]


def arrange(house: Imports) -> dict[str, Box]:
    """Return where each room stands: above all that it imports, and near those that import it."""
    floors = {room: floor_of(house, room) for room in house}
    highest = max(floors.values())
    boxes: dict[str, Box] = {}

    def place(room: str) -> float:
        return fmean([boxes[one].middle for one in importers(house, room)] or [0])

    for floor in range(highest, -1, -1):
        rooms = sorted(sorted(room for room in house if floors[room] == floor), key=place)
        width = (HOUSE_WIDTH + GAP) / len(rooms) - GAP
        top = BAR_HEIGHT + GAP + (highest - floor) * (BOX_HEIGHT + FLOOR_GAP)
        boxes |= {room: Box(number * (width + GAP), top, width, BOX_HEIGHT) for number, room in enumerate(rooms)}
    return boxes


def floor_of(house: Imports, room: str) -> int:
    """Return the floor of a room, counted from 0: one above the highest room that it imports."""
    return max((1 + floor_of(house, other) for other in house[room]), default=0)


def draw_arrows(house: Imports, boxes: dict[str, Box]) -> list[str]:
    """Draw the arrows between the rooms; those that end at the same room share its upper edge."""
    parts = []
    for room, box in boxes.items():
        sources = sorted((boxes[one] for one in importers(house, room)), key=lambda source: source.middle)
        for number, source in enumerate(sources, start=1):
            end = box.left + box.width * number / (len(sources) + 1)
            start = min(max(end, source.left + GAP), source.left + source.width - GAP)
            parts.append(draw_arrow(start, source.bottom, end, box.top))
    return parts


def draw_arrow(start: float, top: float, end: float, bottom: float) -> str:
    """Draw an arrow downwards that is upright at both of its ends."""
    middle = (top + bottom) / 2
    bend = f"C{start:.0f},{middle:.0f} {end:.0f},{middle:.0f} {end:.0f},{bottom:.0f}"
    return f'<path class="arrow" d="M{start:.0f},{top:.0f} {bend}"/>'


def draw_box(box: Box, name: str, *lines: str) -> str:
    """Draw a rectangle with a name and with lines, broken where they are too long."""
    rest = [piece for line in lines for piece in wrap(line, int(box.width / LETTER_WIDTH))]
    y = box.top + box.height / 2 + 4 - LINE_HEIGHT * len(rest) / 2
    parts = [f'<rect x="{box.left:.0f}" y="{box.top:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"/>']
    parts.append(f'<text class="name" x="{box.middle:.0f}" y="{y:.0f}">{escape(name)}</text>')
    for number, line in enumerate(rest, start=1):
        parts.append(f'<text x="{box.middle:.0f}" y="{y + 2 + number * LINE_HEIGHT:.0f}">{escape(line)}</text>')
    return "".join(parts)
