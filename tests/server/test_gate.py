"""Who somebody is: what they show counts before where they come from."""

import os
from collections.abc import Mapping

import pytest

from tests.server.fakes import FakeCore
from tq.engine.tables import TokenRow
from tq.model.commands import EDGE_ITSELF, Behind, Hello, WorkerHello
from tq.model.credentials import Token, hash_secret
from tq.model.errors import AccessDenied
from tq.model.identity import Role
from tq.model.peers import is_loopback
from tq.model.settings import BrokerSettings, SecuritySettings, Settings
from tq.server.access import NOBODY, Access, Peer, user_name
from tq.server.gate import Gate

SECRET = "s" * 43
TOKEN = f"tq_0123456789ab_{SECRET}"
ID = bytes.fromhex("0123456789ab")
OWN = Peer("unix", is_local=True, uid=os.geteuid())
OTHER = Peer("unix", is_local=True, uid=54_321)
LOOPBACK = Peer("tcp 127.0.0.1", is_local=True)
REMOTE = Peer("tls 10.0.0.7", is_local=False)
OPS = Peer("tls 10.0.0.7", is_local=False, certificate_names=("x.example.org", "ops.example.org"))
STRANGER = Peer("tls 10.0.0.7", is_local=False, certificate_names=("x.example.org",))


class CoreWithTokens(FakeCore):
    def __init__(self, tokens: Mapping[bytes, TokenRow]) -> None:
        super().__init__()
        self.tokens = dict(tokens)

    def check_token(self, token: Token, now_ms: int) -> TokenRow:
        row = self.tokens.get(token.token_id)
        if row is None or row.secret_hash != token.secret_hash:
            raise AccessDenied("is not known here")
        return row

    def has_token(self, token_id: bytes | None = None) -> bool:
        return bool(self.tokens) if token_id is None else token_id in self.tokens


def core(role: Role | None = None, *, queues: tuple[str, ...] = (), expires_at_ms: int = 0) -> CoreWithTokens:
    row = TokenRow("ci", hash_secret(SECRET), role or Role.PRODUCER, queues, expires_at_ms=expires_at_ms)
    return CoreWithTokens({ID: row} if role is not None else {})


def gate(anonymous_role: str = "auto", certificate_roles: str = "", broker: Mapping[str, object] | None = None) -> Gate:
    return Gate(
        Settings(
            broker=BrokerSettings(**(broker or {})),  # type: ignore[arg-type]
            security=SecuritySettings(anonymous_role=anonymous_role, certificate_roles=certificate_roles),  # type: ignore[arg-type]
        )
    )


def admitted(gate: Gate, core: FakeCore, peer: Peer, token: str = "") -> Access:
    return gate.admit(core, peer, Hello(0, 1, token=token), now_ms=1)


def test_a_token_says_who_its_bearer_is_from_wherever_it_is_shown() -> None:
    for peer in (OWN, LOOPBACK, REMOTE, OPS):
        access = admitted(gate(), core(Role.PRODUCER, queues=("mail*",), expires_at_ms=9), peer, TOKEN)

        assert (access.actor.name, access.actor.origin, access.role) == ("token:ci", peer.origin, Role.PRODUCER)
        assert (access.token_id, access.expires_at_ms, access.is_confined) == (ID, 9, True)


@pytest.mark.parametrize("peer", [OWN, LOOPBACK, OPS])
@pytest.mark.parametrize("token", ["nonsense", f"tq_0123456789ab_{'x' * 43}", f"tq_ffffffffffff_{SECRET}"])
def test_a_wrong_token_is_refused_even_to_who_would_be_let_in_without(peer: Peer, token: str) -> None:
    with pytest.raises(AccessDenied):
        admitted(gate("admin"), core(Role.ADMIN), peer, token)


@pytest.mark.parametrize("uid", [os.geteuid(), 0])
def test_the_brokers_own_user_and_root_are_admins_on_the_unix_socket_whatever_tokens_there_are(uid: int) -> None:
    access = admitted(gate("none"), core(Role.VIEWER), Peer("unix", is_local=True, uid=uid))

    assert (access.actor.name, access.role) == (user_name(uid), Role.ADMIN)


def test_another_user_on_the_unix_socket_is_nobody_special_and_goes_by_the_own_name_in_the_audit() -> None:
    access = admitted(gate("viewer"), core(Role.ADMIN), OTHER)

    assert (access.actor.name, access.role) == ("uid:54321", Role.VIEWER)


def test_a_certificate_gives_the_role_of_the_first_name_that_has_one() -> None:
    access = admitted(gate(certificate_roles="ops.*=operator"), core(Role.ADMIN), OPS)

    assert (access.actor.name, access.role) == ("cert:ops.example.org", Role.OPERATOR)


@pytest.mark.parametrize(
    ("anonymous_role", "core", "peer", "broker", "role"),
    [
        ("auto", core(), LOOPBACK, {}, Role.ADMIN),
        ("auto", core(), REMOTE, {}, Role.NONE),
        ("auto", core(), REMOTE, {"insecure": True}, Role.ADMIN),
        ("auto", core(Role.ADMIN), LOOPBACK, {}, Role.NONE),
        ("auto", core(Role.ADMIN), REMOTE, {"insecure": True}, Role.NONE),
        ("auto", core(), LOOPBACK, {"tls_client_ca": "ca.pem"}, Role.NONE),
        ("auto", core(), STRANGER, {"tls_client_ca": "ca.pem"}, Role.NONE),
        ("auto", core(), REMOTE, {"tls_client_ca": "ca.pem", "insecure": True}, Role.NONE),
        ("none", core(), LOOPBACK, {}, Role.NONE),
        ("viewer", core(Role.ADMIN), REMOTE, {}, Role.VIEWER),
        ("admin", core(Role.ADMIN), STRANGER, {}, Role.ADMIN),
    ],
)
def test_who_shows_nothing_is_what_the_settings_say(
    anonymous_role: str, core: FakeCore, peer: Peer, broker: dict[str, object], role: Role
) -> None:
    tested = gate(anonymous_role, broker=broker)
    if role is Role.NONE:
        with pytest.raises(AccessDenied, match="asks for credentials"):
            admitted(tested, core, peer)
    else:
        assert admitted(tested, core, peer).role is role


def test_the_refusal_of_a_certificate_without_a_role_names_it() -> None:
    with pytest.raises(AccessDenied, match=r"its certificate of x\.example\.org has no role"):
        admitted(gate(), core(Role.ADMIN), STRANGER)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRODUCER])
def test_a_worker_needs_the_role_of_one(role: Role) -> None:
    hello = Hello(0, 1, token=TOKEN, worker=WorkerHello("w", b"w" * 16, "h", 1, ["mail"]))

    with pytest.raises(AccessDenied, match="to run tasks it needs worker"):
        gate().admit(core(role), LOOPBACK, hello, 1)
    assert gate().admit(core(Role.WORKER), LOOPBACK, hello, 1).role is Role.WORKER


def test_access_ends_with_its_token_at_its_hour_or_with_the_first_token_that_is_made() -> None:
    tested, with_token, without = gate(), core(Role.VIEWER, expires_at_ms=10), core()
    by_token, is_open = admitted(tested, with_token, REMOTE, TOKEN), admitted(tested, without, LOOPBACK)
    by_user = admitted(tested, without, OWN)

    assert tested.is_still_good(with_token, by_token, 9)
    assert not tested.is_still_good(with_token, by_token, 10)
    assert not tested.is_still_good(without, by_token, 9)
    assert tested.is_still_good(without, is_open, 9)
    assert not tested.is_still_good(with_token, is_open, 9)
    assert tested.is_still_good(with_token, by_user, 9)
    assert NOBODY.role is Role.NONE


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("an unknown address", False),
    ],
)
def test_loopback_is_told_from_other_addresses(address: str, is_it: bool) -> None:
    assert is_loopback(address) is is_it


KEY = b"k" * 32


def behind(
    origin: str = "10.0.0.7", *, key: bytes = KEY, is_local: bool = False, names: tuple[str, ...] = ()
) -> Behind:
    return Behind(key, "rest", origin, is_local, names)


def through_edge(gate: Gate, core: FakeCore, behind: Behind, token: str = "") -> Access:
    return gate.admit(core, OWN, Hello(0, 1, token=token, behind=behind), now_ms=1)


def gate_with_edges(anonymous_role: str = "auto", certificate_roles: str = "") -> Gate:
    security = SecuritySettings(anonymous_role=anonymous_role, certificate_roles=certificate_roles)  # type: ignore[arg-type]
    return Gate(Settings(security=security), KEY)


def test_who_comes_through_an_edge_is_judged_as_themselves_and_never_as_the_user_of_the_edge() -> None:
    edge = gate_with_edges(certificate_roles="ops.*=operator")
    bearer = through_edge(edge, core(Role.PRODUCER), behind(), TOKEN)
    certified = through_edge(edge, core(Role.ADMIN), behind(names=("ops.example.org",)))
    local = through_edge(edge, core(), behind("127.0.0.1", is_local=True))

    assert (bearer.actor.name, bearer.actor.origin, bearer.role) == ("token:ci", "rest 10.0.0.7", Role.PRODUCER)
    assert (certified.actor.name, certified.role) == ("cert:ops.example.org", Role.OPERATOR)
    assert (local.actor.name, local.role, local.is_open) == ("anonymous", Role.ADMIN, True)
    for stranger in (behind(), behind("127.0.0.1", is_local=True)):
        with pytest.raises(AccessDenied, match="asks for credentials"):
            through_edge(edge, core(Role.ADMIN), stranger)


@pytest.mark.parametrize("tested", [gate(), Gate(Settings(), KEY[:-1] + b"j")])
@pytest.mark.parametrize("origin", ["10.0.0.7", EDGE_ITSELF])
def test_who_does_not_have_the_key_of_the_edges_is_refused_even_with_a_good_token(tested: Gate, origin: str) -> None:
    hello = Hello(0, 1, token=TOKEN, behind=behind(origin))
    with pytest.raises(AccessDenied, match="no rest edge"):
        tested.admit(core(Role.ADMIN), OWN, hello, now_ms=1)

    assert tested.origin(LOOPBACK, hello) == "tcp 127.0.0.1"


def test_an_edge_itself_may_look_and_no_more_whatever_tokens_there_are() -> None:
    access = through_edge(gate_with_edges("none"), core(Role.ADMIN), behind(EDGE_ITSELF))

    assert (access.actor.name, access.role) == ("edge:rest", Role.VIEWER)


def test_the_key_of_the_edges_is_not_part_of_what_is_printed_of_a_greeting() -> None:
    assert "kkk" not in repr(Hello(0, 1, behind=behind()))
