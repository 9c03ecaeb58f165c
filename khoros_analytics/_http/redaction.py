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

__all__ = ["Redactor", "quiet_urllib3"]

_STARS = "***"
_SHORT = 4
# Not compiled here: most programs import this package more often than they fail, and re keeps what it has compiled.
_PATTERNS = (
    # Every query string goes, whatever it is called: a signed link hides its signature under any name.
    (r"(\bhttps?:\\?/\\?/[^\s\"'<>?]{0,2048})\?[^\s\"'<>]*", rf"\1?{_STARS}"),
    (r"(\bhttps?://)[^\s/\"'<>@]{0,1024}@", rf"\1{_STARS}@"),
    (
        r"\b((?:companyKey|analyticsAccessToken|password|token)\W{0,3}[=:]\W{0,3})[^&\s\"'<>,}]+",
        rf"\1{_STARS}",
    ),
    (r"\b((?:Basic|Bearer)\s+)[A-Za-z0-9+/=._~-]{6,}", rf"\1{_STARS}"),
)
_REQUEST = r'"([A-Z]+) \S+'
_QUERY = r"\?[^\s\"')>]+"


class Redactor:
    """Replaces secrets in a text, in each spelling in which they travel.

    Args:
        secrets: The texts to hide.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secrets: re.Pattern[str] | None = None
        if longest_first:
            # In any letter case, since percent-encoding may be written in capitals or not.
            self._secrets = re.compile("|".join(map(_pattern, longest_first)), re.IGNORECASE)

    def __repr__(self) -> str:
        return "<Redactor>"

    def __call__(self, text: str) -> str:
        """Return the text with stars in the place of every secret, signature and token."""
        if self._secrets:
            text = self._secrets.sub(_STARS, text)
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
    # One or two letters stand in half of all words: a secret so short counts only where it stands alone.
    return re.escape(secret) if len(secret) >= _SHORT else rf"(?<!\w){re.escape(secret)}(?!\w)"


class _QueryFilter(logging.Filter):
    """Cuts the query strings out of what urllib3 logs while a request of ours is under way in the same thread."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(self.sending, "away", False):
            # A link may be signed in its path as well.
            record.msg, record.args = re.sub(_REQUEST, rf'"\1 {_STARS}', record.getMessage()), ()
        if getattr(self.sending, "depth", 0):
            record.msg, record.args = re.sub(_QUERY, f"?{_STARS}", record.getMessage()), ()
        return True


_FILTER = _QueryFilter()
_URLLIB3_LOGS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry")


@contextmanager
def quiet_urllib3(*, is_api: bool = True) -> Iterator[None]:
    """Keep the secrets of the URLs that the block asks for out of urllib3's log. What others send is logged as ever."""
    for name in _URLLIB3_LOGS:
        logging.getLogger(name).addFilter(_FILTER)
    sending = _FILTER.sending
    sending.depth = getattr(sending, "depth", 0) + 1
    sending.away = not is_api
    try:
        yield
    finally:
        sending.depth -= 1
        sending.away = False
