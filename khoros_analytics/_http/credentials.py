"""Who asks: where the user, the password and the company key come from, and how they stay hidden."""

import hashlib
import os
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from .._checks import needs
from .._secrecy import Hidden, hidden_text
from ..errors import ConfigurationError
from .redaction import Redactor

__all__ = [
    "CREDENTIALS",
    "Credentials",
    "Found",
    "Secret",
    "account_id",
    "find_credentials",
    "keep_in_keyring",
    "look_up",
]

Secret = str | Callable[[], str]
"""A text, or a function that returns it."""

_VARIABLES = {
    "username": "KHOROS_ANALYTICS_USERNAME",
    "password": "KHOROS_ANALYTICS_PASSWORD",
    "company_key": "KHOROS_ANALYTICS_COMPANY_KEY",
}
CREDENTIALS = tuple(_VARIABLES)
"""The names of what it takes to ask."""


@frozen(eq=False)
class Found:
    """One credential, and where it came from; an empty text from nowhere."""

    value: Hidden[str]
    source: str = ""


@frozen(eq=False)
class Credentials:
    """Who asks."""

    username: str
    password: Hidden[str]
    company_key: Hidden[str]

    def redactor(self) -> Redactor:
        """Return a redactor that hides them."""
        return Redactor([self.password, self.company_key, Hidden(f"{self.username}:{self.password.reveal()}")])

    def authorization(self) -> Hidden[str]:
        """Return the Authorization header of HTTP Basic, in UTF-8."""
        pair = Hidden(f"{self.username}:{self.password.reveal()}".encode())
        return Hidden("Basic " + b2a_base64(pair.reveal(), newline=False).decode())


def find_credentials(
    given: Mapping[str, Hidden[Any]], profile: Mapping[str, Hidden[Any]], keyring: str | None
) -> Credentials:
    """Find the credentials: an argument beats the environment, that beats the profile, and that the keyring."""
    found = {name: look_up(name, given.get(name), profile.get(name), keyring).value for name in _VARIABLES}
    missing = [f"{name} (or the variable {_VARIABLES[name]})" for name, value in found.items() if not value.reveal()]
    if missing:
        raise ConfigurationError(f"these are missing: {', '.join(missing)}; give them to Client, or set the variables")
    if ":" in found["username"].reveal():
        raise ConfigurationError("username holds a colon, which HTTP Basic cannot carry; is it the user's name alone?")
    return Credentials(found["username"].reveal(), found["password"], found["company_key"])


def account_id(origin: str, company_key: str | Hidden[str]) -> str:
    """Return a short name that tells accounts apart, for quotas, tokens and journals; no key can be read from it."""
    text = Hidden(f"khoros_analytics account {origin} {hidden_text(company_key).reveal()}")
    return hashlib.sha256(text.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:8]


def look_up(name: str, given: Hidden[Any] | None, in_profile: Hidden[Any] | None, keyring: str | None) -> Found:
    """Find one credential, and say where it was; a ConfigurationError for one that cannot be used."""
    found = _find(name, given or Hidden(None), in_profile or Hidden(None), keyring)
    value = found.value
    if not isinstance(value.reveal(), str):
        raise ConfigurationError(f"{name} must be text, not {type(value.reveal()).__name__}")
    if value.reveal().strip("\r\n") != value.reveal():
        raise ConfigurationError(f"{name} begins or ends with a line break; it was probably read from a file with it")
    if not _is_utf8(value):
        raise ConfigurationError(f"{name} holds characters that cannot be encoded as UTF-8")
    return found if value.reveal() else Found(value)


def _find(name: str, given: Hidden[Any], in_profile: Hidden[Any], keyring: str | None) -> Found:
    if given.reveal() is not None:
        return Found(Hidden(given.reveal()() if callable(given.reveal()) else given.reveal()), "argument")
    value = _from_environment(name)
    if value.reveal():
        return Found(value, _VARIABLES[name])
    if in_profile.reveal():
        return Found(in_profile, "profile")
    if keyring:
        return Found(_from_keyring(keyring, name), f"keyring {keyring!r}")
    return Found(value)


def _from_environment(name: str) -> Hidden[str]:
    # On a line of its own: some tracebacks show the value of each expression, which here is the whole environment.
    return Hidden(os.environ.get(_VARIABLES[name]) or "")


def _is_utf8(text: Hidden[str]) -> bool:
    # Its caller raises outside of this except block: the UnicodeEncodeError holds the text, which may be secret.
    try:
        text.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True


def _from_keyring(service: str, name: str) -> Hidden[str]:
    with needs("keyring"):
        import keyring  # noqa: PLC0415 - an extra
    try:
        return Hidden(keyring.get_password(service, name) or "")
    except Exception as error:  # noqa: BLE001 - each backend has its own
        why = type(error).__name__
    raise ConfigurationError(f"{name}: the keyring {service!r} cannot be read: {why}")


def keep_in_keyring(service: str, name: str, value: Hidden[str]) -> None:
    """Put a credential where :func:`find_credentials` looks for it; a ConfigurationError where there is no keyring."""
    with needs("keyring"):
        import keyring  # noqa: PLC0415 - an extra
    try:
        keyring.set_password(service, name, value.reveal())
    except Exception as error:  # noqa: BLE001 - each backend has its own
        why = type(error).__name__
    else:
        return
    raise ConfigurationError(f"{name}: the keyring of this system cannot be written to: {why}")
