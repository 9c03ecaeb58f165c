"""Keeps secrets out of every text: messages, excerpts, and what urllib3 writes to its log."""

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .._protocol.urls import STARS
from .._secrecy import Hidden, hidden_text, unfinished
from .spellings import patterns_of

__all__ = ["Redactor", "redact_urllib3_logs"]

_NAMES = (
    r"(?:company[\s_-]?key|(?:analytics)?[\s_-]?access[\s_-]?token|api[\s_-]?key|password|passwd|secret|token"
    r"|signature|credential)"
)
# Not compiled here: most programs import this package more often than they fail, and re keeps what it has compiled.
_PATTERNS = (
    # Every query string goes, whatever it is called: a signed link hides its signature under any name.
    (r"(\bhttps?:\\?/\\?/[^\s\"'<>?]*)\?[^\s\"'<>]*", rf"\1?{STARS}"),
    (r"(\bhttps?:\\?/\\?/)[^\s/\"'<>@]*@", rf"\1{STARS}@"),
    (rf"\b({_NAMES}(?:\W{{0,3}}[=:]|%3D|%3A|\\u003d|&#61;)\W{{0,3}})[^&\s\"'<>,}}]+", rf"\1{STARS}"),
    # S3 quotes in its errors what it was asked with.
    (r"(<(?:[\w-]{0,40}(?:signature|token|credential|secret|accesskey))[\w-]{0,40}>)[^<]+", rf"\1{STARS}"),
    (r"\b((?:Basic|Bearer)(?:\s|%20|\+)+)[A-Za-z0-9+/=._~%-]{6,}", rf"\1{STARS}"),
)
_NOTHING = r"(?!)"
_LOGGED_REQUEST = r'"([A-Z]+) \S+'
_LOGGED_QUERY = r"\?[^\s\"')>]+"


class Redactor:
    """Masks secrets in a text, in each spelling in which they travel."""

    def __init__(self, secrets: Iterable[str | Hidden[str]]) -> None:
        self._secrets = tuple(map(hidden_text, secrets))
        self._pattern: Hidden[re.Pattern[str]] | None = None

    @unfinished
    def __repr__(self) -> str:
        return "<Redactor>"

    def __call__(self, text: str) -> str:
        """Return the text with every secret, signature and token masked."""
        if self._pattern is None:
            self._pattern = _compiled(self._secrets)
        text = self._pattern.reveal().sub(STARS, text)
        for pattern, replacement in _PATTERNS:
            text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
        return text

    def knowing(self, *more: Hidden[str]) -> "Redactor":
        """Return a redactor that hides some more."""
        return Redactor([*self._secrets, *more])

    def holds(self, text: str) -> bool:
        """Return whether a text is one of the secrets, but for letter case and blanks around it."""
        return any(text.strip().casefold() == secret.reveal().strip().casefold() for secret in self._secrets)


def _compiled(secrets: Iterable[Hidden[str]]) -> Hidden[re.Pattern[str]]:
    """Compile all spellings of all secrets, the longest first. Letter case never matters."""
    found = Hidden(sorted({one for secret in secrets if secret.reveal() for one in patterns_of(secret.reveal())}))
    if not found.reveal():
        return Hidden(re.compile(_NOTHING))
    return Hidden(re.compile("|".join(pattern for _, pattern in found.reveal()), re.IGNORECASE))


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
            record.msg, record.args = re.sub(_LOGGED_REQUEST, rf'"\1 {STARS}', record.getMessage()), ()
        if self.request.ours:
            record.msg, record.args = re.sub(_LOGGED_QUERY, f"?{STARS}", record.getMessage()), ()
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
