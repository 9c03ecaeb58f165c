"""What a client would work with, where each part of it comes from, and whether the server takes it; no secret."""

import os
import platform
import ssl
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import metadata
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import frozen

from .._http.credentials import CREDENTIALS, Found, look_up
from .._http.transport import Session
from .._protocol.urls import BaseUrl
from .._secrecy import Hidden
from .._version import __version__
from ..errors import ConfigurationError, KhorosError
from .client import Client
from .profiles import Profile, config_path, load_profile, profile_names
from .settings import choose_url

__all__ = ["Finding", "diagnose", "missing_credentials"]

_LIBRARIES = ("requests", "urllib3")
_EXTRAS = {
    "arrow": "pyarrow",
    "cli": "click",
    "excel": "XlsxWriter",
    "fast": "orjson",
    "fsspec": "fsspec",
    "keyring": "keyring",
    "pandas": "pandas",
    "polars": "polars",
    "progress": "tqdm",
    "sandbox": "werkzeug",
}
CLOCK_TOLERANCE = 60.0
"""How far this machine's clock may be from the server's before it is worth a warning, in seconds."""


@frozen
class Finding:
    """One thing that was found out. ``error`` is what the server's answer, or its absence, was raised as."""

    topic: str
    text: str
    state: Literal["ok", "warning", "problem"] = "ok"
    error: KhorosError | None = None


@frozen(kw_only=True)
class _Wanted:
    """What a caller gave."""

    profile: str | None
    region: str | None
    base_url: Hidden[str | None]
    username: str | None
    keyring: str | None
    journal: str | None


def missing_credentials(
    profile: str | None, *, address: bool, username: str | None, keyring: str | None
) -> tuple[str | None, list[str]]:
    """Return the profile's name, and the credentials that are found nowhere."""
    named = load_profile(profile, use_default=not address and username is None)
    given = {"username": Hidden(username)}
    service = keyring or named.get("keyring")
    found = {name: look_up(name, given.get(name), named.values.get(name), service) for name in CREDENTIALS}
    return named.name, [name for name, one in found.items() if not one.value.reveal()]


def diagnose(
    *,
    profile: str | None = None,
    region: str | None = None,
    base_url: str | None = None,
    username: str | None = None,
    keyring: str | None = None,
    journal: str | None = None,
) -> Iterator[Finding]:
    """Yield what is found out, one after the other; the last part makes one request."""
    wanted = _Wanted(
        profile=profile,
        region=region,
        base_url=Hidden(base_url),
        username=username,
        keyring=keyring,
        journal=journal,
    )
    del base_url
    yield Finding("versions", f"khoros_analytics {__version__}, {_versions()}")
    yield Finding("extras", _extras() or "none")
    try:
        named = load_profile(wanted.profile, use_default=wanted.base_url.reveal() is None and wanted.username is None)
        yield _about_profiles(named)
        complete = True
        for finding in _about_settings(wanted, named):
            complete = complete and finding.state != "problem"
            yield finding
        base = BaseUrl.parse(choose_url(wanted.base_url, wanted.region, named)[0].reveal())
        yield from _about_network(base)
        if complete:
            yield from _about_server(wanted, named)
    except KhorosError as error:
        yield Finding("configuration", str(error), "problem", error)


def _versions() -> str:
    found = [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    return ", ".join([f"Python {platform.python_version()} on {platform.system()}", *found, ssl.OPENSSL_VERSION])


def _extras() -> str:
    found = []
    for extra, package in _EXTRAS.items():
        try:
            found.append(f"{extra} ({package} {metadata.version(package)})")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _about_profiles(named: Profile) -> Finding:
    names = profile_names()
    listed = f"{config_path()}: {', '.join(names)}" if names else f"no profiles in {config_path()}"
    chosen = f"; {named.name} is used, by {named.chosen_by}" if named.name else "; none is used"
    return Finding("profile", listed + chosen)


def _about_settings(wanted: _Wanted, named: Profile) -> Iterator[Finding]:
    service = wanted.keyring or named.get("keyring")
    for name in CREDENTIALS:
        given = Hidden(wanted.username) if name == "username" else None
        yield _about_credential(name, partial(look_up, name, given, named.values.get(name), service))
    address, place = choose_url(wanted.base_url, wanted.region, named)
    yield Finding("address", f"{BaseUrl.parse(address.reveal())}, from {_place(place, named)}")
    zone = named.get("timezone")
    yield Finding("time zone", f"{zone}, from {_place('profile', named)}" if zone else "UTC, since nothing names one")
    journal, place = (wanted.journal, "argument") if wanted.journal else (named.get("journal"), "profile")
    yield Finding("journal", f"{journal}, from {_place(place, named)}" if journal else "none: nothing names one")


def _about_credential(name: str, find: Callable[[], Found]) -> Finding:
    topic = name.replace("_", " ")
    try:
        found = find()
    except (ConfigurationError, ImportError) as error:
        return Finding(topic, str(error), "problem", error if isinstance(error, KhorosError) else None)
    if not found.value.reveal():
        missing = ConfigurationError(f"{name} is missing; khoros-analytics login asks for it and keeps it")
        return Finding(topic, str(missing), "problem", missing)
    shown = found.value.reveal() if name == "username" else "set"
    return Finding(topic, f"{shown}, from {found.source}")


def _place(place: str, named: Profile) -> str:
    return f"the profile {named.name}" if place == "profile" else place


def _about_network(base: BaseUrl) -> Iterator[Finding]:
    with Session() as session:
        settings: Mapping[str, Any] = session.merge_environment_settings(base.origin, {}, True, None, None)  # noqa: FBT003
    local = base.origin.startswith("http://")
    proxy = settings["proxies"].get(urlsplit(base.origin).scheme) or settings["proxies"].get("all")
    yield Finding("proxy", _without_user(proxy) if proxy and not local else "none")
    if local:
        return
    bundle = settings["verify"]
    if isinstance(bundle, str):
        missing = not os.path.exists(bundle)  # noqa: PTH110 - as requests looks for it
        text = f"{bundle}, from REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
        yield Finding(
            "certificates", f"{text}: there is no such file" if missing else text, "problem" if missing else "ok"
        )
    else:
        yield Finding("certificates", f"those of certifi {metadata.version('certifi')}")


def _without_user(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{'***@' if '@' in parts.netloc else ''}{host}"


def _about_server(wanted: _Wanted, named: Profile) -> Iterator[Finding]:
    dates: list[str] = []
    with Session() as session:
        session.hooks["response"].append(lambda response, **_: dates.append(response.headers.get("Date", "")))
        with Client(
            wanted.username,
            region=wanted.region,
            base_url=wanted.base_url.reveal(),
            keyring=wanted.keyring,
            journal=wanted.journal,
            profile=named.name,
            session=session,
            progress=False,
            retries=1,
            request_deadline=30,
        ) as client:
            transport = client._transport  # noqa: SLF001 - of this room
            try:
                teams = client.teams()
                yield Finding("server", f"it takes these credentials, and lists {len(teams)} teams")
            except KhorosError as error:
                yield Finding("server", str(error), "problem", error)
            if dates and dates[-1]:
                yield _about_clock(dates[-1], transport.clock.time())
            minute = client._settings.requests_per_minute  # noqa: SLF001 - of this room
            used = round((1 - transport.room().spare) * minute)
            yield Finding("quota", f"{used} of {minute} requests of the last minute, {_counted_by(client)}")


def _counted_by(client: Client) -> str:
    shared = client._account.journal is not None  # noqa: SLF001 - of this room
    return "counted by all programs with this journal" if shared else "counted by this program alone, without a journal"


def _about_clock(date: str, now: float) -> Finding:
    try:
        off = now - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", f"the server sends a date that cannot be read: {date[:40]!r}", "warning")
    text = f"this machine's is {abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    if abs(off) < 2:
        return Finding("clock", "this machine's agrees with the server's")
    if abs(off) <= CLOCK_TOLERANCE:
        return Finding("clock", text)
    return Finding("clock", f"{text}: set it, since 'now' and times of expiry depend on it", "warning")
