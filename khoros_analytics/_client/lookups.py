"""The API's own lists as people see them: lists like any other, which a notebook shows as tables."""

from typing import SupportsIndex, overload

from .._display.listing import Listing
from .._protocol.lookups import Team, TimeZone
from .._tables import Table

__all__ = ["Teams", "TimeZones"]


class Teams(Listing, list[Team]):
    """The company's teams, from ``client.teams()``: a list, which a notebook shows as a table."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Team: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Teams": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "Team | Teams":
        """Return one team, or a list of some of them that looks the same."""
        found = super().__getitem__(index)
        return Teams(found) if isinstance(found, list) else found

    def _table(self) -> Table:
        rows = (_texts(team.team_id, team.name, team.number_of_members, team.description, team.uuid) for team in self)
        head = ("team_id", "name", "members", "description", "uuid")
        return Table(f"{len(self):,} team{'' if len(self) == 1 else 's'}", head, rows, len(self))


class TimeZones(Listing, list[TimeZone]):
    """The time zones that the API knows, from ``client.timezones()``: a list, which a notebook shows as a table."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> TimeZone: ...
    @overload
    def __getitem__(self, index: slice, /) -> "TimeZones": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "TimeZone | TimeZones":
        """Return one zone, or a list of some of them that looks the same."""
        found = super().__getitem__(index)
        return TimeZones(found) if isinstance(found, list) else found

    def _table(self) -> Table:
        rows = (_texts(zone.id, zone.offset_string, zone.short_name, zone.name) for zone in self)
        caption = f"{len(self):,} time zone{'' if len(self) == 1 else 's'}"
        return Table(caption, ("id", "offset", "short name", "name"), rows, len(self))


def _texts(*values: object) -> list[str]:
    """Return what a server sent as texts: it may leave anything out."""
    return ["" if value is None else str(value) for value in values]
