"""What to do about each kind of error, in one place: by its class, and by its situation where that says more.

An error that is raised with ``advice=`` knows best. A message gets its advice where it leaves the library, once.
"""

from typing import Literal

from ..errors import (
    ApiError,
    AuthenticationError,
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
    UntrustedUrlError,
)
from .messages import Phase

__all__ = ["INSTEAD_OF_FILE", "Obstacle", "advice_for", "for_connection", "for_rejection"]

Obstacle = Literal["name", "refused", "silent", "certificate", "tls", "proxy", "broken", "slow"]
"""What keeps a request from its answer."""

_ADDRESS = "base_url (or the variable KHOROS_ANALYTICS_URL, or the region)"
INSTEAD_OF_FILE = (
    "look at what it sent: a proxy or a page to sign in may have answered in the place of the server's file host; let "
    "this machine reach it, and call download() again"
)
"""What to do about something else in place of the file."""
_NETWORK = "check {address}, and whether a firewall or a missing VPN is in the way; then call again"
_CERTIFICATE = (
    "check {address} and the date of this machine; if your company has a certificate authority of its own, name its "
    "PEM file in the variable REQUESTS_CA_BUNDLE, or as session.verify of Client(session=...)"
)

_CONNECTIONS: dict[Obstacle, str] = {
    "name": "check how the host is spelled in {address}, and this machine's network: DNS, VPN",
    "refused": _NETWORK,
    "silent": _NETWORK,
    "certificate": _CERTIFICATE,
    "tls": "check {address}: what answers at this port, or a proxy in between, does not speak https",
    "proxy": (
        "check the variables HTTPS_PROXY and NO_PROXY, or session.proxies: is it the right proxy, and does it want a "
        "user and a password?"
    ),
    "broken": "call again; if it breaks each time, look for a proxy, a firewall or a VPN that ends connections",
    "slow": "call again later, or give the server more time for one answer with Client(timeout=...)",
}

_BY_CLASS: dict[type[KhorosError], str] = {
    AuthenticationError: (
        "check username, password and company_key (or the variables KHOROS_ANALYTICS_USERNAME, _PASSWORD and "
        "_COMPANY_KEY), and the region; if they are right, ask your Khoros administrator whether this user may use "
        "the Analytics API"
    ),
    RateLimitError: (
        "does another program use this account? Then let them take turns, or divide the 20 requests a minute with "
        "Client(requests_per_minute=...). Call again in a minute"
    ),
    ServerError: "call again in a few minutes; if it fails again, tell Khoros support the time, and the ids if any",
    UnexpectedReplyError: (
        "look at what it sent: a proxy, a gateway or a page to sign in may have answered in the server's place; check "
        "base_url and the proxy settings, and call again later"
    ),
    UntrustedUrlError: (
        "find out what changes the server's answers, such as a proxy; if nothing does, report it to Khoros. Your "
        "credentials were not sent there"
    ),
    RequestRejectedError: (
        "compare the arguments with what the report takes (the page Reports of the documentation, or help() of its "
        "method); the server's own words say what it does not like"
    ),
    JobFailedError: (
        "start it again with job.restart(); if that fails, too, try a shorter window or fewer metrics, and tell Khoros "
        "support the ids"
    ),
    DownloadExpiredError: "export it again with job.restart()",
    IncompleteDownloadError: (
        "call download() again; if it fails at the same place, look for a proxy, a firewall or a virus scanner that "
        "cuts downloads off, or try another network"
    ),
    JobTimeoutError: "call again, with a longer timeout, or with the same if the last attempts were an outage",
    ApiError: "call again later",
    TransportError: "call again later",
}


def advice_for(error: KhorosError, *, single: bool = False) -> str:
    """Return what to do about an error by its class; an empty text where each message of that class says so itself.

    ``single`` is for a call that has no timeout of its own.
    """
    if single and isinstance(error, JobTimeoutError):
        return "call again later, or give each call more time with Client(request_deadline=...)"
    return next((_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS), "")


def for_connection(obstacle: Obstacle, host: str, *, is_api: bool) -> str:
    """Return what to do about a connection; a host of files is nothing that a user chose."""
    if is_api:
        return _CONNECTIONS[obstacle].format(address=_ADDRESS)
    if obstacle in ("broken", "slow", "proxy"):
        return _CONNECTIONS[obstacle]
    if obstacle == "certificate":
        return _CERTIFICATE.format(address="the network")
    return (
        f"let this machine reach {host}, where the server keeps its files: firewalls and proxies have to let it through"
    )


def for_rejection(phase: Phase, code: int) -> str:
    """Return what to do about a request that is refused by its status; an empty text where the class says enough."""
    if code == 403:
        return (
            "ask your Khoros administrator whether this user may use the Analytics API and export this report; check "
            "company_key, too"
        )
    if phase is Phase.STATUS and code in (404, 410):
        return "export it again with job.restart()"
    if phase in (Phase.CREATE, Phase.LOOKUP) and code in (404, 405, 410):
        return f"check {_ADDRESS}: it has to be the address that your Analytics API Settings show"
    return ""
