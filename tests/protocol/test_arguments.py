"""Python arguments to wire parameters: what is sent, and every mistake of a call in one error."""

import re
import string
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import ParameterError
from khoros_analytics._protocol.arguments import ExportRequest, encode, find_report
from khoros_analytics.reports import REPORTS, Kind
from khoros_analytics.times import Window

FACTS = yaml.safe_load((Path(__file__).parents[1] / "facts" / "analytics-reports.yaml").read_text(encoding="utf-8"))
TRAPS = " ".join(FACTS["traps_in_the_vendor_material"])

START, END = "2019-03-01", "2019-03-02"
START_MS, END_MS = 1551398400000, 1551484800000
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
ALL = sorted(REPORTS)
TIMELESS = {"startTime", "endTime"}


def needed(report):
    """What a call cannot go without, beside its window."""
    return {"time_interval": DAY} if "time_interval" in REPORTS[report].required else {}


def request(report="conversation", start=START, end=END, *, zone=None, **arguments):
    return encode(REPORTS[report], start, end, {**needed(report), **arguments}, timezone=zone)


def sent(report="conversation", *, zone=None, **arguments):
    """What a call sends beside its window and the default format, as pairs in their order."""
    pairs = request(report, zone=zone, **arguments).pairs
    return [pair for pair in pairs if pair[0] not in TIMELESS and pair != ("reportFormat", "csv")]


def problems(report="conversation", start=START, end=END, *, zone=None, **arguments):
    with pytest.raises(ParameterError) as caught:
        request(report, start, end, zone=zone, **arguments)
    return caught.value.problems


def keywords(report):
    rows = {row.name: row for row in reversed(REPORTS[report].parameters)}
    return {name: row for name, row in rows.items() if name not in {"company_key", "start", "end"}}


# ---- the window


@pytest.mark.parametrize("report", ALL)
def test_smallest_call(report):
    """A call with nothing but its window sends that window, its end minus one millisecond, and the format."""
    interval = {"time_interval": DAY} if needed(report) else {}
    assert request(report).pairs[:3] == (
        ("startTime", str(START_MS)),
        ("endTime", str(END_MS - 1)),
        ("reportFormat", "csv"),
    )
    assert request(report).arguments == {"format": "csv", **interval}
    assert request(report).window == Window(START_MS, END_MS, "UTC")


@pytest.mark.parametrize(
    ("arguments", "zone", "hours_before_utc"),
    [
        ({}, None, 0),
        ({}, BERLIN, 1),
        ({"timezone": "Europe/Berlin"}, None, 1),
        ({"timezone": BERLIN}, None, 1),
        ({"timezone": "Asia/Tokyo"}, BERLIN, 9),
        ({"timezone": "UTC"}, BERLIN, 0),
    ],
)
def test_zone_of_the_window(arguments, zone, hours_before_utc):
    """Moments without a zone are read in the call's zone, else the client's, else UTC; the window shows which."""
    window = request(zone=zone, **arguments).window
    assert window.start_ms == START_MS - hours_before_utc * 3_600_000
    assert window.zone == str(arguments.get("timezone", zone or "UTC"))


@pytest.mark.parametrize(
    ("arguments", "zone", "expected"),
    [
        ({}, None, []),
        ({}, BERLIN, [("timezone", "Europe/Berlin")]),
        ({"timezone": "Asia/Tokyo"}, BERLIN, [("timezone", "Asia/Tokyo")]),
        ({"timezone": ZoneInfo("Asia/Tokyo")}, None, [("timezone", "Asia/Tokyo")]),
        # An offset for the export's dates and a zone for them exclude one another.
        ({"timezone_offset": timedelta(hours=-7)}, BERLIN, [("timezoneOffset", "-25200000")]),
        (
            {"timezone_offset": timedelta(hours=2), "timezone": "Asia/Tokyo"},
            None,
            [("timezone", "Asia/Tokyo"), ("timezoneOffset", "7200000")],
        ),
    ],
)
def test_zone_on_the_wire(arguments, zone, expected):
    """The zone is sent where somebody chose one: the call's own, or the client's for a call without."""
    assert sent(zone=zone, **arguments) == expected


def test_user_has_no_timezone():
    """The user report knows no time zone: the client's is used for the window alone, and a call's own is a mistake."""
    assert "timezone" not in {row.wire for row in REPORTS["user"].parameters}
    assert sent("user", zone=BERLIN) == []
    assert request("user", zone=BERLIN).window.start_ms == START_MS - 3_600_000
    [problem] = problems("user", timezone="Europe/Berlin")
    assert problem.startswith("timezone: the report user has no such argument")


def test_neighbouring_windows():
    """The last millisecond of a window and the first of the next one are neighbours on the wire."""
    days = [request(start=f"2019-03-{day:02}", end=f"2019-03-{day + 1:02}") for day in range(1, 9)]
    for before, after in pairwise(days):
        assert int(dict(before.pairs)["endTime"]) + 1 == int(dict(after.pairs)["startTime"])


@given(st.lists(st.dates(date(1971, 1, 1), date(2037, 12, 31)), min_size=3, unique=True).map(sorted), st.timezones())
def test_any_split_of_a_range(cuts, zone):
    """However a range is cut at days, the wire holds each of its milliseconds exactly once."""
    intervals = []
    for start, end in pairwise(cuts):
        pairs = dict(encode(REPORTS["user"], start, end, {}, timezone=zone).pairs)
        intervals.append((int(pairs["startTime"]), int(pairs["endTime"])))
    assert all(first <= last for first, last in intervals)
    assert [last + 1 for _, last in intervals[:-1]] == [first for first, _ in intervals[1:]]


WRONG_WINDOWS = [
    ("2019-03-02", "2019-03-01", ["start, end: start (2019-03-02) is after end (2019-03-01); swap them"]),
    ("2019-03-01", date(2019, 3, 1), ["start, end: the window is empty"]),
    ("yesterday", "2019-03-01", ["start: 'yesterday' is not a time"]),
    ("yesterday", None, ["start: 'yesterday' is not a time", "end: None is not a time"]),
    (1551398400, 1551484800, ["start: 1551398400 looks like seconds", "end: 1551484800 looks like seconds"]),
    ("1969-12-31", "2019-03-01", ["start: 1969-12-31 is outside"]),
    (1470614400000, 1461104100000, ["start, end: start (2016-08-08) is after end"]),
]


@pytest.mark.parametrize(("start", "end", "expected"), WRONG_WINDOWS)
def test_wrong_window(start, end, expected):
    """A wrong window is a ParameterError that names the argument and what it was."""
    found = problems(start=start, end=end)
    assert len(found) == len(expected)
    assert all(problem.startswith(text) for problem, text in zip(found, expected, strict=True))


def test_wrong_zone_hides_no_other_mistake():
    """A zone that does not exist is reported once, and the moments are still looked at."""
    found = problems(timezone="Europe/Belrin", start="yesterday")
    assert [problem.partition(":")[0] for problem in found] == ["start", "timezone"]
    assert "did you mean 'Europe/Berlin'" in found[1]


# ---- one value at a time

ACCEPTED = [
    # report, arguments, what is sent for them
    ("conversation", {"format": "json"}, [("reportFormat", "json")]),
    ("conversation", {"format": "JSON"}, [("reportFormat", "json")]),
    ("conversation", {"format": "Csv"}, []),
    ("conversation", {"format": None}, []),
    ("conversation", {"metrics": "STATUS"}, [("reportMetrics", "STATUS")]),
    ("conversation", {"metrics": ["STATUS", "X"]}, [("reportMetrics", "STATUS"), ("reportMetrics", "X")]),
    ("conversation", {"metrics": ("X", "STATUS", "X")}, [("reportMetrics", "X"), ("reportMetrics", "STATUS")]),
    ("conversation", {"metrics": iter(["X"])}, [("reportMetrics", "X")]),
    ("conversation", {"metrics": ["Conversation ID"]}, [("reportMetrics", "CONVERSATION_ID")]),
    ("conversation", {"metrics": ["STATUS", "Status"]}, [("reportMetrics", "STATUS")]),
    ("author", {"metrics": "Time Zone"}, [("reportMetrics", "TIME_ZONE")]),
    ("author", {"metrics": "Conversation ID"}, [("reportMetrics", "Conversation ID")]),  # a label of another report
    ("conversation", {"metrics": ["a,b ü&="]}, [("reportMetrics", "a,b ü&=")]),
    ("conversation", {"locale": "de"}, [("locale", "de")]),
    ("conversation", {"locale": "en_US"}, [("locale", "en_US")]),
    ("conversation", {"locale": "fr-CA"}, [("locale", "fr-CA")]),
    ("conversation", {"locale": "TR"}, [("locale", "TR")]),
    ("conversation", {"business_hours": "within"}, [("enableBusinessHour", "true"), ("businessHourType", "true")]),
    ("conversation", {"business_hours": "OUTSIDE"}, [("enableBusinessHour", "true"), ("businessHourType", "false")]),
    ("conversation", {"business_hours": None}, []),
    ("conversation", {"priorities": [0, 5]}, [("priorities", "0,5")]),
    ("conversation", {"priorities": ["1", 1, 2]}, [("priorities", "1,2")]),
    ("conversation", {"priorities": 3}, [("priorities", "3")]),
    ("conversation", {"workqueue_ids": ["a", 7]}, [("workqueueIds", "a,7")]),
    ("conversation", {"workqueue_ids": "a"}, [("workqueueIds", "a")]),
    ("conversation", {"smart_view_id": 12}, [("smartViewId", "12")]),
    ("conversation", {"smart_view_id": "12"}, [("smartViewId", "12")]),
    ("conversation", {"conversation_report_type": "closed"}, [("conversationReportType", "CLOSED")]),
    ("conversation", {"timezone_offset": timedelta(hours=5, minutes=30)}, [("timezoneOffset", "19800000")]),
    ("conversation", {"timezone_offset": timedelta()}, [("timezoneOffset", "0")]),
    ("raw_agent_states", {"team_ids": [6222, "7031", 6222]}, [("teamIds", "6222,7031")]),
    ("user", {"team_ids": [6222, "7031", 6222]}, [("teamId", "6222"), ("teamId", "7031")]),
    ("user", {"agent_ids": {"a": 1}.keys()}, [("agentId", "a")]),
    ("user", {"include_disabled": True}, [("includeDisabled", "true")]),
    ("user", {"include_disabled": False}, [("includeDisabled", "false")]),
    ("conversation_history_action", {"raise_limit": True}, [("raiselimit", "true")]),
    ("raw_brand_posts", {"campaign_id": "c1"}, [("campaignId", "c1")]),
    ("team_performance_interval", {"time_interval": timedelta(minutes=5)}, [("timeInterval", "300000")]),
    ("team_performance_interval", {"time_interval": timedelta(weeks=1)}, [("timeInterval", "604800000")]),
    ("team_performance_interval", {"time_interval": timedelta(days=30)}, [("timeInterval", "2592000000")]),
    ("conversation", {"extra": {"a": "b"}}, [("a", "b")]),
    ("conversation", {"extra": {"a": True, "b": 7, "c": 0.5}}, [("a", "true"), ("b", "7"), ("c", "0.5")]),
    ("conversation", {"extra": {"d": ["x", "y"]}}, [("d", "x"), ("d", "y")]),
    ("conversation", {"extra": {}}, []),
    ("conversation", {"extra": None}, []),
]


@pytest.mark.parametrize(("report", "arguments", "expected"), ACCEPTED)
def test_accepted(report, arguments, expected):
    """What a caller writes is sent in the wire's own way: lists with commas or repeated, nothing sent twice."""
    assert sent(report, **arguments) == expected


REFUSED = [
    # report, argument, value, what the message says about it
    ("conversation", "format", "jsn", "'jsn' is not among 'csv', 'json'; did you mean 'json'?"),
    ("conversation", "format", "xlsx", "'xlsx' is not among 'csv', 'json'"),
    ("conversation", "format", True, "True"),
    ("conversation", "format", ["csv"], "is not among"),
    ("conversation", "metrics", [], "an empty list would not narrow the export down"),
    ("conversation", "metrics", "", "'' is not a metric"),
    ("conversation", "metrics", ["STATUS", 5], "5 is not a metric; give its name as text, such as 'CONVERSATION_ID'"),
    ("conversation", "metrics", [None], "None is not a metric"),
    ("conversation", "metrics", ["a\ud800"], "surrogates not allowed"),
    ("conversation", "metrics", b"STATUS", "is not a metric"),
    ("conversation", "metrics", {"STATUS": 1}, "is not a metric"),
    ("conversation", "locale", "pt", "'pt' is not among 'en', 'es', 'fr', 'de', 'tr'"),
    ("conversation", "locale", "english", "'english' is not among"),
    ("conversation", "locale", "", "'' does not fit"),
    ("conversation", "locale", 5, "is not among"),
    ("conversation", "business_hours", "outsid", "'outsid' is not among 'within', 'outside'; did you mean 'outside'?"),
    ("conversation", "business_hours", True, "is not among"),
    ("conversation", "priorities", [6], "'6' is not among '0', '1', '2', '3', '4', '5'"),
    ("conversation", "priorities", [-1], "'-1' is not among"),
    ("conversation", "priorities", [True], "True does not fit"),
    ("conversation", "priorities", "1,2", "'1,2' holds a comma; give a list: ['1', '2']"),
    ("conversation", "priorities", [1.5], "1.5 does not fit"),
    ("conversation", "workqueue_ids", ["a,b"], "give a list: ['a', 'b']"),
    ("conversation", "workqueue_ids", [], "an empty list"),
    ("conversation", "workqueue_ids", ["a", None], "None does not fit"),
    ("conversation", "smart_view_id", ["a", "b"], "does not fit; give one text; only this smart view, exactly one"),
    ("conversation", "smart_view_id", " ", "does not fit"),
    ("conversation", "smart_view_id", "\udfff", "surrogates not allowed"),
    ("conversation", "conversation_report_type", "OPEN", "is not among 'OPEN_AT_END', 'CLOSED', 'CREATED'"),
    ("conversation", "conversation_report_type", "open at end", "did you mean 'OPEN_AT_END'?"),
    ("conversation", "timezone", "Berlin", "did you mean 'Europe/Berlin'"),
    ("conversation", "timezone", UTC, "is not a time zone"),
    ("conversation", "timezone", "", "'' is not an IANA time zone"),
    ("conversation", "timezone_offset", 3600000, "3600000 is not a duration; give a datetime.timedelta"),
    ("conversation", "timezone_offset", DAY, "1 day, 0:00:00 is out of range; it must be less than 1 day"),
    ("conversation", "timezone_offset", -DAY, "is out of range"),
    ("conversation", "timezone_offset", timedelta(microseconds=1), "is not a whole number of milliseconds"),
    ("user", "include_disabled", "yes", "'yes' is not a flag; give True or False"),
    ("user", "include_disabled", 1, "1 is not a flag"),
    ("user", "agent_ids", [], "an empty list"),
    ("team_performance_interval", "time_interval", timedelta(hours=3), "3:00:00 is not among 0:05:00, 0:10:00"),
    (
        "team_performance_interval",
        "time_interval",
        timedelta(days=6),
        "7 days; only longer ones than the last are free",
    ),
    ("team_performance_interval", "time_interval", timedelta(0), "is not among"),
    ("team_performance_interval", "time_interval", -DAY, "is not among"),
    ("team_performance_interval", "time_interval", "1d", "is not a duration"),
    ("team_performance_interval", "time_interval", None, "missing; this report needs it"),
    ("conversation", "time_interval", DAY, "the report conversation has no such argument"),
    ("conversation", "raise_limit", True, "the report conversation has no such argument"),
    ("conversation", "company_key", "k", "the report conversation has no such argument"),
    ("conversation", "metric", "STATUS", "has no such argument; did you mean 'metrics'?"),
    ("conversation", "workqueueIds", "a", "did you mean 'workqueue_ids'?"),
    ("conversation", "reportFormat", "json", "did you mean 'format'?"),
    ("conversation", "smart_view", "a", "did you mean 'smart_view_id'?"),
    ("conversation", "xyzzy", 1, "what the table does not know goes into extra={wire name: value}"),
    ("conversation", "extra", [("a", "b")], "is not a mapping; give {wire name: value}"),
    ("conversation", "extra", "a=b", "is not a mapping"),
    ("conversation", "extra", {"companyKey": "hush"}, "companyKey is a credential; give it to Client(company_key=...)"),
    ("conversation", "extra", {"a": None}, "a=None cannot be sent"),
    ("conversation", "extra", {"a": {"b": 1}}, "cannot be sent"),
    ("conversation", "extra", {"a": []}, "an empty list"),
    ("conversation", "extra", {7: "a"}, "7 is not a wire name"),
    ("conversation", "extra", {"": "a"}, "'' is not a wire name"),
    ("conversation", "extra", {"a": "\ud800"}, "surrogates not allowed"),
    ("conversation", "extra", {"\ud800": "a"}, "surrogates not allowed"),
]


@pytest.mark.parametrize(("report", "name", "value", "message"), REFUSED)
def test_refused(report, name, value, message):
    """What does not fit is refused with its argument's name, what was given, what is allowed, and the nearest value."""
    [problem] = problems(report, **{name: value})
    assert problem.startswith(f"{name}: ")
    assert message in problem
    assert "hush" not in problem


@pytest.mark.parametrize("step", FACTS["parameters"]["timeInterval"]["values"])
def test_documented_time_intervals(step):
    """Every documented interval is accepted, and the millisecond below each is not."""
    interval = timedelta(milliseconds=step)
    assert sent("team_performance_interval", time_interval=interval) == [("timeInterval", str(step))]
    problems("team_performance_interval", time_interval=interval - timedelta(milliseconds=1))


@pytest.mark.parametrize("language", FACTS["parameters"]["locale"]["type"])
def test_documented_languages(language):
    """Every documented language is sent as it was given, with or without a country."""
    for text in (language, f"{language}_XX", language.upper()):
        assert sent(locale=text) == [("locale", text)]


def test_extra_wins():
    """What ``extra`` holds replaces all that this library would send under that name, and is not checked."""
    pairs = request(
        metrics=["A", "B"],
        format="json",
        extra={"reportMetrics": ["Conversation ID"], "reportFormat": "xlsx", "startTime": 5, "timeInterval": 7},
    ).pairs
    assert pairs == (
        ("endTime", str(END_MS - 1)),
        ("reportMetrics", "Conversation ID"),
        ("reportFormat", "xlsx"),
        ("startTime", "5"),
        ("timeInterval", "7"),
    )


def test_trap_values_of_the_samples():
    """The vendor's samples write CSV in capitals, en_US, and a timeInterval where none is listed: all can be said."""
    assert "vendor samples write reportFormat=CSV and locale=en_US" in TRAPS
    assert "vendor samples send timeInterval to reports that do not list it" in TRAPS
    found = sent("conversation", format="CSV", locale="en_US", extra={"timeInterval": 3600000})
    assert found == [("locale", "en_US"), ("timeInterval", "3600000")]


# ---- all mistakes at once


def test_all_mistakes_at_once():
    """One call with many mistakes gets one error that lists them all; nothing is said about what is right."""
    with pytest.raises(ParameterError) as caught:
        request(
            "team_performance_interval",
            "yesterday",
            1551484800,
            time_interval=None,
            metrics=[],
            format="jsn",
            locale="pt",
            timezone="Berlin",
            priorities=[9],
            smart_view_id="fine",
            includeDisabled=True,
            extra={"companyKey": "x"},
        )
    names = ["includeDisabled", "start", "end", "metrics", "format", "locale", "timezone", "priorities"]
    names += ["time_interval", "extra"]
    assert [problem.partition(":")[0] for problem in caught.value.problems] == names
    text = str(caught.value)
    assert re.match(r"team_performance_interval: 10 .*wrong.* nothing was sent\n- includeDisabled: ", text)
    assert all(f"\n- {problem}" in text for problem in caught.value.problems)
    assert "fine" not in text


def test_one_mistake():
    """A single mistake is a single line with the report's name."""
    with pytest.raises(ParameterError) as caught:
        request(format="jsn")
    end = " Nothing was sent" if caught.value.problems[0].endswith("?") else "; nothing was sent"
    assert str(caught.value) == f"conversation: {caught.value.problems[0]}{end}"
    assert "\n" not in str(caught.value)


def test_a_mistake_in_two_wire_parameters_is_one():
    """Business hours set two flags, and a wrong value of theirs is one mistake."""
    assert len(problems(business_hours="never")) == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conversations", "did you mean 'conversation'?"),
        ("Raw Conversation", "did you mean 'conversation'?"),
        ("helf requests", "did you mean 'raw_expert_help'?"),
        ("CONVERSATION", "did you mean 'conversation'?"),
        ("xyzzy", "the reports are author, combined, conversation,"),
        ("", "the reports are author"),
        (None, "the reports are author"),
        (["author"], "there is no report ['author']"),
    ],
)
def test_unknown_report(name, hint):
    """A report that does not exist is refused with the nearest name, or with all of them."""
    with pytest.raises(ParameterError, match="there is no report") as caught:
        find_report(name)
    assert hint in str(caught.value)


@pytest.mark.parametrize("name", ALL)
def test_known_report(name):
    """A report is found by its name on the wire."""
    assert find_report(name) is REPORTS[name]


@pytest.mark.parametrize("write", [str, str.upper, str.lower, "  {}\n".format, lambda title: title.replace(" ", "  ")])
@pytest.mark.parametrize("name", ALL)
def test_report_by_its_title(name, write):
    """A report is found by its title in the vendor's documentation, too, in any letter case."""
    assert find_report(write(REPORTS[name].title)) is REPORTS[name]


def test_title_that_two_reports_share(monkeypatch):
    """A title that does not tell which report is meant is an error that names both."""
    both = dict(REPORTS) | {"author": evolve(REPORTS["author"], title="raw Conversations")}
    monkeypatch.setattr("khoros_analytics._protocol.arguments.REPORTS", both)
    with pytest.raises(ParameterError, match=r"2 reports have the title .*: 'author' and 'conversation'"):
        find_report("Raw conversations")


# ---- laws

ids = st.text(string.ascii_letters + string.digits + "-_ü", min_size=1) | st.integers(0)


def several(one):
    return one | st.lists(one, min_size=1, max_size=4)


BY_KIND = {
    Kind.TEXT: lambda row: ids,
    Kind.FLAG: lambda row: st.booleans(),
    Kind.CHOICE: lambda row: st.sampled_from([*row.choices, *(choice.upper() for choice in row.choices)]),
    Kind.LANGUAGE: lambda row: st.builds("{}{}".format, st.sampled_from(row.choices), st.sampled_from(["", "_US"])),
    Kind.ZONE: lambda row: st.timezones() | st.timezone_keys(),
    Kind.COMMA: lambda row: several(st.sampled_from(row.choices) if row.choices else ids),
    Kind.REPEATED: lambda row: several(
        st.text(min_size=1).filter(str.strip) if row.name == "metrics" else ids,
    ),
    Kind.MILLISECONDS: lambda row: (
        st.sampled_from([timedelta(milliseconds=step) for step in row.steps])
        if row.steps
        else st.integers(-86_399_999, 86_399_999).map(lambda ms: timedelta(milliseconds=ms))
    ),
}
# Names that no report has, so that the table cannot read them.
unknown_extras = st.dictionaries(
    st.text(string.ascii_letters, min_size=1).map("x{}".format),
    st.text() | st.integers() | st.booleans() | st.lists(st.text(), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)


@st.composite
def calls(draw):
    """Any call that is right: a report and arguments that it takes."""
    name = draw(st.sampled_from(ALL))
    arguments = needed(name)
    for keyword, row in keywords(name).items():
        if draw(st.booleans()):
            arguments[keyword] = draw(BY_KIND[row.kind](row))
    if draw(st.booleans()):
        arguments["extra"] = draw(unknown_extras)
    return name, arguments


@given(calls(), st.none() | st.timezones())
@example(("conversation", {"business_hours": "outside", "priorities": [0, 5], "metrics": ["Conversation ID"]}), None)
def test_what_was_asked_can_be_asked_again(call, zone):
    """The arguments that a job shows are right themselves and send the same."""
    name, arguments = call
    first = encode(REPORTS[name], START, END, arguments, timezone=zone)
    again = encode(REPORTS[name], first.window.start, first.window.end, first.arguments)
    assert again.pairs == first.pairs
    assert again.arguments == first.arguments
    assert (again.window.start_ms, again.window.end_ms) == (first.window.start_ms, first.window.end_ms)


@given(calls())
def test_only_documented_names_are_sent(call):
    """Every parameter that is sent is one of the report's row, or one that the caller gave in ``extra``."""
    name, arguments = call
    wires = {wire for wire, _ in encode(REPORTS[name], START, END, arguments).pairs}
    assert wires <= {row.wire for row in REPORTS[name].parameters} | set(arguments.get("extra", {}))
    assert "companyKey" not in wires


@given(st.sampled_from(["workqueue_ids", "metrics"]), st.lists(st.text(string.ascii_letters, min_size=1), min_size=1))
def test_lists_keep_their_order(name, items):
    """A list is sent in its order, each item once: with commas or repeated, as the wire wants it."""
    expected = list(dict.fromkeys(items))
    values = [value for _, value in sent(**{name: items})]
    assert values == (expected if name == "metrics" else [",".join(expected)])
    assert sent(**{name: tuple(items)}) == sent(**{name: iter(items)}) == sent(**{name: items})


def test_extra_that_the_table_cannot_read_is_shown_as_extra():
    """What ``extra`` sent under a known name is shown as sent, and never as an argument that says something else."""
    for extra in ({"enableBusinessHour": "true"}, {"reportFormat": "xlsx"}, {"businessHourType": "maybe"}):
        shown = request(extra=extra).arguments
        assert shown.get("extra") == extra, shown
        assert encode(REPORTS["conversation"], START, END, shown).pairs == request(extra=extra).pairs


HUGE = 10**5000
"""A number that Python itself refuses to write down; so does hypothesis, hence the table."""


@pytest.mark.parametrize("arguments", [{name: HUGE} for name in (*keywords("conversation"), "extra", "xyzzy")])
def test_huge_numbers(arguments):
    """A number that is too long for text is a mistake like any other."""
    assert len(problems(**arguments)) == 1


def test_huge_moments():
    """So is one that is given for a moment."""
    assert len(problems("user", HUGE, -HUGE)) == 2


FIRST_MOMENT, LAST_MOMENT = datetime.min, datetime.max  # noqa: DTZ901 - naive on purpose


class Strange:
    """Something that nobody expects as an argument."""

    def __repr__(self):
        return "a strange thing"


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # lone surrogates included
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.timezones()
    | st.sampled_from([Strange(), Strange, len, ..., NotImplemented, UTC, LAST_MOMENT, FIRST_MOMENT, Kind.TEXT]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
        | st.lists(inner, max_size=2).map(iter)
    ),
    max_leaves=6,
)


def survives(report, start, end, arguments, zone=None):
    """Encode; all that comes of it is something that can be sent, or an error that lists its problems."""
    try:
        found = encode(REPORTS[report], start, end, arguments, timezone=zone)
    except ParameterError as error:
        found = error.problems
    if isinstance(found, ExportRequest):
        assert all(isinstance(part, str) for pair in found.pairs for part in pair)
        assert "".join(part for pair in found.pairs for part in pair).encode()
    else:
        assert found
        assert all(isinstance(problem, str) and problem for problem in found)


@given(st.sampled_from(ALL), st.data(), junk)
def test_junk_for_an_argument(report, data, value):
    """Whatever is given for an argument, it is accepted or a ParameterError: never a traceback from inside."""
    name = data.draw(st.sampled_from([*keywords(report), "extra"]))
    survives(report, START, END, {**needed(report), name: value})


@given(junk, junk, st.none() | st.timezones())
@example(LAST_MOMENT, FIRST_MOMENT, ZoneInfo("Pacific/Kiritimati"))
@example(Decimal(1), Fraction(1, 3), None)
@example("9" * 5000, "2019-03-01T00:00:00.0000000000001", None)
def test_junk_for_a_moment(start, end, zone):
    """Whatever is given for a moment, it is accepted or a ParameterError."""
    survives("user", start, end, {}, zone)


@given(st.dictionaries(st.text(min_size=1), junk, max_size=4))
def test_junk_names(arguments):
    """Whatever names are given, they are accepted or a ParameterError."""
    survives("conversation", START, END, arguments)


@given(junk)
def test_junk_for_a_report(name):
    """Whatever is given for a report's name, it is found or a ParameterError."""
    with suppress(ParameterError):
        assert find_report(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        *("companykey", "CompanyKey", "COMPANY_KEY", " company key ", "company-key", "company%4bey", "\uff43ompanyKey"),
        *("companyKey[]", "password", "Authorization", "analyticsAccessToken", "access_token", "token", "api-key"),
    ],
)
def test_credentials_in_other_letters(name):
    """The name of a credential is refused in whatever letters: tokens, journals and files would hold its value."""
    with pytest.raises(ParameterError, match="is a credential") as caught:
        encode(REPORTS["conversation"], "2019-02-01", "2019-02-02", {"extra": {name: "CANARY"}})
    assert "CANARY" not in str(caught.value)
