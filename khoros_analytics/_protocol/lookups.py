"""The API's own lists: the teams and the time zones."""

from typing import Any, TypeVar

from attrs import fields, frozen

from .encoding import Pairs
from .messages import Call, Phase, Reply
from .replies import unexpected, unwrap
from .urls import BaseUrl, Target

__all__ = ["Row", "Team", "TimeZone", "lookup_call", "parse_rows"]


@frozen
class Team:
    """One team of the company, from ``client.teams()``.

    Attributes:
        uuid: Its identifier.
        team_id: Its number.
        name: Its name.
        description: Its description, or None.
        number_of_members: How many people are in it.
    """

    uuid: str
    team_id: int
    name: str
    description: str | None
    number_of_members: int


@frozen
class TimeZone:
    """One time zone that the API knows, from ``client.timezones()``.

    Attributes:
        id: Its identifier, such as ``"Pacific/Apia"``.
        name: Its name.
        short_name: Its abbreviation.
        offset_string: Its offset from UTC, such as ``"+14:00"``.
        offset_millis: Its offset from UTC in milliseconds.
    """

    id: str
    name: str
    short_name: str
    offset_string: str
    offset_millis: int


Row = TypeVar("Row", Team, TimeZone)


def lookup_call(base: BaseUrl, what: str, path: tuple[str, ...], query: Pairs = ()) -> Call:
    """Return the call for one of the API's lists; ``what`` is its name in messages, ``path`` its segments."""
    return Call(Phase.LOOKUP, what, "GET", Target(base.api(*path), is_api=True), query, needs_key=True)


def parse_rows(call: Call, reply: Reply, row: type[Row]) -> list[Row]:
    """Return the rows of a list; fields that are not documented are left out."""
    result = unwrap(call, reply)
    if not isinstance(result, list):
        unexpected(call, reply, "its answer is not a list")
    return [row(**_row_values(call, reply, row, item)) for item in result]


def _row_values(call: Call, reply: Reply, row: type[Row], item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        unexpected(call, reply, "its answer lists something that is not an object")
    return {attribute.name: item.get(_camel(attribute.name)) for attribute in fields(row)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
