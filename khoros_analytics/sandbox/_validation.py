"""Validation: wrong options are an error where they are given, and say what would be right."""

import difflib
import functools
import math
import ssl
from collections.abc import Callable, Collection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import Attribute, fields
from attrs.validators import optional

from .._clock import Clock

__all__ = [
    "checks_names",
    "did_you_mean",
    "is_clock",
    "is_content",
    "is_context",
    "is_flag",
    "is_number",
    "is_one_of",
    "is_origin",
    "is_place",
    "is_seconds",
    "is_status",
    "is_text",
    "is_user",
    "is_whole",
    "optional",
]

T = TypeVar("T")
Validator = Callable[[Any, "Attribute[Any]", Any], None]


def _validator(wanted: str, good: Callable[[Any], bool]) -> Validator:
    """Return a validator for attrs."""

    def validate(_instance: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if not good(value):
            shown = "that value" if not attribute.repr else repr(value)
            raise ValueError(f"{attribute.name} cannot be {shown}: give {wanted}")

    return validate


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    """Return whether a value is a number from 0 on, infinity included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _text(value: Any) -> bool:
    """Return whether a value is a text that can be sent: a lone surrogate cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _origin(value: Any) -> bool:
    """Return whether a value is a scheme and a host, without a path."""
    try:
        parts = urlsplit(value) if _text(value) else None
        return (
            parts is not None
            and parts.scheme in ("http", "https")
            and value.endswith("//" + parts.netloc)
            and bool(parts.hostname)
        )
    except ValueError:
        return False


def is_whole(least: int | None = 0, most: float = math.inf) -> Validator:
    """Return a validator of whole numbers."""
    bounds = "" if least is None else f" from {least}" + ("" if math.isinf(most) else f" to {most}")
    least_of_all = -math.inf if least is None else least
    return _validator(f"a whole number{bounds}", lambda value: _whole(value) and least_of_all <= value <= most)


def is_one_of(*choices: str) -> Validator:
    """Return a validator of choices."""
    return _validator(" or ".join(map(repr, choices)), lambda value: isinstance(value, str) and value in choices)


def is_text(*, empty: bool = False) -> Validator:
    """Return a validator of texts."""
    return _validator(
        "a text" if empty else "a text that is not empty", lambda value: _text(value) and (empty or value)
    )


is_flag = _validator("True or False", lambda value: isinstance(value, bool))
is_number = _validator("a number of seconds from 0 on", _number)
is_seconds = _validator(
    "a number of seconds from 0 on, or a callable that returns one", lambda value: callable(value) or _number(value)
)
is_status = is_whole(least=100, most=999)
is_content = _validator("bytes", lambda value: isinstance(value, bytes))
is_place = _validator("a number of bytes, or a share of the body as a float", _number)
is_user = _validator("a text without a colon", lambda value: _text(value) and value != "" and ":" not in value)
is_clock = _validator("a Clock", lambda value: isinstance(value, Clock))
is_context = _validator("an ssl.SSLContext", lambda value: isinstance(value, ssl.SSLContext))
is_origin = _validator("a scheme and a host, such as 'https://api.example'", _origin)


def did_you_mean(given: str, known: Collection[str]) -> str:
    """Return a hint at the nearest of the known names, as the end of a sentence; empty where none is near."""
    near = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def checks_names(cls: type[T]) -> type[T]:
    """Let a class of attrs refuse unknown names, in its constructor and where an attribute is set."""
    known = [each.name for each in fields(cls) if each.init]  # type: ignore[arg-type]
    construct: Any = cls.__init__
    assign: Any = cls.__setattr__

    @functools.wraps(construct)
    def construct_known(self: Any, **options: Any) -> None:
        for name in options.keys() - known:
            raise TypeError(f"{cls.__name__} has no option {name!r}{did_you_mean(name, known)}")
        construct(self, **options)

    @functools.wraps(assign)
    def assign_known(self: Any, name: str, value: Any) -> None:
        # What a subclass adds is its own affair.
        if type(self) is cls and not name.startswith("_") and name not in known and not hasattr(cls, name):
            raise AttributeError(f"{cls.__name__} has no option {name!r}{did_you_mean(name, known)}")
        assign(self, name, value)

    cls.__init__ = construct_known  # type: ignore[method-assign]
    cls.__setattr__ = assign_known  # type: ignore[method-assign]
    return cls
