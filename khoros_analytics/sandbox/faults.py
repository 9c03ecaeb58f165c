"""Faults: everything that can go wrong on request, each a frozen value that can be drawn, compared and printed.

They are handed to :meth:`Sandbox.fail <khoros_analytics.sandbox.Sandbox.fail>`. There are four families:

* :class:`Instead`: another answer takes the place of the true one. The server does its work only with ``after=True``:
  with it an export is really started, though its answer never arrives.
* :class:`Spoiled`: the true answer is damaged on its way. The server has done its work.
* :class:`Fate`: what becomes of the export, or of the signed link.
* :class:`Delay`: the answer comes later.

Offsets named ``at`` count bytes of the body when they are integers, and are a share of it when they are floats. They
never reach the end: the last byte stays away at least.

Example:
    >>> HttpStatus(503, retry_after="7")
    HttpStatus(after=False, code=503, retry_after='7', body='text')
    >>> ResetWithin(0.9).phases == PHASES
    True
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from attrs import field, frozen

from ._answers import Answer, Pairs, page, refusal, text
from ._body import Body
from ._wire import CLEAN, Spoil

__all__ = [
    "PHASES",
    "Cut",
    "Delay",
    "EarlyEnd",
    "EmptyAnswer",
    "Endless",
    "Expired",
    "Fate",
    "Fault",
    "HtmlPage",
    "HttpStatus",
    "Instead",
    "JobFails",
    "JobNeverEnds",
    "JobState",
    "Phase",
    "RawAnswer",
    "Redirect",
    "Reset",
    "ResetWithin",
    "Slow",
    "Spoiled",
    "Stall",
    "Truncated",
    "Twice",
    "WrongLength",
]

Phase = Literal["create", "status", "download", "file", "teams", "timezones"]
"""A kind of call: ``download`` is the API's, which redirects to the ``file`` host."""

PHASES: tuple[Phase, ...] = get_args(Phase)
"""All phases."""


@frozen
class Fault:
    """Something that can go wrong.

    Attributes:
        phases: The phases in which it makes sense.
    """

    phases: ClassVar[tuple[Phase, ...]] = PHASES

    def spoil(self) -> Spoil:
        """Return what is to go wrong on the wire."""
        return CLEAN


@frozen(kw_only=True)
class Instead(Fault):
    """Another answer than the true one.

    Attributes:
        after: Whether the server does its work first.
    """

    after: bool = False

    def answer(self) -> Answer:
        """Return that answer."""
        return Answer(200)


@frozen
class HttpStatus(Instead):
    """An HTTP status.

    Attributes:
        code: Which.
        retry_after: The text of a Retry-After header: seconds, a date, or nonsense. None for no such header.
        body: A short ``text``, an ``html`` page, the API's ``envelope`` with FAIL, or ``empty``.
        after: Whether the server does its work first.
    """

    code: int
    retry_after: str | None = None
    body: Literal["text", "html", "envelope", "empty"] = "text"

    def answer(self) -> Answer:
        """Return the answer with that status."""
        answers = {
            "text": text(self.code, f"sandbox: {self.code} on request\n"),
            "html": page(self.code, f"{self.code} on request"),
            "envelope": refusal(self.code, f"{self.code} on request"),
            "empty": Answer(self.code),
        }
        answer = answers[self.body]
        return answer if self.retry_after is None else answer.adding(("Retry-After", self.retry_after))


@frozen
class HtmlPage(Instead):
    """A 200 with an HTML page, such as a gateway's sign-in form.

    Attributes:
        after: Whether the server does its work first.
    """

    def answer(self) -> Answer:
        """Return the page."""
        return page(200, "Please sign in")


@frozen
class EmptyAnswer(Instead):
    """A 200 without a single byte.

    Attributes:
        after: Whether the server does its work first.
    """


@frozen
class RawAnswer(Instead):
    """Any answer you like.

    Attributes:
        status: The HTTP status.
        content: The body.
        headers: Headers as pairs; the length is added.
        after: Whether the server does its work first.
    """

    status: int = 200
    content: bytes = field(default=b"", repr=lambda content: f"<{len(content)} bytes>")
    headers: Pairs = ()

    def answer(self) -> Answer:
        """Return that answer."""
        return Answer(self.status, self.headers, Body(tail=self.content))


@frozen
class Redirect(Instead):
    """A redirect to any address.

    Attributes:
        url: The text of the Location header.
        code: The HTTP status.
        after: Whether the server does its work first.
    """

    url: str
    code: int = 302

    def answer(self) -> Answer:
        """Return the redirect."""
        return Answer(self.code, (("Location", self.url),))


@frozen
class Reset(Instead):
    """The connection is reset before a single byte of the answer.

    Attributes:
        after: Whether the server does its work first.
    """

    def spoil(self) -> Spoil:
        """Return a reset in place of any answer."""
        return Spoil(end="reset", copies=0)


@frozen
class Spoiled(Fault):
    """The true answer, damaged on its way."""


@frozen
class ResetWithin(Spoiled):
    """The connection is reset within the body, by a true TCP RST.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = 0.5

    def spoil(self) -> Spoil:
        """Return a reset there."""
        return Spoil(at=self.at, end="reset")


@frozen
class Cut(Spoiled):
    """The body ends early, though its whole length was announced.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = 0.5

    def spoil(self) -> Spoil:
        """Return a closed connection there."""
        return Spoil(at=self.at, end="close")


@frozen
class EarlyEnd(Spoiled):
    """The body ends early, and no length was announced: only the content can tell.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = 0.5

    def spoil(self) -> Spoil:
        """Return a closed connection there, without a length before it."""
        return Spoil(at=self.at, end="close", length="none")


@frozen
class Truncated(Spoiled):
    """The body ends early and its length says the same: truncated JSON in a sound HTTP answer.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = 0.5

    def spoil(self) -> Spoil:
        """Return a shorter body with its own length."""
        return Spoil(at=self.at, length="sent")


@frozen
class WrongLength(Spoiled):
    """The Content-Length differs from the body that follows.

    Attributes:
        by: So many bytes too long (or too short, when negative).
    """

    by: int = 1

    def spoil(self) -> Spoil:
        """Return a length that lies."""
        return Spoil(by=self.by, end="close")


@frozen
class Slow(Spoiled):
    """The body comes in small pieces with a rest after each.

    Attributes:
        pause: The rest in real seconds.
        every: Bytes in a piece.
    """

    pause: float = 0.05
    every: int = 1024

    def spoil(self) -> Spoil:
        """Return the pace."""
        return Spoil(pause=self.pause, every=self.every)


@frozen
class Stall(Spoiled):
    """The body stops coming, and the connection stays open until the client leaves.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = 0.5

    def spoil(self) -> Spoil:
        """Return silence from there on."""
        return Spoil(at=self.at, end="stall")


@frozen
class Endless(Spoiled):
    """The body starts again and again, without a length, until the client leaves."""

    def spoil(self) -> Spoil:
        """Return a body without end."""
        return Spoil(endless=True, length="none", end="close")


@frozen
class Twice(Spoiled):
    """The whole answer is sent twice on one connection, which is closed then."""

    def spoil(self) -> Spoil:
        """Return two copies."""
        return Spoil(copies=2, end="close")


@frozen
class Delay(Fault):
    """The answer comes later on the sandbox's clock: a virtual one jumps, a real one waits.

    Attributes:
        seconds: How much later.
    """

    seconds: float


@frozen
class Fate(Fault):
    """What becomes of an export or its link."""


@frozen
class Expired(Fate):
    """The signed link is no longer good: the API hands out an old one, or the file host refuses the one it gets."""

    phases: ClassVar[tuple[Phase, ...]] = ("download", "file")


@frozen
class JobFails(Fate):
    """The job ends in FAILED: at its usual time when it is doomed at creation, at once when at a status request.

    Attributes:
        reason: What the status says then. The vendor's sample of a failed job gives no reason at all.
    """

    reason: str | None = None
    phases: ClassVar[tuple[Phase, ...]] = ("create", "status")


@frozen
class JobNeverEnds(Fate):
    """The job stays RUNNING for ever."""

    phases: ClassVar[tuple[Phase, ...]] = ("create", "status")


@frozen
class JobState(Fate):
    """One status answer says something else than the truth, in the shape of a job that is still running.

    Attributes:
        runner_state: What stands in ``runnerState``. CLOSED with an empty detail is what the defaults say.
        detail: What stands in ``detail``.
        reason: What stands in ``reason``.
        extra: More fields beside them.
    """

    runner_state: str | None = "CLOSED"
    detail: str | None = ""
    reason: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, hash=False)
    phases: ClassVar[tuple[Phase, ...]] = ("status",)
