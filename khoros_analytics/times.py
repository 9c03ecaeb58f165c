"""Moments and windows: a date, a datetime, ISO text or epoch milliseconds, to what goes over the wire."""

import operator
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from attrs import frozen

__all__ = ["Moment", "Window", "from_epoch_ms", "make_window", "parse_moment", "parse_zone"]

Moment = datetime | date | str | int
"""What every ``start`` and ``end`` may be. One without a zone of its own is read in the zone of the call."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# 100,000,000,000 ms is in March 1973: a smaller number is a time in seconds, as most Unix tools print it.
_LOOKS_LIKE_SECONDS = 100_000_000_000
_END_MS = 253_370_764_800_000  # the year 9999, in which a zone's offset can leave the calendar
_EPOCH_TEXT = r"\d{11,}"
_DATE_TEXT = r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?"
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
