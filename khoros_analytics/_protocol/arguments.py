"""Python arguments to one request, by the table: all mistakes of a call are found before anything is sent."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

from attrs import frozen

from .._checks import did_you_mean
from ..errors import ParameterError
from ..reports import FORMAT, REPORTS, Kind, Report
from ..times import Moment, Window, make_window, parse_moment, parse_zone
from .encoding import NOT_KEYWORDS, Pairs, canonical, canonical_extra, wire_pairs
from .likely_mistakes import warn_of_likely_mistakes

__all__ = ["ExportRequest", "encode", "find_report", "from_json", "to_json"]

_UTC = ZoneInfo("UTC")
_MILLISECOND = timedelta(milliseconds=1)


@frozen
class ExportRequest:
    """What one export asks for: its arguments in their canonical form, ``start`` and ``end`` aside."""

    report: Report
    window: Window
    arguments: dict[str, object]

    @property
    def subject(self) -> str:
        """What messages call it before it has ids."""
        return f"the {self.report.name} export of {self.window}"

    @property
    def pairs(self) -> Pairs:
        """Everything that is sent, the company key aside.

        ``end`` goes out as the millisecond before it, so that neighbouring windows share no row. ``extra`` wins.
        """
        moments = {"start": str(self.window.start_ms), "end": str(self.window.end_ms - 1)}
        times = [(row.wire, moments[row.name]) for row in self.report.parameters if row.name in moments]
        names = dict.fromkeys(row.name for row in self.report.parameters if row.name in self.arguments)
        keywords = [pair for name in names for pair in wire_pairs(self.report, name, self.arguments[name])]
        extra = cast("dict[str, str | list[str]]", self.arguments.get("extra", {}))
        texts = {wire: [found] if isinstance(found, str) else found for wire, found in extra.items()}
        added = [(wire, text) for wire, found in texts.items() for text in found]
        return (*(pair for pair in (*times, *keywords) if pair[0] not in extra), *added)

    @property
    def format(self) -> str:
        """The format of the file, as it was asked for on the wire."""
        return next((text for wire, text in self.pairs if wire == FORMAT.wire), "")


def find_report(name: str) -> Report:
    """Look a report up by its name on the wire, or by its title in any letter case; an error suggests the nearest."""
    if isinstance(name, str) and name in REPORTS:
        return REPORTS[name]
    titled = [report for report in REPORTS.values() if _plain(report.title) == _plain(name)]
    if len(titled) == 1:
        return titled[0]
    if titled:
        names = " and ".join(repr(report.name) for report in titled)
        raise ParameterError(
            f"{len(titled)} reports have the title {name!r}; give the name of the one you mean: {names}"
        )
    known = {report.title: key for key, report in REPORTS.items()} | {key: key for key in REPORTS}
    hint = did_you_mean(name, known) or f"; the reports are {', '.join(REPORTS)}"
    raise ParameterError(f"there is no report {name!r}{hint}")


def _plain(title: object) -> str:
    return " ".join(str(title).casefold().split())


def encode(
    report: Report,
    start: Moment,
    end: Moment,
    arguments: Mapping[str, object],
    *,
    timezone: ZoneInfo | None = None,
    columns: Collection[str] = (),
) -> ExportRequest:
    """Turn the arguments of one call into a request; one ParameterError names every wrong argument.

    None stands for an argument that was not given. ``timezone`` is the client's zone, for a call without one, and
    ``columns`` are those that the company is known to have.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    problems = _Problems(report)
    problems.unknown_names(given)
    if timezone and "timezone_offset" not in given and any(row.name == "timezone" for row in report.parameters):
        given.setdefault("timezone", timezone)
    window = _encode_window(start, end, given.get("timezone", timezone), problems)
    found = _canonical_arguments(report, {"format": "csv", **given}, problems)
    problems.raise_any()
    request = ExportRequest(report, window, found)
    warn_of_likely_mistakes(report, window, found, request.pairs, columns)
    return request


def to_json(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return canonical arguments as JSON has them: durations as milliseconds."""
    return {name: value // _MILLISECOND if isinstance(value, timedelta) else value for name, value in arguments.items()}


def from_json(report: Report, window: Window, stored: object) -> ExportRequest:
    """Return the request of arguments that were written with :func:`to_json`; a ParameterError for anything else."""
    if not isinstance(stored, dict):
        raise ParameterError(f"{report.name}: these are not arguments")
    durations = {row.name for row in report.parameters if row.kind is Kind.MILLISECONDS}
    try:
        given = {name: _MILLISECOND * value if name in durations else value for name, value in stored.items()}
    except (TypeError, OverflowError):
        raise ParameterError(f"{report.name}: these are not arguments") from None
    problems = _Problems(report)
    problems.unknown_names(given)
    found = _canonical_arguments(report, given, problems)
    problems.raise_any()
    return ExportRequest(report, window, found)


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
            end = " Nothing was sent" if self._found[0].endswith("?") else "; nothing was sent"
            message = f"{self._report.name}: {self._found[0]}{end}"
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


def _canonical_arguments(report: Report, given: Mapping[str, object], problems: _Problems) -> dict[str, object]:
    found: dict[str, object] = {}
    noted = {*NOT_KEYWORDS}
    for row in report.parameters:
        if row.name in noted:
            continue  # one keyword may set several parameters of the wire
        noted.add(row.name)
        with problems.noting(row.name):
            if row.name in given:
                found[row.name] = canonical(report, row, given[row.name])
            elif row.name in report.required:
                raise ValueError(f"missing; this report needs it: {row.meaning}")
    with problems.noting("extra"):
        return _with_extra(report, found, canonical_extra(given.get("extra", {})))
    return found


def _with_extra(report: Report, found: dict[str, object], extra: dict[str, list[str]]) -> dict[str, object]:
    """Let ``extra`` win: a keyword whose wire name it uses is dropped, and what else that one sent is sent as is."""
    replaced = {row.name for row in report.parameters if row.wire in extra and row.name in found}
    kept = {name: value for name, value in found.items() if name not in replaced}
    texts: dict[str, list[str]] = {}
    for wire, text in (pair for name in found if name in replaced for pair in wire_pairs(report, name, found[name])):
        texts.setdefault(wire, []).append(text)
    shown = {wire: values[0] if len(values) == 1 else values for wire, values in {**texts, **extra}.items()}
    return {**kept, "extra": shown} if shown else kept
