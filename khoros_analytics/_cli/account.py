"""The client of a command: from its options, the environment, a profile, and as the last resort from a prompt."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from .session import current

if TYPE_CHECKING:
    from .._client.client import Client
    from .._secrecy import Hidden

__all__ = ["ask_for", "connect", "somebody_is_there"]

_QUESTIONS = {"username": "API user", "password": "Password", "company_key": "Company key"}


def connect() -> "Client":
    """Return the client that the options of the command describe; close it."""
    from .._client.client import Client
    from .._client.diagnosis import missing_credentials

    session = current()
    account = session.account
    named, missing = missing_credentials(
        account["profile"],
        address=account["url"] is not None,
        username=account["username"],
        keyring=account["keyring"],
    )
    asked = ask_for(missing) if somebody_is_there() else {}
    return Client(
        asked["username"].reveal if "username" in asked else account["username"],
        asked["password"].reveal if "password" in asked else None,
        asked["company_key"].reveal if "company_key" in asked else None,
        region=account["region"],
        base_url=account["url"],
        keyring=account["keyring"],
        journal=account["journal"],
        profile=named,
        progress=False if session.quiet else None,
    )


def somebody_is_there() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_for(names: Iterable[str]) -> "dict[str, Hidden[str]]":
    """Ask for credentials; what is secret is not shown."""
    from .._secrecy import Hidden

    return {name: Hidden(_ask(name)) for name in names}


def _ask(name: str) -> Any:
    return click.prompt(_QUESTIONS[name], hide_input=name != "username", err=True)
