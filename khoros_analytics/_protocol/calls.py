"""What each call about an export sends, and where to."""

from collections.abc import Mapping
from contextlib import suppress

from ..errors import UntrustedUrlError
from .arguments import ExportRequest
from .encoding import Pairs
from .messages import Call, Created, Phase
from .urls import BaseUrl, Target

__all__ = ["create_call", "download_call", "status_call"]


def create_call(base: BaseUrl, request: ExportRequest) -> Call:
    """Return the call that starts an export."""
    report = request.report
    pairs = request.pairs
    query: Pairs = pairs
    form: Pairs | None = None
    if report.sends == "body":
        always_in_query = {row.wire for row in report.parameters if row.in_query}
        query = tuple(pair for pair in pairs if pair[0] in always_in_query)
        form = tuple(pair for pair in pairs if pair[0] not in always_in_query)
    return Call(
        phase=Phase.CREATE,
        subject=request.subject,
        method=report.verb,
        target=Target(base.api(*report.path.strip("/").split("/")), is_api=True),
        query=query,
        form=form,
        needs_key=True,
    )


def status_call(base: BaseUrl, subject: str, created: Created) -> Call:
    """Return the call for a job's status: at the URL that the server gave, or by the ids where that is unusable."""
    with suppress(UntrustedUrlError):
        if created.status_url:
            return Call(Phase.STATUS, subject, "GET", base.target(created.status_url))
    url = base.api("reports", "report", created.workflow_id, created.run_id, "status")
    return Call(Phase.STATUS, subject, "GET", Target(url, is_api=True), needs_key=True)


def download_call(base: BaseUrl, subject: str, url: str, headers: Mapping[str, str]) -> Call:
    """Return the call that fetches a file; an UntrustedUrlError for a link that must not be followed."""
    try:
        target = base.target(url)
    except UntrustedUrlError as error:
        raise UntrustedUrlError(f"{subject}: {error}") from None
    return Call(Phase.DOWNLOAD, subject, "GET", target, headers=headers)
