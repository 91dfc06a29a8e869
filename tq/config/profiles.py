"""Names for brokers: a file of profiles, each an address and how to be there."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tq.config.files import read_file
from tq.model.errors import ConfigInvalid, InvalidArgument
from tq.model.identity import Role

TOKEN_CHARS_MAX = 4_096
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FORM = "such as `prod:`, and below it `  address: ssh://broker-1`; docs/remote.md shows all"


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One broker, as somebody who looks after several wants to reach it.

    `address` may be several with commas between, tried in turn. `token_file` holds the token that is shown there.
    `role` is the most that one wants to be there, such as viewer, whatever one could be.
    `badge` is shown beside its name on every screen, such as "PRODUCTION"; with `confirm_always`, what is usually done
    at once is asked about too.
    """

    address: str
    token_file: str = ""
    role: Role = Role.ADMIN
    badge: str = ""
    confirm_always: bool = False
    name: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Each address of it."""
        return tuple(part.strip() for part in self.address.split(",") if part.strip())

    def token(self) -> str:
        """What `token_file` holds, without the space around it; empty without such a file.

        Raises:
            ConfigInvalid: it cannot be read, is too large, or others than its owner may read it.
        """
        return read_token(Path(self.token_file).expanduser()) if self.token_file else ""


def profiles_path(environment: Mapping[str, str] | None = None) -> Path:
    """Where the file lies: TQ_PROFILES, else tq/profiles.yaml in XDG_CONFIG_HOME or, without that, ~/.config."""
    environment = os.environ if environment is None else environment
    if named := environment.get("TQ_PROFILES"):
        return Path(named).expanduser()
    home = environment.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path("~/.config").expanduser()) / "tq" / "profiles.yaml"


def load_profiles(environment: Mapping[str, str] | None = None) -> dict[str, Profile]:
    """All profiles, by name; none where there is no file.

    Raises:
        ConfigInvalid: the file cannot be read, or a profile in it is wrong.
    """
    path = profiles_path(environment)
    if not path.is_file():
        return {}
    fields: dict[str, dict[str, Any]] = {}
    for key, value in read_file(path, form=_FORM).items():
        name, _, field = key.rpartition(".")
        fields.setdefault(name, {})[field] = value
    return {name: _profile(path, name, values) for name, values in fields.items()}


def named_profile(address: str | Sequence[str] | None, environment: Mapping[str, str] | None = None) -> Profile | None:
    """The profile that `address`, or TQ_URL where that is None, names; None: it is an address and no name.

    Raises:
        ConfigInvalid: the file of profiles is wrong.
        InvalidArgument: it names a profile that there is not, or one among several addresses.
    """
    environment = os.environ if environment is None else environment
    if address is None:
        address = environment.get("TQ_URL", "")
    given = [part.strip() for part in address.split(",")] if isinstance(address, str) else list(address)
    names = [part for part in given if _NAME.fullmatch(part)]
    if not names:
        return None
    if len(given) > 1:
        raise InvalidArgument(
            f"{names[0]!r} is the name of a profile, which stands alone",
            hint="give addresses, such as host:port, or put them into the profile, with commas between",
        )
    profiles = load_profiles(environment)
    found = profiles.get(names[0])
    if found is None:
        raise _unknown(names[0], profiles, profiles_path(environment))
    return found


def read_token(path: Path) -> str:
    """The token in a file, without the space around it.

    Raises:
        ConfigInvalid: it cannot be read, is too large, or others than its owner may read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(TOKEN_CHARS_MAX + 1)
    except (OSError, UnicodeDecodeError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else "it is not UTF-8"
        raise ConfigInvalid(f"the token file {path} cannot be read: {why}") from None
    if mode & 0o077:
        raise ConfigInvalid(f"the token file {path} can be read by others", hint=f"chmod 600 {path}")
    if len(text) > TOKEN_CHARS_MAX:
        raise ConfigInvalid(f"the token file {path} has more than {TOKEN_CHARS_MAX} characters: it holds no token")
    return text.strip()


def _profile(path: Path, name: str, values: dict[str, Any]) -> Profile:
    if not _NAME.fullmatch(name):
        raise ConfigInvalid(
            f"{path}: {name[:80]!r} is not the name of a profile: a letter, then letters, digits, - and _", hint=_FORM
        )
    if "name" in values:
        raise ConfigInvalid(f"{path}: {name}: there is no field `name`", hint=_FORM)
    try:
        profile = msgspec.convert({**values, "name": name}, Profile)
    except msgspec.ValidationError as cause:
        raise ConfigInvalid(f"{path}: {name}: {cause}", hint=_FORM) from None
    if not profile.addresses:
        raise ConfigInvalid(f"{path}: {name}: the address is empty", hint=_FORM)
    return profile


def _unknown(name: str, profiles: Mapping[str, Profile], path: Path) -> InvalidArgument:
    close = difflib.get_close_matches(name, profiles, n=1)
    known = f"did you mean {close[0]}?" if close else f"`tq profile list` lists those of {path}"
    return InvalidArgument(
        f"{name!r} is neither a profile nor an address: for an address the port is missing, such as {name}:6379",
        hint=known,
    )
