"""Moments and windows: what goes over the wire for a time as a caller writes it."""

import io
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from khoros_analytics.times import (
    Window,
    from_epoch_ms,
    make_window,
    parse_moment,
    parse_span,
    parse_step,
    parse_zone,
    windows,
)

FACTS = yaml.safe_load((Path(__file__).parent / "facts" / "analytics-reports.yaml").read_text(encoding="utf-8"))
TRAPS = " ".join(FACTS["traps_in_the_vendor_material"])

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - arithmetic without zones is the point
MILLISECOND = timedelta(milliseconds=1)
DAY = 86_400_000
END_OF_1970 = date(1970, 12, 31)
LAST_DAY = date(2037, 12, 31)  # as far as zones are written down one by one

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")

zones = st.timezones()
naive = st.datetimes(datetime(1970, 1, 3), datetime(9998, 12, 29))  # noqa: DTZ001 - naive on purpose
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
aware = st.datetimes(
    datetime(1970, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    datetime(9998, 12, 29),  # noqa: DTZ001
    timezones=zones | offsets,
)
days = st.dates(END_OF_1970, LAST_DAY)
epoch_ms = st.integers(100_000_000_000, 253_000_000_000_000)


def utc_ms(moment):
    """The milliseconds of an aware datetime, by arithmetic alone."""
    return (moment.replace(tzinfo=None) - moment.utcoffset() - EPOCH) // MILLISECOND


def is_skipped(local, zone):
    """Whether clocks skip a local time (PEP 495): before a gap the offset is smaller than behind it."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first < second


def at(text):
    """The milliseconds of a time in UTC."""
    return utc_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


EXAMPLES = [
    # what is given, in which zone, the time in UTC
    ("2019-03-01T12:00Z", BERLIN, "2019-03-01T12:00"),
    ("2019-03-01T12:00+01:00", LOS_ANGELES, "2019-03-01T11:00"),
    ("2019-03-01T12:00", BERLIN, "2019-03-01T11:00"),
    ("2019-03-01 12:00:30.5", UTC_ZONE, "2019-03-01T12:00:30.500"),
    ("2019-03-01", UTC_ZONE, "2019-03-01T00:00"),
    ("2019-03-01", BERLIN, "2019-02-28T23:00"),
    (" 2019-03-01\n", UTC_ZONE, "2019-03-01T00:00"),
    ("20190301", UTC_ZONE, "2019-03-01T00:00"),
    ("2019-W09-5", UTC_ZONE, "2019-03-01T00:00"),
    ("1551441600000", BERLIN, "2019-03-01T12:00"),
    (1_551_441_600_000, BERLIN, "2019-03-01T12:00"),
    (0, BERLIN, "1970-01-01T00:00"),
    (date(2019, 3, 1), BERLIN, "2019-02-28T23:00"),
    (datetime(2019, 3, 1, tzinfo=UTC), BERLIN, "2019-03-01T00:00"),
    (datetime(2019, 3, 1), BERLIN, "2019-02-28T23:00"),  # noqa: DTZ001
    (datetime(2019, 3, 1, 0, 0, 0, 1999), UTC_ZONE, "2019-03-01T00:00:00.001"),  # noqa: DTZ001
    ("1970-01-01T00:30+01:00", UTC_ZONE, None),
    ("9999-06-01", UTC_ZONE, None),
    ("0001-01-01T00:00+14:00", UTC_ZONE, None),
]


@pytest.mark.parametrize(("given_moment", "zone", "expected"), EXAMPLES)
def test_moment(given_moment, zone, expected):
    """A moment with a zone keeps it, one without is read in the call's zone; years before 1970 are refused."""
    if expected is None:
        with pytest.raises(ValueError, match="is outside the years 1970 to 9998"):
            parse_moment(given_moment, zone)
    else:
        assert parse_moment(given_moment, zone) == at(expected)


class WholeNumber:
    """What a number of NumPy is for this library: it has ``__index__``, and is not an int."""

    def __index__(self):
        return 1_551_441_600_000


def test_whole_numbers_of_others():
    """Any whole number will do, NumPy's included."""
    assert parse_moment(WholeNumber(), BERLIN) == 1_551_441_600_000


NO_TIME = [
    # what is given, what the message says
    ("yesterday", "'yesterday' is not a time; give a datetime"),
    ("", "'' is not a time"),
    ("12:30", "'12:30' is not a time"),
    ("2019-02-30", "day"),
    ("2019-13-01", "month must be in 1..12"),
    ("2019-02", "is not a time"),
    ("01/02/2019", "is not a time"),
    (None, "None is not a time"),
    (True, "True is not a time"),
    (1551441600000.0, "round it first: 1551441600000"),
    (float("nan"), "nan is not a time"),
    (float("inf"), "inf is not a time"),
    (b"2019-02-01", "is not a time"),
    ([2019, 2, 1], "is not a time"),
    (timedelta(days=1), "is not a time"),
    (-1, "outside the years 1970"),
    (10**18, "outside the years 1970"),
]


@pytest.mark.parametrize(("given_moment", "message"), NO_TIME)
def test_no_moment(given_moment, message):
    """What is not a moment is refused with what was given and what is wanted."""
    with pytest.raises(ValueError) as caught:
        parse_moment(given_moment, UTC_ZONE)
    assert message in str(caught.value)


@pytest.mark.parametrize("seconds", [1_551_441_600, "15514416000", 1, 99_999_999_999])
def test_epoch_seconds(seconds):
    """A number that must be seconds is refused, and the milliseconds that it would be are named."""
    with pytest.raises(ValueError, match=f"looks like seconds; epoch milliseconds would be {int(seconds) * 1000}"):
        parse_moment(seconds, UTC_ZONE)


@given(aware, zones)
def test_aware_round_trip(moment, zone):
    """Any aware datetime comes back from its milliseconds, cut to a whole one; the call's zone does not touch it."""
    milliseconds = parse_moment(moment, zone)
    assert milliseconds == utc_ms(moment)
    back = from_epoch_ms(milliseconds, zone).astimezone(UTC)
    lost = moment.astimezone(UTC) - back
    assert timedelta(0) <= lost < MILLISECOND


@given(epoch_ms, zones)
def test_milliseconds_round_trip(milliseconds, zone):
    """Milliseconds go to a datetime of any zone and back without a change."""
    assert parse_moment(from_epoch_ms(milliseconds, zone), UTC_ZONE) == milliseconds
    assert parse_moment(str(milliseconds), zone) == parse_moment(milliseconds, zone) == milliseconds


@given(naive, zones, st.sampled_from([0, 1]))
def test_naive_is_read_in_the_zone(local, zone, fold):
    """A naive datetime means what it means with the zone attached, and is refused just where clocks skip it."""
    local = local.replace(fold=fold)
    if is_skipped(local, zone):
        with pytest.raises(ValueError, match="the clocks skip it"):
            parse_moment(local, zone)
    else:
        assert parse_moment(local, zone) == utc_ms(local.replace(tzinfo=zone))


@given(naive, zones)
def test_text_is_its_datetime(local, zone):
    """ISO text means what the datetime of the same text means."""
    assume(not is_skipped(local, zone))
    assert parse_moment(local.isoformat(), zone) == parse_moment(local, zone)
    assert parse_moment(local.isoformat(" "), zone) == parse_moment(local, zone)


@pytest.mark.parametrize("text", ["2019-03-31T02:30", "2019-03-31 02:00", "2019-03-31T02:59:59.999"])
def test_gap(text):
    """A local time that the clocks skip is an error that names the zone and a way out."""
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin: the clocks skip it; give a time before or"):
        parse_moment(text, BERLIN)
    assert parse_moment(text, UTC_ZONE) == at(text)


@pytest.mark.parametrize(("fold", "expected"), [(0, "2019-10-27T00:30"), (1, "2019-10-27T01:30")])
def test_fold(fold, expected):
    """Of a local time that happens twice, a datetime means what its fold says."""
    assert parse_moment(datetime(2019, 10, 27, 2, 30, fold=fold), BERLIN) == at(expected)  # noqa: DTZ001


def test_fold_of_a_text():
    """Of a local time that happens twice, a text means the earlier one, so that no row is lost."""
    assert parse_moment("2019-10-27T02:30", BERLIN) == at("2019-10-27T00:30")


MIDNIGHTS = [
    # zone, day, its first moment in UTC
    ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00"),  # clocks skip midnight: it begins at 01:00
    ("America/Havana", date(2019, 11, 3), "2019-11-03T04:00"),  # midnight happens twice
    ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00"),  # the day before it did not happen
    ("Europe/Berlin", date(2019, 3, 31), "2019-03-30T23:00"),
]


@pytest.mark.parametrize(("key", "day", "expected"), MIDNIGHTS)
@pytest.mark.parametrize("form", [lambda day: day, date.isoformat])
def test_first_moment_of_a_day(key, day, expected, form):
    """A date is its first moment, also where clocks skip midnight or repeat it."""
    assert parse_moment(form(day), ZoneInfo(key)) == at(expected)


def test_skipped_midnight_as_a_datetime():
    """A datetime at a midnight that clocks skip is an error, though the date is none."""
    with pytest.raises(ValueError, match="does not exist in America/Sao_Paulo"):
        parse_moment("2018-11-04T00:00", SAO_PAULO)


@given(days, zones)
@example(date(2018, 11, 4), SAO_PAULO)
@example(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))
def test_first_moment_is_the_first(day, zone):
    """The moment of a date belongs to that day or a later one, and the millisecond before it to an earlier one."""
    milliseconds = parse_moment(day, zone)
    assert from_epoch_ms(milliseconds, zone).date() >= day
    assert from_epoch_ms(milliseconds - 1, zone).date() < day


def test_skipped_day():
    """A day that a zone never had is an empty window."""
    apia = ZoneInfo("Pacific/Apia")
    moments = [parse_moment(f"2011-12-{day}", apia) for day in (29, 30, 31)]
    with pytest.raises(ValueError, match="the window is empty"):
        make_window(moments[1], moments[2], apia)
    assert make_window(moments[0], moments[2], apia).length == timedelta(days=1)


@given(st.lists(epoch_ms, min_size=3, max_size=30, unique=True).map(sorted), zones)
def test_neighbours_share_no_millisecond(cuts, zone):
    """However a range is split, its windows hold every millisecond of it exactly once: the end is not part of it."""
    windows = [make_window(start, end, zone) for start, end in pairwise(cuts)]
    last_of_each = [window.end_ms - 1 for window in windows]
    assert [window.start_ms - 1 for window in windows[1:]] == last_of_each[:-1]
    assert all(window.start_ms <= last for window, last in zip(windows, last_of_each, strict=True))
    assert sum((window.length for window in windows), timedelta()) == (cuts[-1] - cuts[0]) * MILLISECOND


@given(days, st.integers(2, 40), zones)
def test_days_fill_their_range(first, count, zone):
    """Window by window, the days of a calendar fill the whole range, whatever the clocks do in it."""
    moments = [parse_moment(first + timedelta(days=number), zone) for number in range(count + 1)]
    assert moments == sorted(moments)
    whole = make_window(moments[0], moments[-1], zone)
    lengths = [make_window(a, b, zone).length for a, b in pairwise(moments) if a != b]
    assert sum(lengths, timedelta()) == whole.length


def test_empty_window():
    """A window without length is an error that says how to ask for one day."""
    moment = parse_moment("2019-02-28", BERLIN)
    with pytest.raises(
        ValueError, match=r"is empty: start and end are both 2019-02-28 \(Europe/Berlin\).*for one day, "
    ):
        make_window(moment, moment, BERLIN)
    with pytest.raises(ValueError, match="for one day, give end='2019-03-01'"):
        make_window(moment, moment, BERLIN)


WINDOWS = [
    # start, end, zone, how people see it
    ("2019-02-01", "2019-05-01", UTC_ZONE, "2019-02-01 to 2019-05-01 (UTC, end excluded)"),
    ("2019-03-31", "2019-04-01", BERLIN, "2019-03-31 to 2019-04-01 (Europe/Berlin, end excluded)"),
    ("2019-03-01T12:00Z", "2019-03-02", UTC_ZONE, "2019-03-01 12:00 to 2019-03-02 (UTC, end excluded)"),
    ("2019-03-01", "2019-03-01T00:00:05", UTC_ZONE, "2019-03-01 to 2019-03-01 00:00:05 (UTC, end excluded)"),
    ("2019-03-01", "2019-03-01T00:00:00.001", UTC_ZONE, "2019-03-01 to 2019-03-01 00:00:00.001 (UTC, end excluded)"),
]


@pytest.mark.parametrize(("start", "end", "zone", "expected"), WINDOWS)
def test_window_for_people(start, end, zone, expected):
    """A window shows its moments in its zone, and that the end is excluded."""
    window = make_window(parse_moment(start, zone), parse_moment(end, zone), zone)
    assert str(window) == expected
    assert (window.start.tzinfo, window.end.tzinfo) == (zone, zone)


def test_length_counts_time_that_passes():
    """A day with a change of clocks has 23 or 25 hours."""
    lengths = [
        make_window(parse_moment(start, BERLIN), parse_moment(end, BERLIN), BERLIN).length
        for start, end in (("2019-03-31", "2019-04-01"), ("2019-10-27", "2019-10-28"))
    ]
    assert lengths == [timedelta(hours=23), timedelta(hours=25)]


def test_windows_are_values():
    """Windows with the same moments are equal, hashable, and cannot be changed."""
    assert {Window(0, 1), Window(0, 1)} == {Window(0, 1)}
    with pytest.raises(AttributeError):
        Window(0, 1).start_ms = 5


ZONES = [
    # what is given, what the message says; None where it is a zone
    ("Europe/Berlin", None),
    (BERLIN, None),
    ("UTC", None),
    ("Berlin", "'Berlin' is not an IANA time zone; did you mean 'Europe/Berlin'"),
    ("europe/belrin", "did you mean 'Europe/Berlin'"),
    ("New York", "did you mean 'America/New_York'"),
    ("xyzzy", "'xyzzy' is not an IANA time zone"),
    ("", "is not an IANA time zone"),
    ("../../etc/passwd", "is not an IANA time zone"),
    ("Europe", "'Europe' is not an IANA time zone"),
    ("a\0b", "is not an IANA time zone"),
    ("x" * 5000, "is not an IANA time zone"),
    ("\ud800", "is not an IANA time zone"),
    (UTC, "give an IANA name such as 'Europe/Berlin', or a ZoneInfo"),
    (3600, "3600 is not a time zone"),
    (None, "None is not a time zone"),
]


@pytest.mark.parametrize(("name", "message"), ZONES)
def test_zone(name, message):
    """A zone is an IANA name or a ZoneInfo; anything else is refused, with the nearest names where there are any."""
    if message is None:
        assert parse_zone(name).key == str(name)
    else:
        with pytest.raises(ValueError) as caught:
            parse_zone(name)
        assert message in str(caught.value)


def test_zone_without_a_name():
    """A ZoneInfo that was read from a file has no name that could be sent, and is refused."""
    head = b"TZif" + bytes(16) + b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    nameless = ZoneInfo.from_file(io.BytesIO(head + bytes(6) + b"UTC\0"))
    with pytest.raises(ValueError, match="has no IANA name"):
        parse_zone(nameless)


def test_trap_converter():
    """The tutorial's converter example was read at UTC-7: only in such a zone is it that number."""
    assert "1565769600000, is 01:00 at UTC-7 (08:00 UTC)" in TRAPS
    assert parse_moment("2019-08-14T01:00", LOS_ANGELES) == 1565769600000
    assert parse_moment("2019-08-14T08:00", UTC_ZONE) == 1565769600000
    assert parse_moment("2019-08-14T01:00", UTC_ZONE) != 1565769600000


def test_trap_day_ends():
    """The vendor's two ways to end a window are one: an excluded midnight is sent as 23:59:59.999."""
    assert "(1561525199999)" in TRAPS
    assert "(1556668800000)" in TRAPS
    assert parse_moment("2019-06-26", ZoneInfo("America/Chicago")) - 1 == 1561525199999
    assert parse_moment("2019-05-01", UTC_ZONE) == 1556668800000


def test_trap_first_of_february():
    """The tutorial's "February 1, 2019" is noon of the first of March, and a window shows that."""
    assert '1551441600000 "February 1, 2019"; it is 2019-03-01T12:00:00Z' in TRAPS
    assert str(Window(1551441600000, 1556712000000)) == "2019-03-01 12:00 to 2019-05-01 12:00 (UTC, end excluded)"


def test_trap_start_after_end():
    """The development kit's sample with its start after its end is refused, and both moments are shown."""
    assert "(1470614400000 > 1461104100000)" in TRAPS
    with pytest.raises(ValueError, match=r"start \(2016-08-08\) is after end \(2016-04-19 22:15\); swap them"):
        make_window(1470614400000, 1461104100000, UTC_ZONE)


def bounds(cut):
    """The moments at which windows meet, as local times."""
    return [f"{window.start:%Y-%m-%dT%H:%M}" for window in cut] + [f"{cut[-1].end:%Y-%m-%dT%H:%M}"]


EVERY = [
    "1 day",
    "6 hours",
    "1 week",
    "1 month",
    "2 quarters",
    "year",
    timedelta(days=3),
    timedelta(hours=5, seconds=7),
]


@given(start=days, length=st.integers(1, 800), every=st.sampled_from(EVERY), zone=zones)
def test_windows_cover_a_range_once(start, length, every, zone):
    """Windows begin at the start, end at the end, and each begins where the one before ends."""
    assume(zone.key is not None)
    end = start + timedelta(days=length)
    assume(end < LAST_DAY)
    cut = windows(start, end, every, timezone=zone)
    assert (cut[0].start_ms, cut[-1].end_ms) == (parse_moment(start, zone), parse_moment(end, zone))
    assert all(before.end_ms == after.start_ms for before, after in pairwise(cut))
    assert all(window.start_ms < window.end_ms for window in cut)


@given(start=days, length=st.integers(1, 100), zone=zones)
def test_days_begin_where_the_calendar_says(start, length, zone):
    """Windows of one day are the days of the zone's calendar, however many hours they have."""
    assume(zone.key is not None)
    end = start + timedelta(days=length)
    assume(end < LAST_DAY)
    firsts = {parse_moment(start + timedelta(days=day), zone) for day in range(length)}
    assert {window.start_ms for window in windows(start, end, "1 day", timezone=zone)} == firsts - {
        parse_moment(end, zone)
    }


def test_days_when_clocks_change():
    """A day has 23 or 25 hours where clocks change; 24 hours are 24 hours."""
    assert [window.length for window in windows("2019-03-31", "2019-04-01", "1 day", timezone=BERLIN)] == [
        timedelta(hours=23)
    ]
    assert [window.length for window in windows("2019-10-27", "2019-10-28", "1 day", timezone=BERLIN)] == [
        timedelta(hours=25)
    ]
    assert bounds(windows("2019-03-31", "2019-04-02", "24 hours", timezone=BERLIN)) == [
        "2019-03-31T00:00",
        "2019-04-01T01:00",
        "2019-04-02T00:00",
    ]


def test_months_keep_the_day_of_the_start():
    """A month that lacks the day of the start ends on its last day, and the next one has the day again."""
    assert bounds(windows("2020-01-31", "2020-05-15", "1 month")) == [
        "2020-01-31T00:00",
        "2020-02-29T00:00",
        "2020-03-31T00:00",
        "2020-04-30T00:00",
        "2020-05-15T00:00",
    ]


def test_a_day_that_a_zone_skipped():
    """A day that a zone never had is no window."""
    samoa = windows("2011-12-29", "2012-01-01", "1 day", timezone="Pacific/Apia")
    assert bounds(samoa) == ["2011-12-29T00:00", "2011-12-31T00:00", "2012-01-01T00:00"]


@pytest.mark.parametrize(
    "every",
    ["", "day 1", "0 days", "-1 day", "1.5 days", "1 fortnight", 5, None, timedelta(), timedelta(days=-1), "٣ days"],
)
def test_no_length_of_windows(every):
    """What is not a length of windows is named, and what one looks like is said."""
    with pytest.raises(ValueError, match="is not a length of windows; give a text such as '6 hours'"):
        windows("2019-01-01", "2019-02-01", every)


def test_too_many_windows():
    """A range of more than a million windows is refused before it fills the memory."""
    with pytest.raises(ValueError, match=r"has 29,\d+,\d+ windows of 0:01:00; give longer ones"):
        windows("1970-01-01", "2026-01-01", "1 minute")


@pytest.mark.parametrize(
    ("every", "text"),
    [("1 month", "1 month"), ("2 weeks", "14 days"), ("90 minutes", "1:30:00"), ("1 year", "12 months")],
)
def test_steps_as_text(every, text):
    """A step reads as people write it."""
    assert str(parse_step(every)) == text


@pytest.mark.parametrize(
    ("given", "hours"),
    [("12 hours", 12), ("1.5 days", 36), ("week", 168), (timedelta(hours=3), 3), ("30 Minutes", 0.5)],
)
def test_spans(given, hours):
    """A stretch of time has fixed hours, whatever the calendar says."""
    assert parse_span(given) == timedelta(hours=hours)


@pytest.mark.parametrize("given", ["1 month", "soon", 7, timedelta(), timedelta(days=-1)])
def test_no_spans(given):
    """A month is no stretch of time of a fixed length, and nothing is not above 0."""
    with pytest.raises(ValueError, match="is not a stretch of time"):
        parse_span(given)
