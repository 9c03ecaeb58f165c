"""What looks like a mistake is sent as given, with a warning in the log."""

import logging
from datetime import timedelta

import pytest

from khoros_analytics._protocol.arguments import encode, from_json, to_json
from khoros_analytics.reports import REPORTS

WINTER, SUMMER = ("2019-02-01", "2019-02-02"), ("2019-08-01", "2019-08-02")


@pytest.fixture
def warnings(caplog):
    """Ask for a report, and return what was warned of, beside what is sent."""

    def ask(name="conversation", window=WINTER, **arguments):
        caplog.clear()
        request = encode(REPORTS[name], *window, arguments)
        found = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert all(record.khoros_report == name for record in found)
        return [record.getMessage() for record in found], request.pairs

    return ask


@pytest.mark.parametrize(
    ("report", "given", "meant"),
    [
        ("conversation", "STATU", "STATUS"),
        ("conversation", "status", "STATUS"),
        ("conversation", "Statuses", "STATUS"),
        ("conversation", " STATUS ", "STATUS"),
        ("conversation", "STATSU", "STATUS"),
        ("conversation", "Conversation Id", "CONVERSATION_ID"),
        ("conversation", "conversation_id", "CONVERSATION_ID"),
        ("conversation", "ConversationID", "CONVERSATION_ID"),
        ("conversation", "conversation-id", "CONVERSATION_ID"),
        ("conversation", "CONVERSATION_IDS", "CONVERSATION_ID"),
        ("conversation", "CONVERSATIONS_ID", "CONVERSATION_ID"),
        ("conversation", "CONVERSTION_ID", "CONVERSATION_ID"),
        ("conversation", "CONVRSTION_ID", "CONVERSATION_ID"),
        ("conversation", "Asignee ID", "ASSIGNED_AGENT_DISPLAY_ID"),
        ("conversation", "assigned agent display id", "ASSIGNED_AGENT_DISPLAY_ID"),
        ("author", "Timezone", "TIME_ZONE"),
        ("author", "TIME_ZON", "TIME_ZONE"),
        ("response", "CONVERSATION_ID", "conversation_id"),
        ("response", "response type", "response_type"),
        ("response", "agent_responses_order", "agent_response_order"),
    ],
)
def test_metric_like_a_known_one(warnings, report, given, meant):
    """A metric that is spelled almost as a known one is sent as it stands, and a warning names both."""
    said, pairs = warnings(report, metrics=["TIME_ZONE", given])
    assert said == [
        f"{report}: metrics: {given!r} is sent as given, but it is not a metric that is known; did you mean {meant!r}?"
    ]
    assert ("reportMetrics", given) in pairs


@pytest.mark.parametrize(
    ("report", "given"),
    [
        ("conversation", "STATUS"),
        ("conversation", "Conversation ID"),
        ("conversation", "POST_COUNT"),
        ("conversation", "STATE"),
        ("conversation", "STATUS_DATE"),
        ("conversation", "CONVERSATION_URL"),
        ("conversation", "CONVERSATION"),
        ("conversation", "AGENT_ID"),
        ("conversation", "ASSIGNED_AGENT_NAME"),
        ("conversation", "Überschrift"),
        ("conversation", "_"),
        ("author", "STATU"),
        ("response", "response_time"),
        ("response", "response_tap"),
        ("response", "internal_response_id"),
        ("response", "date_closed"),
        ("response", "expert_response_order"),
        ("response", "handle_time_first_response"),
    ],
)
def test_metric_of_its_own(warnings, report, given):
    """A known metric, its label, and a name that is like no known one bring no warning."""
    assert warnings(report, metrics=given)[0] == []


def test_metrics_that_are_read_back(caplog):
    """Whoever finds a job again by its token or in the journal is not warned once more."""
    request = encode(REPORTS["conversation"], *WINTER, {"metrics": ["STATU"]})
    caplog.clear()
    from_json(request.report, request.window, to_json(request.arguments))
    assert not caplog.records


@pytest.mark.parametrize(
    ("window", "zone", "hours", "said"),
    [
        (WINTER, "America/Chicago", -6, None),
        (SUMMER, "America/Chicago", -5, None),
        (SUMMER, "America/Chicago", -6, "America/Chicago is -05:00 from UTC"),
        (WINTER, "America/Chicago", 6, "timezone_offset says +06:00"),
        (WINTER, "Asia/Kolkata", 5.5, None),
        (WINTER, "Asia/Kolkata", 5, "Asia/Kolkata is +05:30 from UTC at the start of the window"),
        (WINTER, "UTC", 0, None),
        (("1970-01-01", "1970-01-02"), "Africa/Monrovia", 0, "Africa/Monrovia is -00:44:30 from UTC"),
    ],
)
def test_zone_and_offset(warnings, window, zone, hours, said):
    """A zone and an offset that disagree at the window's start are both sent, with a warning that shows both."""
    messages, pairs = warnings(window=window, timezone=zone, timezone_offset=timedelta(hours=hours))
    assert len(messages) == (said is not None)
    assert said is None or said in messages[0]
    assert {"timezone": zone, "timezoneOffset": str(round(hours * 3_600_000))}.items() <= dict(pairs).items()


@pytest.mark.parametrize(
    ("arguments", "warned"),
    [
        ({"timezone": "Asia/Tokyo", "extra": {"timezoneOffset": 0}}, True),
        ({"timezone_offset": timedelta(), "extra": {"timezone": "Asia/Tokyo"}}, True),
        ({"extra": {"timezone": "Asia/Tokyo", "timezoneOffset": "32400000"}}, False),
        ({"extra": {"timezone": "Mars", "timezoneOffset": "0"}}, False),
        ({"extra": {"timezone": "Asia/Tokyo", "timezoneOffset": "none"}}, False),
        ({"extra": {"timezone": "Asia/Tokyo", "timezoneOffset": "9" * 5000}}, False),
    ],
)
def test_zone_and_offset_by_extra(warnings, arguments, warned):
    """What goes over the wire counts, whichever way it got there; what nobody can compare brings no warning."""
    assert bool(warnings(**arguments)[0]) is warned


@pytest.mark.parametrize("name", ["conversation_actions", "conversation_history_action"])
def test_samples_of_the_vendor(warnings, name):
    """The samples of the vendor's that ask for both agree, and are not warned of."""
    zone, offset = "America/Chicago", timedelta(milliseconds=-21600000)
    window = (1548979200000, 1556668800000)
    assert warnings(name, window, timezone=zone, timezone_offset=offset)[0] == []
