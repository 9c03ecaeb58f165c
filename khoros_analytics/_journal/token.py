"""A job as one line of text, without secrets: what another process needs to find it again."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from attrs import field, frozen

from .._protocol.arguments import ExportRequest, find_report, from_json, to_json
from .._protocol.messages import Created
from ..errors import ParameterError
from ..times import from_epoch_ms, make_window, parse_zone

__all__ = ["JobIdentity", "read_token", "write_token"]

_PREFIX = "khoros2."
_ANY_PREFIX = "khoros"
_UTC = ZoneInfo("UTC")


def _to_milliseconds(seconds: float) -> float:
    return round(seconds, 3)


@frozen
class JobIdentity:
    """What a token holds.

    Attributes:
        request: What was asked for.
        created: The ids that the server gave. The status URL is left behind: it carries the company key.
        started: When the export was started, in seconds since 1970 UTC, to the millisecond: the same number in
            memory, in the journal and in a token, so that a job has one token wherever it is written down.
    """

    request: ExportRequest
    created: Created
    started: float = field(converter=_to_milliseconds)


def write_token(job: JobIdentity, account: str) -> str:
    """Write a job down."""
    window = job.request.window
    parts = [
        account,
        job.request.report.name,
        job.created.workflow_id,
        job.created.run_id,
        job.started,
        [window.start_ms, window.end_ms, window.zone],
        to_json(job.request.arguments),
    ]
    text = json.dumps(parts, separators=(",", ":")).encode()
    body = base64.urlsafe_b64encode(text).decode().rstrip("=")
    return f"{_PREFIX}{body}.{binascii.crc32(text):08x}"


def read_token(token: str, account: str) -> JobIdentity:
    """Read a job of this account back; a ParameterError says what is wrong with the token."""
    if not isinstance(token, str) or not token.strip().startswith(_ANY_PREFIX):
        raise ParameterError("this is not a job token; give the text that job.token returned")
    body = token.strip()
    if not body.startswith(_PREFIX):
        raise ParameterError(
            f"this job token begins with {body.partition('.')[0][:16]!r}, but this version of the library reads "
            f"{_PREFIX!r}; use the version that wrote it"
        )
    try:
        owner, report, workflow_id, run_id, started, window, arguments = _unpack(body.removeprefix(_PREFIX))
        created = Created(_id(workflow_id), _id(run_id))
        start_ms, end_ms, zone = _moment(window[0]), _moment(window[1]), _text(window[2])
        since = datetime.fromtimestamp(started, UTC).timestamp()
    except (ValueError, TypeError, LookupError, OverflowError, OSError, RecursionError):
        raise ParameterError("this job token is damaged; was it copied whole?") from None
    if owner != account:
        raise ParameterError(
            "this job token belongs to another company or another server; use a client with that company's key and URL"
        )
    try:
        span = make_window(start_ms, end_ms, parse_zone(zone))
    except ValueError as error:
        raise ParameterError(f"this job token cannot be used: {error}") from None
    return JobIdentity(from_json(find_report(report), span, arguments), created, since)


def _moment(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    from_epoch_ms(value, _UTC)
    return value


def _id(value: object) -> str:
    if value == "":
        raise ValueError("an empty id")
    return _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _unpack(body: str) -> Any:
    text, _, checksum = body.partition(".")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if f"{binascii.crc32(raw):08x}" != checksum:
        raise ValueError("the checksum is another one")
    parts = json.loads(raw)
    if not isinstance(parts, list):
        raise TypeError("not a list")
    return parts
