"""Keeps secrets out of what tracebacks show: values without a repr, and frames without their variables."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Hidden", "behind", "emptied_frames", "hidden_text", "unfinished"]

T = TypeVar("T")


class Hidden(Generic[T]):
    """A value that nothing shows: no repr, no format, no attribute, no pickle. Only :meth:`reveal` returns it.

    It is no text: crash reporters print every text as it is, whatever its class says about its repr.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, value: T) -> None:
        _VALUES[self] = value

    def reveal(self) -> T:
        """Return the value. Do not give it a name: local variables are what a traceback shows."""
        value: T = _VALUES[self]
        return value

    def __repr__(self) -> str:
        return "***"

    def __copy__(self) -> "Hidden[T]":
        return self

    def __deepcopy__(self, _memo: object) -> "Hidden[T]":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def hidden_text(text: str | Hidden[str]) -> Hidden[str]:
    """Hide a text, unless it is hidden already."""
    return text if isinstance(text, Hidden) else Hidden(text)


_VALUES: WeakKeyDictionary[Hidden[Any], Any] = WeakKeyDictionary()

# The modules whose frames nobody debugs by their variables; what is in none of them is the user's.
_LIBRARIES = {*sys.stdlib_module_names, "attr", "keyring", "khoros_analytics", "requests", "tenacity", "urllib3"}


def unfinished(represent: Callable[[Any], str]) -> Callable[[Any], str]:
    """Let a repr serve an object, too, whose constructor failed: tracebacks with variables show those."""

    @wraps(represent)
    def represent_any(self: Any) -> str:
        try:
            return represent(self)
        except AttributeError:
            return f"<{type(self).__name__}, not finished>"

    return represent_any


@contextmanager
def emptied_frames(*, everybodys: bool = False) -> Iterator[None]:
    """Take the variables out of all frames that an error of the block came through, and those behind it.

    Their lines stay in the traceback. Frames of the user's own code keep their variables, unless ``everybodys``.
    """
    handled = sys.exception()
    try:
        yield
    except BaseException as error:
        for one in behind(error, handled):
            for frame, _ in traceback.walk_tb(one.__traceback__):
                if everybodys or _is_of_a_library(frame):
                    with suppress(RuntimeError):  # it is still running
                        frame.clear()
        raise


def _is_of_a_library(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES


def behind(error: BaseException, handled: BaseException | None = None) -> Iterator[BaseException]:
    """Yield an error and all that it holds or comes from, but for what was being handled when the call was made."""
    seen: list[BaseException] = [handled] if handled else []
    pending: list[object] = [error]
    while pending:
        one = pending.pop()
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            yield one
            pending += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
            pending += getattr(one, "exceptions", ())
