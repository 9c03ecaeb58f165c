"""Tracebacks of mistakes that are the caller's: the caller's own lines, without the dozens of this library's."""

import copy
import sys
import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["callers_lines"]

_PACKAGE = __name__.partition(".")[0]
_BETWEEN = {_PACKAGE, "IPython", "asyncio", "contextlib", "ipykernel"}


def callers_lines(error: BaseException) -> list[str]:
    """Return the lines with which a notebook shows an error: as it does it itself, but for the frames of this library.

    An error that no caller's line led to is shown whole.
    """
    own = _traceback([one for one in _walk(error.__traceback__) if _is_of_the_caller(one.tb_frame)])
    if own is None:
        return traceback.format_exception(error)
    # A copy has no chain: what an error of this kind came from is the library's affair.
    shown = copy.copy(error).with_traceback(own)
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return traceback.format_exception(shown)
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(shown), shown, own, tb_offset=0)
    return lines


def _walk(last: TracebackType | None) -> Iterator[TracebackType]:
    while last is not None:
        yield last
        last = last.tb_next


def _is_of_the_caller(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] not in _BETWEEN


def _traceback(kept: list[TracebackType]) -> TracebackType | None:
    chain: TracebackType | None = None
    for one in reversed(kept):
        chain = TracebackType(chain, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return chain
