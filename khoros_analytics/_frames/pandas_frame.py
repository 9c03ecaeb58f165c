"""From a table of Arrow to a DataFrame of pandas, with pandas' own types or with Arrow's."""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import ParameterError
from .column_types import TEXT, UNITS, ColumnType, SchemaHints

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["DtypeBackend", "check_backend", "may_be_moments", "moments_in", "pandas_frame"]

DtypeBackend = Literal["pandas", "pyarrow"]
"""Whose types the columns of a DataFrame have: pandas' own, or those of Arrow."""

_UTC = "UTC"
_WITH_OFFSET = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_CALENDAR = "0001-01-03", "9999-12-30"
"""Between these days a moment lies in the years 1 to 9999 in every zone."""
_NANOSECONDS = "1678", "2262"
"""Between these years 64 bits of nanoseconds reach it."""


def check_backend(backend: object) -> DtypeBackend:
    """Return whose types are meant; a ParameterError for anything else."""
    for known in get_args(DtypeBackend):
        if backend == known:
            return known  # type: ignore[no-any-return] # it is one of them
    raise ParameterError(f"dtype_backend: {backend!r} is not known; give 'pandas' or 'pyarrow'")


def pandas_frame(table: "pa.Table", backend: DtypeBackend, hints: SchemaHints, zone: str | None) -> "pd.DataFrame":
    """Return a table as a DataFrame; columns with several offsets become moments in a zone, UTC when not known."""
    import pandas as pd

    table = _with_moments(table, hints, zone or _UTC)
    frame: pd.DataFrame
    if backend == "pyarrow":
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    else:
        frame = _with_midnights(table).to_pandas(types_mapper=_pandas_types().get)
    return frame


def _pandas_types() -> "dict[pa.DataType, pd.api.extensions.ExtensionDtype]":
    """Return pandas' types for those of Arrow; timestamps need none, since NaT is a value of NumPy's own type."""
    import pandas as pd
    import pyarrow as pa

    return {
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype("pyarrow"),
    }


def _with_midnights(table: "pa.Table") -> "pa.Table":
    """Turn dates into their first moments: pandas has no type of its own for dates."""
    import pyarrow as pa

    for index, column in enumerate(table.schema):
        if pa.types.is_date(column.type):
            table = table.set_column(index, column.name, table.column(index).cast(pa.timestamp("s")))
    return table


def _with_moments(table: "pa.Table", hints: SchemaHints, zone: str) -> "pa.Table":
    import pyarrow as pa

    for index, column in enumerate(table.schema):
        if pa.types.is_string(column.type) and may_be_moments(column.name, hints):
            moments = moments_in(table.column(index), zone)
            if moments is not None:
                table = table.set_column(index, column.name, moments)
    return table


def may_be_moments(column: str, hints: SchemaHints) -> bool:
    """Return whether a column of text may become one of moments, as far as anybody said."""
    said = hints.initial(column), ColumnType(hints.overrides.get(column))
    return not hints.stays_text(column) and TEXT not in said


def moments_in(values: "pa.ChunkedArray", zone: str) -> "pa.ChunkedArray | None":
    """Return texts as moments in a zone; None unless each of them is one that has an offset."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first = next((text for chunk in values.chunks for text in chunk.drop_null().slice(0, 1).to_pylist()), None)
    if first is None or not re.fullmatch(_WITH_OFFSET, first):
        return None
    if not pc.all(pc.match_substring_regex(values, rf"\A{_WITH_OFFSET}\z")).as_py():
        return None
    if not _lie_between(values, *_CALENDAR):
        return None
    for unit in UNITS if _lie_between(values, *_NANOSECONDS) else UNITS[:-1]:
        # An error says that a unit is not fine enough, or that there is no such day.
        with suppress(pa.ArrowInvalid):
            return values.cast(pa.timestamp(unit, _UTC)).cast(pa.timestamp(unit, zone))
    return None


def _lie_between(values: "pa.ChunkedArray", first: str, end: str) -> bool:
    import pyarrow.compute as pc

    bounds = pc.min_max(values).as_py()
    return bool(bounds["min"] >= first and bounds["max"] < end)
