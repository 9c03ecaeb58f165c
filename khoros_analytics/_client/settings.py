"""The settings of a client: checked once, frozen, and all that a pickle of it holds."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from attrs import asdict, frozen

from .._checks import as_count, as_seconds, checked
from .._display.screens import check_progress
from .._http.transport import Session
from .._protocol.urls import BaseUrl
from .._secrecy import Hidden
from ..errors import ConfigurationError
from ..reports import BASE_URLS
from ..times import parse_span, parse_zone
from .profiles import Profile

__all__ = ["Settings", "check_session", "choose_url"]

_REGION, _URL = "KHOROS_ANALYTICS_REGION", "KHOROS_ANALYTICS_URL"

T = TypeVar("T")


def choose_url(base_url: Hidden[str | None], region: str | None, profile: Profile) -> tuple[Hidden[Any], str]:
    """Choose the API's address, and say who named it: an argument beats the environment, and that the profile.

    Where one of them names both, its URL beats its region. It is hidden before it was looked at: somebody may have put
    a password into it.
    """
    places: tuple[tuple[str, Hidden[Any], object], ...] = (
        ("argument", base_url, region or None),
        ("environment", Hidden(os.environ.get(_URL) or None), os.environ.get(_REGION) or None),
        ("profile", profile.credential("base_url"), profile.get("region")),
    )
    for place, address, name in places:
        if address.reveal() is not None:
            return address, {"environment": _URL}.get(place, place)
        if name is not None:
            return Hidden(_url_of(name)), {"environment": _REGION}.get(place, place)
    return Hidden(BASE_URLS["us"]), "default"


def _url_of(region: object) -> str:
    if not isinstance(region, str) or region.lower() not in BASE_URLS:
        raise ConfigurationError(
            f"region (or the variable {_REGION}) {region!r} is not known; the regions are {', '.join(BASE_URLS)}; "
            "base_url takes any other address"
        )
    return BASE_URLS[region.lower()]


def check_session(session: object) -> Session | None:
    """Return a session of the user's own, or None for none."""
    if session is not None and not isinstance(session, Session):
        raise ConfigurationError(f"session must be a requests.Session, not {type(session).__name__}")
    return session


def _check(name: str, check: Callable[[Any], T], value: object) -> T:
    return checked(name, check, value, ConfigurationError)


def _both_timeouts(value: object) -> tuple[float, float]:
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2:
        raise ConfigurationError(f"timeout: {value!r} is neither one number of seconds nor two (connect, read)")
    connect, read = (_check("timeout", as_seconds, seconds) for seconds in both)
    return connect, read


def _absolute(path: Any) -> str:
    """Return the journal's path as a pickle may hold it, which may be opened in another folder."""
    try:
        return str(Path(path).expanduser().absolute())
    except (TypeError, RuntimeError, OSError) as error:
        raise ConfigurationError(f"journal: {path!r} is not a path that can be used: {error}") from None


def _as_span(value: Any) -> timedelta:
    try:
        return parse_span(value)
    except ValueError as error:
        raise ValueError(f"{error}, or None for ever") from None


@frozen(kw_only=True)
class Settings:
    """What a client was told, but for who asks, by which session, and on which clock."""

    base: BaseUrl
    timezone: ZoneInfo | None
    requests_per_minute: int
    timeout: tuple[float, float]
    request_deadline: float
    retries: int
    journal: str | None
    journal_keep: timedelta | None
    max_bytes: int | None
    keyring: str | None
    progress: bool | None
    profile: str | None

    @classmethod
    def check(
        cls,
        *,
        base_url: Hidden[Any],
        timezone: Any,
        requests_per_minute: object,
        timeout: object,
        request_deadline: object,
        retries: object,
        journal: object,
        journal_keep: object,
        max_bytes: object,
        keyring: str | None,
        progress: object,
        profile: str | None,
    ) -> "Settings":
        """Check what a caller gave; a ConfigurationError names the argument that cannot be used."""
        return cls(
            base=BaseUrl.parse(base_url.reveal()),
            timezone=None if timezone is None else _check("timezone", parse_zone, timezone),
            requests_per_minute=_check("requests_per_minute", as_count, requests_per_minute),
            timeout=_both_timeouts(timeout),
            request_deadline=_check("request_deadline", as_seconds, request_deadline),
            retries=_check("retries", lambda value: as_count(value, least=0), retries),
            journal=None if journal is None else _absolute(journal),
            journal_keep=None if journal_keep is None else _check("journal_keep", _as_span, journal_keep),
            max_bytes=None if max_bytes is None else _check("max_bytes", as_count, max_bytes),
            keyring=keyring,
            progress=_check("progress", check_progress, progress),
            profile=profile,
        )

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of ``Client`` that give the same settings again."""
        values = asdict(self, recurse=False)
        return {"base_url": str(values.pop("base")), **values}

    def for_workers(self) -> dict[str, Any]:
        """Return them as a worker on another machine gets them: without the journal, and where nobody looks."""
        return {**self.keywords(), "journal": None, "journal_keep": None, "progress": False}
