"""Who may come in by the SSH door, and what they may do there: authorized_keys with a role for each key."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import asyncssh

from tq.doors.visitor import Visitor
from tq.model.errors import ConfigInvalid
from tq.model.identity import Role
from tq.model.plain import plain

ROLE_OPTION, NAME_OPTION = "tq-role", "tq-name"
ROLE_DEFAULT: Final = Role.VIEWER
NAME_CHARS_MAX: Final = 80
KEYS_BYTES_MAX: Final = 1 << 20

# What the door never allows anyhow, and `from`, which asyncssh checks. A line with any other option is left out: it
# asks for something, such as expiry-time or command, that would not be kept.
_OPTIONS: Final = frozenset(
    {ROLE_OPTION, NAME_OPTION, "from", "restrict", "pty", "no-port-forwarding", "no-agent-forwarding"}
    | {"no-x11-forwarding", "no-X11-forwarding", "no-user-rc"}
)
_ROLES: Final = tuple(role.value for role in Role if role is not Role.NONE)
_COMMENT: Final = re.compile(r"(?:^|\s)(?:sk-)?(?:ssh|ecdsa)-\S+\s+[A-Za-z0-9+/]+=*(?:\s+(.*))?$")


class KeyLine(NamedTuple):
    """One line of the file: the keys that asyncssh made of it, and what it says of whoever has them."""

    keys: asyncssh.SSHAuthorizedKeys
    name: str
    role: Role


class KeyFile:
    """The keys in a file, read again for each who knocks: who was taken out of it stays out from then on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[list[KeyLine], list[str]]:
        """The lines that let somebody in, and why each of the others does not.

        Raises:
            ConfigInvalid: the file is missing, cannot be read or can be written by others.
        """
        found: list[KeyLine] = []
        refused: list[str] = []
        for number, line in self._lines():
            where = f"{self.path}:{number}"
            try:
                keys = asyncssh.import_authorized_keys(line)
            except ValueError:
                refused.append(f"{where}: this is no key, or of a kind that is not known")
                continue
            options = _options_of(line)
            unknown = sorted(options.keys() - _OPTIONS)
            if unknown:
                refused.append(f"{where}: {unknown[0]!r} is not kept by this door")
                continue
            role = options.get(ROLE_OPTION, ROLE_DEFAULT)
            if role not in _ROLES:
                refused.append(f"{where}: {role[:40]!r} is not a role, which are {', '.join(_ROLES)}")
                continue
            comment = _COMMENT.search(line)
            name = options.get(NAME_OPTION) or (comment[1] if comment and comment[1] else "")
            found.append(KeyLine(keys, plain(name)[:NAME_CHARS_MAX], Role(role)))
        return found, refused

    def find(self, key: asyncssh.SSHKey, host: str) -> Visitor | None:
        """Whose key this is, coming from this address; None: nobody's.

        Raises:
            ConfigInvalid: as `read`.
        """
        for line in self.read()[0]:
            if line.keys.validate(key, host, host) is not None:
                return Visitor(f"{line.name} {key.get_fingerprint()}".strip(), line.role)
        return None

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            with self.path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(KEYS_BYTES_MAX)
        except (OSError, UnicodeDecodeError) as cause:
            why = cause.strerror if isinstance(cause, OSError) else "it is not UTF-8"
            raise ConfigInvalid(
                f"the keys of the door, {self.path}, cannot be read: {why}",
                hint='write a line for each who may come in, such as: tq-role="operator" ssh-ed25519 AAAA... anna',
            ) from None
        if mode & 0o022:
            raise ConfigInvalid(f"others can write {self.path}, and so let anybody in", hint=f"chmod 644 {self.path}")
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield number, line.strip()


def load_host_key(path: Path) -> asyncssh.SSHKey:
    """The key by which the door proves that it is the door. Made when it is first needed, for its owner alone.

    Raises:
        ConfigInvalid: it cannot be read or made, or others than its owner may read it.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(path, asyncssh.generate_private_key("ssh-ed25519", comment="tq door").export_private_key())
        if path.stat().st_mode & 0o077:
            raise ConfigInvalid(f"the host key {path} can be read by others", hint=f"chmod 600 {path}")
        return asyncssh.read_private_key(path)
    except (OSError, asyncssh.KeyImportError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise ConfigInvalid(f"the host key {path} cannot be read or made: {why}", hint="choose --host-key") from None


def _write_new(path: Path, data: bytes) -> None:
    """Never half a key, and never one that others could read for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _options_of(line: str) -> dict[str, str]:
    """The options in front of a key, by the rules of sshd(8): commas between, values in quotes. A bare one has none."""
    options: dict[str, str] = {}
    if _COMMENT.match(line):
        return options
    text, is_quoted, is_escaped = "", False, False
    for char in f"{line} ":
        if is_escaped:
            text, is_escaped = text + char, False
        elif char == "\\":
            is_escaped = True
        elif char == '"':
            is_quoted = not is_quoted
        elif is_quoted or char not in ", \t":
            text += char
        else:
            name, _, value = text.partition("=")
            options[name] = value
            text = ""
            if char != ",":
                break
    return options
