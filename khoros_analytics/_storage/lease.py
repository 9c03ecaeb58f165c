"""A lease: one program at a time works in a folder, and one that died does not keep others out for long."""

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from .._clock import Clock
from ..errors import KhorosError, TargetError
from .folder import Folder, LocalFolder, RemoteFolder
from .own_files import NoLocksError, lock
from .system_errors import map_os_errors

__all__ = ["RENEWED_EVERY", "STALE_AFTER", "hold_lease"]

RENEWED_EVERY = 15.0
"""How often a lease in object storage is renewed, in seconds of real time."""
STALE_AFTER = 60.0
"""After how many seconds without a renewal a lease in object storage is nobody's."""

_REAL_TIME = Clock()


@contextmanager
def hold_lease(folder: Folder, name: str) -> Iterator[Callable[[], None]]:
    """Hold a folder's lease for the block; a TargetError names who has it.

    Yields a function that raises a TargetError when the lease has been lost, which only one in object storage can be.
    """
    with ExitStack() as stack:
        check: Callable[[], None] = _never_lost
        try:
            if isinstance(folder, LocalFolder):
                stack.enter_context(_locked(folder, name))
        except NoLocksError:
            name += ".json"
        if isinstance(folder, RemoteFolder) or name.endswith(".json"):
            check = stack.enter_context(_Renewed(folder, name).held())
        yield check


def _never_lost() -> None:
    """Say nothing: a lock lasts as long as its process."""


def _owner() -> dict[str, Any]:
    began = f"{datetime.fromtimestamp(_REAL_TIME.time(), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": began}


def _refusal(folder: Folder, content: bytes | None) -> TargetError:
    try:
        about = json.loads(content or b"")
        who = f"process {about['pid']} on {about['host']}, since {about['since']}"
    except (ValueError, LookupError, TypeError):
        who = "another process"
    return TargetError(f"{folder} is being worked on by {who}", advice="wait until that has ended, or stop it")


@contextmanager
def _locked(folder: LocalFolder, name: str) -> Iterator[None]:
    """Hold a lock on an open file: it is gone with its process."""
    path = folder.path(name)
    with map_os_errors(path, "cannot be written"):
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with open(descriptor, "r+b") as file:  # noqa: PTH123 - a descriptor has no path
        if not lock(descriptor):
            raise _refusal(folder, file.read())
        with map_os_errors(path, "cannot be written"):
            file.truncate(0)
            file.write(json.dumps(_owner()).encode())
            file.flush()
        yield


class _Renewed:
    """A small object that says until when somebody works there."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._mark = secrets.token_hex(8)
        self._about = _owner()
        self._renewed = _REAL_TIME.monotonic()
        self._lost = threading.Event()
        self._over = threading.Event()

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        content = self._folder.read(self._name)
        if content is not None and not _is_stale(content):
            raise _refusal(self._folder, content)
        self._write()
        if not self._is_mine():
            raise _refusal(self._folder, self._folder.read(self._name))
        thread = threading.Thread(target=self._keep_renewing, name="khoros_analytics lease", daemon=True)
        thread.start()
        try:
            yield self._check
        finally:
            self._over.set()
            thread.join()
            with suppress(KhorosError):
                if self._is_mine():
                    self._folder.remove(self._name)

    def _check(self) -> None:
        if self._lost.is_set() or _REAL_TIME.monotonic() - self._renewed > STALE_AFTER:
            raise TargetError(
                f"{self._folder}: the lease was lost, since it could not be renewed for {STALE_AFTER:.0f} s or another "
                "run took it over",
                advice="call again; it goes on with what is there",
            )

    def _write(self) -> None:
        began = _REAL_TIME.monotonic()
        about = {**self._about, "mark": self._mark, "renewed_at": _REAL_TIME.time()}
        self._folder.write(self._name, json.dumps(about).encode())
        self._renewed = began

    def _is_mine(self) -> bool:
        try:
            return bool(json.loads(self._folder.read(self._name) or b"{}").get("mark") == self._mark)
        except (ValueError, AttributeError):
            return False

    def _keep_renewing(self) -> None:
        while not self._over.wait(RENEWED_EVERY):
            with suppress(KhorosError):
                if not self._is_mine():
                    self._lost.set()
                    return
                self._write()


def _is_stale(content: bytes) -> bool:
    try:
        renewed_at = float(json.loads(content)["renewed_at"])
    except (ValueError, LookupError, TypeError):
        return True
    return abs(_REAL_TIME.time() - renewed_at) > STALE_AFTER
