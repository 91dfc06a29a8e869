"""Who asks: the name that the audit shows, and where the request came from."""

import msgspec


class Actor(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who may change things.

    `name` says how the broker knows them, such as "uid:1000 anna" or "token:ci"; `origin` is where the connection came
    from, such as "unix" or "tcp 10.0.0.7".
    """

    name: str
    origin: str = ""


ANONYMOUS = Actor("anonymous")
"""A connection that has not said who it is."""

BROKER = Actor("broker")
"""The broker itself: what it does because the time has come, or a disk is full."""
