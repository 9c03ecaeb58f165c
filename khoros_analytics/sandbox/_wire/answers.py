"""Answers: what a host decides to say, before any of it is on the wire."""

import json
from typing import Any, Literal

from attrs import evolve, field, frozen

from .._data.body import Body

__all__ = ["JSON", "PLAIN", "Answer", "Framing", "bad_request", "envelope", "page", "refusal", "text"]

Framing = Literal["length", "chunked", "close"]
"""How the end of a body is told: by its Content-Length, by chunks, or by closing the connection."""

_REASON = 200  # letters: a reason may quote what came, which may be long

Pairs = tuple[tuple[str, str], ...]

PLAIN = "text/plain"
"""How the vendor declares the JSON of most creations (openapi)."""

JSON = "application/json"
"""How it declares all other JSON (openapi)."""

HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>gateway</body></html>\n"


@frozen
class Answer:
    """One answer of a host.

    Attributes:
        status: The HTTP status.
        headers: Its headers, without those that tell the body's end.
        body: The whole content.
        start: The first byte of the content that is sent.
        stop: The byte after the last one that is sent; all when not given.
        framing: How the body's end is told.
    """

    status: int
    headers: Pairs = ()
    body: Body = field(factory=Body, repr=False)
    start: int = 0
    stop: int | None = None
    framing: Framing = "length"

    @property
    def length(self) -> int:
        """The number of bytes that are to be sent."""
        return (self.body.length if self.stop is None else self.stop) - self.start

    def adding(self, *headers: tuple[str, str]) -> "Answer":
        """Return the same answer with more headers."""
        return evolve(self, headers=self.headers + headers)


def text(status: int, content: str, kind: str = "text/plain;charset=UTF-8") -> Answer:
    """Return an answer with a text."""
    return Answer(status, (("Content-Type", kind),), Body(tail=content.encode()))


def envelope(result: Any, status: int = 200, verdict: str = "PASS", kind: str = JSON) -> Answer:
    """Return the vendor's envelope. It is always JSON, whatever type is declared."""
    return text(status, json.dumps({"status": verdict, "request": None, "message": None, "result": result}), kind)


def refusal(status: int, reason: str, kind: str = PLAIN) -> Answer:
    """Return an envelope that says FAIL.

    The vendor shows such an envelope for too many buckets only. For any other mistake than a 400 its API is not
    documented: the sandbox answers in the same way.
    """
    return envelope(reason, status, "FAIL", kind)


def bad_request(reason: str) -> Answer:
    """Return the documented answer to a bad request: 400 with ``{}`` (openapi)."""
    return text(400, "{}", JSON).adding(("X-Sandbox-Reason", reason[:_REASON].encode("unicode_escape").decode()))


def page(status: int, title: str) -> Answer:
    """Return an HTML page, as a gateway in front of the API would."""
    return text(status, HTML.format(title), "text/html;charset=UTF-8")
