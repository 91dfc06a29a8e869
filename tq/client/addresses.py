"""Where a broker is, as people write it: "host:port", "tcp://host[:port]", "tls://host[:port]", "unix:///path/to.sock",
"ssh://user@host"."""

import re
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from tq.model.errors import InvalidArgument

PORT_DEFAULT = 6379
_EXPECTED = 'write it as "host:port", "tcp://host:port", "tls://host:port", "unix:///path/to.sock" or "ssh://user@host"'
# What ssh could take for an option, or a shell or ssh_config for more than a name, is none.
_SSH_NAME = re.compile(r"(?!-)[A-Za-z0-9_.:@+-]{1,255}")


class TcpAddress(msgspec.Struct, frozen=True):
    """A host, by name or number, and a port; with TLS, the host's certificate has to be for that name."""

    host: str
    port: int = PORT_DEFAULT
    is_tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.is_tls else 'tcp'}://{host}:{self.port}"


class UnixAddress(msgspec.Struct, frozen=True):
    """The absolute path of a unix socket."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


class SshAddress(msgspec.Struct, frozen=True):
    """A host that ssh reaches, and a broker on it.

    `host` may be an alias of ssh's configuration. What is empty or 0 is left to that configuration or, for `socket`, to
    the settings of tq on that host. `program` is the path of tq there, where it is not in the PATH of its shells.
    """

    host: str
    user: str = ""
    port: int = 0
    socket: str = ""
    program: str = ""

    def __str__(self) -> str:
        user = f"{quote(self.user)}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        program = f"?tq={quote(self.program)}" if self.program else ""
        return f"ssh://{user}{host}{port}{quote(self.socket)}{program}"


Address = TcpAddress | UnixAddress | SshAddress


def parse_address(text: str) -> Address:
    """The address that `text` means. The port of tcp:// and tls:// may be left out: 6379. IPv6 numbers are in brackets.

    Raises:
        InvalidArgument: says what is wrong, and what was expected.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _tcp(text, text, needs_port=True)
    match scheme.lower():
        case "tcp" | "tls":
            address = _tcp(text, rest.removesuffix("/"), needs_port=False)
            return TcpAddress(address.host, address.port, is_tls=scheme.lower() == "tls")
        case "unix":
            path = unquote(rest)
            if not path.startswith("/") or "\0" in path:
                raise _wrong(text, "the path of a unix socket must be absolute, such as unix:///run/tq/tq.sock")
            return UnixAddress(path)
        case "ssh":
            return _ssh(text, rest)
        case _:
            raise _wrong(text, f"{scheme[:20]!r} is no known scheme")


def _ssh(text: str, rest: str) -> SshAddress:
    place, _, query = rest.partition("?")
    authority, slash, path = place.partition("/")
    user, has_user, host = authority.rpartition("@")
    user, socket = unquote(user), unquote(slash + path).removesuffix("/")
    options = dict(parse_qsl(query, keep_blank_values=True))
    program = options.pop("tq", "")
    if has_user and not _SSH_NAME.fullmatch(user):
        raise _wrong(text, f"{user[:60]!r} is not the name of a user")
    if options or (query and not program):
        raise _wrong(text, "behind the ? only tq=PATH may stand, the path of tq on that host")
    if any(not character.isprintable() for character in socket + program):
        raise _wrong(text, "a path has no control characters")
    # An alias of ssh's configuration, such as "prod", is a host like any other.
    host, port = _host_and_port(text, host)
    if not _SSH_NAME.fullmatch(host):
        raise _wrong(text, f"{host[:60]!r} is not a host")
    return SshAddress(host, user, port, socket, program)


def _tcp(text: str, rest: str, *, needs_port: bool) -> TcpAddress:
    host, port = _host_and_port(text, rest)
    if needs_port and not port:
        raise _wrong(text, f"the port is missing, such as {host}:{PORT_DEFAULT}")
    return TcpAddress(host, port or PORT_DEFAULT)


def _host_and_port(text: str, rest: str) -> tuple[str, int]:
    """Port 0: there was none."""
    if rest.startswith("["):
        host, bracket, after = rest[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise _wrong(text, "the bracket of an IPv6 address is not closed or not followed by :port")
        port_text = after[1:]
        has_port = bool(after)
    else:
        host, colon, port_text = rest.rpartition(":")
        has_port = bool(colon)
        if not has_port:
            host = rest
        elif ":" in host:
            raise _wrong(text, f"an IPv6 address stands in brackets, such as [::1]:{PORT_DEFAULT}")
    if not host:
        raise _wrong(text, "the host is missing")
    if any(character.isspace() or character in "/@?#\0" for character in host):
        raise _wrong(text, f"{host[:60]!r} is not a host")
    if not has_port:
        return host, 0
    if not (port_text.isascii() and port_text.isdigit()) or not 1 <= int(port_text[:6]) <= 65_535:
        raise _wrong(text, f"{port_text[:20]!r} is not a port from 1 to 65535")
    return host, int(port_text)


def _wrong(text: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"address {text[:100]!r}: {why}", hint=_EXPECTED)
