"""Who may read and write a file: nobody else while it grows, and then whoever could before."""

import os
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["grant", "make_private", "mode_for_new"]

_READ_WRITE = 0o666
_PRIVATE = 0o600
_ACL = "system.posix_acl_access"


def mode_for_new(target: Path) -> int:
    """Return what a file is made with that is to replace another one: not for a moment more than that one allows."""
    try:
        return target.lstat().st_mode & _READ_WRITE | _PRIVATE
    except OSError:
        return _READ_WRITE


def make_private(descriptor: int) -> int:
    """Shut everybody else out of a file; return the mode that system and folder gave it."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    _change_mode(descriptor, _PRIVATE)
    return mode


def grant(descriptor: int, target: Path, ordinary: int) -> None:
    """Give a file the access of the one that it replaces, or the ordinary one where there is none."""
    try:
        old = target.lstat()
    except OSError:
        _change_mode(descriptor, ordinary)
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    if not _take_owner(descriptor, old) or not _take_acl(descriptor, target):
        # What was for one group would be for another one.
        mode = mode & 0o707 | (mode & 0o007) << 3 & mode
    _change_mode(descriptor, mode)


def _take_owner(descriptor: int, old: os.stat_result) -> bool:
    """Give a file the owner and group of another one as far as that is allowed; return whether it has the group."""
    new = os.fstat(descriptor)
    for uid, gid in ((old.st_uid, -1), (-1, old.st_gid)):
        if (uid not in (-1, new.st_uid) or gid not in (-1, new.st_gid)) and hasattr(os, "fchown"):
            with suppress(OSError):
                os.fchown(descriptor, uid, gid)
    return os.fstat(descriptor).st_gid == old.st_gid


def _take_acl(descriptor: int, target: Path) -> bool:
    """Give a file the access control list of another one, or none; return whether it has it."""
    if not hasattr(os, "getxattr"):
        return True
    try:
        listed = os.getxattr(target, _ACL, follow_symlinks=False)
    except OSError:
        with suppress(OSError):  # the one that its folder gives to new files
            os.removexattr(descriptor, _ACL)
        return True
    try:
        os.setxattr(descriptor, _ACL, listed)
    except OSError:
        return False
    return True


def _change_mode(descriptor: int, mode: int) -> None:
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # some file systems know no modes
            os.fchmod(descriptor, mode)
