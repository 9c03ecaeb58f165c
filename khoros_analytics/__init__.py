"""Exports of the Khoros Care Analytics Reports API: one line from a report's name to a file or a DataFrame."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from ._client.client import Client
    from ._client.report_methods import Metrics
    from ._clock import Clock
    from ._frames.read import read_arrow, read_pandas, read_polars
    from ._http.history import Attempt
    from ._jobs.job import Job
    from ._journal.listing import Jobs, JournalLine
    from ._protocol.lookups import Team, TimeZone
    from ._protocol.messages import Status, Verdict
    from ._rows.read import read_rows
    from .errors import (
        ApiError,
        AuthenticationError,
        ConfigurationError,
        DownloadError,
        DownloadExpiredError,
        ExportFormatError,
        IncompleteDownloadError,
        JobError,
        JobFailedError,
        JobTimeoutError,
        KhorosError,
        ParameterError,
        RateLimitError,
        RequestRejectedError,
        ServerError,
        TargetError,
        TargetExistsError,
        TransportError,
        UnexpectedReplyError,
        UntrustedUrlError,
    )
    from .times import Window

__all__ = [
    "ApiError",
    "Attempt",
    "AuthenticationError",
    "Client",
    "Clock",
    "ConfigurationError",
    "DownloadError",
    "DownloadExpiredError",
    "ExportFormatError",
    "IncompleteDownloadError",
    "Job",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "Jobs",
    "JournalLine",
    "KhorosError",
    "Metrics",
    "ParameterError",
    "RateLimitError",
    "RequestRejectedError",
    "ServerError",
    "Status",
    "TargetError",
    "TargetExistsError",
    "Team",
    "TimeZone",
    "TransportError",
    "UnexpectedReplyError",
    "UntrustedUrlError",
    "Verdict",
    "Window",
    "__version__",
    "read_arrow",
    "read_pandas",
    "read_polars",
    "read_rows",
]

# Each name is loaded when it is first used: a program that imports this package and then waits, or fails, or only
# prints its own help, does not pay for all of it.
_HOMES = {
    "._client.client": ("Client",),
    "._client.report_methods": ("Metrics",),
    "._clock": ("Clock",),
    "._frames.read": (
        "read_arrow",
        "read_pandas",
        "read_polars",
    ),
    "._http.history": ("Attempt",),
    "._jobs.job": ("Job",),
    "._journal.listing": (
        "Jobs",
        "JournalLine",
    ),
    "._protocol.lookups": (
        "Team",
        "TimeZone",
    ),
    "._protocol.messages": (
        "Status",
        "Verdict",
    ),
    "._rows.read": ("read_rows",),
    ".errors": (
        "ApiError",
        "AuthenticationError",
        "ConfigurationError",
        "DownloadError",
        "DownloadExpiredError",
        "ExportFormatError",
        "IncompleteDownloadError",
        "JobError",
        "JobFailedError",
        "JobTimeoutError",
        "KhorosError",
        "ParameterError",
        "RateLimitError",
        "RequestRejectedError",
        "ServerError",
        "TargetError",
        "TargetExistsError",
        "TransportError",
        "UnexpectedReplyError",
        "UntrustedUrlError",
    ),
    ".times": ("Window",),
}


_MODULES = ("errors", "reports", "times")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(module, __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
