"""What all parts of a command share while it runs."""

from collections.abc import Callable
from shlex import quote
from typing import Any

import click

__all__ = ["Session", "current"]


class Session:
    """What all commands share while one runs: who asks, how to answer, and how to go on after an interruption."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.debug: bool = parameters.pop("debug", False)
        self.json: bool = parameters.pop("json", False)
        self.quiet: bool = parameters.pop("quiet", False)
        names = ("profile", "region", "url", "username", "keyring", "journal")
        self.account: dict[str, str | None] = {name: parameters.pop(name, None) for name in names}
        self.option_names: dict[str, str] = {}
        self.go_on: Callable[[str], str] | None = None
        self.go_on_by = ""

    def account_options(self) -> str:
        """Return the options about the account as they were given, for a line that goes on."""
        given = [f" --{name} {quote(value)}" for name, value in self.account.items() if value]
        return "".join(given)


def current() -> Session:
    """Return the session of the command that runs."""
    found: Session = click.get_current_context().obj
    return found
