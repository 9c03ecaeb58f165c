"""An account, opened: its connections, its part in the quota, and its journal."""

from collections.abc import Mapping
from typing import Any

from .._clock import Clock
from .._http.credentials import Credentials, account_id, find_credentials
from .._http.quota import WINDOW, quota_for
from .._http.transport import Session, Transport
from .._jobs.polling import Durations
from .._jobs.remote import Account
from .._journal.shared_quota import SharedCount
from .._journal.store import Journal
from .._secrecy import Hidden, emptied_frames
from .profiles import load_profile
from .settings import Settings

__all__ = ["account_of_environment", "open_account"]

_accounts: dict[str, Account] = {}


def open_account(settings: Settings, credentials: Credentials, clock: Clock, session: Session | None) -> Account:
    """Open an account; nothing is asked of the server yet."""
    name = account_id(settings.base.origin, credentials.company_key)
    stored = None if settings.journal is None else Journal(settings.journal, name, clock, settings.journal_keep)
    shared = None if stored is None else SharedCount(stored, clock, WINDOW)
    transport = Transport(
        settings.base,
        credentials,
        clock=clock,
        # Each client holds its share of the account's quota: it counts as long as the client lives.
        share=quota_for(name, clock, settings.requests_per_minute, shared),
        timeout=settings.timeout,
        request_deadline=settings.request_deadline,
        retries=settings.retries,
        session=session,
    )
    durations = Durations() if stored is None else Durations(stored.durations)
    return Account(transport, name, stored, settings.max_bytes, durations, settings.progress)


def account_of_environment(keywords: Mapping[str, Any]) -> Account:
    """Return the account whose credentials this process's environment has, one for each settings: for a worker."""
    name = repr(sorted(keywords.items()))
    if name not in _accounts:
        with emptied_frames():
            settings = Settings.check(**{**keywords, "base_url": Hidden(keywords["base_url"])})
            # The profile is a file of another machine, maybe: here the environment may say it all.
            profile = load_profile(settings.profile, use_default=False, required=False)
            credentials = find_credentials({}, profile.values, settings.keyring)
            _accounts[name] = open_account(settings, credentials, Clock(), None)
    return _accounts[name]
