"""Which URL may be asked, and whether it may see the credentials."""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit

from attrs import field, frozen

from .._secrecy import Hidden, hidden_text
from ..errors import ConfigurationError, UntrustedUrlError
from ..reports import API_PREFIX

__all__ = ["STARS", "BaseUrl", "Target"]

STARS = "***"
"""What stands where a secret would."""

_MIN_SECRET = 8
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Parsers disagree on backslashes, white space and control characters, and an attacker lives in the gap between them.
_UNREADABLE = r"[\\\s\x00-\x1f\x7f]"
_NAME = r"(?=.{1,253}\Z)(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?"
_DOTS = r"(?i)(?:^|/)(?:\.|%2e){1,2}(?:/|$)"


@frozen
class Target:
    """Where one request goes, and whether that is the API itself, which may see the credentials."""

    _url: Hidden[str] = field(alias="url", converter=hidden_text, eq=Hidden.reveal, repr=False)
    is_api: bool

    @property
    def url(self) -> str:
        """The whole URL, secrets and all."""
        return self._url.reveal()

    @property
    def starred(self) -> str:
        """The URL as it may be shown: the API's without its query, any other without its path, which may be signed."""
        parts = urlsplit(self.url)
        path = parts.path if self.is_api else f"/{STARS}"
        query = f"?{STARS}" if parts.query and self.is_api else ""
        return f"{parts.scheme}://{parts.netloc}{path}{query}"

    def secrets(self) -> Iterator[Hidden[str]]:
        """Yield what of a link opens the file: its whole path, and each value of its query that is no plain word."""
        parts = urlsplit(self.url)
        yield Hidden(self.path)
        yield from (Hidden(text) for text in (parts.path, parts.query) if len(text) >= _MIN_SECRET)
        yield from (Hidden(value) for _, value in parse_qsl(parts.query) if len(value) >= _MIN_SECRET)

    @property
    def path(self) -> str:
        """Path and query as they came, for the request line: a signature may be over this very text."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@frozen
class BaseUrl:
    """The API's own origin, without its scheme's default port, and the folder in which the API may live there."""

    origin: str
    folder: str = ""

    @classmethod
    def parse(cls, text: str) -> "BaseUrl":
        """Read a base URL, which may end with the API's path; a ConfigurationError for what cannot be one.

        Plain http is for this machine only, since the password travels with every call.
        """
        parts = _split(text)
        if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
            raise ConfigurationError(
                "base_url (or the variable KHOROS_ANALYTICS_URL) must be the API's address and nothing else, such as "
                "'https://analytics-api.app.lithium.com': with https://, and no blank, user, query or fragment"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise ConfigurationError(
                f"base_url (or the variable KHOROS_ANALYTICS_URL) must start with https://, since the password travels "
                f"with every call; {_origin(parts)} does not (plain http is for this machine alone, such as http://127.0.0.1:8000)"
            )
        return cls(_origin(parts), parts.path.rstrip("/").removesuffix(API_PREFIX))

    def __str__(self) -> str:
        return self.origin + self.folder

    def api(self, *segments: str) -> str:
        """Return the URL of a path of the API; each segment is percent-encoded whole, slashes included."""
        return self.origin + self.folder + API_PREFIX + "".join(f"/{quote(segment, safe='')}" for segment in segments)

    def target(self, url: str) -> Target:
        """Decide on a status or download URL of the API; an UntrustedUrlError for one that must not be followed.

        One whose path is the API's is asked at the base URL, whatever host it names. Anything else is asked as it is,
        without credentials.
        """
        absolute = _joined(self.origin, url) if url.startswith("/") else url
        parts = _split(absolute)
        # A server behind a proxy that speaks TLS for it may call itself http: it is asked at home all the same.
        rest = (
            self._api_path(parts.path) if parts and parts.scheme in _DEFAULT_PORTS and "@" not in parts.netloc else None
        )
        if parts is None or rest is None:
            return Target(self._safe(absolute).geturl(), is_api=False)
        query = f"?{parts.query}" if parts.query else ""
        return Target(f"{self.origin}{self.folder}{rest}{query}", is_api=True)

    def redirect(self, current: str, location: str) -> Target:
        """Decide on a redirect; only one that stays at the base URL's origin keeps the credentials.

        A file host that leads back to the API is not followed: two reports are started by GET.
        """
        parts = self._safe(_joined(current, _encoded(location)))
        if _origin(parts) == self.origin and self._api_path(parts.path):
            start = _split(current)
            if start is None or _origin(start) != self.origin:
                raise UntrustedUrlError("another host redirects back to the API; it was not followed")
            return self.target(parts.geturl())
        return Target(parts.geturl(), is_api=False)

    def _api_path(self, path: str) -> str | None:
        """Return a path of the API from its prefix on, or None for any other."""
        for start in dict.fromkeys((self.folder, "")):
            if path.startswith(f"{start}{API_PREFIX}/") and not re.search(_DOTS, path):
                return path[len(start) :]
        return None

    def _safe(self, url: str) -> SplitResult:
        parts = _split(url)
        if parts is None:
            raise UntrustedUrlError("the server named a URL that cannot be read; it was not followed")
        allowed = {"https", self.origin.partition(":")[0]}
        if parts.scheme not in allowed:
            raise UntrustedUrlError(f"the server named a URL of {parts.scheme or 'no scheme'}; only https is followed")
        if "@" in parts.netloc:
            raise UntrustedUrlError("the server named a URL with a user in it; it was not followed")
        return parts


def _encoded(location: str) -> str:
    """Percent-encode blanks and letters, as browsers do; headers come as Latin-1, whatever their bytes mean."""
    text = location.strip(" ")
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" if byte == 0x20 or byte >= 0x80 else chr(byte) for byte in raw)


def _joined(current: str, location: str) -> str:
    try:
        return urljoin(current, location)
    except ValueError:
        return ""


def _split(url: object) -> SplitResult | None:
    """Split a URL, or return None where it has no host or two parsers could read it differently."""
    if not isinstance(url, str) or re.search(_UNREADABLE, url) or not url.isascii():
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if host and _is_host(parts, host) and parts.scheme and port != 0 else None


def _is_host(parts: SplitResult, host: str) -> bool:
    """Return whether it is a name as DNS has them, or an address; libraries trip over anything else."""
    if "[" not in parts.netloc:
        return bool(re.fullmatch(_NAME, host))
    try:
        return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _DEFAULT_PORTS.get(parts.scheme) else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
