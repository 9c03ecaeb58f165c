"""What each reply means: a value, or exactly one error."""

import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NoReturn

from ..errors import (
    ApiError,
    AuthenticationError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    UnexpectedReplyError,
)
from .advice import for_rejection
from .messages import EXCERPT, Call, Created, Phase, Reply, Status, excerpt

__all__ = [
    "parse_created",
    "parse_date",
    "parse_retry_after",
    "parse_status",
    "raise_for_status",
    "unexpected",
    "unwrap",
]

MAX_RETRY_AFTER = 1e9
"""The longest wait that a header is taken for, in seconds; it may hold any number of digits."""

_OF_GATEWAYS = frozenset({408, 425, 499})  # of some that lost patience with a server that may well have acted


def parse_created(call: Call, reply: Reply) -> Created:
    """Return the ids in the answer to a creation call, or raise one kind of ApiError with ``may_have_started``."""
    result = _job_object(call, reply, unwrap(call, reply))
    info = result.get("jobInfo", result)
    if not isinstance(info, dict) or not all(_is_id(info.get(key)) for key in ("workflowId", "runId")):
        unexpected(call, reply, "its answer names no workflowId and runId")
    return Created(info["workflowId"], info["runId"], _text(info.get("statusUrl")) or "")


def parse_status(call: Call, reply: Reply, created: Created) -> Status:
    """Return the status in the answer to a status call, or raise one kind of ApiError, as for another job's status."""
    result = _job_object(call, reply, unwrap(call, reply))
    info, about = result.get("jobInfo") or {}, result.get("result")
    if not isinstance(about, dict) or not isinstance(info, dict):
        unexpected(call, reply, "its answer has no status")
    for key, wanted in (("workflowId", created.workflow_id), ("runId", created.run_id)):
        if (info.get(key) or wanted) != wanted:
            unexpected(call, reply, "its answer is about another job")
    return Status(
        state=(_cleaned(reply, about.get("runnerState")) or "").upper(),
        # The legacy list of jobs says details; nothing promises that no status ever does.
        detail=(_cleaned(reply, about.get("detail") or about.get("details")) or "").upper(),
        reason=_cleaned(reply, about.get("reason")),
        current_count=_count(about.get("currentCount")),
        total_count=_count(about.get("totalCount")),
        last_acknowledge_time=_cleaned(reply, about.get("lastAcknowledgeTime")),
        download_url=_text(info.get("downloadUrl")) or "",
        status_url=_text(info.get("statusUrl")) or "",
    )


def _is_id(value: object) -> bool:
    """Return whether a URL and a file can hold it, and it leads to no other path."""
    if not isinstance(value, str) or value in ("", ".", "..") or "\0" in value:
        return False
    return value.encode("utf-8", "replace").decode("utf-8") == value


def raise_for_status(call: Call, reply: Reply) -> None:
    """Raise the ApiError that an HTTP status stands for, with a short excerpt of the body; return for a 2xx."""
    code = reply.status_code
    if code in (401, 403):
        _raise(
            AuthenticationError, call, reply, "does not accept the user, the password or the company key", started=False
        )
    if code == 429:
        raise RateLimitError(
            _told(call, reply, "says that there were too many requests" + _asked_to_wait(reply)),
            status_code=code,
            retry_after=reply.retry_after,
            may_have_started=_started(call, started=False),
        )
    if code >= 500:
        # Not even 503 is proof: proxies send it, too, after they have passed the request on.
        raise ServerError(
            _told(call, reply, "failed" + _asked_to_wait(reply)),
            retry_after=reply.retry_after,
            status_code=code,
            may_have_started=_started(call, started=True),
        )
    if code in (404, 410) and call.phase is Phase.STATUS:
        _raise(RequestRejectedError, call, reply, "does not know this job; it keeps an export for 24 hours")
    if 400 <= code < 500:
        _raise(RequestRejectedError, call, reply, "refuses the request", started=code in _OF_GATEWAYS)
    if not 200 <= code < 300:
        unexpected(
            call, reply, "it answered with a redirect or something else that is not documented; is base_url right?"
        )


def parse_retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header names, as a number or a date; None where it cannot be read."""
    if not text:
        return None
    try:
        return min(float(text), MAX_RETRY_AFTER) if text.strip().isdecimal() else _until(text, now)
    except (ValueError, OverflowError, TypeError):
        return None


def _until(text: str, now: float) -> float:
    return max(0.0, _moment(text) - now)


def parse_date(text: str | None, default: float) -> float:
    """Return the moment that a Date header names, in seconds since 1970, or the default where it cannot be read."""
    try:
        return _moment(text) if text else default
    except (ValueError, OverflowError, TypeError):
        return default


def _moment(text: str) -> float:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def unwrap(call: Call, reply: Reply) -> object:
    """Unwrap the envelope. Its JSON is often declared as text/plain, so only the body counts."""
    raise_for_status(call, reply)
    try:
        envelope = json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        unexpected(call, reply, "its answer is empty" if not reply.body.strip() else "its answer is not JSON")
    if not isinstance(envelope, dict) or "result" not in envelope:
        unexpected(call, reply, "its answer is not in the API's envelope")
    result = envelope["result"]
    if isinstance(result, str) or str(envelope.get("status")).upper() == "FAIL":
        reason = next((text for text in (result, envelope.get("message")) if isinstance(text, str) and text), "")
        said = _cleaned(reply, reason) or "it gives no reason"
        _raise(RequestRejectedError, call, reply, f"refuses the request: {said}", started=False, excerpt=False)
    return result


def _job_object(call: Call, reply: Reply, result: object) -> dict[str, object]:
    """Take the object out of the list in which status answers often come."""
    found = result[0] if isinstance(result, list) and result else result
    if not isinstance(found, dict):
        unexpected(call, reply, "its answer holds no job")
    return found


def _started(call: Call, *, started: bool) -> bool | None:
    return started if call.phase is Phase.CREATE else None


def _told(call: Call, reply: Reply, what: str, *, excerpt: bool = True) -> str:
    body = f"; it sent: {reply.excerpt()}" if excerpt and reply.body.strip() not in (b"", b"{}") else ""
    return f"{call.subject}: the server {what} (HTTP {reply.status_code} to the {call.phase.value} call){body}"


def _asked_to_wait(reply: Reply) -> str:
    return "" if reply.retry_after is None else f"; it asks to wait {reply.retry_after:.0f} s"


def _raise(
    kind: type[ApiError], call: Call, reply: Reply, what: str, *, started: bool = False, excerpt: bool = True
) -> NoReturn:
    message = _told(call, reply, what, excerpt=excerpt)
    raise kind(
        message,
        status_code=reply.status_code,
        may_have_started=_started(call, started=started),
        advice=for_rejection(call.phase, reply.status_code),
    )


def unexpected(call: Call, reply: Reply, what: str) -> NoReturn:
    _raise(UnexpectedReplyError, call, reply, f"answered in a way that is not documented: {what}", started=True)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _cleaned(reply: Reply, value: object) -> str | None:
    if value is None:
        return None
    return excerpt(str(value), reply.redact, 2 * EXCERPT)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
