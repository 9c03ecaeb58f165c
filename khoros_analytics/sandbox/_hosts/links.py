"""Signed links: good by themselves, for a time."""

import hashlib
import hmac
import secrets
from urllib.parse import urlencode

from .._options import Options
from .exports import Job

__all__ = ["Links", "Origins"]


class Origins:
    """Where the two hosts can be reached, known once they listen.

    Attributes:
        api: The API's origin, such as ``http://127.0.0.1:40123``.
        files: The file host's.
    """

    def __init__(self) -> None:
        self.api = ""
        self.files = ""


class Links:
    """Signs links, and judges them.

    Args:
        options: The sandbox's options.
        origins: Where the file host can be reached.
    """

    def __init__(self, options: Options, origins: Origins) -> None:
        self._options = options
        self._origins = origins
        self._secret = secrets.token_bytes(16)

    def sign(self, job: Job, now: float, *, expired: bool = False) -> str:
        """Return a link to a completed export's file."""
        end = now - 1 if expired else min(now + self._options.link_seconds, self._end(job))
        path = f"/exports/{job.export.workflow_id}/{job.export.report}.{job.export.spec.format}"
        query = urlencode({"Expires": f"{end:.6f}", "Signature": self._signature(path, f"{end:.6f}")})
        return f"{self._origins.files}{path}?{query}"

    def good(self, path: str, expires: str, signature: str, now: float) -> bool:
        """Return whether a link is signed and not too old."""
        signed = hmac.compare_digest(self._signature(path, expires).encode(), signature.encode())
        return signed and now < float(expires)  # what is signed is a number

    def gone(self, job: Job, now: float) -> bool:
        """Return whether a completed export is too old to be fetched."""
        return now >= self._end(job)

    def _end(self, job: Job) -> float:
        return (job.closed_at or 0.0) + self._options.export_seconds

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}?{expires}".encode(), hashlib.sha256).hexdigest()
