"""The gate: from what a connection shows to what it may do."""

import hmac
import os

import msgspec

from tq.model.commands import EDGE_ITSELF, Behind, Hello
from tq.model.credentials import certificate_roles, parse_token
from tq.model.errors import AccessDenied
from tq.model.identity import Actor, Role
from tq.model.plain import plain
from tq.model.settings import Settings
from tq.server.access import Access, Peer, user_name
from tq.server.ports import Core

ROOT = 0


class Gate:
    """Decides by the settings and the tokens who somebody is. What is shown counts before where one comes from."""

    def __init__(self, settings: Settings, edge_key: bytes = b"") -> None:
        """
        Args:
            edge_key: what the edges of this broker show, 32 bytes; empty: it has none.

        Raises:
            InvalidArgument: security.certificate_roles cannot be read.
        """
        broker, security = settings.broker, settings.security
        self._is_insecure = broker.insecure
        self._has_client_ca = bool(broker.tls_client_ca)
        self._anonymous_role = security.anonymous_role
        self._certificate_roles = [
            (pattern.matcher(is_case_ignored=True), role)
            for pattern, role in certificate_roles(security.certificate_roles)
        ]
        self._own_uid = os.geteuid()
        self._edge_key = edge_key

    def admit(self, core: Core, peer: Peer, hello: Hello, now_ms: int) -> Access:
        """Who this is.

        Raises:
            AccessDenied: a token that is not good, a key that is not that of this broker's edges, or nobody who may do
                anything.
        """
        behind = hello.behind
        if behind is not None:
            if not self._is_edge(behind):
                raise AccessDenied(
                    f"this is no {behind.edge} edge of this broker", hint="a client leaves `behind` out of its greeting"
                )
            # Never by the user of the edge's process, who is the broker's own: the caller counts alone.
            peer = Peer(self.origin(peer, hello), behind.is_local, certificate_names=behind.certificate_names)
        if behind is not None and behind.origin == EDGE_ITSELF:
            access = Access(Actor(f"edge:{behind.edge}", peer.origin), Role.VIEWER)
        else:
            access = self._known(core, peer, hello.token, now_ms) or self._anonymous(core, peer)
        access = _as_wanted(access, hello)
        if hello.role_max is Role.NONE:
            raise AccessDenied(
                "the greeting asks for the role none, which may do nothing", hint="ask for viewer or more"
            )
        if access.role is Role.NONE:
            names = ", ".join(peer.certificate_names)
            raise AccessDenied(
                "this broker asks for credentials, and the connection shows no token"
                + (f"; its certificate of {names[:200]} has no role" if names else ""),
                hint="set TQ_TOKEN or TQ_TOKEN_FILE; an admin makes a token: tq token create NAME --role ROLE",
            )
        if hello.worker is not None and not access.role.may(Role.WORKER):
            raise AccessDenied(
                f"{access.actor.name} has the role {access.role}: to run tasks it needs worker",
                hint="an admin makes a token for it: tq token create NAME --role worker",
            )
        return access

    def origin(self, peer: Peer, hello: Hello) -> str:
        """Where a connection comes from: its peer, or the caller of an edge of this broker, such as "rest 10.0.0.7"."""
        behind = hello.behind
        return peer.origin if behind is None or not self._is_edge(behind) else f"{behind.edge} {plain(behind.origin)}"

    def is_still_good(self, core: Core, access: Access, now_ms: int) -> bool:
        """Whether what a connection was let in for still holds."""
        if access.is_open:
            return not core.has_token()
        if access.token_id:
            return core.has_token(access.token_id) and not 0 < access.expires_at_ms <= now_ms
        return True

    def _is_edge(self, behind: Behind) -> bool:
        return bool(self._edge_key) and hmac.compare_digest(behind.key, self._edge_key)

    def _known(self, core: Core, peer: Peer, token_text: str, now_ms: int) -> Access | None:
        """By token, certificate or user; None: by none of them."""
        if token_text:
            token = parse_token(token_text)
            row = core.check_token(token, now_ms)
            actor = Actor(f"token:{row.name}", peer.origin, row.queues)
            return Access(actor, row.role, token.token_id, row.expires_at_ms)
        for name in peer.certificate_names:
            for matches, role in self._certificate_roles:
                if matches(name):
                    return Access(Actor(f"cert:{name}", peer.origin), role)
        if peer.origin == "unix" and peer.uid in (self._own_uid, ROOT, None):  # None: the socket's mode let nobody else
            return Access(Actor(user_name(self._own_uid if peer.uid is None else peer.uid), peer.origin), Role.ADMIN)
        return None

    def _anonymous(self, core: Core, peer: Peer) -> Access:
        name = "anonymous" if peer.uid is None else user_name(peer.uid)
        actor = Actor(name, peer.origin)
        if self._anonymous_role != "auto":
            return Access(actor, Role(self._anonymous_role))
        # Where there are no credentials to show, whoever is on this machine, or was let near on purpose, may do all.
        is_open = not (core.has_token() or self._has_client_ca) and (peer.is_local or self._is_insecure)
        return Access(actor, Role.ADMIN if is_open else Role.NONE, is_open=is_open)


def _as_wanted(access: Access, hello: Hello) -> Access:
    """With no more than the role that the greeting asks for, and named after whom it says it acts for.

    That name is added to the one by which it is known here, never put in its place: anybody may say anything.
    """
    actor = access.actor
    if hello.acts_for:
        actor = msgspec.structs.replace(actor, name=f"{actor.name} for {plain(hello.acts_for)}")
    return msgspec.structs.replace(access, actor=actor, role=access.role.within(hello.role_max))
