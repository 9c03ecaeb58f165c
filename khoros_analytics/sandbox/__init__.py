"""A local server that speaks the Khoros Care Analytics Reports API: for tests, demonstrations, curl and Postman.

``with Sandbox() as sandbox, Client(**sandbox.settings) as client:`` is a whole world without credentials;
``python -m khoros_analytics.sandbox`` serves it for any other program. :mod:`khoros_analytics.sandbox.faults` lists
what can go wrong on request.

It answers as documented. Where the documentation is silent it makes a choice, and says so where the choice is made: its
rows' columns beyond the known metrics are made up, and so are the answers to a wrong company key or a passed quota.
"""

try:
    import werkzeug as _werkzeug  # noqa: F401 - asked for here, so that its absence is explained
except ImportError as _missing:
    raise ImportError(
        'The sandbox needs werkzeug: install it with  pip install "khoros_analytics[sandbox]"', name=_missing.name
    ) from _missing

from .._clock import Clock
from . import faults
from ._clock import VirtualClock
from ._fault_queue import PHASES, Fault, Phase
from ._hosts.exports import Export
from ._hosts.records import RecordedRequest
from ._options import Options
from ._sandbox import Sandbox

__all__ = [
    "PHASES",
    "Clock",
    "Export",
    "Fault",
    "Options",
    "Phase",
    "RecordedRequest",
    "Sandbox",
    "VirtualClock",
    "faults",
]
