"""Who asks: the name that the audit shows, where the request came from, and what the asker may do."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a connection may do, by the name that every interface shows. tq/model/roles.py says for each request which
    of them it needs."""

    NONE = "none"  # not even look
    VIEWER = "viewer"
    PRODUCER = "producer"
    WORKER = "worker"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether this role is enough where `needed` is asked for."""
        return needed in _INCLUDED[self]

    def within(self, limit: "Role") -> "Role":
        """The most that both of them may."""
        if self.may(limit):
            return limit
        return self if limit.may(self) else Role.VIEWER  # a producer is no worker, and looking is what both may


_INCLUDED: dict[Role, frozenset[Role]] = {
    Role.NONE: frozenset({Role.NONE}),
    Role.VIEWER: frozenset({Role.NONE, Role.VIEWER}),
    Role.PRODUCER: frozenset({Role.NONE, Role.VIEWER, Role.PRODUCER}),
    Role.WORKER: frozenset({Role.NONE, Role.VIEWER, Role.WORKER}),
    Role.OPERATOR: frozenset(Role) - {Role.ADMIN},
    Role.ADMIN: frozenset(Role),
}


class Actor(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who may change things.

    `name` says how the broker knows them, such as "uid:1000 anna" or "token:ci"; `origin` is where the connection came
    from, such as "unix" or "tcp 10.0.0.7". With `queues`, patterns such as "mail*", they are confined to the queues
    that match one of them.
    """

    name: str
    origin: str = ""
    queues: tuple[str, ...] = ()


ANONYMOUS = Actor("anonymous")
"""A connection that has not said who it is."""

BROKER = Actor("broker")
"""The broker itself: what it does because the time has come, or a disk is full."""
