"""A job whose file somebody else fetches: by its signed link alone, without credentials."""

from secrets import token_hex

from .._clock import Clock, Deadline
from .._http.credentials import Credentials
from .._http.quota import quota_for
from .._http.transport import Transport
from .._journal.token import read_token
from .._protocol.calls import download_call
from .._protocol.messages import Status, Verdict
from .._protocol.urls import BaseUrl
from .._secrecy import Hidden
from ..errors import IncompleteDownloadError
from .remote import Account, RemoteJob

__all__ = ["job_behind", "link_of"]

_TIMEOUT = (10.0, 60.0)
_REQUEST_DEADLINE = 300.0
_RETRIES = 0  # whoever sent the link gets another one


def link_of(remote: RemoteJob, deadline: Deadline) -> str | None:
    """Return the signed link of a ready job, for one request of the quota; None where the API itself sends the file."""
    transport = remote.transport
    call = download_call(transport.base, remote.subject, remote.status.download_url, {})
    return transport.leads_to(call, deadline, remote.history)


def job_behind(link: str, token: str, account: str, base: str) -> RemoteJob:
    """Return a job that can be fetched by its link, and by nothing else."""
    clock, home = Clock(), BaseUrl.parse(base)
    nobody = Credentials("nobody", Hidden(token_hex()), Hidden(token_hex()))
    transport = Transport(
        home,
        nobody,
        clock=clock,
        share=quota_for("links", clock, 1),
        timeout=_TIMEOUT,
        request_deadline=_REQUEST_DEADLINE,
        retries=_RETRIES,
    )
    remote = _LinkedJob(Account(transport, account), read_token(token, account))
    remote.status = Status("CLOSED", "COMPLETED", download_url=link)
    return remote


class _LinkedJob(RemoteJob):
    """A job of which nothing can be asked: there are no credentials for that."""

    def poll(self, deadline: Deadline | None, *, retries: int | None = None) -> Verdict:  # noqa: ARG002 - as its base
        """Say that a new link is needed."""
        raise IncompleteDownloadError(f"{self.subject}: its link is refused, a new one is needed")
