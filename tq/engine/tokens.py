"""Tokens: who may connect by showing one. The secrets are made by those who ask; here are only their hashes."""

from tq.engine import auditing as audit
from tq.engine.ledger import Ledger, encode
from tq.engine.tables import Table, TokenRow
from tq.model.commands import CreateToken, ListTokens, RevokeToken
from tq.model.credentials import Token, TokenInfo, is_same_hash
from tq.model.errors import AccessDenied, InvalidArgument, TokenNotFound, TooManyRequests, WrongState
from tq.model.identity import Role
from tq.model.names import check_name
from tq.model.patterns import glob
from tq.model.replies import Affected, TokenPage

TOKENS_MAX = 1_000
"""All of them are in memory."""


def create_token(ledger: Ledger, request: CreateToken, now_ms: int) -> TokenPage:
    """Know one more token; the same request again changes nothing.

    Raises:
        InvalidArgument: a name or a pattern that cannot be, or the role none.
        WrongState: the name, or the id, is another token's.
        TooManyRequests: there are TOKENS_MAX.
    """
    known = ledger.tokens.get(request.token_id)
    if known is not None and known.name == request.name and is_same_hash(known.secret_hash, request.secret_hash):
        return TokenPage(request.request_id, [_info(request.token_id, known)])
    _check(ledger, request)
    row = TokenRow(
        name=request.name,
        secret_hash=request.secret_hash,
        role=request.role,
        queues=tuple(request.queues),
        created_at_ms=now_ms,
        created_by=ledger.actor.name,
        expires_at_ms=now_ms + request.lifetime_ms if request.lifetime_ms else 0,
    )
    ledger.tokens[request.token_id] = row
    ledger.changes.put(Table.TOKENS, request.token_id, encode(row))
    queues = f" for {', '.join(row.queues)}" if row.queues else ""
    audit.record(ledger, now_ms, "token-create", f"{row.name} ({request.token_id.hex()}), {row.role}{queues}")
    return TokenPage(request.request_id, [_info(request.token_id, row)])


def _check(ledger: Ledger, request: CreateToken) -> None:
    check_name("token", request.name)
    if request.role is Role.NONE:
        raise InvalidArgument("a token of role none is good for nothing", hint=f"one of {', '.join(list(Role)[1:])}")
    for pattern in request.queues:
        glob(pattern)
    if request.token_id in ledger.tokens or any(row.name == request.name for row in ledger.tokens.values()):
        raise WrongState(
            f"there is a token {request.name} already",
            hint=f"choose another name, or revoke it first: tq token revoke {request.name}",
        )
    if len(ledger.tokens) >= TOKENS_MAX:
        raise TooManyRequests(f"there are {TOKENS_MAX} tokens, which is the limit", hint="revoke those out of use")


def list_tokens(ledger: Ledger, request: ListTokens) -> TokenPage:
    """All tokens, by name, expired ones included."""
    ordered = sorted(ledger.tokens.items(), key=lambda item: item[1].name)
    return TokenPage(request.request_id, [_info(token_id, row) for token_id, row in ordered])


def revoke_token(ledger: Ledger, request: RevokeToken, now_ms: int) -> Affected:
    """Forget a token.

    Raises:
        TokenNotFound: none has this name or this id.
    """
    for token_id, row in ledger.tokens.items():
        if request.token in (row.name, token_id.hex()):
            break
    else:
        raise TokenNotFound(f"there is no token {request.token!r}", hint="tq token list shows all")
    del ledger.tokens[token_id]
    ledger.changes.delete(Table.TOKENS, token_id)
    audit.record(ledger, now_ms, "token-revoke", f"{row.name} ({token_id.hex()})")
    return Affected(request.request_id, 1)


def check_token(ledger: Ledger, token: Token, now_ms: int) -> TokenRow:
    """The token that somebody shows, if it is good. What is wrong with one is for its bearer to know, and says nothing
    of the secret.

    Raises:
        AccessDenied: unknown, revoked, not its secret, or expired.
    """
    row = ledger.tokens.get(token.token_id)
    # An unknown id takes the same time as a wrong secret.
    is_known = is_same_hash(token.secret_hash, row.secret_hash if row is not None else bytes(32))
    if row is None or not is_known:
        raise AccessDenied(
            f"token tq_{token.token_id.hex()}_*** is not known here",
            hint="it was revoked, or made for another broker; an admin makes one: tq token create",
        )
    if 0 < row.expires_at_ms <= now_ms:
        raise AccessDenied(f"token {row.name} has expired", hint="an admin makes a new one: tq token create")
    return row


def _info(token_id: bytes, row: TokenRow) -> TokenInfo:
    return TokenInfo(
        id=token_id.hex(),
        name=row.name,
        role=row.role,
        queues=row.queues,
        created_at_ms=row.created_at_ms,
        created_by=row.created_by,
        expires_at_ms=row.expires_at_ms,
    )
