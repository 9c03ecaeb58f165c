"""Who asks: where the user, the password and the company key come from, and how they stay hidden."""

import hashlib
import os
from collections.abc import Callable

from attrs import field, frozen

from .._checks import needs
from ..errors import ConfigurationError
from .redaction import Redactor

__all__ = ["Credentials", "Secret", "account_id", "find_credentials"]

Secret = str | Callable[[], str]
"""A text, or a function that returns it."""

_VARIABLES = {
    "username": "KHOROS_ANALYTICS_USERNAME",
    "password": "KHOROS_ANALYTICS_PASSWORD",
    "company_key": "KHOROS_ANALYTICS_COMPANY_KEY",
}


@frozen(eq=False)
class Credentials:
    """Who asks. No repr shows what is secret."""

    username: str
    password: str = field(repr=False)
    company_key: str = field(repr=False)

    def redactor(self) -> Redactor:
        """Return a redactor that hides them."""
        return Redactor([self.password, self.company_key, f"{self.username}:{self.password}"])


def find_credentials(
    username: Secret | None, password: Secret | None, company_key: Secret | None, keyring: str | None
) -> Credentials:
    """Find the credentials: an argument beats the environment, and that beats the keyring."""
    given = {"username": username, "password": password, "company_key": company_key}
    found = {name: _find(name, value, keyring) for name, value in given.items()}
    missing = [f"{name} (or the variable {_VARIABLES[name]})" for name, value in found.items() if not value]
    if missing:
        raise ConfigurationError(f"these are missing: {', '.join(missing)}; give them to Client, or set the variables")
    if ":" in found["username"]:
        raise ConfigurationError("username holds a colon, which HTTP Basic cannot carry; is it the user's name alone?")
    return Credentials(**found)


def account_id(origin: str, company_key: str) -> str:
    """Return a short name that tells accounts apart, for quotas, tokens and journals; no key can be read from it."""
    text = f"khoros_analytics account {origin} {company_key}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _find(name: str, given: object, keyring: str | None) -> str:
    value = given() if callable(given) else given
    if given is None:
        value = os.environ.get(_VARIABLES[name]) or (_from_keyring(keyring, name) if keyring else "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be text, not {type(value).__name__}")
    if value.strip("\r\n") != value:
        raise ConfigurationError(f"{name} begins or ends with a line break; it was probably read from a file with it")
    if not _is_utf8(value):
        raise ConfigurationError(f"{name} holds characters that cannot be encoded as UTF-8")
    return value


def _is_utf8(text: str) -> bool:
    # Its caller raises outside of this except block: the UnicodeEncodeError holds the text, which may be secret.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _from_keyring(service: str, name: str) -> str:
    with needs("keyring"):
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError  # noqa: PLC0415
    try:
        return keyring.get_password(service, name) or ""
    except KeyringError as error:
        raise ConfigurationError(f"{name}: the keyring {service!r} cannot be read: {type(error).__name__}") from None
