"""Another answer, the fate of an export, or a delay; public in :mod:`khoros_analytics.sandbox.faults`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from ._data.body import Body
from ._fault_queue import Fault, Phase
from ._validation import is_content, is_flag, is_number, is_one_of, is_status, is_text, optional
from ._wire.answers import Answer, Pairs, page, refusal, text
from ._wire.connection import Spoil

__all__ = [
    "Delay",
    "EmptyAnswer",
    "Expired",
    "Fate",
    "HtmlPage",
    "HttpStatus",
    "Instead",
    "JobFails",
    "JobNeverEnds",
    "JobState",
    "RawAnswer",
    "Redirect",
    "Reset",
]


@frozen(kw_only=True)
class Instead(Fault):
    """Another answer than the true one.

    Attributes:
        after: Whether the server does its work first.
    """

    after: bool = field(default=False, validator=is_flag)

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

    code: int = field(validator=is_status)
    retry_after: str | None = field(default=None, validator=optional(is_text(empty=True)))
    body: Literal["text", "html", "envelope", "empty"] = field(
        default="text", validator=is_one_of("text", "html", "envelope", "empty")
    )

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

    status: int = field(default=200, validator=is_status)
    content: bytes = field(default=b"", validator=is_content, repr=lambda content: f"<{len(content)} bytes>")
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

    url: str = field(validator=is_text(empty=True))
    code: int = field(default=302, validator=is_status)

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
class Delay(Fault):
    """The answer comes later on the sandbox's clock: a virtual one jumps, a real one waits.

    Attributes:
        seconds: How much later.
    """

    seconds: float = field(validator=is_number)


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

    reason: str | None = field(default=None, validator=optional(is_text(empty=True)))
    phases: ClassVar[tuple[Phase, ...]] = ("create", "status")


@frozen
class JobNeverEnds(Fate):
    """The job stays RUNNING for ever."""

    phases: ClassVar[tuple[Phase, ...]] = ("create", "status")


@frozen
class JobState(Fate):
    """One status answer says something else than the truth, in the shape of a job that is still running.

    CLOSED and COMPLETED have the shape and the link of a completed job, if the job really is: what ``extra`` holds is
    then the only difference.

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
