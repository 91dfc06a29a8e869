"""Requests about who may do what, and who did what."""

from typing import Annotated

from msgspec import Meta

from tq.model.commands.fields import BaseRequest, Count, Limit, Name
from tq.model.identity import Role


class CreateToken(BaseRequest, frozen=True, tag=47):
    """Know somebody by a token from now on. Its secret is made and kept by the caller: only the SHA-256 of it comes
    here. Reply: TokenPage, with this token alone.

    The same request again is harmless. `queues` are patterns; with any, the token is good for the queues that match one
    of them, and for nothing that concerns the whole broker.
    """

    token_id: Annotated[bytes, Meta(min_length=6, max_length=6)]
    secret_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    name: Name
    role: Role
    queues: Annotated[list[Name], Meta(max_length=100)] = []
    lifetime_ms: Count = 0  # 0: until it is revoked


class ListTokens(BaseRequest, frozen=True, tag=48):
    """Reply: TokenPage, all of them."""


class RevokeToken(BaseRequest, frozen=True, tag=49):
    """Forget a token, by its name or its id in hex; connections that came with it are ended. Reply: Affected."""

    token: Name


class ListAudit(BaseRequest, frozen=True, tag=50):
    """Who did what, the latest first. Reply: AuditPage; its cursor goes into the next request.

    `who` and `action` are patterns, or parts of the actor's name and the action. A page may be short, even empty, and
    have a cursor: the broker looks at a bounded number of rows a request.
    """

    since_ms: Count = 0
    until_ms: Count | None = None
    who: Name = ""
    action: Name = ""
    limit: Limit = 100
    cursor: Annotated[bytes, Meta(max_length=64)] = b""
