"""Rows: an export's file as one dict after the other, in constant memory."""

import os
from collections.abc import Generator
from typing import IO, Any, TypeVar

from .csv_reader import csv_rows
from .json_reader import json_rows
from .source import Format, open_export

__all__ = ["primed", "read_rows"]

T = TypeVar("T")


def read_rows(
    source: str | os.PathLike[str] | IO[bytes], *, format: Format | None = None
) -> Generator[dict[str, Any], None, None]:
    """Read a downloaded export row by row, in constant memory, however large it is.

    Args:
        source: The file's path, or a binary stream: CSV or JSON, also compressed with gzip. A stream stays open.
        format: ``"csv"`` or ``"json"``; found out by the first bytes when not given.

    Returns:
        An iterator of dicts from column to value. In CSV all values are texts, and None where nothing stands; JSON
        keeps the types that each row has.

    Raises:
        ExportFormatError: The file is damaged or no export: at the call where the beginning shows it, else when the
            iterator gets there. No row is left out silently.
        ParameterError: ``source`` is neither a path nor a binary stream.
        FileNotFoundError: There is no such file.

    Example:
        >>> path = client.user("2019-02-01", "2019-02-02", metrics=["ACTIVE"]).download("users.csv")
        >>> next(read_rows(path)) in ({"ACTIVE": "true"}, {"ACTIVE": "false"})
        True
    """
    return primed(_rows(source, format))


def primed(generator: Generator[T, None, None]) -> Generator[T, None, None]:
    """Run a generator up to its first ``yield`` and drop that value: from then on ``close()`` closes what it opened."""
    next(generator)
    return generator


def _rows(source: str | os.PathLike[str] | IO[bytes], format: Format | None) -> Generator[dict[str, Any], None, None]:
    """Yield the rows, after an empty one once the file is open; see :func:`primed`."""
    with open_export(source, format) as export:
        yield {}
        yield from csv_rows(export) if export.format == "csv" else json_rows(export)
