"""Where a broker is, as people write it: "host:port", "tcp://host[:port]", "unix:///path/to.sock"."""

from urllib.parse import unquote

import msgspec

from tq.model.errors import InvalidArgument

PORT_DEFAULT = 6379
_EXPECTED = 'write it as "host:port", "tcp://host:port" or "unix:///path/to.sock"'


class TcpAddress(msgspec.Struct, frozen=True):
    """A host, by name or number, and a port."""

    host: str
    port: int = PORT_DEFAULT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


class UnixAddress(msgspec.Struct, frozen=True):
    """The absolute path of a unix socket."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """The address that `text` means. The port of tcp:// may be left out: 6379. IPv6 numbers stand in brackets.

    Raises:
        InvalidArgument: says what is wrong, and what was expected.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _tcp(text, text, needs_port=True)
    match scheme.lower():
        case "tcp":
            return _tcp(text, rest.removesuffix("/"), needs_port=False)
        case "unix":
            path = unquote(rest)
            if not path.startswith("/") or "\0" in path:
                raise _wrong(text, "the path of a unix socket must be absolute, such as unix:///run/tq/tq.sock")
            return UnixAddress(path)
        case _:
            raise _wrong(text, f"{scheme[:20]!r} is no known scheme")


def _tcp(text: str, rest: str, *, needs_port: bool) -> TcpAddress:
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
        if needs_port:
            raise _wrong(text, f"the port is missing, such as {host}:{PORT_DEFAULT}")
        return TcpAddress(host)
    if not (port_text.isascii() and port_text.isdigit()) or not 1 <= int(port_text[:6]) <= 65_535:
        raise _wrong(text, f"{port_text[:20]!r} is not a port from 1 to 65535")
    return TcpAddress(host, int(port_text))


def _wrong(text: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"address {text[:100]!r}: {why}", hint=_EXPECTED)
