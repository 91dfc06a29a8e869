"""Tokens: how one is written, what the broker keeps of it, and what was done with it.

A token is `tq_<id>_<secret>`: 12 hex digits that are no secret and name it in logs and errors, and 43 characters of 256
random bits. The broker keeps the SHA-256 of the secret: so much randomness needs no slow hash.
"""

import hashlib
import hmac
import re
from typing import NamedTuple

import msgspec

from tq.model.errors import AccessDenied, InvalidArgument
from tq.model.identity import Role
from tq.model.patterns import Pattern, glob

TOKEN_ID_BYTES, SECRET_BYTES = 6, 32
_FORM = re.compile(r"tq_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Token(NamedTuple):
    """A token as its bearer shows it. Its text is never logged, never stored and never part of an error."""

    token_id: bytes
    secret_hash: bytes


def parse_token(text: str) -> Token:
    """What a token says.

    Raises:
        AccessDenied: it has not the form of one. The message does not repeat it.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise AccessDenied(
            "this is not a token of tq: it is not tq_, 12 hex digits, _ and 43 characters",
            hint="was all of it copied, into TQ_TOKEN or the file of TQ_TOKEN_FILE?",
        )
    return Token(bytes.fromhex(found[1]), hash_secret(found[2]))


def hash_secret(secret: str) -> bytes:
    """What the broker keeps of a secret: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def is_same_hash(first: bytes, second: bytes) -> bool:
    """Whether two hashes are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(first, second)


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token. Moments are ms since the epoch; `expires_at_ms` 0: it does not expire."""

    id: str
    name: str
    role: Role
    queues: tuple[str, ...]
    created_at_ms: int
    created_by: str
    expires_at_ms: int


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did, and when. `target` says to what: a queue, an id, a selector; `count` how many tasks
    it concerned; `operation` is the id of the operation that carried it out, empty if there was none."""

    at_ms: int
    actor: str
    origin: str
    action: str
    target: str
    count: int
    reason: str
    operation: bytes


def certificate_roles(text: str) -> list[tuple[Pattern, Role]]:
    """What security.certificate_roles says: "ops.example.org=operator, *.workers.example.org=worker". The first that
    matches a name counts.

    Raises:
        InvalidArgument: not of this form, or no such role.
    """
    found: list[tuple[Pattern, Role]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, role = (piece.strip() for piece in part.rpartition("="))
        if not equals or not name or role not in list(Role)[1:]:
            raise InvalidArgument(
                f"{part[:60]!r} is not a name, = and a role",
                hint=f"such as ops.example.org=operator; roles are {', '.join(list(Role)[1:])}",
            )
        found.append((glob(name), Role(role)))
    return found
