"""What an address and a certificate say of the one who connects: the same for the broker and for its edges."""

import ipaddress
from typing import Any


def is_loopback(address: str) -> bool:
    """Whether an address, as numbers, can be reached from this machine alone."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def names_of(certificate: dict[str, Any]) -> tuple[str, ...]:
    """The subject alternative names of a certificate as `ssl` shows it; the common name does not count (RFC 9525)."""
    return tuple(str(name) for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI", "email"))
