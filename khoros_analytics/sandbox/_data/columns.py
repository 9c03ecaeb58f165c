"""Columns: which ones a report's rows have, and plausible values for each by its name.

The metrics of the table come first. All others are **illustrative**: the vendor's full lists are not public, so their
names are made up, to give the rows a realistic width. A metric that nobody knows gets values that fit its name.

The values hold on purpose what real exports hold: commas, quotes, line breaks, emoji, umlauts, numbers of 19 digits,
leading zeros, and nothing at all.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from random import Random
from types import MappingProxyType

from attrs import frozen

from ...reports import REPORTS

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

_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Émile", "Fatma", "Gülşen", "Håkon", "Inês", "Zoë")
_LAST = ("Lovelace", "Müller", "O'Neil", "Łukasz", "Nguyễn", "Smith, Jr.", "Ångström", "Öztürk")
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
        key: Names the export: other keys give other values.
        start: The window's first moment, in epoch milliseconds.
        end: Its last one.
        zone: The zone in which moments are written.
        zone_name: What the export calls that zone.
    """

    key: str
    start: int
    end: int
    zone: tzinfo
    zone_name: str

    def moment(self, share: float) -> str:
        """Return a moment within the window. How the API writes dates is not documented."""
        seconds = (self.start + share * (self.end - self.start)) / 1000
        return datetime.fromtimestamp(seconds, self.zone).strftime("%Y-%m-%d %H:%M:%S")


_Maker = Callable[[Random, int, ExportContext], Value]


def columns_of(report: str) -> tuple[str, ...]:
    """Return all columns of a report: those of the table, then the illustrative ones.

    Example:
        >>> columns_of("conversation")[:4]
        ('CONVERSATION_ID', 'STATUS', 'ASSIGNED_AGENT_DISPLAY_ID', 'TIME_ZONE')
    """
    known = tuple(metric.name for metric in REPORTS[report].metrics)
    return known + tuple(name for name in ILLUSTRATIVE[report] if name not in known)


def column(name: str, context: ExportContext, count: int) -> list[Value]:
    """Return the values of one column. They do not depend on which other columns are asked for."""
    random = Random(f"{context.key}/{name}")  # noqa: S311 - the same seed must give the same rows
    make = next(maker for pattern, maker in _MAKERS if pattern.search(name))
    return [make(random, row, context) for row in range(count)]


def _one_of(*values: Value) -> _Maker:
    return lambda random, _row, _context: random.choice(values)


def _between(low: int, high: int) -> _Maker:
    return lambda random, _row, _context: random.randint(low, high)


def _seldom(make: _Maker, share: float = 0.2) -> _Maker:
    return lambda random, row, context: None if random.random() < share else make(random, row, context)


def _began(row: int) -> float:
    """Return where in the window a row's story begins, the same for all its columns."""
    return row * 0.6180339887 % 1


def _closed(row: int) -> bool:
    return row % 5 < 3


def _status(random: Random, row: int, _context: ExportContext) -> Value:
    return "CLOSED" if _closed(row) else random.choice(("OPEN", "PENDING"))


def _moment(_random: Random, row: int, context: ExportContext) -> Value:
    return context.moment(_began(row))


def _later(random: Random, row: int, context: ExportContext) -> Value:
    began = _began(row)
    return context.moment(began + (1 - began) * random.random())


def _closing(random: Random, row: int, context: ExportContext) -> Value:
    return _later(random, row, context) if _closed(row) else None


def _zone(_random: Random, _row: int, context: ExportContext) -> Value:
    return context.zone_name


def _seconds(random: Random, _row: int, _context: ExportContext) -> Value:
    return round(random.lognormvariate(4.0, 1.0), 2)


def _conversation(random: Random, row: int, _context: ExportContext) -> Value:
    return 40_000_000 + row * 7 + random.randint(0, 6)


def _long_number(random: Random, _row: int, _context: ExportContext) -> Value:
    return random.randint(10**18, 9 * 10**18)


def _external(random: Random, row: int, _context: ExportContext) -> Value:
    return f"00{random.randint(1, 10**6)}" if row % 4 == 3 else str(random.randint(10**18, 9 * 10**18))


def _uuid(random: Random, _row: int, _context: ExportContext) -> Value:
    digits = f"{random.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _display(random: Random, _row: int, _context: ExportContext) -> Value:
    return f"{random.randint(1, 4000):06d}"


def _name(random: Random, _row: int, _context: ExportContext) -> Value:
    return f"{random.choice(_FIRST)} {random.choice(_LAST)}"


def _email(random: Random, _row: int, _context: ExportContext) -> Value:
    return f"agent.{random.randint(1, 400)}@example.com"


def _boolean(random: Random, _row: int, _context: ExportContext) -> Value:
    return random.random() < 0.5


def _handle(random: Random, _row: int, _context: ExportContext) -> Value:
    return f"@user_{random.randint(1, 10**5)}"


def _link(random: Random, _row: int, _context: ExportContext) -> Value:
    return f"https://care.example.com/c/{random.randint(1, 10**9)}?a=1&b=%20"


def _prose(random: Random, row: int, _context: ExportContext) -> Value:
    if row % 3 == 1:
        return _NASTY[row // 3 % len(_NASTY)]
    return " ".join(random.choices(_WORDS, k=random.randint(3, 20))).capitalize() + "."


# The first pattern that is found decides.
_MAKERS: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), maker)
    for pattern, maker in (
        (r"^TIME_ZONE$", _zone),
        (r"^CONVERSATION_ID$", _conversation),
        (r"AGENT_DISPLAY_ID$", _seldom(_display)),
        (r"UUID$", _uuid),
        (r"EXTERNAL_\w*ID$", _seldom(_external)),
        (r"(AUTHOR|POST)_ID$", _seldom(_long_number)),
        (r"_ID$", _display),
        (r"CLOSED_DATE$", _closing),
        (r"(ANSWERED|APPROVED|RESPONSE_PUBLISHED)_DATE$|^DATE_CLAIMED$", _seldom(_later)),
        (r"(PUBLISHED|RECEIVED|START|END)_TIME$|DATE", _moment),
        (r"HANDLE_TIME|SECONDS$|_(RHT|TAR)$", _seldom(_seconds)),
        (r"(COUNT|ORDER)$", _between(0, 40)),
        (r"EMAIL$", _email),
        (r"LINK$", _link),
        (r"HANDLE$", _handle),
        (r"NAME$", _name),
        (r"BUSINESS_HOUR$|^ACTIVE$", _boolean),
        (r"^STATUS$", _status),
        (r"STATUS$", _one_of("APPROVED", "REJECTED", "WAITING")),
        (r"PRIORITY$", _between(0, 5)),
        (r"PROVIDER$", _one_of("TWITTER", "FACEBOOK", "CHAT", "WHATSAPP")),
        (r"LANGUAGE$", _one_of("en", "es", "fr", "de", "tr", None)),
        (r"SENTIMENT$", _one_of("POSITIVE", "NEUTRAL", "NEGATIVE")),
        (r"LOCATION$", _one_of("Köln", "São Paulo", "Austin, TX", "", None)),
        (r"TAGS?$", _one_of("billing", "billing, refund", 'vip, "gold"', "", None)),
        (r"TYPE$", _one_of("AGENT", "BOT", "AUTOMATIC")),
        (r"", _seldom(_prose, 0.1)),
    )
)
