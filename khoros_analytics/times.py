"""Moments and windows: a date, a datetime, ISO text or epoch milliseconds, to what goes over the wire."""

import operator
import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, pairwise
from zoneinfo import ZoneInfo, available_timezones

from attrs import frozen

__all__ = [
    "Moment",
    "Step",
    "Window",
    "cut_window",
    "from_epoch_ms",
    "make_window",
    "parse_moment",
    "parse_span",
    "parse_step",
    "parse_zone",
    "windows",
]

Moment = datetime | date | str | int
"""What every ``start`` and ``end`` may be. One without a zone of its own is read in the zone of the call."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# 100,000,000,000 ms is in March 1973: a smaller number is a time in seconds, as most Unix tools print it.
_LOOKS_LIKE_SECONDS = 100_000_000_000
_END_MS = 253_370_764_800_000  # the year 9999, in which a zone's offset can leave the calendar
_EPOCH_TEXT = r"\d{11,}"
_DATE_TEXT = r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?"
_LENGTH = re.compile(
    r"\s*(?P<number>\d{1,6}(?:\.\d{1,6})?)?\s*(?P<unit>minute|hour|day|week|month|quarter|year)s?\s*",
    re.ASCII | re.IGNORECASE,
)
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_MOST_WINDOWS = 1_000_000
_WANTED = (
    "give a datetime, a date, ISO 8601 text such as '2019-02-01' or '2019-02-01T09:30+01:00', or epoch milliseconds"
)


@frozen
class Window:
    """The stretch of time that an export covers.

    Attributes:
        start_ms: Its first moment, in epoch milliseconds.
        end_ms: The moment at which it ends, in epoch milliseconds; not part of it.
        zone: The IANA name of the zone in which it was asked for.
    """

    start_ms: int
    end_ms: int
    zone: str = "UTC"

    @property
    def start(self) -> datetime:
        """Its first moment, in its zone."""
        return from_epoch_ms(self.start_ms, ZoneInfo(self.zone))

    @property
    def end(self) -> datetime:
        """The moment at which it ends, in its zone; not part of it."""
        return from_epoch_ms(self.end_ms, ZoneInfo(self.zone))

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return timedelta(milliseconds=self.end_ms - self.start_ms)

    def __str__(self) -> str:
        return f"{_short(self.start)} to {_short(self.end)} ({self.zone}, end excluded)"


def _short(moment: datetime) -> str:
    if moment.time() == time():
        return moment.date().isoformat()
    precision = "milliseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
    return moment.replace(tzinfo=None).isoformat(" ", precision)


def from_epoch_ms(milliseconds: int, zone: ZoneInfo) -> datetime:
    """Turn epoch milliseconds into a datetime, without rounding.

    Args:
        milliseconds: Since 1970-01-01 UTC.
        zone: The zone of the result.
    """
    return (_EPOCH + milliseconds * _MILLISECOND).astimezone(zone)


def parse_zone(name: str | ZoneInfo) -> ZoneInfo:
    """Find a time zone.

    Args:
        name: Its IANA name, such as ``"Europe/Berlin"``, or a ``ZoneInfo``.

    Returns:
        The zone; its ``key`` is the IANA name.

    Raises:
        ValueError: There is no zone of that name; the message suggests the nearest ones.

    Example:
        >>> parse_zone("Europe/Berlin").key
        'Europe/Berlin'
    """
    if isinstance(name, ZoneInfo):
        if name.key is None:
            raise ValueError("this ZoneInfo has no IANA name; give the name, such as 'Europe/Berlin'")
        return name
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is not a time zone; give an IANA name such as 'Europe/Berlin', or a ZoneInfo")  # noqa: TRY004
    try:
        return ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise ValueError(_no_such_zone(name)) from error
    except KeyError:
        raise ValueError(_no_such_zone(name)) from None


def _no_such_zone(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    known = available_timezones()
    if not known:
        return f"this machine has no time zone data to look {name!r} up in; install the package tzdata"
    by_lower = {zone.lower(): zone for zone in known} | {zone.rpartition("/")[2].lower(): zone for zone in known}
    given = name.lower().replace(" ", "_")
    matches = [given] if given in by_lower else get_close_matches(given, by_lower, n=2, cutoff=0.6)
    near = [by_lower[match] for match in matches]
    hint = f"; did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?" if near else ""
    return f"{name!r} is not an IANA time zone{hint}"


def parse_moment(value: Moment, zone: ZoneInfo) -> int:
    """Turn a moment into epoch milliseconds. What is finer than a millisecond is cut off.

    A date is its first moment. Of a local time that happens twice when clocks go back, a datetime means what its
    ``fold`` says and a text the earlier one.

    Args:
        value: A datetime, a date, ISO 8601 text, or epoch milliseconds.
        zone: The zone of a moment that has none of its own.

    Returns:
        Milliseconds since 1970-01-01 UTC.

    Raises:
        ValueError: The value is not a moment, does not exist in that zone, or is before 1970.

    Example:
        >>> parse_moment("2019-03-01T12:00Z", ZoneInfo("UTC"))
        1551441600000
        >>> parse_moment("2019-08-14T01:00", ZoneInfo("America/Los_Angeles"))
        1565769600000
    """
    if isinstance(value, str):
        value = _parse_text(value)
    if not isinstance(value, date):
        return _from_number(value)
    try:
        milliseconds = _from_datetime(value, zone) if isinstance(value, datetime) else _first_moment(value, zone)
    except OverflowError:
        milliseconds = _END_MS
    return _checked(milliseconds, value)


def _parse_text(text: str) -> datetime | date | int:
    text = text.strip()
    if re.fullmatch(_EPOCH_TEXT, text):
        return int(text)
    try:
        if re.fullmatch(_DATE_TEXT, text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text)
    except ValueError as error:
        reason = "" if "isoformat" in str(error) else f" ({error})"
        raise ValueError(f"{text!r} is not a time{reason}; {_WANTED}") from None


def _from_number(value: object) -> int:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is not a time; {_WANTED}")
    try:
        milliseconds = operator.index(value)  # type: ignore[arg-type]  # also takes NumPy's integers; the rest raises
    except TypeError:
        hint = f"round it first: {round(value)}" if isinstance(value, float) and abs(value) < _END_MS else _WANTED
        raise ValueError(f"{value!r} is not a time; {hint}") from None
    if 0 < milliseconds < _LOOKS_LIKE_SECONDS:
        raise ValueError(f"{milliseconds} looks like seconds; epoch milliseconds would be {milliseconds * 1000}")
    return _checked(milliseconds, milliseconds)


def _checked(milliseconds: int, value: object) -> int:
    if not 0 <= milliseconds < _END_MS:
        raise ValueError(f"{value!s} is outside the years 1970 to 9998")
    return milliseconds


def _from_datetime(value: datetime, zone: ZoneInfo) -> int:
    if value.utcoffset() is None:
        value = value.replace(tzinfo=zone)
        if _in_gap(value):
            raise ValueError(
                f"{value.replace(tzinfo=None).isoformat(' ')} does not exist in {zone.key}: the clocks skip it; "
                "give a time before or after the gap, or one with its offset from UTC"
            )
    return (value - _EPOCH) // _MILLISECOND


def _in_gap(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None) != local.replace(tzinfo=None)


def _first_moment(day: date, zone: ZoneInfo) -> int:
    # Where the clocks skip midnight, fold=0 reads it with the offset before the gap: that is the gap's end.
    return (datetime.combine(day, time(), tzinfo=zone) - _EPOCH) // _MILLISECOND


def make_window(start_ms: int, end_ms: int, zone: ZoneInfo) -> Window:
    """Make a window of two moments, ``start`` in and ``end`` out.

    Args:
        start_ms: The first moment, in epoch milliseconds.
        end_ms: The moment at which the window ends, in epoch milliseconds.
        zone: The zone in which people see it.

    Returns:
        The window.

    Raises:
        ValueError: It is empty, or ends before it starts.

    Example:
        >>> utc = ZoneInfo("UTC")
        >>> print(make_window(parse_moment("2019-02-01", utc), parse_moment("2019-05-01", utc), utc))
        2019-02-01 to 2019-05-01 (UTC, end excluded)
    """
    window = Window(start_ms, end_ms, zone.key)
    if start_ms == end_ms:
        raise ValueError(
            f"the window is empty: start and end are both {_short(window.start)} ({zone.key}), and end is not part of "
            f"it; for one day, give end={(window.start.date() + timedelta(days=1)).isoformat()!r}"
        )
    if start_ms > end_ms:
        raise ValueError(f"start ({_short(window.start)}) is after end ({_short(window.end)}); swap them")
    return window


def parse_span(value: str | timedelta) -> timedelta:
    """Turn a length of time, whatever the calendar says, into a timedelta.

    Args:
        value: A text such as ``"90 days"``, ``"12 hours"`` or ``"1 week"``, or a timedelta.

    Returns:
        The length; a day has 24 hours.

    Raises:
        ValueError: It is not a length, or not above 0.

    Example:
        >>> parse_span("12 hours")
        datetime.timedelta(seconds=43200)
    """
    span = value
    if isinstance(value, str) and (found := _LENGTH.fullmatch(value)) and found["unit"].lower() in _SECONDS:
        span = timedelta(seconds=float(found["number"] or 1) * _SECONDS[found["unit"].lower()])
    if not isinstance(span, timedelta) or span <= timedelta():
        raise ValueError(
            f"{value!r} is not a stretch of time; give a text such as '90 days' or '12 hours', or a timedelta"
        )
    return span


@frozen
class Step:
    """The length of the windows into which a range is cut: months or days of a calendar, or a fixed time.

    Attributes:
        months: In months of a calendar.
        days: In days of a calendar, which have 23 or 25 hours where clocks change.
        milliseconds: In milliseconds.
    """

    months: int = 0
    days: int = 0
    milliseconds: int = 0

    @property
    def shortest_ms(self) -> int:
        """The length of its shortest window, in milliseconds, more or less."""
        return (self.months * 28 + self.days) * 86_400_000 or self.milliseconds

    def __str__(self) -> str:
        if self.months or self.days:
            number, unit = (self.months, "month") if self.months else (self.days, "day")
            return f"{number} {unit}{'s' * (number != 1)}"
        return str(timedelta(milliseconds=self.milliseconds))


def parse_step(value: str | timedelta) -> Step:
    """Read how long windows are.

    Args:
        value: A text such as ``"6 hours"``, ``"1 day"``, ``"1 week"`` or ``"1 month"``, or a timedelta. Whole days,
            also of a timedelta, are days of the calendar; ``"24 hours"`` are 24 hours.

    Returns:
        The step.

    Raises:
        ValueError: It is not a length, or one that no window has.

    Example:
        >>> parse_step("2 weeks")
        Step(months=0, days=14, milliseconds=0)
    """
    step = Step()
    if isinstance(value, timedelta):
        whole_days = not value % timedelta(days=1)
        step = Step(days=value.days) if whole_days else Step(milliseconds=value // _MILLISECOND)
    elif isinstance(value, str) and (found := _LENGTH.fullmatch(value)):
        step = _step(found["number"] or "1", found["unit"].lower())
    if step.shortest_ms <= 0:
        raise ValueError(
            f"{value!r} is not a length of windows; give a text such as '6 hours', '1 day', '1 week' or '1 month', or "
            "a timedelta"
        )
    return step


def _step(number: str, unit: str) -> Step:
    if unit in _SECONDS and unit not in _DAYS:
        return Step(milliseconds=round(float(number) * _SECONDS[unit] * 1000))
    if not number.isdigit():
        return Step()
    return Step(days=int(number) * _DAYS.get(unit, 0), months=int(number) * _MONTHS.get(unit, 0))


def windows(
    start: Moment, end: Moment, every: str | timedelta, *, timezone: str | ZoneInfo = "UTC"
) -> tuple[Window, ...]:
    """Cut a range into windows that follow each other without a gap, and without a moment in two of them.

    Days, weeks and months are those of the calendar in the zone, counted from the start: a day has 23 or 25 hours where
    clocks change, and a month that lacks the start's day ends on its last one. The last window may be shorter.

    Args:
        start: The first moment of the first window: a datetime, a date, ISO 8601 text, or epoch milliseconds.
        end: The moment at which the last window ends; it is not part of it.
        every: How long each window is: a text such as ``"6 hours"``, ``"1 day"``, ``"1 week"`` or ``"1 month"``, or a
            timedelta.
        timezone: The zone whose calendar counts.

    Returns:
        The windows, oldest first.

    Raises:
        ValueError: An argument cannot be used, or the windows would be more than a million.

    Example:
        >>> for window in windows("2019-01-31", "2019-03-15", "1 month"):
        ...     print(window)
        2019-01-31 to 2019-02-28 (UTC, end excluded)
        2019-02-28 to 2019-03-15 (UTC, end excluded)
    """
    zone, step = parse_zone(timezone), parse_step(every)
    return cut_window(make_window(parse_moment(start, zone), parse_moment(end, zone), zone), step)


def cut_window(whole: Window, step: Step) -> tuple[Window, ...]:
    """Cut a window into shorter ones, as :func:`windows` does.

    Args:
        whole: The window.
        step: How long the others are.

    Returns:
        The windows, oldest first.

    Raises:
        ValueError: They would be more than a million.
    """
    zone = ZoneInfo(whole.zone)
    expected = (whole.end_ms - whole.start_ms) // step.shortest_ms
    if expected > _MOST_WINDOWS:
        raise ValueError(f"{whole} has {expected:,} windows of {step}; give longer ones, or a shorter range")
    return tuple(Window(first, last, zone.key) for first, last in pairwise(_bounds(whole, step, zone)) if first < last)


def _bounds(whole: Window, step: Step, zone: ZoneInfo) -> Iterator[int]:
    """Yield the moments at which windows meet, in epoch milliseconds; one may come twice where clocks skip a day."""
    local = whole.start.replace(tzinfo=None)
    yield whole.start_ms
    for number in count(1):
        bound = whole.start_ms + number * step.milliseconds
        if not step.milliseconds:
            bound = (
                _later(local, number * step.months, number * step.days).replace(tzinfo=zone) - _EPOCH
            ) // _MILLISECOND
        if bound >= whole.end_ms:
            yield whole.end_ms
            return
        yield bound


def _later(local: datetime, months: int, days: int) -> datetime:
    """Return a local time so many months or days of the calendar later."""
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1])) + timedelta(
        days=days
    )


def __dir__() -> list[str]:
    """Return the public names alone: Tab shows them."""
    return __all__
