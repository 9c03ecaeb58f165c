"""Forms in which a file may come: all of them valid, however odd."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from _wire import packed

__all__ = ["FORMS", "read", "shape", "version"]

Change = Callable[[bytes], bytes]


def _same(content: bytes) -> bytes:
    return content


def _quoted(content: bytes) -> bytes:
    """Add a column of texts with line ends and quotes in them, some of them not quoted."""
    cells = ['5" screen', '"two\r\nlines, and ""quotes"""', "plain", '""', '"[1, 2"', "tail\"'"]
    lines = []
    for number, row in enumerate(csv.reader(io.StringIO(content.decode(), newline=""))):
        written = io.StringIO(newline="")
        csv.writer(written).writerow(row)
        lines.append(written.getvalue().removesuffix("\r\n") + f",{cells[number % 6] if number else 'ODD'}\r\n")
    return "".join(lines).encode()


def _nested(content: bytes) -> bytes:
    """Add an array of objects to each row, and write it for people."""
    rows = [{**row, "ODD": [{"a": "]"}, {"b": [n, '}"]']}]} for n, row in enumerate(json.loads(content))]
    return json.dumps(rows, indent=1).encode()


FORMS: dict[str, dict[str, Change]] = {
    "csv": {
        "plain": _same,
        "quoted": _quoted,
        "line feeds": lambda content: content.replace(b"\r\n", b"\n"),
        "no last line end": lambda content: content.removesuffix(b"\r\n"),
        "blank lines": lambda content: content + b"\r\n\r\n",
        "BOM": lambda content: b"\xef\xbb\xbf" + content,
        "UTF-16": lambda content: content.decode().encode("utf-16"),
        "gzip": packed,
    },
    "json": {
        "plain": _same,
        "nested": _nested,
        "blanks": lambda content: content + b" " * 100 + b"\n",
        "BOM": lambda content: b"\xef\xbb\xbf" + content,
        "UTF-16": lambda content: content.decode().encode("utf-16"),
        "gzip": packed,
    },
}
"""By format and name."""


def shape(format: str, form: str, content: bytes) -> bytes:
    """Return a file of the sandbox in another form."""
    return FORMS[format][form](content)


def version(format: str, number: int, content: bytes) -> bytes:
    """Return the same export as it is written anew: more rows, and each byte elsewhere."""
    if not number:
        return content
    if format == "json":
        row = b'{"VERSION": %d}' % number
        return b"[" + row + (b",\n" if content.strip() != b"[]" else b"") + content[1:]
    head, end, rest = content.partition(b"\r\n")
    first = rest.partition(b"\r\n")[0] if b'"' not in rest[:2000] else b""
    return head + end + (first + end if first else b"," * head.count(b",") + end) * number + rest


def read(format: str, content: bytes) -> list[dict[str, Any]]:
    """Return a file's rows as the standard library has them."""
    if format == "json":
        return json.loads(content)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
