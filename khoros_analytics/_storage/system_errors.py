"""What the operating system says, as errors of the tree."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import KhorosError, TargetError

__all__ = ["map_os_errors", "map_path_errors"]


@contextmanager
def map_os_errors(path: Path, what: str) -> Iterator[None]:
    """Turn an error of the operating system into a TargetError: the path, and what cannot be done with it.

    What a handler of signals raises, such as a TimeoutError, has no number and passes as it is.
    """
    try:
        yield
    except KhorosError:
        raise
    except OSError as error:
        if error.errno is None:
            raise
        raise _target_error(path, what, error) from error


@contextmanager
def map_path_errors(path: Path, what: str) -> Iterator[None]:
    """Do so with what is wrong with a path itself, too: a NUL, a link in a circle."""
    try:
        with map_os_errors(path, what):
            yield
    except KhorosError:
        raise
    except (ValueError, RuntimeError) as error:
        raise _target_error(path, what, error) from error


def _target_error(path: Path, what: str, error: Exception) -> TargetError:
    why, number = getattr(error, "strerror", None) or str(error), getattr(error, "errno", None)
    advice = _ADVICE.get(number, "give another path")
    return TargetError(f"{path} {what}: {why}", path=path, errno=number, advice=f"{advice}; then call again")


_ROOM = "make room there, or give a path on another disk"
_ALLOWED = "give a path where you may write, or have its folder's permissions changed"
_ADVICE: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG), _ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _ALLOWED),
    errno.ENAMETOOLONG: "give a path with shorter names",
}
"""What to do about what the operating system says, by its number."""
