"""The API's host: Basic, the company key, the quota, and every documented path.

Content types are those of the vendor's OpenAPI file, for the answers that it describes: ``application/json`` for the
look-ups, a status, the list of jobs and some creations, ``text/plain`` for the other creations. What it leaves open is
the sandbox's choice: refusals other than 400 are ``text/plain``, and GET for a report without a documented GET is
answered like its POST. ``/reports/jobs`` needs no company key, since the file lists no parameter, but refuses a wrong
one; it also lists jobs that have failed, in the shape of those that have finished, without a link.
"""

import base64
import binascii
import hmac
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from werkzeug.wrappers import Request

from ...reports import API_PREFIX, REPORTS, Report
from .._data.lookups import TEAMS, TIMEZONES
from .._fault_queue import Phase
from .._faults import JobState
from .._wire.answers import JSON, PLAIN, Answer, bad_request, envelope, refusal
from .checks import collect, find_problem, too_many_buckets
from .exports import Export, Job
from .host import Call, Host, World, not_allowed

__all__ = ["Api"]

_MINUTE = 60.0
_TOLERANCE = 0.001  # two clocks' floats, subtracted, may miss a full minute by a little
_BY_PATH: Mapping[str, Report] = {API_PREFIX + report.path: report for report in REPORTS.values()}
_DONE = ("CLOSED", "COMPLETED")
_BODY = 1 << 20  # bytes: more than any list of ids needs
_JSON_CREATIONS = {("author", "POST"), ("conversation_actions", "GET"), ("user", "GET"), ("user", "POST")}
_BAD = 400
_PROGRESS = {"currentCount": None, "totalCount": None, "lastAcknowledgeTime": None}
_TOO_MANY = (
    "Unable to hydrate filter for export info: com.lithium.socialweb.analytics.webapp.models.filter."
    "HydrationException: Too many buckets ({}) requested. Select a larger interval?"
)


class Api(Host):
    """Speaks the API.

    Args:
        world: What both hosts share.
    """

    name = "api"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lock = threading.Lock()
        self._admitted: list[float] = []

    def phase(self, path: str) -> Phase | None:
        """Return the kind of a call by its path."""
        match _segments(path):
            case ["teams"]:
                return "teams"
            case ["config", "timezones"]:
                return "timezones"
            case ["reports", "report", _, _, "status"] | ["report", "reports", _, _, "status"]:
                return "status"
            case ["reports", "report", _, _, "download"]:
                return "download"
            case ["reports", "report", _] | ["reports", "report", "marketing", _]:
                return "create"
        return None

    def body_limit(self, request: Request) -> int:
        """Return how many bytes of a body are looked at: more for those who have signed in."""
        return _BODY if self._signed_in(request) else super().body_limit(request)

    def refusal(self, call: Call) -> Answer | None:
        """Return 429 when the quota is used up. What the API itself answers then is not documented."""
        limit, now = self.options.requests_per_minute, call.record.time
        if limit is None:
            return None
        with self._lock:
            # Threads may come here in another order than that of their times.
            self._admitted = [then for then in self._admitted if now - then < _MINUTE - _TOLERANCE]
            if len(self._admitted) < limit:
                self._admitted.append(now)
                return None
            wait = min(self._admitted) + _MINUTE - now
        answer = refusal(429, f"More than {limit} requests in a minute")
        return answer.adding(("Retry-After", str(int(wait) + 1))) if self.options.retry_after else answer

    def act(self, call: Call) -> Answer:
        """Answer a call that carries the right credentials."""
        if not self._signed_in(call.request):
            challenge = ("WWW-Authenticate", 'Basic realm="Khoros Care Analytics (sandbox)", charset="UTF-8"')
            return refusal(401, "Wrong or missing user name and password").adding(challenge)
        actions: Mapping[Phase | None, Callable[[Call], Answer]] = {
            "create": self._create,
            "status": self._status,
            "download": self._download,
            "teams": lambda call: self._look_up(call, TEAMS),
            "timezones": lambda call: self._look_up(call, TIMEZONES),
        }
        action = actions.get(call.record.phase)
        if _segments(call.record.path) == ["reports", "jobs"]:
            action = self._jobs
        return refusal(404, "The API has no such path") if action is None else action(call)

    def _signed_in(self, request: Request) -> bool:
        """Return whether a request carries the right user and password."""
        user, _, password = _basic(request.headers.get("Authorization", "")).partition(b":")
        # Both are compared, so that the time tells nothing about either.
        right = [_same(user, self.options.username), _same(password, self.options.password)]
        return all(right)

    def _key_refused(self, call: Call) -> Answer | None:
        """Return the answer to a missing or wrong company key, or None.

        The API does not say how it refuses a wrong one; the sandbox answers 403.
        """
        key = call.value("companyKey")
        if not key:
            return bad_request("companyKey is required")
        return None if _same(key.encode(), self.options.company_key) else refusal(403, "Unknown company key")

    def _look_up(self, call: Call, rows: tuple[dict[str, Any], ...]) -> Answer:
        if call.record.method != "GET":
            return not_allowed("GET")
        return self._key_refused(call) or envelope(rows)

    def _create(self, call: Call) -> Answer:
        report = _BY_PATH.get(call.record.path)
        if report is None:
            return refusal(404, "Unknown report")
        places = {report.verb: report.sends, **report.other_verbs}
        if not self.options.strict:
            # The development kit's first example and a program in production start reports by GET (docs).
            places.setdefault("GET", "query")
        if call.record.method not in places:
            return not_allowed(*places)
        return self._key_refused(call) or self._start(report, places[call.record.method], call)

    def _start(self, report: Report, place: str, call: Call) -> Answer:
        if call.problem is not None and call.problem.status != _BAD:
            return refusal(call.problem.status, call.problem.reason)
        if call.problem is not None:
            return bad_request(call.problem.reason)
        kind = _creation_type(report, call.record.method)
        arguments = collect(report, place, call.record.query, call.record.form)
        wrong = find_problem(report, arguments, strict=self.options.strict)
        if wrong is not None:
            return bad_request(wrong)
        buckets = too_many_buckets(report, arguments)
        if buckets is not None:
            # The vendor shows the text alone; that the status is 200 and the envelope says FAIL is an assumption.
            return refusal(200, _TOO_MANY.format(buckets), kind)
        return envelope(self._created(self.world.exports.start(report, arguments, call.fate).export), kind=kind)

    def _created(self, export: Export) -> dict[str, str]:
        """Return the result of a creation."""
        ids = {"workflowId": export.workflow_id, "runId": export.run_id}
        if self.options.creation == "ids":
            return ids
        secret = self._key_in_urls()
        link = self._url(export, "download", secret) if self.options.creation == "download" else ""
        return {**ids, "downloadUrl": link, "statusUrl": self._url(export, "status", secret)}

    def _key_in_urls(self) -> str:
        return f"companyKey={quote(self.options.company_key, safe='')}"

    def _url(self, export: Export, action: str, secret: str) -> str:
        origin = self.options.url_origin or self.world.origins.api
        path = f"{API_PREFIX}/reports/report/{export.workflow_id}/{quote(export.run_id, safe='')}/{action}"
        return f"{origin}{path}?{secret}"

    def _job(self, call: Call) -> Job | Answer:
        """Return the job that a status or download URL names, or the answer to one that may not be asked for."""
        if call.record.method != "GET":
            return not_allowed("GET")
        *_, workflow_id, run_id, _action = _segments(call.record.path)
        job = self.world.exports.find(workflow_id, run_id)
        token = call.value("analyticsAccessToken")
        if token is None or call.value("companyKey") is not None:
            refused = self._key_refused(call)
            if refused is not None:
                return refused
        if job is None:
            return refusal(404, "Unknown workflowId or runId")
        if token is not None and not _same(token.encode(), job.export.token):
            return refusal(403, "Wrong analyticsAccessToken")
        return job

    def _status(self, call: Call) -> Answer:
        job = self._job(call)
        if isinstance(job, Answer):
            return job
        stage = job.poll(self.now, call.fate)
        said = call.fate if isinstance(call.fate, JobState) else None
        ready = stage == "completed" and (said is None or (said.runner_state, said.detail) == _DONE)
        secret = f"analyticsAccessToken={quote(job.export.token, safe='')}"
        shown = {
            "jobInfo": {
                "workflowId": job.export.workflow_id,
                "runId": job.export.run_id,
                "downloadUrl": self._url(job.export, "download", secret) if ready and job.offer_link() else "",
                "statusUrl": self._url(job.export, "status", secret),
            },
            "result": _progress(stage, job.reason, said),
        }
        listed = stage == "failed" or (not ready and self.options.running == "list")
        return envelope([shown] if listed else shown)

    def _jobs(self, call: Call) -> Answer:
        """List all jobs as the vendor's file shows it: less than a status says, and ``details`` for ``detail``."""
        if call.record.method != "GET":
            return not_allowed("GET")
        refused = None if call.value("companyKey") is None else self._key_refused(call)
        return refused or envelope([self._listed(job) for job in self.world.exports.jobs()])

    def _listed(self, job: Job) -> dict[str, Any]:
        """Return a job as it stands in the list of all."""
        stage = job.stage(self.now)
        shown = {"workflowId": job.export.workflow_id, "runId": job.export.run_id}
        if stage == "completed":
            shown["downloadUrl"] = self._url(job.export, "download", self._key_in_urls())
        state = "RUNNING" if stage == "running" else "CLOSED"
        return {"jobInfo": shown, "result": {"runnerState": state, "reason": None, "details": None, **_PROGRESS}}

    def _download(self, call: Call) -> Answer:
        job = self._job(call)
        if isinstance(job, Answer):
            return job
        now = self.now
        if job.stage(now) != "completed":
            return refusal(404, "This export has no file")
        if self.world.links.gone(job, now):
            return refusal(410, "This export is too old: it must be exported again")
        return Answer(302, (("Location", self.world.links.sign(job, now, expired=call.fate is not None)),))


def _progress(stage: str, reason: str | None, said: JobState | None) -> dict[str, Any]:
    """Return the part of a status answer that tells how far the job is."""
    truth = {"running": ("RUNNING", ""), "completed": _DONE, "failed": ("CLOSED", "FAILED")}
    state, detail = truth[stage] if said is None else (said.runner_state, said.detail)
    return {
        "runnerState": state,
        "reason": reason if said is None else said.reason,
        "detail": detail,
        **_PROGRESS,
        **(said.extra if said is not None else {}),
    }


def _segments(path: str) -> list[str]:
    """Return the parts of a path below the API's prefix, each decoded: an encoded slash separates nothing."""
    head, found, rest = path.partition(API_PREFIX + "/")
    return [unquote(part) for part in rest.split("/")] if found and not head else []


def _creation_type(report: Report, verb: str) -> str:
    """Return the content type of a creation's answer."""
    documented = verb if verb == report.verb or verb in report.other_verbs else report.verb
    return JSON if (report.name, documented) in _JSON_CREATIONS else PLAIN


def _basic(header: str) -> bytes:
    """Return what stands in a Basic header: user, colon and password, or nothing."""
    scheme, _, encoded = header.partition(" ")
    try:
        return base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return b""


def _same(given: bytes, right: str) -> bool:
    """Return whether two secrets are equal, in a time that tells nothing."""
    return hmac.compare_digest(given, right.encode())
