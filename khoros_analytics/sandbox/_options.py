"""The options of a sandbox: what it is told to be like. All of them may be changed while it runs."""

from collections.abc import Callable
from ssl import SSLContext
from typing import Literal

from attrs import Factory, define, field

from .._clock import Clock
from ._clock import VirtualClock
from ._wire.answers import Framing

__all__ = ["DAY", "Options"]

DAY = 86_400.0
"""The seconds for which a finished export can be fetched (tutorial)."""


@define(kw_only=True, eq=False, slots=False)
class Options:
    """How a sandbox behaves. The API does not say most of it: the defaults are the sandbox's own choice.

    Attributes:
        username: The user of HTTP Basic.
        password: The password, any Unicode text.
        company_key: The only company key that it knows.
        clock: Whose time counts. The default one stands still until somebody sleeps on it, so a client that shares it
            waits for nothing; without such a client give ``Clock()``, or use ``polls``.
        seconds: How long an export takes on the clock. A callable is asked once for each export.
        polls: When given, this decides instead of ``seconds``: an export is done at so many status requests.
        rows: How many rows an export has.
        size: When given, an export gets as many rows as make about so many bytes.
        seed: Other seeds give other rows.
        strict: Refuse parameters that a report does not list, instead of recording them.
        requests_per_minute: The API answers 429 beyond so many requests in any 60 seconds. None for no limit.
        retry_after: Whether a 429 says in Retry-After, in seconds, when there is room again.
        creation: What a creation answer holds: ids and ``urls``, just the ``ids``, or ``download``: a downloadUrl too.
            The vendor shows all three.
        url_origin: The scheme and host that stand in the API's URLs, where they are to differ from its own.
        empty_links: At so many polls a completed export has no link yet.
        link_seconds: How long a signed link of the file host is good.
        export_seconds: How long a finished export can be fetched.
        ranges: Whether the file host understands Range.
        validators: Whether the file host sends ETag and Last-Modified.
        framing: How the file host tells a body's end: by ``length``, ``chunked``, or by ``close`` alone.
        gzip: Whether files are stored compressed and sent so, whatever the request accepts, as object storage does.
        keep_alive: Whether connections are kept open between requests.
        port: The API's port; 0 for any free one.
        ssl_context: The server side of TLS, for both origins. None for plain http.
        remember: Keep the records of so many last requests; None for all.
    """

    username: str = "sandbox"
    password: str = field(default="sandbox-password", repr=False)
    company_key: str = field(default="SANDBOX-COMPANY", repr=False)
    clock: Clock = Factory(VirtualClock)
    seconds: float | Callable[[], float] = 10.0
    polls: int | None = None
    rows: int = 100
    size: int | None = None
    seed: int = 0
    strict: bool = False
    requests_per_minute: int | None = None
    retry_after: bool = False
    creation: Literal["urls", "ids", "download"] = "urls"
    url_origin: str | None = None
    empty_links: int = 0
    link_seconds: float = DAY
    export_seconds: float = DAY
    ranges: bool = True
    validators: bool = True
    framing: Framing = "length"
    gzip: bool = False
    keep_alive: bool = True
    port: int = 0
    ssl_context: SSLContext | None = None
    remember: int | None = None

    def duration(self) -> float:
        """Return how long the next export takes, in seconds."""
        return self.seconds() if callable(self.seconds) else self.seconds
