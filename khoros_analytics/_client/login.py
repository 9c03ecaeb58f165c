"""Tries credentials with one look-up, and keeps those that the server takes: in a profile, and in the keyring."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from .._http.credentials import CREDENTIALS, keep_in_keyring, look_up
from .._secrecy import Hidden, emptied_frames
from .client import Client
from .profiles import DEFAULT, PROFILE_VARIABLE, save_profile

__all__ = ["Kept", "credentials_at_hand", "log_in", "profile_to_write"]


@frozen
class Kept:
    """What has been kept: whose account it is, how many teams it sees, and the file."""

    account: str
    teams: int
    path: Path


def profile_to_write(name: str | None) -> str:
    """Return the name of the profile that a login writes."""
    return name or os.environ.get(PROFILE_VARIABLE) or DEFAULT


def credentials_at_hand(username: str | None) -> dict[str, Hidden[str]]:
    """Return what need not be asked for, because an option or the environment says it."""
    given = {"username": Hidden(username)}
    found = {name: look_up(name, given.get(name), None, None).value for name in CREDENTIALS}
    return {name: value for name, value in found.items() if value.reveal()}


def log_in(
    name: str,
    credentials: Mapping[str, Hidden[str]],
    *,
    region: str | None,
    base_url: str | None,
    keyring: str | None,
) -> Kept:
    """Try credentials, and keep them; without a keyring, in the file. Nothing is kept of what the server refuses."""
    address = Hidden(base_url)
    del base_url
    with emptied_frames(), _no_profile_named():
        user, password, key = (credentials[one].reveal for one in CREDENTIALS)
        with Client(user, password, key, region=region, base_url=address.reveal(), progress=False) as client:
            teams, account = len(client.teams()), repr(client)[1:-1]
        in_file: dict[str, Hidden[str | None]] = {
            "username": Hidden(credentials["username"].reveal()),
            "region": Hidden(
                region or (None if address.reveal() else os.environ.get("KHOROS_ANALYTICS_REGION") or None)
            ),
            "base_url": Hidden(
                address.reveal() or (None if region else os.environ.get("KHOROS_ANALYTICS_URL") or None)
            ),
            "keyring": Hidden(keyring),
        }
        for secret in ("password", "company_key"):
            if keyring is not None:
                keep_in_keyring(keyring, secret, credentials[secret])
            in_file[secret] = Hidden(None) if keyring is not None else Hidden(credentials[secret].reveal())
        return Kept(account, teams, save_profile(name, in_file))


@contextmanager
def _no_profile_named() -> Iterator[None]:
    """Let the variable name no profile meanwhile: it may name the one that is about to be written."""
    named = os.environ.pop(PROFILE_VARIABLE, None)
    try:
        yield
    finally:
        if named is not None:
            os.environ[PROFILE_VARIABLE] = named
