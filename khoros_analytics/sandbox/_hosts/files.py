"""The file host: a second origin that serves finished exports by signed links, and wants no credentials.

The API does not say where a download redirects to. The sandbox plays object storage: a link is good by itself, for a
time, and a request that also carries credentials is refused. So are the content types: the vendor's file has none but
the API's own.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from attrs import evolve
from werkzeug.datastructures import Range
from werkzeug.http import http_date
from werkzeug.wrappers import Request

from .._fault_queue import Phase
from .._wire.answers import Answer, text
from .exports import Job
from .host import Call, Host, not_allowed

__all__ = ["Files"]

_RANGE = 200  # letters of a Range header; several ranges are not understood anyway
_TYPES = {"csv": "text/csv;charset=UTF-8", "json": "application/json"}


class Files(Host):
    """Serves the files."""

    name = "file"

    def phase(self, path: str) -> Phase | None:  # noqa: ARG002 - this host has one kind of call
        """Return ``file``, whatever the path."""
        return "file"

    def act(self, call: Call) -> Answer:
        """Send a file, or the part of it that was asked for."""
        if call.record.method != "GET":
            return not_allowed("GET")
        if _has_credentials(call):
            return _error(400, "InvalidArgument", "Only one way of authorization is allowed: the link is signed")
        job = self._signed_for(call)
        return _error(403, "AccessDenied", "Request has expired") if job is None else self._file(call, job)

    def _signed_for(self, call: Call) -> Job | None:
        """Return the job whose file a link is good for."""
        path, expires, signature = call.record.path, call.value("Expires"), call.value("Signature")
        if call.fate is not None or expires is None or signature is None:
            return None
        if not self.world.links.good(path, expires, signature, self.now):
            return None
        return self.world.exports.find(unquote(path).split("/")[2])

    def _file(self, call: Call, job: Job) -> Answer:
        """Return the answer with a file or a part of it."""
        export = job.export
        body = export.packed if self.options.gzip else export.body
        tags = (body.etag, http_date(job.closed_at))
        answer = Answer(200, tuple(self._headers(job, tags)), body, framing=self.options.framing)
        return self._part(call, answer, tags) if self.options.ranges else answer

    def _headers(self, job: Job, tags: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """Yield what describes a file."""
        spec = job.export.spec
        yield "Content-Type", _TYPES[spec.format]
        yield "Content-Disposition", f'attachment; filename="{spec.report}.{spec.format}"'
        if self.options.gzip:
            yield "Content-Encoding", "gzip"
        if self.options.ranges:
            yield "Accept-Ranges", "bytes"
        if self.options.validators:
            yield "ETag", tags[0]
            yield "Last-Modified", tags[1]

    def _part(self, call: Call, answer: Answer, tags: tuple[str, str]) -> Answer:
        """Return the part of a file that a request asks for, or all of it when the file is another one by now."""
        wanted, length = _range(call.request), answer.body.length
        if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
            return answer
        condition = call.record.header("If-Range")
        if condition is not None and not (self.options.validators and condition in tags):
            return answer
        span = wanted.range_for_length(length)
        if span is None:
            return _error(416, "InvalidRange", "There is no such range").adding(("Content-Range", f"bytes */{length}"))
        start, stop = span
        part = evolve(answer, status=206, start=start, stop=stop)
        return part.adding(("Content-Range", f"bytes {start}-{stop - 1}/{length}"))


def _range(request: Request) -> Range | None:
    """Return the range that a request asks for; one that nobody can read is none."""
    try:
        return request.range if len(request.headers.get("Range", "")) <= _RANGE else None
    except ValueError:
        return None


def _has_credentials(call: Call) -> bool:
    """Return whether a request carries what belongs to the API alone."""
    secret = {"companyKey", "analyticsAccessToken"}
    names = {name for name, _ in (*call.record.query, *call.record.form)}
    return call.record.has_authorization or call.record.header("Cookie") is not None or bool(secret & names)


def _error(status: int, code: str, message: str) -> Answer:
    """Return an error as object storage writes it."""
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return text(status, content, "application/xml")
