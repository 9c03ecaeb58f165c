"""Damage: faults that spoil the true answer on its way. They are public in :mod:`khoros_analytics.sandbox.faults`."""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import asdict, field, frozen

from ._fault_queue import Fault
from ._validation import is_number, is_place, is_whole
from ._wire.connection import Spoil

__all__ = [
    "Cut",
    "EarlyEnd",
    "Endless",
    "ResetWithin",
    "Slow",
    "Spoiled",
    "Stall",
    "Truncated",
    "Twice",
    "WrongLength",
]


@frozen
class Spoiled(Fault):
    """The true answer, damaged on its way."""

    damage: ClassVar[Mapping[str, Any]] = {}

    def spoil(self) -> Spoil:
        """Return what goes wrong on the wire: what the class stands for, and what this instance says of it."""
        return Spoil(**self.damage, **asdict(self))


@frozen
class ResetWithin(Spoiled):
    """The connection is reset within the body, by a true TCP RST.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = field(default=0.5, validator=is_place)
    damage: ClassVar[Mapping[str, Any]] = {"end": "reset"}


@frozen
class Cut(Spoiled):
    """The body ends early, though its whole length was announced.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = field(default=0.5, validator=is_place)
    damage: ClassVar[Mapping[str, Any]] = {"end": "close"}


@frozen
class EarlyEnd(Spoiled):
    """The body ends early, and no length was announced: only the content can tell.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = field(default=0.5, validator=is_place)
    damage: ClassVar[Mapping[str, Any]] = {"end": "close", "length": "none"}


@frozen
class Truncated(Spoiled):
    """The body ends early and its length says the same: truncated JSON in a sound HTTP answer.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = field(default=0.5, validator=is_place)
    damage: ClassVar[Mapping[str, Any]] = {"length": "sent"}


@frozen
class WrongLength(Spoiled):
    """The Content-Length differs from the body that follows.

    Attributes:
        by: So many bytes too long (or too short, when negative).
    """

    by: int = field(default=1, validator=is_whole(least=None))
    damage: ClassVar[Mapping[str, Any]] = {"end": "close"}


@frozen
class Slow(Spoiled):
    """The body comes in small pieces with a rest after each.

    Attributes:
        pause: The rest in real seconds.
        every: Bytes in a piece.
    """

    pause: float = field(default=0.05, validator=is_number)
    every: int = field(default=1024, validator=is_whole(least=1))


@frozen
class Stall(Spoiled):
    """The body stops coming, and the connection stays open until the client leaves.

    Attributes:
        at: Where: bytes, or a share of the body.
    """

    at: int | float = field(default=0.5, validator=is_place)
    damage: ClassVar[Mapping[str, Any]] = {"end": "stall"}


@frozen
class Endless(Spoiled):
    """The body starts again and again, without a length, until the client leaves."""

    damage: ClassVar[Mapping[str, Any]] = {"endless": True, "length": "none", "end": "close"}


@frozen
class Twice(Spoiled):
    """The whole answer is sent twice on one connection, which is closed then."""

    damage: ClassVar[Mapping[str, Any]] = {"copies": 2, "end": "close"}
