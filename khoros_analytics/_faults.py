"""What a connection that broke means: whether the request can have been seen, and the reason in words."""

import ssl
from collections.abc import Iterator

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from ._redaction import Redactor

__all__ = ["certainly_not_sent", "innermost", "is_unsafe"]


def certainly_not_sent(error: BaseException) -> bool:
    """Return whether a request that ended so cannot have reached the server.

    Args:
        error: What requests raised. A ValueError is its word for a URL, a header or a proxy that cannot be used.
    """
    if isinstance(error, ValueError):
        return True
    never = (NewConnectionError, ConnectTimeoutError, ProxyError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, never) for cause in _causes(error))


def is_unsafe(error: BaseException) -> bool:
    """Return whether the server's certificate was not accepted, which no repetition changes.

    Args:
        error: What requests raised.
    """
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from what requests raised to what happened below it."""
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        yield current
        # Not __context__: it may be anything that the caller was handling when it called.
        pending += [current.__cause__, getattr(current, "reason", None), *current.args]


def innermost(error: BaseException, redact: Redactor) -> str:
    """Return the reason at the bottom of an error, in words and without secrets.

    Args:
        error: What requests or urllib3 raised.
        redact: Hides the secrets.
    """
    last = list(_causes(error))[-1]
    text = redact(str(last)).strip()
    return f"{type(last).__name__}: {text}" if text else type(last).__name__
