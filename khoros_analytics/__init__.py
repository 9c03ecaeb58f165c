"""Exports of the Khoros Care Analytics Reports API: one line from a report's name to a file or a DataFrame."""

import typing as _typing
from importlib import import_module as _import_module

from ._version import __version__ as __version__

# Every public name and its home; `nox -s generate` writes the imports below from this list. A name is loaded when it is
# first used: a program that only waits, fails, or prints its own help does not pay for all of them.
_HOMES = {
    "._backfill.plan": (
        "Plan",
        "PlannedWindow",
        "WindowState",
    ),
    "._backfill.reading": (
        "Dataset",
        "LandedWindow",
        "open_dataset",
        "read_dataset",
    ),
    "._backfill.result": (
        "BackfillProgress",
        "BackfillResult",
        "WindowFailure",
    ),
    "._client.client": ("Client",),
    "._client.lookups": (
        "Teams",
        "TimeZones",
    ),
    "._client.report_methods": ("Metrics",),
    "._clock": ("Clock",),
    "._frames.excel": ("write_excel",),
    "._frames.read": (
        "read_arrow",
        "read_pandas",
        "read_polars",
    ),
    "._http.history": ("Attempt",),
    "._jobs.columns": (
        "Column",
        "Columns",
    ),
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
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if _typing.TYPE_CHECKING:
    from ._backfill.plan import Plan as Plan
    from ._backfill.plan import PlannedWindow as PlannedWindow
    from ._backfill.plan import WindowState as WindowState
    from ._backfill.reading import Dataset as Dataset
    from ._backfill.reading import LandedWindow as LandedWindow
    from ._backfill.reading import open_dataset as open_dataset
    from ._backfill.reading import read_dataset as read_dataset
    from ._backfill.result import BackfillProgress as BackfillProgress
    from ._backfill.result import BackfillResult as BackfillResult
    from ._backfill.result import WindowFailure as WindowFailure
    from ._client.client import Client as Client
    from ._client.lookups import Teams as Teams
    from ._client.lookups import TimeZones as TimeZones
    from ._client.report_methods import Metrics as Metrics
    from ._clock import Clock as Clock
    from ._frames.excel import write_excel as write_excel
    from ._frames.read import read_arrow as read_arrow
    from ._frames.read import read_pandas as read_pandas
    from ._frames.read import read_polars as read_polars
    from ._http.history import Attempt as Attempt
    from ._jobs.columns import Column as Column
    from ._jobs.columns import Columns as Columns
    from ._jobs.job import Job as Job
    from ._journal.listing import Jobs as Jobs
    from ._journal.listing import JournalLine as JournalLine
    from ._protocol.lookups import Team as Team
    from ._protocol.lookups import TimeZone as TimeZone
    from ._protocol.messages import Status as Status
    from ._protocol.messages import Verdict as Verdict
    from ._rows.read import read_rows as read_rows
    from .errors import ApiError as ApiError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import DownloadError as DownloadError
    from .errors import DownloadExpiredError as DownloadExpiredError
    from .errors import ExportFormatError as ExportFormatError
    from .errors import IncompleteDownloadError as IncompleteDownloadError
    from .errors import JobError as JobError
    from .errors import JobFailedError as JobFailedError
    from .errors import JobTimeoutError as JobTimeoutError
    from .errors import KhorosError as KhorosError
    from .errors import ParameterError as ParameterError
    from .errors import RateLimitError as RateLimitError
    from .errors import RequestRejectedError as RequestRejectedError
    from .errors import ServerError as ServerError
    from .errors import TargetError as TargetError
    from .errors import TargetExistsError as TargetExistsError
    from .errors import TransportError as TransportError
    from .errors import UnexpectedReplyError as UnexpectedReplyError
    from .errors import UntrustedUrlError as UntrustedUrlError
    from .times import Window as Window
else:
    __all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - they are strings, as the list above shows


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(_HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names alone, and those that every module has: Tab shows them."""
    loaded = {name for name in globals() if name.startswith("__") or name == "sandbox"}
    return sorted({*_HOME_OF, *_MODULES, *loaded})
