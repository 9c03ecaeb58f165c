"""The API without any I/O: what each call sends, and what each reply means, as a value or exactly one error."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

from attrs import fields

from ._arguments import ExportRequest
from ._encoding import Pairs
from ._messages import EXCERPT, Action, Call, Created, Reply, Status, Team, TimeZone
from ._urls import BaseUrl, Target
from .errors import (
    ApiError,
    AuthenticationError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    UnexpectedReplyError,
)

__all__ = [
    "create_call",
    "download_call",
    "lookup_call",
    "parse_created",
    "parse_retry_after",
    "parse_rows",
    "parse_status",
    "raise_for_status",
    "status_call",
]

log = logging.getLogger("khoros_analytics")

_LONGEST_TEXT = 8192  # characters of a server's text that are looked at
_LONGEST = 1e9  # seconds; a header may hold any number of digits

Row = TypeVar("Row", Team, TimeZone)


def create_call(base: BaseUrl, request: ExportRequest, company_key: str) -> Call:
    """Return the call that starts an export.

    Args:
        base: Where the API is.
        request: What to export.
        company_key: The company's key; always in the query.
    """
    report = request.report
    query, form = request.pairs, None
    if report.sends == "body":
        always_in_query = {row.wire for row in report.parameters if row.in_query}
        query = tuple(pair for pair in request.pairs if pair[0] in always_in_query)
        form = tuple(pair for pair in request.pairs if pair[0] not in always_in_query)
    return Call(
        action=Action.CREATE,
        subject=f"the {report.name} export",
        method=report.verb,
        target=Target(base.api(*report.path.strip("/").split("/")), at_home=True),
        query=(("companyKey", company_key), *query),
        form=form,
    )


def status_call(base: BaseUrl, subject: str, created: Created, company_key: str) -> Call:
    """Return the call that asks for a job's status.

    Args:
        base: Where the API is.
        subject: The job, for messages.
        created: Its identity; a status URL that the server gave is followed as it stands.
        company_key: The company's key, for a job whose status URL is not known.

    Raises:
        UntrustedUrlError: The server's status URL must not be followed.
    """
    if created.status_url:
        return Call(Action.STATUS, subject, "GET", base.target(created.status_url))
    url = base.api("reports", "report", created.workflow_id, created.run_id, "status")
    return Call(Action.STATUS, subject, "GET", Target(url, at_home=True), (("companyKey", company_key),))


def download_call(base: BaseUrl, subject: str, url: str, headers: Mapping[str, str]) -> Call:
    """Return the call that fetches a file.

    Args:
        base: Where the API is.
        subject: The job, for messages.
        url: The link, as the server gave it.
        headers: What to send beside the usual headers.

    Raises:
        UntrustedUrlError: The link must not be followed.
    """
    return Call(Action.DOWNLOAD, subject, "GET", base.target(url), headers=headers)


def lookup_call(base: BaseUrl, what: str, path: tuple[str, ...], query: Pairs) -> Call:
    """Return the call for one of the API's lists.

    Args:
        base: Where the API is.
        what: What is listed, for messages.
        path: Its path, segment by segment.
        query: What is asked for.
    """
    return Call(Action.LOOKUP, what, "GET", Target(base.api(*path), at_home=True), query)


def parse_created(call: Call, reply: Reply) -> Created:
    """Read the answer to a creation call.

    Raises:
        ApiError: One of its kinds, with ``may_have_started``.
    """
    result = _job_object(call, reply, _result(call, reply))
    info = result.get("jobInfo", result)
    if not isinstance(info, dict) or not all(
        isinstance(info.get(key), str) and info[key] for key in ("workflowId", "runId")
    ):
        _unexpected(call, reply, "its answer names no workflowId and runId")
    return Created(info["workflowId"], info["runId"], _text(info.get("statusUrl")) or "")


def parse_status(call: Call, reply: Reply, created: Created) -> Status:
    """Read the answer to a status call.

    Args:
        call: What was asked.
        reply: What came back.
        created: The job that was asked for; an answer about another one is none.

    Raises:
        ApiError: One of its kinds.
    """
    result = _job_object(call, reply, _result(call, reply))
    info, about = result.get("jobInfo") or {}, result.get("result")
    if not isinstance(about, dict) or not isinstance(info, dict):
        _unexpected(call, reply, "its answer has no status")
    for key, wanted in (("workflowId", created.workflow_id), ("runId", created.run_id)):
        if (info.get(key) or wanted) != wanted:
            _unexpected(call, reply, "its answer is about another job")
    status = Status(
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
    if status.state not in ("RUNNING", "CLOSED") or status.detail not in ("", "COMPLETED", "FAILED"):
        log.warning("%s: the server says %r, which is not documented; waiting on", call.subject, str(status))
    return status


def parse_rows(call: Call, reply: Reply, row: type[Row]) -> list[Row]:
    """Read a list of teams or time zones. Fields that are not documented are left out.

    Raises:
        ApiError: One of its kinds.
    """
    result = _result(call, reply)
    if not isinstance(result, list):
        _unexpected(call, reply, "its answer is no list")
    return [row(**_row_values(call, reply, row, item)) for item in result]


def _row_values(call: Call, reply: Reply, row: type[Row], item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        _unexpected(call, reply, "its answer lists something that is no object")
    return {attribute.name: item.get(_camel(attribute.name)) for attribute in fields(row)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def raise_for_status(call: Call, reply: Reply) -> None:
    """Raise the error that an HTTP status stands for; return for a 2xx.

    Raises:
        ApiError: One of its kinds, with the status and a short excerpt of the body.
    """
    code = reply.status_code
    if code in (401, 403):
        _raise(
            AuthenticationError, call, reply, "does not accept the user, the password or the company key", started=False
        )
    if code == 429:
        raise RateLimitError(
            _told(call, reply, "says that there were too many requests" + _asked_to_wait(reply)),
            retry_after=reply.retry_after,
            may_have_started=_started(call, started=False),
        )
    if code >= 500:
        # 503 says that the server did not take the request; the others leave open what happened behind them.
        raise ServerError(
            _told(call, reply, "failed" + _asked_to_wait(reply)),
            retry_after=reply.retry_after,
            status_code=code,
            may_have_started=_started(call, started=code != 503),
        )
    if code in (404, 410) and call.action is Action.STATUS:
        _raise(
            RequestRejectedError, call, reply, "does not know this job: it keeps an export for 24 hours; start it again"
        )
    if 400 <= code < 500:
        # 408 and 499 come from gateways that lost patience with a server that may well have acted.
        _raise(RequestRejectedError, call, reply, "refuses the request", started=code in (408, 499))
    if not 200 <= code < 300:
        _unexpected(
            call, reply, "it answered with a redirect or something else that is not documented; is base_url right?"
        )


def parse_retry_after(text: str | None, now: float) -> float | None:
    """Read a Retry-After header, in either of its two forms.

    Args:
        text: Seconds, or a date.
        now: The present moment, in seconds since 1970 UTC.

    Returns:
        The seconds to wait, or None where there is no readable header.
    """
    if not text:
        return None
    try:
        return min(float(text), _LONGEST) if text.strip().isdecimal() else _until(text, now)
    except (ValueError, OverflowError, TypeError):
        return None


def _until(text: str, now: float) -> float:
    moment = parsedate_to_datetime(text)
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)


def _result(call: Call, reply: Reply) -> object:
    """Unwrap the envelope. Its JSON is often declared as text/plain, so only the body counts."""
    raise_for_status(call, reply)
    try:
        envelope = json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        _unexpected(call, reply, "its answer is empty" if not reply.body.strip() else "its answer is no JSON")
    if not isinstance(envelope, dict) or "result" not in envelope:
        _unexpected(call, reply, "its answer is not in the API's envelope")
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
        _unexpected(call, reply, "its answer holds no job")
    return found


def _started(call: Call, *, started: bool) -> bool | None:
    return started if call.action is Action.CREATE else None


def _told(call: Call, reply: Reply, what: str, *, excerpt: bool = True) -> str:
    body = f"; it sent: {reply.excerpt()}" if excerpt and reply.body.strip() not in (b"", b"{}") else ""
    return f"{call.subject}: the server {what} (HTTP {reply.status_code} to the {call.action.value} call){body}"


def _asked_to_wait(reply: Reply) -> str:
    return "" if reply.retry_after is None else f" and asks to wait {reply.retry_after:.0f} s"


def _raise(
    kind: type[ApiError], call: Call, reply: Reply, what: str, *, started: bool = False, excerpt: bool = True
) -> NoReturn:
    message = _told(call, reply, what, excerpt=excerpt)
    raise kind(message, status_code=reply.status_code, may_have_started=_started(call, started=started))


def _unexpected(call: Call, reply: Reply, what: str) -> NoReturn:
    _raise(UnexpectedReplyError, call, reply, f"answered in a way that is not documented: {what}", started=True)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _cleaned(reply: Reply, value: object) -> str | None:
    if value is None:
        return None
    text = " ".join(reply.redact(str(value)[:_LONGEST_TEXT]).split())
    return text if len(text) <= 2 * EXCERPT else text[: 2 * EXCERPT] + "..."


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
