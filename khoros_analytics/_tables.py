"""Tables for people: as HTML in a notebook, as text in a terminal. Every value that shows itself as one is drawn here.

The HTML holds no asset, no script and no colour, so it looks right in the dark and in a saved notebook; each table says
what it is in its caption, and its headers say what they are headers of, so that a screen reader can read it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice

from attrs import frozen

__all__ = ["Table", "as_html", "as_text", "in_words", "printable"]

MOST_ROWS = 100
"""How many rows are shown; a slice of a longer list shows the others."""

_WIDEST, _WIDEST_LAST = 60, 300  # how many characters a cell of a text has at most, and one at the end of its line
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROLS_BUT_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Notebooks set numbers and names alike to the right, and captions in a grey of their own.
_CAPTION = "caption-side:top;text-align:left;color:inherit;font-weight:bold;padding:0.2em 0"
_CELL = "text-align:left;vertical-align:top;white-space:pre-wrap"


@frozen
class Table:
    """What is to be shown.

    Attributes:
        caption: What the table is, in a line.
        head: The names of its columns; empty where the first cell of each row says what the second one is.
        rows: Its rows, as texts.
        size: How many rows there are.
    """

    caption: str
    head: Sequence[str]
    rows: Iterable[Sequence[str]]
    size: int

    @property
    def left_out(self) -> str:
        """What stands below the rows that are shown; empty where none is left out."""
        more = self.size - MOST_ROWS
        return f"and {more:,} more; a slice, such as [{MOST_ROWS}:{2 * MOST_ROWS}], shows them" if more > 0 else ""


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text without what a terminal would obey or no file could hold; with ``lines``, line breaks stay."""
    controls = _CONTROLS_BUT_LINES if lines else _CONTROLS
    return controls.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_words(value: object) -> str:
    """Return an argument of a call as people write it: several values one after the other, a length of time by its sum.

    Example:
        >>> in_words(["STATUS", "PRIORITY"]), in_words({"raise": True}), in_words("csv")
        ('STATUS, PRIORITY', 'raise=True', 'csv')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={in_words(one)}" for name, one in value.items())
    return str(value)


def as_html(table: Table) -> str:
    """Return a table for a notebook."""
    head = "".join(_cell("th", name, ' scope="col"') for name in table.head)
    body = "".join(_row(row) for row in islice(table.rows, MOST_ROWS))
    if table.left_out:
        body += f'<tr><td colspan="{max(len(table.head), 2)}" style="{_CELL}">{escape(table.left_out)}</td></tr>'
    return (
        f'<div style="overflow-x:auto"><table><caption style="{_CAPTION}">{escape(printable(table.caption))}</caption>'
        + (f"<thead><tr>{head}</tr></thead>" if head else "")
        + f"<tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    header = _cell("th", first, ' scope="row"')
    return f"<tr>{header}{''.join(_cell('td', cell) for cell in others)}</tr>"


def _cell(tag: str, text: str, scope: str = "") -> str:
    return f'<{tag}{scope} style="{_CELL}">{escape(printable(text, lines=True))}</{tag}>'


def as_text(table: Table) -> str:
    """Return a table for a terminal: one line for each row, after the caption."""
    rows = [_shortened(row) for row in islice(table.rows, MOST_ROWS)]
    lines = [list(table.head), *rows] if table.head and rows else rows
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    below = [table.left_out] if table.left_out else []
    return "\n".join(line.rstrip() for line in (f"<{printable(table.caption)}>", *aligned, *below))


def _shortened(row: Sequence[str]) -> list[str]:
    most = [*[_WIDEST] * (len(row) - 1), _WIDEST_LAST]
    texts = map(printable, row)
    return [text if len(text) <= width else f"{text[: width - 3]}..." for text, width in zip(texts, most, strict=True)]
