"""Pages in Markdown as what their readers make of them: blocks to paste, the tutorial and the gallery as notebooks.

``python docs/_ext/notebook.py`` writes the notebooks in ``docs`` anew, ``--check`` only compares. It needs the standard
library alone, so that a test can load it.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Block", "blocks", "notebook"]

TUTORIAL = Path(__file__).parents[1] / "tutorial.md"
NOTEBOOK = TUTORIAL.with_name("first_export.ipynb")
GALLERY = TUTORIAL.with_name("gallery.md")
NOTEBOOKS = {TUTORIAL: NOTEBOOK, GALLERY: GALLERY.with_suffix(".ipynb")}

Json = dict[str, Any]


class Block(NamedTuple):
    """A piece of a page."""

    kind: str
    """The language of a block of code; "words" for everything between."""

    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Cut a page in Markdown into its blocks of code and the words between them."""
    line = 1
    for piece in re.split(r"^(```(?:\w+|{code-cell} \w+)\n.*?^```\n)", text, flags=re.MULTILINE | re.DOTALL):
        fence = re.fullmatch(
            r"```(?:{(code-cell)} )?(\w+)\n(?:---\n.*?^---\n)?(.*?)```\n", piece, re.DOTALL | re.MULTILINE
        )
        if fence:
            yield Block(fence[1] or fence[2], fence[3], line + 1)
        elif piece.strip():
            yield Block("words", piece.strip() + "\n", line)
        line += piece.count("\n")


def notebook(text: str) -> Json:
    """Make a notebook of a page: its Python becomes cells, with what the page says that they show.

    The cells that a page runs itself (``code-cell``) come without it: they show it when they are run.
    Everything else stays text, also programs in other languages, and those that need an account (``py``).
    """
    cells: list[Json] = []
    text = re.sub(r"\A---\n.*?^---\n", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks(text):
        if block.kind in ("python", "code-cell"):
            cells.append(code_cell(block.text))
        elif block.kind == "text" and cells[-1]["cell_type"] == "code":
            cells[-1]["outputs"] = [output(cells[-1]["source"], block.text)]
        else:
            words = block.text if block.kind == "words" else f"```{block.kind}\n{block.text}```\n"
            add_words(cells, words)
    for number, cell in enumerate(cells):
        cell["id"] = f"{number:02}"
        cell["source"] = cell["source"].rstrip("\n").splitlines(keepends=True)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def code_cell(source: str) -> Json:
    """Make a cell of a program that was not run yet."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def output(source: str, shown: str) -> Json:
    """Make the output of a cell: the value of its last line, or what it printed."""
    lines = shown.rstrip("\n").splitlines(keepends=True)
    if ast.unparse(ast.parse(source).body[-1]).startswith("print("):
        return {"output_type": "stream", "name": "stdout", "text": [*lines[:-1], f"{lines[-1]}\n"]}
    return {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": {"text/plain": lines}}


def add_words(cells: list[Json], words: str) -> None:
    """Add text, to the cell before where that is text, too."""
    if cells and cells[-1]["cell_type"] == "markdown":
        cells[-1]["source"] += f"\n{words}"
    else:
        cells.append({"cell_type": "markdown", "metadata": {}, "source": words})


def main(arguments: list[str]) -> int:
    """Write the notebooks, or compare them with what would be written."""
    for page, path in NOTEBOOKS.items():
        wanted = json.dumps(notebook(page.read_text(encoding="utf-8")), indent=1, ensure_ascii=False) + "\n"
        if "--check" not in arguments:
            path.write_text(wanted, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
            sys.stderr.write(f"{path.name} differs from {page.name}: run `nox -s generate`\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
