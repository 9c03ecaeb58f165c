"""What a message says at its end: what to do, what becomes of the export, and what was tried."""

from datetime import datetime
from typing import Protocol

from .._http.history import History
from .._protocol.advice import advice_for
from .._protocol.messages import Verdict
from ..errors import (
    ConfigurationError,
    DownloadExpiredError,
    ExportFormatError,
    JobFailedError,
    KhorosError,
    ParameterError,
    RequestRejectedError,
    TargetError,
)

__all__ = ["Export", "explain", "explain_claim", "explain_creation", "explain_missing_library", "has_ended", "keeps"]

_HERE = (ConfigurationError, ParameterError, TargetError, ExportFormatError)
"""What is wrong on this machine: the requests that were made say nothing about it."""
_GONE = (404, 410)


class Export(Protocol):
    """What is to be known about an export to say how it goes on."""

    history: History

    @property
    def subject(self) -> str:
        """What messages call it."""
        ...

    @property
    def token(self) -> str:
        """The text with which another process finds it again."""
        ...

    @property
    def verdict(self) -> Verdict:
        """What its last status means."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When the server drops the file at the latest, or None while the file is not known to be there."""
        ...

    @property
    def is_found_again(self) -> bool:
        """Whether the same call finds it in the journal."""
        ...


def explain(error: KhorosError, export: Export) -> None:
    """Let an error about an export say what it is about, what to do, how the export goes on, and what was tried."""
    error.add_subject(export.subject)
    error.add_advice(advice_for(error))
    ended = has_ended(error, export)
    error.add_export(ended or _goes_on(export))
    if not isinstance(error, _HERE):
        error.add_history(export.history.summary())


def explain_missing_library(error: ImportError, export: Export) -> None:
    """Let the error of a missing extra say how the export goes on."""
    if export.subject not in error.msg:
        error.msg = f"{error.msg}\nThe export: {export.subject}: {_goes_on(export)}"
        error.args = (error.msg,)


def explain_claim(error: KhorosError, subject: str) -> None:
    """Let an error of the journal, before anything was sent, say the same."""
    error.add_subject(subject)
    error.add_advice()
    error.add_export("this call has started nothing")


def explain_creation(error: KhorosError, subject: str, history: History) -> None:
    """Let an error of the call that starts an export say the same."""
    error.add_subject(subject)
    error.add_advice(advice_for(error, single=True))
    error.add_export(
        "nothing was started, so the same call is safe to repeat"
        if error.may_have_started is False
        else "the server may have started it, but its ids did not arrive, so it cannot be picked up; the same call "
        "again starts another one, which costs no more than its requests"
    )
    if not isinstance(error, _HERE):
        error.add_history(history.summary())


def has_ended(error: BaseException, export: Export) -> str:
    """Return what has become of an export, in words; empty where it goes on, whatever the error is."""
    if isinstance(error, DownloadExpiredError) or (
        isinstance(error, RequestRejectedError) and error.status_code in _GONE
    ):
        return "it is gone from the server, file and all"
    if isinstance(error, JobFailedError) or export.verdict is Verdict.FAILED:
        return "it has ended without a file"
    return ""


def keeps(export: Export) -> str:
    """Return how long the server keeps the file of an export that goes on, in words."""
    if export.expires_at is None:
        return "it goes on, and the server keeps its file for 24 hours"
    return f"it is ready, and the server keeps its file until {export.expires_at:%Y-%m-%d %H:%M} UTC at the latest"


def _goes_on(export: Export) -> str:
    again = "by the same call again, or " if export.is_found_again else ""
    return f"{keeps(export)}; pick it up here with this job, or in any program {again}with client.job({export.token!r})"
