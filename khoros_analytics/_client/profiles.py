"""Profiles: what belongs to an account, kept in a file of the user's, by a name for each account."""

import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from .._checks import did_you_mean, needs
from .._secrecy import Hidden, emptied_frames
from ..errors import ConfigurationError

__all__ = ["DEFAULT", "PROFILE_VARIABLE", "Profile", "config_path", "load_profile", "profile_names", "save_profile"]

DEFAULT = "default"
"""The profile of a client that names none, and no account of its own."""
PROFILE_VARIABLE = "KHOROS_ANALYTICS_PROFILE"

_FOLDER, _FILE = "khoros_analytics", "config.toml"
_SECRETS = ("password", "company_key")
_KEYS = ("username", *_SECRETS, "region", "base_url", "timezone", "journal", "keyring")


@frozen(eq=False)
class Profile:
    """One profile. Without a name it is an empty one, for a client that has none.

    Attributes:
        name: Its name in the file.
        chosen_by: Who named it: an argument, the variable, or nobody, for the default one.
        path: The file in which it stands.
        values: What it says, by the names of the client's arguments; secrets are hidden, as are all others.
    """

    name: str | None = None
    chosen_by: str = ""
    path: Path | None = None
    values: Mapping[str, Hidden[str]] = field(factory=dict, repr=False)

    def get(self, name: str) -> str | None:
        """Return what it says about an argument that is no secret, or None."""
        return self.values[name].reveal() if name in self.values else None

    def credential(self, name: str) -> Hidden[Any]:
        """Return what it says about a credential; hidden None where it says nothing."""
        return self.values.get(name, Hidden(None))


def config_path() -> Path:
    """Return where the profiles stand: in XDG's folder, or in this system's own one where nothing stands there."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    xdg = Path(base) if Path(base).is_absolute() else _home() / ".config"
    path = xdg / _FOLDER / _FILE
    with suppress(ImportError):
        if not path.exists():
            import platformdirs  # noqa: PLC0415 - an extra

            path = platformdirs.user_config_path(_FOLDER, appauthor=False) / _FILE
    return path


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("~")  # a user without a home has no file there


def load_profile(name: str | None = None, *, use_default: bool = True, required: bool = True) -> Profile:
    """Return the profile of that name, else of the variable, else the default one if there is one.

    A ConfigurationError says what is wrong with the file; where it is not ``required``, a profile that is not there is
    an empty one.
    """
    if name is not None and (not isinstance(name, str) or not name):
        raise ConfigurationError(f"profile: {name!r} is not the name of a profile; give it as text")
    chosen_by = "argument" if name else PROFILE_VARIABLE
    name = name or os.environ.get(PROFILE_VARIABLE) or None
    if name is None:
        if not use_default:
            return Profile()
        name, chosen_by, required = DEFAULT, "default", False
    path = config_path()
    profiles = _read(path)
    if name in profiles.reveal():
        return Profile(name, chosen_by, path, _checked(path, name, Hidden(profiles.reveal()[name])))
    if not required:
        return Profile()
    raise ConfigurationError(
        f"profile (or the variable {PROFILE_VARIABLE}): there is no profile {name!r} in {path}"
        + _near(name, list(profiles.reveal()))
    )


def profile_names() -> list[str]:
    """Return the names of all profiles, in the order of the file."""
    return list(_read(config_path()).reveal())


def _near(name: str, known: list[str]) -> str:
    if not known:
        return "; khoros-analytics login writes one"
    return did_you_mean(name, dict(zip(known, known, strict=True))) or f"; it has {', '.join(known)}"


def _read(path: Path) -> Hidden[dict[str, Any]]:
    """Return what stands in the file, nothing where there is none."""
    why = ""
    with emptied_frames():
        try:
            with path.open("rb") as file:
                found = Hidden(tomllib.load(file))
                _refuse_strangers(path, os.fstat(file.fileno()), found)
                return found
        except (FileNotFoundError, NotADirectoryError):
            return Hidden({})
        except OSError as error:
            why = error.strerror or type(error).__name__
        except UnicodeDecodeError:
            why = "it is not text in UTF-8"
        except tomllib.TOMLDecodeError as error:
            why = f"it is not TOML: {str(error).partition(' (')[2].rstrip(')') or 'it ends too early'}"
    # Outside of the except block: what a parser says may quote a password.
    raise ConfigurationError(f"the profiles in {path} cannot be read: {why}")


def _refuse_strangers(path: Path, found: os.stat_result, profiles: Hidden[dict[str, Any]]) -> None:
    """Raise a ConfigurationError for a file that somebody else writes, or that shows others a secret."""
    if not hasattr(os, "geteuid"):
        return  # Windows tells by other means, which Python does not see
    mend = f"make it yours alone:  chmod 600 {path}"
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"the profiles in {path} belong to another user, who could send your password anywhere"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(f"others can write to {path}, and could send your password anywhere; {mend}")
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH) and _holds_secret(profiles):
        raise ConfigurationError(f"others can read {path}, which holds a password or a company key; {mend}")


def _holds_secret(profiles: Hidden[dict[str, Any]]) -> bool:
    return any(isinstance(table, dict) and set(_SECRETS) & set(table) for table in profiles.reveal().values())


def _checked(path: Path, name: str, table: Hidden[Any]) -> dict[str, Hidden[str]]:
    """Return the values of a profile; a ConfigurationError for what is none of its keys, or no text."""
    where = f"the profile {name!r} in {path}"
    if not isinstance(table.reveal(), dict):
        raise ConfigurationError(f"{where} is not a table; write [{name}] above its lines")
    values = {key: Hidden(value) for key, value in table.reveal().items()}
    for key, value in values.items():
        if key not in _KEYS:
            hint = did_you_mean(key, dict(zip(_KEYS, _KEYS, strict=True))) or f"; a profile has {', '.join(_KEYS)}"
            raise ConfigurationError(f"{where} has no setting {key!r}{hint}")
        if not isinstance(value.reveal(), str) or not value.reveal():
            raise ConfigurationError(f"{where}: {key} must be text in quotation marks, and not empty")
    if "journal" in values:
        # A relative path is one beside the file, whatever the current folder is.
        values["journal"] = Hidden(str(path.parent / Path(values["journal"].reveal()).expanduser()))
    return values


def save_profile(name: str, values: Mapping[str, Hidden[str | None]]) -> Path:
    """Write a profile into the file, which its owner alone can read; None removes a line. All else in it stays."""
    with needs("cli"):
        import tomlkit  # noqa: PLC0415 - an extra
    path = config_path()
    _read(path)  # a ConfigurationError for a file that is not ours
    target = path.resolve()
    with emptied_frames():
        document = tomlkit.parse(target.read_text("utf-8")) if target.exists() else tomlkit.document()
        table = document.setdefault(name, tomlkit.table())
        for key, value in values.items():
            table.pop(key, None)
            if value.reveal() is not None:
                table[key] = value.reveal()
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(target, Hidden(tomlkit.dumps(document).encode()))
        except OSError as error:
            why = error.strerror or type(error).__name__
        else:
            return path
    raise ConfigurationError(f"the profile {name!r} cannot be written to {path}: {why}")


def _replace(path: Path, content: Hidden[bytes]) -> None:
    """Write a file whole or not at all; a temporary file is for its owner alone."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(content.reveal())
        os.replace(temporary, path)  # noqa: PTH105 - both are texts
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
