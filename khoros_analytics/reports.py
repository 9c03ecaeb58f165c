"""The table: what the Analytics Reports API offers, as frozen rows that everything else reads.

One :class:`Report` a row, made of named :class:`Parameter` and :class:`Metric` rows. The methods of the client, their
types, the checks of arguments, the sandbox and the reports page of the docs all come from here: to add a report, add
its row, run ``nox -s generate``, and it is there everywhere.

The facts are the vendor's; each surprising one names its source:

* *tutorial*: the vendor's "Beginner's Guide to the Analytics Reports API" (two editions)
* *openapi*: the vendor's OpenAPI file "analytics-reports" 1.1
* *fivetran*: the table reference of Fivetran's Khoros Care connector

What no source says is left open: any metric may be asked for by its text, and ``extra=`` passes any other parameter on.

Example:
    >>> from khoros_analytics.reports import REPORTS
    >>> REPORTS["conversation"].title, REPORTS["conversation"].path
    ('Raw Conversations', '/reports/report/conversation')
"""

# Their underscores keep these out of what Tab and editors offer after the module's name.
from collections.abc import Iterable as _Iterable
from collections.abc import Iterator as _Iterator
from collections.abc import Mapping as _Mapping
from enum import Enum as _Enum
from types import MappingProxyType as _MappingProxyType
from typing import Any as _Any
from typing import Literal as _Literal

from attrs import evolve as _evolve
from attrs import field as _field
from attrs import frozen as _frozen

__all__ = [
    "API_PREFIX",
    "BASE_URLS",
    "REPORTS",
    "REQUESTS_PER_MINUTE",
    "Kind",
    "Metric",
    "Parameter",
    "Report",
    "Reports",
    "TypeName",
]

API_PREFIX = "/api/public"
"""The path under which every call of the API lives (tutorial, openapi)."""

BASE_URLS: _Mapping[str, str] = _MappingProxyType(
    {
        "us": "https://analytics-api.app.lithium.com",  # tutorial, openapi
        "emea": "https://analytics-api-emea.app.lithium.com",  # tutorial
    }
)
"""The API's origin in each region. A customer's own Analytics API Settings may show another one."""

REQUESTS_PER_MINUTE = 20
"""The documented limit for the whole API (the vendor's page on rate limits)."""


class Kind(_Enum):
    """How a parameter's value is checked and written on the wire."""

    TEXT = "text"
    FLAG = "flag"
    EPOCH = "epoch milliseconds"
    CHOICE = "choice"
    LANGUAGE = "language"
    ZONE = "time zone"
    COMMA = "comma-separated list"
    REPEATED = "repeated"
    MILLISECONDS = "milliseconds"


@_frozen
class Parameter:
    """One argument of the API.

    Attributes:
        name: The keyword in Python. Two wire parameters that share one name are set together.
        wire: The name on the wire.
        kind: How its value is written.
        meaning: What it does, as a sentence without its full stop.
        choices: The allowed values, as Python callers write them; empty when any value is.
        sent_as: What goes over the wire for each of ``choices``, where that differs.
        steps: For a duration: the allowed values up to the last of them, in milliseconds. Longer ones are free.
        bound: For a duration: its size must stay below this, in milliseconds.
        in_query: Travels in the query even where a report's arguments travel in the body.
    """

    name: str
    wire: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()
    sent_as: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    bound: int | None = None
    in_query: bool = False

    @property
    def unit(self) -> str:
        """The unit of the value on the wire, or an empty text.

        Example:
            >>> TIME_INTERVAL.unit
            'milliseconds'
        """
        return "milliseconds" if self.kind in (Kind.EPOCH, Kind.MILLISECONDS) else ""


TypeName = _Literal["text", "integer", "float", "boolean", "date", "timestamp"]
"""The types that a column of a frame can have."""


@_frozen
class Metric:
    """One column that a source names.

    Attributes:
        name: The name on the wire, in the case in which the source writes it.
        label: The name in the vendor's user interface, where a source gives it.
        source: Who says so.
        type: The type of its values in a frame, where that should not depend on one window's values; a choice of this
            library, not a fact of the API.
    """

    name: str
    label: str | None = None
    source: str = "tutorial"
    type: TypeName | None = None


def _read_only(mapping: _Mapping[str, str]) -> _Mapping[str, str]:
    return _MappingProxyType(dict(mapping))


@_frozen(repr=False)
class Report:
    """One report of the API. A notebook shows its parameters and known columns.

    Attributes:
        name: The name on the wire, which is the method's name too.
        title: The name in the vendor's documentation.
        verb: The HTTP verb that starts an export.
        parameters: All that it documents, in the order of the method's keywords.
        metrics: The columns that some source names; never the whole list.
        required: Keywords that must be given, beside ``start`` and ``end``.
        folder: A path segment before the name, with its slash.
        sends: Where the arguments travel: ``"query"`` or ``"body"``. The company key is always in the query.
        other_verbs: Other documented verbs, each with the place where its arguments travel.
        note: What else a caller should know.
    """

    name: str
    title: str
    verb: str
    parameters: tuple[Parameter, ...]
    metrics: tuple[Metric, ...] = ()
    required: tuple[str, ...] = ()
    folder: str = ""
    sends: str = "query"
    other_verbs: _Mapping[str, str] = _field(factory=dict, converter=_read_only, hash=False)
    note: str = ""

    @property
    def path(self) -> str:
        """The path of the creation call, below :data:`API_PREFIX`.

        Example:
            >>> REPORTS["raw_brand_posts"].path
            '/reports/report/marketing/raw_brand_posts'
        """
        return f"/reports/report/{self.folder}{self.name}"

    @property
    def keywords(self) -> tuple[str, ...]:
        """The keywords of the report's method beside ``start`` and ``end``; the needed ones first.

        Example:
            >>> REPORTS["user"].keywords
            ('metrics', 'format', 'locale', 'agent_ids', 'team_ids', 'include_disabled')
        """
        names = dict.fromkeys(row.name for row in self.parameters if row not in (COMPANY_KEY, START, END))
        return (*self.required, *(name for name in names if name not in self.required))

    def __repr__(self) -> str:
        return f"<Report {self.name}: {self.title}, {self.verb} {self.path}>"

    def _repr_html_(self) -> str:
        """Return tables of its parameters and known columns, for notebooks."""
        from ._tables import Table, as_html  # noqa: PLC0415 - the generator loads this file by its path

        about = [
            ("method", f"client.{self.name}(start, end, ...)"),
            ("request", f"{self.verb} {API_PREFIX}{self.path}"),
        ]
        about += [("note", self.note)] if self.note else []
        by_name = {row.name: row for row in reversed(self.parameters)}
        rows = [self._in_words(by_name[name]) for name in ("start", "end", *self.keywords)]
        columns = [(metric.name, metric.label or "", metric.source) for metric in self.metrics]
        tables = (
            Table(f"{self.title}", (), about, len(about)),
            Table("Parameters", ("keyword", "on the wire", "meaning", "values"), rows, len(rows)),
            Table("Known columns; a company has more", ("column", "label", "source"), columns, len(columns)),
        )
        return "".join(map(as_html, tables))

    def _in_words(self, row: Parameter) -> tuple[str, str, str, str]:
        wires = ", ".join(other.wire for other in self.parameters if other.name == row.name)
        needed = " (required)" if row.name in ("start", "end", *self.required) else ""
        return row.name + needed, wires, row.meaning.replace("``", ""), ", ".join(row.choices) or row.kind.value


COMPANY_KEY = Parameter("company_key", "companyKey", Kind.TEXT, "The company's key", in_query=True)
START = Parameter("start", "startTime", Kind.EPOCH, "The first moment of the window")
END = Parameter("end", "endTime", Kind.EPOCH, "The moment at which the window ends; it is not part of it")
# The vendor's samples also write CSV in capitals, against its documented values.
FORMAT = Parameter(
    "format", "reportFormat", Kind.CHOICE, "The format of the file; csv when not given", choices=("csv", "json")
)
METRICS = Parameter(
    "metrics",
    "reportMetrics",
    Kind.REPEATED,
    "The columns to export, by the metric's name on the wire or a known label, also ones that are switched off for the "
    "company; all columns when not given",
)
# The vendor's samples also send en_US, so a country after the language is let through.
LOCALE = Parameter(
    "locale",
    "locale",
    Kind.LANGUAGE,
    "The language of the export, sent as given",
    choices=("en", "es", "fr", "de", "tr"),
)
TIMEZONE = Parameter(
    "timezone",
    "timezone",
    Kind.ZONE,
    "The IANA time zone in which ``start`` and ``end`` are read and in which the export's dates are written",
)
TIMEZONE_OFFSET = Parameter(
    "timezone_offset",
    "timezoneOffset",
    Kind.MILLISECONDS,
    "A fixed offset from UTC in which the export's dates are written, unaware of daylight saving",
    bound=86_400_000,  # no zone is a day or more away from UTC
)
_BUSINESS_HOURS = (
    "Only what happened within or outside business hours, around the clock when not given; a smart view's own business "
    "hours override it"
)
# openapi: businessHourType needs enableBusinessHour=true, hence one keyword for both.
ENABLE_BUSINESS_HOUR = Parameter(
    "business_hours",
    "enableBusinessHour",
    Kind.CHOICE,
    _BUSINESS_HOURS,
    choices=("within", "outside"),
    sent_as=("true", "true"),
)
BUSINESS_HOUR_TYPE = _evolve(ENABLE_BUSINESS_HOUR, wire="businessHourType", sent_as=("true", "false"))
PRIORITIES = Parameter(
    "priorities",
    "priorities",
    Kind.COMMA,
    "Only conversations of these priorities",
    choices=("0", "1", "2", "3", "4", "5"),
)
SMART_VIEW_ID = Parameter("smart_view_id", "smartViewId", Kind.TEXT, "Only this smart view, exactly one")
WORKQUEUE_IDS = Parameter("workqueue_ids", "workqueueIds", Kind.COMMA, "Only these work queues")
TEAM_IDS = Parameter("team_ids", "teamIds", Kind.COMMA, "Only these teams")
# The user report writes the same filter as a repeated teamId (openapi).
TEAM_ID = _evolve(TEAM_IDS, wire="teamId", kind=Kind.REPEATED)
AGENT_ID = Parameter("agent_ids", "agentId", Kind.REPEATED, "Only these agents")
INCLUDE_DISABLED = Parameter(
    "include_disabled",
    "includeDisabled",
    Kind.FLAG,
    "Also report turned-off agents; the server leaves them out when not given",
)
CONVERSATION_REPORT_TYPE = Parameter(
    "conversation_report_type",
    "conversationReportType",
    Kind.CHOICE,
    "Which conversations belong to the window; the server takes OPEN_AT_END when not given",
    choices=("OPEN_AT_END", "CLOSED", "CREATED"),
)
# openapi: below one week and not listed is an error; above one week the server counts by months. Over a month's range
# it takes only 1 day and 1 week, over a week's range only 8 h, 12 h and 1 day: those two are left for the server to
# judge.
TIME_INTERVAL = Parameter(
    "time_interval",
    "timeInterval",
    Kind.MILLISECONDS,
    "The length of one interval: 5, 10, 15 or 30 minutes, 1, 2, 4, 8 or 12 hours, 1 day, 1 week, or longer for months",
    steps=(
        300_000,
        600_000,
        900_000,
        1_800_000,
        3_600_000,
        7_200_000,
        14_400_000,
        28_800_000,
        43_200_000,
        86_400_000,
        604_800_000,
    ),
)
RAISE_LIMIT = Parameter(
    "raise_limit",
    "raiselimit",
    Kind.FLAG,
    "Up to 2000 actions per conversation instead of 500, which is the server's limit when not given",
    in_query=True,  # tutorial's curl sample
)
# The filter is documented, its exact name on the wire is not: campaignId is a guess that ``extra`` can replace.
CAMPAIGN_ID = Parameter(
    "campaign_id",
    "campaignId",
    Kind.TEXT,
    "Only this campaign; the filter is documented, its name on the wire (campaignId) is a guess",
)

_STANDARD = (
    COMPANY_KEY,
    START,
    END,
    METRICS,
    FORMAT,
    LOCALE,
    TIMEZONE,
    TIMEZONE_OFFSET,
    ENABLE_BUSINESS_HOUR,
    BUSINESS_HOUR_TYPE,
    PRIORITIES,
    SMART_VIEW_ID,
    WORKQUEUE_IDS,
)

# What people write stays text, even in a window in which all of it happens to be digits.
_WRITTEN = {
    "agent_email",
    "agent_name",
    "auto_tag",
    "lsw_responded_to_post_content",
    "manual_tag",
    "responding_agent_email",
    "response_content",
    "response_handle",
    "response_location",
    "response_tag",
}


def _columns(names: tuple[str, ...], source: str) -> tuple[Metric, ...]:
    return tuple(Metric(name, source=source, type="text" if name in _WRITTEN else None) for name in names)


_ANY = (Metric("TIME_ZONE", "Time Zone"),)
_CONVERSATION = (
    Metric("CONVERSATION_ID", "Conversation ID"),
    Metric("STATUS", "Status"),
    Metric("ASSIGNED_AGENT_DISPLAY_ID", "Assignee ID"),
    *_ANY,
)
_AGENT_STATES = (
    *_columns(("agent_name", "agent_email", "agent_id"), "openapi"),
    *_ANY,
)
# Fivetran writes all its columns in lower case, so the case on the wire is a guess.
_RESPONSE = (
    *_columns(
        (
            "conversation_id",
            "responding_agent_display_id",
            "agent_response_order",
            "assistant_rht",
            "auto_tag",
            "bot_response_order",
            "date_claimed",
            "expert_rht",
            "external_response_id",
            "handle_time_approving_agent",
            "handle_time_other_agent",
            "handle_time_responding_agent",
            "handle_time_total_response",
            "lsw_conversation_link",
            "lsw_responded_post_in_business_hour",
            "lsw_responded_to_external_post_id",
            "lsw_responded_to_post_author_uuid",
            "lsw_responded_to_post_content",
            "lsw_responded_to_post_published_time",
            "lsw_responded_to_post_received_time",
            "manual_tag",
            "responding_agent_email",
            "response_content",
            "response_handle",
            "response_language",
            "response_location",
            "response_order",
            "response_provider",
            "response_published_date",
            "response_sentiment",
            "response_tag",
            "response_tar",
            "response_type",
        ),
        "fivetran",
    ),
    *_ANY,
)

_ROWS = (
    Report("author", "Raw Author", "POST", _STANDARD, _ANY),
    Report("combined", "Combined Raw Export", "POST", _STANDARD, _ANY),
    Report("conversation", "Raw Conversations", "POST", (*_STANDARD, CONVERSATION_REPORT_TYPE), _CONVERSATION),
    # openapi documents POST with a body too; GET is what it uses first.
    Report("conversation_actions", "Conversation Actions Export", "GET", _STANDARD, _ANY, other_verbs={"POST": "body"}),
    # The vendor's curl sample sends a form body, with raiselimit in the query.
    Report(
        "conversation_history_action",
        "Conversation History Action",
        "POST",
        (*_STANDARD, RAISE_LIMIT),
        _ANY,
        sends="body",
    ),
    Report("incoming_post", "Raw Incoming Post", "POST", _STANDARD, _ANY),
    Report("raw_agent_states", "Agent State Export", "POST", (*_STANDARD, TEAM_IDS), _AGENT_STATES),
    Report("raw_brand_posts", "Raw Brand Posts Export", "POST", (*_STANDARD, CAMPAIGN_ID), _ANY, folder="marketing/"),
    Report("raw_expert_help", "Help Requests", "POST", _STANDARD, _ANY),
    Report("response", "Raw Response", "POST", _STANDARD, _RESPONSE),
    Report("response_approval", "Raw Response Approval", "POST", (*_STANDARD, INCLUDE_DISABLED, TEAM_IDS), _ANY),
    Report("team_performance", "Team Performance", "POST", (*_STANDARD, INCLUDE_DISABLED, TEAM_IDS), _ANY),
    Report(
        "team_performance_interval",
        "Team Performance Interval",
        "POST",
        (*_STANDARD, TIME_INTERVAL, INCLUDE_DISABLED, TEAM_IDS),
        _ANY,
        required=("time_interval",),
    ),
    # openapi documents POST with a body too, and none of the standard filters.
    Report(
        "user",
        "User",
        "GET",
        (COMPANY_KEY, START, END, METRICS, FORMAT, LOCALE, AGENT_ID, TEAM_ID, INCLUDE_DISABLED),
        _ANY,
        other_verbs={"POST": "body"},
        note="The window only affects the Total Time data.",
    ),
)

_SHOWN_COLUMNS = 4


class Reports(_Mapping[str, Report]):
    """Reports by their names on the wire, in a fixed order. A notebook shows a table of them.

    Args:
        rows: The reports.
    """

    def __init__(self, rows: _Iterable[Report]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Report:
        return self._rows[name]

    def __iter__(self) -> _Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _ipython_key_completions_(self) -> list[str]:
        """Return what Tab completes between brackets."""
        return list(self._rows)

    def __repr__(self) -> str:
        from ._tables import as_text  # noqa: PLC0415 - the generator loads this file by its path

        return as_text(self._table())

    def _repr_html_(self) -> str:
        """Return a table, for notebooks."""
        from ._tables import as_html  # noqa: PLC0415 - as above

        return as_html(self._table())

    def _table(self) -> _Any:
        from ._tables import Table  # noqa: PLC0415 - as above

        standard = tuple(dict.fromkeys(row.name for row in _STANDARD if row not in (COMPANY_KEY, START, END)))
        caption = f"{len(self)} reports; standard parameters: {', '.join(standard)}"
        rows = ((row.name, row.title, row.verb, _short(row, standard), _known_columns(row)) for row in self.values())
        return Table(caption, ("report", "holds", "verb", "parameters", "known columns"), rows, len(self))


def _short(report: Report, standard: tuple[str, ...]) -> str:
    """Return the keywords of a report, those that nearly all have as one word."""
    if not set(standard) <= set(report.keywords):
        return ", ".join(report.keywords)
    return ", ".join(("standard", *(name for name in report.keywords if name not in standard)))


def _known_columns(report: Report) -> str:
    names = [metric.name for metric in report.metrics]
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return ", ".join(names[:_SHOWN_COLUMNS]) + more


REPORTS = Reports(_ROWS)
"""Every report by its name on the wire."""
