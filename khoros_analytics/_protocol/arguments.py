"""Python arguments to wire parameters, by the table: all mistakes of a call are found before anything is sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast
from zoneinfo import ZoneInfo

from attrs import field, frozen

from .._checks import did_you_mean
from ..errors import ParameterError
from ..reports import REPORTS, Report
from ..times import Moment, Window, make_window, parse_moment, parse_zone
from .encoding import NOT_KEYWORDS, Pairs, decode, encode_extra, encode_keyword

__all__ = ["ExportRequest", "encode", "find_report"]

_UTC = ZoneInfo("UTC")


@frozen
class ExportRequest:
    """What one export asks for.

    Attributes:
        report: The row of the table.
        window: The stretch of time.
        pairs: Everything that is sent, the company key aside.
    """

    report: Report
    window: Window
    pairs: Pairs = field(repr=False)

    @property
    def arguments(self) -> dict[str, object]:
        """The arguments as a caller would write them, ``start`` and ``end`` aside."""
        return decode(self.report, self.pairs)


def find_report(name: str) -> Report:
    """Look a report up in the table.

    Args:
        name: Its name on the wire.

    Raises:
        ParameterError: There is none; the message suggests the nearest ones.
    """
    if isinstance(name, str) and name in REPORTS:
        return REPORTS[name]
    known = {report.title: key for key, report in REPORTS.items()} | {key: key for key in REPORTS}
    hint = did_you_mean(str(name), known) or f"; the reports are {', '.join(REPORTS)}"
    raise ParameterError(f"there is no report {name!r}{hint}")


def encode(
    report: Report,
    start: Moment,
    end: Moment,
    arguments: Mapping[str, object],
    *,
    timezone: ZoneInfo | None = None,
) -> ExportRequest:
    """Turn the arguments of one call into what is sent.

    Args:
        report: The row of the table.
        start: The first moment of the window.
        end: The moment at which the window ends; not part of it.
        arguments: The keywords of the call; None stands for one that was not given.
        timezone: The client's zone, for a call without one.

    Returns:
        The request. ``end`` goes over the wire as the millisecond before it, so that neighbouring windows share no row.

    Raises:
        ParameterError: One or more arguments are wrong; it names every one of them.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    extra = given.pop("extra", {})
    problems = _Problems(report)
    problems.unknown_names(given)
    if timezone and "timezone_offset" not in given and any(row.name == "timezone" for row in report.parameters):
        given.setdefault("timezone", timezone)
    window = _encode_window(start, end, given.get("timezone", timezone), problems)
    pairs = _window_pairs(report, window) + _encode_given(report, {"format": "csv", **given}, problems)
    with problems.noting("extra"):
        pairs = _merge(pairs, encode_extra(extra))
    problems.raise_any()
    return ExportRequest(report, window, pairs)


class _Problems:
    """Collects what is wrong with one call."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._found: list[str] = []

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Note a ValueError of the block as a problem of that argument, and go on."""
        try:
            yield
        except ValueError as error:
            self._found.append(f"{name}: {error}")

    def unknown_names(self, given: Mapping[str, object]) -> None:
        """Note every keyword that the report does not have, with the nearest that it has."""
        rows = [row for row in self._report.parameters if row.name not in NOT_KEYWORDS]
        known = {row.wire: row.name for row in rows} | {row.name: row.name for row in rows} | {"extra": "extra"}
        for name in given:
            if name not in known.values():
                hint = did_you_mean(name, known) or "; what the table does not know goes into extra={wire name: value}"
                self._found.append(f"{name}: the report {self._report.name} has no such argument{hint}")

    def raise_any(self) -> None:
        """Raise one error for all that was noted, if anything was."""
        if not self._found:
            return
        if len(self._found) == 1:
            message = f"{self._report.name}: {self._found[0]}"
        else:
            listed = "".join(f"\n- {problem}" for problem in self._found)
            message = f"{self._report.name}: {len(self._found)} wrong arguments, nothing was sent{listed}"
        raise ParameterError(message, problems=tuple(self._found))


def _encode_window(start: Moment, end: Moment, timezone: object, problems: _Problems) -> Window:
    zone, start_ms, end_ms = _UTC, None, None
    try:
        zone = parse_zone(cast("str | ZoneInfo", timezone or _UTC))
    except ValueError:
        # The argument itself is noted with the others; the moments are still worth a look.
        timezone = None
    with problems.noting("start"):
        start_ms = parse_moment(start, zone)
    with problems.noting("end"):
        end_ms = parse_moment(end, zone)
    if start_ms is not None and end_ms is not None:
        with problems.noting("start, end"):
            return make_window(start_ms, end_ms, zone)
    return Window(0, 0)


def _window_pairs(report: Report, window: Window) -> Pairs:
    values = {"start": window.start_ms, "end": window.end_ms - 1}
    return tuple((row.wire, str(values[row.name])) for row in report.parameters if row.name in values)


def _encode_given(report: Report, given: Mapping[str, object], problems: _Problems) -> Pairs:
    pairs: list[tuple[str, str]] = []
    noted: set[str] = set()
    for row in report.parameters:
        if row.name in given and row.name not in (*NOT_KEYWORDS, *noted):
            noted.add(row.name)
            with problems.noting(row.name):
                pairs += encode_keyword(report, row, given[row.name])
        elif row.name in report.required and row.name not in given:
            with problems.noting(row.name):
                raise ValueError(f"missing; this report needs it: {row.meaning}")
    return tuple(pairs)


def _merge(pairs: Pairs, winners: Pairs) -> Pairs:
    replaced = {wire for wire, _ in winners}
    return tuple(pair for pair in pairs if pair[0] not in replaced) + winners
