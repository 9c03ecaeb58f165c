"""Look-ups: the teams and the time zones that the sandbox knows. The first two of each are the vendor's samples."""

from typing import Any

__all__ = ["TEAMS", "TIMEZONES"]


def _team(uuid: str, number: int, name: str, description: str | None, members: int) -> dict[str, Any]:
    return {"uuid": uuid, "teamId": number, "name": name, "description": description, "numberOfMembers": members}


def _timezone(zone: str, name: str, short: str, offset: str, millis: int) -> dict[str, Any]:
    return {"id": zone, "name": name, "shortName": short, "offsetString": offset, "offsetMillis": millis}


TEAMS = (
    _team("4c1d5194-8946-4e7f-aa8e-6315b3379bf3", 6222, "North West", None, 3),
    _team("6af42c52-ff19-4b3b-bd0c-d4cf617f27f8", 7031, "South West", None, 3),
    _team("0b8e3c5e-6a52-4c0a-9a53-2f1f4a4f7d10", 7032, "Kundendienst Köln 🎧", 'Mo-Fr, "Frühschicht"', 12),
    _team("d3b2f1a4-5a76-4a0e-8c83-5f2f0c1b9e77", 8000, "Night shift", "", 0),
)
"""The rows of ``/teams``."""

TIMEZONES = (
    _timezone("Etc/GMT+12", "GMT-12:00", "GMT-12:00", "-12:00", -43_200_000),
    _timezone("Pacific/Apia", "Samoa Daylight Time", "SDT", "+14:00", 50_400_000),
    _timezone("UTC", "Coordinated Universal Time", "UTC", "+00:00", 0),
    _timezone("America/Los_Angeles", "Pacific Standard Time", "PST", "-08:00", -28_800_000),
    _timezone("Europe/Berlin", "Central European Time", "CET", "+01:00", 3_600_000),
    _timezone("Asia/Kolkata", "India Standard Time", "IST", "+05:30", 19_800_000),
)
"""The rows of ``/config/timezones``."""
