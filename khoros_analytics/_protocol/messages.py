"""The values that travel between the layers: a call before it is sent, a reply, and what replies say."""

import codecs
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from attrs import Factory, field, frozen

from .._secrecy import Hidden, hidden_text
from .encoding import Pairs
from .urls import Target

__all__ = ["Call", "Created", "Phase", "Reply", "Status", "Verdict", "excerpt"]

_WINDOW = 32768  # how many characters of a server's text are searched for secrets
_MARGIN = 8192  # longer than any spelling of a secret: where the window ends, it may have cut one
EXCERPT = 200
"""How many characters of a server's text a message may hold."""


class Phase(Enum):
    """What a call is for; whether it may be repeated hangs on this, not on its verb."""

    CREATE = "create"
    STATUS = "status"
    DOWNLOAD = "download"
    LOOKUP = "lookup"


@frozen(eq=False)
class Call:
    """One request, before it is sent. ``subject`` is what messages call it; ``form`` is None where there is no body.

    With ``needs_key``, its sender puts the company key in front of the query.
    """

    phase: Phase
    subject: str
    method: str
    target: Target
    query: Pairs = field(default=(), repr=False)
    form: Pairs | None = field(default=None, repr=False)
    headers: Mapping[str, str] = Factory(dict)
    needs_key: bool = False

    @property
    def place(self) -> str:
        """What messages about its way to the server and back call it: what it is about, and in which phase."""
        return f"{self.subject}, {self.phase.value} call"


@frozen(eq=False)
class Reply:
    """One answer, read whole. ``retry_after`` is in seconds; ``redact`` keeps secrets out of excerpts."""

    status_code: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    redact: Callable[[str], str] = field(default=str, repr=False)

    def excerpt(self) -> str:
        """Return the beginning of the body for a message, without secrets."""
        return excerpt(_decoded(self.body[: 4 * _WINDOW]), self.redact, EXCERPT)


def excerpt(text: str, redact: Callable[[str], str], most: int) -> str:
    """Return the beginning of a server's text for a message, in one line and without secrets.

    Nothing is cut off before the secrets are masked: the beginning of one would no longer be known for what it is.
    """
    shown = redact(text[:_WINDOW])
    if len(text) > _WINDOW:
        shown = shown[:-_MARGIN]
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else shown[:most] + "..."


def _decoded(body: bytes) -> str:
    encoding = "utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return body.decode(encoding, "replace").replace("\0", "")  # zeros are what UTF-16 without a mark looks like


class Verdict(Enum):
    """What a status means for somebody who waits."""

    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    UNSETTLED = "closed without a file yet"


@frozen
class Status:
    """What the server says about a job.

    A pickle leaves the links out, so what comes back from one of a ready job is a status without a file yet.

    Attributes:
        state: ``runnerState``: RUNNING or CLOSED, or what else the server may say.
        detail: ``detail``: empty, COMPLETED or FAILED, or what else the server may say.
        reason: Why, where the server says so.
        current_count: How much is done, where the server says so; the unit is not documented.
        total_count: How much there is to do, where the server says so; the unit is not documented.
        last_acknowledge_time: As the server sends it; its format is not documented.
        download_url: The link to the file, or an empty text. Only this attribute shows it.
        status_url: Where to ask again, or an empty text. Only this attribute shows it.
    """

    state: str = ""
    detail: str = ""
    reason: str | None = None
    current_count: int | None = None
    total_count: int | None = None
    last_acknowledge_time: str | None = None
    _download_url: Hidden[str] = field(
        factory=lambda: Hidden(""), alias="download_url", converter=hidden_text, eq=Hidden.reveal, repr=False
    )
    _status_url: Hidden[str] = field(
        factory=lambda: Hidden(""), alias="status_url", converter=hidden_text, eq=Hidden.reveal, repr=False
    )

    @property
    def download_url(self) -> str:
        """The link to the file, or an empty text."""
        return self._download_url.reveal()

    @property
    def status_url(self) -> str:
        """Where to ask again, or an empty text."""
        return self._status_url.reveal()

    @property
    def verdict(self) -> Verdict:
        """What it means, by both ``state`` and ``detail``, since a job may be CLOSED before its file is there."""
        if self.state != "CLOSED":
            return Verdict.RUNNING
        if self.detail == "FAILED":
            return Verdict.FAILED
        return Verdict.READY if self.detail == "COMPLETED" and self.download_url else Verdict.UNSETTLED

    @property
    def is_documented(self) -> bool:
        """Whether the vendor's material knows its ``state`` and ``detail``."""
        return self.state in ("RUNNING", "CLOSED") and self.detail in ("", "COMPLETED", "FAILED")

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the links behind: whoever holds one can fetch the file."""
        counts = (self.current_count, self.total_count)
        return (Status, (self.state, self.detail, self.reason, *counts, self.last_acknowledge_time))

    def __str__(self) -> str:
        return " ".join(
            filter(None, (self.state or "no state", self.detail, f"({self.reason})" if self.reason else ""))
        )


@frozen
class Created:
    """The server's answer to a creation call: the job's two ids, and where to ask for its status, if it says so."""

    workflow_id: str
    run_id: str
    _status_url: Hidden[str] = field(
        factory=lambda: Hidden(""), alias="status_url", converter=hidden_text, eq=Hidden.reveal, repr=False
    )

    @property
    def status_url(self) -> str:
        """Where to ask for its status, or an empty text."""
        return self._status_url.reveal()

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the URL behind: it carries the company key."""
        return (Created, (self.workflow_id, self.run_id))
