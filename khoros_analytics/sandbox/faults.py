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

from ._damage import Cut, EarlyEnd, Endless, ResetWithin, Slow, Spoiled, Stall, Truncated, Twice, WrongLength
from ._fault_queue import PHASES, Fault, Phase
from ._faults import (
    Delay,
    EmptyAnswer,
    Expired,
    Fate,
    HtmlPage,
    HttpStatus,
    Instead,
    JobFails,
    JobNeverEnds,
    JobState,
    RawAnswer,
    Redirect,
    Reset,
)

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


def __dir__() -> list[str]:
    """Return the public names alone: Tab shows them."""
    return __all__
