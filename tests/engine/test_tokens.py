import pytest

from tests.engine.rig import DAY, HOUR, Rig
from tq.engine.tables import Table
from tq.engine.tokens import TOKENS_MAX
from tq.model.commands import CreateToken, ListTokens, RevokeToken
from tq.model.credentials import Token
from tq.model.errors import AccessDenied, InvalidArgument, TokenNotFound, TooManyRequests, WrongState
from tq.model.identity import Actor, Role
from tq.model.replies import Affected, TokenPage

HASH, OTHER = b"h" * 32, b"x" * 32
ID = b"token1"


def create(rig: Rig, token_id: bytes = ID, name: str = "ci", **fields: object) -> TokenPage:
    values = {"secret_hash": HASH, "role": Role.PRODUCER, **fields}
    return rig.ask(CreateToken(1, token_id, name=name, **values), TokenPage)  # type: ignore[arg-type]


def names(rig: Rig) -> list[str]:
    return [token.name for token in rig.ask(ListTokens(1), TokenPage).tokens]


def test_a_token_is_known_by_its_secret_and_still_is_after_a_restart() -> None:
    rig = Rig()
    rig.engine.identify(1, Actor("uid:0 root", "unix"))
    (info,) = create(rig, queues=["mail*"], lifetime_ms=DAY).tokens
    rig.restart()

    row = rig.engine.check_token(Token(ID, HASH), rig.now_ms)

    assert (row.name, row.role, row.queues, row.expires_at_ms) == ("ci", Role.PRODUCER, ("mail*",), rig.now_ms + DAY)
    assert (info.id, info.created_by, info.created_at_ms) == (ID.hex(), "uid:0 root", rig.now_ms)
    assert rig.engine.has_token()
    assert rig.engine.has_token(ID)


@pytest.mark.parametrize("token", [Token(ID, OTHER), Token(b"token2", HASH), Token(b"token2", bytes(32))])
def test_a_wrong_secret_and_an_unknown_token_are_told_apart_by_nobody(token: Token) -> None:
    rig = Rig()
    create(rig)

    with pytest.raises(AccessDenied, match=rf"token tq_{token.token_id.hex()}_\*\*\* is not known here"):
        rig.engine.check_token(token, rig.now_ms)


def test_a_token_is_good_until_the_moment_at_which_it_expires() -> None:
    rig = Rig()
    create(rig, lifetime_ms=HOUR)

    rig.engine.check_token(Token(ID, HASH), rig.now_ms + HOUR - 1)
    with pytest.raises(AccessDenied, match="token ci has expired"):
        rig.engine.check_token(Token(ID, HASH), rig.now_ms + HOUR)


def test_an_expired_token_still_keeps_the_broker_closed_until_it_is_revoked() -> None:
    """Or the end of the last token would open a broker to everybody on its machine."""
    rig = Rig()
    create(rig, lifetime_ms=HOUR)
    rig.jump(DAY)

    assert rig.engine.has_token()
    assert names(rig) == ["ci"]


def test_a_revoked_token_is_gone_by_name_or_by_id_also_after_a_restart() -> None:
    rig = Rig()
    create(rig)
    create(rig, b"token2", "web")

    assert rig.ask(RevokeToken(1, "ci"), Affected) == Affected(1, 1)
    assert rig.ask(RevokeToken(1, b"token2".hex()), Affected) == Affected(1, 1)
    with pytest.raises(TokenNotFound, match="no token 'ci'"):
        rig.step(RevokeToken(1, "ci"))
    rig.restart()

    assert names(rig) == []
    assert not rig.engine.has_token()


def test_the_same_creation_again_changes_nothing() -> None:
    rig = Rig()
    first = create(rig)
    rig.jump(HOUR)

    assert create(rig) == first
    assert not any(rig.writes)


@pytest.mark.parametrize(
    ("token_id", "name", "secret_hash"), [(b"token2", "ci", HASH), (ID, "web", HASH), (ID, "ci", OTHER)]
)
def test_neither_a_name_nor_an_id_is_given_twice(token_id: bytes, name: str, secret_hash: bytes) -> None:
    rig = Rig()
    create(rig)

    with pytest.raises(WrongState, match="there is a token"):
        create(rig, token_id, name, secret_hash=secret_hash)
    assert rig.engine.check_token(Token(ID, HASH), rig.now_ms).name == "ci"


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": "a\x1bb"}, {"role": Role.NONE}, {"queues": [""]}, {"queues": ["*" * 21]}]
)
def test_a_token_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    rig = Rig()

    with pytest.raises(InvalidArgument):
        create(rig, **fields)  # type: ignore[arg-type]
    assert not rig.engine.has_token()


def test_the_number_of_tokens_is_bounded() -> None:
    rig = Rig()
    for number in range(TOKENS_MAX):
        rig.step(CreateToken(1, number.to_bytes(6, "big"), HASH, f"t{number}", Role.VIEWER))

    with pytest.raises(TooManyRequests, match="1000 tokens"):
        create(rig)


def test_neither_a_listing_nor_the_audit_has_anything_of_the_secret() -> None:
    rig = Rig()
    create(rig)
    reply = rig.ask(ListTokens(1), TokenPage)

    assert HASH not in repr(reply).encode()
    assert HASH.hex() not in repr(reply)
    assert all(HASH not in value for _, value in rig.rows.range(Table.AUDIT, b"", b"\xff" * 16, 10))
