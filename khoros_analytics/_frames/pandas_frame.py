"""From a table of Arrow to a DataFrame of pandas, with pandas' own types or with Arrow's."""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..errors import ParameterError
from .column_types import TEXT, UNITS, ColumnType, SchemaHints
from .spelling import FIRST_FAR_YEAR, FIRST_NEAR_YEAR, MOMENT, OFFSET
from .workers import THREADS, in_order

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["DtypeBackend", "check_backend", "may_be_moments", "moments_in", "pandas_frame"]

DtypeBackend = Literal["pandas", "pyarrow"]
"""Whose types the columns of a DataFrame have: pandas' own, or those of Arrow."""

_UTC = "UTC"
_VALUES_AT_ONCE = 64
"""Usually the first of so many is not missing."""
_MANY = 10_000
"""From so many rows on, threads are of use."""
_WITH_OFFSET = MOMENT + OFFSET
_CALENDAR = "0001-01-03", "9999-12-30"
"""Between these days a moment lies in the years 1 to 9999 in every zone."""
_NANOSECONDS = FIRST_NEAR_YEAR, FIRST_FAR_YEAR
"""Between these years 64 bits of nanoseconds reach it."""


def check_backend(backend: object) -> DtypeBackend:
    """Return whose types are meant; a ParameterError for anything else."""
    for known in get_args(DtypeBackend):
        if backend == known:
            return known  # type: ignore[no-any-return] # it is one of them
    raise ParameterError(f"dtype_backend: {backend!r} is not known; give 'pandas' or 'pyarrow'")


def pandas_frame(table: "pa.Table", backend: DtypeBackend, hints: SchemaHints, zone: str | None) -> "pd.DataFrame":
    """Return a table as a DataFrame; columns with several offsets become moments in a zone, UTC when not known.

    Arrow's own way to do so takes twice as long for a few rows, and does one column of texts after the other for many.
    """
    import pandas as pd

    table = _with_moments(table, hints, zone or _UTC)
    make: Callable[[pa.ChunkedArray], Any] = (
        pd.arrays.ArrowExtensionArray if backend == "pyarrow" else partial(_pandas_array, _pandas_types())
    )
    arrays = in_order(make, table.columns, THREADS if table.num_rows >= _MANY else 0)
    columns = dict(zip(table.column_names, arrays, strict=True))
    names = None if columns else pd.Index([], dtype=object)
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), columns=names, copy=False)


def _pandas_types() -> "dict[pa.DataType, Any]":
    import pandas as pd
    import pyarrow as pa

    return {
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }


def _pandas_array(types: "dict[pa.DataType, Any]", values: "pa.ChunkedArray") -> Any:
    """Return a column as pandas has it. Dates are their first moments: there is no type of its own for them."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(values.type):
        zone = values.type.tz
        if zone is None:
            moments = values.to_numpy()
            return moments if moments.flags.writeable else moments.copy()
        # Of a single chunk pandas takes the memory as it is: nobody could write to it.
        return pd.DatetimeTZDtype(values.type.unit, zone).__from_arrow__(values).copy()
    if pa.types.is_string(values.type):
        return pd.arrays.ArrowStringArray(values)
    return types[values.type].__from_arrow__(values)


def _with_moments(table: "pa.Table", hints: SchemaHints, zone: str) -> "pa.Table":
    import pyarrow as pa

    for index, (name, values) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_string(values.type) and _begin_with_moment(values) and may_be_moments(name, hints):
            moments = moments_in(values, zone)
            if moments is not None:
                table = table.set_column(index, name, moments)
    return table


def may_be_moments(column: str, hints: SchemaHints) -> bool:
    """Return whether a column of text may become one of moments, as far as anybody said."""
    said = hints.initial(column), ColumnType(hints.overrides.get(column))
    return not hints.stays_text(column) and TEXT not in said


def moments_in(values: "pa.ChunkedArray", zone: str) -> "pa.ChunkedArray | None":
    """Return texts as moments in a zone; None unless each of them is one that has an offset."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _begin_with_moment(values):
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


def _begin_with_moment(values: "pa.ChunkedArray") -> bool:
    """Return whether the first value that is not missing is a moment with an offset."""
    for start in range(0, len(values), _VALUES_AT_ONCE):
        for text in values.slice(start, _VALUES_AT_ONCE).to_pylist():
            if text is not None:
                return bool(re.fullmatch(_WITH_OFFSET, text))
    return False


def _lie_between(values: "pa.ChunkedArray", first: str, end: str) -> bool:
    import pyarrow.compute as pc

    bounds = pc.min_max(values).as_py()
    return bool(bounds["min"] >= first and bounds["max"] < end)
