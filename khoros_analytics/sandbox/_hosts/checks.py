"""Checks: whether a creation call's arguments are good, by the table and the documented rules."""

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo, available_timezones

from ...reports import Kind, Parameter, Report
from .._data.columns import columns_of

__all__ = ["Arguments", "collect", "find_problem", "too_many_buckets"]

Arguments = Mapping[str, tuple[str, ...]]
"""The values of each parameter by its name on the wire, in the order in which they came."""

_WEEK = 7 * 86_400_000
_MONTH = 28 * 86_400_000
_LAST_MOMENT = 253_370_764_800_000  # the year 9999: later ones are no dates in Python
_DIGITS = 20  # more than any number of the API needs, and few enough for int()
_COLUMNS, _COLUMN_NAME = 1000, 200  # so many columns in one export, each name so long
_BOOLEANS = ("true", "false")


def collect(
    report: Report, place: str, query: Iterable[tuple[str, str]], form: Iterable[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    """Return the arguments from the place where the report documents them.

    One that travels in the wrong place is not seen, as if it had not been sent; parameters that the report does not
    list count wherever they are.
    """
    listed = {parameter.wire: "query" if parameter.in_query else place for parameter in report.parameters}
    gathered: dict[str, tuple[str, ...]] = {}
    for where, pairs in (("query", query), ("body", form)):
        for wire, value in pairs:
            if listed.get(wire, where) == where:
                gathered[wire] = (*gathered.get(wire, ()), value)
    return gathered


def find_problem(report: Report, arguments: Arguments, *, strict: bool) -> str | None:
    """Return what is wrong with a creation call, or None."""
    return (
        _missing(report, arguments)
        or _wrong_value(report, arguments)
        or _contradiction(arguments)
        or _too_many_columns(arguments)
        or (_unlisted(report, arguments) or _unknown_column(report, arguments) if strict else None)
    )


def too_many_buckets(report: Report, arguments: Arguments) -> int | None:
    """Return the number of intervals in the window when they are too short for it, otherwise None.

    Over a month's range the vendor takes a day and a week, over a week's range 8 and 12 hours and a day (openapi). The
    sandbox takes the least of each as the limit, and 28 days for a month.

    Example:
        >>> from khoros_analytics.reports import REPORTS
        >>> month = {"startTime": ("0",), "endTime": ("2678400000",), "timeInterval": ("3600000",)}
        >>> too_many_buckets(REPORTS["team_performance_interval"], month)
        745
    """
    if "timeInterval" not in {parameter.wire for parameter in report.parameters}:
        return None
    span, interval = _number(arguments, "endTime") - _number(arguments, "startTime"), _number(arguments, "timeInterval")
    least = 86_400_000 if span + 1 >= _MONTH else 28_800_000 if span + 1 >= _WEEK else 0
    return span // interval + 1 if interval < least else None


def _number(arguments: Arguments, wire: str) -> int:
    return int(arguments[wire][0])


def _missing(report: Report, arguments: Arguments) -> str | None:
    """Return the complaint about a required parameter that did not come."""
    required = {"start", "end", *report.required}
    for parameter in report.parameters:
        if parameter.name in required and parameter.wire not in arguments:
            return f"{parameter.wire} is required"
    return None


def _wrong_value(report: Report, arguments: Arguments) -> str | None:
    """Return the complaint about the first value that cannot be."""
    for parameter in report.parameters:
        values = arguments.get(parameter.wire, ())
        if len(values) > 1 and parameter.kind is not Kind.REPEATED:
            return f"{parameter.wire} was given {len(values)} times"
        for value in values:
            if not _good(parameter, value):
                return f"{parameter.wire} cannot be {value[:80]!r}"
    return None


def _contradiction(arguments: Arguments) -> str | None:
    """Return the complaint about arguments that do not go together."""
    if _number(arguments, "startTime") > _number(arguments, "endTime"):
        return "startTime is after endTime"
    switched_on = arguments.get("enableBusinessHour", ("",))[0].lower() == "true"
    if "businessHourType" in arguments and not switched_on:
        return "businessHourType requires enableBusinessHour=true"
    return None


def _unlisted(report: Report, arguments: Arguments) -> str | None:
    """Return the complaint about the first parameter that the report does not list."""
    listed = {parameter.wire for parameter in report.parameters}
    return next((f"{report.name} has no parameter {wire}" for wire in arguments if wire not in listed), None)


def _too_many_columns(arguments: Arguments) -> str | None:
    """Return the complaint about columns that would take more memory than a test's server should."""
    columns = arguments.get("reportMetrics", ())
    if len(columns) > _COLUMNS:
        return f"reportMetrics was given {len(columns)} times, and the sandbox takes {_COLUMNS}"
    long = next((name for name in columns if len(name) > _COLUMN_NAME), None)
    return None if long is None else f"reportMetrics cannot be {long[:80]!r}"


def _unknown_column(report: Report, arguments: Arguments) -> str | None:
    """Return the complaint about the first column that the sandbox does not know."""
    known = columns_of(report.name)
    columns = arguments.get("reportMetrics", ())
    return next((f"{report.name} has no column {name}" for name in columns if name not in known), None)


def _good(parameter: Parameter, value: str) -> bool:
    """Return whether a parameter may have a value."""
    return _GOOD[parameter.kind](parameter, value)


def _good_number(parameter: Parameter, value: str) -> bool:
    if not _is_number(value.removeprefix("-")):
        return False
    number = int(value)
    if parameter.steps:
        return number in parameter.steps or number > parameter.steps[-1]
    return parameter.bound is None or abs(number) < parameter.bound


def _good_moment(_parameter: Parameter, value: str) -> bool:
    return _is_number(value) and int(value) < _LAST_MOMENT


def _is_number(value: str) -> bool:
    """Return whether a text is a number that can be read: int() refuses thousands of digits."""
    return value.isdecimal() and value.isascii() and len(value) <= _DIGITS


def _good_choice(parameter: Parameter, value: str) -> bool:
    if parameter.sent_as:  # two words in Python, a boolean on the wire
        return value.lower() in _BOOLEANS
    # The vendor's samples write CSV in capitals, against its documented values.
    return (value.lower() if parameter.wire == "reportFormat" else value) in parameter.choices


def _good_zone(_parameter: Parameter, value: str) -> bool:
    if not available_timezones():  # this machine has no time zone data, so it cannot judge
        return bool(value)
    try:
        return ZoneInfo(value).key == value
    except (ValueError, OSError, KeyError):
        return False


def _good_list(parameter: Parameter, value: str) -> bool:
    return all(part and (not parameter.choices or part in parameter.choices) for part in value.split(","))


_GOOD: Mapping[Kind, Callable[[Parameter, str], bool]] = {
    Kind.TEXT: lambda _parameter, value: bool(value),
    Kind.FLAG: lambda _parameter, value: value.lower() in _BOOLEANS,
    Kind.EPOCH: _good_moment,
    Kind.CHOICE: _good_choice,
    # The vendor's samples send en_US where its documentation lists en.
    Kind.LANGUAGE: lambda parameter, value: value.replace("-", "_").split("_")[0] in parameter.choices,
    Kind.ZONE: _good_zone,
    Kind.COMMA: _good_list,
    Kind.REPEATED: lambda _parameter, value: bool(value),
    Kind.MILLISECONDS: _good_number,
}
