"""The options of a sandbox: what it is told to be like. All of them may be changed while it runs."""

import math
from collections.abc import Callable
from ssl import SSLContext
from typing import Literal

from attrs import Factory, define, field

from .._clock import Clock
from ._clock import SandboxClock
from ._validation import (
    checks_names,
    is_clock,
    is_context,
    is_flag,
    is_number,
    is_one_of,
    is_origin,
    is_seconds,
    is_text,
    is_user,
    is_whole,
    optional,
)
from ._wire.answers import Framing

__all__ = ["DAY", "Options"]

DAY = 86_400.0
"""The seconds for which a finished export can be fetched (tutorial)."""

_POLLS, _SECONDS = 2, 10.0  # when neither is given
_ROWS: int | None = 100


@checks_names
@define(kw_only=True, eq=False, slots=False)
class Options:
    """How a sandbox behaves. The API does not say most of it: the defaults are the sandbox's own choice.

    A value that cannot be is a ValueError, an unknown name a TypeError, or an AttributeError where it is set later.

    Attributes:
        username: The user of HTTP Basic, without a colon.
        password: The password, any Unicode text.
        company_key: The only company key that it knows.
        clock: Whose time counts. The default one runs in real time, from 1 May 2019, until a program uses it; from
            then on it stands still until somebody sleeps on it, so a client that shares it waits for nothing. Where
            such a client and others call one sandbox, give ``Clock()``: the machine's own time for all.
        seconds: How long an export takes on the clock. A callable is asked once for each export.
        polls: An export is done at so many status requests. When both are given, what comes first decides; when
            neither is, 2 polls or 10 seconds.
        rows: How many rows an export has: those of so many conversations, spread over its window. None for as many as
            the report has in the window, up to those of 200,000 conversations; windows that meet then hold what one
            holds.
        size: When given, an export gets as many rows as make about so many bytes.
        seed: Other seeds give other rows.
        strict: Refuse what is not documented: parameters that a report does not list, columns that the sandbox does
            not know, GET for reports whose documented verb is POST. Otherwise unlisted parameters are recorded, any
            column gets values, and GET starts every report, as the vendor's development kit does it.
        requests_per_minute: The API answers 429 beyond so many requests in any 60 seconds. None for no limit.
        retry_after: Whether a 429 says in Retry-After, in seconds, when there is room again.
        creation: What a creation answer holds: ids and ``urls``, just the ``ids``, or ``download``: a downloadUrl too.
            The vendor shows all three.
        running: How a status answer holds a job that runs: as an ``object``, as a program in production reads it, or
            in a ``list``, as the vendor's example shows it. A failed job always stands in a list, a completed one
            never, as in the vendor's examples.
        url_origin: The scheme and host that stand in the API's URLs, where they are to differ from its own.
        empty_links: At so many polls a completed export has no link yet.
        link_seconds: How long a signed link of the file host is good.
        export_seconds: How long a finished export can be fetched.
        ranges: Whether the file host understands Range.
        validators: Whether the file host sends ETag and Last-Modified.
        framing: How the file host tells a body's end: by ``length``, ``chunked``, or by ``close`` alone.
        gzip: Whether files are stored compressed and sent so, whatever the request accepts, as object storage does.
        keep_alive: Whether connections are kept open between requests.
        host: The address at which both hosts listen: this machine alone by default, ``0.0.0.0`` for all its addresses,
            as in a container (``url_origin`` and ``file_host`` then say how others reach it).
        port: The API's port; 0 for any free one.
        file_host: The name of the file host in links. By default ``localhost``, where the API is ``127.0.0.1``: Postman
            and wget keep their credentials from a host of another name, and not from another port. Where the
            certificate of ``ssl_context`` is not good for ``localhost``, or ``host`` is another address, it is called
            as the API is.
        file_port: The file host's port; 0 for any free one.
        ssl_context: The server side of TLS, for both hosts. None for plain http.
        remember: Keep the records of so many last requests, and of fewer where they take more than 32 MB; None for all.
    """

    username: str = field(default="sandbox", validator=is_user)
    password: str = field(default="sandbox-password", repr=False, validator=is_text(empty=True))
    company_key: str = field(default="SANDBOX-COMPANY", repr=False, validator=is_text())
    clock: Clock = field(default=Factory(SandboxClock), validator=is_clock)
    seconds: float | Callable[[], float] | None = field(default=None, validator=optional(is_seconds))
    polls: int | None = field(default=None, validator=optional(is_whole()))
    rows: int | None = field(default=_ROWS, validator=optional(is_whole()))
    size: int | None = field(default=None, validator=optional(is_whole()))
    seed: int = field(default=0, validator=is_whole(least=None))
    strict: bool = field(default=False, validator=is_flag)
    requests_per_minute: int | None = field(default=None, validator=optional(is_whole(least=1)))
    retry_after: bool = field(default=False, validator=is_flag)
    creation: Literal["urls", "ids", "download"] = field(default="urls", validator=is_one_of("urls", "ids", "download"))
    running: Literal["object", "list"] = field(default="object", validator=is_one_of("object", "list"))
    url_origin: str | None = field(default=None, validator=optional(is_origin))
    empty_links: int = field(default=0, validator=is_whole())
    link_seconds: float = field(default=DAY, validator=is_number)
    export_seconds: float = field(default=DAY, validator=is_number)
    ranges: bool = field(default=True, validator=is_flag)
    validators: bool = field(default=True, validator=is_flag)
    framing: Framing = field(default="length", validator=is_one_of("length", "chunked", "close"))
    gzip: bool = field(default=False, validator=is_flag)
    keep_alive: bool = field(default=True, validator=is_flag)
    host: str = field(default="127.0.0.1", validator=is_text())
    port: int = field(default=0, validator=is_whole(most=65_535))
    file_host: str | None = field(default=None, validator=optional(is_text()))
    file_port: int = field(default=0, validator=is_whole(most=65_535))
    ssl_context: SSLContext | None = field(default=None, validator=optional(is_context))
    remember: int | None = field(default=None, validator=optional(is_whole()))

    def now(self) -> float:
        """Return the time on the clock, in seconds since 1970-01-01 UTC."""
        return self.clock.peek() if isinstance(self.clock, SandboxClock) else self.clock.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass on the clock: a virtual one jumps, a real one waits."""
        if isinstance(self.clock, SandboxClock):
            self.clock.jump(seconds)
        else:
            self.clock.sleep(seconds)

    def lasting(self) -> tuple[int | None, float]:
        """Return the polls (None for any number) and the seconds after which the next export is done."""
        if self.seconds is None:
            return (_POLLS, _SECONDS) if self.polls is None else (self.polls, math.inf)
        return self.polls, self.seconds() if callable(self.seconds) else self.seconds
