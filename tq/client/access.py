"""The client's calls for who may do what, and who did: tokens and the audit."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from tq.client.asking import Asking, Blocking
from tq.model.commands import BATCH_MAX, CreateToken, ListAudit, ListTokens, RevokeToken
from tq.model.credentials import SECRET_BYTES, TOKEN_ID_BYTES, AuditEntry, TokenInfo, hash_secret
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument
from tq.model.identity import Role
from tq.model.replies import Affected, AuditPage, TokenPage


class NewToken(NamedTuple):
    """A token that was just made. `text` is what its bearer shows; it is nowhere else, and cannot be had again."""

    text: str
    info: TokenInfo


class AsyncAccess(Asking):
    """Tokens and the audit, for AsyncClient."""

    async def create_token(
        self, name: str, role: str, *, queues: Sequence[str] = (), expires: str | timedelta | None = None
    ) -> NewToken:
        """Make a token. Its secret is made here; the broker learns the SHA-256 of it, no more.

        Args:
            name: how the audit calls its bearer; no two tokens have the same.
            role: viewer, producer, worker, operator or admin.
            queues: patterns, such as "mail*", of the only queues that it is good for; empty: no limit.
            expires: how long it is good, such as "90d"; None: until it is revoked.

        Raises:
            InvalidArgument: no such role, or a name or pattern that cannot be.
            WrongState: there is a token of this name.
        """
        if role not in list(Role)[1:]:
            raise InvalidArgument(f"{role!r} is not a role", hint=f"one of {', '.join(list(Role)[1:])}")
        lifetime_ms = 0 if expires is None else duration_ms(expires, "expires")
        if expires is not None and not lifetime_ms:
            raise InvalidArgument("a token that has expired already is good for nothing", hint="such as 90d")
        token_id, secret = secrets.token_bytes(TOKEN_ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        request = CreateToken(0, token_id, hash_secret(secret), name, Role(role), list(queues), lifetime_ms)
        (info,) = (await self._ask(request, TokenPage)).tokens
        return NewToken(f"tq_{token_id.hex()}_{secret}", info)

    async def tokens(self) -> list[TokenInfo]:
        """All tokens, by name, expired ones included."""
        return (await self._ask(ListTokens(0), TokenPage)).tokens

    async def revoke_token(self, token: str) -> Affected:
        """Forget a token, and end the connections that came with it.

        Args:
            token: its name, or its id in hex.

        Raises:
            TokenNotFound: none is called so.
        """
        return await self._ask(RevokeToken(0, token), Affected)

    async def audit(
        self, *, since_ms: int = 0, until_ms: int | None = None, who: str = "", action: str = "", limit: int = 100
    ) -> list[AuditEntry]:
        """Who did what, the latest first; at most `limit` entries.

        Args:
            since_ms, until_ms: moments, ms since the epoch.
            who, action: a pattern with * and ?, or a part, of the actor's name and of the action.
        """
        found: list[AuditEntry] = []
        cursor = b""
        while len(found) < limit:
            part = min(limit - len(found), BATCH_MAX)
            page = await self._ask(ListAudit(0, since_ms, until_ms, who, action, part, cursor), AuditPage)
            found += page.entries
            cursor = page.cursor
            if not cursor:
                break
        return found


class Access(Blocking):
    """Tokens and the audit, for Client."""

    def create_token(
        self, name: str, role: str, *, queues: Sequence[str] = (), expires: str | timedelta | None = None
    ) -> NewToken:
        """See AsyncClient.create_token."""
        return self._thread.run(lambda: self._client.create_token(name, role, queues=queues, expires=expires))

    def tokens(self) -> list[TokenInfo]:
        """See AsyncClient.tokens."""
        return self._thread.run(lambda: self._client.tokens())

    def revoke_token(self, token: str) -> Affected:
        """See AsyncClient.revoke_token."""
        return self._thread.run(lambda: self._client.revoke_token(token))

    def audit(
        self, *, since_ms: int = 0, until_ms: int | None = None, who: str = "", action: str = "", limit: int = 100
    ) -> list[AuditEntry]:
        """See AsyncClient.audit."""
        return self._thread.run(
            lambda: self._client.audit(since_ms=since_ms, until_ms=until_ms, who=who, action=action, limit=limit)
        )
