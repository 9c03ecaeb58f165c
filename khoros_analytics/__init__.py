"""Exports of the Khoros Care Analytics Reports API: one line from a report's name to a file on disk."""

from ._client import Client
from ._clock import Clock
from ._job import Job
from ._messages import Attempt, Status, Team, TimeZone, Verdict
from ._report_methods import Metrics
from ._version import __version__
from .errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    DownloadExpiredError,
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
    "IncompleteDownloadError",
    "Job",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
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
]
