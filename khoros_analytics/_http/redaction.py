"""Keeps secrets out of every text: messages, excerpts, and what urllib3 writes to its log."""

import base64
import html
import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

__all__ = ["Redactor", "redact_urllib3_logs"]

_MASK = "***"
_MIN_LENGTH_IN_WORDS = 4  # many words contain a shorter secret by chance: it counts only where it stands alone
# Not compiled here: most programs import this package more often than they fail, and re keeps what it has compiled.
_PATTERNS = (
    # Every query string goes, whatever it is called: a signed link hides its signature under any name.
    (r"(\bhttps?:\\?/\\?/[^\s\"'<>?]{0,2048})\?[^\s\"'<>]*", rf"\1?{_MASK}"),
    (r"(\bhttps?://)[^\s/\"'<>@]{0,1024}@", rf"\1{_MASK}@"),
    (
        r"\b((?:companyKey|analyticsAccessToken|password|token)\W{0,3}[=:]\W{0,3})[^&\s\"'<>,}]+",
        rf"\1{_MASK}",
    ),
    (r"\b((?:Basic|Bearer)\s+)[A-Za-z0-9+/=._~-]{6,}", rf"\1{_MASK}"),
)
_LOGGED_REQUEST = r'"([A-Z]+) \S+'
_LOGGED_QUERY = r"\?[^\s\"')>]+"


class Redactor:
    """Masks secrets in a text, in each spelling in which they travel."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secrets: re.Pattern[str] | None = None
        if longest_first:
            # In any letter case: percent-encoding may have capital letters or small ones.
            self._secrets = re.compile("|".join(map(_pattern, longest_first)), re.IGNORECASE)

    def __repr__(self) -> str:
        return "<Redactor>"

    def __call__(self, text: str) -> str:
        """Return the text with every secret, signature and token masked."""
        if self._secrets:
            text = self._secrets.sub(_MASK, text)
        for pattern, replacement in _PATTERNS:
            text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
        return text


def _spellings(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw))
    yield from (html.escape(secret), html.escape(secret, quote=False))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()


def _pattern(secret: str) -> str:
    literal = re.escape(secret)
    return literal if len(secret) >= _MIN_LENGTH_IN_WORDS else rf"(?<!\w){literal}(?!\w)"


class _RequestInThread(threading.local):
    """Whether this thread sends a request of this library's, and whether to another host than the API."""

    ours = False
    to_file_host = False


class _UrlFilter(logging.Filter):
    """Masks the URLs in what urllib3 logs while a request of this library's is under way in the same thread."""

    def __init__(self) -> None:
        super().__init__()
        self.request = _RequestInThread()

    def filter(self, record: logging.LogRecord) -> bool:
        if self.request.to_file_host:
            # A link may be signed in its path as well.
            record.msg, record.args = re.sub(_LOGGED_REQUEST, rf'"\1 {_MASK}', record.getMessage()), ()
        if self.request.ours:
            record.msg, record.args = re.sub(_LOGGED_QUERY, f"?{_MASK}", record.getMessage()), ()
        return True


_FILTER = _UrlFilter()
_URLLIB3_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry")


@contextmanager
def redact_urllib3_logs(*, is_api: bool = True) -> Iterator[None]:
    """Mask the secrets in what urllib3 logs of the block's URLs; what other code requests is logged as ever."""
    for name in _URLLIB3_LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
    request = _FILTER.request
    outer = request.ours, request.to_file_host
    request.ours, request.to_file_host = True, request.to_file_host or not is_api
    try:
        yield
    finally:
        request.ours, request.to_file_host = outer
