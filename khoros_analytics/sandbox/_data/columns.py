"""Columns: which ones a report's rows have, and plausible values for each by its name.

The metrics of the table come first. All others are **illustrative**: the vendor's full lists are not public, so their
names are made up, to give the rows a realistic width. A metric that nobody knows gets values that fit its name. What a
column says of a conversation, a post, a response, an author, an agent or a team is the same in all reports.

The values hold on purpose what real exports hold: commas, quotes, line breaks, emoji, umlauts, numbers of 19 digits,
leading zeros, and nothing at all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType

from attrs import frozen

from ...reports import REPORTS
from .dice import Dice, choose, lognormal, share
from .events import Event
from .lookups import TEAMS
from .stories import AGENTS, FIRST_NAMES, LAST_NAMES, Agent

__all__ = ["ILLUSTRATIVE", "ExportContext", "Value", "column", "columns_of"]

Value = str | int | float | bool | None

_CASE = ("CONVERSATION_ID", "PRIORITY", "TAGS")
_POST = ("POST_ID", "POST_CONTENT", "POST_LINK", "PROVIDER", "LANGUAGE", "SENTIMENT", "PUBLISHED_DATE")
_AUTHOR = ("AUTHOR_ID", "AUTHOR_NAME", "AUTHOR_HANDLE")
_AGENT = ("AGENT_ID", "AGENT_NAME", "AGENT_EMAIL")
_TEAM = ("TEAM_ID", "TEAM_NAME", "RESPONSE_COUNT", "CLOSED_COUNT", "HANDLE_TIME_SECONDS", "IN_BUSINESS_HOUR")

ILLUSTRATIVE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "author": (*_AUTHOR, "PROVIDER", "POST_COUNT", "FIRST_POST_DATE", "NOTE"),
        "combined": (*_CASE, *_AUTHOR, *_POST, *_AGENT, "HANDLE_TIME_SECONDS"),
        "conversation": ("PRIORITY", "SUBJECT", *_AUTHOR, "TAGS", "POST_COUNT", "CREATED_DATE", "CLOSED_DATE"),
        "conversation_actions": (*_CASE, *_AGENT, "ACTION_TYPE", "ACTION_DATE", "NOTE"),
        "conversation_history_action": (*_CASE, *_AGENT, "ACTION_TYPE", "ACTION_ORDER", "ACTION_DATE", "NOTE"),
        "incoming_post": (*_CASE, *_AUTHOR, *_POST),
        "raw_agent_states": ("state_type", "state_start_time", "state_seconds", "team_name"),
        "raw_brand_posts": ("CAMPAIGN_ID", "CAMPAIGN_NAME", *_POST, "CLICK_COUNT"),
        "raw_expert_help": (*_CASE, *_AGENT, "EXPERT_EMAIL", "QUESTION_CONTENT", "ANSWER_CONTENT", "REQUESTED_DATE"),
        "response": (),
        "response_approval": (*_CASE, *_AGENT, "RESPONSE_CONTENT", "APPROVAL_STATUS", "APPROVED_DATE"),
        "team_performance": _TEAM,
        "team_performance_interval": ("INTERVAL_START_DATE", *_TEAM),
        "user": (*_AGENT, "TEAM_NAME", "ACTIVE", "TOTAL_SECONDS"),
    }
)
"""The made-up columns of each report, after those of the table."""

_LINK = "https://care.example.com/c"
_WORDS = ("please", "my", "order", "has", "not", "arrived", "since", "Monday", "thanks", "again", "the", "invoice")
_NASTY = (
    "Hello, where is my parcel? I paid 1,299.00, and nothing came",
    'She said "it\'s broken" and left',
    "First line\nsecond line\r\nthird line",
    "So happy 🎉👩‍👩‍👧 thank you ❤️",
    "Grüße aus Köln: schön, daß es läuft",
    "0012345",
    '=SUM(1,2);"a","b"\t|end',
    "日本語のメッセージ と العربية",
    ' leading and trailing blanks "" ',
    '{"json": ["in", "a", "cell"]}, ]',
    "back\\slash and 'quotes'",
)


@frozen
class ExportContext:
    """What the values of one export have in common.

    Attributes:
        seed: Other seeds give other values.
        zone: The zone in which moments are written.
        zone_name: What the export calls that zone.
    """

    seed: int
    zone: tzinfo
    zone_name: str

    def moment(self, second: int) -> str:
        """Return a moment as text. How the API writes dates is not documented."""
        return datetime.fromtimestamp(second, self.zone).strftime("%Y-%m-%d %H:%M:%S")


_Maker = Callable[[Event, int, ExportContext], Value]
"""Makes a value of an event, of a number that is drawn for this cell, and of what the export has in common."""


def columns_of(report: str) -> tuple[str, ...]:
    """Return all columns of a report: those of the table, then the illustrative ones.

    Example:
        >>> columns_of("conversation")[:4]
        ('CONVERSATION_ID', 'STATUS', 'ASSIGNED_AGENT_DISPLAY_ID', 'TIME_ZONE')
    """
    known = tuple(metric.name for metric in REPORTS[report].metrics)
    return known + tuple(name for name in ILLUSTRATIVE[report] if name not in known)


def column(name: str, context: ExportContext, events: Sequence[Event]) -> list[Value]:
    """Return the values of one column. They do not depend on which other columns are asked for."""
    drawn = Dice(context.seed, name.upper())
    make = next(maker for pattern, maker in _MAKERS if pattern.search(name))
    return [make(event, drawn(event.key), context) for event in events]


def _one_of(*values: Value) -> _Maker:
    return lambda _event, drawn, _context: choose(drawn, values)


def _known(get: Callable[[Event], Value]) -> _Maker:
    """Return what makes a value that is no matter of chance."""
    return lambda event, _drawn, _context: get(event)


def _moment(get: Callable[[Event], int | None]) -> _Maker:
    def make(event: Event, _drawn: int, context: ExportContext) -> Value:
        second = get(event)
        return None if second is None else context.moment(second)

    return make


def _seldom(make: _Maker, absent: float = 0.2) -> _Maker:
    return lambda event, drawn, context: None if share(drawn * 5 & _ALL) < absent else make(event, drawn, context)


def _by_author(make: Callable[[int], Value]) -> _Maker:
    """Return what makes a value that an author has everywhere."""
    return lambda event, _drawn, _context: make(_AUTHOR_DICE(event.conversation.author))


def _by_conversation(make: Callable[[int], Value]) -> _Maker:
    """Return what makes a value that a conversation has everywhere."""
    return lambda event, _drawn, _context: make(_CONVERSATION_DICE(event.conversation.number))


def _by_post(make: Callable[[int], Value]) -> _Maker:
    """Return what makes a value that a post has everywhere, in the reports of responses, too."""
    return lambda event, _drawn, _context: make(_POST_DICE(event.key))


def _of_agent(get: Callable[[Agent], Value]) -> _Maker:
    return lambda event, _drawn, _context: None if event.agent is None else get(event.agent)


def _zone(_event: Event, _drawn: int, context: ExportContext) -> Value:
    return context.zone_name


def _seconds(_event: Event, drawn: int, _context: ExportContext) -> Value:
    return round(lognormal(drawn, 55.0, 1.0), 2)


def _claimed(event: Event) -> int | None:
    """Return when an agent took a post: some time before the answer came."""
    response = event.response
    return None if response is None else max(response.asked, response.at - 60 - int(response.handled))


def _asked(event: Event) -> int:
    return event.at if event.response is None else event.response.asked


def _waited(event: Event) -> Value:
    """Return the seconds from a post to its answer."""
    return None if event.response is None else float(event.response.at - event.response.asked)


def _handled_in_all(event: Event) -> Value:
    """Return for how long anybody worked on an answer."""
    if event.response is None:
        return None
    return round(event.response.handled + (_others(event) or 0.0), 2)


def _others(event: Event) -> float | None:
    """Return for how long other agents worked on it, where any did."""
    drawn = _OTHERS_DICE(event.key)
    return round(lognormal(drawn, 45.0, 0.7), 2) if drawn % 10 < 3 else None


def _platform_id(drawn: int) -> int | None:
    # Some platforms do not tell who writes, and number no posts.
    return None if drawn >> 32 & 15 == 0 else 10**18 + drawn % (8 * 10**18)


def _platform_id_text(drawn: int) -> Value:
    number = _platform_id(drawn)
    return None if number is None else str(number)


def _external(_event: Event, drawn: int, _context: ExportContext) -> Value:
    return f"00{1 + drawn % 10**6}" if drawn >> 60 & 3 == 3 else str(10**18 + drawn % (8 * 10**18))


def _uuid(drawn: int) -> Value:
    digits = f"{drawn:016x}{drawn * 0x9E3779B97F4A7C15 & _ALL:016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _name(drawn: int) -> Value:
    return f"{choose(drawn, FIRST_NAMES)} {choose(drawn >> 8, LAST_NAMES)}"


def _prose(drawn: int) -> Value:
    if drawn % 5 < 2:
        return choose(drawn, _NASTY)
    words = [_WORDS[(drawn >> shift) % len(_WORDS)] for shift in range(8, 8 + 3 * (3 + drawn % 15), 3)]
    return " ".join(words).capitalize() + "."


def _campaign(event: Event) -> int:
    return event.at // (7 * 86_400) % 50


_ALL = (1 << 64) - 1
# What is drawn by these is a person's or a text's own, under any seed: the numbers of conversations differ already.
_AUTHOR_DICE, _CONVERSATION_DICE, _POST_DICE, _OTHERS_DICE = (
    Dice(0, name) for name in ("author", "conversation", "post", "others")
)
_TAGS = ("billing", "billing, refund", 'vip, "gold"', "", None)

# The first pattern that is found decides.
_MAKERS: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), maker)
    for pattern, maker in (
        (r"^TIME_ZONE$", _zone),
        (r"^CONVERSATION_ID$", _known(lambda event: event.conversation.id)),
        (r"^TEAM_ID$", _known(lambda event: TEAMS[event.team]["teamId"])),
        (r"^TEAM_NAME$", _known(lambda event: TEAMS[event.team]["name"])),
        (r"^CAMPAIGN_ID$", _known(lambda event: f"{_campaign(event) + 1:06d}")),
        (r"^CAMPAIGN_NAME$", _known(lambda event: f"Week {_campaign(event) + 1}: news, tips & Grüße")),
        (r"AGENT_(DISPLAY_)?ID$", _of_agent(lambda agent: agent.display_id)),
        (r"AGENT_NAME$", _of_agent(lambda agent: agent.name)),
        (r"AGENT_EMAIL$", _of_agent(lambda agent: agent.email)),
        (r"UUID$", _by_author(_uuid)),
        (r"^AUTHOR_ID$", _by_author(_platform_id)),
        (r"^AUTHOR_NAME$", _by_author(_name)),
        (r"^AUTHOR_HANDLE$", _by_author(lambda drawn: f"@user_{1 + drawn % 10**5}")),
        (r"EXTERNAL_POST_ID$", _by_post(_platform_id_text)),
        (r"EXTERNAL_\w*ID$", _seldom(_external)),
        (r"POST_ID$", _by_post(_platform_id)),
        (r"_ID$", lambda _event, drawn, _context: f"{1 + drawn % 4000:06d}"),
        (r"CREATED_DATE$", _moment(lambda event: event.conversation.began)),
        (r"CLOSED_DATE$", _moment(lambda event: event.conversation.closed)),
        (r"^DATE_CLAIMED$", _seldom(_moment(_claimed))),
        (r"(ANSWERED|APPROVED)_DATE$", _seldom(_moment(lambda event: event.at))),
        (r"RESPONDED_TO_POST_(PUBLISHED|RECEIVED)_TIME$", _moment(_asked)),
        (r"(PUBLISHED|RECEIVED|START|END)_TIME$|DATE", _moment(lambda event: event.at)),
        (r"HANDLE_TIME_SECONDS$|^(STATE|TOTAL)_SECONDS$", _known(lambda event: event.seconds)),
        (r"HANDLE_TIME_RESPONDING_AGENT$", _known(lambda event: event.seconds)),
        (r"HANDLE_TIME_OTHER_AGENT$", _known(_others)),
        (r"HANDLE_TIME_TOTAL_RESPONSE$", _known(_handled_in_all)),
        (r"^RESPONSE_TAR$", _known(_waited)),
        (r"HANDLE_TIME|SECONDS$|_(RHT|TAR)$", _seldom(_seconds)),
        (r"POST_COUNT$", _known(lambda event: event.posts)),
        (r"RESPONSE_COUNT$", _known(lambda event: event.responses)),
        (r"CLOSED_COUNT$", _known(lambda event: event.closed)),
        (r"^BOT_\w*ORDER$", _one_of(0)),
        (r"ORDER$", _known(lambda event: event.order)),
        (r"COUNT$", lambda _event, drawn, _context: int(lognormal(drawn, 12.0, 1.0))),
        (r"EMAIL$", lambda _event, drawn, _context: choose(drawn, AGENTS).email),
        (r"CONVERSATION_LINK$", _known(lambda event: f"{_LINK}/{event.conversation.id}?a=1&b=%20")),
        (r"LINK$", _by_post(lambda drawn: f"{_LINK}/p/{drawn % 10**9}?a=1&b=%20")),
        (r"HANDLE$", _known(lambda event: f"@care_{event.conversation.provider.lower()}")),
        (r"NAME$", lambda _event, drawn, _context: _name(drawn)),
        (r"BUSINESS_HOUR$|^ACTIVE$", _known(lambda event: event.flag)),
        (r"^STATUS$", _known(lambda event: event.conversation.status)),
        (r"STATUS$", _one_of("APPROVED", "APPROVED", "APPROVED", "REJECTED", "WAITING")),
        (r"PRIORITY$", _known(lambda event: event.conversation.priority)),
        (r"PROVIDER$", _known(lambda event: event.conversation.provider)),
        (r"LANGUAGE$", _known(lambda event: event.conversation.language)),
        (r"SENTIMENT$", _one_of("POSITIVE", "NEUTRAL", "NEUTRAL", "NEGATIVE")),
        (r"LOCATION$", _one_of("Köln", "São Paulo", "Austin, TX", "", None)),
        (r"^TAGS$", _by_conversation(lambda drawn: choose(drawn, _TAGS))),
        (r"TAGS?$", _one_of(*_TAGS)),
        (r"^(ACTION|STATE)_TYPE$", _known(lambda event: event.kind or None)),
        (r"TYPE$", _one_of(*["AGENT"] * 8, "BOT", "AUTOMATIC")),
        (r"POST_CONTENT$", _by_post(_prose)),
        (r"^SUBJECT$", _by_conversation(_prose)),
        (r"", _seldom(lambda _event, drawn, _context: _prose(drawn), 0.1)),
    )
)
